// The batches that have passed in a run of all tests with the full numbers. Such a run takes hours:
// if it is interrupted, or a batch fails, the next run on the same tree runs only the others.

import { readIfThere } from "../src/kit/support/files/cache.ts";
import { writeWhole } from "../src/kit/support/files/whole-file.ts";
import type { Summary } from "./test-summary.ts";

/** Batches of one tree. */
export class PassedBatches {
  readonly #passed = new Map<string, Summary>();

  /**
   * @param path the file that keeps them; it is ignored if it belongs to another tree
   * @param tree names the content of all files
   * @throws SyntaxError if the file is damaged
   */
  constructor(readonly path: string, readonly tree: string) {
    const bytes = readIfThere(path);
    const kept: { tree: string; passed: [string, Summary][] } | undefined = bytes && JSON.parse(new TextDecoder().decode(bytes));
    if (kept?.tree === tree) this.#passed = new Map(kept.passed);
  }

  get size(): number {
    return this.#passed.size;
  }

  /** The counts of a batch that has passed. */
  of(files: readonly string[]): Summary | undefined {
    return this.#passed.get(files.join(" "));
  }

  add(files: readonly string[], { passed, steps, failed, ignored }: Summary): void {
    this.#passed.set(files.join(" "), { passed, steps, failed, ignored });
    writeWhole(this.path, JSON.stringify({ tree: this.tree, passed: [...this.#passed] }));
  }

  /** All have passed: the next run starts from the beginning. */
  clear(): void {
    if (this.#passed.size) Deno.removeSync(this.path);
    this.#passed.clear();
  }
}

/** A name of the content of all files in a checkout; undefined if they are not as committed. */
export async function treeOf(folder: string): Promise<string | undefined> {
  const git = async (...args: string[]) => {
    const { success, stdout } = await new Deno.Command("git", { args: ["-C", folder, ...args], stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  };
  return await git("status", "--porcelain") === "" ? await git("rev-parse", "HEAD^{tree}") : undefined;
}

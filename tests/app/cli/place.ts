// Sessions for tests of commands, in a runtime folder where no other session is seen.

import assert from "node:assert/strict";
import { eventually } from "../../support/eventually.ts";
import { el2Process, el2With, type Outcome } from "./program.ts";

/** A runtime folder, and the sessions in it, which end with it. */
export class Place implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "el2-test-" });

  get #env(): Readonly<Record<string, string>> {
    return { XDG_RUNTIME_DIR: this.folder, EL2_SESSION: "" };
  }

  el2(...args: string[]): Promise<Outcome> {
    return el2With(this.#env, ...args);
  }

  /** The same in a process, whatever the command. */
  process(...args: string[]): Promise<Outcome> {
    return el2Process(args, this.#env);
  }

  /** Starts a session. */
  async up(name: string, what = "demo", ...options: string[]): Promise<void> {
    const { code, stderr } = await this.el2("up", what, "--name", name, ...options);
    assert.equal(code, 0, stderr);
  }

  /** Waits until a VM has printed something. */
  async printed(vm: string): Promise<void> {
    await eventually(() => this.el2("console", vm), ({ stdout }) => stdout !== "");
  }

  async json(
    ...args: string[]
  ): Promise<{ schema: string; session: string; at: { ns: string; insn: string }; data: Record<string, unknown>[] }> {
    const { code, stdout, stderr } = await this.el2(...args, "--json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  /** Ends every session that has a socket here, whoever started it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { stdout } = await this.el2("ls", "--json", "--columns", "name");
    for (const { name } of JSON.parse(stdout).data) await this.el2("down", name);
    await Deno.remove(this.folder, { recursive: true });
  }
}

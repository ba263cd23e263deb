// The common part of `deno task dist`.

import { fileURLToPath } from "node:url";
import { type BuildPlace } from "../../src/kit/support/program-identity.ts";

/** The surroundings prevent a build; the message says what to change. */
export class DistError extends Error {}

/** The checkout, with a slash at its end. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A build in progress. */
export interface Build {
  /** Collects what is built. */
  readonly folder: string;
  /** Path of the bundle. */
  readonly bundle: string;
  /** Folder of the same program in several files (split.ts). */
  readonly split: string;
  /** Folder of the scripts of pages (page.ts), beside the bundle: the program looks there. */
  readonly page: string;
  /** Times in archives: seconds since 1970. */
  readonly time: number;
}

/** Hex digits of SHA-256. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Runs a program. @throws DistError if it fails */
export async function run(
  what: string,
  program: string,
  args: readonly string[],
  cwd?: string,
  env?: Record<string, string>,
): Promise<void> {
  const { success } = await new Deno.Command(program, { args: [...args], cwd, env, stdin: "null", stdout: "inherit", stderr: "inherit" })
    .output();
  if (!success) throw new DistError(`${what} failed`);
}

/** Fetches the packages of the import map that Deno's cache lacks; `deno bundle` does not. */
export async function fetchPackages(): Promise<void> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}import-map.json`)) as { imports: Record<string, string> };
  await run("deno cache", Deno.execPath(), ["cache", "-q", `--lock=${ROOT}deno.lock`, ...Object.values(imports)], ROOT);
}

/**
 * Output of a program.
 * @throws DistError with its error messages
 */
export async function outputOf(what: string, program: string, args: readonly string[], cwd?: string): Promise<string> {
  const options = { cwd, env: { NO_COLOR: "1" }, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const command = new Deno.Command(program, { args: [...args], ...options });
  const { success, stdout, stderr } = await command.output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new DistError(`${what}: ${program} is missing; install it, or name the parts to build with --only`);
  });
  if (!success) throw new DistError(`${what} failed: ${new TextDecoder().decode(stderr).trim()}`);
  return new TextDecoder().decode(stdout);
}

/** The commit that is built, unless the environment names it: a copy of a checkout has none. */
const COMMIT = "EL2_COMMIT";
/** Address of the releases, for the build of one. */
const RELEASES = "EL2_RELEASES";

/** Where the program is built. @throws DistError */
export async function buildPlace(): Promise<BuildPlace> {
  const commit = Deno.env.get(COMMIT) ?? await outputOf("git rev-parse", "git", ["-C", ROOT, "rev-parse", "HEAD"]);
  if (!/^[0-9a-f]{40}\s*$/.test(commit)) throw new DistError(`${COMMIT}=${commit} is not a commit`);
  const releases = Deno.env.get(RELEASES);
  if (releases !== undefined && !/^https:\/\/[\w./-]+$/.test(releases)) throw new DistError(`${RELEASES}=${releases} is not an address`);
  return { commit: commit.trim(), releases };
}

/** The same place for a build elsewhere, as its environment. */
export async function placeVariables(): Promise<Record<string, string>> {
  const { commit = "", releases } = await buildPlace();
  return { [COMMIT]: commit, ...releases !== undefined && { [RELEASES]: releases } };
}

/**
 * The time that archives carry: SOURCE_DATE_EPOCH, else that of the commit, so that two builds of
 * it are equal.
 */
export async function buildTime(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  const text = given ?? await outputOf("git log", "git", ["-C", ROOT, "log", "-1", "--format=%ct"]);
  if (!/^\d+\s*$/.test(text)) throw new DistError(`SOURCE_DATE_EPOCH=${text} is not a number of seconds`);
  return Number(text);
}

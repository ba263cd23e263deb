// Computers that lack something, planted around a launcher: its process gets limits, mounts or
// rules of the system, and nothing else of this computer changes.

import assert from "node:assert/strict";
import { ENTER, MOUSE_ON, WATCH } from "../../src/app/tui/terminal/terminal-modes.ts";
import { PRINT_MODES, SANE, SANE_MODES, TmuxTerminal } from "../terminal/tmux.ts";
import { writeWhole } from "../../src/kit/support/files/whole-file.ts";

/** How a launcher ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program. */
export async function run(words: readonly string[], env: Readonly<Record<string, string>> = {}, cwd?: string): Promise<Outcome> {
  const [program, ...args] = words;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, cwd, stdin: "null" }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** A command line after lines of bash, such as `ulimit -n 20`. */
export function after(lines: string, words: readonly string[]): string[] {
  return ["bash", "-c", `${lines} && exec "$@"`, "bash", ...words];
}

/** The same in a new mount namespace. */
export function mounted(lines: string, words: readonly string[]): string[] {
  return ["unshare", "--mount", ...Deno.uid() === 0 ? [] : ["--map-root-user"], ...after(lines, words)];
}

/** Whether a step can be planted here; otherwise says which cannot, and why. */
async function can(what: string, words: readonly string[]): Promise<boolean> {
  const { code, stderr } = await run(words).catch((error) => ({ code: 1, stderr: String(error) }));
  if (code !== 0) console.log(`not planted here: ${what}: ${stderr.trim() || `exit code ${code}`}`);
  return code === 0;
}

/** Whether mounts can be planted. */
export const CAN_MOUNT = Deno.build.os === "linux" && await can("mounts", mounted("mount -t tmpfs none /mnt", ["true"]));

/** Compiles the program that takes executable memory away; the rules that it knows here. */
export async function hardened(folder: string): Promise<{ readonly program: string; readonly rules: readonly string[] }> {
  const program = `${folder}/hardened`, source = new URL("hardened.c", import.meta.url).pathname;
  if (!await can("rules for executable memory", ["cc", "-o", program, source])) return { program, rules: [] };
  const rules = [];
  for (const rule of ["mdwe", "seccomp"]) if (await can(rule, [program, rule, "true"])) rules.push(rule);
  return { program, rules };
}

/** A program that says that it was started, with the limits that its launcher has found. */
export const STARTED = '#!/bin/sh\necho "started:$EL2_LIMITS"\n';

/** Writes an executable file. */
export function writeProgram(path: string, text: string | Uint8Array): void {
  writeWhole(path, text, { mode: 0o755 });
}

/** Checks that a launcher has refused to start the engine, in one line. */
export function assertRefused({ code, stdout, stderr }: Outcome, says: string, wayOut: string): void {
  // bash and dash say by themselves that their folder is gone.
  const lines = stderr.split("\n").filter((line) => !/^(?:sh|bash|shell-init): .*(?:getcwd|current directory)/.test(line));
  assert.deepEqual([code, stdout, lines], [1, "", [`el2: ${says}; ${wayOut}`, ""]]);
}

/** Checks that a launcher makes its engine's cache, for its user alone, and refuses others'. */
export async function assertOwnCache(cache: string, start: () => Promise<Outcome>): Promise<void> {
  const deno = `${cache}/deno`, other = 65534;
  assert.equal((await start()).code, 0);
  assert.equal((Deno.statSync(deno).mode ?? 0) & 0o7777, 0o700);
  const wayOut = "name a folder of yours with EL2_CACHE";
  for (const mode of [0o770, 0o777]) {
    Deno.chmodSync(deno, mode);
    assertRefused(await start(), `others can change ${deno}`, `chmod go-w ${deno}, or ${wayOut}`);
  }
  Deno.chmodSync(deno, 0o700);
  assert.equal(Deno.uid(), 0, "this test needs root, to be another user");
  Deno.chownSync(deno, other, other);
  assertRefused(await start(), `${deno} belongs to another user`, wayOut);
}

/** A program that is killed while it has the terminal, as one without memory is. */
export const DYING = `#!/bin/sh
stty raw -echo
printf '${(ENTER + MOUSE_ON + WATCH).replaceAll("\x1b", "\\033")}\\033[?25lits screen'
kill -KILL $$
`;

/** Checks that a launcher of `DYING` gives the terminal back. */
export async function assertGivenBack(launcher: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const variables = Object.entries(env).map(([name, value]) => `${name}='${value}'`).join(" ");
  const line = `echo before; ${variables} '${launcher}'; echo "left with $?"; ${PRINT_MODES}; exec sleep 1000`;
  await using terminal = await TmuxTerminal.start(line, 100, 30);
  const shown = await terminal.until(new RegExp(`^before\\n[^]*el2: killed, [^]*\\nleft with 137\\n${SANE_MODES}`));
  assert.doesNotMatch(shown, /its screen/);
  assert.deepEqual(await terminal.modes(), SANE);
}

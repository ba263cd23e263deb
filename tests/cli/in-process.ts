// Commands in the process of the test: a process of Deno's costs some 0.8 s of CPU time, a command
// that asks a session a few milliseconds. Effects on the process, its signals and its streams need
// tests that start one.

import process from "node:process";
import { main } from "../../src/cli/main.ts";
import type { Outcome } from "./program.ts";

const ENTRY = new URL("../../main.ts", import.meta.url);

/**
 * Commands that ask, or change something, and end, that start a session, and those that run a
 * recording or a scenario in a worker. The others have machines on the terminal, or follow
 * something.
 */
const ASKING: ReadonlySet<string> = new Set(
  ("back break caps compare-runs complete completion console coverage cpu diagnose diff disasm down events find guests inject input ioctl irq linux logs ls man " +
    "mark mem on pause personas phone profile queue resume rpc schema spec state symbols test theme up vcpu version vm who why").split(" "),
);
/** Those of groups whose other commands start machines, or work for long. */
const ASKING_OF_GROUPS: ReadonlySet<string> = new Set([
  "snapshot info",
  "snapshot save",
  "trace export",
  "trace start",
  "trace stats",
  "trace stop",
]);
/** With these they wait, or end the process themselves. */
const WAITING = /^(?:--(?:watch|follow|expect|read-only|timeout|wait)|-f$)/;

/** Whether a command line can be run here; `deno task test:dist` starts the one file each time. */
export function runsInProcess([command, ...words]: readonly string[]): boolean {
  if (Deno.env.get("EL2_PROGRAM") || words.some((word) => WAITING.test(word))) return false;
  return ASKING.has(command) || ASKING_OF_GROUPS.has(`${command} ${words[0]}`);
}

/** Streams and environment belong to one command at a time. */
let before: Promise<unknown> = Promise.resolve();

/** Runs a command with this environment beside the test's. */
export function inProcess(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  const outcome = before.then(() => run(args, env));
  before = outcome.catch(() => {});
  return outcome;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  using restored = new DisposableStack();
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new TextDecoder();
    const take = (part: Uint8Array | string) => {
      written[name] += typeof part === "string" ? part : decoder.decode(part, { stream: true });
      return part.length;
    };
    replace(restored, Deno[name], { isTerminal: () => false, writeSync: take });
    replace(restored, process[name], { isTTY: false, write: (part: Uint8Array | string) => take(part) >= 0 });
  }
  // A command gives up rights that it does not need; the test still starts programs.
  const granted = { state: "prompt", partial: false };
  replace(restored, Deno.permissions, { revoke: () => Promise.resolve(granted), revokeSync: () => granted });
  const line = (text: string) => void (written.stderr += `${text}\n`);
  replace(restored, console, { error: line, warn: line });
  for (const [name, value] of Object.entries(env)) {
    const old = Deno.env.get(name);
    restored.defer(() => old === undefined ? Deno.env.delete(name) : Deno.env.set(name, old));
    Deno.env.set(name, value);
  }
  restored.defer(() => Deno.exitCode = 0);
  return { code: await main(args, ENTRY), ...written };
}

/** Replaces members of an object until the stack is disposed of. */
function replace(restored: DisposableStack, target: object, members: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(members)) {
    const old = Object.getOwnPropertyDescriptor(target, name);
    Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: true });
    restored.defer(() => {
      if (old) Object.defineProperty(target, name, old);
      else Reflect.deleteProperty(target, name);
    });
  }
}

// Commands in the process of the test: a process of Deno's costs some 0.8 s of CPU time, a command
// that asks a session a few milliseconds, and one that runs a machine its worker. Effects on the
// process, its signals and its streams need tests that start one.

import process from "node:process";
import { main } from "../../../src/app/cli/main.ts";
import type { Outcome } from "./program.ts";

const ENTRY = new URL("../../../main.ts", import.meta.url);

/**
 * Commands that ask, or change something, and end, that start a session, and those that run a
 * machine, a recording or a scenario in a worker. The others are about their process, or its
 * terminal.
 */
const ENDING: ReadonlySet<string> = new Set(
  ("back boot break caps compare-runs complete completion console coverage cpu diagnose diff disasm down events find guests inject input ioctl irq linux logs " +
    "ls man mark mem on pause personas phone profile queue record replay resume rpc run schema screenshot show snapshot spec state symbols test theme trace up " +
    "vcpu version vm who why").split(" "),
);
/** With these they read stdin, or stay until they are interrupted. */
const STAYING = /^(?:--(?:watch|follow|stdio|tui|gdb|instant)|-f)$/;
/** Wall time is that of the process. */
const TIMED = /^(?:boot|record|replay|run|snapshot|test)$/;

/** Whether a command line can be run here; `deno task test:dist` starts the one file each time. */
export function runsInProcess([command, ...words]: readonly string[]): boolean {
  if (Deno.env.get("EL2_PROGRAM") || words.some((word) => STAYING.test(word))) return false;
  return ENDING.has(command) && !(TIMED.test(command) && words.includes("--timeout"));
}

/** Streams and environment belong to one command at a time. */
let before: Promise<unknown> = Promise.resolve();

/** Runs a command with this environment beside the test's; in this folder, where one is given. */
export function inProcess(args: readonly string[], env: Readonly<Record<string, string>>, cwd?: string): Promise<Outcome> {
  const outcome = before.then(() => run(args, env, cwd));
  before = outcome.catch(() => {});
  return outcome;
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>, cwd: string | undefined): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  using restored = new DisposableStack();
  for (const name of ["stdout", "stderr"] as const) {
    const decoder = new TextDecoder();
    const take = (part: Uint8Array | string) => {
      written[name] += typeof part === "string" ? part : decoder.decode(part, { stream: true });
      return part.length;
    };
    // Consoles are the first that write to the stream.
    const writable = new WritableStream<Uint8Array>({ write: (bytes) => void take(bytes) });
    replace(restored, Deno[name], { isTerminal: () => false, writeSync: take, writable });
    replace(restored, process[name], { isTTY: false, write: (part: Uint8Array | string) => take(part) >= 0 });
  }
  replace(restored, Deno.stdin, { isTerminal: () => false });
  // A command gives up rights that it does not need; the test still starts programs.
  const granted = { state: "prompt", partial: false };
  replace(restored, Deno.permissions, { revoke: () => Promise.resolve(granted), revokeSync: () => granted });
  const line = (text: string) => void (written.stderr += `${text}\n`);
  replace(restored, console, { error: line, warn: line });
  if (cwd !== undefined) {
    const folder = Deno.cwd();
    restored.defer(() => Deno.chdir(folder));
    Deno.chdir(cwd);
  }
  for (const [name, value] of Object.entries(env)) {
    const old = Deno.env.get(name);
    restored.defer(() => old === undefined ? Deno.env.delete(name) : Deno.env.set(name, old));
    Deno.env.set(name, value);
  }
  restored.defer(() => Deno.exitCode = 0);
  const left = leaving(restored);
  return { code: await Promise.race([main(args, ENTRY), left]), ...written };
}

/**
 * Lets a command end its process, which closes its connections and timers: resolves to the exit
 * code. What the command still waits for never comes.
 */
function leaving(restored: DisposableStack): Promise<number> {
  const left = Promise.withResolvers<number>(), connect = Deno.connect, never = new Promise<never>(() => {});
  let isGone = false;
  restored.defer(() => isGone = true);
  const connected = async (options: Deno.ConnectOptions) => {
    const connection = await connect(options), read = connection.read.bind(connection), close = connection.close.bind(connection);
    let isOpen = true;
    const once = () => {
      if (isOpen) close();
      isOpen = false;
    };
    restored.defer(once);
    const answered = async (buffer: Uint8Array) => {
      try {
        return await read(buffer);
      } finally {
        if (isGone) await never;
      }
    };
    return Object.assign(connection, { read: answered, close: once });
  };
  const exit = (code: number) => {
    isGone = true;
    left.resolve(code);
  };
  const unrefTimer = (timer: number) => restored.defer(() => clearTimeout(timer));
  replace(restored, Deno, { connect: connected, exit, unrefTimer });
  return left.promise;
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

// Runs many commands in one process that takes its stdout for a terminal, and says what each
// wrote: a process per command would take minutes. Command lines come from stdin, a JSON array per
// line, and are answered one after the other.

import { AsyncLocalStorage } from "node:async_hooks";
import process from "node:process";
import { ENTRY, loadMain } from "./prepared-main.ts";
import { linesOf } from "../../support/lines.ts";

/** One command's end. */
export interface Written {
  readonly args: readonly string[];
  /** -1 where it did not end in time; otherwise its exit code. */
  readonly code: number;
  /** stdout and stderr, as the terminal gets them. */
  readonly text: string;
  /** An exception that passed `main`: a bug. */
  readonly thrown?: string;
}

/** Longer than any command takes that ends; those that follow something do not. */
const AT_MOST = 60_000;

class Exited extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

/** A command of this process. Timers and reads that outlive it still belong to it. */
class Command {
  text = "";
  leave: (code: number) => void = () => {};
}

/** Connections that a command has opened and its process would close. */
function closing(open: Set<() => void>, connection: Deno.Conn): Deno.Conn {
  const close = connection.close.bind(connection);
  const once = () => {
    if (open.delete(once)) close();
  };
  open.add(once);
  return Object.assign(connection, { close: once });
}

if (import.meta.main) {
  const main = await loadMain(), decoder = new TextDecoder(), encoder = new TextEncoder();
  const stdout = Deno.stdout.writeSync.bind(Deno.stdout);
  const answer = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length;) done += stdout(bytes.subarray(done));
  };
  const running = new AsyncLocalStorage<Command>();
  const take = (bytes: Uint8Array | string) => {
    const command = running.getStore();
    if (!command) throw new Error("output of no command");
    command.text += typeof bytes === "string" ? bytes : decoder.decode(bytes);
    return bytes.length;
  };
  for (const stream of [Deno.stdout, Deno.stderr]) Object.assign(stream, { isTerminal: () => true, writeSync: take });
  for (const stream of [process.stdout, process.stderr]) Object.assign(stream, { isTTY: true, columns: 120, write: take });
  // Each command is the first that writes to the stream.
  Object.defineProperty(Deno.stdout, "writable", { get: () => new WritableStream<Uint8Array>({ write: (bytes) => void take(bytes) }) });
  const line = (...words: unknown[]) => take(`${words.join(" ")}\n`);
  Object.assign(console, { log: line, error: line, warn: line, info: line });
  const open = new Set<() => void>(), connect = Deno.connect;
  // A command gives up rights that it does not need; the next one may.
  const granted = { state: "prompt", partial: false };
  Object.assign(Deno.permissions, { revoke: () => Promise.resolve(granted), revokeSync: () => granted });
  Object.assign(Deno, {
    consoleSize: () => ({ columns: 120, rows: 40 }),
    connect: async (options: Deno.ConnectOptions) => closing(open, await connect(options)),
    exit: (code = 0) => {
      running.getStore()?.leave(code);
      throw new Exited(code);
    },
  });
  let thrown: string | undefined;
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    // A wait on a connection when its command's process would have ended.
    if (event.reason instanceof Deno.errors.Interrupted) return;
    if (!(event.reason instanceof Exited)) thrown ??= String(event.reason?.stack ?? event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    if (!(event.error instanceof Exited)) thrown ??= String(event.error?.stack ?? event.message);
  });
  for await (const words of linesOf(Deno.stdin.readable)) {
    const args: string[] = JSON.parse(words);
    const command = new Command();
    thrown = undefined;
    Deno.exitCode = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const code = await Promise.race([
      new Promise<number>((resolve) => command.leave = resolve),
      new Promise<number>((resolve) => timer = setTimeout(() => resolve(-1), AT_MOST)),
      running.run(command, () => main(args, ENTRY)).catch((error) => {
        if (error instanceof Exited) return error.code;
        thrown = String(error?.stack ?? error);
        return 1;
      }),
    ]);
    clearTimeout(timer);
    for (const close of open) close();
    answer(encoder.encode(`${JSON.stringify({ args, code, text: command.text, thrown } satisfies Written)}\n`));
  }
  // Connections of commands that did not end keep the process.
  Deno.kill(Deno.pid, "SIGKILL");
}

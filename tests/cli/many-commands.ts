// Runs many commands in one process that takes its stdout for a terminal, and says what each
// wrote: a process per command would take minutes. Command lines come from stdin, a JSON array per
// line.

import process from "node:process";
import { main } from "../../src/cli/main.ts";

/** One command's end. */
export interface Written {
  readonly args: readonly string[];
  /** -1 where it did not end in time; else its exit code. */
  readonly code: number;
  /** stdout and stderr, as the terminal gets them. */
  readonly text: string;
  /** What it threw past `main`: a bug. */
  readonly thrown?: string;
}

/** Longer than any command takes that ends; those that follow something do not. */
const AT_MOST = 10_000;

class Exited extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}

if (import.meta.main) {
  const entry = new URL("../../main.ts", import.meta.url), decoder = new TextDecoder(), encoder = new TextEncoder();
  const answer = Deno.stdout.writeSync.bind(Deno.stdout);
  let text = "", leave: (code: number) => void = () => {};
  const take = (bytes: Uint8Array | string) => {
    text += typeof bytes === "string" ? bytes : decoder.decode(bytes);
    return bytes.length;
  };
  for (const stream of [Deno.stdout, Deno.stderr]) Object.assign(stream, { isTerminal: () => true, writeSync: take });
  for (const stream of [process.stdout, process.stderr]) Object.assign(stream, { isTTY: true, columns: 120, write: take });
  const line = (...words: unknown[]) => take(`${words.join(" ")}\n`);
  Object.assign(console, { log: line, error: line, warn: line, info: line });
  Object.assign(Deno, { consoleSize: () => ({ columns: 120, rows: 40 }) });
  Deno.exit = (code) => {
    leave(code ?? 0);
    throw new Exited(code ?? 0);
  };
  let thrown: string | undefined;
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    if (!(event.reason instanceof Exited)) thrown ??= String(event.reason?.stack ?? event.reason);
  });
  const lines = (await new Response(Deno.stdin.readable).text()).trim().split("\n");
  for (const args of lines.map((words): string[] => JSON.parse(words))) {
    text = "";
    thrown = undefined;
    Deno.exitCode = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const code = await Promise.race([
      new Promise<number>((resolve) => leave = resolve),
      new Promise<number>((resolve) => timer = setTimeout(() => resolve(-1), AT_MOST)),
      main(args, entry).catch((error) => {
        if (error instanceof Exited) return error.code;
        thrown = String(error?.stack ?? error);
        return 1;
      }),
    ]);
    clearTimeout(timer);
    answer(encoder.encode(`${JSON.stringify({ args, code, text, thrown } satisfies Written)}\n`));
  }
  // Connections of commands that did not end keep the process.
  Deno.kill(Deno.pid, "SIGKILL");
}

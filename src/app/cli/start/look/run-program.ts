// Programs of the user that commands start: bounded in time and output, each ended with the
// processes that it has started, and waited for.

import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { KiB } from "../../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../../kit/support/text/terminal-text.ts";
import { joined } from "../../../../kit/support/values/bytes.ts";

/** Bytes of a program's output that are kept; the rest is read and dropped. */
const OUTPUT_MAX = 256 * KiB;
/** UTF-16 units of a value in a program's environment. */
const VALUE_MAX = 4096;
/** Wall time (ms) from SIGTERM to SIGKILL. */
const GRACE = 1000;
/** Wall time (ms) for output after the end of a program: a child may keep the pipe. */
const LAST_OUTPUT = 200;

interface ProgramStart {
  /** The program and its arguments. One with a slash is relative to `folder`. */
  readonly run: readonly string[];
  readonly folder: string;
  /** Beside the environment of el2. */
  readonly env: Readonly<Record<string, string>>;
  /** Wall time, ms. */
  readonly timeout: number;
}

/** How a program ended. */
interface ProgramEnd {
  /** Why it failed; undefined for exit code 0. */
  readonly problem: string | undefined;
  /** Its stdout and stderr, in the order of their arrival. */
  readonly output: string;
  /** There was more output. */
  readonly cut: boolean;
}

/**
 * A value for the environment of a program: guests choose such text, so control characters are
 * shown as text, and a long one is cut off.
 */
export function environmentValue(value: unknown): string {
  const text = typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value);
  return terminalWord(text.slice(0, VALUE_MAX));
}

/** Programs that run at the same time. */
export class Programs {
  readonly #running = new Map<Deno.ChildProcess, Promise<ProgramEnd>>();
  #closed = false;

  /** Starts a program, and resolves when it has ended, however it ended. */
  async run(start: ProgramStart): Promise<ProgramEnd> {
    const failed = (problem: string): ProgramEnd => ({ problem, output: "", cut: false });
    if (this.#closed) return failed("el2 is ending");
    const [name, ...args] = start.run;
    const program = name.includes("/") && !name.startsWith("/") ? `${start.folder}/${name}` : name;
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args,
        cwd: start.folder,
        env: { ...start.env },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        // A process group, so that all of it can be ended.
        detached: true,
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return failed(`there is no program ${program}`);
      if (error instanceof Deno.errors.PermissionDenied) return failed(`${program} is not executable`);
      if (error instanceof Deno.errors.NotCapable) return failed(`${program}: this process of el2 may not start programs`);
      if (!(error instanceof Error) || !isOfSystem(error)) throw error;
      return failed(`${program}: ${error.message}`);
    }
    const ended = follow(child, start.timeout);
    this.#running.set(child, ended);
    try {
      return await ended;
    } finally {
      this.#running.delete(child);
    }
  }

  /** Ends programs that still run; none starts later. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#running.values()];
    for (const child of this.#running.keys()) signal(child, "SIGKILL");
    await Promise.all(all);
  }
}

/** Reads a program's output until it ends, or ends it after `timeout` ms. */
async function follow(child: Deno.ChildProcess, timeout: number): Promise<ProgramEnd> {
  const parts: Uint8Array[] = [];
  let size = 0, cut = false, late = false;
  const readers = [child.stdout, child.stderr].map((stream) => stream.getReader());
  const read = async (reader: ReadableStreamDefaultReader<Uint8Array>) => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const kept = part.value.subarray(0, OUTPUT_MAX - size);
      cut ||= kept.length < part.value.length;
      size += kept.length;
      if (kept.length) parts.push(kept);
    }
  };
  const output = Promise.all(readers.map(read));
  const timers = [setTimeout(() => {
    late = true;
    signal(child, "SIGTERM");
    timers.push(setTimeout(() => signal(child, "SIGKILL"), GRACE));
  }, timeout)];
  const status = await child.status;
  for (const timer of timers) clearTimeout(timer);
  // Its children do not outlive a program that was ended.
  if (late) signal(child, "SIGKILL");
  timers.push(setTimeout(() => readers.forEach((reader) => void reader.cancel()), LAST_OUTPUT));
  await output;
  clearTimeout(timers.at(-1));
  return { problem: problemOf(status, late ? timeout : undefined), output: new TextDecoder().decode(joined(parts)), cut };
}

function problemOf({ code, signal, success }: Deno.CommandStatus, timeout: number | undefined): string | undefined {
  if (timeout !== undefined) return `ended after ${timeout / 1000} s, its timeout`;
  if (success) return undefined;
  return signal === null ? `exit code ${code}` : `ended by ${signal}`;
}

/** Sends a signal to a program and to what it has started; all of it may have ended already. */
function signal(child: Deno.ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  try {
    if (Deno.build.os === "windows") child.kill(name);
    else Deno.kill(-child.pid, name);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof TypeError)) throw error;
  }
}

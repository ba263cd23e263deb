// A session without a screen: consoles to stdout, one line about the end to stderr, input from stdin where asked.

import { ExitCode } from "./failure.ts";
import { printable } from "./print.ts";
import type { SessionClient } from "../workstation/client.ts";
import { type MachineSample, ORDERLY_END, SESSION, type SessionEvent } from "../workstation/protocol.ts";
import { warn } from "../workstation/warn.ts";

/** Wall time (ms) in which the end of the run may say what has gone wrong. */
const TELL_AFTER = 300;

/** How a headless session talks. */
export interface HeadlessOptions {
  /** Join one console to stdin and stdout byte for byte. */
  readonly stdio: boolean;
  /** Name of the console that `stdio` joins. */
  readonly console: string | undefined;
  /** Put the console's name before each line (several VMs). */
  readonly names: boolean;
  /** Wall time (ms) after which the run ends with code 4. */
  readonly timeout: number | undefined;
  /** The one console that is shown; all where none is named. */
  readonly only?: string;
  /** Print what the core did at the end, as a line of JSON on stderr. */
  readonly stats?: boolean;
  /** It is on a terminal: a prefix and `d` end it. */
  readonly interactive: boolean;
  /** The prefix, `ctrl-]` where nothing is said. */
  readonly prefix?: string;
}

/** Runs a started session to its end and returns the exit code. */
export async function runHeadless(client: SessionClient, options: HeadlessOptions): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const out: ConsoleOutput = new ConsoleOutput(
    options.names,
    (bytes) => client.send({ kind: "taken", bytes }),
    () => ended.resolve(ExitCode.Failed),
  );
  const joined = options.console;
  /** What went wrong with a VM while others may go on. It is told a little later, as the end may follow at once and say it. */
  const untold: string[] = [];
  let telling: ReturnType<typeof setTimeout> | undefined;
  const tell = (end = "") => {
    clearTimeout(telling);
    telling = undefined;
    for (const note of untold.splice(0)) if (!end.includes(note)) warn(note);
  };
  client.onEvent = (event: SessionEvent) => {
    if (event.kind === "console") {
      if (options.stdio ? event.console === joined : event.console === (options.only ?? event.console)) {
        out.write(event.console, event.bytes);
      } else client.send({ kind: "taken", bytes: event.bytes.length });
    } else if (event.kind === "hash") {
      console.error(JSON.stringify({ schema: "el2.hash/1", ...event.hash }));
    } else if (event.kind === "events") {
      // Of all events, those that nobody else can tell.
      for (const { vcpu, kind, text, refused } of event.events) {
        if (vcpu === SESSION) warn(printable(text));
        else if (kind === "log" && refused) {
          untold.push(printable(`${vcpu.replace(/^vm:/, "")}: ${text}`));
          telling ??= setTimeout(tell, TELL_AFTER);
        }
      }
    } else if (event.kind === "sample") {
      last = event.sample;
    } else if (event.kind === "ended") {
      if (options.stats && last) {
        console.error(JSON.stringify({ schema: "el2.core/1", instructions: last.instructions, translator: last.translator }));
      }
      const { code, message } = cut ?? event.end;
      finish(code, message);
    } else if (event.kind === "failed") {
      finish(ExitCode.Failed, `bug: ${event.message}`);
    }
  };
  let finished = false, last: MachineSample | undefined;
  let cut: { readonly code: number; readonly message: string } | undefined;
  let late: ReturnType<typeof setTimeout> | undefined;
  /** Ends the run from here: the machine ends in order, which seals its recording; one that does not answer in time is left. */
  const leave = (code: number, message: string) => {
    if (cut) return;
    cut = { code, message };
    client.send({ kind: "stop" });
    late = setTimeout(() => finish(code, message), ORDERLY_END);
  };
  const finish = (code: number, message: string) => {
    // One line says how it ended: what comes while output drains, such as the machine's answer to `stop`, is not another end.
    if (finished) return;
    finished = true;
    tell(message);
    out.drain().then(() => {
      console.error(`el2: ${printable(message)}`);
      ended.resolve(code);
    });
  };
  const timer = options.timeout === undefined
    ? undefined
    : setTimeout(() => leave(ExitCode.TimedOut, `timeout: ${options.timeout! / 1000} s of wall time passed`), options.timeout);
  let interrupted = false;
  const interrupt = (by: string) => {
    if (interrupted) Deno.exit(ExitCode.Interrupted);
    interrupted = true;
    leave(ExitCode.Interrupted, by);
  };
  const signals = endingSignals().map((signal) => {
    const call = () => interrupt(signal === "SIGINT" ? "interrupted" : `ended by ${signal}`);
    Deno.addSignalListener(signal, call);
    return { signal, call };
  });
  const { prefix = DEFAULT_PREFIX } = options;
  const raw = options.stdio && options.interactive;
  if (raw) {
    console.error(`el2: the keys go to the guest; ${prefix} d ends the run`);
    Deno.stdin.setRaw(true);
  }
  if (options.stdio) {
    const left = { prefix: controlByte(prefix), call: () => leave(ExitCode.Interrupted, `left by ${prefix} d`) };
    readInput(raw ? left : undefined, (bytes) => {
      if (joined !== undefined) client.send({ kind: "input", console: joined, bytes });
    }).then(() => client.send({ kind: "input-ended" }));
  } else {
    client.send({ kind: "input-ended" });
  }
  try {
    return await ended.promise;
  } finally {
    clearTimeout(timer);
    clearTimeout(late);
    if (raw) Deno.stdin.setRaw(false);
    for (const { signal, call } of signals) Deno.removeSignalListener(signal, call);
    client.close();
  }
}

const DEFAULT_PREFIX = "ctrl-]";
const LEAVE = "d".charCodeAt(0);

/** Signals that end a run in order. What hangs up is a terminal: a run that has none may have been started to go on without (nohup). */
function endingSignals(): readonly ("SIGINT" | "SIGTERM" | "SIGHUP")[] {
  const terminal = [Deno.stdin, Deno.stdout, Deno.stderr].some((stream) => stream.isTerminal());
  return terminal ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"];
}

/** What a terminal sends for `ctrl-X`. */
function controlByte(key: string): number {
  return key.charCodeAt(key.length - 1) & 0x1f;
}

/** What ends a run on a terminal: its prefix and `d`; the prefix twice is one for the guest. */
interface Leave {
  readonly prefix: number;
  readonly call: () => void;
}

/** Hands stdin on until it ends; the end of input does not end the run. */
async function readInput(leave: Leave | undefined, give: (bytes: Uint8Array) => void): Promise<void> {
  let prefix = false;
  for await (const chunk of Deno.stdin.readable) {
    if (!leave) {
      give(chunk);
      continue;
    }
    const bytes: number[] = [];
    for (const byte of chunk) {
      if (prefix && byte === LEAVE) return leave.call();
      if (byte === leave.prefix && !prefix) prefix = true;
      else {
        bytes.push(byte);
        prefix = false;
      }
    }
    if (bytes.length) give(Uint8Array.from(bytes));
  }
}

/** Console bytes to stdout in order, one write at a time; with names, whole lines behind `name| `. */
class ConsoleOutput {
  readonly #writer = Deno.stdout.writable.getWriter();
  readonly #partial = new Map<string, number[]>();
  #last: Promise<void> = Promise.resolve();
  /** Nothing can be written any more, and that was said. */
  #full = false;

  constructor(
    readonly names: boolean,
    /** Tells how many bytes of output are dealt with. */
    readonly taken: (bytes: number) => void,
    /** Nobody reads stdout any more. */
    readonly closed: () => void,
  ) {}

  write(console: string, bytes: Uint8Array): void {
    if (!this.names) this.#put(bytes);
    else this.#lines(console, bytes);
    this.#last = this.#last.then(() => this.taken(bytes.length));
  }

  #lines(console: string, bytes: Uint8Array): void {
    const line = this.#partial.get(console) ?? [];
    this.#partial.set(console, line);
    for (const byte of bytes) {
      if (byte === 13) continue;
      line.push(byte);
      if (byte === 10) this.#put(this.#named(console, line.splice(0)));
    }
  }

  /** Writes unfinished lines and waits until everything is out. */
  async drain(): Promise<void> {
    for (const [console, line] of this.#partial) if (line.length) this.#put(this.#named(console, [...line.splice(0), 10]));
    await this.#last;
  }

  #named(console: string, line: readonly number[]): Uint8Array {
    const name = new TextEncoder().encode(`${console}| `);
    const bytes = new Uint8Array(name.length + line.length);
    bytes.set(name);
    bytes.set(line, name.length);
    return bytes;
  }

  #put(bytes: Uint8Array): void {
    const written = this.#writer.write(bytes).catch((error: Error) => {
      if (!(error instanceof Deno.errors.BrokenPipe) && !this.#full) console.error(`el2: stdout: ${error.message}; the run is over`);
      this.#full = true;
      this.closed();
    });
    this.#last = this.#last.then(() => written);
  }
}

// Consoles' output on stdout.

import { NamedLines } from "./named-lines.ts";
import { report } from "../../common/print.ts";
import { node } from "../../../../kit/support/node-modules.ts";
import { TerminalBytes } from "../../../../kit/support/text/terminal-text.ts";

const LINE_END = 10;

/**
 * Converts bytes of consoles for stdout: on a terminal control characters become text, unless raw
 * output was requested.
 */
export function shownOnStdout(raw: boolean): (console: string, bytes: Uint8Array) => Uint8Array {
  if (raw || !Deno.stdout.isTerminal()) return (_console, bytes) => bytes;
  const consoles = new Map<string, TerminalBytes>();
  return (console, bytes) => {
    let one = consoles.get(console);
    if (!one) consoles.set(console, one = new TerminalBytes());
    return one.shown(bytes);
  };
}

/**
 * Console bytes to stdout in order, one write at a time; with names, whole lines after `name| `.
 */
export class ConsoleOutput {
  /** Taken at the first byte: a stream has one writer. */
  #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBufferLike>> | undefined;
  readonly #lines = new NamedLines((console, line) => this.#put(this.#named(console, line)));
  readonly #shown: (console: string, bytes: Uint8Array) => Uint8Array;
  #last: Promise<void> = Promise.resolve();
  /** A write has failed, and that was reported. */
  #full = false;
  /** The last line that was written has no end yet. */
  #isWithinLine = false;
  /** Whether lines on stderr come between those of consoles; undefined until that matters. */
  #sharesStderr: boolean | undefined;

  /**
   * @param raw bytes go to a terminal too as they are; otherwise it shows control characters as
   * text
   */
  constructor(
    readonly names: boolean,
    raw: boolean,
    /** Called with the number of bytes written. */
    readonly taken: (bytes: number) => void,
    /** Called when stdout takes nothing any more: without a reader, or because it is full. */
    readonly closed: (full: boolean) => void,
  ) {
    this.#shown = shownOnStdout(raw);
  }

  write(console: string, bytes: Uint8Array): void {
    if (this.names) this.#lines.write(console, bytes);
    else this.#put(this.#shown(console, bytes));
    this.#last = this.#last.then(() => this.taken(bytes.length));
  }

  /** Writes unfinished lines and waits until everything is out. */
  async drain(): Promise<void> {
    this.#lines.finish();
    await this.#last;
  }

  /** The end of a console's line, where a line on stderr would begin in the middle of it. */
  endOfLine(): string {
    if (!this.#isWithinLine || !(this.#sharesStderr ??= isOneStream())) return "";
    this.#isWithinLine = false;
    return "\n";
  }

  #named(console: string, line: Uint8Array): Uint8Array {
    const text = this.#shown(console, line);
    const name = new TextEncoder().encode(`${console}| `);
    const bytes = new Uint8Array(name.length + text.length);
    bytes.set(name);
    bytes.set(text, name.length);
    return bytes;
  }

  #put(bytes: Uint8Array): void {
    const writer = this.#writer ??= Deno.stdout.writable.getWriter();
    const written = writer.write(bytes).then(() => {
      this.#isWithinLine = bytes.at(-1) !== LINE_END;
    }, (error: Error) => {
      const isFull = !(error instanceof Deno.errors.BrokenPipe);
      if (isFull && !this.#full) report(`el2: stdout: ${error.message}; the run ends`);
      this.#full = true;
      this.closed(isFull);
    });
    this.#last = this.#last.then(() => written);
  }
}

/** Whether stdout and stderr are one terminal, pipe or file. */
function isOneStream(): boolean {
  const [out, err] = [1, 2].map((file) => node.fs.fstatSync(file));
  return out.dev === err.dev && out.ino === err.ino;
}

// Output of several consoles as whole lines, each after its console's name. A line that does not
// end is cut, so that a guest's output without line breaks takes no memory.

import { Bytes } from "../../../../kit/support/values/bytes.ts";

/** Bytes after which a line is cut. */
const LINE_MAX = 4096;
/** Where a line was cut: at the end of one part and at the start of the next. */
const CUT = new TextEncoder().encode("…");
const CR = 13, LF = 10;

interface Partial {
  readonly bytes: Bytes;
  /** Whether it continues a line that was cut. */
  continues: boolean;
}

/** The unfinished lines of consoles. */
export class NamedLines {
  readonly #partial = new Map<string, Partial>();

  /** @param put gets each line, with its line break */
  constructor(readonly put: (console: string, line: Uint8Array) => void) {}

  /** A console's output: carriage returns are left out. */
  write(console: string, output: Uint8Array): void {
    let line = this.#partial.get(console);
    if (!line) this.#partial.set(console, line = { bytes: new Bytes(), continues: false });
    for (const byte of output) {
      if (byte === CR) continue;
      if (byte === LF) this.#end(console, line, false);
      else {
        // Not within a character of UTF-8.
        if (line.bytes.length >= LINE_MAX && ((byte & 0xc0) !== 0x80 || line.bytes.length >= LINE_MAX + 3)) this.#end(console, line, true);
        line.bytes.push(byte);
      }
    }
  }

  /** Ends the unfinished lines. */
  finish(): void {
    for (const [console, line] of this.#partial) if (line.bytes.length) this.#end(console, line, false);
  }

  #end(console: string, line: Partial, cut: boolean): void {
    const whole = new Bytes(line.bytes.length + 8);
    if (line.continues) whole.pushAll(CUT);
    whole.append(line.bytes);
    if (cut) whole.pushAll(CUT);
    whole.push(LF);
    this.put(console, whole.view.slice());
    line.bytes.clear();
    line.continues = cut;
  }
}

// A terminal for tests of programs that take one over.

import type { TerminalPort } from "../../../src/app/tui/terminal/terminal.ts";

/** A terminal that gives `keys` and keeps what is written. */
export class ScriptedTerminal implements TerminalPort {
  written = "";
  raw = false;
  readonly input: AsyncIterable<Uint8Array>;

  constructor(keys: () => AsyncGenerator<Uint8Array>) {
    this.input = keys();
  }

  size() {
    return { columns: 80, rows: 24 };
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written += new TextDecoder().decode(bytes);
    return Promise.resolve();
  }

  setRaw(raw: boolean): void {
    this.raw = raw;
  }

  onResize(_call: () => void): () => void {
    return () => {};
  }

  /** Whether the terminal is as it was found: cooked, main screen, cursor, no reports. */
  restored(): boolean {
    const last = (on: string, off: string) => this.written.lastIndexOf(off) > this.written.lastIndexOf(on);
    return !this.raw && last("\x1b[?1049h", "\x1b[?1049l") && last("\x1b[?25l", "\x1b[?25h") && last("\x1b[?1002h", "\x1b[?1002l") &&
      last("\x1b[?2004h", "\x1b[?2004l");
  }
}

// A page's terminal as the screens use one.

import type { Backend } from "../page/terminal.ts";
import type { TerminalPort } from "../../tui/terminal/terminal.ts";

export class PageTerminalPort implements Backend, TerminalPort {
  readonly #typed: Uint8Array[] = [];
  #wake = () => {};
  #resized = () => {};
  #size = { columns: 80, rows: 24 };
  #draw: (bytes: Uint8Array) => Promise<void> = () => Promise.resolve();

  /** From now on this draws what is written. */
  draws(draw: (bytes: Uint8Array) => Promise<void>): void {
    this.#draw = draw;
  }

  typed(bytes: Uint8Array): void {
    this.#typed.push(bytes);
    this.#wake();
  }

  resized(columns: number, rows: number): void {
    this.#size = { columns, rows };
    this.#resized();
  }

  size() {
    return this.#size;
  }

  readonly input: AsyncIterable<Uint8Array> = this.#input();

  async *#input() {
    for (;;) {
      yield* this.#typed.splice(0);
      if (this.#typed.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#draw(bytes);
  }

  setRaw(): void {}

  onResize(callback: () => void): () => void {
    this.#resized = callback;
    return () => this.#resized = () => {};
  }
}

// The process's terminal, whose output also goes into a cast.

import type { CastFile } from "./cast-file.ts";
import type { TerminalPort } from "../../tui/terminal/terminal.ts";

/** A terminal with a recorder of its output; input is not recorded. */
export class CastTerminal implements TerminalPort {
  readonly #began = performance.now();
  /** A character may be split between two writes. */
  readonly #decoder = new TextDecoder();

  constructor(readonly port: TerminalPort, readonly cast: CastFile) {}

  get input(): AsyncIterable<Uint8Array> {
    return this.port.input;
  }

  size(): { columns: number; rows: number } {
    return this.port.size();
  }

  write(bytes: Uint8Array): Promise<void> {
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text !== "") this.cast.add(this.#time, "o", text);
    return this.port.write(bytes);
  }

  setRaw(raw: boolean): void {
    this.port.setRaw(raw);
  }

  onResize(callback: () => void): () => void {
    return this.port.onResize(() => {
      const { columns, rows } = this.size();
      this.cast.add(this.#time, "r", `${columns}x${rows}`);
      callback();
    });
  }

  get #time(): number {
    return performance.now() - this.#began;
  }
}

// Consoles of a system: who takes what is typed, and what guests have written since it was last taken. A guest that floods its console
// fills a bounded buffer that is emptied after each slice; nothing is lost, the guest just waits for its next slice.

/** Named consoles in both directions. */
export class Consoles {
  readonly #inputs = new Map<string, (bytes: Uint8Array) => void>();
  #output: { console: string; bytes: number[] }[] = [];

  /** Adds a console; `input` takes what is typed. */
  add(name: string, input: (bytes: Uint8Array) => void): void {
    if (this.#inputs.has(name)) throw new Error(`there is a console ${name} already`);
    this.#inputs.set(name, input);
  }

  /** Names of all consoles. */
  get names(): readonly string[] {
    return [...this.#inputs.keys()];
  }

  has(name: string): boolean {
    return this.#inputs.has(name);
  }

  /** Bytes typed. False where there is no such console. */
  type(name: string, bytes: Uint8Array): boolean {
    const input = this.#inputs.get(name);
    input?.(bytes);
    return input !== undefined;
  }

  /** A byte that a guest wrote. */
  transmit(name: string, byte: number): void {
    const last = this.#output.at(-1);
    if (last?.console === name) last.bytes.push(byte);
    else this.#output.push({ console: name, bytes: [byte] });
  }

  /** What guests wrote since the last call, in order. */
  take(): { console: string; bytes: Uint8Array }[] {
    const taken = this.#output;
    this.#output = [];
    return taken.map(({ console, bytes }) => ({ console, bytes: Uint8Array.from(bytes) }));
  }
}

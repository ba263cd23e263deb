// What consoles show, on stdout.

/**
 * Console bytes to stdout in order, one write at a time; with names, whole lines behind `name| `.
 */
export class ConsoleOutput {
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

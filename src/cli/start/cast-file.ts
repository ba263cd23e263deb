// Casts of terminals: asciicast v2, a header and one event per line
// (docs.asciinema.org/manual/asciicast/v2).

import { WholeFile } from "../../support/whole-file.ts";

/** Kinds of events: output, a new size, a name of a place. */
type CastEvent = "o" | "r" | "m";

/** The header of a cast. */
interface CastHead {
  readonly columns: number;
  readonly rows: number;
  readonly title: string;
  /** Unix time of its beginning, for a cast of what a person has seen. */
  readonly began?: number;
}

const encoder = new TextEncoder();

/** A cast that is written while it happens; the file is there once it is whole. */
export class CastFile implements Disposable {
  readonly #file: WholeFile;
  /** Time of the last event, s. */
  #last = 0;

  constructor(path: string, { columns, rows, title, began }: CastHead) {
    this.#file = new WholeFile(path, 0o644);
    this.#line({
      ...{ version: 2, width: columns, height: rows },
      ...began !== undefined && { timestamp: began },
      ...{ title, env: { TERM: "xterm-256color" } },
    });
  }

  /** Seconds of the cast so far. */
  get length(): number {
    return this.#last;
  }

  /** @param time ms since the beginning; never before the last event */
  add(time: number, kind: CastEvent, data: string): void {
    this.#last = Math.max(this.#last, Math.round(time * 1000) / 1e6);
    this.#line([this.#last, kind, data]);
  }

  #line(value: unknown): void {
    this.#file.write(encoder.encode(`${JSON.stringify(value)}\n`));
  }

  /** Gives the file its name. */
  commit(): void {
    this.#file.commit();
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

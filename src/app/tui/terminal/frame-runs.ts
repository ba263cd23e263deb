// The cells that a frame writes, as runs of one style. Runs of one style go out together: a style
// costs up to 40 bytes, a jump of the cursor seldom more than 7.

import type { FrameWriter } from "./frame-writer.ts";
import { type Color, ON_BLANKS } from "./color.ts";

/** Neighboring cells of a row in one style. */
interface Run {
  readonly y: number;
  readonly x: number;
  text: string;
  columns: number;
  foreground: Color;
  readonly background: Color;
  attributes: number;
  /** Nothing but blanks: the ink is open. */
  blank: boolean;
  /** The cursor's position after it is known. */
  known: boolean;
}

export class FrameRuns {
  /** Those that can go out in any order, and those of rows that need theirs. */
  readonly #free: Run[] = [];
  readonly #ordered: Run[] = [];
  #row: Run[] = [];
  #y = 0;
  #last: Run | undefined;
  #inOrder = false;

  /** @param repaint everything is new: it goes out row by row, as one reads it */
  constructor(readonly repaint: boolean) {}

  /** A row begins. */
  begin(y: number): void {
    this.#endRow();
    this.#y = y;
  }

  #endRow(): void {
    (this.repaint || this.#inOrder ? this.#ordered : this.#free).push(...this.#row);
    this.#row = [];
    this.#last = undefined;
    this.#inOrder = false;
  }

  /** The column after the last cell of the row; far to the left for none. */
  get end(): number {
    return this.#last ? this.#last.x + this.#last.columns : -Infinity;
  }

  /** Cells of this row may cover each other: they go out from left to right. */
  keepOrder(): void {
    this.#inOrder = true;
  }

  /** The next cell begins a new run. */
  cut(): void {
    if (this.#last) this.#last.known = false;
    this.#last = undefined;
  }

  /** Whether a cell of this mapped style looks the same in the last run. */
  has(foreground: Color, background: Color, attributes: number, blank: boolean): boolean {
    const run = this.#last;
    if (!run || run.background !== background || ((run.attributes ^ attributes) & ON_BLANKS) !== 0) return false;
    return blank || run.blank || run.foreground === foreground && run.attributes === attributes;
  }

  /** Adds a cell in a mapped style. */
  add(x: number, text: string, foreground: Color, background: Color, attributes: number, blank: boolean): void {
    if (x === this.end && this.has(foreground, background, attributes, blank)) {
      const run = this.#last!;
      if (run.blank && !blank) {
        run.foreground = foreground;
        run.attributes = attributes;
        run.blank = false;
      }
      run.text += text;
      run.columns++;
      return;
    }
    this.#last = { y: this.#y, x, text, columns: 1, foreground, background, attributes, blank, known: true };
    this.#row.push(this.#last);
  }

  write(out: FrameWriter): void {
    this.#endRow();
    for (const run of this.#ordered) writeRun(out, run);
    for (const styles of byBackground(this.#free)) for (const runs of styles) for (const run of runs) writeRun(out, run);
  }
}

function writeRun(out: FrameWriter, { x, y, text, columns, foreground, background, attributes, blank, known }: Run): void {
  out.move(x, y);
  out.style(foreground, background, attributes, blank);
  out.put(text, known ? columns : 0);
}

/**
 * Runs by background, and below that by ink and attributes, in the order of their first occurrence.
 */
function byBackground(runs: readonly Run[]): Iterable<Iterable<readonly Run[]>> {
  const backgrounds = new Map<Color, Map<string, Run[]>>();
  for (const run of runs) {
    const styles = backgrounds.get(run.background) ?? new Map<string, Run[]>();
    backgrounds.set(run.background, styles);
    const key = run.blank ? blankKey(styles, run) : `${run.attributes} ${run.foreground}`;
    const same = styles.get(key);
    if (same) same.push(run);
    else styles.set(key, [run]);
  }
  return [...backgrounds.values()].map((styles) => styles.values());
}

/** Blanks go with any style that shows them alike. */
function blankKey(styles: ReadonlyMap<string, readonly Run[]>, { attributes }: Run): string {
  for (const [key, [first]] of styles) if (((first.attributes ^ attributes) & ON_BLANKS) === 0) return key;
  return `${attributes & ON_BLANKS} blank`;
}

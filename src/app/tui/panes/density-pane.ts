// How many events there were when, by class: above the list of events. A click goes to a time.

import { type Blank, drawBlank, spokenBlank } from "./blank.ts";
import { drawFrame, type FrameKind, type Title } from "../look/box.ts";
import type { Rectangle, Screen } from "../terminal/cells.ts";
import { graph, history } from "../terminal/glyphs.ts";
import { countText, durationText, secondsText } from "../look/numbers.ts";
import type { Pane, PaneState } from "./pane.ts";
import { type SpokenLine, type SpokenSize } from "../look/speech.ts";
import type { Look, Role } from "../look/theme.ts";
import { type Answer, type Query, rowsOf } from "../../../model/queries/query.ts";
import { TRACE_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import { DENSITY } from "../../../model/queries/tables.ts";

/** Counts of one answer at the most. */
const ASKED = 5000;
/** Beyond `MOST` counts only the newest `KEPT` stay. */
const KEPT = 20_000, MOST = 22_000;
/** How long (ms) an answer is good enough. */
const STAYS_GOOD = 1000;
/** Columns of the names, and of the numbers. */
const NAME = 12, COUNT = 9;
/** Time per column, in ns: 1, 2 or 5 of a unit. */
const STEPS = [1, 2, 5].map((step) => step * 1e6);

/** Classes of events: their kinds and inks. Refused operations count there too. */
const CLASSES: readonly { readonly name: string; readonly kinds: readonly TraceKind[]; readonly ink: Role }[] = [
  { name: "calls", kinds: ["hvc", "rpc", "ioctl", "psci"], ink: "link" },
  { name: "interrupts", kinds: ["virq"], ink: "vm1" },
  { name: "machine", kinds: ["trap", "mmio", "mem", "state", "rule"], ink: "g2" },
];
const REFUSED = CLASSES.length;
/** The screen Scheduler shows how often vCPUs take turns. */
const KINDS = TRACE_KINDS.filter((kind) => kind !== "sched").join();
const NAMES = [...CLASSES.map(({ name }) => name), "refused"];

const NO_EVENT: Blank = {
  kind: "empty",
  what: "No event yet",
  how: "Calls, interrupts and traps are recorded while this screen is open.",
};

/** Events of a class in a millisecond. */
interface Count {
  readonly t: number;
  readonly of: number;
  readonly events: number;
  readonly refused: number;
}

export class DensityPane implements Pane {
  readonly name = "density";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;
  readonly staysGood = STAYS_GOOD;
  readonly onward = true;
  #counts: Count[] = [];
  /** By class and column, for so many columns, until other events come. */
  #counted: { readonly columns: number; readonly counts: number[][] } | undefined;
  /** The last drawing: position of the columns, and time per column. */
  #shown = { x: 0, columns: 1, from: 0, step: 1 };

  /** @param seek goes to the first event from a time (ns) on */
  constructor(readonly seek: (time: number) => void) {}

  title(): Title {
    return { text: "Density", right: [[{ text: "click: go there", role: "dim" }]] };
  }

  queries(): Query {
    return { table: "density", args: { kinds: KINDS, limit: ASKED } };
  }

  receive(answer: Answer): void {
    const rows = rowsOf(DENSITY, answer);
    if (answer.after === undefined) this.#counts = [];
    else if (rows.length === 0) return;
    for (const { t, kind, events, refused } of rows) {
      this.#counts.push({ t: Number(t), of: CLASSES.findIndex(({ kinds }) => kinds.includes(kind)), events, refused });
    }
    if (this.#counts.length > MOST) this.#counts = this.#counts.slice(-KEPT);
    this.#counted = undefined;
  }

  move(): void {}

  click(_row: number, column: number): boolean {
    const { x, columns, from, step } = this.#shown, at = column - x;
    if (at < 0 || at >= columns) return false;
    this.seek(from + at * step);
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const kind: FrameKind = past ? "past" : "plain";
    const columns = Math.max(area.width - 2 - NAME - COUNT - 3, 1);
    const counts = this.#count(columns);
    const { from, step } = this.#shown = { ...this.#shown, x: NAME + 1, columns };
    const title: Title = {
      ...this.title(),
      bottom: this.#counts.length ? [{ text: "a column is ", role: "dim" }, { text: durationText(step) }] : undefined,
    };
    const inside = drawFrame(screen, look, area, title, { boxed, kind });
    if (!this.#counts.length) {
      return drawBlank(screen, look, inside, NO_EVENT);
    }
    const rows = Math.max(Math.floor((inside.height - (inside.height > NAMES.length ? 1 : 0)) / NAMES.length), 1);
    NAMES.forEach((name, index) => {
      const y = inside.y + index * rows;
      if (y >= inside.y + inside.height) return;
      const all = counts[index].reduce((sum, count) => sum + count, 0), peak = Math.max(...counts[index], 1);
      const ink: Role = index === REFUSED ? "bad" : CLASSES[index].ink;
      screen.text(inside.x + 1, y + rows - 1, name, look.style(all ? "text" : "dim"));
      const values = counts[index].map((count) => count / peak);
      const lines = rows > 1 ? graph(look.glyphs, doubled(look, values), columns, rows) : [historyOf(look, values, columns)];
      if (all) lines.forEach((line, row) => screen.text(inside.x + 1 + NAME, y + row, line, look.style(ink)));
      const text = amountText(index, all, counts[0].length * step);
      screen.text(
        inside.x + inside.width - 1 - text.length,
        y + rows - 1,
        text,
        look.style(all ? index === REFUSED ? "bad" : "text" : "dim"),
      );
    });
    const axis = inside.y + NAMES.length * rows;
    if (axis >= inside.y + inside.height) return;
    const end = `${secondsText(from + columns * step).split(" ").slice(0, -1).join(" ")} s`;
    screen.text(inside.x + 1 + NAME, axis, `${secondsText(Math.max(from, 0)).split(" ").slice(0, -1).join(" ")} s`, look.style("dim"));
    screen.text(inside.x + 1 + NAME + columns - end.length, axis, end, look.style("dim"));
  }

  spoken(look: Look, { width }: SpokenSize): readonly SpokenLine[] {
    if (!this.#counts.length) return spokenBlank(look, width, NO_EVENT);
    const counts = this.#count(width), time = width * this.#shown.step;
    return [{
      parts: NAMES.map((name, index) => `${name} ${amountText(index, counts[index].reduce((sum, count) => sum + count, 0), time)}`),
    }];
  }

  /** Events by class and column; notes what a column stands for. */
  #count(columns: number): number[][] {
    if (this.#counted?.columns !== columns) this.#counted = { columns, counts: this.#countAnew(columns) };
    return this.#counted.counts;
  }

  #countAnew(columns: number): number[][] {
    const counts = NAMES.map(() => Array<number>(columns).fill(0));
    const last = this.#counts.at(-1)?.t ?? 0, first = this.#counts[0]?.t ?? 0;
    const step = stepFor((last - first) / columns);
    const from = (Math.floor(last / step) + 1 - columns) * step;
    this.#shown = { ...this.#shown, from, step };
    for (const { t, of, events, refused } of this.#counts) {
      const at = Math.floor((t - from) / step);
      if (at < 0 || at >= columns) continue;
      if (of >= 0) counts[of][at] += events;
      counts[REFUSED][at] += refused;
    }
    return counts;
  }
}

/** How many events of a class there were in a time (ns): per second, but for refused ones. */
function amountText(index: number, count: number, time: number): string {
  return index === REFUSED ? countText(count) : `${countText(count / Math.max(time / 1e9, 1e-3))}/s`;
}

/** One row; zero stays blank. */
function historyOf(look: Look, values: readonly number[], columns: number): string {
  const line = [...history(look.glyphs, values, columns)];
  return line.map((cell, index) => values[index] > 0 ? cell : " ").join("");
}

/** One value per sample of a graph, which may have two per column. */
function doubled(look: Look, values: readonly number[]): readonly number[] {
  return look.glyphs.steps === undefined ? values.flatMap((value) => [value, value]) : values;
}

/** The least round time that is not under a span (ns). */
function stepFor(span: number): number {
  for (let unit = 1;; unit *= 10) {
    const step = STEPS.find((one) => one * unit >= span);
    if (step !== undefined) return step * unit;
  }
}

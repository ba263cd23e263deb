// The scheduler's timeline: a lane for each physical CPU, a letter for each VM, `_` for idle; a
// column is a span of virtual time.

import type { Rectangle, Screen } from "./cells.ts";
import { fit } from "./graphemes.ts";
import type { Title } from "./box.ts";
import { graph, samplesOf } from "./glyphs.ts";
import type { Pane } from "./pane.ts";
import type { Piece } from "./pieces.ts";
import type { Look } from "./theme.ts";
import { durationText } from "./numbers.ts";
import { timeText } from "../queries/format.ts";
import type { Answer, Query } from "../queries/query.ts";
import type { Row, Table } from "../queries/table.ts";
import { SLICES } from "../queries/tables.ts";

/** Slices that are asked for. */
const ROWS = 20_000;
const SCALES = [1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 5e7, 1e8] as const;

/** Columns of a lane's name, and its rows. */
const LABEL = 6;
const LANE_ROWS = 2;

/** The lanes. */
export class LanesPane implements Pane {
  readonly name = "lanes";
  #rows: readonly Row[] = [];
  #scale: number = SCALES.indexOf(1e5);
  /** Columns that the end of the picture lies before the newest slice. */
  #back = 0;
  #width = 60;

  title(): Title {
    const keys: Piece[] = [{ text: "+ -", role: "accent", bold: true }, { text: " scale  ", role: "dim" }, {
      text: "h l",
      role: "accent",
      bold: true,
    }, { text: " move", role: "dim" }];
    const follows: Piece[] = [{ text: "● ", role: "ok" }, { text: "follows", role: "dim" }];
    return {
      text: "Physical CPUs",
      right: [[{ text: `1 column = ${durationText(SCALES[this.#scale])}`, role: "dim" }], ...this.#back ? [] : [follows]],
      bottom: keys,
    };
  }

  wants(): Query {
    return { table: "sched.ls", args: { limit: ROWS } };
  }

  take(answer: Answer): void {
    this.#rows = answer.rows;
  }

  /** The slice at the right end. */
  get selection(): { table: Table; row: Row } | undefined {
    const end = this.#end();
    const row = this.#rows.findLast(({ t }) => Number(t) <= end);
    return row && { table: SLICES, row };
  }

  get page(): number {
    return 1;
  }

  move(by: number): void {
    this.pan(by === Infinity ? Infinity : by);
  }

  /** Moves along the time by columns; Infinity follows the newest. */
  pan(columns: number): void {
    this.#back = columns === Infinity ? 0 : Math.max(0, this.#back - columns);
  }

  /** More or less time in a column. */
  zoom(by: number): void {
    this.#scale = Math.min(Math.max(this.#scale + by, 0), SCALES.length - 1);
  }

  click(): void {}

  draw(screen: Screen, area: Rectangle, look: Look): void {
    const width = this.#width = Math.max(area.width - LABEL, 1);
    const step = SCALES[this.#scale], end = this.#end(), start = end - width * step;
    this.#drawScale(screen, area, start, step, look);
    const cpus = [...new Set(this.#rows.map(({ pcpu }) => Number(pcpu)))].sort((a, b) => a - b);
    const vms = new Set(this.#rows.flatMap(({ vm }) => typeof vm === "string" ? [vm] : []));
    const letters = new Map([...vms].map((vm): [string, string] => [vm, look.vm(vm).letter]));
    // Below each: how much of the time it was busy.
    const half = samplesOf(look.glyphs, 1);
    cpus.slice(0, Math.floor((area.height - 2) / LANE_ROWS)).forEach((cpu, index) => {
      const y = area.y + 1 + index * LANE_ROWS;
      screen.text(area.x, y, ` p${cpu}`.padEnd(LABEL), look.style("dim"));
      screen.text(area.x + LABEL, y, this.#lane(cpu, start, step, width, letters));
      const load = this.#load(cpu, start, step / half, width * half);
      screen.text(area.x + LABEL, y + 1, graph(look.glyphs, load, width, 1)[0], look.style("g1"));
    });
    const y = area.y + 2 + cpus.length * LANE_ROWS;
    const legend = [...letters].map(([vm, letter]) => `${letter} ${vm}`).join("   ");
    if (y < area.y + area.height) {
      screen.text(area.x, y, fit(cpus.length ? ` ${legend}   _ idle` : ` ${SLICES.empty}`, area.width), look.style("dim"));
    }
    const { row } = this.selection ?? {};
    if (row && y + 1 < area.y + area.height) {
      screen.text(
        area.x,
        y + 1,
        fit(
          ` at ${timeText(Number(row.t))} pcpu:${row.pcpu} -> ${row.vcpu ?? (row.seen === false ? "?" : "idle")}: ${row.reason}`,
          area.width,
        ),
      );
    }
  }

  #end(): number {
    const last = this.#rows.at(-1);
    return last ? Number(last.t) - this.#back * SCALES[this.#scale] : 0;
  }

  #drawScale(screen: Screen, area: Rectangle, start: number, step: number, look: Look): void {
    for (let column = 0; column < this.#width; column += 20) {
      const at = start + column * step;
      if (at >= 0) screen.text(area.x + LABEL + column, area.y, fit(timeText(at), Math.min(18, this.#width - column)), look.style("dim"));
    }
  }

  /** How much of each span a CPU was busy, 0 to 1. */
  #load(cpu: number, start: number, step: number, width: number): number[] {
    return this.#spent(cpu, start, step, width).map((span) => {
      return [...span].reduce((sum, [vm, time]) => vm === undefined ? sum : sum + time, 0) / step;
    });
  }

  /** What ran longest in each column: its letter, `_` for nothing. */
  #lane(cpu: number, start: number, step: number, width: number, letters: ReadonlyMap<string, string>): string {
    return this.#spent(cpu, start, step, width).map((column) => {
      // A VM that ran at all in a column shows before idleness.
      const best = [...column].filter(([vm]) => vm !== undefined).sort(([, a], [, b]) => b - a)[0]?.[0];
      return best === undefined ? (column.size ? "_" : " ") : letters.get(best) ?? "?";
    }).join("");
  }

  /** Time (ns) that VMs have had of a CPU in each of `width` spans; undefined is nobody. */
  #spent(cpu: number, start: number, step: number, width: number): Map<string | undefined, number>[] {
    const slices = this.#rows.filter((row) => row.pcpu === cpu);
    const spent: Map<string | undefined, number>[] = Array.from({ length: width }, () => new Map());
    const end = start + width * step;
    slices.forEach((slice, index) => {
      if (slice.seen === false) return;
      const from = Math.max(Number(slice.t), start), to = Math.min(index + 1 < slices.length ? Number(slices[index + 1].t) : end, end);
      const who = typeof slice.vm === "string" ? slice.vm : undefined;
      for (let at = from; at < to;) {
        const column = Math.floor((at - start) / step);
        const next = Math.min(to, start + (column + 1) * step);
        if (next <= at || column >= width) break;
        spent[column].set(who, (spent[column].get(who) ?? 0) + next - at);
        at = next;
      }
    });
    return spent;
  }
}

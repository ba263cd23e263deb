// Physical memory as cells: who can reach which part, whose it is, or in what state
// (`memory-views.ts`).

import type { Rectangle, Screen } from "./cells.ts";
import { fit } from "./graphemes.ts";
import type { Title } from "./box.ts";
import type { Pane } from "./pane.ts";
import { type Cell, type Letters, MEMORY_VIEWS, type MemoryView, ROLE_ORDER } from "./memory-views.ts";
import type { Look } from "./theme.ts";
import { sizeText } from "../queries/format.ts";
import { type Answer, type Query, rowsOf } from "../queries/query.ts";
import type { Json, RowOf, Table } from "../queries/table.ts";
import { MEMORY } from "../queries/tables.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

const ADDRESS_COLUMNS = 12;
const GROUP = 8;
/** Guest memory starts here; what lies below are devices. */
const RAM_START = 0x4000_0000;
const SMALLEST_CELL = PAGE_SIZE;

/** The map. */
export class MemoryPane implements Pane {
  readonly name = "map";
  #rows: readonly RowOf<typeof MEMORY>[] = [];
  /** Index of the selected run of pages. */
  #selected: string | undefined;
  #cell = SMALLEST_CELL;
  #view: MemoryView = MEMORY_VIEWS[0];
  /** How often cells are halved from the size at which all memory fits. */
  #closer = 0;

  title(): Title {
    return {
      text: "Physical memory",
      detail: `by ${this.#view.name}`,
      right: [[{ text: `1 cell = ${sizeText(this.#cell)}`, role: "dim" }]],
      bottom: [{ text: "v", role: "accent", bold: true }, { text: " view  ", role: "dim" }, { text: "+ -", role: "accent", bold: true }, {
        text: " scale",
        role: "dim",
      }],
    };
  }

  /** The next of its views; false where that is the first again. */
  nextView(): boolean {
    const next = (MEMORY_VIEWS.indexOf(this.#view) + 1) % MEMORY_VIEWS.length;
    this.#view = MEMORY_VIEWS[next];
    return next > 0;
  }

  /** More or less memory in a cell: from all that fits to single pages, around the selected run. */
  zoom(by: number): void {
    if (by > 0) this.#closer = Math.max(0, this.#closer - 1);
    else if (this.#cell > SMALLEST_CELL) this.#closer++;
  }

  wants(): Query {
    return { table: "mem.map", args: {} };
  }

  take(answer: Answer): void {
    this.#rows = rowsOf(MEMORY, answer).filter(({ pa }) => Number(pa) >= RAM_START);
    this.#selected ??= this.#rows[0]?.id;
  }

  get selection(): { table: Table; row: RowOf<typeof MEMORY> } | undefined {
    const row = this.#rows.find(({ id }) => id === this.#selected);
    return row && { table: MEMORY, row };
  }

  get page(): number {
    return 8;
  }

  /** Selects the run that contains a `pa:` or `ipa:` address. */
  select(id: string): void {
    const [kind] = id.split(":");
    const found = this.#rows.find((row) => {
      if (kind === "ipa") return row.mapped.some((one) => one.startsWith(`${id} `));
      const at = Number(id.slice(3)), pa = Number(row.pa);
      return at >= pa && at < pa + Number(row.size);
    });
    if (found) this.#selected = found.id;
  }

  move(by: number): void {
    const at = this.#rows.findIndex(({ id }) => id === this.#selected);
    this.#selected = this.#rows[Math.min(Math.max(at + by, 0), this.#rows.length - 1)]?.id;
  }

  click(): void {}

  draw(screen: Screen, area: Rectangle, look: Look): void {
    if (!this.#rows.length) return void screen.text(area.x + 1, area.y, fit(MEMORY.empty, area.width - 1), look.style("dim"));
    const columns = Math.max(GROUP, Math.floor((area.width - ADDRESS_COLUMNS) / (GROUP + 1)) * GROUP);
    const rows = Math.max(area.height - 2, 1);
    const vms = new Set(this.#rows.flatMap(({ vm, owner_vm }) => [...vm, ...ownerOf(owner_vm)]));
    const letters = new Map([...vms].map((vm): [string, string] => [vm, look.vm(vm).letter]));
    this.#cell = SMALLEST_CELL;
    let lines = this.#lines(columns);
    for (; lines.length > rows; lines = this.#lines(columns)) this.#cell *= 2;
    if (this.#closer > 0) lines = this.#closerLines(columns, rows);
    lines.forEach((base, row) => this.#drawLine(screen, { ...area, y: area.y + row }, look, base, columns, letters));
    const y = area.y + area.height - 2;
    screen.text(area.x, y, fit(` ${this.#view.legend(letters, this.#rows)}`, area.width), look.style("dim"));
    const { row } = this.selection ?? {};
    if (row) {
      const words = [row.id, sizeText(Number(row.size)), this.#view.text(row), row.mapped.join("  "), row.parcel ?? ""];
      screen.text(area.x, y + 1, fit(`> ${words.join(" ")}`, area.width), look.style("strong"));
    }
  }

  /** The lines around the selected run, closer. */
  #closerLines(columns: number, rows: number): (number | undefined)[] {
    this.#cell = Math.max(SMALLEST_CELL, this.#cell / 2 ** this.#closer);
    const lines = this.#lines(columns);
    const pa = Number(this.selection?.row.pa ?? 0);
    const at = lines.findLastIndex((base) => base !== undefined && base <= pa);
    const top = Math.max(0, Math.min(at - Math.floor(rows / 2), lines.length - rows));
    return lines.slice(top, top + rows);
  }

  /**
   * Where each line begins: lines where no memory is are left out, one stands for all that follow
   * each other.
   */
  #lines(columns: number): (number | undefined)[] {
    const step = columns * this.#cell, start = Number(this.#rows[0].pa);
    const last = this.#rows.at(-1)!, end = Number(last.pa) + Number(last.size);
    const lines: (number | undefined)[] = [];
    let at = 0;
    for (let base = start; base < end;) {
      while (Number(this.#rows[at].pa) + Number(this.#rows[at].size) <= base) at++;
      const next = Number(this.#rows[at].pa);
      if (next < base + step) {
        lines.push(base);
        base += step;
      } else {
        lines.push(undefined);
        base += Math.floor((next - base) / step) * step;
      }
    }
    return lines;
  }

  #drawLine(
    screen: Screen,
    area: Rectangle,
    look: Look,
    base: number | undefined,
    columns: number,
    letters: Letters,
  ): void {
    if (base === undefined) return void screen.text(area.x, area.y, " no memory", look.style("dim"));
    screen.text(area.x, area.y, ` 0x${base.toString(16).padStart(8, "0")}`, look.style("dim"));
    for (let column = 0; column < columns; column++) {
      const from = base + column * this.#cell;
      const { letter, role, selected } = this.#cellAt(from, from + this.#cell, letters);
      const x = area.x + ADDRESS_COLUMNS + column + Math.floor(column / GROUP);
      screen.text(x, area.y, letter, selected ? look.on("sel", role, true) : look.style(role));
    }
  }

  /** What a cell shows: of several runs in it, the one that matters most. */
  #cellAt(from: number, to: number, letters: Letters): Cell & { selected: boolean } {
    const inside = this.#rows.filter((row) => Number(row.pa) < to && Number(row.pa) + Number(row.size) > from);
    const selected = inside.some(({ id }) => id === this.#selected);
    const cells = inside.map((row) => this.#view.cell(row, letters));
    cells.sort((a, b) => ROLE_ORDER.indexOf(a.role) - ROLE_ORDER.indexOf(b.role));
    return { ...(cells[0] ?? { letter: " ", role: "dim" }), selected };
  }
}

function ownerOf(vm: Json): string[] {
  return typeof vm === "string" ? [vm] : [];
}

// Physical memory as cells: who can reach which part. A capital is a VM alone, a small letter that VM and the host, `*` three or more.

import { fit, type Rectangle, type Screen } from "./cells.ts";
import { letterOf } from "./lanes-pane.ts";
import type { Pane } from "./pane.ts";
import type { Look, Role } from "./theme.ts";
import { sizeText } from "../workstation/inspect/format.ts";
import type { Answer, Query } from "../workstation/inspect/query.ts";
import type { Row, Table } from "../workstation/inspect/table.ts";
import { MEMORY } from "../workstation/inspect/tables.ts";

const ADDRESS_COLUMNS = 12;
const GROUP = 8;
/** Guest memory starts here; what lies below are devices. */
const RAM_START = 0x4000_0000;
const SMALLEST_CELL = 4096;

interface Cell {
  readonly letter: string;
  readonly role: Role;
}

/** The map. */
export class MemoryPane implements Pane {
  readonly name = "map";
  #rows: readonly Row[] = [];
  /** Index of the selected run of pages. */
  #selected: string | undefined;
  #cell = SMALLEST_CELL;
  /** How often cells are halved from the size at which all memory fits. */
  #closer = 0;

  title(): string {
    return `physical, 1 cell = ${sizeText(this.#cell)}  (+ - scale)`;
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
    this.#rows = answer.rows.filter(({ pa }) => Number(pa) >= RAM_START);
    this.#selected ??= this.#rows[0]?.id;
  }

  get selection(): { table: Table; row: Row } | undefined {
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
      if (kind === "ipa") return (row.mapped as string[]).some((one) => one.startsWith(`${id} `));
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
    const letters = letterOf([...new Set(this.#rows.flatMap(({ vm }) => vm as string[]))]);
    this.#cell = SMALLEST_CELL;
    let lines = this.#lines(columns);
    for (; lines.length > rows; lines = this.#lines(columns)) this.#cell *= 2;
    if (this.#closer > 0) lines = this.#closerLines(columns, rows);
    lines.forEach((base, row) => this.#drawLine(screen, { ...area, y: area.y + row }, look, base, columns, letters));
    const legend = [...letters].map(([vm, letter]) => `${letter} ${vm.slice(3)}`).join("  ");
    const y = area.y + area.height - 2;
    screen.text(area.x, y, fit(` ${legend}  small: with the host  * three or more  # hypervisor  . free`, area.width), look.style("dim"));
    const { row } = this.selection ?? {};
    if (row) {
      const text = `> ${row.id} ${sizeText(Number(row.size))} ${row.access} ${(row.mapped as string[]).join("  ")} ${row.parcel ?? ""}`;
      screen.text(area.x, y + 1, fit(text, area.width), look.style("focusedHeading"));
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

  /** Where each line begins: lines where no memory is are left out, one stands for all that follow each other. */
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
    letters: ReadonlyMap<string, string>,
  ): void {
    if (base === undefined) return void screen.text(area.x, area.y, " no memory", look.style("dim"));
    screen.text(area.x, area.y, ` 0x${base.toString(16).padStart(8, "0")}`, look.style("dim"));
    for (let column = 0; column < columns; column++) {
      const from = base + column * this.#cell;
      const { letter, role, selected } = this.#cellAt(from, from + this.#cell, letters);
      const x = area.x + ADDRESS_COLUMNS + column + Math.floor(column / GROUP);
      screen.text(x, area.y, letter, selected ? look.selected(role) : look.style(role));
    }
  }

  /** What a cell shows: of several runs in it, the one that the fewest can reach alone. */
  #cellAt(from: number, to: number, letters: ReadonlyMap<string, string>): Cell & { selected: boolean } {
    const inside = this.#rows.filter((row) => Number(row.pa) < to && Number(row.pa) + Number(row.size) > from);
    const selected = inside.some(({ id }) => id === this.#selected);
    const cells = inside.map((row) => cellOf(row, letters)).sort((a, b) => ORDER.indexOf(a.role) - ORDER.indexOf(b.role));
    return { ...(cells[0] ?? { letter: " ", role: "dim" }), selected };
  }
}

const ORDER: readonly Role[] = ["warning", "link", "text", "dim"];

function cellOf(row: Row, letters: ReadonlyMap<string, string>): Cell {
  const vms = row.vm as string[];
  switch (row.access) {
    case "hypervisor":
      return { letter: "#", role: "dim" };
    case "free":
    case "unmapped":
      return { letter: ".", role: "dim" };
    case "exclusive":
      return { letter: letters.get(vms[0]) ?? "?", role: "text" };
    case "host":
      return { letter: (letters.get(vms.find((vm) => vm !== "vm:host") ?? "") ?? "?").toLowerCase(), role: "link" };
    default:
      return { letter: "*", role: "warning" };
  }
}

// Physical memory as cells: colored by access, owner or state (`memory-views.ts`). The cursor moves
// by runs.

import type { Rectangle, Screen } from "../../terminal/cells.ts";
import type { Title } from "../../look/box.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { beginningIn, drawCell, drawLabel, drawLetter, linesOf, type MapLine, type Region, regionAt, regionsOf } from "./memory-map.ts";
import { MEMORY_VIEWS, type MemoryView, type Patch } from "./memory-views.ts";
import type { Pane, PaneState } from "../pane.ts";
import { drawPieces, type Piece, piecesWidth } from "../../look/pieces.ts";
import { type SpokenLine, type SpokenSize } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { type Id, isGuest, paId, parseId } from "../../../../model/queries/ids.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { type Answer, type Query, rowsOf } from "../../../../model/queries/query.ts";
import type { RowOf, Selected } from "../../../../model/queries/table.ts";
import { MEMORY } from "../../../../model/queries/tables.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** Columns of the selection's mark and the address. */
const MARGIN = 13;
/** Cells of a line; on narrow maps a smaller multiple of the least. */
const CELLS = 64, LEAST_CELLS = 16;
/** Cells from one offset above the map to the next. */
const OFFSETS = 16;
/** Rows from which on offsets are above the map. */
const WITH_OFFSETS = 14;
/** Columns at the right of the map for names of the small runs of a line. */
const NAMES = 20;
/** Guest memory starts here; devices are below. */
export const RAM_START = 0x4000_0000;
const SMALLEST_CELL = PAGE_SIZE;
const LARGEST_CELL = 2 ** 40;
/**
 * How much smaller cells get where lines are folded: with more of it small runs would look as large
 * as large ones.
 */
const FOLD_GAIN = 16;

type Run = RowOf<typeof MEMORY>;

/** The map. */
export class MemoryPane implements Pane {
  readonly name = "map";
  #rows: readonly Run[] = [];
  #loaded = false;
  #error: string | undefined;
  #selected: string | undefined;
  #cell = SMALLEST_CELL;
  /** Cells of a line. */
  #cells = CELLS;
  #view: MemoryView = MEMORY_VIEWS[0];
  /** How often cells are halved from the size at which all memory fits. */
  #closer = 0;
  /** The address to select once the runs are known. */
  #sought: string | undefined;
  #lines: readonly MapLine[] = [];
  /** Rows above the first line. */
  #head = 0;

  title(): Title {
    const views = MEMORY_VIEWS.map((view, index): Piece => ({
      text: `${index ? "  " : ""}${view.name}`,
      ...view === this.#view ? { role: "strong", bold: true } : { role: "dim" },
    }));
    return {
      text: "Physical memory",
      right: [views, [...named("cell", this.#cell), ...named("  row", this.#cell * this.#cells)]],
    };
  }

  get view(): MemoryView {
    return this.#view;
  }

  /** Bytes of a cell. */
  get cell(): number {
    return this.#cell;
  }

  /** All runs of guest memory, from low to high. */
  get runs(): readonly Run[] {
    return this.#rows;
  }

  /** The next of its views; false if that is the first again. */
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

  queries(): Query {
    return { table: "mem.map", args: {} };
  }

  receive(answer: Answer): void {
    this.#loaded = true;
    this.#error = answer.error;
    this.#rows = rowsOf(MEMORY, answer).filter(({ pa }) => Number(pa) >= RAM_START);
    if (this.#sought !== undefined) this.select(this.#sought);
    this.#selected ??= (this.#rows.find(({ state }) => state === "blocked") ?? this.#rows.find(isGuests) ?? this.#rows[0])?.id;
  }

  get selection(): Selected<typeof MEMORY> | undefined {
    const row = this.#rows.find(({ id }) => id === this.#selected);
    return row && { table: MEMORY, row };
  }

  get page(): number {
    return 8;
  }

  /** Selects the run that contains a `pa:` or `ipa:` address, now or with the next answer. */
  select(id: string): void {
    const wanted = parseId(id);
    const found = wanted && this.#rows.find((row) => isIn(wanted, row));
    if (found) this.#selected = found.id;
    // Before the first answer there is nothing to look in.
    this.#sought = this.#loaded ? undefined : id;
  }

  move(by: number): void {
    const at = this.#rows.findIndex(({ id }) => id === this.#selected);
    this.#selected = this.#rows[Math.min(Math.max(at + by, 0), this.#rows.length - 1)]?.id;
  }

  /** Selects the first run that begins in the line of a row, else the run that covers it. */
  click(row: number): boolean {
    const line = this.#lines[row - this.#head];
    if (!line || line.kind === "hole") return false;
    const begins = this.#rows.find(({ pa }) => Number(pa) >= line.base && Number(pa) < line.to);
    if (begins) this.#selected = begins.id;
    else this.select(paId(line.base));
    return true;
  }

  draw(screen: Screen, area: Rectangle, look: Look, { focused }: PaneState): void {
    if (!this.#rows.length) {
      const text = this.#error ?? (this.#loaded ? MEMORY.empty : "loading");
      return void screen.text(area.x + 1, area.y, fit(text, area.width - 1), look.style(this.#error ? "bad" : "dim"));
    }
    const regions = this.regions(look), room = area.width - MARGIN;
    const cells = this.#cells = Math.min(Math.max(Math.floor(room / LEAST_CELLS) * LEAST_CELLS, LEAST_CELLS), CELLS);
    this.#head = area.height >= WITH_OFFSETS ? 1 : 0;
    const height = Math.max(area.height - 1 - this.#head, 1);
    this.#lines = this.#fit(regions, cells, height);
    if (this.#head) this.#drawOffsets(screen, area, look, cells);
    const selected = this.#selectedLine();
    this.#lines.forEach((line, row) => {
      const place = { ...area, y: area.y + this.#head + row };
      this.#drawAddress(screen, look, place, line, row === selected, focused);
      if (line.kind === "hole") return;
      this.#drawCells(screen, look, place, { line, selected: row === selected }, regions, cells);
      this.#drawNames(screen, look, place, line, regions, cells);
      if (row === selected) this.#drawCursor(screen, look, place, line, regions);
    });
    this.#drawLegend(screen, look, { ...area, y: area.y + area.height - 1 }, regions);
  }

  /** Runs around the selected one: address, name in this view, size. */
  spoken(look: Look, { height }: SpokenSize): readonly SpokenLine[] {
    if (!this.#rows.length) return [{ parts: [this.#error ?? (this.#loaded ? MEMORY.empty : "loading")] }];
    const at = this.#rows.findIndex(({ id }) => id === this.#selected);
    const top = Math.max(Math.min(at - (height >> 1), this.#rows.length - height), 0);
    return this.#rows.slice(top, top + height).map((row) => ({
      parts: [row.id, this.#view.patch(row, look).name, sizeText(row.size)],
      selected: row.id === this.#selected,
    }));
  }

  /** Memory that looks the same in this view. */
  regions(look: Look): Region[] {
    return regionsOf(this.#rows.map((row) => ({ pa: Number(row.pa), size: row.size, patch: this.#view.patch(row, look) })));
  }

  /** Lines with the smallest cells that all fit; closer, those around the selected run. */
  #fit(regions: readonly Region[], cells: number, height: number): MapLine[] {
    const first = regions[0].from, last = regions.at(-1)!.to;
    const all = (last - first) / (cells * height);
    this.#cell = SMALLEST_CELL;
    while (this.#cell * FOLD_GAIN < all) this.#cell *= 2;
    let lines = linesOf(regions, cells * this.#cell);
    while (lines.length > height && this.#cell < LARGEST_CELL) {
      this.#cell *= 2;
      lines = linesOf(regions, cells * this.#cell);
    }
    if (this.#closer > 0) {
      this.#cell = Math.max(SMALLEST_CELL, this.#cell / 2 ** this.#closer);
      lines = linesOf(regions, cells * this.#cell);
      if (lines.length > height) {
        const pa = Number(this.selection?.row.pa ?? 0);
        const at = lines.findLastIndex(({ base }) => base <= pa);
        const top = Math.max(0, Math.min(at - Math.floor(height / 2), lines.length - height));
        return lines.slice(top, top + height);
      }
    }
    return lines.slice(0, height);
  }

  /** The line in which the selected run begins. */
  #selectedLine(): number {
    const pa = Number(this.selection?.row.pa ?? -1);
    return this.#lines.findIndex(({ base, to, kind }) => kind !== "hole" && pa >= base && pa < to);
  }

  #drawOffsets(screen: Screen, area: Rectangle, look: Look, cells: number): void {
    for (let cell = 0; cell < cells; cell += OFFSETS) {
      screen.text(area.x + MARGIN + cell, area.y, `+${sizeText(cell * this.#cell)}`, look.style("dim"));
    }
  }

  #drawAddress(screen: Screen, look: Look, area: Rectangle, line: MapLine, selected: boolean, focused: boolean): void {
    if (selected) screen.text(area.x, area.y, look.glyphs.selected, look.style(focused ? "accent" : "faint"));
    const address = `0x${Math.floor(line.base).toString(16).padStart(8, "0")}`;
    const text = line.kind === "hole" ? "no memory" : line.kind === "folded" && !selected ? "…" : address;
    screen.text(area.x + 1, area.y, text, look.style(selected ? "accent" : "dim"), MARGIN - 2);
  }

  #drawCells(
    screen: Screen,
    look: Look,
    area: Rectangle,
    { line, selected }: { readonly line: MapLine; readonly selected: boolean },
    regions: readonly Region[],
    cells: number,
  ): void {
    const { base, whole } = line, x = area.x + MARGIN;
    const at = (from: number): Region | undefined => whole ?? regionAt(regions, from, from + this.#cell);
    for (let cell = 0; cell < cells; cell++) {
      const region = at(base + cell * this.#cell);
      if (region) drawCell(screen, look, x + cell, area.y, region.patch);
    }
    if (line.kind === "folded" && whole && !whole.patch.alert) {
      const text = ` ${whole.patch.name} ${sizeText(whole.to - whole.from)} `;
      drawLabel(screen, look, x, area.y, fit(text, cells), whole.patch);
    }
    if (look.letters) return;
    // Small regions have their letter in their first cell; possible problems stay visible.
    for (const region of beginningIn(regions, base, line.to)) {
      if (this.#isLabeled(region) || !region.patch.fill) continue;
      const cell = Math.floor((region.from - base) / this.#cell);
      if (at(base + cell * this.#cell) !== region) continue;
      // The cursor is in the first cell of its run.
      const shift = selected && region.from === Number(this.selection?.row.pa) && cell + 1 < cells && region.to - region.from > this.#cell
        ? 1
        : 0;
      if (!region.patch.alert) drawLetter(screen, look, x + cell + shift, area.y, region.patch);
    }
  }

  #isLabeled(region: Region): boolean {
    return this.#lines.some(({ kind, whole }) => kind === "folded" && whole === region);
  }

  /** Next to a wide map: regions that begin in a line and have no label in it. */
  #drawNames(screen: Screen, look: Look, area: Rectangle, line: MapLine, regions: readonly Region[], cells: number): void {
    let x = area.x + MARGIN + cells + 2;
    const end = area.x + area.width - 1;
    if (end - x < NAMES || line.kind !== "cells") return;
    for (const region of beginningIn(regions, line.base, line.to)) {
      if (this.#isLabeled(region)) continue;
      const { patch } = region, { name, letter } = patch;
      const pieces: Piece[] = [{ text: ` ${name}`, role: "text" }, { text: ` ${sizeText(region.to - region.from)}`, role: "dim" }];
      if (x + 1 + piecesWidth(pieces) > end) return void screen.text(x, area.y, "…", look.style("dim"));
      drawLabel(screen, look, x, area.y, letter, patch);
      x += 1 + drawPieces(screen, look, x + 1, area.y, pieces, end - x) + 2;
    }
  }

  #drawCursor(screen: Screen, look: Look, area: Rectangle, line: MapLine, regions: readonly Region[]): void {
    const pa = Number(this.selection!.row.pa);
    const cell = line.kind === "folded" ? 0 : Math.floor((pa - line.base) / this.#cell), from = line.base + cell * this.#cell;
    // The cursor hides no alarm, of its own run or of another one in its cell.
    const alert = regionAt(regions, from, from + this.#cell)?.patch.alert;
    const text = alert || this.selection!.row.state === "blocked" ? "!" : look.glyphs.cursor;
    screen.text(area.x + MARGIN + cell, area.y, text, look.on("accent", "ink", true));
  }

  #drawLegend(screen: Screen, look: Look, area: Rectangle, regions: readonly Region[]): void {
    const patches = new Map(regions.map(({ patch }): [string, Patch] => [patch.also ? "shared" : patch.key, patch]));
    let x = area.x + 1;
    const end = area.x + area.width;
    for (const patch of [...patches.values()].sort((a, b) => order(a) - order(b))) {
      const { name, letter, fill, also } = patch;
      const text = ` ${also && !look.letters ? "shared" : name}`;
      if (x + 1 + text.length > end) return void screen.text(Math.min(x, end - 1), area.y, "…", look.style("dim"));
      if (also && fill && !look.letters) screen.text(x, area.y, look.glyphs.shared, look.on(also, fill));
      else drawLabel(screen, look, x, area.y, fill ? letter : look.glyphs.free, patch);
      x += 1 + screen.text(x + 1, area.y, text, look.style("text")) + 2;
    }
  }
}

/** Whether an address, physical or of a VM, is in a run. */
function isIn(id: Id, { pa, size, mapped }: Run): boolean {
  const within = (start: bigint) => "address" in id && id.address >= start && id.address < start + BigInt(size);
  if (id.kind === "pa") return within(BigInt(pa));
  return id.kind === "ipa" && mapped.some((one) => {
    const from = parseId(one.slice(0, one.lastIndexOf(" ")));
    return from?.kind === "ipa" && from.vm === id.vm && within(from.address);
  });
}

function isGuests({ vm }: Run): boolean {
  return vm.some(isGuest);
}

/** Possible problems first, the worst at the front, then VMs, shared and free memory. */
function order({ rank, alert, fill, also }: Patch): number {
  return fill === undefined ? 9 : alert ? -rank : also ? 2 : 0;
}

function named(name: string, bytes: number): Piece[] {
  return [{ text: `${name} `, role: "dim" }, { text: sizeText(bytes), role: "text" }];
}

// A part of the map of memory around its cursor, sixteen times as large.

import { drawFrame, type Title } from "../../look/box.ts";
import type { Rectangle, Screen } from "../../terminal/cells.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { drawLabel, type Region, regionAt } from "./memory-map.ts";
import { type MemoryPane, RAM_START } from "./memory-pane.ts";
import type { Pane, PaneState } from "../pane.ts";
import { type SpokenLine } from "../../look/speech.ts";
import type { Look } from "../../look/theme.ts";
import { sizeText } from "../../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** How much smaller its cells are than those of the map. */
const FACTOR = 16;
/** Columns of the addresses. */
const MARGIN = 13;

export class ZoomPane implements Pane {
  readonly name = "zoom";
  readonly bare = true;
  readonly selection = undefined;
  readonly page = 1;

  /** @param map the map whose cursor it follows */
  constructor(readonly map: MemoryPane) {}

  title(): Title {
    return { text: "Zoom", right: [[{ text: "cell ", role: "dim" }, { text: sizeText(this.#cell), role: "text" }]] };
  }

  queries(): undefined {}
  receive(): void {}
  move(): void {}
  click(): boolean {
    return true;
  }

  get #cell(): number {
    return Math.max(PAGE_SIZE, this.map.cell / FACTOR);
  }

  draw(screen: Screen, area: Rectangle, look: Look, { boxed, past }: PaneState): void {
    const row = this.map.selection?.row, cell = this.#cell;
    const title = this.title();
    const inside = drawFrame(screen, look, area, row ? { ...title, detail: row.id } : title, { boxed, kind: past ? "past" : "plain" });
    if (!row) return;
    const width = inside.width - MARGIN - 1, span = width * cell;
    // The cursor is in the first row, a quarter of it from the left.
    const pa = Number(row.pa), from = Math.max(Math.floor((pa - span / 4) / cell) * cell, RAM_START);
    const regions = this.map.regions(look), named = new Set<Region>();
    for (let line = 0; line < inside.height; line++) {
      const base = from + line * span, y = inside.y + line;
      screen.text(inside.x + 1, y, `0x${base.toString(16).padStart(8, "0")}`, look.style("dim"));
      this.#drawLine(screen, look, { ...inside, x: inside.x + MARGIN, y, width }, base, regions, named);
      const cursor = (pa - base) / cell;
      if (cursor < 0 || cursor >= width || row.state === "blocked") continue;
      screen.text(inside.x + MARGIN + Math.floor(cursor), y, look.glyphs.cursor, look.on("accent", "ink", true));
    }
  }

  /** It shows a part of the map, which says the same. */
  spoken(): readonly SpokenLine[] {
    return [];
  }

  #drawLine(screen: Screen, look: Look, area: Rectangle, base: number, regions: readonly Region[], named: Set<Region>): void {
    const cell = this.#cell;
    const patches = Array.from({ length: area.width }, (_, at) => regionAt(regions, base + at * cell, base + (at + 1) * cell)?.patch);
    for (let at = 0; at < area.width;) {
      const patch = patches[at];
      let end = at + 1;
      while (end < area.width && patches[end]?.key === patch?.key) end++;
      if (patch) {
        const region = regions.find(({ from, to }) => from < base + end * cell && to > base + at * cell);
        const width = end - at, size = region?.patch.key === patch.key ? ` ${sizeText(region.to - region.from)}` : "";
        const text = region && named.has(region) ? "" : ` ${patch.name}${size} `;
        if (region && width >= text.length) named.add(region);
        const shown = patch.alert ? patch.letter.repeat(width) : width >= text.length ? text : look.letters ? "" : patch.letter;
        if (patch.fill) {
          drawLabel(screen, look, area.x + at, area.y, shown.padEnd(width, look.letters ? patch.letter : " "), patch);
        } else screen.text(area.x + at, area.y, fit(text, width).padEnd(width, look.glyphs.free), look.style("dim"));
      }
      at = end;
    }
  }
}

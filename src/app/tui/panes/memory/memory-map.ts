// The map of memory as lines of cells of one size, in the order of addresses. Lines that are all of
// one region are folded into one, which says how large the region is.

import type { Screen } from "../../terminal/cells.ts";
import type { Patch } from "./memory-views.ts";
import type { Look } from "../../look/theme.ts";
import { firstIndex } from "../../../../kit/support/values/in-order.ts";

/** Memory that looks the same, from one address to before another. */
export interface Region {
  readonly from: number;
  readonly to: number;
  readonly patch: Patch;
}

/** A line: its first address; folded ones stand for others that are all of one region. */
export interface MapLine {
  readonly kind: "cells" | "folded" | "hole";
  readonly base: number;
  readonly to: number;
  /** The region that fills the whole line, if one does. */
  readonly whole?: Region;
}

/** From this many lines of one region on, those between the first and the last are folded. */
const FOLDED = 3;

/** Adjacent runs of one look become one region. */
export function regionsOf(runs: readonly { readonly pa: number; readonly size: number; readonly patch: Patch }[]): Region[] {
  const regions: Region[] = [];
  for (const { pa, size, patch } of runs) {
    const last = regions.at(-1);
    if (last && last.to === pa && last.patch.key === patch.key) regions[regions.length - 1] = { ...last, to: pa + size };
    else regions.push({ from: pa, to: pa + size, patch });
  }
  return regions;
}

/** Lines for regions, `span` bytes each, folded. */
export function linesOf(regions: readonly Region[], span: number): MapLine[] {
  const lines: MapLine[] = [];
  const end = regions.at(-1)?.to ?? 0;
  let at = 0;
  for (let base = regions[0]?.from ?? 0; base < end;) {
    while (regions[at].to <= base) at++;
    const region = regions[at];
    if (region.from >= base + span) {
      const skipped = Math.floor((region.from - base) / span) * span;
      lines.push({ kind: "hole", base, to: base + skipped });
      base += skipped;
      continue;
    }
    const full = region.from <= base ? Math.floor((region.to - base) / span) : 0;
    const line = (index: number, count = 1, between = false): MapLine => ({
      kind: between ? "folded" : "cells",
      base: base + index * span,
      to: base + (index + count) * span,
      whole: region,
    });
    if (full >= FOLDED) {
      lines.push(line(0), line(1, full - 2, true), line(full - 1));
      base += full * span;
      continue;
    }
    lines.push(full > 0 ? line(0) : { kind: "cells", base, to: base + span });
    base += span;
  }
  return lines;
}

/**
 * The region that a cell from one address to before another shows: of several the one of the
 * highest rank, and of those the smallest, which has the fewest other cells.
 */
export function regionAt(regions: readonly Region[], from: number, to: number): Region | undefined {
  let found: Region | undefined;
  for (let at = firstAfter(regions, from); at < regions.length && regions[at].from < to; at++) {
    const one = regions[at], higher = found ? one.patch.rank - found.patch.rank : 1;
    if (!found || higher > 0 || higher === 0 && one.to - one.from < found.to - found.from) found = one;
  }
  return found;
}

/** Index of the first region that ends after an address. */
const firstAfter = (regions: readonly Region[], address: number): number =>
  firstIndex(regions.length, (index) => regions[index].to > address);

/** Regions that begin in a range of addresses. */
export function beginningIn(regions: readonly Region[], from: number, to: number): Region[] {
  return regions.filter((region) => region.from >= from && region.from < to);
}

/** Draws one cell: the fill of its patch, both fills of what two share, or its letter. */
export function drawCell(screen: Screen, look: Look, x: number, y: number, patch: Patch): void {
  const { fill, also, ink, alert } = patch, { glyphs } = look;
  if (look.letters || alert) drawLetter(screen, look, x, y, patch);
  else if (!fill) screen.text(x, y, glyphs.free, look.style("faint"));
  else if (also) screen.text(x, y, glyphs.shared, look.on(also, fill));
  else screen.text(x, y, " ", look.on(fill, ink));
}

export function drawLetter(screen: Screen, look: Look, x: number, y: number, patch: Patch): void {
  drawLabel(screen, look, x, y, patch.letter, patch);
}

/** Draws a text on a fill; without colors, as it is. */
export function drawLabel(
  screen: Screen,
  look: Look,
  x: number,
  y: number,
  text: string,
  { fill, ink }: Pick<Patch, "fill" | "ink">,
): void {
  const plain = look.options.depth === "none";
  screen.text(x, y, text, !fill ? look.style(ink === "fink" ? "dim" : ink) : plain ? look.bold("text") : look.on(fill, ink, true));
}

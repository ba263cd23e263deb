// The map of memory as lines of cells. A cell is two runs of addresses, one above the other; a line
// is the cells of the upper run and below them those of the lower one. Lines that are all of one
// region are folded.

import type { Screen } from "../terminal/cells.ts";
import type { Patch } from "./memory-views.ts";
import type { Look } from "../look/theme.ts";

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
  /** The region's label begins here. */
  readonly label?: true;
}

/** Lines of one region from which on it has a label; longer runs are folded. */
const LABELED = 3;

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
    const line = (index: number, count = 1): MapLine => ({
      kind: count > 1 ? "folded" : "cells",
      base: base + index * span,
      to: base + (index + count) * span,
      whole: region,
    });
    if (full >= LABELED) {
      lines.push(line(0), { ...line(1, full - 2), label: true }, line(full - 1));
      base += full * span;
      continue;
    }
    lines.push(full > 0 ? line(0) : { kind: "cells", base, to: base + span });
    base += span;
  }
  return lines;
}

/** Gives the largest folds the lines that are left, by their sizes. */
export function spread(lines: readonly MapLine[], height: number): MapLine[] {
  const folded = lines.filter(({ kind }) => kind === "folded");
  const total = folded.reduce((sum, { base, to }) => sum + to - base, 0), left = height - lines.length;
  if (left <= 0 || total === 0) return [...lines];
  return lines.flatMap((line) => {
    if (line.kind !== "folded") return [line];
    const more = Math.floor(left * (line.to - line.base) / total), step = (line.to - line.base) / (more + 1);
    return Array.from({ length: more + 1 }, (_, index): MapLine => ({
      ...line,
      base: line.base + index * step,
      to: line.base + (index + 1) * step,
      label: index === Math.floor(more / 2) ? true : undefined,
    }));
  });
}

/** The patch from one address to before another: of several regions the highest. */
export function patchAt(regions: readonly Region[], from: number, to: number): Patch | undefined {
  let found: Patch | undefined;
  for (let at = firstAfter(regions, from); at < regions.length && regions[at].from < to; at++) {
    const { patch } = regions[at];
    if (!found || patch.rank > found.rank) found = patch;
  }
  return found;
}

/** Index of the first region that ends after an address. */
function firstAfter(regions: readonly Region[], address: number): number {
  let low = 0, high = regions.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (regions[middle].to <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Regions that begin in a range of addresses. */
export function beginningIn(regions: readonly Region[], from: number, to: number): Region[] {
  return regions.filter((region) => region.from >= from && region.from < to);
}

/** Draws one cell: two patches, or one where both are the same. */
export function drawHalves(screen: Screen, look: Look, x: number, y: number, upper: Patch | undefined, lower: Patch | undefined): void {
  const highest = !lower || upper && upper.rank >= lower.rank ? upper : lower;
  if (!highest) return;
  if (look.letters || highest.alert) return drawLetter(screen, look, x, y, highest);
  const { glyphs } = look, above = upper?.fill, under = lower?.fill;
  if (upper?.key === lower?.key && highest.also && above) {
    screen.text(x, y, glyphs.halves, look.on(highest.also, above));
  } else if (above === under) {
    if (above) screen.text(x, y, " ", look.on(above, highest.ink));
    else screen.text(x, y, glyphs.free, look.style("faint"));
  } else if (above && under) screen.text(x, y, glyphs.halves, look.on(under, above));
  else if (above) screen.text(x, y, glyphs.halves, look.style(above));
  else if (under) screen.text(x, y, glyphs.lower, look.style(under));
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

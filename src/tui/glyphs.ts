// Glyphs that stand for amounts: ASCII as in the design's drawings, or blocks. They swap glyphs, never cells.

/** The glyphs. */
export interface Glyphs {
  /** A filled and an empty part of a bar. */
  readonly full: string;
  readonly empty: string;
  /** Amounts from none to all. */
  readonly levels: string;
  /** A vertical line between panes side by side. */
  readonly divider: string;
}

export const ASCII_GLYPHS: Glyphs = { full: "#", empty: ".", levels: "_.-=#", divider: "|" };
export const UNICODE_GLYPHS: Glyphs = { full: "█", empty: "·", levels: "▁▂▃▄▅▆▇█", divider: "│" };

/** A bar of `width` cells that is filled to `share`, 0 to 1. */
export function bar(glyphs: Glyphs, share: number, width: number): string {
  const filled = Math.min(width, Math.max(share > 0 ? 1 : 0, Math.round(share * width)));
  return glyphs.full.repeat(filled) + glyphs.empty.repeat(width - filled);
}

/** A line of amounts, each 0 to 1. */
export function sparkline(glyphs: Glyphs, values: readonly number[]): string {
  const levels = [...glyphs.levels];
  return values.map((value) => levels[Math.min(levels.length - 1, Math.max(0, Math.round(value * (levels.length - 1))))]).join("");
}

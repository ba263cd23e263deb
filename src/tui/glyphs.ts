// Glyphs that stand for amounts: ASCII as in the design's drawings, or blocks. They swap glyphs,
// never cells.

/** The glyphs. */
export interface Glyphs {
  /** A filled and an empty part of a bar. */
  readonly full: string;
  readonly empty: string;
  /** Amounts from none to all. */
  readonly levels: string;
  /** A vertical line between panes side by side. */
  readonly divider: string;
  /** Cells show two amounts side by side, as dots (`dots`). */
  readonly dots?: true;
}

export const ASCII_GLYPHS: Glyphs = { full: "#", empty: ".", levels: "_.-=#", divider: "|" };
export const UNICODE_GLYPHS: Glyphs = { full: "█", empty: "·", levels: "▁▂▃▄▅▆▇█", divider: "│" };

export const BRAILLE_GLYPHS: Glyphs = { ...UNICODE_GLYPHS, dots: true };

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

const BRAILLE = 0x2800;
/** The bits of a braille cell's columns, from the bottom up. */
const LEFT_DOTS = [0x40, 0x04, 0x02, 0x01], RIGHT_DOTS = [0x80, 0x20, 0x10, 0x08];

/**
 * Amounts, each 0 to 1, as columns of up to four dots, two in a cell. What is more than nothing has
 * a dot.
 */
export function dots(values: readonly number[]): string {
  const column = (value = 0, bits: readonly number[]) =>
    bits.slice(0, Math.ceil(Math.min(value, 1) * bits.length)).reduce((sum, bit) => sum | bit, 0);
  const cells = Array.from({ length: Math.ceil(values.length / 2) }, (_, cell) => cell * 2);
  return cells.map((at) => String.fromCharCode(BRAILLE | column(values[at], LEFT_DOTS) | column(values[at + 1], RIGHT_DOTS))).join("");
}

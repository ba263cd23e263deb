// Glyphs for frames, states, amounts and pictures, in three sets: all of UTF-8's drawings, those
// that every console has, and ASCII. Sets swap glyphs, never cells.

export type SetName = "full" | "blocks" | "ascii";

/** The lines of a box. */
export interface BoxFrame {
  readonly corners: readonly [topLeft: string, topRight: string, bottomLeft: string, bottomRight: string];
  readonly line: string;
  readonly side: string;
  /** Where a line inside meets the sides. */
  readonly joints: readonly [left: string, right: string];
}

/** Activity, as a shape. */
export type Shape = "runs" | "ready" | "waits" | "suspended" | "off" | "proxy" | "new" | "ended" | "fault";

/** Activity of a lane at a time. */
export type LaneState = "runs" | "ready" | "vmm" | "waits" | "suspended";

export interface Glyphs {
  readonly name: SetName;
  readonly frame: BoxFrame;
  /** The frame of the pane with the keys, where a color cannot say so. */
  readonly focused: BoxFrame;
  readonly shapes: Readonly<Record<Shape, string>>;
  readonly selected: string;
  readonly folded: string;
  readonly unfolded: string;
  /** Branches of a tree: with more below, and the last; two cells each. */
  readonly branch: readonly [more: string, last: string];
  /** Levels of a history in one row, from the least. */
  readonly levels: string;
  /** Levels of a graph of several rows; undefined: braille. */
  readonly steps: string | undefined;
  readonly histogram: string;
  readonly gauge: readonly [full: string, empty: string];
  /** A place in a queue that is taken, or free. */
  readonly slot: readonly [full: string, empty: string];
  readonly lanes: Readonly<Record<LaneState, string>>;
  readonly free: string;
  /** Memory that two share, in the colors of both. */
  readonly shared: string;
  readonly cursor: string;
  readonly thumb: string;
  /** States of the session, and marks of the scrubber. */
  readonly marks: Readonly<Record<"live" | "paused" | "past" | "replay" | "lost" | "snapshot" | "mark", string>>;
}

const LIGHT: BoxFrame = { corners: ["╭", "╮", "╰", "╯"], line: "─", side: "│", joints: ["├", "┤"] };
const HEAVY: BoxFrame = { corners: ["┏", "┓", "┗", "┛"], line: "━", side: "┃", joints: ["┣", "┫"] };
const SQUARE: BoxFrame = { corners: ["┌", "┐", "└", "┘"], line: "─", side: "│", joints: ["├", "┤"] };
const DOUBLE: BoxFrame = { corners: ["╔", "╗", "╚", "╝"], line: "═", side: "║", joints: ["╠", "╣"] };
const PLAIN: BoxFrame = { corners: ["+", "+", "+", "+"], line: "-", side: "|", joints: ["+", "+"] };
const EQUALS: BoxFrame = { ...PLAIN, line: "=" };

const FULL: Glyphs = {
  name: "full",
  frame: LIGHT,
  focused: HEAVY,
  shapes: { runs: "●", ready: "○", waits: "◌", suspended: "◌", off: "·", proxy: "◐", new: "◇", ended: "■", fault: "×" },
  selected: "▌",
  folded: "▸",
  unfolded: "▾",
  branch: ["├─", "└─"],
  levels: "▁▂▃▄▅▆▇",
  steps: undefined,
  histogram: "▆",
  gauge: ["━", "─"],
  slot: ["■", "□"],
  lanes: { runs: "▆", ready: "░", vmm: "▒", waits: "─", suspended: "╌" },
  free: "·",
  shared: "▀",
  cursor: "◆",
  thumb: "┃",
  marks: { live: "●", paused: "■", past: "◆", replay: "▸", lost: "×", snapshot: "▴", mark: "▾" },
};

const BLOCKS: Glyphs = {
  ...FULL,
  name: "blocks",
  frame: SQUARE,
  focused: DOUBLE,
  shapes: { runs: "■", ready: "□", waits: "·", suspended: "·", off: "·", proxy: "▒", new: "□", ended: "■", fault: "×" },
  folded: "►",
  unfolded: "▼",
  levels: "░░▒▒▓▓█",
  steps: "▁▂▃▄▅▆▇█",
  histogram: "▄",
  gauge: ["■", "·"],
  slot: ["█", "░"],
  lanes: { runs: "█", ready: "░", vmm: "▒", waits: "─", suspended: "·" },
  cursor: "+",
  thumb: "█",
  marks: { live: "■", paused: "■", past: "+", replay: "►", lost: "×", snapshot: "▲", mark: "▼" },
};

const ASCII: Glyphs = {
  name: "ascii",
  frame: PLAIN,
  focused: EQUALS,
  shapes: { runs: "o", ready: ".", waits: ".", suspended: ".", off: ".", proxy: "%", new: "n", ended: "#", fault: "x" },
  selected: ">",
  folded: ">",
  unfolded: "v",
  branch: ["| ", "` "],
  levels: "__..--=",
  steps: ".:-=+*#",
  histogram: "#",
  gauge: ["=", "-"],
  slot: ["#", "."],
  lanes: { runs: "#", ready: "r", vmm: "v", waits: "_", suspended: "." },
  free: ".",
  shared: "*",
  cursor: "@",
  thumb: "#",
  marks: { live: "o", paused: "#", past: "*", replay: ">", lost: "x", snapshot: "^", mark: "v" },
};

/** The set of a name. Without braille graphs are blocks; the rest of the set stays. */
export function glyphsOf(name: SetName, braille = true): Glyphs {
  if (name === "full") return braille ? FULL : FULL_WITHOUT_BRAILLE;
  return name === "blocks" ? BLOCKS : ASCII;
}

const FULL_WITHOUT_BRAILLE: Glyphs = { ...FULL, steps: BLOCKS.steps };

/** Replacements in text where consoles lack the glyph. */
const IN_BLOCKS: Readonly<Record<string, string>> = { "…": "~", "●": "■", "○": "□", "◆": "+", "▴": "▲", "▸": "►", "▾": "▼" };

/** Replacements in text for ASCII. */
const SWAPPED: Readonly<Record<string, string>> = {
  "…": "~",
  "→": ">",
  "←": "<",
  "↑": "^",
  "↓": "v",
  "·": ".",
  "×": "x",
  "–": "-",
  "µ": "u",
  "●": "o",
  "◆": "*",
  "▴": "^",
  "─": "-",
  "│": "|",
  "┼": "+",
  "└": "`",
};

/** A text of el2 in a set's characters; `?` where ASCII has no replacement. */
export function swap(text: string, set: SetName): string {
  if (set === "full") return text;
  if (set === "blocks") return text.replaceAll(/[…●○◆▴▸▾]/g, (character) => IN_BLOCKS[character]);
  return text.replaceAll(/[^ -~]/gu, (character) => SWAPPED[character] ?? "?");
}

/** An amount from 0 to 1 as one of these levels. */
function levelOf(levels: string, value: number): string {
  const at = Math.round(Math.min(Math.max(value, 0), 1) * (levels.length - 1));
  return levels[at];
}

/** Amounts from 0 to 1 in one row, the newest at the right; unknown ones are blank. */
export function history(glyphs: Glyphs, values: readonly number[], width: number): string {
  return values.slice(-width).map((value) => levelOf(glyphs.levels, value)).join("").padStart(width);
}

/** A bar of `width` cells that is filled to `share`, 0 to 1. Any amount above zero fills a cell. */
export function gauge([full, empty]: readonly [string, string], share: number, width: number): string {
  const filled = Math.min(width, Math.max(share > 0 ? 1 : 0, Math.round(share * width)));
  return full.repeat(filled) + empty.repeat(width - filled);
}

const BRAILLE = 0x2800;
/** The bits of a braille cell's columns, from the bottom up. */
const LEFT_DOTS = [0x40, 0x04, 0x02, 0x01], RIGHT_DOTS = [0x80, 0x20, 0x10, 0x08];

/** Samples that a graph of this many columns shows. */
export function samplesOf(glyphs: Glyphs, columns: number): number {
  return glyphs.steps === undefined ? columns * 2 : columns;
}

/**
 * Amounts from 0 to 1 as a graph, its rows from the top; the newest at the right. Any amount above
 * zero shows.
 */
export function graph(glyphs: Glyphs, values: readonly number[], columns: number, rows: number): string[] {
  const { steps } = glyphs, samples = samplesOf(glyphs, columns);
  const shown: readonly number[] = [...Array(Math.max(samples - values.length, 0)).fill(0), ...values.slice(-samples)];
  return Array.from({ length: rows }, (_, row) => {
    const below = rows - 1 - row;
    if (steps === undefined) return brailleRow(shown, columns, rows, below);
    return shown.map((value) => {
      const height = filledOf(value, rows, steps.length) - below * steps.length;
      return height <= 0 ? " " : steps[Math.min(height, steps.length) - 1];
    }).join("");
  });
}

/** Steps of `rows` rows that an amount fills. */
function filledOf(value: number, rows: number, steps: number): number {
  return value <= 0 ? 0 : Math.max(1, Math.round(Math.min(value, 1) * rows * steps));
}

function brailleRow(values: readonly number[], columns: number, rows: number, below: number): string {
  const dots = (value: number, bits: readonly number[]) => {
    const height = Math.min(Math.max(filledOf(value, rows, bits.length) - below * bits.length, 0), bits.length);
    return bits.slice(0, height).reduce((sum, bit) => sum | bit, 0);
  };
  return Array.from({ length: columns }, (_, column) => {
    const cell = dots(values[column * 2], LEFT_DOTS) | dots(values[column * 2 + 1], RIGHT_DOTS);
    return cell === 0 ? " " : String.fromCharCode(BRAILLE | cell);
  }).join("");
}

/**
 * Cells of parts by their shares, each above 0 with at least one, of `width` in all; the rest is
 * free.
 */
export function cellsOf(shares: readonly number[], width: number): number[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const whole = Math.max(total, 1);
  const wanted = shares.map((share) => share / whole * width);
  const cells = wanted.map((cell, index) => shares[index] > 0 ? Math.max(Math.floor(cell), 1) : 0);
  // A narrow place may have no columns at all.
  const room = Math.max(width, 0);
  const target = Math.min(room, Math.max(Math.round(Math.min(total, 1) * room), cells.filter((cell) => cell > 0).length));
  const sum = () => cells.reduce((all, cell) => all + cell, 0);
  const byRemainder = wanted.map((cell, index) => ({ index, left: cell - Math.floor(cell) })).filter(({ index }) => shares[index] > 0)
    .sort((a, b) => b.left - a.left || a.index - b.index);
  for (let at = 0; sum() < target && byRemainder.length; at++) cells[byRemainder[at % byRemainder.length].index]++;
  while (sum() > target) {
    const largest = cells.indexOf(Math.max(...cells));
    cells[largest]--;
  }
  return cells;
}

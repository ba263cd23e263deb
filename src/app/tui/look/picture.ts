// A screen as a picture (SVG), for documentation: the drawn cells in the colors of the theme.
// Lines, blocks and braille are shapes, so that every font shows them alike.

import type { DrawnCell, Screen } from "../terminal/cells.ts";
import { ColorMap } from "../terminal/color-map.ts";
import { Attribute, type Color, type ColorDepth, rgbOf } from "../terminal/color.ts";
import { clusterWidth } from "../../../kit/support/text/text-width.ts";
import { shapesOf } from "./picture-shapes.ts";

/** Pixels of a cell, and of the letters in it. */
const CELL = { width: 8, height: 17 } as const;
const BASELINE = 13;
const FONT = 13;
const MARGIN = 10;

/** The sixteen colors of a terminal: guests use them. */
const PALETTE = [
  ...["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf"],
  ...["#5c6370", "#ff7a88", "#b5e890", "#ffd787", "#82c4ff", "#dd9bf5", "#7fdbe6", "#ffffff"],
];

/** A terminal's own colors. */
const TERMINAL = { paper: "#15171c", ink: "#d7dae0" } as const;

/** A cell as it is painted; colors are `#rrggbb`. */
interface Painted {
  readonly text: string;
  /** 2 for a wide character. */
  readonly columns: number;
  readonly ink: string;
  readonly paper: string;
  readonly bold: boolean;
  readonly faint: boolean;
}

/** The picture of what was drawn last, in direct color or the colors that a terminal has. */
export function picture(screen: Screen, title: string, depth: ColorDepth = "direct"): string {
  const { page, rows } = paintedCells(screen, depth);
  const width = screen.width * CELL.width + 2 * MARGIN, height = screen.height * CELL.height + 2 * MARGIN;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" rx="6" fill="${page}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${FONT}" xml:space="preserve">`,
  ];
  rows.forEach((cells, y) => out.push(...papers(cells, y, page), ...texts(cells, y)));
  out.push("</g>", "</svg>", "");
  return out.join("\n");
}

/** The cells of what was drawn last, and the color of the page. */
function paintedCells(screen: Screen, depth: ColorDepth): { readonly page: string; readonly rows: readonly (readonly Painted[])[] } {
  const map = new ColorMap(screen.map.theme, depth);
  map.map(0x2000000, 0x2000000, 0);
  const page = hexOf(map.background) ?? TERMINAL.paper;
  return { page, rows: Array.from({ length: screen.height }, (_, y) => screen.cells(y).map((cell) => painted(cell, map, page))) };
}

function painted({ text, foreground, background, attributes }: DrawnCell, map: ColorMap, page: string): Painted {
  map.map(foreground, background, attributes);
  let ink = hexOf(map.foreground) ?? TERMINAL.ink, paper = hexOf(map.background) ?? page;
  if (map.attributes & Attribute.Reverse) [ink, paper] = [paper, ink];
  return {
    text,
    columns: Math.max(clusterWidth(text), 1),
    ink,
    paper,
    bold: (map.attributes & Attribute.Bold) !== 0,
    faint: (map.attributes & Attribute.Dim) !== 0,
  };
}

/** Neighbors of one kind together, and the column at which each begins. */
function* runs(
  cells: readonly Painted[],
  same: (a: Painted, b: Painted) => boolean,
): Generator<readonly [x: number, cells: readonly Painted[]]> {
  let x = 0;
  for (let from = 0; from < cells.length;) {
    let to = from + 1;
    while (to < cells.length && same(cells[from], cells[to])) to++;
    const run = cells.slice(from, to);
    yield [x, run];
    x += columnsOf(run);
    from = to;
  }
}

function columnsOf(cells: readonly Painted[]): number {
  return cells.reduce((sum, { columns }) => sum + columns, 0);
}

function papers(cells: readonly Painted[], y: number, page: string): string[] {
  return [...runs(cells, (a, b) => a.paper === b.paper)].filter(([, [{ paper }]]) => paper !== page).map(([x, run]) => {
    const { width, height } = CELL;
    return `<rect x="${MARGIN + x * width}" y="${MARGIN + y * height}" width="${columnsOf(run) * width}" height="${height}" fill="${
      run[0].paper
    }"/>`;
  });
}

function texts(cells: readonly Painted[], y: number): string[] {
  const out: string[] = [];
  const opacity = ({ faint }: Painted) => faint ? ' opacity="0.65"' : "";
  const alike = (a: Painted, b: Painted) => a.ink === b.ink && a.bold === b.bold && a.faint === b.faint;
  const top = MARGIN + y * CELL.height;
  for (const [x, run] of runs(cells, alike)) {
    const left = (index: number) => MARGIN + (x + columnsOf(run.slice(0, index))) * CELL.width, [first] = run;
    const path = run.map(({ text }, index) => isShape(text) ? shapesOf(text, left(index), top, CELL.width, CELL.height) : "").join("");
    if (path) out.push(`<path d="${path}" fill="${first.ink}"${opacity(first)}/>`);
    const letters = run.map(({ text }) => isShape(text) || text.trim() === "" ? " " : text);
    const from = letters.findIndex((text) => text !== " "), to = letters.findLastIndex((text) => text !== " ") + 1;
    if (to === 0) continue;
    const weight = first.bold ? ' font-weight="bold"' : "";
    const place = `x="${left(from)}" y="${top + BASELINE}" textLength="${left(to) - left(from)}"`;
    out.push(`<text ${place} fill="${first.ink}"${weight}${opacity(first)}>${escape(letters.slice(from, to).join(""))}</text>`);
  }
  return out;
}

/** Lines, blocks, shapes and braille are drawn. */
function isShape(text: string): boolean {
  const code = text.codePointAt(0)!;
  return code >= 0x2500 && code <= 0x25ff || code >= 0x2800 && code <= 0x28ff;
}

/** A mapped color; undefined for the terminal's own. */
function hexOf(color: Color): string | undefined {
  const direct = rgbOf(color);
  if (direct !== undefined) return `#${direct.toString(16).padStart(6, "0")}`;
  if (color === 0) return undefined;
  const index = color - 1;
  if (index < 16) return PALETTE[index];
  if (index >= 232) return `#${(8 + 10 * (index - 232)).toString(16).padStart(2, "0").repeat(3)}`;
  const level = (step: number) => (step === 0 ? 0 : 55 + 40 * step).toString(16).padStart(2, "0");
  const at = index - 16;
  return `#${level(Math.floor(at / 36))}${level(Math.floor(at / 6) % 6)}${level(at % 6)}`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

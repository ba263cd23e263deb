// A screen as a picture (SVG), for documentation: what was drawn, cell by cell, in fixed colours.

import { Attribute, type DrawnCell, type Screen } from "./cells.ts";

/** Pixels of a cell, and of the letters in it. */
const WIDTH = 8;
const HEIGHT = 17;
const BASELINE = 13;
const FONT = 13;
const MARGIN = 10;

/** The page, and the sixteen colours. */
const BACKGROUND = "#16181d";
const FOREGROUND = "#d7dae0";
const DIM = "#8a919e";
const PALETTE = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#abb2bf"];

/** The picture of what was drawn last. */
export function picture(screen: Screen, title: string): string {
  const width = screen.width * WIDTH + 2 * MARGIN, height = screen.height * HEIGHT + 2 * MARGIN;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<rect width="100%" height="100%" rx="6" fill="${BACKGROUND}"/>`,
    `<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${FONT}" xml:space="preserve">`,
  ];
  for (let y = 0; y < screen.height; y++) for (const run of runs(screen.cells(y))) out.push(...drawRun(run, y));
  out.push("</g>", "</svg>", "");
  return out.join("\n");
}

interface Run {
  readonly x: number;
  text: string;
  readonly cell: DrawnCell;
}

/** Neighbours that look alike, together. */
function runs(cells: readonly DrawnCell[]): Run[] {
  const found: Run[] = [];
  cells.forEach((cell, x) => {
    const last = found.at(-1);
    const same = last && last.cell.foreground === cell.foreground && last.cell.background === cell.background &&
      last.cell.attributes === cell.attributes;
    if (same) last.text += cell.text;
    else found.push({ x, text: cell.text, cell });
  });
  return found;
}

function drawRun({ x, text, cell }: Run, y: number): string[] {
  const { foreground, background, attributes } = cell;
  const reverse = (attributes & Attribute.Reverse) !== 0;
  let ink = colour(foreground) ?? (attributes & Attribute.Dim ? DIM : FOREGROUND), paper = colour(background);
  if (reverse) [ink, paper] = [paper ?? BACKGROUND, ink];
  const left = MARGIN + x * WIDTH, top = MARGIN + y * HEIGHT;
  const out: string[] = [];
  if (paper) out.push(`<rect x="${left}" y="${top}" width="${text.length * WIDTH}" height="${HEIGHT}" fill="${paper}"/>`);
  if (text.trim()) {
    const start = text.length - text.trimStart().length;
    const shown = text.trim();
    const weight = attributes & Attribute.Bold ? ' font-weight="bold"' : "";
    const at = `x="${left + start * WIDTH}" y="${top + BASELINE}" textLength="${shown.length * WIDTH}"`;
    out.push(`<text ${at} fill="${ink}"${weight}>${escape(shown)}</text>`);
  }
  return out;
}

/** A colour of `cells.ts`; undefined for the terminal's own. */
function colour(value: number): string | undefined {
  if (value === 0) return undefined;
  if (value >= 0x1000000) return `#${(value & 0xffffff).toString(16).padStart(6, "0")}`;
  return PALETTE[(value - 1) % PALETTE.length];
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// A screen as pixels (PNG): letters of a bitmap font, and the shapes of `picture-shapes.ts` for
// what the font does not have.

import font from "../../../assets/font/spleen-12x24.hex" with { type: "text" };
import type { Screen } from "../terminal/cells.ts";
import type { ColorDepth } from "../terminal/color.ts";
import { CELL, type Painted, paintedCells } from "./picture.ts";
import { shapesOf } from "./picture-shapes.ts";
import { png, RGB } from "../../formats/png.ts";

/** Pixels of a cell, and around all of them. */
const WIDTH = 12, HEIGHT = 24, MARGIN = 16;
/** Shares of a pixel's side at which a shape is sampled. */
const SAMPLES = [0.125, 0.375, 0.625, 0.875];
/** Share of the ink in faint text. */
const FAINT = 0.65;
/** Straight pieces of half a circle. */
const PIECES = 12;

/** How much of each pixel of a cell has ink: 0 to 1, in rows. */
type Coverage = Float32Array;

/** The picture of what was drawn last. */
export function pixelPicture(screen: Screen, depth: ColorDepth = "direct"): Uint8Array<ArrayBuffer> {
  const { page, rows } = paintedCells(screen, depth);
  const width = screen.width * WIDTH + 2 * MARGIN, height = screen.height * HEIGHT + 2 * MARGIN;
  const canvas = new Canvas(width, height, page);
  rows.forEach((cells, y) => {
    let x = MARGIN;
    for (const cell of cells) {
      canvas.cell(cell, x, MARGIN + y * HEIGHT, cell.columns * WIDTH);
      x += cell.columns * WIDTH;
    }
  });
  return png(width, height, canvas.pixels);
}

/** Pixels that cells are drawn on. */
class Canvas {
  readonly pixels: Uint8Array;

  constructor(readonly width: number, height: number, page: string) {
    this.pixels = new Uint8Array(width * height * RGB);
    const color = channels(page);
    for (let at = 0; at < this.pixels.length; at += RGB) this.pixels.set(color, at);
  }

  cell({ text, ink, paper, bold, faint }: Painted, left: number, top: number, width: number): void {
    const coverage = coverageOf(text), [back, front] = [channels(paper), channels(ink)], share = faint ? FAINT : 1;
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < width; x++) {
        const here = x < WIDTH ? coverage[y * WIDTH + x] : 0;
        // Bold letters are drawn twice, a pixel apart.
        const ink = share * (bold && x > 0 && x < WIDTH ? Math.max(here, coverage[y * WIDTH + x - 1]) : here);
        const at = ((top + y) * this.width + left + x) * RGB;
        for (let channel = 0; channel < RGB; channel++) {
          this.pixels[at + channel] = Math.round(back[channel] + (front[channel] - back[channel]) * ink);
        }
      }
    }
  }
}

function channels(color: string): readonly number[] {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

const known = new Map<string, Coverage>();
let glyphs: ReadonlyMap<number, string> | undefined;

function coverageOf(text: string): Coverage {
  let coverage = known.get(text);
  if (!coverage) known.set(text, coverage = letter(text) ?? shape(text) ?? unknown());
  return coverage;
}

/** Whether a text of a cell has a letter or a shape here; others are drawn as a frame. */
export function canDraw(text: string): boolean {
  return (letter(text) ?? shape(text)) !== undefined;
}

/** A glyph of the font; undefined if it has none. */
function letter(text: string): Coverage | undefined {
  glyphs ??= new Map([...font.matchAll(/^([0-9A-F]{4}):([0-9A-F]+)$/gm)].map(([, code, rows]) => [parseInt(code, 16), rows]));
  const rows = glyphs.get(text.normalize("NFC").codePointAt(0)!);
  if (rows === undefined) return undefined;
  const coverage = new Float32Array(WIDTH * HEIGHT), digits = WIDTH / 4;
  for (let y = 0; y < HEIGHT; y++) {
    const bits = parseInt(rows.slice(y * digits, (y + 1) * digits), 16);
    for (let x = 0; x < WIDTH; x++) coverage[y * WIDTH + x] = bits >> (WIDTH - 1 - x) & 1;
  }
  return coverage;
}

/** A frame, for what nothing here can draw. */
function unknown(): Coverage {
  return Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
    const x = at % WIDTH, y = Math.floor(at / WIDTH), inside = x >= 2 && x <= 9 && y >= 4 && y <= 18;
    return inside && (x === 2 || x === 9 || y === 4 || y === 18) ? 1 : 0;
  });
}

type Point = readonly [x: number, y: number];

/** A shape, sampled; undefined for other characters. */
function shape(text: string): Coverage | undefined {
  const path = shapesOf(text, 0, 0, CELL.width, CELL.height);
  if (path === "") return undefined;
  const scale = [WIDTH / CELL.width, HEIGHT / CELL.height];
  const outlines = outlinesOf(path).map((points) => points.map(([x, y]): Point => [x * scale[0], y * scale[1]]));
  return Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => {
    const x = at % WIDTH, y = Math.floor(at / WIDTH);
    let inside = 0;
    for (const dy of SAMPLES) for (const dx of SAMPLES) if (winding(outlines, x + dx, y + dy) !== 0) inside++;
    return inside / SAMPLES.length ** 2;
  });
}

/** How often outlines go round a point, as SVG fills shapes. */
function winding(outlines: readonly (readonly Point[])[], x: number, y: number): number {
  let count = 0;
  for (const points of outlines) {
    points.forEach(([x0, y0], index) => {
      const [x1, y1] = points[(index + 1) % points.length];
      if (y0 <= y === y1 <= y) return;
      if (x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x) count += y1 > y0 ? 1 : -1;
    });
  }
  return count;
}

/** The outlines of a path of `picture-shapes.ts`: M, L, h, v, half circles a, and z. */
function outlinesOf(path: string): Point[][] {
  const outlines: Point[][] = [];
  let points: Point[] = [];
  for (const [, command, rest] of path.matchAll(/([MLhvaz])([^MLhvaz]*)/g)) {
    const numbers = rest.trim().split(/[\s,]+/).map(Number), [x, y] = points.at(-1) ?? [0, 0];
    switch (command) {
      case "M":
        points = [[numbers[0], numbers[1]]];
        outlines.push(points);
        break;
      case "L":
        points.push([numbers[0], numbers[1]]);
        break;
      case "h":
        points.push([x + numbers[0], y]);
        break;
      case "v":
        points.push([x, y + numbers[0]]);
        break;
      case "a":
        points.push(...halfCircle([x, y], [numbers[5], numbers[6]], numbers[4] === 1));
    }
  }
  return outlines;
}

/** Points of half a circle between two ends; `sweep`: clockwise on the screen. */
function halfCircle([x, y]: Point, [dx, dy]: Point, sweep: boolean): Point[] {
  const [mx, my] = [x + dx / 2, y + dy / 2], start = Math.atan2(y - my, x - mx), radius = Math.hypot(dx, dy) / 2;
  return Array.from({ length: PIECES }, (_, index): Point => {
    const angle = start + (sweep ? 1 : -1) * Math.PI * (index + 1) / PIECES;
    return [mx + radius * Math.cos(angle), my + radius * Math.sin(angle)];
  });
}

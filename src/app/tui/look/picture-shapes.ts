// Lines, blocks, shapes and braille as SVG paths, in the space of a cell.

/** A path of rectangles and circles; empty for a glyph without ink. */
export function shapesOf(glyph: string, x: number, y: number, width: number, height: number): string {
  const code = glyph.codePointAt(0)!;
  if (code >= 0x2800 && code <= 0x28ff) return braille(code & 0xff, x, y, width, height);
  const rect = (left: number, top: number, right: number, bottom: number) =>
    `M${round(x + left)} ${round(y + top)}h${round(right - left)}v${round(bottom - top)}h${round(left - right)}z`;
  if (code >= 0x2581 && code <= 0x2588) return rect(0, height - height * (code - 0x2580) / 8, width, height);
  const arms = LINES[glyph];
  if (arms) return lines(arms, width, height, rect);
  switch (glyph) {
    case "▀":
      return rect(0, 0, width, height / 2);
    case "▌":
      return rect(0, 0, width / 2, height);
    case "░":
    case "▒":
    case "▓":
      return shade({ "░": 1, "▒": 2, "▓": 3 }[glyph], width, height, rect);
    case "■":
      return rect(1, height / 2 - 3, width - 1, height / 2 + 3);
    case "□":
      return rect(1, height / 2 - 3, width - 1, height / 2 - 2) + rect(1, height / 2 + 2, width - 1, height / 2 + 3) +
        rect(1, height / 2 - 2, 2, height / 2 + 2) + rect(width - 2, height / 2 - 2, width - 1, height / 2 + 2);
  }
  return around(glyph, x + width / 2, y + height / 2);
}

/** Arms of a line from the middle of its cell: left, up, right, down; 2 is heavy. */
const LINES: Readonly<Record<string, readonly [left: number, up: number, right: number, down: number]>> = {
  "─": [1, 0, 1, 0],
  "╌": [1, 0, 1, 0],
  "━": [2, 0, 2, 0],
  "═": [2, 0, 2, 0],
  "│": [0, 1, 0, 1],
  "┃": [0, 2, 0, 2],
  "║": [0, 2, 0, 2],
  "╭": [0, 0, 1, 1],
  "┌": [0, 0, 1, 1],
  "╮": [1, 0, 0, 1],
  "┐": [1, 0, 0, 1],
  "╰": [0, 1, 1, 0],
  "└": [0, 1, 1, 0],
  "╯": [1, 1, 0, 0],
  "┘": [1, 1, 0, 0],
  "├": [0, 1, 1, 1],
  "┤": [1, 1, 0, 1],
  "┏": [0, 0, 2, 2],
  "┓": [2, 0, 0, 2],
  "┗": [0, 2, 2, 0],
  "┛": [2, 2, 0, 0],
  "┣": [0, 2, 2, 2],
  "┫": [2, 2, 0, 2],
  "╔": [0, 0, 2, 2],
  "╗": [2, 0, 0, 2],
  "╚": [0, 2, 2, 0],
  "╝": [2, 2, 0, 0],
  "╠": [0, 2, 2, 2],
  "╣": [2, 2, 0, 2],
};

type Rect = (left: number, top: number, right: number, bottom: number) => string;

function lines([left, up, right, down]: readonly number[], width: number, height: number, rect: Rect): string {
  const x = width / 2, y = height / 2;
  const half = (weight: number) => weight === 2 ? 1 : 0.5;
  return (left ? rect(0, y - half(left), x + half(left), y + half(left)) : "") +
    (right ? rect(x - half(right), y - half(right), width, y + half(right)) : "") +
    (up ? rect(x - half(up), 0, x + half(up), y + half(up)) : "") +
    (down ? rect(x - half(down), y - half(down), x + half(down), height) : "");
}

/** Stripes that cover a share of the cell, in quarters. */
function shade(quarters: number, width: number, height: number, rect: Rect): string {
  let path = "";
  for (let top = 0; top + 2 <= height; top += 4) path += rect(0, top, width, top + quarters);
  return path;
}

function braille(bits: number, x: number, y: number, width: number, height: number): string {
  /** Bits by column and row. */
  const places = [[0, 1, 2, 6], [3, 4, 5, 7]];
  let path = "";
  places.forEach((rows, column) =>
    rows.forEach((bit, row) => {
      if (bits & 1 << bit) path += circle(x + width * (column * 2 + 1) / 4, y + height * (row * 2 + 1) / 8, 1.3);
    })
  );
  return path;
}

function circle(x: number, y: number, radius: number): string {
  const r = round(radius);
  return `M${round(x - radius)} ${round(y)}a${r} ${r} 0 1 0 ${round(2 * radius)} 0a${r} ${r} 0 1 0 ${round(-2 * radius)} 0z`;
}

/** A ring: its hole turns the other way. */
function ring(x: number, y: number, radius: number): string {
  const r = round(radius);
  return circle(x, y, radius + 1) +
    `M${round(x - radius)} ${round(y)}a${r} ${r} 0 1 1 ${round(2 * radius)} 0a${r} ${r} 0 1 1 ${round(-2 * radius)} 0z`;
}

/** Shapes around the middle of a cell. */
function around(glyph: string, x: number, y: number): string {
  const polygon = (...points: readonly (readonly [number, number])[]) =>
    `M${points.map(([dx, dy]) => `${round(x + dx)} ${round(y + dy)}`).join("L")}z`;
  switch (glyph) {
    case "●":
      return circle(x, y, 3);
    case "○":
      return ring(x, y, 2.2);
    case "◌":
      return [0, 60, 120, 180, 240, 300].map((angle) =>
        circle(x + 2.7 * Math.cos(angle * Math.PI / 180), y + 2.7 * Math.sin(angle * Math.PI / 180), 0.7)
      ).join("");
    case "◐":
      return `${ring(x, y, 2.2)}M${round(x)} ${round(y - 2.5)}a2.5 2.5 0 0 0 0 5z`;
    case "◆":
      return polygon([0, -4], [3.5, 0], [0, 4], [-3.5, 0]);
    case "◇":
      return `${polygon([0, -4], [3.5, 0], [0, 4], [-3.5, 0])}${polygon([0, -2.5], [-2, 0], [0, 2.5], [2, 0])}`;
    case "▸":
    case "►":
      return polygon([-2, -3], [3, 0], [-2, 3]);
    case "▾":
    case "▼":
      return polygon([-3, -2], [3, -2], [0, 3]);
    case "▴":
    case "▲":
      return polygon([-3, 2], [0, -3], [3, 2]);
    default:
      return "";
  }
}

const round = (value: number) => Number(value.toFixed(2));

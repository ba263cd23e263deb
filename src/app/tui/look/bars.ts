// Stacked bars: how a total is divided among VMs, the hypervisor and free space.

import type { CellSpan, Screen } from "../terminal/cells.ts";
import { cellsOf } from "../terminal/glyphs.ts";
import { textWidth } from "../../../kit/support/text/text-width.ts";
import type { Look } from "./theme.ts";
import type { VmMark } from "./vm-marks.ts";

export interface BarPart {
  readonly mark: VmMark;
  /** 0 to 1 of the whole bar. */
  readonly share: number;
  /** Shown in the part where it fits. */
  readonly name?: string;
  readonly size?: string;
}

/** Blanks around a name, and around name and size together. */
const AROUND_NAME = 2;
const AROUND_BOTH = 3;

/** Text of a part: name and size, the name, or its letter. Without colors, letters fill it. */
function partText({ mark: { letter }, name, size }: BarPart, cells: number, letters: boolean): string {
  const both = name !== undefined && size !== undefined ? `${name} ${size}` : undefined;
  const shown = both !== undefined && cells >= textWidth(both) + AROUND_BOTH - 1
    ? ` ${both} `
    : name !== undefined && cells >= textWidth(name) + AROUND_NAME
    ? ` ${name} `
    : "";
  if (!letters) return (shown || letter).padEnd(cells);
  return shown ? `${letter}${shown.slice(1)}`.padEnd(cells, letter).slice(0, cells) : letter.repeat(cells);
}

/** Draws a bar in one row; gives the parts that carry no name. */
export function drawStacked(
  screen: Screen,
  look: Look,
  { x, y, width }: CellSpan,
  parts: readonly BarPart[],
  quiet = false,
): BarPart[] {
  if (width <= 0) return [...parts];
  const cells = cellsOf(parts.map(({ share }) => share), width);
  const unnamed: BarPart[] = [];
  let at = x;
  parts.forEach((part, index) => {
    const own = cells[index];
    if (own === 0) return;
    const text = quiet ? " ".repeat(own) : partText(part, own, look.letters);
    const plain = look.options.depth === "none";
    screen.text(
      at,
      y,
      plain && quiet ? part.mark.letter.repeat(own) : text,
      plain ? look.bold("text") : look.on(part.mark.fill, "fink", true),
    );
    if (part.name === undefined || !text.includes(part.name)) unnamed.push(part);
    at += own;
  });
  screen.text(at, y, look.glyphs.free.repeat(Math.max(x + width - at, 0)), look.style("faint"));
  return unnamed;
}

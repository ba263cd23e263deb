// The parts of a frame besides its text: the role of each cell's ink and background, compact.
// Colors follow from roles, in every theme and depth (`color-map.ts`).

import { type Color, roleOf } from "../../src/tui/terminal/color.ts";
import type { DrawnCell, Screen } from "../../src/tui/terminal/cells.ts";
import { ROLES } from "../../src/tui/terminal/roles.ts";

/** A letter a role, in the order of `ROLES`; a guest's own colors are `~`. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function letterOf(color: Color): string {
  const role = roleOf(color);
  return role === undefined ? "~" : LETTERS[ROLES.indexOf(role)];
}

/** Runs of cells alike: how many, ink, bits of attributes, background where it is not the page. */
function runsOf(cells: readonly DrawnCell[]): string {
  const runs: { ink: string; ground: string; count: number }[] = [];
  for (const cell of cells) {
    const ground = roleOf(cell.background) === "bg" ? "" : `/${letterOf(cell.background)}`;
    // The ink of a blank does not matter.
    const ink = cell.text === " " && cell.attributes === 0 ? "" : `${letterOf(cell.foreground)}${cell.attributes || ""}`;
    const last = runs.at(-1);
    if (last && last.ground === ground && (last.ink === ink || ink === "")) last.count++;
    else runs.push({ ink, ground, count: 1 });
  }
  return runs.map(({ ink, ground, count }) => `${count}${ink}${ground}`).join(" ");
}

/** The map of a screen, one line per row. */
export function roleMap(screen: Screen): string[] {
  return Array.from({ length: screen.height }, (_, y) => runsOf(screen.cells(y)));
}

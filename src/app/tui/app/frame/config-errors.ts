// The screen of a configuration that is wrong: each error below its line, with a mark under the
// place (docs/design/workstation.md §4).

import { drawFrame } from "../../look/box.ts";
import type { Screen } from "../../terminal/cells.ts";
import { drawHints } from "./foot.ts";
import { fit } from "../../../../kit/support/text/text-width.ts";
import { beginRow } from "../../look/row.ts";
import type { Look } from "../../look/theme.ts";
import { type Problem, problemText } from "../../../../kit/support/problem.ts";

const HINTS = [{ key: "Enter", word: "open $EDITOR here" }, { key: "r", word: "check again" }, { key: "q", word: "quit" }] as const;

export class ConfigErrorScreen {
  #at = 0;
  #lines: readonly string[];
  #problems: readonly Problem[];

  constructor(readonly file: string, text: string, problems: readonly Problem[]) {
    this.#lines = text.split("\n");
    this.#problems = problems;
  }

  /** The file was checked again. */
  update(text: string, problems: readonly Problem[]): void {
    this.#lines = text.split("\n");
    this.#problems = problems;
    this.#at = Math.min(this.#at, Math.max(problems.length - 1, 0));
  }

  get selected(): Problem | undefined {
    return this.#problems[this.#at];
  }

  move(by: number): void {
    this.#at = Math.min(Math.max(this.#at + by, 0), Math.max(this.#problems.length - 1, 0));
  }

  draw(screen: Screen, look: Look): void {
    screen.clear();
    const count = this.#problems.length;
    const heading = `${this.file} has ${count} error${count === 1 ? "" : "s"}; nothing was started`;
    look.dress(screen);
    drawFrame(screen, look, { x: 0, y: 0, width: screen.width, height: 1 }, { text: heading }, { boxed: false, kind: "danger" });
    let y = 1;
    this.#problems.forEach(({ at, ...problem }, index) => {
      if (y + 2 > screen.height - 2) return;
      const place = at ? `${at.line}:${at.column}` : "";
      const source = at ? this.#lines[at.line - 1] ?? "" : "";
      const row = { x: 0, y: y++, width: screen.width, height: 1 };
      beginRow(screen, look, row, { selected: index === this.#at ? "here" : undefined }, false);
      screen.text(1, row.y, fit(`${place.padEnd(7)} ${source}`, screen.width - 1));
      const margin = at ? 9 + at.column - 1 : 1;
      screen.text(
        0,
        y++,
        fit(`${" ".repeat(Math.min(margin, screen.width >> 1))}${at ? "^ " : "! "}${problemText(problem)}`, screen.width),
        look.style("bad"),
      );
    });
    drawHints(screen, look, screen.height - 2, HINTS);
  }
}

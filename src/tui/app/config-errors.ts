// The screen of a configuration that is wrong: each error below its line, with a mark under the
// place (docs/design/workstation.md §4).

import { drawFrame } from "../look/box.ts";
import type { Screen } from "../terminal/cells.ts";
import { drawHints } from "./foot.ts";
import { fit } from "../terminal/graphemes.ts";
import { beginRow } from "../look/row.ts";
import type { Look } from "../look/theme.ts";
import type { ConfigError } from "../../configuration/config.ts";

const HINTS = [{ key: "Enter", word: "open $EDITOR here" }, { key: "r", word: "check again" }, { key: "q", word: "quit" }] as const;

export class ConfigErrorScreen {
  #at = 0;
  #lines: readonly string[];
  #errors: readonly ConfigError[];

  constructor(readonly file: string, text: string, errors: readonly ConfigError[]) {
    this.#lines = text.split("\n");
    this.#errors = errors;
  }

  /** The file was checked again. */
  update(text: string, errors: readonly ConfigError[]): void {
    this.#lines = text.split("\n");
    this.#errors = errors;
    this.#at = Math.min(this.#at, Math.max(errors.length - 1, 0));
  }

  get selected(): ConfigError | undefined {
    return this.#errors[this.#at];
  }

  move(by: number): void {
    this.#at = Math.min(Math.max(this.#at + by, 0), Math.max(this.#errors.length - 1, 0));
  }

  draw(screen: Screen, look: Look): void {
    screen.clear();
    const count = this.#errors.length;
    const heading = `${this.file} has ${count} error${count === 1 ? "" : "s"}; nothing was started`;
    look.dress(screen);
    drawFrame(screen, look, { x: 0, y: 0, width: screen.width, height: 1 }, { text: heading }, { boxed: false, kind: "danger" });
    let y = 1;
    this.#errors.forEach((error, index) => {
      if (y + 2 > screen.height - 2) return;
      const { line, column, message } = error;
      const place = line ? `${line}:${column}` : "";
      const source = line ? this.#lines[line - 1] ?? "" : "";
      const row = { x: 0, y: y++, width: screen.width, height: 1 };
      beginRow(screen, look, row, { selected: index === this.#at ? "here" : undefined }, false);
      screen.text(1, row.y, fit(`${place.padEnd(7)} ${source}`, screen.width - 1));
      const margin = line ? 9 + column - 1 : 1;
      screen.text(
        0,
        y++,
        fit(`${" ".repeat(Math.min(margin, screen.width >> 1))}${line ? "^ " : "! "}${message}`, screen.width),
        look.style("bad"),
      );
    });
    drawHints(screen, look, screen.height - 2, HINTS);
  }
}

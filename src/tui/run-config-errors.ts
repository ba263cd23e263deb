// Shows a configuration that is wrong on a terminal until it is right or the person leaves.

import { Screen } from "./cells.ts";
import type { ColorDepth } from "./color.ts";
import { ConfigErrorScreen, placedError } from "./config-errors.ts";
import { KeyParser } from "./keys.ts";
import { FramePump, TerminalMode, type TerminalPort } from "./terminal.ts";
import { Look } from "./theme.ts";
import { findTheme, themeOf } from "./themes.ts";

/** What the screen needs. */
export interface ConfigErrorOptions {
  readonly file: string;
  readonly depth: ColorDepth;
  readonly ascii: boolean;
  /** Name of one of our themes. */
  readonly theme?: string;
  /** Text and errors of the file now. */
  readonly check: () => Promise<{ readonly text: string; readonly errors: readonly string[] }>;
  /** Opens an editor at a line and comes back when it has ended. */
  readonly edit: (line: number) => Promise<void>;
}

/** True once the configuration is right; false when the person leaves. */
export async function runConfigErrors(port: TerminalPort, options: ConfigErrorOptions): Promise<boolean> {
  const { file } = options;
  const theme = findTheme(options.theme ?? "dark") ?? themeOf("dark");
  const look = new Look({ theme, depth: options.depth, glyphs: options.ascii ? "ascii" : "full" });
  const { columns, rows } = port.size();
  const screen = new Screen(columns, rows, options.depth);
  const mode = new TerminalMode(port, false);
  const first = await options.check();
  if (!first.errors.length) return true;
  const view = new ConfigErrorScreen(file, first.text, first.errors.map((error) => placedError(file, error)));
  const pump = new FramePump(port, () => {
    view.draw(screen, look);
    return screen.frame();
  }, false);
  const endResize = port.onResize(() => {
    const size = port.size();
    screen.resize(size.columns, size.rows);
    pump.request(true);
  });
  /** Looks again; true when nothing is wrong any more. */
  const again = async () => {
    const { text, errors } = await options.check();
    view.update(text, errors.map((error) => placedError(file, error)));
    return errors.length === 0;
  };
  const parser = new KeyParser();
  try {
    await mode.enter();
    pump.open();
    for await (const bytes of port.input) {
      for (const { name } of parser.push(bytes)) {
        if (name === "q" || name === "ctrl-c") return false;
        else if (name === "j" || name === "Down") view.move(1);
        else if (name === "k" || name === "Up") view.move(-1);
        else if (name === "r" && await again()) return true;
        else if (name === "Enter") {
          pump.close();
          await mode.leave();
          await options.edit(view.selected?.line || 1);
          if (await again()) return true;
          await mode.enter();
          screen.invalidate();
          pump.open();
        }
      }
      pump.request(true);
    }
    return false;
  } finally {
    pump.close();
    endResize();
    await mode.leave();
  }
}

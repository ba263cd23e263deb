// A person who presses anything, resizes the terminal and changes themes: frames for terminals that
// have to show them as they were drawn.

import { Rig } from "./rig.ts";
import type { AppOptions } from "../../../src/app/tui/app/app-port.ts";
import type { ColorDepth } from "../../../src/app/tui/terminal/color.ts";
import { KeyParser } from "../../../src/app/tui/terminal/key-parser.ts";
import { textBytes } from "../../../src/app/tui/terminal/keys.ts";
import type { ThemeName } from "../../../src/app/tui/look/themes.ts";
import { Random } from "../../support/random.ts";

/** Possible key presses, as terminals send them. */
const KEYS = [
  ..." 0123456789abcdefghijklmnoprstuvwxyzGKLN?:!/[]<>+-=",
  "\r",
  "\r",
  "\x1b",
  "\x1b",
  "\t",
  "\x7f",
  "\x17",
  "\x1b[A",
  "\x1b[B",
  "\x1b[C",
]
  .concat(["\x1b[D", "\x1b[5~", "\x1b[6~", "\x1d", "\x1b[<0;9;9M", "\x1b[<0;9;9m", "\x1b[<32;30;14M", "\x1b[<64;20;20M"]);
const THEMES: readonly ThemeName[] = ["dark", "light", "solarized", "terminal"];

/** A frame that was drawn and not sent yet. */
export interface Step {
  readonly rig: Rig;
  /** Which step it is, and what came before it. */
  readonly name: string;
  /** The terminal has another size than before. */
  readonly resized: boolean;
}

/** Random keys, resizes, themes and samples, from 100x30 on; each step is drawn. */
export async function* randomWalk(seed: number, steps: number, options: Partial<AppOptions>, depth: ColorDepth): AsyncGenerator<Step> {
  const random = new Random(seed), rig = new Rig(100, 30, options, depth);
  const parser = new KeyParser();
  const trail: string[] = [];
  for (let step = 0; step < steps; step++) {
    const what = random.below(20);
    if (what === 0) {
      const columns = 40 + random.below(180), rows = 8 + random.below(60);
      rig.screen.resize(columns, rows);
      trail.push(`${columns}x${rows}`);
    } else if (what === 1 && (depth === "direct" || depth === "16")) {
      const theme = THEMES[random.below(THEMES.length)];
      rig.app.setTheme(theme);
      trail.push(theme);
    } else if (what === 2) {
      rig.time += random.below(3000);
      rig.sample();
    } else {
      const key = KEYS[random.below(KEYS.length)];
      trail.push(key);
      for (const pressed of [...parser.push(textBytes(key)), ...parser.flush()]) rig.app.key(pressed);
    }
    rig.app.draw(rig.screen);
    yield { rig, name: `step ${step}, after ${JSON.stringify(trail.slice(-12))}`, resized: what === 0 };
  }
}

// What a terminal shows is what was drawn, text and colors, in every depth.

import type { AppOptions } from "../../src/tui/app.ts";
import type { ColorDepth } from "../../src/tui/color.ts";
import { Emulator } from "./emulator.ts";
import { everyFrame } from "./every-frame.ts";
import { Rig } from "./rig.ts";
import { KeyParser, textBytes } from "../../src/tui/keys.ts";
import type { ThemeName } from "../../src/tui/themes.ts";
import { Random } from "../support/random.ts";

/** Steps of random keys. */
const STEPS = Deno.env.get("EL2_LONG") !== undefined ? 10_000 : 150;

/** Looks: each depth, light and dark, all sets of glyphs. */
const LOOKS: readonly (readonly [name: string, depth: ColorDepth, options: Partial<AppOptions>])[] = [
  ["direct color, dark", "direct", { theme: "dark", ascii: false }],
  ["direct color, light", "direct", { theme: "light", ascii: false }],
  ["256 colors, dark", "256", { theme: "dark", ascii: false }],
  ["256 colors, high contrast, ASCII", "256", { theme: "high-contrast", ascii: true }],
  ["16 colors, the terminal's own, blocks", "16", { theme: "terminal", ascii: false, blocks: true }],
  ["no color, ASCII", "none", { ascii: true }],
];

for (const [name, depth, options] of LOOKS) {
  Deno.test(`W81: a terminal shows every screen and state as it was drawn, in ${name}`, async () => {
    for await (const [state, rig] of everyFrame(80, 24, depth, options)) {
      const emulator = new Emulator(80, 24);
      // Bytes of the frame that the state came from were for another terminal.
      rig.screen.invalidate();
      await emulator.assertTakes(rig.screen, state);
    }
  });
}

/** What a person may press, as terminals send it. */
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

/** The terminals of this test: direct color, and the console of Linux. */
for (
  const [name, depth, options] of [
    ["direct color", "direct", { ascii: false }],
    ["16 colors of TERM=linux", "16", { ascii: false, blocks: true, theme: "terminal" }],
  ] as const
) {
  Deno.test(`after random resizes, themes and keys a terminal of ${name} shows what was drawn`, async () => {
    const random = new Random(17);
    const emulator = new Emulator(100, 30), rig = new Rig(100, 30, options, depth);
    const parser = new KeyParser();
    const trail: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const what = random.below(20);
      if (what === 0) {
        const columns = 40 + random.below(180), rows = 8 + random.below(60);
        emulator.resize(columns, rows);
        rig.screen.resize(columns, rows);
        trail.push(`${columns}x${rows}`);
      } else if (what === 1 && depth === "direct") {
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
      await emulator.assertTakes(rig.screen, `step ${step}, after ${JSON.stringify(trail.slice(-12))}`);
    }
  });
}

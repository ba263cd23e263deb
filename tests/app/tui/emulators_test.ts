// A terminal's content equals the drawing, text and colors, in every depth.

import type { AppOptions } from "../../../src/app/tui/app/app-port.ts";
import type { ColorDepth } from "../../../src/app/tui/terminal/color.ts";
import { LONG } from "../../support/long.ts";
import { Emulator } from "./emulator.ts";
import { everyFrame } from "./every-frame.ts";
import { randomWalk } from "./random-walk.ts";

/** Steps of random keys. */
const STEPS = LONG ? 10_000 : 150;

type Look = readonly [name: string, depth: ColorDepth, options: Partial<AppOptions>];
/** Looks: all colors, no colors, all sets of glyphs; other depths and themes with EL2_LONG. */
const LOOKS: readonly Look[] = [
  ["direct color, dark", "direct", { theme: "dark", ascii: false }],
  ...LONG
    ? [
      ["direct color, light", "direct", { theme: "light", ascii: false }],
      ["256 colors, dark", "256", { theme: "dark", ascii: false }],
      ["256 colors, high contrast, ASCII", "256", { theme: "high-contrast", ascii: true }],
    ] satisfies Look[]
    : [],
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

/** The terminals of this test: direct color, and the console of Linux. */
for (
  const [name, depth, options] of [
    ["direct color", "direct", { ascii: false }],
    ["16 colors of TERM=linux", "16", { ascii: false, blocks: true, theme: "terminal" }],
  ] as const
) {
  Deno.test(`after random resizes, themes and keys a terminal of ${name} shows what was drawn`, async () => {
    const emulator = new Emulator(100, 30);
    for await (const { rig, name, resized } of randomWalk(17, STEPS, options, depth)) {
      if (resized) emulator.resize(rig.screen.width, rig.screen.height);
      await emulator.assertTakes(rig.screen, name);
    }
  });
}

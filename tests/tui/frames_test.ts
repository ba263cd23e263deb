// Golden frames of a real machine: the text of each screen and state in ASCII, the role of each
// cell with all glyphs, and a checksum of what all themes and depths write for them.
// `emulators_test.ts` tests how terminals show roles, `glyphs_test.ts` that text has the same place
// with all glyphs.

import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { ColorMap } from "../../src/tui/terminal/color-map.ts";
import { THEME_NAMES, themeOf } from "../../src/tui/look/themes.ts";
import { realMachine } from "./real-machine.ts";
import { Rig, SCREENS } from "./rig.ts";
import { roleMap } from "./role-map.ts";
import { STATES } from "./states.ts";

const SIZES = [[80, 24], [120, 36], [200, 60]] as const;
const COLORED = THEME_NAMES.filter((name) => name !== "terminal");

/** Colors of a frame with all glyphs: every theme in direct color and 256, and the sixteen. */
const MAPS: readonly ColorMap[] = [
  ...COLORED.flatMap((name) => (["direct", "256"] as const).map((depth) => new ColorMap(themeOf(name), depth))),
  new ColorMap(themeOf("terminal"), "16"),
];

const machine = await realMachine();

/** Adds the bytes of a look. */
function add(to: Hash, rig: Rig): void {
  rig.screen.invalidate();
  to.update(rig.screen.frame());
}

async function golden(t: Deno.TestContext, width: number, height: number, begin: (rig: Rig) => Promise<void> | void): Promise<void> {
  const looks = createHash("sha256");
  for (const [name, depth, ascii] of [["ASCII", "16", true], ["no color", "none", false], ["full", "direct", false]] as const) {
    const rig = new Rig(width, height, { ascii, theme: depth === "16" ? "terminal" : "dark" }, depth, machine);
    await rig.lines();
    rig.frame();
    await begin(rig);
    const shown = await rig.lines();
    assert.equal(shown.length, height);
    if (name === "ASCII") await t.assertSnapshot(shown);
    if (name !== "full") {
      add(looks, rig);
      continue;
    }
    await t.assertSnapshot(roleMap(rig.screen));
    for (const map of MAPS) {
      rig.screen.wear(map, "full");
      add(looks, rig);
    }
  }
  await t.assertSnapshot(looks.digest("hex").slice(0, 12));
}

for (const [width, height] of SIZES) {
  for (const key of SCREENS) {
    Deno.test(`L42: screen ${key} at ${width}x${height}`, (t) => golden(t, width, height, (rig) => rig.type(key)));
  }
  for (const [name, begin] of STATES) Deno.test(`L42: ${name} at ${width}x${height}`, (t) => golden(t, width, height, begin));
}

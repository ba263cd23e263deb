// Golden frames of a real machine: the text of each screen and state in ASCII, the role of each
// cell with all glyphs, and a checksum of what each theme and depth writes for them.
// `emulators_test.ts` tests how terminals show roles, `glyphs_test.ts` that text has the same place
// with all glyphs.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ColorMap } from "../../src/tui/terminal/color-map.ts";
import { THEME_NAMES, themeOf } from "../../src/tui/look/themes.ts";
import { realMachine } from "./real-machine.ts";
import { Rig, SCREENS } from "./rig.ts";
import { roleMap } from "./role-map.ts";
import { STATES } from "./states.ts";

const SIZES = [[80, 24], [120, 36], [200, 60]] as const;
const COLORED = THEME_NAMES.filter((name) => name !== "terminal");

/** Colors of a frame with all glyphs: every theme in direct color and 256, and the sixteen. */
const MAPS: readonly (readonly [name: string, map: ColorMap])[] = [
  ...COLORED.flatMap((name) =>
    (["direct", "256"] as const).map((depth) => [`${name} ${depth}`, new ColorMap(themeOf(name), depth)] as const)
  ),
  ["16", new ColorMap(themeOf("terminal"), "16")],
];

const machine = await realMachine();

/** The beginning of the SHA-256 of the bytes of a look. */
function sum(rig: Rig): string {
  rig.screen.invalidate();
  return createHash("sha256").update(rig.screen.frame()).digest("hex").slice(0, 12);
}

async function golden(t: Deno.TestContext, width: number, height: number, begin: (rig: Rig) => Promise<void> | void): Promise<void> {
  const looks: string[] = [];
  for (const [name, depth, ascii] of [["ASCII", "16", true], ["no color", "none", false], ["full", "direct", false]] as const) {
    const rig = new Rig(width, height, { ascii, theme: depth === "16" ? "terminal" : "dark" }, depth, machine);
    await rig.lines();
    rig.frame();
    await begin(rig);
    const shown = await rig.lines();
    assert.equal(shown.length, height);
    if (name === "ASCII") await t.assertSnapshot(shown);
    if (name !== "full") {
      looks.push(`${name} ${sum(rig)}`);
      continue;
    }
    await t.assertSnapshot(roleMap(rig.screen));
    for (const [look, map] of MAPS) {
      rig.screen.wear(map, "full");
      looks.push(`${look} ${sum(rig)}`);
    }
  }
  await t.assertSnapshot(looks);
}

for (const [width, height] of SIZES) {
  for (const key of SCREENS) {
    Deno.test(`L42: screen ${key} at ${width}x${height}`, (t) => golden(t, width, height, (rig) => rig.type(key)));
  }
  for (const [name, begin] of STATES) Deno.test(`L42: ${name} at ${width}x${height}`, (t) => golden(t, width, height, begin));
}

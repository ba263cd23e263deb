// Golden frames: the text of each screen and state in ASCII, and the role of each cell with all
// glyphs. `emulators_test.ts` tests how terminals show roles, `glyph-sets_test.ts` that text has
// the same place with all glyphs.

import assert from "node:assert/strict";
import { Rig, SCREENS } from "./rig.ts";
import { roleMap } from "./role-map.ts";
import { STATES } from "./states.ts";

const SIZES = [[80, 24], [120, 36], [200, 60]] as const;

async function golden(t: Deno.TestContext, width: number, height: number, begin: (rig: Rig) => Promise<void> | void): Promise<void> {
  for (const ascii of [true, false]) {
    const rig = new Rig(width, height, { ascii }, ascii ? "16" : "direct");
    await rig.lines();
    rig.frame();
    await begin(rig);
    const shown = await rig.lines();
    assert.equal(shown.length, height);
    await t.assertSnapshot(ascii ? shown : roleMap(rig.screen));
  }
}

for (const [width, height] of SIZES) {
  for (const key of SCREENS) {
    Deno.test(`L42: screen ${key} at ${width}x${height}`, (t) => golden(t, width, height, (rig) => rig.type(key)));
  }
  for (const [name, begin] of STATES) Deno.test(`L42: ${name} at ${width}x${height}`, (t) => golden(t, width, height, begin));
}

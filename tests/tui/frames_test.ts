import assert from "node:assert/strict";
import { Rig, SCREENS } from "./rig.ts";
import { STATES } from "./states.ts";

for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
  for (const key of SCREENS) {
    Deno.test(`screen ${key} at ${width}x${height}`, async (t) => {
      const rig = new Rig(width, height);
      await rig.type(key);
      const shown = await rig.lines();
      assert.equal(shown.length, height);
      await t.assertSnapshot(shown);
    });
  }
}

for (const [name, begin] of STATES) {
  for (const [width, height] of [[80, 24], [120, 36], [200, 60]]) {
    Deno.test(`${name} at ${width}x${height}`, async (t) => {
      const rig = new Rig(width, height);
      await rig.lines();
      rig.frame();
      await begin(rig);
      await t.assertSnapshot(await rig.lines());
    });
  }
  for (const depth of ["16", "none"] as const) {
    Deno.test(`${name} ${depth === "16" ? "in 16 colors" : "without color"}, every byte`, async (t) => {
      const rig = new Rig(80, 24, {}, depth);
      await rig.lines();
      rig.frame();
      await begin(rig);
      await rig.lines();
      rig.screen.invalidate();
      await t.assertSnapshot(rig.frame());
    });
  }
}

for (const [depth, name] of [["16", "in 16 colors"], ["none", "without color"]] as const) {
  for (const key of SCREENS) {
    Deno.test(`screen ${key} ${name}, every byte`, async (t) => {
      const rig = new Rig(80, 24, {}, depth);
      await rig.type(key);
      await rig.lines();
      rig.screen.invalidate();
      await t.assertSnapshot(rig.frame());
    });
  }
}

for (
  const [depth, theme] of [["16", "terminal"], ["256", "dark"], ["direct", "dark"], ["direct", "light"], [
    "direct",
    "high-contrast",
  ]] as const
) {
  Deno.test(`W81: interrupts in ${depth} colors, theme ${theme}`, async (t) => {
    const rig = new Rig(80, 24, { theme }, depth);
    await rig.type("3");
    await rig.lines();
    await t.assertSnapshot(rig.frame());
  });
}

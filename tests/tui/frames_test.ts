import assert from "node:assert/strict";
import { Rig, SCREENS } from "./rig.ts";

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

/** What lies over a screen, or stands in its place: how it comes, by keys or otherwise. */
const STATES: readonly (readonly [name: string, begin: (rig: Rig) => Promise<void> | void])[] = [
  ["help", (rig) => rig.type("?")],
  ["help, searched", (rig) => rig.type("?fold")],
  ["palette", (rig) => rig.type(":mem")],
  ["actions of a VM", (rig) => rig.type("gjjja")],
  ["danger of a VM", (rig) => rig.type("gjjj!")],
  ["a question", (rig) => rig.type("gjjj!s")],
  ["copies", (rig) => rig.keys("2y")],
  ["a filter that is wrong", (rig) => rig.keys("2/stat=on")],
  ["a stop rule", (rig) => rig.keys("2b")],
  ["typing into a console", (rig) => rig.type("c")],
  ["a filter on the tree", (rig) => rig.keys("/state=wfi\r")],
  ["memory by owner", (rig) => rig.keys("4v")],
  ["memory by state", (rig) => rig.keys("4vv")],
  ["what a request in a queue says", (rig) => rig.keys("6jv")],
  ["two screens", (rig) => rig.type("2\x17v")],
  ["zoomed", (rig) => rig.type("3z")],
  ["paused", (rig) => rig.apply({ kind: "paused", paused: true })],
  ["the past", (rig) => rig.apply({ kind: "paused", paused: true, past: true })],
  ["frozen", (rig) => rig.type(" ")],
  ["ended", (rig) => rig.apply({ kind: "ended", end: { code: 1, message: "crashed: rt" } })],
  ["lost", (rig) => rig.app.lost("session phone: its socket is gone")],
];

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
    Deno.test(`${name} ${depth === "16" ? "in 16 colours" : "without colour"}, every byte`, async (t) => {
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

for (const [depth, name] of [["16", "in 16 colours"], ["none", "without colour"]] as const) {
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
  Deno.test(`W81: interrupts in ${depth} colours, theme ${theme}`, async (t) => {
    const rig = new Rig(80, 24, { theme }, depth);
    await rig.type("3");
    await rig.lines();
    await t.assertSnapshot(rig.frame());
  });
}

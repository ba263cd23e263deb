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
import { snapshotsOf } from "./snapshots.ts";
import { STATES } from "./states.ts";

const SNAPSHOTS = snapshotsOf(import.meta.url);

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

/** A frame's text in ASCII, and the roles of its cells with all glyphs. */
interface Frame {
  readonly text: readonly string[];
  readonly roles: readonly string[];
}

type Begin = (rig: Rig) => Promise<void> | void;

/** The frame after `begin`, the key of its screen, and a checksum of all its looks. */
async function drawn(width: number, height: number, begin: Begin): Promise<Frame & { readonly screen: string; readonly looks: string }> {
  const looks = createHash("sha256");
  let text: readonly string[] = [];
  for (const [name, depth, ascii] of [["ASCII", "16", true], ["no color", "none", false], ["full", "direct", false]] as const) {
    const rig = new Rig(width, height, { ascii, theme: depth === "16" ? "terminal" : "dark" }, depth, machine);
    await rig.lines();
    rig.frame();
    await begin(rig);
    const shown = await rig.lines();
    assert.equal(shown.length, height);
    if (name === "ASCII") text = shown;
    if (name !== "full") {
      add(looks, rig);
      continue;
    }
    const roles = roleMap(rig.screen);
    for (const map of MAPS) {
      rig.screen.wear(map, "full");
      add(looks, rig);
    }
    return { text, roles, screen: rig.shown, looks: looks.digest("hex").slice(0, 12) };
  }
  throw new Error("no look has all glyphs");
}

/**
 * Rows of a frame without repetitions: those equal to the row above are counted, and of a state of
 * a screen those that the screen has too are left out, so that the rest have their numbers.
 */
function withoutRepetitions(rows: readonly string[], screen?: readonly string[]): string[] {
  const kept: string[] = [];
  let equal = 0;
  const count = () => {
    if (equal > 0) kept.push(`= ${equal} more`);
    equal = 0;
  };
  rows.forEach((row, y) => {
    if (row === screen?.[y]) return count();
    if (row === rows[y - 1] && row !== "" && (screen === undefined || rows[y - 1] !== screen[y - 1])) return equal++;
    count();
    kept.push(screen === undefined ? row : `${y}: ${row}`);
  });
  count();
  return kept;
}

for (const [width, height] of SIZES) {
  const screens = new Map<string, Frame>();
  for (const key of SCREENS) {
    Deno.test(`L42: screen ${key} at ${width}x${height}`, async (t) => {
      const frame = await drawn(width, height, (rig) => rig.type(key));
      screens.set(key, frame);
      await t.assertSnapshot(withoutRepetitions(frame.text), SNAPSHOTS);
      await t.assertSnapshot(withoutRepetitions(frame.roles), SNAPSHOTS);
      await t.assertSnapshot(frame.looks, SNAPSHOTS);
    });
  }
  for (const [name, begin] of STATES) {
    Deno.test(`L42: ${name} at ${width}x${height}`, async (t) => {
      const { text, roles, screen, looks } = await drawn(width, height, begin);
      const base = screens.get(screen) ?? await drawn(width, height, (rig) => rig.type(screen));
      await t.assertSnapshot([`screen ${screen}, but:`, ...withoutRepetitions(text, base.text)], SNAPSHOTS);
      await t.assertSnapshot(withoutRepetitions(roles, base.roles), SNAPSHOTS);
      await t.assertSnapshot(looks, SNAPSHOTS);
    });
  }
}

Deno.test("a golden frame has each row once, and of a state what differs from its screen", () => {
  const screen = ["a", "b", "b", "b", "c"];
  assert.deepEqual(withoutRepetitions(screen), ["a", "b", "= 2 more", "c"]);
  assert.deepEqual(withoutRepetitions(["a", "x", "x", "b", "b"], screen), ["1: x", "= 1 more", "4: b"]);
  assert.deepEqual(withoutRepetitions(screen, screen), []);
});

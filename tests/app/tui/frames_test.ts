// Golden frames of a real machine: the text of each screen and state in ASCII, and the roles of
// what has a meaning in them. `colors_test.ts` has the colors of roles, `emulators_test.ts` how
// terminals show them, `glyphs_test.ts` that text has the same place with all glyphs.

import assert from "node:assert/strict";
import { roleOf } from "../../../src/app/tui/terminal/color.ts";
import type { Role } from "../../../src/app/tui/terminal/roles.ts";
import { everyFrame } from "./every-frame.ts";
import { realMachine } from "./real-machine.ts";
import { Rig, SCREENS } from "./rig.ts";
import { snapshotsOf } from "./snapshots.ts";
import { STATES } from "./states.ts";

const SNAPSHOTS = snapshotsOf(import.meta.url);

const SIZES = [[80, 24], [120, 36], [200, 60]] as const;

const machine = await realMachine();

interface Frame {
  readonly text: readonly string[];
  /** The key of its screen. */
  readonly screen: string;
}

/** The frame after `begin`. */
async function drawn(width: number, height: number, begin: (rig: Rig) => Promise<void> | void): Promise<Frame> {
  const rig = new Rig(width, height, { ascii: true, theme: "terminal" }, "16", machine);
  await rig.lines();
  rig.frame();
  await begin(rig);
  const text = await rig.lines();
  assert.equal(text.length, height);
  return { text, screen: rig.shown };
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
    });
  }
  for (const [name, begin] of STATES) {
    Deno.test(`L42: ${name} at ${width}x${height}`, async (t) => {
      const { text, screen } = await drawn(width, height, begin);
      const base = screens.get(screen) ?? await drawn(width, height, (rig) => rig.type(screen));
      await t.assertSnapshot([`screen ${screen}, but:`, ...withoutRepetitions(text, base.text)], SNAPSHOTS);
    });
  }
}

/** Texts with a meaning: wherever a frame has one, its ink and its ground are one of these. */
const MEANINGS: readonly (readonly [what: string, text: RegExp, ...roles: `${Role} on ${Role}`[]])[] = [
  ["the session is live", /● LIVE/g, "ink on ok"],
  ["it is in the past", /◆ PAST/g, "ink on past"],
  ["it has ended", /ended: crashed: pong/g, "strong on badbg"],
  ["an alarm in the header", /! \d+ new refusal/g, "bad on badbg"],
  ["an alarm's chip", /! REFUSED/g, "ink on bad"],
  ["an alarm's text", /host asked MEM_RECLAIM/g, "strong on badbg"],
  ["a row that is refused", /!(?=parcel:)/g, "bad on badbg", "bad on selq"],
  ["what blocks an object", /× blocked/g, "bad on selq", "bad on sel"],
  ["an error", /(?<!Answer 0x0b )\bMEM_INUSE\b(?! is|:)/g, "bad on bg", "bad on badbg", "bad on sel"],
  ["the rule that failed", /▌(?= .*× rule)|× rule/g, "bad on badbg"],
  ["the way out", /▌ Way out/g, "ok on okbg"],
  ["an answer of success", /(?<=→ )OK\b/g, "ok on bg", "ok on sel"],
  ["what runs", /● runs/g, "ok on bg", "ok on sel"],
  ["the selection", /▌(?! +[└×W]| vm:ping sends|0x|p\d)/g, "accent on sel", "faint on selq"],
  ["a link", /\bobj:\d+|<console_waiting>|<power_off>/g, "link on bg", "link on selq"],
  ["a key", /\?(?= help)/g, "accent on bg"],
  ["a filter that is wrong", /no field "stat"/g, "bad on bg"],
  ["a dangerous question", /Stop vm:hello\?/g, "bad on overlay"],
  ["a VM's letter", /\bE(?= hello\b)/g, "fink on fill2"],
];

Deno.test("what has a meaning has its role in every frame", async () => {
  const seen = new Set<string>();
  for (const [width, height] of SIZES) {
    for await (const [name, rig] of everyFrame(width, height, "direct", { ascii: false }, machine)) {
      // Without a session all but its box is dim (L53).
      if (name === "lost") continue;
      for (let y = 0; y < height; y++) {
        const cells = rig.screen.cells(y), row = cells.map(({ text }) => text[0] ?? " ").join("");
        for (const [what, text, ...roles] of MEANINGS) {
          for (const { 0: found, index } of row.matchAll(text)) {
            seen.add(what);
            const inked = cells.slice(index, index + found.length).filter((cell) => cell.text.trim() !== "");
            for (const { foreground, background } of inked) {
              const pair = `${roleOf(foreground)} on ${roleOf(background)}`;
              assert.ok(roles.some((role) => role === pair), `${what}, ${name} at ${width}x${height}: ${pair}\n${row}`);
            }
          }
        }
      }
    }
  }
  assert.deepEqual(MEANINGS.map(([what]) => what).filter((what) => !seen.has(what)), [], "in no frame");
});

Deno.test("a golden frame has each row once, and of a state what differs from its screen", () => {
  const screen = ["a", "b", "b", "b", "c"];
  assert.deepEqual(withoutRepetitions(screen), ["a", "b", "= 2 more", "c"]);
  assert.deepEqual(withoutRepetitions(["a", "x", "x", "b", "b"], screen), ["1: x", "= 1 more", "4: b"]);
  assert.deepEqual(withoutRepetitions(screen, screen), []);
});

// The numbers that `deno task structure` prints may fall and not rise. A limit is the number of
// today: one that is higher is no longer needed, and fails too. scripts/structure/measures.ts has
// the goals.

import assert from "node:assert/strict";
import { type Measure, measures } from "../../scripts/structure/measures.ts";

/** The value of each measure. */
const LIMITS: Readonly<Record<string, number>> = {
  "verb.greatest": 2,
  "verb.mean": 1.3,
  "verb.more": 0,
  "screen.greatest": 4,
  "screen.mean": 3.9,
  "screen.more": 0,
  "linux-table.greatest": 3,
  "linux-table.mean": 2.9,
  "linux-table.more": 0,
  "verdict.greatest": 2,
  "verdict.mean": 2,
  "verdict.more": 0,
  "key.greatest": 2,
  "key.mean": 1.7,
  "key.more": 0,
  commands: 63,
  "commands.all": 141,
  options: 122,
  "options.lines": 419,
  "options.boot": 32,
  "options.run": 31,
  keys: 138,
  "names.session": 110,
  "names.machine": 380,
  "rooms.cli": 23,
  "types.declared": 56,
  "types.twice": 0,
  folders: 7,
  "folders.flat": 0,
  "files.small": 162,
  spreads: 6,
  "code.src": 161,
  "code.tests": 116,
  longFunctions: 0,
  longTables: 8,
  manyParameters: 0,
  nonNull: 132,
  casts: 327,
  longFiles: 17,
  circles: 4,
  pairs: 0,
};

/** Places of a measure that are shown. */
const SHOWN = 12;

/** Measures that are not at their limit, each with what to do. */
function offLimits(limits: typeof LIMITS, all: readonly Measure[]): string[] {
  const gone = Object.keys(limits).filter((name) => !all.some((measure) => measure.name === name));
  return [
    ...all.flatMap(({ name, what, value, worst }) => {
      const limit = limits[name];
      if (limit === undefined) return [`${name}: no limit; write ${value}`];
      if (value < limit) return [`${name}: ${what}: ${value}; write ${value} instead of ${limit}`];
      const places = [...worst.slice(0, SHOWN), ...worst.length > SHOWN ? ["…"] : []].map((place) => `\n    ${place}`);
      return value > limit ? [`${name}: ${what}: ${limit} became ${value}:${places.join("")}`] : [];
    }),
    ...gone.map((name) => `${name}: no such measure; remove its limit`),
  ];
}

Deno.test("no measure of the house rises, and no limit is higher than its measure", async () => {
  const off = offLimits(LIMITS, await measures());
  assert.ok(off.length === 0, `\n${off.join("\n")}\n(deno task structure src has all places)`);
});

Deno.test("a measure that rose is named with its places; a limit that is too high, missing or left over is an error", () => {
  const measure = (value: number): Measure => ({ name: "files.small", what: "small files", value, worst: ["a.ts", "b.ts"] });
  assert.deepEqual(offLimits({ "files.small": 2 }, [measure(2)]), []);
  assert.deepEqual(offLimits({ "files.small": 1 }, [measure(2)]), ["files.small: small files: 1 became 2:\n    a.ts\n    b.ts"]);
  assert.deepEqual(offLimits({ "files.small": 3 }, [measure(2)]), ["files.small: small files: 2; write 2 instead of 3"]);
  assert.deepEqual(offLimits({}, [measure(2)]), ["files.small: no limit; write 2"]);
  assert.deepEqual(offLimits({ "files.small": 2, other: 1 }, [measure(2)]), ["other: no such measure; remove its limit"]);
});

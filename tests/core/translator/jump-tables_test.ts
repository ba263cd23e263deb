// Indirect branches of a hostile page, each by its own table.

import assert from "node:assert/strict";
import { JumpTables } from "../../../src/core/translator/jump-tables.ts";
import { INSTRUCTIONS } from "./executed-code.ts";

/** `br x1` */
const BRANCH = 0xd61f_0020;

/** Loads of X1 by different expressions: sizes, extensions, shifts and base registers. */
const LOADS = [0, 1, 2, 3].flatMap((size) =>
  [2, 3, 6, 7].flatMap((option) =>
    [0, 1].flatMap((shift) =>
      Array.from({ length: 16 }, (_, base) => (0x3862_0801 | size << 30 | option << 13 | shift << 12 | base + 3 << 5) >>> 0)
    )
  )
);

Deno.test("the words that are read for a branch by a table are those around it, once, however many branches there are", () => {
  const words = LOADS.flatMap((load) => [load, BRANCH]);
  let read = 0;
  const tables = new JumpTables({
    instructions: INSTRUCTIONS,
    has: (index) => index >= 0 && index < words.length,
    word: (index) => (read++, words[index]),
    isKnown: () => true,
    isHead: () => false,
  });
  for (let at = 1; at < words.length; at += 2) assert.equal(tables.targetsOf(at).table, undefined);
  assert.ok(read < LOADS.length * 512, `${read} words for ${LOADS.length} branches`);
});

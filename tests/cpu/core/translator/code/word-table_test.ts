// The table of values by instruction word: it may forget, and never answers for another word.

import assert from "node:assert/strict";
import { WordTable } from "../../../../../src/cpu/core/translator/code/word-table.ts";
import { Random } from "../../../../support/random.ts";

const NOP = 0xd503201f | 0, RET = 0xd65f03c0 | 0, UDF = 0;

/** A table of `2 << shift` complements of words, and the words that it computed them for. */
function complements(shift: number) {
  const computed: number[] = [];
  const table = new WordTable((word) => {
    computed.push(word);
    return ~word;
  }, shift);
  return { table, computed };
}

Deno.test("each word of a small table has the value that is computed for it", () => {
  const random = new Random(1);
  const words = Array.from({ length: 64 }, () => random.word() | 0);
  for (const shift of [1, 3, 8]) {
    const { table, computed } = complements(shift);
    for (let i = 0; i < 20_000; i++) {
      const word = words[random.below(words.length)];
      assert.equal(table.of(word), ~word);
    }
    assert.ok(computed.length < 20_000, "nothing was kept");
  }
});

Deno.test("words that are met in turn are computed once each where there is room", () => {
  const { table, computed } = complements(12);
  for (let round = 0; round < 3; round++) for (const word of [NOP, RET, UDF]) table.of(word);
  assert.deepEqual(computed, [NOP, RET, UDF]);
});

Deno.test("a table of four places forgets some of five words", () => {
  const { table, computed } = complements(1);
  const words = [UDF, NOP, RET, 1, 2];
  for (let round = 0; round < 3; round++) for (const word of words) table.of(word);
  assert.ok(computed.length > words.length, `${computed.length} were computed`);
});

Deno.test("that a word has no value is known as long as a value", () => {
  let asked = 0;
  const table = new WordTable<string | null>(() => (asked++, null), 4);
  assert.equal(table.of(UDF), null);
  assert.equal(table.of(UDF), null);
  assert.equal(asked, 1);
});

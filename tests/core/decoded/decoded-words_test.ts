// Words that were decoded before are filled from what is remembered, and from nothing else.

import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodedWords, placeOf } from "../../../src/core/decoded/decoded-words.ts";
import { DECODED_SIZE } from "../../../src/core/decoded/operands.ts";

const HALVES = DECODED_SIZE / 2;

/** Words, and for some of them another one with the same place. */
const word = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const words = fc.array(fc.oneof(word, fc.constantFrom(0, 1, ...sharing(0), ...sharing(0xd503201f | 0))), { minLength: 1, maxLength: 200 });

function sharing(word: number): number[] {
  const others: number[] = [];
  for (let other = word + 1; others.length < 3; other++) if (placeOf(other | 0) === placeOf(word)) others.push(other | 0);
  return [word, ...others];
}

Deno.test("a word is found with what it was decoded to, until another takes its place", () => {
  const memory = new WebAssembly.Memory({ initial: 1 }), halves = new Uint16Array(memory.buffer);
  fc.assert(fc.property(words, (words) => {
    const known = new DecodedWords(memory), kept = new Map<number, { word: number; value: number }>();
    for (const [index, word] of words.entries()) {
      const before = kept.get(placeOf(word)), value = 7 + index;
      halves.fill(0xffff, 0, 2 * HALVES);
      assert.equal(known.copy(word, DECODED_SIZE), before?.word === word);
      const expected = before?.word === word ? before.value : 0xffff;
      assert.ok(halves.subarray(HALVES, 2 * HALVES).every((half) => half === expected), "all of it, as it was kept");
      assert.ok(halves.subarray(0, HALVES).every((half) => half === 0xffff), "and nothing beside it");
      halves.fill(value, 0, HALVES);
      known.keep(word, 0);
      kept.set(placeOf(word), { word, value });
    }
  }));
});

// A guest's memory that is made to cost time where a kernel's symbols are looked for. Work is
// counted, so that the bound holds on any computer.

import assert from "node:assert/strict";
import { readKallsyms } from "../../../src/inside/symbols/kallsyms.ts";
import { PIECE_STEPS, Work } from "../../../src/kit/support/values/work.ts";

const BASE = 0xffff_8000_8000_0000n;
const MIB = 1 << 20;
const DIGITS = Uint8Array.from({ length: 20 }, (_, index) => index % 2 ? 0 : 0x30 + index / 2);

/** Steps of a piece at most: those after which it pauses, and those until it can. */
const PIECE_MAX = 3 * PIECE_STEPS;

/** Steps that the search takes, which finds nothing. */
function steps(bytes: Uint8Array): number {
  const search = readKallsyms({ base: BASE, bytes }), before = Work.spent;
  for (let last = before;;) {
    const { done, value } = search.next(), spent = Work.spent;
    assert.ok(spent - last <= PIECE_MAX, `a piece of ${spent - last} steps`);
    last = spent;
    if (!done) continue;
    assert.equal(value, undefined);
    return spent - before;
  }
}

function repeated(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => DIGITS[index % DIGITS.length]);
}

/**
 * A table of 256 tokens with its index, before it `markers`, and before those `names`. Each token
 * but the digits is `token`.
 */
function table(names: Uint8Array, markers: readonly number[], token: string): Uint8Array {
  const bytes = new Uint8Array(names.length + 4 * markers.length + 0x2_0000), view = new DataView(bytes.buffer);
  bytes.set(names);
  let at = names.length;
  for (const marker of markers) view.setUint32((at += 4) - 4, marker, true);
  at = at + 7 & ~7;
  const tokens = at, index: number[] = [];
  for (let number = 0; number < 256; number++) {
    index.push(at - tokens);
    const text = number >= 0x30 && number < 0x3a ? String.fromCharCode(number) : token;
    for (const character of `${text}\0`) bytes[at++] = character.charCodeAt(0);
  }
  at = at + 7 & ~7;
  for (const one of index) view.setUint16((at += 2) - 2, one, true);
  return bytes;
}

Deno.test("memory that is full of digits costs a constant, and a sixteenth of a step for a byte", () => {
  const few = steps(repeated(4000)), many = steps(repeated(16 * MIB));
  assert.ok(few < 32 * 50_000, `${few} steps for 4,000 bytes`);
  assert.ok(many - few < 2 * MIB, `${many} steps for 16 MiB`);
});

Deno.test("names that lead from marker to marker at any start cost no more than the search has", () => {
  // Each name has three tokens: every fourth byte is a start. The last marker is wrong.
  const names = Uint8Array.from({ length: 4 * MIB }, (_, index) => index % 4 ? 0x61 : 3);
  const markers = Array.from({ length: names.length / 1024 }, (_, index) => index * 1024);
  markers[markers.length - 1] += 4;
  assert.ok(steps(table(names, markers, "a")) < 80 * MIB);
});

Deno.test("names are as long as those of a kernel, or there are none", () => {
  // 1,200 names of 127 tokens of 60 characters.
  const names = Uint8Array.from({ length: 1200 * 128 }, (_, index) => index % 128 ? 0x61 : 127);
  const markers = Array.from({ length: Math.ceil(1200 / 256) }, (_, index) => index * 256 * 128);
  assert.ok(steps(table(names, markers, "T_stext".padEnd(60, "x"))) < 80 * MIB);
});

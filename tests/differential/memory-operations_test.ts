// Memory copies and sets (FEAT_MOPS) beside QEMU 11, as unicorn does not know them: whole sequences
// with random options, registers, sizes and overlaps. Everything that they leave is compared.

import assert from "node:assert/strict";
import { Random } from "../support/random.ts";
import { dataText, instructionText, programText, runInBoth } from "./newest-qemu.ts";
import { LONG } from "../support/long.ts";

const CASES = 10_000, DATA_SIZE = 0x8000, LARGEST = 0x3000;
/** Bytes of a case's results: X1 to X3 and NZCV. */
const RESULT_SIZE = 32;

/** The three parts of a sequence with some options, over X1, X2, X3 and X4, and RET. */
function sequence(random: Random): number[] {
  const kind = random.below(3),
    part = (index: number) => {
      if (kind === 2) return 0x19c0_0400 | 4 << 16 | index << 14 | options << 12 | 3 << 5 | 1;
      return (kind ? 0x1d00_0400 : 0x1900_0400) | index << 22 | 2 << 16 | options << 12 | 3 << 5 | 1;
    };
  const options = random.below(kind === 2 ? 4 : 16);
  return [...[0, 1, 2].map(part), 0xd65f_03c0];
}

/**
 * A case: X1 to X4 and the distance of its sequence. The addresses are offsets in the data; a copy
 * that is always forward does not overlap upward.
 */
function inputs(random: Random, words: readonly number[], place: number): bigint[] {
  const size = random.below([9, 200, 5000, LARGEST][random.below(4)]);
  let to = random.below(DATA_SIZE - size),
    from = random.below(2) ? random.below(DATA_SIZE - size) : Math.max(0, to - random.below(size + 9));
  from = Math.min(from, DATA_SIZE - size);
  const isForward = words[0] >>> 22 === 0x1900_0400 >>> 22;
  if (isForward && from < to && from + size > to) [from, to] = [to, from];
  return [BigInt(to), BigInt(from), BigInt(size), random.wide(), BigInt(place)];
}

/** It adds the data's address to X1 and X2, and subtracts it from the results. */
const BODY = `
  adr x20, table
  adrp x23, data
  add x23, x23, :lo12:data
  ldr x21, =${CASES}
1: ldp x1, x2, [x20], #16
  ldp x3, x4, [x20], #16
  ldr x5, [x20], #8
  add x1, x1, x23
  add x2, x2, x23
  adr x6, sequences
  add x6, x6, x5
  msr nzcv, x4
  blr x6
  mrs x7, nzcv
  sub x1, x1, x23
  sub x2, x2, x23
  stp x1, x2, [x22], #16
  stp x3, x7, [x22], #16
  subs x21, x21, #1
  b.ne 1b`;
const PATTERN = Array.from({ length: DATA_SIZE / 8 }, (_, i) => BigInt(i) * 0x9e37_79b9_7f4a_7c15n);

/** Results, then the data. */
const dataOf = (cases: readonly (readonly bigint[])[], sequences: readonly (readonly number[])[]) =>
  `sequences:\n${instructionText(sequences.flat())}table:\n${dataText(cases.flat())}.balign 8
results: .skip ${CASES * RESULT_SIZE}\ndata:\n${dataText(PATTERN)}`;

if (LONG) {
  Deno.test(`${CASES} memory copies and sets leave the registers, flags and memory that QEMU 11 leaves`, async () => {
    const random = new Random(1088), sequences = Array.from({ length: 200 }, () => sequence(random));
    const cases = Array.from({ length: CASES }, () => {
      const index = random.below(sequences.length);
      return inputs(random, sequences[index], 16 * index);
    });
    const size = CASES * RESULT_SIZE + DATA_SIZE;
    const [expected, actual] = await runInBoth(programText(BODY, dataOf(cases, sequences), size), size, 100 * CASES);
    const of = (all: Uint8Array, index: number) => all.subarray(index * RESULT_SIZE, (index + 1) * RESULT_SIZE);
    const differing = cases.findIndex((_, index) => of(actual, index).some((byte, at) => byte !== of(expected, index)[at]));
    assert.equal(differing, -1, `case ${cases[differing]}: ${of(actual, differing)}`);
    assert.deepEqual(actual, expected, "memory");
  });
}

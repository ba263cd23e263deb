// Arithmetic on ranges: what an instruction gives for values in the ranges is in the result.

import assert from "node:assert/strict";
import { Random } from "../../../support/random.ts";
import { anyOf, apply, type Range } from "../../../../src/cpu/core/waits/ranges.ts";
import { LONG } from "../../../support/long.ts";

const CASES = LONG ? 200_000 : 4_000;

type Compute = (a: bigint, b: bigint, signedA: bigint, signedB: bigint, bits: bigint) => bigint | boolean;

/** The Wasm instructions by their specification; results are cut to the type. */
const EXPECTED: Readonly<Record<string, Compute>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b, _a, _b, bits) => a << b % bits,
  shr_u: (a, b, _a, _b, bits) => a >> b % bits,
  shr_s: (_, b, a, _b, bits) => a >> b % bits,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt_u: (a, b) => a < b,
  le_u: (a, b) => a <= b,
  gt_u: (a, b) => a > b,
  ge_u: (a, b) => a >= b,
  lt_s: (_a, _b, a, b) => a < b,
  le_s: (_a, _b, a, b) => a <= b,
  gt_s: (_a, _b, a, b) => a > b,
  ge_s: (_a, _b, a, b) => a >= b,
};

for (const bits of [32, 64] as const) {
  Deno.test(`results of i${bits} instructions lie in the range for their operands`, () => {
    const random = new Random(1), next = () => random.wide() >> 11n, type = `i${bits}`;
    const value = () =>
      BigInt.asUintN(bits, [next() * next(), next() % 100n, -(next() % 100n), next() % 2n << BigInt(bits - 1)][Number(next() % 4n)]);
    const range = (): Range => {
      const low = value(), width = [0n, next() % 5n, next(), 1n << next() % 64n][Number(next() % 4n)];
      const high = low + width;
      return { low, high: high > anyOf(bits).high ? anyOf(bits).high : high };
    };
    const within = ({ low, high }: Range) => low + (next() * next()) % (high - low + 1n);
    for (let i = 0; i < CASES; i++) {
      const [a, b] = [range(), range()];
      const [x, y] = [within(a), within(b)];
      for (const [name, compute] of Object.entries(EXPECTED)) {
        const result = compute(x, y, BigInt.asIntN(bits, x), BigInt.asIntN(bits, y), BigInt(bits));
        const expected = typeof result === "boolean" ? BigInt(result) : BigInt.asUintN(bits, result);
        const { low, high } = apply(`${type}.${name}`, [a, b], bits);
        assert.ok(low <= expected && expected <= high, `${type}.${name} of ${x} in ${a.low}..${a.high} and ${y} in ${b.low}..${b.high}`);
      }
      if (y) {
        const { low, high } = apply(`${type}.div_u`, [a, b], bits);
        assert.ok(low <= x / y && x / y <= high, `${type}.div_u of ${x} and ${y}`);
      }
      const eqz = apply(`${type}.eqz`, [a], bits);
      assert.ok(eqz.low <= BigInt(x === 0n) && BigInt(x === 0n) <= eqz.high);
    }
  });
}

Deno.test("conversions and selections of ranges, and what has no rule", () => {
  const small = { low: 3n, high: 9n },
    minus = { low: 0xffff_fff0n, high: 0xffff_ffffn },
    crossing = { low: 0xffff_fff0n, high: 0x1_0000_000fn };
  assert.deepEqual(apply("i32.wrap_i64", [small], 32), small);
  assert.deepEqual(apply("i32.wrap_i64", [crossing], 32), anyOf(32));
  assert.deepEqual(apply("i64.extend_i32_u", [minus], 64), minus);
  assert.deepEqual(apply("i64.extend_i32_s", [minus], 64), { low: 0xffff_ffff_ffff_fff0n, high: 0xffff_ffff_ffff_ffffn });
  assert.deepEqual(apply("i64.extend_i32_s", [{ low: 0x7fff_ffffn, high: 0x8000_0000n }], 64), anyOf(64));
  assert.deepEqual(apply("select", [small, minus, { low: 1n, high: 2n }], 64), small);
  assert.deepEqual(apply("select", [small, minus, { low: 0n, high: 0n }], 64), minus);
  assert.deepEqual(apply("select", [small, minus, { low: 0n, high: 1n }], 64), { low: 3n, high: 0xffff_ffffn });
  assert.deepEqual(apply("i64.clz", [small], 64), anyOf(64));
  assert.deepEqual(apply("i64.lt_u", [small, minus], 32), { low: 1n, high: 1n });
  assert.deepEqual(apply("i64.and", [{ low: 0x1234n, high: 0x12f0n }, { low: 0xffn, high: 0xffn }], 64), { low: 0x34n, high: 0xf0n });
});

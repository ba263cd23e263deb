import assert from "node:assert/strict";
import { DOUBLE, type Format, Fpsr, Rounding, SINGLE } from "../../../../src/cpu/core/fp/formats.ts";
import { floatingPoint } from "./functions.ts";
import { add, divide, multiply, type Rational, rational, round } from "./reference.ts";

const fp = floatingPoint(
  ["softAdd", "softMul", "softDiv", "softSqrt", "softFPMulAdd"].flatMap((name) => [`${name}32`, `${name}64`])
    .concat(["FPMulAdd32", "FPMulAdd64"]),
);

let seed = 0x2545f491;
function random(): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return seed >>> 0;
}

/**
 * Random finite bits: often near the ends of the range, often with few significant bits, often
 * close to `near`.
 */
function finite(format: Format, near?: bigint): bigint {
  const F = BigInt(format.fraction), mask = (1n << F) - 1n;
  let fraction = ((BigInt(random()) << 32n) | BigInt(random())) & mask;
  if (random() % 4 === 0) fraction &= mask ^ (mask >> BigInt(random() % 8));
  if (random() % 8 === 0) fraction ^= mask;
  let exponent = BigInt(random() % format.maximum);
  const kind = random() % 8;
  if (kind === 0) exponent = BigInt(random() % 4);
  if (kind === 1) exponent = BigInt(format.maximum - 1 - random() % 4);
  if (kind > 4 && near !== undefined) {
    exponent = ((near >> F) & BigInt(format.maximum)) + BigInt(random() % 5) - 2n;
    if (random() & 1) fraction = near & mask;
  }
  exponent = exponent < 0n ? 0n : exponent >= BigInt(format.maximum) ? BigInt(format.maximum - 1) : exponent;
  return (BigInt(random() & 1) << BigInt(format.width - 1)) | (exponent << F) | fraction;
}

const hex = (bits: bigint) => BigInt.asUintN(64, bits).toString(16);

function check(name: string, operation: string, format: Format, operands: bigint[], exact: Rational): void {
  if (exact.n === 0n) return;
  for (let mode = 0; mode < 4; mode++) {
    fp.fpcr = mode << 22;
    fp.fpsr = 0;
    const bits = BigInt.asUintN(format.width, fp.call<bigint>(name, ...operands));
    const expected = round(format, exact, mode);
    const where = `${operation}(${operands.map(hex)}) in mode ${mode}`;
    assert.equal(hex(bits), hex(expected.bits), where);
    assert.equal(fp.fpsr, expected.flags, `flags of ${where}`);
  }
}

for (const format of [SINGLE, DOUBLE]) {
  const w = format.width;
  const value = (bits: bigint) => rational(format, bits);
  const one = (value1: bigint) => value(value1).n !== 0n;

  Deno.test(`sums, products and quotients of ${w} bits are exact results rounded once, with their flags, in all modes`, () => {
    for (let i = 0; i < 4000; i++) {
      const a = finite(format), b = finite(format, a);
      check(`softAdd${w}`, "add", format, [a, b], add(value(a), value(b)));
      check(`softMul${w}`, "mul", format, [a, b], multiply(value(a), value(b)));
      if (one(b)) check(`softDiv${w}`, "div", format, [a, b], divide(value(a), value(b)));
    }
  });

  Deno.test(`fused multiply-add of ${w} bits rounds once, with its flags, in all modes`, () => {
    for (let i = 0; i < 6000; i++) {
      const a = finite(format), b = finite(format, a);
      const product = round(format, one(a) && one(b) ? multiply(value(a), value(b)) : { n: 1n, d: 1n }, Rounding.TieEven).bits;
      const c = finite(format, product & ((1n << BigInt(w - 1)) - 1n));
      check(`softFPMulAdd${w}`, "fma", format, [c, a, b], add(value(c), multiply(value(a), value(b))));
    }
  });

  Deno.test(`square roots of ${w} bits are the largest number whose square is not larger, in round to zero`, () => {
    for (let i = 0; i < 3000; i++) {
      const a = finite(format) & ((1n << BigInt(w - 1)) - 1n);
      if (!one(a)) continue;
      fp.fpcr = Rounding.Zero << 22;
      const root = BigInt.asUintN(w, fp.call<bigint>(`softSqrt${w}`, a));
      const square = (bits: bigint) => multiply(value(bits), value(bits));
      const notAbove = (x: Rational, y: Rational) => x.n * y.d <= y.n * x.d;
      assert(notAbove(square(root), value(a)), `root of ${hex(a)}`);
      assert(!notAbove(square(root + 1n), value(a)), `root of ${hex(a)}`);
    }
  });
}

Deno.test("the fast multiply-add equals the integer one", () => {
  const toDouble = (bits: bigint) => new Float64Array(new BigUint64Array([bits]).buffer)[0];
  const toSingle = (bits: bigint) => new Float32Array(new Uint32Array([Number(bits)]).buffer)[0];
  fp.fpcr = 0;
  for (let i = 0; i < 20000; i++) {
    for (const format of [SINGLE, DOUBLE]) {
      const a = finite(format), b = finite(format, a);
      const float = format.width === 64 ? toDouble : toSingle;
      const product = format.width === 64 ? float(a) * float(b) : Math.fround(float(a) * float(b));
      const bits = format.width === 64
        ? new BigUint64Array(new Float64Array([product]).buffer)[0]
        : BigInt(new Uint32Array(new Float32Array([product]).buffer)[0]);
      const c = finite(format, bits & ((1n << BigInt(format.width - 1)) - 1n));
      fp.fpsr = Fpsr.IXC;
      const fast = fp.call<number>(`FPMulAdd${format.width}`, float(c), float(a), float(b));
      fp.fpsr = Fpsr.IXC;
      const slow = BigInt.asUintN(64, fp.call<bigint>(`softFPMulAdd${format.width}`, c, a, b));
      assert(Object.is(fast, float(slow)), `fma(${[c, a, b].map(hex)}): ${fast}, ${float(slow)}`);
    }
  }
});

// BFloat16 beside the manual's functions in whole numbers: sums rounded to odd, products, and the
// conversion in every rounding mode with its flags.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000, NAN = 0x7fc0_0000, INFINITY = 0x7f80_0000, SIGN = 0x8000_0000;
/** Zero to infinity, subnormals, NaNs, neighbors of limits; as singles. */
const EDGES = [
  ...[0, 1, 0x7f_ffff, 0x80_0000, 0x80_0001, 0x3f80_0000, 0x3f80_8000, 0x3f81_8000, 0x7f7f_ffff, 0x7f7f_0000, 0x7f7f_8000],
  ...[INFINITY, NAN, 0x7f80_0001, 0x7fff_ffff, 0x0100_0000, 0x2000_0000, 0x1f80_0000, 0x5f80_0000, 0x7e80_0000, 0x40_8000],
];

/** A single, often at an edge, else near others so that all of its bits count. */
function single(random: Random): number {
  const sign = random.below(2) * SIGN;
  if (random.below(3) === 0) return (random.pick(EDGES) | sign) >>> 0;
  if (random.below(4) === 0) return random.word();
  return (sign | 110 + random.below(34) << 23 | random.word() >>> 9) >>> 0;
}

/** A finite value as an integer times 2^-400. */
interface Finite {
  readonly negative: boolean;
  readonly magnitude: bigint;
}
type Unpacked = "nan" | { readonly infinite: true; readonly negative: boolean } | (Finite & { readonly infinite: false });
const SCALE = 400;

/** Subnormals are zero. */
function unpack(bits: number): Unpacked {
  const negative = bits >>> 31 === 1, exponent = bits >>> 23 & 255, fraction = bits & 0x7f_ffff;
  if (exponent === 255) return fraction ? "nan" : { infinite: true, negative };
  if (exponent === 0) return { infinite: false, negative, magnitude: 0n };
  return { infinite: false, negative, magnitude: BigInt(fraction | 0x80_0000) << BigInt(exponent - 150 + SCALE) };
}

/** BFRound of a magnitude times 2^-scale. */
function round(negative: boolean, magnitude: bigint, scale: number): number {
  const sign = negative ? SIGN : 0;
  if (magnitude === 0n) return sign >>> 0;
  const length = magnitude.toString(2).length, exponent = length - 1 - scale;
  if (exponent < -126) return sign >>> 0;
  if (exponent > 127) return (sign | INFINITY) >>> 0;
  const drop = length - 24, kept = drop > 0 ? magnitude >> BigInt(drop) : magnitude << BigInt(-drop);
  const inexact = drop > 0 && (magnitude & (1n << BigInt(drop)) - 1n) !== 0n;
  return (sign | exponent + 127 << 23 | Number(kept & 0x7f_ffffn) | (inexact ? 1 : 0)) >>> 0;
}

/** BFMulH. */
function multiply(a: number, b: number): number {
  const x = unpack(a << 16 >>> 0), y = unpack(b << 16 >>> 0);
  if (x === "nan" || y === "nan") return NAN;
  const negative = x.negative !== y.negative, zero = (v: Unpacked) => v !== "nan" && !v.infinite && v.magnitude === 0n;
  if (x.infinite || y.infinite) return zero(x) || zero(y) ? NAN : ((negative ? SIGN : 0) | INFINITY) >>> 0;
  return round(negative, x.magnitude * y.magnitude, 2 * SCALE);
}

/** BFAdd. */
function add(a: number, b: number): number {
  const x = unpack(a), y = unpack(b);
  if (x === "nan" || y === "nan") return NAN;
  if (x.infinite || y.infinite) {
    if (x.infinite && y.infinite && x.negative !== y.negative) return NAN;
    return ((x.infinite ? x.negative : y.negative) ? SIGN | INFINITY : INFINITY) >>> 0;
  }
  const value = (v: Finite) => v.negative ? -v.magnitude : v.magnitude, sum = value(x) + value(y);
  if (sum === 0n) return x.magnitude === 0n && x.negative && y.negative ? SIGN : 0;
  return round(sum < 0n, sum < 0n ? -sum : sum, SCALE);
}

const dotAdd = (sum: number, a: readonly number[], b: readonly number[]) => add(sum, add(multiply(a[0], b[0]), multiply(a[1], b[1])));

/** A machine that executes a word on three vectors. */
function executor() {
  const machine = new Machine({ cpu: parseCpu("max") }), { vcpu } = machine;
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  const halves = (words: Uint32Array) => new BigUint64Array(words.buffer);
  return (word: number, vectors: readonly Uint32Array[], fpcr = 0n) => {
    machine.view.setUint32(CODE - RAM_BASE, word, true);
    machine.core.memoryWritten(CODE, 4);
    vectors.forEach((words, index) => vcpu.setV(index, ...[...halves(words)] as [bigint, bigint]));
    vcpu.setRegister("FPCR", fpcr);
    vcpu.setRegister("FPSR", 0n);
    assert.equal(machine.run(1, CODE).retired, 1);
    assert.equal(vcpu.pc, BigInt(CODE + 4), disassemble(word, 0n));
    return { result: [...new Uint32Array(new BigUint64Array(vcpu.getV(0)).buffer)], flags: Number(vcpu.getRegister("FPSR")) };
  };
}

const vectorOf = (value: () => number) => Uint32Array.from({ length: 4 }, value);
const numbers = (words: Uint32Array) => new Uint16Array(words.buffer.slice(0));

Deno.test("BFDOT and BFMMLA are BFDotAdd of each lane, rounded to odd, without subnormals and flags", () => {
  const execute = executor(), random = new Random(16);
  for (let round = 0; round < 6000; round++) {
    // Pairs whose products are near each other and the addend.
    const pair = () => (single(random) >>> 16 | single(random) & 0xffff_0000) >>> 0;
    const d = vectorOf(() => single(random)), n = vectorOf(pair), m = vectorOf(pair);
    const [a, b] = [numbers(n), numbers(m)], fpcr = random.below(2) ? 0n : BigInt(random.below(8)) << 22n;
    const at = (list: Uint16Array, index: number) => [list[2 * index], list[2 * index + 1]];
    const plain = execute(0x6e42_fc20, [d, n, m], fpcr);
    const name = `${[...d, ...n, ...m].map((word) => word.toString(16))}`;
    assert.deepEqual(plain.result, [0, 1, 2, 3].map((lane) => dotAdd(d[lane], at(a, lane), at(b, lane))), name);
    assert.equal(plain.flags, 0);
    const element = round & 3;
    // bfdot v0.2s, v1.4h, v2.2h[element]
    const indexed = execute((0x0f42_f020 | (element & 1) << 21 | (element >> 1) << 11) >>> 0, [d, n, m]).result;
    assert.deepEqual(indexed, [...[0, 1].map((lane) => dotAdd(d[lane], at(a, lane), at(b, element))), 0, 0], name);
    const matrix = [0, 1, 2, 3].map((lane) => {
      const row = 2 * (lane >> 1), column = 2 * (lane & 1);
      return dotAdd(dotAdd(d[lane], at(a, row), at(b, column)), at(a, row + 1), at(b, column + 1));
    });
    assert.deepEqual(execute(0x6e42_ec20, [d, n, m]).result, matrix, name);
  }
});

Deno.test("BFMLALB and BFMLALT are FMLA of the numbers as singles, flags and FPCR included", () => {
  const execute = executor(), random = new Random(17);
  for (let round = 0; round < 3000; round++) {
    const [d, n, m] = [0, 1, 2].map(() => vectorOf(() => single(random)));
    const fpcr = BigInt(random.below(16)) << 22n;
    for (const top of [0, 1]) {
      const widened = (words: Uint32Array) => words.map((word) => top ? word & 0xffff_0000 : word << 16);
      // fmla v0.4s, v1.4s, v2.4s
      const expected = execute(0x4e22_cc20, [d, widened(n), widened(m)], fpcr);
      assert.deepEqual(execute((0x2ec2_fc20 | top << 30) >>> 0, [d, n, m], fpcr), expected);
      const index = random.below(8), element = numbers(m)[index] << 16 >>> 0;
      const byElement = execute(0x4e22_cc20, [d, widened(n), new Uint32Array(4).fill(element)], fpcr);
      const word = 0x0fc2_f020 | top << 30 | (index & 1) << 20 | (index >> 1 & 1) << 21 | (index >> 2) << 11;
      assert.deepEqual(execute(word >>> 0, [d, n, m], fpcr), byElement);
    }
  }
});

/** FPConvertBF: the number and the flags. */
function convert(bits: number, fpcr: number): [number, number] {
  const exponent = bits >>> 23 & 255, fraction = bits & 0x7f_ffff, sign = bits >>> 16 & 0x8000, mode = fpcr >> 22 & 3;
  if (exponent === 255 && fraction) return [fpcr & 1 << 25 ? 0x7fc0 : bits >>> 16 | 0x40, fraction & 0x40_0000 ? 0 : 1];
  if (exponent === 0 && fraction && fpcr & 1 << 24) return [sign, 1 << 7];
  const rest = bits & 0xffff, low = bits >>> 16;
  if (rest === 0) return [low, 0];
  const nearest = rest > 0x8000 || rest === 0x8000 && low & 1;
  const up = [nearest, !sign, Boolean(sign), false][mode] ? 1 : 0, result = low + up;
  const overflows = (result & 0x7fff) === 0x7f80;
  return [result, 16 | (overflows ? 4 : 0) | (exponent === 0 ? 8 : 0)];
}

Deno.test("BFCVT, BFCVTN and BFCVTN2 are FPConvertBF in every rounding mode, with its flags", () => {
  const execute = executor(), random = new Random(18);
  for (let round = 0; round < 6000; round++) {
    const fpcr = random.below(16) << 22, n = vectorOf(() => single(random)), d = vectorOf(() => random.word());
    const expected = [...n].map((word) => convert(word, fpcr)), flags = expected.reduce((sum, [, one]) => sum | one, 0);
    const pairs = [expected[0][0] | expected[1][0] << 16, expected[2][0] | expected[3][0] << 16].map((word) => word >>> 0);
    assert.deepEqual(execute(0x1e63_4020, [d, n], BigInt(fpcr)), { result: [expected[0][0], 0, 0, 0], flags: expected[0][1] });
    assert.deepEqual(execute(0x0ea1_6820, [d, n], BigInt(fpcr)), { result: [...pairs, 0, 0], flags });
    assert.deepEqual(execute(0x4ea1_6820, [d, n], BigInt(fpcr)), { result: [d[0], d[1], ...pairs], flags });
  }
});

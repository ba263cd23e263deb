// Hashes and ciphers of Armv8.2: FEAT_SHA512, FEAT_SHA3, FEAT_SM3 and FEAT_SM4. Arm ARM C4.1.96,
// "Cryptographic three-register, imm2", "three-register SHA 512", "four-register", "two-register
// SHA 512", XAR. The S-box of SM4 is in core/simd.

import type { Builder, Node } from "../notation/builder.ts";
import { vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, high, low, pattern, shuffleLanes, vectorFrom } from "../notation/simd-operands.ts";

const xor = ($: Builder, ...values: Node[]): Node => values.reduce((a, b) => $.eor(a, b));
/** The exclusive or of a doubleword rotated right by each count. */
const rotations = ($: Builder, a: Node, ...counts: number[]): Node => xor($, ...counts.map((count) => $.ror(a, count)));
const choose = ($: Builder, a: Node, b: Node, c: Node): Node => $.eor($.and($.eor(b, c), a), c);
const majority = ($: Builder, a: Node, b: Node, c: Node): Node => $.or($.and(a, b), $.and($.or(a, b), c));
const sigma0 = ($: Builder, a: Node): Node => xor($, rotations($, a, 1, 8), $.lsr(a, 7));
const sigma1 = ($: Builder, a: Node): Node => xor($, rotations($, a, 19, 61), $.lsr(a, 6));

/** SHA512H: the first part of two rounds. */
function hash1($: Builder, d: Node, n: Node, m: Node): Node {
  const [x0, x1, y0, y1] = [low($, n), high($, n), low($, m), high($, m)];
  const second = $.let($.add($.add(choose($, y1, x0, x1), rotations($, y1, 14, 18, 41)), high($, d)));
  const next = $.let($.add(second, y0));
  return vectorFrom($, $.add($.add(choose($, next, y1, x0), rotations($, next, 14, 18, 41)), low($, d)), second);
}

/** SHA512H2: the second part. */
function hash2($: Builder, d: Node, n: Node, m: Node): Node {
  const [x0, y0, y1] = [low($, n), low($, m), high($, m)];
  const second = $.let($.add($.add(majority($, x0, y1, y0), rotations($, y0, 28, 34, 39)), high($, d)));
  return vectorFrom($, $.add($.add(majority($, second, y0, y1), rotations($, second, 28, 34, 39)), low($, d)), second);
}

interface Three {
  readonly name: string;
  readonly opcode: number;
  readonly operation: ($: Builder, d: Node, n: Node, m: Node) => Node;
}

const SHA512: readonly (Three & { readonly text: (d: number, n: number, m: number) => string })[] = [
  { name: "sha512h", opcode: 0b00, operation: hash1, text: (d, n, m) => `q${d}, q${n}, v${m}.2d` },
  { name: "sha512h2", opcode: 0b01, operation: hash2, text: (d, n, m) => `q${d}, q${n}, v${m}.2d` },
  {
    name: "sha512su1",
    opcode: 0b10,
    operation: ($, d, n, m) => {
      const schedule = vectorFrom($, sigma1($, low($, n)), sigma1($, high($, n)));
      return $.op("i64x2.add", $.op("i64x2.add", d, schedule), m);
    },
    text: (d, n, m) => `v${d}.2d, v${n}.2d, v${m}.2d`,
  },
];

const sha512 = () => [
  ...SHA512.map(({ name, opcode, operation, text }) =>
    insn(
      name.toUpperCase(),
      pattern<"Rm Rn Rd">(`11001110 011 Rm 1000 ${bits(opcode, 2)} Rn Rd`),
      { feature: "FEAT_SHA512", cold: true },
      (f) => `${name}\t${text(f.Rd, f.Rn, f.Rm)}`,
      ({ Rm, Rn, Rd }, $) => $.setQ(Rd, operation($, $.Q(Rd), $.Q(Rn), $.Q(Rm))),
    )
  ),
  insn(
    "SHA512SU0",
    "11001110110 00000 100000 Rn Rd",
    { feature: "FEAT_SHA512", cold: true },
    (f) => `sha512su0\tv${f.Rd}.2d, v${f.Rn}.2d`,
    ({ Rn, Rd }, $) => {
      const d = $.Q(Rd), next = $.let($.readV("i64.load", Rn));
      $.setQ(Rd, $.op("i64x2.add", d, vectorFrom($, sigma0($, high($, d)), sigma0($, next))));
    },
  ),
];

const SHA3 = { feature: "FEAT_SHA3", cold: true } as const;
const byte16 = (index: number) => vector(0, 1, index), doublewords = (index: number) => vector(3, 1, index);

/** Rotates each doubleword left by a static count, 0 to 63. */
function rotateDoublewords($: Builder, a: Node, count: Node | number): Node {
  const rest = typeof count === "number" ? $.i32(64 - count) : $.range($.sub($.i32(64), count), 1, 64);
  return $.or($.op("i64x2.shl", a, typeof count === "number" ? $.i32(count) : count), $.op("i64x2.shr_u", a, rest));
}

const sha3 = () => [
  insn(
    "EOR3",
    "11001110 000 Rm 0 Ra Rn Rd",
    SHA3,
    (f) => `eor3\t${byte16(f.Rd)}, ${byte16(f.Rn)}, ${byte16(f.Rm)}, ${byte16(f.Ra)}`,
    ({ Rm, Ra, Rn, Rd }, $) => $.setQ(Rd, xor($, $.Q(Rn), $.Q(Rm), $.Q(Ra))),
  ),
  insn(
    "BCAX",
    "11001110 001 Rm 0 Ra Rn Rd",
    SHA3,
    (f) => `bcax\t${byte16(f.Rd)}, ${byte16(f.Rn)}, ${byte16(f.Rm)}, ${byte16(f.Ra)}`,
    ({ Rm, Ra, Rn, Rd }, $) => $.setQ(Rd, $.eor($.Q(Rn), $.op("v128.andnot", $.Q(Rm), $.Q(Ra)))),
  ),
  insn(
    "RAX1",
    "11001110 011 Rm 100011 Rn Rd",
    SHA3,
    (f) => `rax1\t${doublewords(f.Rd)}, ${doublewords(f.Rn)}, ${doublewords(f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => $.setQ(Rd, $.eor($.Q(Rn), rotateDoublewords($, $.Q(Rm), 1))),
  ),
  insn(
    "XAR",
    "11001110 100 Rm imm6 Rn Rd",
    SHA3,
    (f) => `xar\t${doublewords(f.Rd)}, ${doublewords(f.Rn)}, ${doublewords(f.Rm)}, #${f.imm6}`,
    ({ Rm, imm6, Rn, Rd }, $) => {
      const mixed = $.let($.eor($.Q(Rn), $.Q(Rm)));
      const right = $.op("i64x2.shr_u", mixed, imm6), left = $.op("i64x2.shl", mixed, $.range($.and($.sub($.i32(64), imm6), 63), 0, 63));
      $.setQ(Rd, $.or(right, left));
    },
  ),
];

const word = ($: Builder, a: Node, index: number): Node => $.let($.lane("i32x4.extract_lane", index, a));
const rotateLeft = ($: Builder, a: Node, count: number): Node => $.ror(a, 32 - count);
const rotateWords = ($: Builder, a: Node, left: number): Node =>
  $.let($.or($.op("i32x4.shl", a, $.i32(left)), $.op("i32x4.shr_u", a, $.i32(32 - left))));
/** P1 of SM3: a word with itself rotated by 15 and 23. */
const permuted = ($: Builder, a: Node): Node => $.let(xor($, a, rotateLeft($, a, 15), rotateLeft($, a, 23)));

/** SM3PARTW1. */
function expand1($: Builder, d: Node, n: Node, m: Node): Node {
  const mixed = $.let($.eor(d, n));
  // Words 1 to 3 of m, and a zero for the word that depends on the result's first.
  const shifted = $.let($.shuffle(shuffleLanes(2, [1, 2, 3, 4]), m, $.v128(0n, 0n)));
  const partial = $.let($.eor(mixed, rotateWords($, shifted, 15)));
  const first = permuted($, word($, partial, 0));
  const last = $.let($.eor(word($, partial, 3), rotateLeft($, first, 15)));
  const whole = $.let($.lane("i32x4.replace_lane", 3, partial, last));
  return xor($, whole, rotateWords($, whole, 15), rotateWords($, whole, 23));
}

/** SM3PARTW2. */
function expand2($: Builder, d: Node, n: Node, m: Node): Node {
  const mixed = $.let($.eor(n, rotateWords($, m, 7))), result = $.let($.eor(d, mixed));
  const first = permuted($, $.let(rotateLeft($, word($, mixed, 0), 15)));
  return $.lane("i32x4.replace_lane", 3, result, $.eor(word($, result, 3), first));
}

/** The state after a half round: three words move down, one of them rotated, and a new one. */
function moved($: Builder, d: Node, rotation: number, top: Node): Node {
  const down = $.let($.shuffle(shuffleLanes(2, [1, 2, 3, 3]), d, d));
  const rotated = $.lane("i32x4.replace_lane", 1, down, rotateLeft($, word($, d, 2), rotation));
  return $.lane("i32x4.replace_lane", 3, rotated, top);
}

interface HalfRound {
  readonly name: string;
  readonly opcode: number;
  readonly mix: ($: Builder, d: Node) => Node;
  readonly second: boolean;
}

const parity = ($: Builder, d: Node): Node => xor($, word($, d, 1), word($, d, 3), word($, d, 2));
const HALF_ROUNDS: readonly HalfRound[] = [
  { name: "sm3tt1a", opcode: 0b00, mix: parity, second: false },
  { name: "sm3tt1b", opcode: 0b01, mix: ($, d) => majority($, word($, d, 3), word($, d, 1), word($, d, 2)), second: false },
  { name: "sm3tt2a", opcode: 0b10, mix: parity, second: true },
  { name: "sm3tt2b", opcode: 0b11, mix: ($, d) => choose($, word($, d, 3), word($, d, 2), word($, d, 1)), second: true },
];

const SM3 = { feature: "FEAT_SM3", cold: true } as const;
const words = (index: number) => vector(2, 1, index);

const sm3 = () => [
  insn(
    "SM3SS1",
    "11001110 010 Rm 0 Ra Rn Rd",
    SM3,
    (f) => `sm3ss1\t${words(f.Rd)}, ${words(f.Rn)}, ${words(f.Rm)}, ${words(f.Ra)}`,
    ({ Rm, Ra, Rn, Rd }, $) => {
      const last = (register: Node) => $.let($.readV("i32.load", register, 12));
      const sum = $.add($.add(rotateLeft($, last(Rn), 12), last(Rm)), last(Ra));
      $.setQ(Rd, $.lane("i32x4.replace_lane", 3, $.v128(0n, 0n), rotateLeft($, $.let(sum), 7)));
    },
  ),
  ...HALF_ROUNDS.map(({ name, opcode, mix, second }) =>
    insn(
      name.toUpperCase(),
      pattern<"Rm imm2 Rn Rd">(`11001110 010 Rm 10 imm2 ${bits(opcode, 2)} Rn Rd`),
      SM3,
      (f) => `${name}\t${words(f.Rd)}, ${words(f.Rn)}, v${f.Rm}.s[${f.imm2}]`,
      ({ Rm, imm2, Rn, Rd }, $) => {
        const d = $.Q(Rd), n = $.let($.readV("i32.load", Rn, 12));
        const schedule = $.readV("i32.load", Rm, $.range($.lsl(imm2, 2), 0, 12));
        const other = second ? n : $.eor(n, rotateLeft($, word($, d, 3), 12));
        const sum = $.let($.add($.add($.add(mix($, d), word($, d, 0)), other), schedule));
        const top = second ? xor($, sum, rotateLeft($, sum, 9), rotateLeft($, sum, 17)) : sum;
        $.setQ(Rd, moved($, d, second ? 19 : 9, top));
      },
    )
  ),
  ...([["sm3partw1", 0b110000, expand1], ["sm3partw2", 0b110001, expand2]] as const).map(([name, opcode, operation]) =>
    insn(
      name.toUpperCase(),
      pattern<"Rm Rn Rd">(`11001110 011 Rm ${bits(opcode, 6)} Rn Rd`),
      SM3,
      (f) => `${name}\t${words(f.Rd)}, ${words(f.Rn)}, ${words(f.Rm)}`,
      ({ Rm, Rn, Rd }, $) => $.setQ(Rd, operation($, $.Q(Rd), $.Q(Rn), $.Q(Rm))),
    )
  ),
];

const SM4 = { feature: "FEAT_SM4", cold: true } as const;

/** Four rounds of SM4: `state`, and the words that are mixed in, by the rotations of the kind. */
function fourRounds($: Builder, state: Node, keys: Node, rotations: readonly number[]): Node {
  const parts = [0, 1, 2, 3].map((index) => word($, state, index));
  for (let round = 0; round < 4; round++) {
    const [a, b, c, d] = parts;
    const substituted = $.call("i32", "sm4Substitute", $.let(xor($, d, c, b, word($, keys, round))));
    parts.splice(0, 4, b, c, d, $.let(xor($, substituted, ...rotations.map((count) => rotateLeft($, substituted, count)), a)));
  }
  return parts.slice(1).reduce((v, part, index) => $.lane("i32x4.replace_lane", index + 1, v, part), $.op("i32x4.splat", parts[0]));
}

const sm4 = () => [
  insn(
    "SM4E",
    "11001110110 00000 100001 Rn Rd",
    SM4,
    (f) => `sm4e\t${words(f.Rd)}, ${words(f.Rn)}`,
    ({ Rn, Rd }, $) => $.setQ(Rd, fourRounds($, $.Q(Rd), $.Q(Rn), [2, 10, 18, 24])),
  ),
  insn(
    "SM4EKEY",
    "11001110 011 Rm 110010 Rn Rd",
    SM4,
    (f) => `sm4ekey\t${words(f.Rd)}, ${words(f.Rn)}, ${words(f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => $.setQ(Rd, fourRounds($, $.Q(Rn), $.Q(Rm), [13, 23])),
  ),
];

/** SHA-512, SHA-3, SM3, SM4. */
export const simdHashes = (): Instruction[] => [...sha512(), ...sha3(), ...sm3(), ...sm4()];

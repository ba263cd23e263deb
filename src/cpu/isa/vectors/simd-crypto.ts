// The Cryptographic Extension: AES, SHA-1, SHA-256 and the polynomial product of doublewords. Arm
// ARM C4.1.96, "Cryptographic AES", "Cryptographic three-register SHA", "Cryptographic two-register
// SHA" and PMULL of "Advanced SIMD three different".

import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, pattern, shuffleLanes } from "../notation/simd-operands.ts";

/** Rotates each column of the AES state by `rows`: byte `rows` comes first. */
const rotateColumns = ($: Builder, rows: number, a: Node): Node =>
  $.let($.shuffle(Array.from({ length: 16 }, (_, i) => i & ~3 | (i + rows & 3)), a, a));

/** Doubles each byte in GF(2^8). */
function double($: Builder, a: Node): Node {
  const reduction = $.and($.op("i8x16.lt_s", a, $.v128(0n, 0n)), $.v128(0x1b1b_1b1b_1b1b_1b1bn, 0x1b1b_1b1b_1b1b_1b1bn));
  return $.let($.eor($.op("i8x16.add", a, a), reduction));
}

/** AESMixColumns: 2 a[i] + 3 a[i + 1] + a[i + 2] + a[i + 3]. */
function mixColumns($: Builder, a: Node): Node {
  const next = rotateColumns($, 1, a), pair = $.let($.eor(a, next));
  return $.eor($.eor(double($, pair), next), rotateColumns($, 2, pair));
}

/** AESInvMixColumns: its polynomial is that of MixColumns times 4 x^2 + 5. */
function inverseMixColumns($: Builder, a: Node): Node {
  const fourfold = double($, double($, $.let($.eor(a, rotateColumns($, 2, a)))));
  return mixColumns($, $.let($.eor(a, fourfold)));
}

const AES: readonly { name: string; opcode: number; operation: ($: Builder, d: () => Node, n: Node) => Node }[] = [
  { name: "aese", opcode: 0b00100, operation: ($, d, n) => $.call("v128", "aesSubBytes", $.let($.eor(d(), n))) },
  { name: "aesd", opcode: 0b00101, operation: ($, d, n) => $.call("v128", "aesInverseSubBytes", $.let($.eor(d(), n))) },
  { name: "aesmc", opcode: 0b00110, operation: ($, _, n) => mixColumns($, n) },
  { name: "aesimc", opcode: 0b00111, operation: ($, _, n) => inverseMixColumns($, n) },
];

const aes = () =>
  AES.map(({ name, opcode, operation }) =>
    insn(
      name.toUpperCase(),
      pattern<"Rn Rd">(`01001110 00 10100 ${bits(opcode, 5)} 10 Rn Rd`),
      { cold: true },
      (f) => `${name}\tv${f.Rd}.16b, v${f.Rn}.16b`,
      ({ Rn, Rd }, $) => $.setQ(Rd, operation($, () => $.Q(Rd), $.Q(Rn))),
    )
  );

/** Words `first` to `first` + 3 of high:low. */
const extract = ($: Builder, first: number, low: Node, high: Node): Node =>
  $.let($.shuffle(shuffleLanes(2, [0, 1, 2, 3].map((word) => word + first)), low, high));

const rotateWords = ($: Builder, a: Node, left: number): Node =>
  $.or($.op("i32x4.shl", a, $.i32(left)), $.op("i32x4.shr_u", a, $.i32(32 - left)));

/** sigma0 and sigma1 of SHA-256's schedule: two rotations and a shift, to the right. */
const sigma = ($: Builder, a: Node, first: number, second: number, shift: number): Node =>
  $.eor($.eor(rotateWords($, a, 32 - first), rotateWords($, a, 32 - second)), $.op("i32x4.shr_u", a, $.i32(shift)));

type Operand = "q" | "s" | "4s";

interface Sha {
  readonly name: string;
  readonly opcode: number;
  /** How Rd, Rn and, with three registers, Rm are written. */
  readonly operands: readonly Operand[];
}

const THREE: readonly (Sha & { operation: ($: Builder, d: Node, Rn: Node, m: Node) => Node })[] = [
  ...["Choose", "Parity", "Majority"].map((mix, opcode) => ({
    name: `sha1${mix[0].toLowerCase()}`,
    opcode,
    operands: ["q", "s", "4s"] as const,
    operation: ($: Builder, d: Node, Rn: Node, m: Node) => $.call("v128", `sha1${mix}`, d, $.Sbits(Rn), m),
  })),
  {
    name: "sha1su0",
    opcode: 0b011,
    operands: ["4s", "4s", "4s"],
    operation: ($, d, Rn, m) => $.eor($.eor(extract($, 2, d, $.Q(Rn)), d), m),
  },
  { name: "sha256h", opcode: 0b100, operands: ["q", "q", "4s"], operation: ($, d, Rn, m) => $.call("v128", "sha256Hash1", d, $.Q(Rn), m) },
  { name: "sha256h2", opcode: 0b101, operands: ["q", "q", "4s"], operation: ($, d, Rn, m) => $.call("v128", "sha256Hash2", $.Q(Rn), d, m) },
  {
    name: "sha256su1",
    opcode: 0b110,
    operands: ["4s", "4s", "4s"],
    operation: ($, d, Rn, m) => {
      const sum = $.let($.op("i32x4.add", d, extract($, 1, $.Q(Rn), m)));
      // The first two words depend on the last two of m, the last two on the first two of the
      // result.
      const low = $.let($.op("i32x4.add", sum, sigma($, extract($, 2, m, m), 17, 19, 10)));
      const high = $.op("i32x4.add", sum, sigma($, extract($, 2, low, low), 17, 19, 10));
      return $.shuffle(shuffleLanes(2, [0, 1, 6, 7]), low, $.let(high));
    },
  },
];

const TWO: readonly (Sha & { operation: ($: Builder, Rd: Node, Rn: Node) => void })[] = [
  { name: "sha1h", opcode: 0b00000, operands: ["s", "s"], operation: ($, Rd, Rn) => $.setS(Rd, $.op("i32.rotl", $.Sbits(Rn), 30)) },
  {
    name: "sha1su1",
    opcode: 0b00001,
    operands: ["4s", "4s"],
    operation: ($, Rd, Rn) => {
      const zero = $.v128(0n, 0n), mixed = $.let($.eor($.Q(Rd), extract($, 1, $.Q(Rn), zero)));
      const once = $.let(rotateWords($, mixed, 1));
      // The last word takes in the first of the result, which is rotated by one again.
      $.setQ(Rd, $.eor(once, rotateWords($, $.let($.shuffle(shuffleLanes(2, [4, 4, 4, 0]), once, zero)), 1)));
    },
  },
  {
    name: "sha256su0",
    opcode: 0b00010,
    operands: ["4s", "4s"],
    operation: ($, Rd, Rn) => {
      const d = $.Q(Rd);
      $.setQ(Rd, $.op("i32x4.add", d, sigma($, extract($, 1, d, $.Q(Rn)), 7, 18, 3)));
    },
  },
];

const operandText = (operand: Operand, index: number): string => operand === "4s" ? `v${index}.4s` : `${operand}${index}`;

const sha = () => [
  ...THREE.map(({ name, opcode, operands: [d, n, m], operation }) =>
    insn(
      name.toUpperCase(),
      pattern<"Rm Rn Rd">(`01011110 00 0 Rm 0 ${bits(opcode, 3)} 00 Rn Rd`),
      { cold: true },
      (f) => `${name}\t${operandText(d, f.Rd)}, ${operandText(n, f.Rn)}, ${operandText(m, f.Rm)}`,
      ({ Rm, Rn, Rd }, $) => $.setQ(Rd, operation($, $.Q(Rd), Rn, $.Q(Rm))),
    )
  ),
  ...TWO.map(({ name, opcode, operands: [d, n], operation }) =>
    insn(
      name.toUpperCase(),
      pattern<"Rn Rd">(`01011110 00 10100 ${bits(opcode, 5)} 10 Rn Rd`),
      { cold: true },
      (f) => `${name}\t${operandText(d, f.Rd)}, ${operandText(n, f.Rn)}`,
      ({ Rn, Rd }, $) => operation($, Rd, Rn),
    )
  ),
];

const pmull = () =>
  insn(
    "PMULL, PMULL2 (64)",
    "0 Q 0 01110 11 1 Rm 1110 00 Rn Rd",
    { cold: true },
    (f) => `pmull${f.Q ? "2" : ""}\tv${f.Rd}.1q, v${f.Rn}.${1 + f.Q}d, v${f.Rm}.${1 + f.Q}d`,
    ({ Q, Rm, Rn, Rd }, $) => {
      const half = (register: Node) => $.let($.readV("i64.load", register, $.range($.lsl(Q, 3), 0, 8)));
      $.setQ(Rd, $.call("v128", "polynomialMultiply64", half(Rn), half(Rm)));
    },
  );

/** AES, SHA-1, SHA-256, PMULL. */
export const simdCrypto = (): Instruction[] => [...aes(), ...sha(), pmull()];

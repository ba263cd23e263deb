// Dot products of bytes and products of matrices of bytes: FEAT_DotProd (SDOT, UDOT) and FEAT_I8MM
// (USDOT, SUDOT, SMMLA, UMMLA, USMMLA). Arm ARM C4.1.96, "Advanced SIMD three-register extension"
// and "vector x indexed element".

import type { Builder, Node } from "../notation/builder.ts";
import { vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, pattern, setVector, shuffleLanes } from "../notation/simd-operands.ts";

/** Signs of the bytes of the first and the second operand. */
interface Signs {
  readonly first: "s" | "u";
  readonly second: "s" | "u";
}

const S: Signs = { first: "s", second: "s" }, U: Signs = { first: "u", second: "u" };
const US: Signs = { first: "u", second: "s" }, SU: Signs = { first: "s", second: "u" };

/** The low or high eight bytes as halfwords. */
const widen = ($: Builder, half: "low" | "high", sign: "s" | "u", a: Node): Node => $.let($.op(`i16x8.extend_${half}_i8x16_${sign}`, a));

/** Sums of neighboring words of a:b. */
function addPairs($: Builder, a: Node, b: Node): Node {
  const even = $.shuffle(shuffleLanes(2, [0, 2, 4, 6]), a, b), odd = $.shuffle(shuffleLanes(2, [1, 3, 5, 7]), a, b);
  return $.let($.op("i32x4.add", even, odd));
}

/** Each word of the result is the sum of four products of bytes; none of the sums overflows. */
function dotProducts($: Builder, { first, second }: Signs, a: Node, b: Node): Node {
  const half = (which: "low" | "high") => $.let($.op("i32x4.dot_i16x8_s", widen($, which, first, a), widen($, which, second, b)));
  return addPairs($, half("low"), half("high"));
}

interface Dot {
  readonly name: string;
  readonly feature: "FEAT_DotProd" | "FEAT_I8MM";
  readonly signs: Signs;
  /** U, size and opcode of the vector form, and of that by element. */
  readonly vector?: readonly [U: number, opcode: number];
  readonly indexed?: readonly [U: number, size: number, opcode: number];
}

const DOTS: readonly Dot[] = [
  { name: "sdot", feature: "FEAT_DotProd", signs: S, vector: [0, 0b100101], indexed: [0, 0b10, 0b1110] },
  { name: "udot", feature: "FEAT_DotProd", signs: U, vector: [1, 0b100101], indexed: [1, 0b10, 0b1110] },
  { name: "usdot", feature: "FEAT_I8MM", signs: US, vector: [0, 0b100111], indexed: [0, 0b10, 0b1111] },
  { name: "sudot", feature: "FEAT_I8MM", signs: SU, indexed: [0, 0b00, 0b1111] },
];

const accumulate = ($: Builder, Q: Node, Rd: Node, products: Node) => setVector($, Q, Rd, $.op("i32x4.add", $.Q(Rd), products));

const dots = () =>
  DOTS.flatMap(({ name, feature, signs, vector: plain, indexed }) => [
    ...plain
      ? [insn(
        `${name.toUpperCase()} (vector)`,
        pattern<"Q Rm Rn Rd">(`0 Q ${plain[0]} 01110 10 0 Rm ${bits(plain[1], 6)} Rn Rd`),
        { feature, cold: true },
        (f) => `${name}\t${vector(2, f.Q, f.Rd)}, ${vector(0, f.Q, f.Rn)}, ${vector(0, f.Q, f.Rm)}`,
        ({ Q, Rm, Rn, Rd }, $) => accumulate($, Q, Rd, dotProducts($, signs, $.Q(Rn), $.Q(Rm))),
      )]
      : [],
    ...indexed
      ? [insn(
        `${name.toUpperCase()} (by element)`,
        pattern<"Q L Rm H Rn Rd">(`0 Q ${indexed[0]} 01111 ${bits(indexed[1], 2)} L Rm ${bits(indexed[2], 4)} H 0 Rn Rd`),
        { feature, cold: true },
        (f) => `${name}\t${vector(2, f.Q, f.Rd)}, ${vector(0, f.Q, f.Rn)}, v${f.Rm}.4b[${2 * f.H + f.L}]`,
        ({ Q, L, Rm, H, Rn, Rd }, $) => {
          const offset = $.range($.or($.lsl(H, 3), $.lsl(L, 2)), 0, 12);
          const group = $.let($.op("i32x4.splat", $.readV("i32.load", Rm, offset)));
          accumulate($, Q, Rd, dotProducts($, signs, $.Q(Rn), group));
        },
      )]
      : [],
  ]);

const MATRICES = [["smmla", 0, 0b101001, S], ["ummla", 1, 0b101001, U], ["usmmla", 0, 0b101011, US]] as const;

/** A matrix of 2 by 8 bytes times the transposed other one, added to 2 by 2 words. */
const matrices = () =>
  MATRICES.map(([name, letter, opcode, { first, second }]) =>
    insn(
      name.toUpperCase(),
      pattern<"Rm Rn Rd">(`0 1 ${letter} 01110 10 0 Rm ${bits(opcode, 6)} Rn Rd`),
      { feature: "FEAT_I8MM", cold: true },
      (f) => `${name}\t${vector(2, 1, f.Rd)}, ${vector(0, 1, f.Rn)}, ${vector(0, 1, f.Rm)}`,
      ({ Rm, Rn, Rd }, $) => {
        const n = $.Q(Rn), m = $.Q(Rm);
        const rows = [widen($, "low", first, n), widen($, "high", first, n)];
        const columns = [widen($, "low", second, m), widen($, "high", second, m)];
        const sums = rows.map((row) => {
          const [a, b] = columns.map((column) => $.let($.op("i32x4.dot_i16x8_s", row, column)));
          return addPairs($, a, b);
        });
        $.setQ(Rd, $.op("i32x4.add", $.Q(Rd), addPairs($, sums[0], sums[1])));
      },
    )
  );

/** DotProd and I8MM. */
export const simdDotProduct = (): Instruction[] => [...dots(), ...matrices()];

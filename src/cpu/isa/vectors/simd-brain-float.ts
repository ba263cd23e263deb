// BFloat16: FEAT_BF16 (BFDOT, BFMMLA, BFMLALB, BFMLALT, BFCVT, BFCVTN). Arm ARM C4.1.96. A number
// is the upper half of a single; the arithmetic is in cpu/core/fp/brain-float.ts.

import type { Builder, Node } from "../notation/builder.ts";
import { HALF, vector, writeFloat } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { setVector } from "../notation/simd-operands.ts";

const BF16 = { feature: "FEAT_BF16", cold: true } as const;
const LANES = [0, 1, 2, 3] as const;

const word = ($: Builder, lane: number, a: Node) => $.lane("i32x4.extract_lane", lane, a);
const single = ($: Builder, lane: number, a: Node) => $.lane("f32x4.extract_lane", lane, a);

/** A vector of four singles. */
function fromSingles($: Builder, singles: readonly Node[]): Node {
  return singles.reduce((sum, value, lane) => $.lane("f32x4.replace_lane", lane, sum, value), $.v128(0n, 0n));
}

/** Four sums of two products each; `pair` gives the second operands. */
function dotProducts($: Builder, d: Node, n: Node, pair: (lane: number) => Node): Node {
  return fromSingles($, LANES.map((lane) => $.call("f32", "brainDotAdd", single($, lane, d), word($, lane, n), pair(lane))));
}

/** Products of the even numbers of each pair, or the odd ones, as singles. */
function multiplyAdd($: Builder, isTop: Node, Rd: Node, Rn: Node, second: (lane: number) => Node): void {
  const d = $.Q(Rd), n = $.Q(Rn);
  const first = (lane: number) => $.let($.op("f32.reinterpret_i32", half($, isTop, word($, lane, n))));
  const target = $.alternate ? "FPMulAddBF" : "FPMulAdd32";
  $.setQ(Rd, fromSingles($, LANES.map((lane) => $.call("f32", target, single($, lane, d), first(lane), second(lane)))));
}

/** The lower or the upper number of a word, as the bits of a single. */
const half = ($: Builder, isTop: Node, pair: Node) => $.and($.lsl(pair, $.sub($.i32(16), $.lsl(isTop, 4))), $.i32(0xffff_0000 | 0));

/** Numbers of four singles. */
function converted($: Builder, n: Node): Node {
  return LANES.map((lane) => $.call("i32", "FPConvertBF", word($, lane, n)))
    .reduce((sum, value, lane) => $.lane("i16x8.replace_lane", lane, sum, value), $.v128(0n, 0n));
}

/** BF16. */
export const simdBrainFloat = (): Instruction[] => [
  insn(
    "BFDOT (vector)",
    "0 Q 1 01110 01 0 Rm 111111 Rn Rd",
    BF16,
    (f) => `bfdot\t${vector(2, f.Q, f.Rd)}, ${vector(1, f.Q, f.Rn)}, ${vector(1, f.Q, f.Rm)}`,
    ({ Q, Rm, Rn, Rd }, $) => {
      const m = $.Q(Rm);
      setVector($, Q, Rd, dotProducts($, $.Q(Rd), $.Q(Rn), (lane) => word($, lane, m)));
    },
  ),
  insn(
    "BFDOT (by element)",
    "0 Q 0 01111 01 L Rm 1111 H 0 Rn Rd",
    BF16,
    (f) => `bfdot\t${vector(2, f.Q, f.Rd)}, ${vector(1, f.Q, f.Rn)}, v${f.Rm}.2h[${2 * f.H + f.L}]`,
    ({ Q, L, Rm, H, Rn, Rd }, $) => {
      const pair = $.let($.readV("i32.load", Rm, $.range($.or($.lsl(H, 3), $.lsl(L, 2)), 0, 12)));
      setVector($, Q, Rd, dotProducts($, $.Q(Rd), $.Q(Rn), () => pair));
    },
  ),
  insn(
    "BFMMLA",
    "0 1 1 01110 01 0 Rm 111011 Rn Rd",
    BF16,
    (f) => `bfmmla\t${vector(2, 1, f.Rd)}, ${vector(1, 1, f.Rn)}, ${vector(1, 1, f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => {
      const d = $.Q(Rd), n = $.Q(Rn), m = $.Q(Rm);
      const sums = LANES.map((lane) => {
        const row = 2 * (lane >> 1), column = 2 * (lane & 1);
        const first = $.call("f32", "brainDotAdd", single($, lane, d), word($, row, n), word($, column, m));
        return $.call("f32", "brainDotAdd", first, word($, row + 1, n), word($, column + 1, m));
      });
      $.setQ(Rd, fromSingles($, sums));
    },
  ),
  insn(
    "BFMLALB/BFMLALT (vector)",
    "0 Q 1 01110 11 0 Rm 111111 Rn Rd",
    BF16,
    (f) => `bfmlal${"bt"[f.Q]}\t${vector(2, 1, f.Rd)}, ${vector(1, 1, f.Rn)}, ${vector(1, 1, f.Rm)}`,
    ({ Q, Rm, Rn, Rd }, $) => {
      const m = $.Q(Rm);
      multiplyAdd($, Q, Rd, Rn, (lane) => $.op("f32.reinterpret_i32", half($, Q, word($, lane, m))));
    },
  ),
  insn(
    "BFMLALB/BFMLALT (by element)",
    "0 Q 0 01111 11 L M Rm:4 1111 H 0 Rn Rd",
    BF16,
    (f) => `bfmlal${"bt"[f.Q]}\t${vector(2, 1, f.Rd)}, ${vector(1, 1, f.Rn)}, v${f.Rm}.h[${4 * f.H + 2 * f.L + f.M}]`,
    ({ Q, L, M, Rm, H, Rn, Rd }, $) => {
      const offset = $.range($.or($.or($.lsl(H, 3), $.lsl(L, 2)), $.lsl(M, 1)), 0, 14);
      const element = $.let($.op("f32.reinterpret_i32", $.lsl($.readV("i32.load16_u", Rm, offset), 16)));
      multiplyAdd($, Q, Rd, Rn, () => element);
    },
  ),
  insn(
    "BFCVT",
    "0 00 11110 01 1 000110 10000 Rn Rd",
    BF16,
    (f) => `bfcvt\th${f.Rd}, s${f.Rn}`,
    ({ Rn, Rd }, $) => writeFloat($, HALF, Rd, $.call("i32", "FPConvertBF", $.Sbits(Rn)), Rd),
  ),
  insn(
    "BFCVTN/BFCVTN2",
    "0 Q 0 01110 10 1 00001 0110 10 Rn Rd",
    { ...BF16, shape: "Q" },
    (f) => `bfcvtn${f.Q ? "2" : ""}\t${vector(1, f.Q, f.Rd)}, ${vector(2, 1, f.Rn)}`,
    ({ Q, Rn, Rd }, $) => {
      const numbers = $.lane("i64x2.extract_lane", 0, converted($, $.Q(Rn)));
      if (Q) $.writeV("i64.store", Rd, 8, numbers);
      else $.setD(Rd, numbers);
    },
  ),
];

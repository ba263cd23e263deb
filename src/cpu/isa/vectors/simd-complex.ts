// Arithmetic of complex numbers: FEAT_FCMA (FCADD, FCMLA), with FEAT_FP16 in half precision too.
// Arm ARM C4.1.96, "Advanced SIMD three-register extension" and "vector x indexed element". A
// complex number is a pair of elements, its real part first.

import type { Builder, Node } from "../notation/builder.ts";
import { unlessNaNs, vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { arrangementName } from "./simd-fp.ts";
import { bits, needsQ, pattern, replicate, setVector, shuffleLanes, vectorOf } from "../notation/simd-operands.ts";

/** Sizes of elements that FCMA has by itself: single and double precision. */
const SIZES = [2, 3] as const;

/** The sign bits of the even (real) or odd (imaginary) elements, or of both. */
function signs($: Builder, size: number, even: boolean, odd: boolean): Node {
  const width = 8 << size, sign = 1n << BigInt(width - 1);
  if (size === 3) return $.v128(even ? sign : 0n, odd ? sign : 0n);
  const pair = (even ? sign : 0n) | (odd ? sign << BigInt(width) : 0n), half = replicate(pair, size + 1);
  return $.v128(half, half);
}

/** Negates elements, NaNs as FPCR.AH says. */
const negated = ($: Builder, size: number, even: boolean, odd: boolean, a: Node): Node =>
  even || odd ? $.let(unlessNaNs($, size === 3 ? "f64x2" : "f32x4", a, $.eor(a, signs($, size, even, odd)))) : a;

/** Moves the element at `from(index)` to each index. */
function moved($: Builder, size: number, from: (index: number) => number, a: Node): Node {
  return $.let($.shuffle(shuffleLanes(size, Array.from({ length: 16 >> size }, (_, index) => from(index))), a, a));
}

const swapped = ($: Builder, size: number, a: Node): Node => moved($, size, (index) => index ^ 1, a);

/** FCADD: a plus b times i (rotation 90) or -i (270). */
function rotatedSum($: Builder, size: number, Q: number, rot: number, a: Node, b: Node): Node {
  const turned = negated($, size, rot === 0, rot === 1, swapped($, size, b));
  return $.call("v128", `FPAdd${arrangementName(size - 2, Q)}`, a, turned);
}

type ComplexShape = { readonly size: number; readonly Q: number; readonly rot: number };

/** FCMLA: the part of the product that the rotation names, added to `sum`. */
function partialProduct($: Builder, { size, Q, rot }: ComplexShape, sum: Node, a: Node, b: Node): Node {
  const odd = rot & 1, duplicated = moved($, size, (index) => index & ~1 | odd, a);
  const other = odd ? swapped($, size, b) : b;
  const turned = negated($, size, rot === 1 || rot === 2, rot === 2 || rot === 3, other);
  return $.call("v128", `FPMulAdd${arrangementName(size - 2, Q)}`, sum, duplicated, turned);
}

const FCMA = { feature: "FEAT_FCMA", cold: true } as const;

const vectors = () =>
  SIZES.flatMap((size) => [
    insn(
      `FCADD (${8 << size})`,
      pattern<"Q Rm rot:1 Rn Rd">(`0 Q 1 01110 ${bits(size, 2)} 0 Rm 111 rot:1 01 Rn Rd`),
      { ...FCMA, shape: "Q rot", when: (f) => !needsQ(f, size) },
      (f) => `fcadd\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${vector(size, f.Q, f.Rm)}, #${f.rot ? 270 : 90}`,
      ({ Q, rot, Rm, Rn, Rd }, $) => setVector($, Q, Rd, rotatedSum($, size, Q, rot, vectorOf($, Q, Rn), vectorOf($, Q, Rm))),
    ),
    insn(
      `FCMLA (vector, ${8 << size})`,
      pattern<"Q Rm rot:2 Rn Rd">(`0 Q 1 01110 ${bits(size, 2)} 0 Rm 110 rot:2 1 Rn Rd`),
      { ...FCMA, shape: "Q rot", when: (f) => !needsQ(f, size) },
      (f) => `fcmla\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${vector(size, f.Q, f.Rm)}, #${90 * f.rot}`,
      ({ Q, rot, Rm, Rn, Rd }, $) => {
        setVector($, Q, Rd, partialProduct($, { size, Q, rot }, vectorOf($, Q, Rd), vectorOf($, Q, Rn), vectorOf($, Q, Rm)));
      },
    ),
  ]);

const byElement = () =>
  insn(
    "FCMLA (by element, 32)",
    "0 1 1 01111 10 0 Rm 0 rot:2 1 H 0 Rn Rd",
    { ...FCMA, shape: "rot" },
    (f) => `fcmla\tv${f.Rd}.4s, v${f.Rn}.4s, v${f.Rm}.s[${f.H}], #${90 * f.rot}`,
    ({ rot, Rm, H, Rn, Rd }, $) => {
      const pair = $.let($.readV("v128.load64_splat", Rm, $.range($.lsl(H, 3), 0, 8)));
      $.setQ(Rd, partialProduct($, { size: 2, Q: 1, rot }, $.Q(Rd), $.Q(Rn), pair));
    },
  );

/** FCMA. */
export const simdComplex = (): Instruction[] => [...vectors(), byElement()];

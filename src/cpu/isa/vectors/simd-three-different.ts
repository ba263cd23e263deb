// AdvSIMD three registers of different types: widening, narrowing and wide arithmetic. Arm ARM
// C4.1.96, "Advanced SIMD three different" and its scalar form. Q chooses which half of the narrow
// registers takes part ("2" after the name).

import type { Builder, Node } from "../notation/builder.ts";
import { scalar, vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import {
  bits,
  both,
  extendLow,
  halfOf,
  LANES,
  narrow,
  pattern,
  replicate,
  scalarOf,
  setHalf,
  setScalar,
} from "../notation/simd-operands.ts";

/**
 * From the narrow halves (in low halves of vectors) and the wide destination to the wide result.
 * `size` is the narrow one's.
 */
export type WideningOperation = ($: Builder, size: number, U: 0 | 1, a: Node, b: Node, d: () => Node) => Node;

const lane = (size: number) => LANES[size + 1];
const letter = (U: 0 | 1) => U ? "u" : "s";

/** The exact products of the low halves. */
const product: WideningOperation = ($, size, U, a, b) => $.op(`${lane(size)}.extmul_low_${LANES[size]}_${letter(U)}`, a, b);
const sum = (operation: "add" | "sub"): WideningOperation => ($, size, U, a, b) =>
  $.op(`${lane(size)}.${operation}`, extendLow($, size, !U, a), extendLow($, size, !U, b));
const difference: WideningOperation = ($, size, U, a, b) => {
  const [x, y] = [$.let(extendLow($, size, !U, a)), $.let(extendLow($, size, !U, b))];
  const distance = $.let($.op(`${lane(size)}.sub`, x, y));
  // Widened numbers have room for the sign of their difference.
  return $.op(`${lane(size)}.abs`, distance);
};
const accumulate = (operation: WideningOperation, direction: "add" | "sub" = "add"): WideningOperation => ($, size, U, a, b, d) =>
  $.op(`${lane(size)}.${direction}`, d(), operation($, size, U, a, b, d));

/** SQDMULL: twice the product, saturated (that is, SQADD of the product to itself). */
const doubled: WideningOperation = ($, size, _, a, b, d) => {
  const half = $.let(product($, size, 0, a, b, d));
  return $.call("v128", `SQADD${16 << size}`, half, half);
};
const accumulateDoubled = (operation: "SQADD" | "SQSUB"): WideningOperation => ($, size, U, a, b, d) =>
  $.call("v128", `${operation}${16 << size}`, d(), doubled($, size, U, a, b, d));

interface Long {
  readonly name: string;
  readonly opcode: number;
  /** The signs that exist: U values. */
  readonly signs: readonly (0 | 1)[];
  readonly sizes: readonly number[];
  readonly operation: WideningOperation;
}

const NARROW = [0, 1, 2], BOTH = [0, 1] as const;

const LONG: readonly Long[] = [
  { name: "addl", opcode: 0b0000, signs: BOTH, sizes: NARROW, operation: sum("add") },
  { name: "subl", opcode: 0b0010, signs: BOTH, sizes: NARROW, operation: sum("sub") },
  { name: "abal", opcode: 0b0101, signs: BOTH, sizes: NARROW, operation: accumulate(difference) },
  { name: "abdl", opcode: 0b0111, signs: BOTH, sizes: NARROW, operation: difference },
  { name: "mlal", opcode: 0b1000, signs: BOTH, sizes: NARROW, operation: accumulate(product) },
  { name: "mlsl", opcode: 0b1010, signs: BOTH, sizes: NARROW, operation: accumulate(product, "sub") },
  { name: "mull", opcode: 0b1100, signs: BOTH, sizes: NARROW, operation: product },
];

/** Those without a letter for the sign, with scalar forms. */
const DOUBLING: readonly Long[] = [
  { name: "sqdmlal", opcode: 0b1001, signs: [0], sizes: [1, 2], operation: accumulateDoubled("SQADD") },
  { name: "sqdmlsl", opcode: 0b1011, signs: [0], sizes: [1, 2], operation: accumulateDoubled("SQSUB") },
  { name: "sqdmull", opcode: 0b1101, signs: [0], sizes: [1, 2], operation: doubled },
];

const PMULL: Long = {
  name: "pmull",
  opcode: 0b1110,
  signs: [0],
  sizes: [0],
  operation: ($, _size, _U, a, b) => $.call("v128", "PMULL16", extendLow($, 0, false, a), extendLow($, 0, false, b)),
};

function long(name: string, U: 0 | 1, { opcode, sizes, operation }: Long): Instruction {
  return insn(
    `${name.toUpperCase()}, ${name.toUpperCase()}2 (vector)`,
    pattern<"Q size Rm Rn Rd">(`0 Q ${U} 01110 size 1 Rm ${bits(opcode, 4)} 00 Rn Rd`),
    { shape: "size", when: (f) => sizes.includes(f.size), cold: true },
    (f) => `${name}${f.Q ? "2" : ""}\t${vector(f.size + 1, 1, f.Rd)}, ${vector(f.size, f.Q, f.Rn)}, ${vector(f.size, f.Q, f.Rm)}`,
    ({ Q, size, Rm, Rn, Rd }, $) => $.setQ(Rd, operation($, size, U, halfOf($, Q, Rn), halfOf($, Q, Rm), () => $.Q(Rd))),
  );
}

const wide = () =>
  ([0, 1] as const).flatMap((U) =>
    (["add", "sub"] as const).map((operation, index) => {
      const name = `${letter(U)}${operation}w`;
      return insn(
        `${name.toUpperCase()}, ${name.toUpperCase()}2`,
        pattern<"Q size Rm Rn Rd">(`0 Q ${U} 01110 size 1 Rm 00${index}1 00 Rn Rd`),
        { shape: "size", when: (f) => f.size < 3, cold: true },
        (f) => `${name}${f.Q ? "2" : ""}\t${vector(f.size + 1, 1, f.Rd)}, ${vector(f.size + 1, 1, f.Rn)}, ${vector(f.size, f.Q, f.Rm)}`,
        ({ Q, size, Rm, Rn, Rd }, $) =>
          $.setQ(Rd, $.op(`${lane(size)}.${operation}`, $.Q(Rn), extendLow($, size, U === 0, halfOf($, Q, Rm)))),
      );
    })
  );

/** ADDHN, SUBHN and, with U, the rounding ones: the high halves of the lanes. */
const highNarrow = () =>
  ([0, 1] as const).flatMap((U) =>
    (["add", "sub"] as const).map((operation, index) => {
      const name = `${U ? "r" : ""}${operation}hn`;
      return insn(
        `${name.toUpperCase()}, ${name.toUpperCase()}2`,
        pattern<"Q size Rm Rn Rd">(`0 Q ${U} 01110 size 1 Rm 01${index}0 00 Rn Rd`),
        { shape: "size", when: (f) => f.size < 3, cold: true },
        (f) => `${name}${f.Q ? "2" : ""}\t${vector(f.size, f.Q, f.Rd)}, ${vector(f.size + 1, 1, f.Rn)}, ${vector(f.size + 1, 1, f.Rm)}`,
        ({ Q, size, Rm, Rn, Rd }, $) => {
          const lanes = lane(size), half = 8 << size;
          const result = $.op(`${lanes}.${operation}`, $.Q(Rn), $.Q(Rm));
          const rounded = U ? $.op(`${lanes}.add`, result, both($, replicate(1n << BigInt(half - 1), size + 1))) : result;
          setHalf($, Q, Rd, narrow($, size, $.let($.op(`${lanes}.shr_u`, rounded, $.i32(half)))));
        },
      );
    })
  );

const scalarDoubling = () =>
  DOUBLING.map(({ name, opcode, operation }) =>
    insn(
      `${name.toUpperCase()} (scalar)`,
      pattern<"size Rm Rn Rd">(`01 0 11110 size 1 Rm ${bits(opcode, 4)} 00 Rn Rd`),
      { shape: "size", when: (f) => f.size === 1 || f.size === 2, cold: true },
      (f) => `${name}\t${scalar(f.size + 1, f.Rd)}, ${scalar(f.size, f.Rn)}, ${scalar(f.size, f.Rm)}`,
      ({ size, Rm, Rn, Rd }, $) => {
        const result = operation($, size, 0, scalarOf($, size, Rn), scalarOf($, size, Rm), () => scalarOf($, size + 1, Rd));
        setScalar($, size + 1, Rd, result);
      },
    )
  );

/** By opcode, for the forms with one element (`simd-indexed.ts`). */
export const WIDENING: ReadonlyMap<string, WideningOperation> = new Map([...LONG, ...DOUBLING].map((e) => [e.name, e.operation]));

export const simdThreeDifferent = (): Instruction[] => [
  ...LONG.flatMap((entry) => entry.signs.map((U) => long(`${letter(U)}${entry.name}`, U, entry))),
  ...DOUBLING.map((entry) => long(entry.name, 0, entry)),
  long(PMULL.name, 0, PMULL),
  ...wide(),
  ...highNarrow(),
  ...scalarDoubling(),
];

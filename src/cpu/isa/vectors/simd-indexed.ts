// AdvSIMD vector by element, vector and scalar. Arm ARM C4.1.96, "Advanced SIMD vector x indexed
// element" and its scalar form. The element's number is H:L:M for halfwords (of V0 to V15), H:L for
// words, H for doublewords.

import type { Builder, Node } from "../notation/builder.ts";
import { element, FLOATS, negate, readFloat, scalar, unlessNaNs, vector, writeFloat } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { arrangementName } from "./simd-fp.ts";
import {
  bits,
  halfOf,
  LANES,
  multiply,
  pattern,
  scalarOf,
  setScalar,
  setVector,
  SPLAT_LOADS,
  vectorOf,
} from "../notation/simd-operands.ts";
import { WIDENING, type WideningOperation } from "./simd-three-different.ts";

/** The number of the element, by size. M is part of the register but for halfwords. */
const ELEMENT = {
  1: { index: (f: { H: number; L: number; M: number }) => f.H << 2 | f.L << 1 | f.M },
  2: { index: (f: { H: number; L: number; M: number }) => f.H << 1 | f.L },
  3: { index: (f: { H: number; L: number; M: number }) => f.H },
} as const;

type Size = keyof typeof ELEMENT;
type ElementFields = { readonly H: number; readonly L: number; readonly M: number; readonly Rm4: number };
type ElementNodes = { readonly H: Node; readonly L: Node; readonly M: Node; readonly Rm4: Node };

const registerOf = (size: Size, f: ElementFields) => size === 1 ? f.Rm4 : f.M << 4 | f.Rm4;
const elementText = (size: Size, f: ElementFields) => element(size, registerOf(size, f), ELEMENT[size].index(f));

/** The register and the byte offset of the element, static. */
function locate($: Builder, size: Size, { H, L, M, Rm4 }: ElementNodes): { register: Node; offset: Node } {
  const offset = $.computed("i32", `element${size}`, [H, L, M], (h, l, m) => ELEMENT[size].index({ H: h, L: l, M: m }) << size, 0, 15);
  return { register: size === 1 ? Rm4 : $.range($.or($.lsl(M, 4), Rm4), 0, 31), offset };
}

/** The element in all lanes. */
function replicated($: Builder, size: Size, f: ElementNodes): Node {
  const { register, offset } = locate($, size, f);
  return $.let($.readV(SPLAT_LOADS[size], register, offset));
}

const vectorPattern = (U: number, size: number, opcode: number) =>
  pattern<"Q L M Rm4 H Rn Rd">(`0 Q ${U} 01111 ${bits(size, 2)} L M Rm4 ${bits(opcode, 4)} H 0 Rn Rd`);
const scalarPattern = (U: number, size: number, opcode: number) =>
  pattern<"L M Rm4 H Rn Rd">(`01 ${U} 11111 ${bits(size, 2)} L M Rm4 ${bits(opcode, 4)} H 0 Rn Rd`);

type IndexedOperation = ($: Builder, size: number, a: Node, b: Node, d: () => Node) => Node;

const accumulate = (direction: "add" | "sub"): IndexedOperation => ($, size, a, b, d) =>
  $.op(`${LANES[size]}.${direction}`, d(), multiply($, size, a, b));
const library = (name: string): IndexedOperation => ($, size, a, b) => $.call("v128", `${name}${8 << size}`, a, b);
const libraryWithAccumulator = (name: string): IndexedOperation => ($, size, a, b, d) => $.call("v128", `${name}${8 << size}`, a, b, d());

const SAME: readonly { name: string; U: 0 | 1; opcode: number; operation: IndexedOperation; hasScalar?: boolean }[] = [
  { name: "mla", U: 1, opcode: 0b0000, operation: accumulate("add") },
  { name: "mls", U: 1, opcode: 0b0100, operation: accumulate("sub") },
  { name: "mul", U: 0, opcode: 0b1000, operation: multiply },
  { name: "sqdmulh", U: 0, opcode: 0b1100, operation: library("SQDMULH"), hasScalar: true },
  { name: "sqrdmulh", U: 0, opcode: 0b1101, operation: library("SQRDMULH"), hasScalar: true },
  // FEAT_RDM.
  { name: "sqrdmlah", U: 1, opcode: 0b1101, operation: libraryWithAccumulator("SQRDMLAH"), hasScalar: true },
  { name: "sqrdmlsh", U: 1, opcode: 0b1111, operation: libraryWithAccumulator("SQRDMLSH"), hasScalar: true },
];

const same = () =>
  SAME.flatMap(({ name, U, opcode, operation, hasScalar }) =>
    ([1, 2] as const).flatMap((size) => {
      const inVectors = insn(
        `${name.toUpperCase()} (by element, ${8 << size})`,
        vectorPattern(U, size, opcode),
        { cold: true },
        (f) => `${name}\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${elementText(size, f)}`,
        ({ Q, Rn, Rd, ...f }, $) => setVector($, Q, Rd, operation($, size, vectorOf($, Q, Rn), replicated($, size, f), () => $.Q(Rd))),
      );
      if (!hasScalar) return [inVectors];
      const inScalars = insn(
        `${name.toUpperCase()} (scalar, by element, ${8 << size})`,
        scalarPattern(U, size, opcode),
        { cold: true },
        (f) => `${name}\t${scalar(size, f.Rd)}, ${scalar(size, f.Rn)}, ${elementText(size, f)}`,
        ({ Rn, Rd, ...f }, $) =>
          setScalar($, size, Rd, operation($, size, scalarOf($, size, Rn), replicated($, size, f), () => scalarOf($, size, Rd))),
      );
      return [inVectors, inScalars];
    })
  );

const LONG: readonly { name: string; opcode: number; signs: readonly (0 | 1)[]; doubles?: boolean }[] = [
  { name: "mlal", opcode: 0b0010, signs: [0, 1] },
  { name: "mlsl", opcode: 0b0110, signs: [0, 1] },
  { name: "mull", opcode: 0b1010, signs: [0, 1] },
  { name: "sqdmlal", opcode: 0b0011, signs: [0], doubles: true },
  { name: "sqdmlsl", opcode: 0b0111, signs: [0], doubles: true },
  { name: "sqdmull", opcode: 0b1011, signs: [0], doubles: true },
];

function operationOf(name: string): WideningOperation {
  const operation = WIDENING.get(name);
  if (!operation) throw new Error(`no widening operation ${name}`);
  return operation;
}

const long = () =>
  LONG.flatMap(({ name: base, opcode, signs, doubles }) =>
    signs.flatMap((U) =>
      ([1, 2] as const).flatMap((size) => {
        const name = doubles ? base : `${U ? "u" : "s"}${base}`, operation = operationOf(base);
        const inVectors = insn(
          `${name.toUpperCase()}, ${name.toUpperCase()}2 (by element, ${8 << size})`,
          vectorPattern(U, size, opcode),
          { cold: true },
          (f) => `${name}${f.Q ? "2" : ""}\t${vector(size + 1, 1, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${elementText(size, f)}`,
          ({ Q, Rn, Rd, ...f }, $) => $.setQ(Rd, operation($, size, U, halfOf($, Q, Rn), replicated($, size, f), () => $.Q(Rd))),
        );
        if (!doubles) return [inVectors];
        const inScalars = insn(
          `${name.toUpperCase()} (scalar, by element, ${8 << size})`,
          scalarPattern(0, size, opcode),
          { cold: true },
          (f) => `${name}\t${scalar(size + 1, f.Rd)}, ${scalar(size, f.Rn)}, ${elementText(size, f)}`,
          ({ Rn, Rd, ...f }, $) => {
            const { register, offset } = locate($, size, f);
            const load = size === 1 ? "i32.load16_u" : "i32.load";
            const b = $.let($.lane("i32x4.replace_lane", 0, $.v128(0n, 0n), $.readV(load, register, offset)));
            const result = operation($, size, 0, scalarOf($, size, Rn), b, () => scalarOf($, size + 1, Rd));
            setScalar($, size + 1, Rd, result);
          },
        );
        return [inVectors, inScalars];
      })
    )
  );

/** Products of a vector and an element, of every precision. */
export const INDEXED_FLOAT = [
  { name: "fmla", U: 0, opcode: 0b0001, target: "FPMulAdd", negates: false, fused: true },
  { name: "fmls", U: 0, opcode: 0b0101, target: "FPMulAdd", negates: true, fused: true },
  { name: "fmul", U: 0, opcode: 0b1001, target: "FPMul", negates: false, fused: false },
  { name: "fmulx", U: 1, opcode: 0b1001, target: "FPMulX", negates: false, fused: false },
] as const;

const floats = () =>
  INDEXED_FLOAT.flatMap(({ name, U, opcode, target, negates, fused }) =>
    ([2, 3] as const).flatMap((size) => {
      const sz = size - 2, format = FLOATS[sz];
      const unallocated = (f: { L: number }) => size === 3 && f.L === 1;
      return [
        insn(
          `${name.toUpperCase()} (by element, ${8 << size})`,
          vectorPattern(U, size, opcode),
          { shape: "Q", when: (f) => size === 2 || f.Q === 1, unallocated, cold: (f) => name === "fmulx" || !f.Q },
          (f) => `${name}\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${elementText(size, f)}`,
          ({ Q, Rn, Rd, ...f }, $) => {
            const a = vectorOf($, Q, Rn), y = replicated($, size, f);
            const x = negates ? unlessNaNs($, format.lanes, a, $.op(`${format.lanes}.neg`, a)) : a;
            const function_ = target + arrangementName(sz, Q);
            setVector($, Q, Rd, fused ? $.call("v128", function_, $.Q(Rd), x, y) : $.call("v128", function_, x, y));
          },
        ),
        insn(
          `${name.toUpperCase()} (scalar, by element, ${8 << size})`,
          scalarPattern(U, size, opcode),
          { unallocated, cold: true },
          (f) => `${name}\t${scalar(size, f.Rd)}, ${scalar(size, f.Rn)}, ${elementText(size, f)}`,
          ({ Rn, Rd, ...f }, $) => {
            const { register, offset } = locate($, size, f);
            const a = readFloat($, format, Rn), x = negates ? negate($, a) : a;
            const y = $.let($.readV(`${format.type}.load`, register, offset)), function_ = `${target}${format.width}`;
            const operands = fused ? [readFloat($, format, Rd), x, y] : [x, y];
            writeFloat($, format, Rd, $.call(format.type, function_, ...operands), fused ? Rd : Rn);
          },
        ),
      ];
    })
  );

/** Vector by element. */
export const simdIndexed = (): Instruction[] => [...same(), ...long(), ...floats()];

// Instructions that replace common short sequences: FEAT_CSSC (ABS, CNT, CTZ, minimum and maximum),
// and FEAT_HBC, a conditional branch whose direction seldom changes. Arm ARM C4.1.93, C4.1.95.

import { CONDITIONS, r, signed, target } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, pattern } from "../notation/simd-operands.ts";

const CSSC = { feature: "FEAT_CSSC", cold: true } as const;

const ONE: readonly (readonly [name: string, opcode: number, operation: ($: Builder, a: Node) => Node])[] = [
  ["ctz", 0b000110, ($, a) => $.op(`${a.type}.ctz`, a)],
  ["cnt", 0b000111, ($, a) => $.op(`${a.type}.popcnt`, a)],
  ["abs", 0b001000, ($, a) => $.select($.ltS(a, 0), $.neg(a), a)],
];

const EXTREMES = [
  ["smax", 0b00, ($: Builder, a: Node, b: Node) => $.gtS(a, b)],
  ["umax", 0b01, ($: Builder, a: Node, b: Node) => $.gtU(a, b)],
  ["smin", 0b10, ($: Builder, a: Node, b: Node) => $.ltS(a, b)],
  ["umin", 0b11, ($: Builder, a: Node, b: Node) => $.ltU(a, b)],
] as const;

/** CSSC and HBC. */
export const shortSequences = (): Instruction[] => [
  ...ONE.map(([name, opcode, operation]) =>
    insn(
      `${name.toUpperCase()} (general)`,
      pattern<"sf Rn Rd">(`sf 1 0 11010110 00000 ${bits(opcode, 6)} Rn Rd`),
      { ...CSSC, shape: "sf" },
      (f) => `${name}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}`,
      ({ sf, Rn, Rd }, $) => $.setR(Rd, operation($, $.R(sf, Rn))),
    )
  ),
  ...EXTREMES.flatMap(([name, opcode, takesFirst]) => [
    insn(
      `${name.toUpperCase()} (register)`,
      pattern<"sf Rm Rn Rd">(`sf 0 0 11010110 Rm 0110 ${bits(opcode, 2)} Rn Rd`),
      { ...CSSC, shape: "sf" },
      (f) => `${name}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}`,
      ({ sf, Rm, Rn, Rd }, $) => {
        const a = $.R(sf, Rn), b = $.R(sf, Rm);
        $.setR(Rd, $.select(takesFirst($, a, b), a, b));
      },
    ),
    insn(
      `${name.toUpperCase()} (immediate)`,
      pattern<"sf imm8 Rn Rd">(`sf 0 0 1000111 00 ${bits(opcode, 2)} imm8 Rn Rd`),
      { ...CSSC, shape: "sf" },
      (f) => `${name}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, #${opcode & 1 ? f.imm8 : f.imm8 << 24 >> 24}`,
      ({ sf, imm8, Rn, Rd }, $) => {
        const value = opcode & 1 ? imm8 : $.asr($.lsl(imm8, 24), 24);
        const a = $.R(sf, Rn), b = $.let(sf ? $.signExtend64(value) : value);
        $.setR(Rd, $.select(takesFirst($, a, b), a, b));
      },
    ),
  ]),

  insn(
    "BC.cond",
    "01010100 imm19 1 cond",
    { feature: "FEAT_HBC", shape: "cond" },
    (f, at) => `bc.${CONDITIONS[f.cond]}\t${target(at, 4 * signed(f.imm19, 19))}`,
    ({ imm19, cond }, $) => $.branch($.lsl($.signExtend(imm19, 19), 2), cond < 14 ? $.condition(cond) : undefined),
  ),
];

// Loads and stores with release consistency of pairs, with writeback, and of vector registers
// (FEAT_LRCPC3): LDIAPP, STILP, LDAPR, STLR, LDAPUR, STLUR, LDAP1, STL1; and the atomic operations
// on 128 bits (FEAT_LSE128). Arm ARM C4.1.94. Every ordering holds here (atomics.ts).

import { offsetAddress, r, signed, x, xsp } from "../notation/assembly.ts";
import { ORDERED } from "../general/atomics.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { transfer, transferExists, transferText } from "./fp-loads-stores.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, high, low, pattern, vectorFrom } from "../notation/simd-operands.ts";

const LRCPC3 = { feature: "FEAT_LRCPC3", cold: true } as const;
const LSE128 = { feature: "FEAT_LSE128", cold: true } as const;
/** A stage-2 abort of a pair or a vector has no syndrome. */
const PART = { ...ORDERED, part: true } as const;

/** The values for the two registers of a pair, W or X, loaded by one access. */
function loadOrdered($: Builder, isWide: number, address: Node): [Node, Node] {
  if (!isWide) {
    const both = $.load("i64", 8, address, PART);
    return [$.wrap(both), $.wrap($.lsr(both, 32))];
  }
  const both = $.load("v128", 16, address, PART);
  return [low($, both), high($, both)];
}

function storeOrdered($: Builder, isWide: number, address: Node, Rt: Node, Rt2: Node): void {
  if (isWide) $.store(16, address, vectorFrom($, $.X(Rt), $.X(Rt2)), PART);
  else $.store(8, address, $.or($.zeroExtend64($.W(Rt)), $.lsl($.X(Rt2), 32)), PART);
}

/** One of the instructions of FEAT_LSE128, by the bits that select it. */
function atomic128(name: string, selector: number, result: ($: Builder, old: Node, operand: Node) => Node): Instruction {
  return insn(
    name.toUpperCase(),
    pattern<"A R Rt2 Rn Rt">(`00 011001 A R 1 Rt2 ${bits(selector, 4)} 00 Rn Rt`),
    { ...LSE128, unallocated: (f) => f.Rt === 31 || f.Rt2 === 31, unpredictable: (f) => f.Rt === f.Rt2 },
    (f) => `${name}${f.A ? "a" : ""}${f.R ? "l" : ""}\t${x(f.Rt)}, ${x(f.Rt2)}, [${xsp(f.Rn)}]`,
    ({ Rt2, Rn, Rt }, $) => {
      const place = $.ramAddress(16, $.XSP(Rn));
      const low = $.ramLoad("i64.load", place), high = $.ramLoad("i64.load", place, 8);
      $.ramStore("i64.store", place, result($, low, $.X(Rt)));
      $.ramStore("i64.store", place, result($, high, $.X(Rt2)), 8);
      $.setR(Rt, low);
      $.setR(Rt2, high);
    },
  );
}

/** The instructions of FEAT_LRCPC3 and FEAT_LSE128. */
export const orderedPairs = (): Instruction[] => [
  insn(
    "STILP/LDIAPP",
    "1 sz:1 011001 0 L 0 Rt2 000 plain:1 10 Rn Rt",
    {
      ...LRCPC3,
      shape: "sz L plain",
      unpredictable: (f) => f.L === 1 && f.Rt === f.Rt2 || !f.plain && f.Rn !== 31 && (f.Rn === f.Rt || f.Rn === f.Rt2),
    },
    (f) => {
      const bytes = f.sz ? 16 : 8, pair = `${r(f.sz, f.Rt)}, ${r(f.sz, f.Rt2)}`;
      if (f.L) return `ldiapp\t${pair}, [${xsp(f.Rn)}]${f.plain ? "" : `, #${bytes}`}`;
      return `stilp\t${pair}, ${f.plain ? `[${xsp(f.Rn)}]` : `[${xsp(f.Rn)}, #-${bytes}]!`}`;
    },
    ({ sz, L, plain, Rt2, Rn, Rt }, $) => {
      const bytes = sz ? 16 : 8, base = $.XSP(Rn), updated = $.let($.add(base, plain ? 0 : L ? bytes : -bytes));
      if (L) {
        const [first, second] = loadOrdered($, sz, base);
        $.setR(Rt, first);
        $.setR(Rt2, second);
      } else storeOrdered($, sz, updated, Rt, Rt2);
      if (!plain) $.setRSP(Rn, updated);
    },
  ),
  insn(
    "STLR (pre-index)/LDAPR (post-index)",
    "1 sz:1 011001 1 L 0 00000 0000 10 Rn Rt",
    { ...LRCPC3, shape: "sz L", unpredictable: (f) => f.Rn === f.Rt && f.Rn !== 31 },
    (f) => {
      const bytes = f.sz ? 8 : 4;
      return f.L ? `ldapr\t${r(f.sz, f.Rt)}, [${xsp(f.Rn)}], #${bytes}` : `stlr\t${r(f.sz, f.Rt)}, [${xsp(f.Rn)}, #-${bytes}]!`;
    },
    ({ sz, L, Rn, Rt }, $) => {
      const bytes = sz ? 8 : 4, base = $.XSP(Rn), updated = $.let($.add(base, L ? bytes : -bytes));
      if (L) $.setR(Rt, $.load("i64", bytes, base, PART));
      else $.store(bytes, updated, $.X(Rt), PART);
      $.setRSP(Rn, updated);
    },
  ),
  insn(
    "STLUR/LDAPUR (SIMD&FP)",
    "size 011101 opc 0 imm9 10 Rn Rt",
    { ...LRCPC3, shape: "size opc", when: transferExists },
    (f) => `${transferText(["stlur", "ldapur"], f, f.Rt)}, ${offsetAddress(f.Rn, signed(f.imm9, 9))}`,
    ({ size, opc, imm9, Rn, Rt }, $) => {
      transfer($, { size, opc }, Rt, $.let($.add($.XSP(Rn), $.signExtend64($.signExtend(imm9, 9)))), PART);
    },
  ),
  insn(
    "STL1/LDAP1",
    "0 Q 0011010 L 0 00001 100001 Rn Rt",
    { ...LRCPC3, shape: "Q L" },
    (f) => `${f.L ? "ldap1" : "stl1"}\t{v${f.Rt}.d}[${f.Q}], [${xsp(f.Rn)}]`,
    ({ Q, L, Rn, Rt }, $) => {
      const address = $.XSP(Rn);
      if (L) $.setQ(Rt, $.lane("i64x2.replace_lane", Q, $.Q(Rt), $.load("i64", 8, address, PART)));
      else $.store(8, address, $.lane("i64x2.extract_lane", Q, $.Q(Rt)), PART);
    },
  ),
  atomic128("ldclrp", 1, ($, old, operand) => $.and(old, $.not(operand))),
  atomic128("ldsetp", 3, ($, old, operand) => $.or(old, operand)),
  atomic128("swpp", 8, (_, _old, operand) => operand),
];

// Loads and stores with release consistency that not every CPU has: at an offset, FEAT_LRCPC2
// (LDAPUR, STLUR), and within a region of memory, FEAT_LOR (LDLAR, STLLR). Arm ARM C4.1.94,
// "LDAPR/STLR (unscaled immediate)", "Load/store ordered". Every ordering holds here (atomics.ts).

import { r, xsp } from "../notation/assembly.ts";
import { ORDERED } from "./atomics.ts";
import { insn, type Instruction } from "../notation/insn.ts";

const NARROW = ["b", "h", "", ""] as const;
const LRCPC2 = { feature: "FEAT_LRCPC2", cold: true } as const;
const signed = (imm9: number) => imm9 << 23 >> 23;
const offset = (f: { imm9: number }) => signed(f.imm9) ? `, #${signed(f.imm9)}` : "";

/** LRCPC2 and LOR. */
export const loadsStoresUnscaledOrdered = (): Instruction[] => [
  insn(
    "STLUR/LDAPUR",
    "size 011001 0 load:1 0 imm9 00 Rn Rt",
    { ...LRCPC2, shape: "size load" },
    (f) => `${f.load ? "ldapur" : "stlur"}${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}${offset(f)}]`,
    ({ size, load, imm9, Rn, Rt }, $) => {
      const address = $.let($.add($.XSP(Rn), $.signExtend64($.asr($.lsl(imm9, 23), 23))));
      if (load) $.setR(Rt, $.load("i64", 1 << size, address, ORDERED));
      else $.store(1 << size, address, $.X(Rt), ORDERED);
    },
  ),
  insn(
    "LDAPURSB/LDAPURSH/LDAPURSW",
    "size 011001 1 half:1 0 imm9 00 Rn Rt",
    { ...LRCPC2, shape: "size half", when: (f) => f.size < 2 || f.size === 2 && f.half === 0 },
    (f) => `ldapurs${["b", "h", "w"][f.size]}\t${r(f.half ? 0 : 1, f.Rt)}, [${xsp(f.Rn)}${offset(f)}]`,
    ({ size, half, imm9, Rn, Rt }, $) => {
      const address = $.let($.add($.XSP(Rn), $.signExtend64($.asr($.lsl(imm9, 23), 23))));
      $.setR(Rt, $.load(half ? "i32" : "i64", 1 << size, address, { ...ORDERED, signed: true }));
    },
  ),
  insn(
    "LDLAR/STLLR",
    "size 001000 1 L 0 Rs 0 Rt2 Rn Rt",
    { feature: "FEAT_LOR", shape: "size L", cold: true, unpredictable: (f) => f.Rs !== 31 || f.Rt2 !== 31 },
    (f) => `${f.L ? "ldlar" : "stllr"}${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, L, Rn, Rt }, $) => {
      if (L) $.setR(Rt, $.load("i64", 1 << size, $.XSP(Rn), ORDERED));
      else $.store(1 << size, $.XSP(Rn), $.X(Rt), ORDERED);
    },
  ),
];

// Data processing with an immediate: PC-relative addresses, add and subtract, logical, move wide,
// bitfield, extract. Arm ARM C4.1.92.

import { ADD_SUB, decimal, hex, r, rsp, signed, target, x } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { decodeBitMasks, elementSize, setAddFlags, setLogicalFlags, setSubFlags } from "../notation/pseudocode.ts";

const LOGICAL = ["and", "orr", "eor", "ands"] as const;

const bitMasks = new Map<number, bigint>();

/** The immediate of a logical instruction; kernels use few different ones, so they are kept. */
function bitMaskImmediate(N: number, immr: number, imms: number): bigint {
  const key = N << 12 | immr << 6 | imms;
  let mask = bitMasks.get(key);
  if (mask === undefined) {
    const masks = decodeBitMasks(N, immr, imms, true);
    if (!masks) throw new Error("a reserved logical immediate reached execution");
    bitMasks.set(key, mask = masks.wmask);
  }
  return mask;
}

const reservedBitMask = (f: { sf: number; N: number; imms: number }) => !f.sf && f.N === 1 || elementSize(f.N, f.imms, true) === undefined;

/**
 * The steps of a bitfield move: shift up to drop the high bits, then down into place.
 */
function bitfieldShifts($: Builder, sf: number, immr: Node, imms: Node): { up: Node; down: Node } {
  const top = sf ? 63 : 31;
  const up = $.range($.sub($.i32(top), imms), 0, top);
  const down = $.range($.select($.geU(imms, immr), $.add(up, immr), $.sub($.sub(immr, imms), 1)), 0, top);
  return { up, down };
}

const reservedBitfield = (f: { sf: number; N: number; immr: number; imms: number }) =>
  f.N !== f.sf || !f.sf && (f.immr > 31 || f.imms > 31);

export const dataProcessingImmediate = (): Instruction[] => [
  insn(
    "ADR/ADRP",
    "op immlo 10000 immhi Rd",
    { shape: "op" },
    (f, at) => {
      const offset = BigInt(signed(f.immhi << 2 | f.immlo, 21));
      return `${f.op ? "adrp" : "adr"}\t${x(f.Rd)}, ${f.op ? target((at & ~0xfffn) + (offset << 12n), 0) : target(at, Number(offset))}`;
    },
    ({ op, immlo, immhi, Rd }, $) => {
      const offset = $.signExtend64($.or($.lsl($.signExtend(immhi, 19), 2), immlo));
      if (op) $.setR(Rd, $.add($.and($.pc(), -4096), $.lsl($.range(offset, -(2 ** 20), 2 ** 20 - 1), 12)));
      else $.setR(Rd, $.add($.pc(), $.range(offset, -(2 ** 20), 2 ** 20 - 1)));
    },
  ),

  insn(
    "ADD/ADDS/SUB/SUBS (immediate)",
    "sf op S 100010 sh imm12 Rn Rd",
    { shape: "sf op S", special: (f) => f.op && f.S ? [{ Rd: 31 }] : [] },
    (f) =>
      `${ADD_SUB[2 * f.op + f.S]}\t${f.S ? r(f.sf, f.Rd) : rsp(f.sf, f.Rd)}, ${rsp(f.sf, f.Rn)}, ${hex(f.imm12)}${f.sh ? ", lsl #12" : ""}`,
    ({ sf, op, S, sh, imm12, Rn, Rd }, $) => {
      const a = $.RSP(sf, Rn);
      const immediate = $.range($.lsl(imm12, $.mul(sh, 12)), 0, 0xfff000);
      if (!S) {
        // SUB adds the negated immediate, so that both share one handler.
        const addend = $.range(op ? $.sub($.i32(0), immediate) : immediate, -0xfff000, 0xfff000);
        $.setRSP(Rd, $.add(a, sf ? $.signExtend64(addend) : addend));
        return;
      }
      const b = $.sized(sf, immediate);
      const result = $.let(op ? $.sub(a, b) : $.add(a, b));
      (op ? setSubFlags : setAddFlags)($, a, b, result);
      $.setR(Rd, result);
    },
  ),

  insn(
    "AND/ORR/EOR/ANDS (immediate)",
    "sf opc 100100 N immr imms Rn Rd",
    { shape: "sf opc", unallocated: reservedBitMask, special: (f) => f.opc === 3 ? [{ Rd: 31 }] : [] },
    (f) => {
      const mask = BigInt.asUintN(f.sf ? 64 : 32, decodeBitMasks(f.N, f.immr, f.imms, true)?.wmask ?? 0n);
      return `${LOGICAL[f.opc]}\t${f.opc === 3 ? r(f.sf, f.Rd) : rsp(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${hex(mask)}`;
    },
    ({ sf, opc, N, immr, imms, Rn, Rd }, $) => {
      const mask = $.computed(sf ? "i64" : "i32", "bitMaskImmediate", [N, immr, imms], bitMaskImmediate);
      const result = $.let([$.and, $.or, $.eor, $.and][opc]($.R(sf, Rn), mask));
      if (opc === 3) {
        setLogicalFlags($, result);
        $.setR(Rd, result);
      } else $.setRSP(Rd, result);
    },
  ),

  insn(
    "MOVN/MOVZ",
    "sf opc:1 0 100101 hw imm16 Rd",
    { shape: "sf opc hw", when: (f) => f.sf === 1 || f.hw < 2 },
    (f) => `${f.opc ? "movz" : "movn"}\t${r(f.sf, f.Rd)}, ${hex(f.imm16)}${f.hw ? `, lsl #${16 * f.hw}` : ""}`,
    ({ sf, opc, hw, imm16, Rd }, $) => {
      const value = $.lsl($.zeroExtend64(imm16), 16 * hw);
      $.setR(Rd, opc ? value : $.sub($.i64(sf ? -1 : 0xffff_ffff), value));
    },
  ),

  insn(
    "MOVK",
    "sf 11 100101 hw imm16 Rd",
    { shape: "sf hw", when: (f) => f.sf === 1 || f.hw < 2 },
    (f) => `movk\t${r(f.sf, f.Rd)}, ${hex(f.imm16)}${f.hw ? `, lsl #${16 * f.hw}` : ""}`,
    ({ sf, hw, imm16, Rd }, $) => {
      const kept = $.and($.Rupdate(sf, Rd), ~(0xffffn << BigInt(16 * hw)));
      $.setR(Rd, $.or(kept, $.lsl($.sized(sf, imm16), 16 * hw)));
    },
  ),

  insn(
    "SBFM/UBFM",
    "sf opc:1 0 100110 N immr imms Rn Rd",
    { shape: "sf opc", unallocated: reservedBitfield },
    (f) => `${f.opc ? "ubfm" : "sbfm"}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${decimal(f.immr)}, ${decimal(f.imms)}`,
    ({ sf, opc, immr, imms, Rn, Rd }, $) => {
      const { up, down } = bitfieldShifts($, sf, immr, imms);
      const shifted = $.lsl($.R(sf, Rn), up);
      $.setR(Rd, opc ? $.lsr(shifted, down) : $.asr(shifted, down));
    },
  ),

  insn(
    "BFM",
    "sf 01 100110 N immr imms Rn Rd",
    { shape: "sf", unallocated: reservedBitfield },
    (f) => `bfm\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${decimal(f.immr)}, ${decimal(f.imms)}`,
    ({ sf, N, immr, imms, Rn, Rd }, $) => {
      const mask = $.computed(sf ? "i64" : "i32", "bitfieldMask", [N, immr, imms], (N, immr, imms) => {
        const masks = decodeBitMasks(N, immr, imms, false);
        if (!masks) throw new Error("a reserved bitfield reached execution");
        return masks.wmask & masks.tmask;
      });
      const target = $.Rupdate(sf, Rd);
      $.setR(Rd, $.eor(target, $.and($.eor(target, $.ror($.R(sf, Rn), immr)), mask)));
    },
  ),

  insn(
    "EXTR",
    "sf 00 100111 N 0 Rm imms Rn Rd",
    { shape: "sf", unallocated: (f) => f.N !== f.sf || !f.sf && f.imms > 31 },
    (f) => `extr\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}, ${decimal(f.imms)}`,
    ({ sf, Rm, imms, Rn, Rd }, $) => {
      const high = $.R(sf, Rn), low = $.R(sf, Rm);
      const up = $.range($.sub($.i32(sf ? 63 : 31), imms), 0, 63);
      $.setR(Rd, $.or($.lsr(low, imms), $.lsl($.lsl(high, 1), up)));
    },
  ),
];

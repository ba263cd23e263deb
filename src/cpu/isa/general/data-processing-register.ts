// Data processing on general registers: logical, add and subtract, conditional, multiply, divide,
// bits and CRC32. Arm ARM C4.1.95.

import { ADD_SUB, CONDITIONS, extend, hex, r, rsp, shiftSuffix, w, x } from "../notation/assembly.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { extendRegister, setAddFlags, setLogicalFlags, setSubFlags, shiftRegister } from "../notation/pseudocode.ts";

const LOGICAL = [["and", "orr", "eor", "ands"], ["bic", "orn", "eon", "bics"]] as const;
const SELECT = ["csel", "csinc", "csinv", "csneg"] as const;
const SHIFT_VARIABLE = ["lslv", "lsrv", "asrv", "rorv"] as const;
const CRC_SIZES = ["b", "h", "w", "x"] as const;

/**
 * Rare forms stay out of the interpreter loop: rotated and arithmetic-shifted operands, inverted
 * ones with a shift.
 */
const rareShift = (f: { shift: number }) => f.shift > 1;

/**
 * The extension in the operand of an add or subtract: LSL where it has no effect, with the stack
 * pointer as an operand.
 */
function extendedOperand(f: { sf: number; S: number; Rm: number; option: number; imm3: number; Rn: number; Rd: number }): string {
  const register = r(f.sf && (f.option & 3) === 3 ? 1 : 0, f.Rm);
  const plain = f.option === (f.sf ? 3 : 2) && (f.Rn === 31 || !f.S && f.Rd === 31);
  if (plain) return f.imm3 ? `${register}, lsl #${f.imm3}` : register;
  return `${register}, ${extend(f.option, f.imm3)}`;
}

export const dataProcessingRegister = (): Instruction[] => [
  insn(
    "AND/ORR/EOR/ANDS/BIC/ORN/EON/BICS (shifted register)",
    "sf opc 01010 shift N Rm imm6 Rn Rd",
    {
      shape: "sf opc shift N",
      unallocated: (f) => !f.sf && f.imm6 > 31,
      cold: (f) => rareShift(f) && f.opc !== 2,
      special: (f) => f.shift || f.N ? [] : [[], [{ Rn: 31, imm6: 0 }], [{ imm6: 0 }], [{ Rd: 31, imm6: 0 }]][f.opc],
    },
    (f) => `${LOGICAL[f.N][f.opc]}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}${shiftSuffix(f.shift, f.imm6)}`,
    ({ sf, opc, shift, N, Rm, imm6, Rn, Rd }, $) => {
      const shifted = shiftRegister($, $.R(sf, Rm), shift, imm6);
      const result = $.let([$.and, $.or, $.eor, $.and][opc]($.R(sf, Rn), N ? $.not(shifted) : shifted));
      if (opc === 3) setLogicalFlags($, result);
      $.setR(Rd, result);
    },
  ),

  insn(
    "ADD/ADDS/SUB/SUBS (shifted register)",
    "sf op S 01011 shift 0 Rm imm6 Rn Rd",
    {
      shape: "sf op S shift",
      when: (f) => f.shift !== 3,
      unallocated: (f) => !f.sf && f.imm6 > 31,
      special: (f) => f.shift ? [] : f.op && f.S ? [{ Rd: 31, imm6: 0 }, { imm6: 0 }] : [{ imm6: 0 }],
    },
    (f) => `${ADD_SUB[2 * f.op + f.S]}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}${shiftSuffix(f.shift, f.imm6)}`,
    ({ sf, op, S, shift, Rm, imm6, Rn, Rd }, $) => {
      const a = $.R(sf, Rn), b = $.let(shiftRegister($, $.R(sf, Rm), shift, imm6));
      const result = $.let(op ? $.sub(a, b) : $.add(a, b));
      if (S) (op ? setSubFlags : setAddFlags)($, a, b, result);
      $.setR(Rd, result);
    },
  ),

  insn(
    "ADD/ADDS/SUB/SUBS (extended register)",
    "sf op S 01011 00 1 Rm option imm3 Rn Rd",
    {
      shape: "sf op S option",
      unallocated: (f) => f.imm3 > 4,
      cold: (f) => !f.sf || f.option === 7 || f.S === 1 && f.option !== 2 && f.option !== 6,
    },
    (f) => `${ADD_SUB[2 * f.op + f.S]}\t${f.S ? r(f.sf, f.Rd) : rsp(f.sf, f.Rd)}, ${rsp(f.sf, f.Rn)}, ${extendedOperand(f)}`,
    ({ sf, op, S, Rm, option, imm3, Rn, Rd }, $) => {
      const extended = extendRegister($, $.X(Rm), option, imm3);
      const a = $.RSP(sf, Rn), b = $.let(sf ? extended : $.wrap(extended));
      const result = $.let(op ? $.sub(a, b) : $.add(a, b));
      if (S) {
        (op ? setSubFlags : setAddFlags)($, a, b, result);
        $.setR(Rd, result);
      } else $.setRSP(Rd, result);
    },
  ),

  insn(
    "ADC/ADCS/SBC/SBCS",
    "sf op S 11010000 Rm 000000 Rn Rd",
    { shape: "sf op S" },
    (f) => `${["adc", "adcs", "sbc", "sbcs"][2 * f.op + f.S]}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}`,
    ({ sf, op, S, Rm, Rn, Rd }, $) => {
      const a = $.R(sf, Rn), b = $.let(op ? $.not($.R(sf, Rm)) : $.R(sf, Rm)), carry = $.let($.flag("C"));
      const result = $.let($.add($.add(a, b), $.sized(sf, carry)));
      if (S) {
        const value = $.let($.signExtend64(result));
        const carryOut = $.or($.ltU(result, a), $.and(carry, $.eq(result, a)));
        $.setFlags(value, value, carryOut, $.signExtend64($.and($.eor(a, result), $.eor(b, result))));
      }
      $.setR(Rd, result);
    },
  ),

  insn(
    "CCMN/CCMP",
    "sf op 1 11010010 Rm cond immediate:1 0 Rn 0 nzcv",
    { shape: "sf op immediate cond", cold: (f) => f.op === 0 || f.cond > 13 },
    (f) => `${f.op ? "ccmp" : "ccmn"}\t${r(f.sf, f.Rn)}, ${f.immediate ? hex(f.Rm) : r(f.sf, f.Rm)}, ${hex(f.nzcv)}, ${CONDITIONS[f.cond]}`,
    ({ sf, op, immediate, Rm, cond, Rn, nzcv }, $) =>
      $.if($.condition(cond), () => {
        const a = $.R(sf, Rn), b = immediate ? $.sized(sf, Rm) : $.R(sf, Rm);
        const result = $.let(op ? $.sub(a, b) : $.add(a, b));
        (op ? setSubFlags : setAddFlags)($, a, b, result);
      }, () => {
        $.setNZCV($.atRunTime(nzcv));
      }),
  ),

  insn(
    "CSEL/CSINC/CSINV/CSNEG",
    "sf op 0 11010100 Rm cond 0 o2 Rn Rd",
    { shape: "sf op cond o2", cold: (f) => f.cond > 13 },
    (f) => `${SELECT[2 * f.op + f.o2]}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}, ${CONDITIONS[f.cond]}`,
    ({ sf, op, Rm, cond, o2, Rn, Rd }, $) => {
      const m = $.R(sf, Rm);
      const other = [m, $.add(m, 1), $.not(m), $.neg(m)][2 * op + o2];
      $.setR(Rd, $.select($.condition(cond), $.R(sf, Rn), other));
    },
  ),

  insn(
    "UDIV/SDIV",
    "sf 00 11010110 Rm 00001 o1 Rn Rd",
    { shape: "sf o1" },
    (f) => `${f.o1 ? "sdiv" : "udiv"}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}`,
    ({ sf, o1, Rm, Rn, Rd }, $) => {
      const bits = sf ? 64 : 32, a = $.R(sf, Rn), b = $.R(sf, Rm);
      $.setR(Rd, $.call(`i${bits}`, `${o1 ? "signed" : "unsigned"}Divide${bits}`, a, b));
    },
  ),

  insn(
    "LSLV/LSRV/ASRV/RORV",
    "sf 00 11010110 Rm 0010 op2:2 Rn Rd",
    { shape: "sf op2" },
    (f) => `${SHIFT_VARIABLE[f.op2]}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}`,
    ({ sf, op2, Rm, Rn, Rd }, $) => $.setR(Rd, [$.lsl, $.lsr, $.asr, $.ror][op2]($.R(sf, Rn), $.R(sf, Rm))),
  ),

  insn(
    "CRC32/CRC32C",
    "sf 00 11010110 Rm 010 C:1 sz:2 Rn Rd",
    { shape: "C sz", cold: true, unallocated: (f) => f.sf !== (f.sz === 3 ? 1 : 0) },
    (f) => `crc32${f.C ? "c" : ""}${CRC_SIZES[f.sz]}\t${w(f.Rd)}, ${w(f.Rn)}, ${r(f.sf, f.Rm)}`,
    ({ C, sz, Rm, Rn, Rd }, $) => {
      const name = `crc32${C ? "c" : ""}`;
      $.setR(Rd, $.call("i32", name, $.W(Rn), $.X(Rm), $.i32(1 << sz)));
    },
  ),

  insn(
    "RBIT",
    "sf 10 11010110 00000 000000 Rn Rd",
    { shape: "sf" },
    (f) => `rbit\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}`,
    ({ sf, Rn, Rd }, $) => {
      const reversed = $.call("i64", "reverseBits", $.X(Rn));
      $.setR(Rd, sf ? reversed : $.lsr(reversed, 32));
    },
  ),

  insn(
    "REV16",
    "sf 10 11010110 00000 000001 Rn Rd",
    { shape: "sf" },
    (f) => `rev16\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}`,
    ({ sf, Rn, Rd }, $) => {
      const value = $.R(sf, Rn), mask = 0x00ff00ff00ff00ffn;
      $.setR(Rd, $.or($.and($.lsr(value, 8), mask), $.lsl($.and(value, mask), 8)));
    },
  ),

  insn(
    "REV (32-bit)",
    "0 10 11010110 00000 000010 Rn Rd",
    {},
    (f) => `rev\t${w(f.Rd)}, ${w(f.Rn)}`,
    ({ Rn, Rd }, $) => {
      const value = $.W(Rn), mask = 0x00ff00ff;
      $.setR(Rd, $.or($.ror($.and(value, mask), 8), $.and($.ror(value, 24), mask)));
    },
  ),

  insn(
    "REV32",
    "1 10 11010110 00000 000010 Rn Rd",
    {},
    (f) => `rev32\t${x(f.Rd)}, ${x(f.Rn)}`,
    ({ Rn, Rd }, $) => {
      const value = $.X(Rn), bytes = 0x00ff00ff00ff00ffn, halves = 0x0000ffff0000ffffn;
      const swapped = $.let($.or($.and($.lsr(value, 8), bytes), $.lsl($.and(value, bytes), 8)));
      $.setR(Rd, $.or($.and($.lsr(swapped, 16), halves), $.lsl($.and(swapped, halves), 16)));
    },
  ),

  insn(
    "REV (64-bit)",
    "1 10 11010110 00000 000011 Rn Rd",
    {},
    (f) => `rev\t${x(f.Rd)}, ${x(f.Rn)}`,
    ({ Rn, Rd }, $) => {
      const value = $.X(Rn), bytes = 0x00ff00ff00ff00ffn, halves = 0x0000ffff0000ffffn;
      const swapped = $.let($.or($.and($.lsr(value, 8), bytes), $.lsl($.and(value, bytes), 8)));
      $.setR(Rd, $.ror($.or($.and($.lsr(swapped, 16), halves), $.lsl($.and(swapped, halves), 16)), 32));
    },
  ),

  insn(
    "CLZ",
    "sf 10 11010110 00000 000100 Rn Rd",
    { shape: "sf" },
    (f) => `clz\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}`,
    ({ sf, Rn, Rd }, $) => $.setR(Rd, $.clz($.R(sf, Rn))),
  ),

  insn(
    "CLS",
    "sf 10 11010110 00000 000101 Rn Rd",
    { shape: "sf", cold: true },
    (f) => `cls\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}`,
    ({ sf, Rn, Rd }, $) => {
      // Bits that differ from their upper neighbor; the lowest bit set stops the count one short
      // of the width.
      const value = $.R(sf, Rn);
      $.setR(Rd, $.clz($.or($.lsl($.eor(value, $.asr(value, 1)), 1), 1)));
    },
  ),

  insn(
    "MADD/MSUB",
    "sf 00 11011 000 Rm o0 Ra Rn Rd",
    { shape: "sf o0", special: (f) => f.o0 ? [] : [{ Ra: 31 }] },
    (f) => `${f.o0 ? "msub" : "madd"}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}, ${r(f.sf, f.Ra)}`,
    ({ sf, o0, Rm, Ra, Rn, Rd }, $) => {
      const product = $.mul($.R(sf, Rn), $.R(sf, Rm)), addend = $.R(sf, Ra);
      $.setR(Rd, o0 ? $.sub(addend, product) : $.add(addend, product));
    },
  ),

  insn(
    "SMADDL/SMSUBL/UMADDL/UMSUBL",
    "1 00 11011 U 01 Rm o0 Ra Rn Rd",
    { shape: "U o0", special: (f) => f.o0 ? [] : [{ Ra: 31 }] },
    (f) => `${f.U ? "u" : "s"}${f.o0 ? "msubl" : "maddl"}\t${x(f.Rd)}, ${w(f.Rn)}, ${w(f.Rm)}, ${x(f.Ra)}`,
    ({ U, o0, Rm, Ra, Rn, Rd }, $) => {
      const extended = U ? $.zeroExtend64 : $.signExtend64;
      const product = $.mul(extended($.W(Rn)), extended($.W(Rm))), addend = $.X(Ra);
      $.setR(Rd, o0 ? $.sub(addend, product) : $.add(addend, product));
    },
  ),

  insn(
    "SMULH/UMULH",
    "1 00 11011 U 10 Rm 0 Ra Rn Rd",
    { shape: "U", unpredictable: (f) => f.Ra !== 31 },
    (f) => `${f.U ? "u" : "s"}mulh\t${x(f.Rd)}, ${x(f.Rn)}, ${x(f.Rm)}`,
    ({ U, Rm, Rn, Rd }, $) => $.setR(Rd, $.call("i64", U ? "multiplyHighUnsigned" : "multiplyHighSigned", $.X(Rn), $.X(Rm))),
  ),
];

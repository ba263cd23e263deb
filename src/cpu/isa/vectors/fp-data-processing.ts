// Scalar floating-point data processing, single and double precision, and conversions to and from
// half precision. Arm ARM C4.1.96, "Floating-point". The arithmetic is in `core/fp`; its functions
// have the names of the pseudocode.

import { CONDITIONS, hex, r } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import {
  absolute,
  doubleBits,
  expandFloat,
  floatImmediate,
  FLOATS,
  floatZero,
  formatOf,
  halfBits,
  negate,
  readBits,
  readFloat,
  scalar,
  singleBits,
  writeFloat,
} from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";

/** "d1" or "s1"; ftype 3 is half precision. */
const fpr = (ftype: number, index: number): string => scalar(ftype === 3 ? 1 : 2 + ftype, index);

const TWO_SOURCE = ["fmul", "fdiv", "fadd", "fsub", "fmax", "fmin", "fmaxnm", "fminnm", "fnmul"] as const;
const TWO_SOURCE_FUNCTION = ["FPMul", "FPDiv", "FPAdd", "FPSub", "FPMax", "FPMin", "FPMaxNum", "FPMinNum", "FPMul"] as const;
const THREE_SOURCE = [["fmadd", "fmsub"], ["fnmadd", "fnmsub"]] as const;
/** By opcode; FRINT has its rounding mode in the low bits, 6 and 7 take FPCR's. */
const FRINT = ["frintn", "frintp", "frintm", "frintz", "frinta", "", "frintx", "frinti"] as const;
const ROUNDING_LETTER = ["n", "p", "m", "z"] as const;

/** ConditionHolds for a condition that is an operand: bit NZCV of a 16-bit truth table. */
function dynamicCondition($: Builder, cond: Node): Node {
  const table = $.computed("i32", "conditionTable", [cond], conditionTable, 0, 0xffff);
  return $.and($.lsr(table, $.nzcv()), 1);
}

function conditionTable(cond: number): number {
  let table = 0;
  for (let nzcv = 0; nzcv < 16; nzcv++) {
    const n = nzcv >> 3 & 1, z = nzcv >> 2 & 1, c = nzcv >> 1 & 1, v = nzcv & 1;
    const base = [z === 1, c === 1, n === 1, v === 1, c === 1 && z === 0, n === v, n === v && z === 0, true][cond >> 1];
    if (cond & 1 && cond !== 15 ? !base : base) table |= 1 << nzcv;
  }
  return table;
}

/** FPCR.RMode. */
export const roundingMode = ($: Builder): Node => $.and($.lsr($.state("FPCR"), 22), 3);

/** Scalar floating-point data processing of single and double precision, and conversions. */
export const fpDataProcessing = (): Instruction[] => [...ofFormats((f) => f.ftype < 2), ...singleAndDouble()];

/** The same of half precision (FEAT_FP16). */
export const fpHalfDataProcessing = (): Instruction[] =>
  ofFormats((f) => f.ftype === 3).concat(generalMove()).map((instruction) => ({
    ...instruction,
    name: `${instruction.name}, half precision`,
    feature: "FEAT_FP16",
    cold: () => true,
  }));

/** Entries that precisions share. */
const ofFormats = (isFloat: (f: { ftype: number }) => boolean): Instruction[] => [
  insn(
    "FMUL/FDIV/FADD/FSUB/FMAX/FMIN/FMAXNM/FMINNM/FNMUL (scalar)",
    "000 11110 ftype 1 Rm opcode4 10 Rn Rd",
    { shape: "ftype opcode4", when: (f) => isFloat(f) && f.opcode4 < 9, cold: (f) => f.opcode4 > 3 },
    (f) => `${TWO_SOURCE[f.opcode4]}\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}, ${fpr(f.ftype, f.Rm)}`,
    ({ ftype, opcode4, Rm, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      const name = `${TWO_SOURCE_FUNCTION[opcode4]}${format.width}`;
      const result = $.call(format.type, name, readFloat($, format, Rn), readFloat($, format, Rm));
      writeFloat($, format, Rd, opcode4 === 8 ? negate($, result) : result, Rn);
    },
  ),

  insn(
    "FMADD/FMSUB/FNMADD/FNMSUB",
    "000 11111 ftype o1 Rm o0 Ra Rn Rd",
    { shape: "ftype o1 o0", when: isFloat, cold: (f) => f.o1 === 1 },
    (f) => `${THREE_SOURCE[f.o1][f.o0]}\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}, ${fpr(f.ftype, f.Rm)}, ${fpr(f.ftype, f.Ra)}`,
    ({ ftype, o1, o0, Rm, Ra, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      const a = readFloat($, format, Rn), b = readFloat($, format, Rm), addend = readFloat($, format, Ra);
      const signed = (value: Node, negative: boolean) => negative ? negate($, value) : value;
      const sum = $.call(format.type, `FPMulAdd${format.width}`, signed(addend, o1 === 1), signed(a, o1 !== o0), b);
      writeFloat($, format, Rd, sum, Ra);
    },
  ),

  insn(
    "FMOV/FABS/FNEG (scalar)",
    "000 11110 ftype 1 0000 opc 10000 Rn Rd",
    { shape: "ftype opc", when: (f) => isFloat(f) && f.opc < 3, cold: (f) => f.opc > 0 },
    (f) => `${["fmov", "fabs", "fneg"][f.opc]}\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ ftype, opc, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      if (opc && $.alternate) return writeFloat($, format, Rd, (opc === 1 ? absolute : negate)($, readFloat($, format, Rn)), Rd);
      const value = readBits($, format, Rn);
      const results = [() => value, () => $.and(value, format.sign - 1n), () => $.eor(value, format.sign)];
      writeFloat($, format, Rd, results[opc]());
    },
  ),

  insn(
    "FSQRT (scalar)",
    "000 11110 ftype 1 000011 10000 Rn Rd",
    { shape: "ftype", when: isFloat, cold: true },
    (f) => `fsqrt\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ ftype, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      writeFloat($, format, Rd, $.call(format.type, `FPSqrt${format.width}`, readFloat($, format, Rn)), Rd);
    },
  ),

  insn(
    "FRINTN/FRINTP/FRINTM/FRINTZ/FRINTA/FRINTX/FRINTI (scalar)",
    "000 11110 ftype 1 001 opcode3 10000 Rn Rd",
    { shape: "ftype opcode3", when: (f) => isFloat(f) && f.opcode3 !== 5, cold: true },
    (f) => `${FRINT[f.opcode3]}\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ ftype, opcode3, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      const mode = opcode3 > 4 ? roundingMode($) : $.i32(opcode3);
      const exact = $.i32(opcode3 === 6 ? 1 : 0);
      writeFloat($, format, Rd, $.call(format.type, `FPRoundInt${format.width}`, readFloat($, format, Rn), mode, exact), Rd);
    },
  ),

  insn(
    "FCMP/FCMPE",
    "000 11110 ftype 1 Rm 00 1000 Rn signal:1 zero:1 000",
    { shape: "ftype zero", when: isFloat },
    (f) => `fcmp${f.signal ? "e" : ""}\t${fpr(f.ftype, f.Rn)}, ${f.zero ? "#0.0" : fpr(f.ftype, f.Rm)}`,
    ({ ftype, signal, zero, Rm, Rn }, $) => {
      const format = formatOf(ftype);
      const b = zero ? floatZero($, format) : readFloat($, format, Rm);
      $.setNZCV($.call("i32", `FPCompare${format.width}`, readFloat($, format, Rn), b, signal));
    },
  ),

  insn(
    "FCCMP/FCCMPE",
    "000 11110 ftype 1 Rm cond 01 Rn signal:1 nzcv",
    { shape: "ftype", when: isFloat, cold: true },
    (f) => `fccmp${f.signal ? "e" : ""}\t${fpr(f.ftype, f.Rn)}, ${fpr(f.ftype, f.Rm)}, ${hex(f.nzcv)}, ${CONDITIONS[f.cond]}`,
    ({ ftype, Rm, cond, Rn, signal, nzcv }, $) => {
      const format = formatOf(ftype), result = $.variable(nzcv);
      const a = readFloat($, format, Rn), b = readFloat($, format, Rm);
      $.if(dynamicCondition($, cond), () => $.assign(result, $.call("i32", `FPCompare${format.width}`, a, b, signal)));
      $.setNZCV(result);
    },
  ),

  insn(
    "FCSEL",
    "000 11110 ftype 1 Rm cond 11 Rn Rd",
    { shape: "ftype", when: isFloat, cold: true },
    (f) => `fcsel\t${fpr(f.ftype, f.Rd)}, ${fpr(f.ftype, f.Rn)}, ${fpr(f.ftype, f.Rm)}, ${CONDITIONS[f.cond]}`,
    ({ ftype, Rm, cond, Rn, Rd }, $) => {
      const format = formatOf(ftype);
      writeFloat($, format, Rd, $.select(dynamicCondition($, cond), readBits($, format, Rn), readBits($, format, Rm)));
    },
  ),

  insn(
    "FMOV (scalar, immediate)",
    "000 11110 ftype 1 imm8 100 00000 Rd",
    { shape: "ftype", when: isFloat },
    (f) => `fmov\t${fpr(f.ftype, f.Rd)}, ${floatImmediate(expandFloat(f.imm8))}`,
    ({ ftype, imm8, Rd }, $) => {
      const value = ftype === 1
        ? $.computed("i64", "expandDouble", [imm8], (imm) => doubleBits(expandFloat(imm)))
        : ftype === 3
        ? $.computed("i32", "expandHalf", [imm8], (imm) => halfBits(expandFloat(imm)))
        : $.computed("i32", "expandSingle", [imm8], (imm) => singleBits(expandFloat(imm)));
      writeFloat($, formatOf(ftype), Rd, value);
    },
  ),

  insn(
    "FCVTNS/FCVTNU/FCVTPS/FCVTPU/FCVTMS/FCVTMU/FCVTZS/FCVTZU (scalar, integer)",
    "sf 00 11110 ftype 1 rmode 00 U 000000 Rn Rd",
    { shape: "sf ftype U", when: isFloat, cold: (f) => f.U === 1 },
    (f) => `fcvt${ROUNDING_LETTER[f.rmode]}${"su"[f.U]}\t${r(f.sf, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ sf, ftype, rmode, U, Rn, Rd }, $) => $.setR(Rd, toFixed($, { sf, ftype, U }, readFloat($, formatOf(ftype), Rn), $.f64(1), rmode)),
  ),

  insn(
    "FCVTAS/FCVTAU (scalar, integer)",
    "sf 00 11110 ftype 1 00 10 U 000000 Rn Rd",
    { shape: "sf ftype U", when: isFloat, cold: true },
    (f) => `fcvta${"su"[f.U]}\t${r(f.sf, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ sf, ftype, U, Rn, Rd }, $) => $.setR(Rd, toFixed($, { sf, ftype, U }, readFloat($, formatOf(ftype), Rn), $.f64(1), $.i32(4))),
  ),

  insn(
    "FCVTZS/FCVTZU (scalar, fixed-point)",
    "sf 00 11110 ftype 0 11 00 U scale:6 Rn Rd",
    { shape: "sf ftype U", when: isFloat, unallocated: (f) => !f.sf && f.scale < 32, cold: true },
    (f) => `fcvtz${"su"[f.U]}\t${r(f.sf, f.Rd)}, ${fpr(f.ftype, f.Rn)}, #${64 - f.scale}`,
    ({ sf, ftype, U, scale, Rn, Rd }, $) => {
      const factor = $.op("f64.reinterpret_i64", $.computed("i64", "scaleUp", [scale], (s) => doubleBits(2 ** (64 - s))));
      $.setR(Rd, toFixed($, { sf, ftype, U }, readFloat($, formatOf(ftype), Rn), factor, $.i32(3)));
    },
  ),

  insn(
    "SCVTF/UCVTF (scalar, integer)",
    "sf 00 11110 ftype 1 00 01 U 000000 Rn Rd",
    { shape: "sf ftype U", when: isFloat, cold: (f) => f.U === 1 },
    (f) => `${"su"[f.U]}cvtf\t${fpr(f.ftype, f.Rd)}, ${r(f.sf, f.Rn)}`,
    ({ sf, ftype, U, Rn, Rd }, $) => writeFloat($, formatOf(ftype), Rd, fromFixed($, ftype, U, $.R(sf, Rn), $.i32(0)), Rd),
  ),

  insn(
    "SCVTF/UCVTF (scalar, fixed-point)",
    "sf 00 11110 ftype 0 00 01 U scale:6 Rn Rd",
    { shape: "sf ftype U", when: isFloat, unallocated: (f) => !f.sf && f.scale < 32, cold: true },
    (f) => `${"su"[f.U]}cvtf\t${fpr(f.ftype, f.Rd)}, ${r(f.sf, f.Rn)}, #${64 - f.scale}`,
    ({ sf, ftype, U, scale, Rn, Rd }, $) =>
      writeFloat($, formatOf(ftype), Rd, fromFixed($, ftype, U, $.R(sf, Rn), $.sub($.i32(64), scale)), Rd),
  ),
];

/** Entries of single and double precision alone, and of conversions between formats. */
const singleAndDouble = (): Instruction[] => [
  insn(
    "FCVT",
    "000 11110 ftype 1 0001 opc 10000 Rn Rd",
    { shape: "ftype opc", when: (f) => f.ftype !== 2 && f.opc !== 2 && f.ftype !== f.opc, cold: true },
    (f) => `fcvt\t${fpr(f.opc, f.Rd)}, ${fpr(f.ftype, f.Rn)}`,
    ({ ftype, opc, Rn, Rd }, $) => {
      const width = (type: number) => type === 3 ? 16 : FLOATS[type].width;
      const value = ftype === 3 ? $.Hbits(Rn) : readFloat($, formatOf(ftype), Rn);
      const result = $.call(opc === 3 ? "i32" : FLOATS[opc].type, `FPConvert${width(ftype)}To${width(opc)}`, value);
      writeFloat($, formatOf(opc), Rd, result, Rd);
    },
  ),

  insn(
    "FMOV (general)",
    "sf 00 11110 0 sz 1 00 11 op 000000 Rn Rd",
    { shape: "sf sz op", when: (f) => f.sf === f.sz },
    (f) => f.op ? `fmov\t${fpr(f.sz, f.Rd)}, ${r(f.sf, f.Rn)}` : `fmov\t${r(f.sf, f.Rd)}, ${fpr(f.sz, f.Rn)}`,
    ({ sf, sz, op, Rn, Rd }, $) => {
      if (op) writeFloat($, FLOATS[sz], Rd, $.R(sf, Rn));
      else $.setR(Rd, readBits($, FLOATS[sz], Rn));
    },
  ),

  insn(
    "FMOV (general, upper half)",
    "1 00 11110 10 1 01 11 op 000000 Rn Rd",
    { shape: "op", cold: true },
    (f) => f.op ? `fmov\tv${f.Rd}.d[1], ${r(1, f.Rn)}` : `fmov\t${r(1, f.Rd)}, v${f.Rn}.d[1]`,
    ({ op, Rn, Rd }, $) => {
      if (op) $.writeV("i64.store", Rd, 8, $.X(Rn));
      else $.setR(Rd, $.readV("i64.load", Rn, 8));
    },
  ),
];

/** FMOV between H and a general register. */
const generalMove = (): Instruction =>
  insn(
    "FMOV (general)",
    "sf 00 11110 11 1 00 11 op 000000 Rn Rd",
    { shape: "sf op" },
    (f) => f.op ? `fmov\t${fpr(3, f.Rd)}, ${r(f.sf, f.Rn)}` : `fmov\t${r(f.sf, f.Rd)}, ${fpr(3, f.Rn)}`,
    ({ op, Rn, Rd }, $) => {
      if (op) $.setH(Rd, $.W(Rn));
      else $.setR(Rd, $.Hbits(Rn));
    },
  );

type FixedShape = { readonly sf: number; readonly ftype: number; readonly U: number };

/** FPToFixed of H, S or D to W or X. */
function toFixed($: Builder, { sf, ftype, U }: FixedShape, value: Node, scale: Node, mode: Node): Node {
  const wide = ftype === 3 ? $.call("f64", "promoteHalf", value) : ftype ? value : $.op("f64.promote_f32", value);
  // Half precision was flushed as FZ16 says.
  const smallest = ftype === 3 ? 0 : FLOATS[ftype].smallestNormal;
  return $.call(sf ? "i64" : "i32", `FPToFixed${U ? "U" : "S"}${sf ? 64 : 32}`, wide, scale, mode, $.f64(smallest));
}

/** FixedToFP of W or X to H, S or D. */
function fromFixed($: Builder, ftype: number, U: number, value: Node, fbits: Node): Node {
  const wide = U ? $.zeroExtend64(value) : $.signExtend64(value);
  return $.call(formatOf(ftype).type, `FixedToFP${U ? "U" : "S"}${formatOf(ftype).width}`, wide, fbits);
}

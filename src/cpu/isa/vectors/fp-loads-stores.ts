// Loads and stores of floating-point and AdvSIMD registers: literal, immediate and register offset,
// pairs. Arm ARM C4.1.94. Their stage-2 aborts carry no syndrome (`part`): that is for single
// general registers.

import { offsetAddress, signed, target } from "../notation/assembly.ts";
import type { AccessOptions, Builder, Node } from "../notation/builder.ts";
import { scalar } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { indexedAddress, registerOffset } from "../general/loads-stores.ts";
import { extendRegister } from "../notation/pseudocode.ts";

type FpAccessForm = { readonly size: number; readonly opc: number };

/** log2 of the bytes: opc<1> makes 128 bits of size 0. */
const log2Bytes = ({ size, opc }: FpAccessForm) => (opc & 2) << 1 | size;
export const transferExists = ({ size, opc }: FpAccessForm): boolean => opc < 2 || size === 0;
const isLoad = ({ opc }: FpAccessForm) => (opc & 1) === 1;
/** S, D and Q are what compilers use in loops. */
const isRare = (form: FpAccessForm) => log2Bytes(form) < 2;
/** Mnemonic, of a store and of a load, and register. */
export const transferText = (names: readonly [store: string, load: string], form: FpAccessForm, Rt: number): string =>
  `${names[isLoad(form) ? 1 : 0]}\t${scalar(log2Bytes(form), Rt)}`;
const text = (name: string, form: FpAccessForm, Rt: number) => transferText([`st${name}`, `ld${name}`], form, Rt);

/** The values that the offsets of LDR and LDUR can have, so that both share one handler. */
const OFFSETS = [-256, 65520] as const;

function read($: Builder, log2: number, Rt: Node): Node {
  return [$.Bbits, $.Hbits, $.Sbits, $.Dbits, $.Q][log2](Rt);
}

function write($: Builder, log2: number, Rt: Node, value: Node): void {
  if (log2 === 4) $.setQ(Rt, value);
  else if (log2 === 3) $.setD(Rt, value);
  else $.setS(Rt, value);
}

const PART: AccessOptions = { part: true };

function load($: Builder, log2: number, address: Node, options = PART): Node {
  return $.load(log2 === 4 ? "v128" : log2 === 3 ? "i64" : "i32", 1 << log2, address, options);
}

/** Loads or stores a B, H, S, D or Q register. */
export function transfer($: Builder, form: FpAccessForm, Rt: Node, address: Node, options = PART): void {
  const log2 = log2Bytes(form);
  if (isLoad(form)) write($, log2, Rt, load($, log2, address, options));
  else $.store(1 << log2, address, read($, log2, Rt), options);
}

/** Loads and stores of B, H, S, D and Q registers. */
export const fpLoadsAndStores = (): Instruction[] => [
  insn(
    "LDR (literal, SIMD&FP)",
    "opc 011 1 00 imm19 Rt",
    { shape: "opc", when: (f) => f.opc < 3 },
    (f, at) => `ldr\t${scalar(2 + f.opc, f.Rt)}, ${target(at, 4 * signed(f.imm19, 19))}`,
    ({ opc, imm19, Rt }, $) => {
      const address = $.add($.pc(), $.signExtend64($.lsl($.signExtend(imm19, 19), 2)));
      write($, 2 + opc, Rt, load($, 2 + opc, address));
    },
  ),

  insn(
    "LDR/STR (unsigned immediate, SIMD&FP)",
    "size 111 1 01 opc imm12 Rn Rt",
    { shape: "size opc", when: transferExists, cold: isRare },
    (f) => `${text("r", f, f.Rt)}, ${offsetAddress(f.Rn, f.imm12 << log2Bytes(f))}`,
    ({ size, opc, imm12, Rn, Rt }, $) => {
      const offset = $.range($.lsl(imm12, log2Bytes({ size, opc })), ...OFFSETS);
      transfer($, { size, opc }, Rt, $.add($.XSP(Rn), $.signExtend64(offset)));
    },
  ),

  insn(
    "LDUR/STUR (SIMD&FP)",
    "size 111 1 00 opc 0 imm9 00 Rn Rt",
    { shape: "size opc", when: transferExists, cold: isRare },
    (f) => `${text("ur", f, f.Rt)}, ${offsetAddress(f.Rn, signed(f.imm9, 9))}`,
    ({ size, opc, imm9, Rn, Rt }, $) => {
      const offset = $.range($.signExtend(imm9, 9), ...OFFSETS);
      transfer($, { size, opc }, Rt, $.add($.XSP(Rn), $.signExtend64(offset)));
    },
  ),

  insn(
    "LDR/STR (pre-index, post-index, SIMD&FP)",
    "size 111 1 00 opc 0 imm9 pre:1 1 Rn Rt",
    { shape: "size opc pre", when: transferExists, cold: (f) => isRare(f) || f.pre === 1 },
    (f) => `${text("r", f, f.Rt)}, ${indexedAddress(f.Rn, signed(f.imm9, 9), f.pre ? 3 : 1)}`,
    ({ size, opc, imm9, pre, Rn, Rt }, $) => {
      const base = $.XSP(Rn), updated = $.let($.add(base, $.signExtend64($.signExtend(imm9, 9))));
      transfer($, { size, opc }, Rt, pre ? updated : base);
      $.setRSP(Rn, updated);
    },
  ),

  insn(
    "LDR/STR (register, SIMD&FP)",
    "size 111 1 00 opc 1 Rm option S 10 Rn Rt",
    { shape: "size opc option", when: (f) => transferExists(f) && (f.option & 2) !== 0, cold: (f) => isRare(f) || f.option !== 3 },
    (f) => `${text("r", f, f.Rt)}, ${registerOffset(f.Rn, f.Rm, f.option, f.S, log2Bytes(f))}`,
    ({ size, opc, Rm, option, S, Rn, Rt }, $) => {
      const amount = $.range($.mul(S, log2Bytes({ size, opc })), 0, 4);
      transfer($, { size, opc }, Rt, $.add($.XSP(Rn), extendRegister($, $.X(Rm), option, amount)));
    },
  ),

  insn(
    "LDP/STP/LDNP/STNP (SIMD&FP)",
    "opc 101 1 0 index:2 L imm7 Rt2 Rn Rt",
    {
      shape: "opc index L",
      when: (f) => f.opc < 3,
      cold: (f) => f.index === 0 || f.opc === 0,
      unpredictable: (f) => f.L === 1 && f.Rt === f.Rt2,
    },
    (f) => {
      const log2 = 2 + f.opc;
      const operands = `${scalar(log2, f.Rt)}, ${scalar(log2, f.Rt2)}, ${indexedAddress(f.Rn, signed(f.imm7, 7) << log2, f.index)}`;
      return `${f.L ? "ld" : "st"}${f.index ? "p" : "np"}\t${operands}`;
    },
    ({ opc, index, L, imm7, Rt2, Rn, Rt }, $) => {
      const log2 = 2 + opc, size = 1 << log2;
      const base = $.XSP(Rn), updated = $.let($.add(base, $.signExtend64($.lsl($.signExtend(imm7, 7), log2))));
      const address = index === 1 ? base : updated;
      if (L) {
        const [first, second] = $.loadPair(opc === 2 ? "v128" : opc === 1 ? "i64" : "i32", size, address);
        write($, log2, Rt, first);
        write($, log2, Rt2, second);
      } else $.storePair(size, address, read($, log2, Rt), read($, log2, Rt2));
      if (index & 1) $.setRSP(Rn, updated);
    },
  ),
];

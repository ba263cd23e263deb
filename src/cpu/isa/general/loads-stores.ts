// Loads and stores of general registers: literal, register with immediate or register offset,
// unprivileged, pairs; prefetch. Arm ARM C4.1.94. Exclusives, acquire-release and atomics are in
// atomics.ts, vector registers in the SIMD files.

import { decimal, extend, hex, offsetAddress, r, signed, target, xsp } from "../notation/assembly.ts";
import type { AccessOptions, Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { extendRegister } from "../notation/pseudocode.ts";

type AccessForm = { readonly size: number; readonly opc: number };

/** opc 0 stores, 1 loads zero-extended, 2 loads sign-extended to 64 bits, 3 to 32 bits. */
const exists = ({ size, opc }: AccessForm) => !(size === 3 && opc > 1 || size === 2 && opc === 3);
const suffix = ({ size, opc }: AccessForm) => (opc > 1 ? "s" : "") + ["b", "h", opc > 1 ? "w" : "", ""][size];
const mnemonic = (form: AccessForm, load: string, store: string) => (form.opc ? load : store) + suffix(form);
const transfer = ({ size, opc }: AccessForm, index: number) => r(opc === 2 || opc < 2 && size === 3 ? 1 : 0, index);

/** Words and doublewords of the stack are frequent. */
const onStack = ({ size, opc }: AccessForm) => size > 1 && opc < 2 ? [{ Rn: 31 }] : [];

/** The access itself, for a register. */
function loadOrStore($: Builder, { size, opc }: AccessForm, Rt: Node, address: Node, options: AccessOptions = {}): void {
  if (opc === 0) $.store(1 << size, address, $.X(Rt), options);
  else $.setR(Rt, $.load(opc === 3 ? "i32" : "i64", 1 << size, address, { ...options, signed: opc > 1 }));
}

const PREFETCH_TYPES = ["pld", "pli", "pst"] as const;
const PREFETCH_POLICIES = ["keep", "strm"] as const;

function prefetchOperation(operation: number): string {
  const type = operation >> 3, level = operation >> 1 & 3;
  return type === 3 || level === 3
    ? hex(operation).replace(/^#0x(.)$/, "#0x0$1")
    : `${PREFETCH_TYPES[type]}l${level + 1}${PREFETCH_POLICIES[operation & 1]}`;
}

/** "[x1, x2, lsl #3]": the operand of a register offset. */
export function registerOffset(base: number, index: number, option: number, S: number, shift: number): string {
  const name = r(option & 1, index);
  if (option === 3) return S ? `[${xsp(base)}, ${name}, lsl #${shift}]` : `[${xsp(base)}, ${name}]`;
  const extension = extend(option, 0);
  return `[${xsp(base)}, ${name}, ${extension}${S ? ` #${shift}` : ""}]`;
}

/** The address of a register offset. `S` and `option` are shape fields. */
function registerOffsetAddress($: Builder, Rn: Node, Rm: Node, option: number, S: number, shift: number): Node {
  return $.add($.XSP(Rn), extendRegister($, $.X(Rm), option, S ? shift : 0));
}

/** "[x1, #8]!", "[x1], #8" or "[x1, #8]": `index` is 1 for post, 3 for pre. */
export function indexedAddress(base: number, offset: number, index: number): string {
  if (index === 1) return `[${xsp(base)}], ${decimal(offset)}`;
  return index === 3 ? `[${xsp(base)}, ${decimal(offset)}]!` : offsetAddress(base, offset);
}

export const loadsAndStores = (): Instruction[] => [
  insn(
    "LDR/LDRSW (literal)",
    "opc 011 0 00 imm19 Rt",
    { shape: "opc", when: (f) => f.opc !== 3 },
    (f, at) => `${f.opc === 2 ? "ldrsw" : "ldr"}\t${r(f.opc ? 1 : 0, f.Rt)}, ${target(at, 4 * signed(f.imm19, 19))}`,
    ({ opc, imm19, Rt }, $) => {
      const address = $.add($.pc(), $.signExtend64($.lsl($.signExtend(imm19, 19), 2)));
      $.setR(Rt, $.load("i64", opc === 1 ? 8 : 4, address, { signed: opc === 2 }));
    },
  ),

  insn(
    "PRFM (literal)",
    "11 011 0 00 imm19 Rt",
    { cold: true },
    (f, at) => `prfm\t${prefetchOperation(f.Rt)}, ${target(at, 4 * signed(f.imm19, 19))}`,
    () => {},
  ),

  insn(
    "LDR/STR (unsigned immediate)",
    "size 111 0 01 opc imm12 Rn Rt",
    { shape: "size opc", when: exists, special: onStack },
    (f) => `${mnemonic(f, "ldr", "str")}\t${transfer(f, f.Rt)}, ${offsetAddress(f.Rn, f.imm12 << f.size)}`,
    ({ size, opc, imm12, Rn, Rt }, $) => {
      // The bounds are those of the unscaled form, so that both share one handler.
      const offset = $.range($.lsl(imm12, size), -256, 32760);
      loadOrStore($, { size, opc }, Rt, $.add($.XSP(Rn), $.signExtend64(offset)));
    },
  ),

  insn(
    "PRFM (unsigned immediate)",
    "11 111 0 01 10 imm12 Rn Rt",
    {},
    (f) => `prfm\t${prefetchOperation(f.Rt)}, ${offsetAddress(f.Rn, f.imm12 << 3)}`,
    () => {},
  ),

  insn(
    "LDUR/STUR",
    "size 111 0 00 opc 0 imm9 00 Rn Rt",
    { shape: "size opc", when: exists, special: onStack },
    (f) => `${mnemonic(f, "ldur", "stur")}\t${transfer(f, f.Rt)}, ${offsetAddress(f.Rn, signed(f.imm9, 9))}`,
    ({ size, opc, imm9, Rn, Rt }, $) => {
      const offset = $.range($.signExtend(imm9, 9), -256, 32760);
      loadOrStore($, { size, opc }, Rt, $.add($.XSP(Rn), $.signExtend64(offset)));
    },
  ),

  insn(
    "PRFUM",
    "11 111 0 00 10 0 imm9 00 Rn Rt",
    { cold: true },
    (f) => `prfum\t${prefetchOperation(f.Rt)}, ${offsetAddress(f.Rn, signed(f.imm9, 9))}`,
    () => {},
  ),

  insn(
    "LDR/STR (pre-index, post-index)",
    "size 111 0 00 opc 0 imm9 pre:1 1 Rn Rt",
    { shape: "size opc pre", when: exists, unpredictable: (f) => f.Rn === f.Rt && f.Rn !== 31 },
    (f) => `${mnemonic(f, "ldr", "str")}\t${transfer(f, f.Rt)}, ${indexedAddress(f.Rn, signed(f.imm9, 9), f.pre ? 3 : 1)}`,
    ({ size, opc, imm9, pre, Rn, Rt }, $) => {
      const base = $.XSP(Rn), updated = $.let($.add(base, $.signExtend64($.signExtend(imm9, 9))));
      const address = pre ? updated : base;
      if (opc === 0) {
        $.store(1 << size, address, $.X(Rt));
        $.setRSP(Rn, updated);
      } else {
        const value = $.load(opc === 3 ? "i32" : "i64", 1 << size, address, { signed: opc > 1 });
        $.setRSP(Rn, updated);
        $.setR(Rt, value);
      }
    },
  ),

  insn(
    "LDTR/STTR",
    "size 111 0 00 opc 0 imm9 10 Rn Rt",
    { shape: "size opc", when: exists, cold: (f) => f.size < 3 },
    (f) => `${mnemonic(f, "ldtr", "sttr")}\t${transfer(f, f.Rt)}, ${offsetAddress(f.Rn, signed(f.imm9, 9))}`,
    ({ size, opc, imm9, Rn, Rt }, $) =>
      loadOrStore($, { size, opc }, Rt, $.add($.XSP(Rn), $.signExtend64($.signExtend(imm9, 9))), { unprivileged: true }),
  ),

  insn(
    "LDR/STR (register)",
    "size 111 0 00 opc 1 Rm option S 10 Rn Rt",
    {
      shape: "size opc option S",
      when: (f) => exists(f) && (f.option & 2) !== 0,
      cold: (f) => f.option === 7 || f.opc > 1 && f.size === 0,
    },
    (f) => `${mnemonic(f, "ldr", "str")}\t${transfer(f, f.Rt)}, ${registerOffset(f.Rn, f.Rm, f.option, f.S, f.size)}`,
    ({ size, opc, Rm, option, S, Rn, Rt }, $) => loadOrStore($, { size, opc }, Rt, registerOffsetAddress($, Rn, Rm, option, S, size)),
  ),

  insn(
    "PRFM (register)",
    "11 111 0 00 10 1 Rm option S 10 Rn Rt",
    { cold: true, unallocated: (f) => (f.option & 2) === 0 },
    (f) => `prfm\t${prefetchOperation(f.Rt)}, ${registerOffset(f.Rn, f.Rm, f.option, f.S, 3)}`,
    () => {},
  ),

  insn(
    "LDP/STP/LDPSW/LDNP/STNP",
    "opc 101 0 0 index:2 L imm7 Rt2 Rn Rt",
    {
      shape: "opc index L",
      when: (f) => f.opc !== 3 && (f.opc !== 1 || f.L === 1 && f.index !== 0),
      cold: (f) => f.index === 0 || f.opc === 1,
      special: (f) => f.opc === 2 ? [{ Rn: 31 }] : [],
      unpredictable: (f) => f.L === 1 && f.Rt === f.Rt2 || (f.index & 1) === 1 && f.Rn !== 31 && (f.Rn === f.Rt || f.Rn === f.Rt2),
    },
    (f) => {
      const name = f.opc === 1 ? "ldpsw" : `${f.L ? "ld" : "st"}${f.index ? "p" : "np"}`;
      const sf = f.opc ? 1 : 0, scale = f.opc === 2 ? 8 : 4;
      return `${name}\t${r(sf, f.Rt)}, ${r(sf, f.Rt2)}, ${indexedAddress(f.Rn, signed(f.imm7, 7) * scale, f.index)}`;
    },
    ({ opc, index, L, imm7, Rt2, Rn, Rt }, $) => {
      const size = opc === 2 ? 8 : 4;
      const offset = $.signExtend64($.lsl($.signExtend(imm7, 7), opc === 2 ? 3 : 2));
      const base = $.XSP(Rn), updated = $.let($.add(base, offset)), address = index === 1 ? base : updated;
      const writeBack = () => index & 1 && $.setRSP(Rn, updated);
      if (L) {
        const [first, second] = $.loadPair("i64", size, address, { signed: opc === 1 });
        writeBack();
        $.setR(Rt, first);
        $.setR(Rt2, second);
      } else {
        $.storePair(size, address, $.X(Rt), $.X(Rt2));
        writeBack();
      }
    },
  ),
];

// Pointer authentication (FEAT_PAuth): codes in the upper bits of pointers, made of the pointer, a
// modifier and a key. Arm ARM D8.10, C4.1.93 (hints, branches), C4.1.95 (one and two sources),
// C4.1.94 (loads). The codes themselves are computed by
// cpu/core/registers/pointer-authentication.ts.

import { decimal, hex, signed, x, xsp } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { branchTo } from "./branches.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, pattern } from "../notation/simd-operands.ts";

/** The keys of addresses, by the number that the core's functions take. */
const KEYS = ["ia", "ib", "da", "db"] as const;

const FEATURE = { feature: "FEAT_PAuth" } as const;
const COLD = { ...FEATURE, cold: true } as const;

/**
 * The address that a pointer authenticates to; the exception of FEAT_FPAC comes before any effect.
 */
function authenticated($: Builder, pointer: Node, modifier: Node, key: number, combined: boolean): Node {
  const number = $.i32(key), address = $.call("i64", "authenticatePointer", pointer, modifier, number);
  const failed = $.call("i32", combined ? "failsCombined" : "failsAuthentication", address, number);
  $.if(failed, () => $.doFaulting("raiseAuthenticationFailure", number));
  return address;
}

/** The result of PAC or AUT. */
const result = ($: Builder, authenticates: number, pointer: Node, modifier: Node, key: number) =>
  authenticates ? authenticated($, pointer, modifier, key, false) : $.call("i64", "signPointer", pointer, modifier, $.i32(key));

/** PACIASP and its like: in the space of hints, for the link register or X17. */
function hint(authenticates: number, key: number, kind: "1716" | "z" | "sp", crm: number, op2: number): Instruction {
  const name = `${authenticates ? "AUT" : "PAC"}${KEYS[key].toUpperCase()}${kind.toUpperCase()}`;
  return insn(
    name,
    pattern<"">(`11010101000000110010 ${bits(crm, 4)} ${bits(op2, 3)} 11111`),
    FEATURE,
    () => `hint\t${hex(crm << 3 | op2)}`,
    (_, $) => {
      const register = kind === "1716" ? 17 : 30;
      const pointer = $.X(register), modifier = kind === "1716" ? $.X(16) : kind === "sp" ? $.XSP(31) : $.i64(0);
      $.setR(register, result($, authenticates, pointer, modifier, key));
    },
  );
}

/** PACIA, AUTIA and their like, and those without a modifier. */
function oneSource(authenticates: number, key: number): Instruction[] {
  const name = `${authenticates ? "AUT" : "PAC"}${KEYS[key].toUpperCase()}`, zero = `${name.slice(0, -1)}Z${name.slice(-1)}`;
  const opcode = authenticates << 2 | key;
  return [
    insn(
      name,
      pattern<"Rn Rd">(`1 1 0 11010110 00001 ${bits(opcode, 6)} Rn Rd`),
      COLD,
      (f) => `${name.toLowerCase()}\t${x(f.Rd)}, ${xsp(f.Rn)}`,
      ({ Rn, Rd }, $) => $.setR(Rd, result($, authenticates, $.X(Rd), $.XSP(Rn), key)),
    ),
    insn(
      zero,
      pattern<"Rd">(`1 1 0 11010110 00001 ${bits(8 | opcode, 6)} 11111 Rd`),
      COLD,
      (f) => `${zero.toLowerCase()}\t${x(f.Rd)}`,
      ({ Rd }, $) => $.setR(Rd, result($, authenticates, $.X(Rd), $.i64(0), key)),
    ),
  ];
}

const BOTH = [0, 1] as const;
const stripped = ($: Builder, pointer: Node, data: number) => $.call("i64", "stripPointer", pointer, $.i32(data));

/** All of them. */
export const pointerAuthentication = (): Instruction[] => [
  ...BOTH.flatMap((authenticates) =>
    BOTH.flatMap((key) => [
      hint(authenticates, key, "1716", 1, authenticates << 2 | key << 1),
      hint(authenticates, key, "z", 3, authenticates << 2 | key << 1),
      hint(authenticates, key, "sp", 3, authenticates << 2 | key << 1 | 1),
    ])
  ),
  insn(
    "XPACLRI",
    "11010101000000110010 0000 111 11111",
    COLD,
    () => "hint\t#0x7",
    (_, $) => $.setR(30, stripped($, $.X(30), 0)),
  ),
  ...BOTH.flatMap((authenticates) => KEYS.flatMap((_, key) => oneSource(authenticates, key))),
  insn(
    "XPACI/XPACD",
    "1 1 0 11010110 00001 01000 D 11111 Rd",
    { ...COLD, shape: "D" },
    (f) => `${f.D ? "xpacd" : "xpaci"}\t${x(f.Rd)}`,
    ({ D, Rd }, $) => $.setR(Rd, stripped($, $.X(Rd), D)),
  ),
  insn(
    "PACGA",
    "1 0 0 11010110 Rm 001100 Rn Rd",
    COLD,
    (f) => `pacga\t${x(f.Rd)}, ${x(f.Rn)}, ${xsp(f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => $.setR(Rd, $.call("i64", "genericCode", $.X(Rn), $.XSP(Rm))),
  ),

  insn(
    "BRAAZ/BRABZ/BLRAAZ/BLRABZ",
    "1101011 0 0 opc 11111 00001 M Rn 11111",
    { ...FEATURE, shape: "opc M", when: (f) => f.opc < 2 },
    (f) => `${f.opc ? "blra" : "bra"}${"ab"[f.M]}z\t${x(f.Rn)}`,
    ({ opc, M, Rn }, $) => branchTo($, opc, Rn, authenticated($, $.X(Rn), $.i64(0), M, true)),
  ),
  insn(
    "BRAA/BRAB/BLRAA/BLRAB",
    "1101011 1 0 opc 11111 00001 M Rn Rm",
    { ...FEATURE, shape: "opc M", when: (f) => f.opc < 2 },
    (f) => `${f.opc ? "blra" : "bra"}${"ab"[f.M]}\t${x(f.Rn)}, ${xsp(f.Rm)}`,
    ({ opc, M, Rn, Rm }, $) => branchTo($, opc, Rn, authenticated($, $.X(Rn), $.XSP(Rm), M, true)),
  ),
  insn(
    "RETAA/RETAB",
    "1101011 0 0 opc 11111 00001 M 11111 11111",
    { ...FEATURE, shape: "opc M", when: (f) => f.opc === 2 },
    (f) => `reta${"ab"[f.M]}`,
    ({ M }, $) => $.branchTo(authenticated($, $.X(30), $.XSP(31), M, true)),
  ),
  insn(
    "ERETAA/ERETAB",
    "1101011 0100 11111 00001 M 11111 11111",
    { ...COLD, shape: "M" },
    (f) => `ereta${"ab"[f.M]}`,
    ({ M }, $) => $.doFaulting("authenticatedExceptionReturn", $.i32(M), $.XSP(31)),
  ),

  insn(
    "LDRAA/LDRAB",
    "11 111 0 00 M S 1 imm9 W:1 1 Rn Rt",
    { ...COLD, shape: "M W" },
    (f) => {
      const offset = 8 * signed(f.S << 9 | f.imm9, 10);
      return `ldra${"ab"[f.M]}\t${x(f.Rt)}, [${xsp(f.Rn)}${offset || f.W ? `, ${decimal(offset)}` : ""}]${f.W ? "!" : ""}`;
    },
    ({ M, S, imm9, W, Rn, Rt }, $) => {
      const base = authenticated($, $.XSP(Rn), $.i64(0), 2 | M, true);
      const offset = $.lsl($.signExtend($.or($.lsl(S, 9), imm9), 10), 3);
      const address = $.let($.add(base, $.signExtend64(offset)));
      const value = $.load("i64", 8, address);
      $.setR(Rt, value);
      if (W) $.setRSP(Rn, address);
    },
  ),
];

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

/** Without EL2, nothing traps the use of a key. */
const UNTRAPPED = { feature: "FEAT_PAuth", unless: ["FEAT_EL2"] } as const, TRAPPED = { feature: "FEAT_PAuth", also: "FEAT_EL2" } as const;

/** CPUs whose EL2 may trap the use of a key, or others. */
interface Cpus {
  /** After the names of their entries. */
  readonly suffix: string;
  readonly options: typeof UNTRAPPED | typeof TRAPPED;
  /** Calls a function that uses a key. */
  readonly use: ($: Builder, name: string, ...operands: Node[]) => Node;
}

const CPUS: readonly Cpus[] = [
  { suffix: "", options: UNTRAPPED, use: ($, name, ...operands) => $.call("i64", name, ...operands) },
  { suffix: " (EL2)", options: TRAPPED, use: ($, name, ...operands) => $.callFaulting("i64", name, ...operands) },
];

/**
 * The address that a pointer authenticates to; the exception of FEAT_FPAC comes before any effect.
 */
function authenticated({ use }: Cpus, $: Builder, pointer: Node, modifier: Node, key: number, combined: boolean): Node {
  const number = $.i32(key), address = use($, "authenticatePointer", pointer, modifier, number);
  const failed = $.call("i32", combined ? "failsCombined" : "failsAuthentication", address, number);
  $.if(failed, () => $.doFaulting("raiseAuthenticationFailure", number));
  return address;
}

/** The result of PAC or AUT. */
const result = (cpus: Cpus, $: Builder, authenticates: number, pointer: Node, modifier: Node, key: number) =>
  authenticates ? authenticated(cpus, $, pointer, modifier, key, false) : cpus.use($, "signPointer", pointer, modifier, $.i32(key));

/** PACIASP and its like: in the space of hints, for the link register or X17. */
function hint(cpus: Cpus, authenticates: number, key: number, kind: "1716" | "z" | "sp", crm: number, op2: number): Instruction {
  const name = `${authenticates ? "AUT" : "PAC"}${KEYS[key].toUpperCase()}${kind.toUpperCase()}`;
  return insn(
    `${name}${cpus.suffix}`,
    pattern<"">(`11010101000000110010 ${bits(crm, 4)} ${bits(op2, 3)} 11111`),
    cpus.options,
    () => `hint\t${hex(crm << 3 | op2)}`,
    (_, $) => {
      const register = kind === "1716" ? 17 : 30;
      const pointer = $.X(register), modifier = kind === "1716" ? $.X(16) : kind === "sp" ? $.XSP(31) : $.i64(0);
      $.setR(register, result(cpus, $, authenticates, pointer, modifier, key));
    },
  );
}

/** PACIA, AUTIA and their like, and those without a modifier. */
function oneSource(cpus: Cpus, authenticates: number, key: number): Instruction[] {
  const name = `${authenticates ? "AUT" : "PAC"}${KEYS[key].toUpperCase()}`, zero = `${name.slice(0, -1)}Z${name.slice(-1)}`;
  const opcode = authenticates << 2 | key;
  return [
    insn(
      `${name}${cpus.suffix}`,
      pattern<"Rn Rd">(`1 1 0 11010110 00001 ${bits(opcode, 6)} Rn Rd`),
      { ...cpus.options, cold: true },
      (f) => `${name.toLowerCase()}\t${x(f.Rd)}, ${xsp(f.Rn)}`,
      ({ Rn, Rd }, $) => $.setR(Rd, result(cpus, $, authenticates, $.X(Rd), $.XSP(Rn), key)),
    ),
    insn(
      `${zero}${cpus.suffix}`,
      pattern<"Rd">(`1 1 0 11010110 00001 ${bits(8 | opcode, 6)} 11111 Rd`),
      { ...cpus.options, cold: true },
      (f) => `${zero.toLowerCase()}\t${x(f.Rd)}`,
      ({ Rd }, $) => $.setR(Rd, result(cpus, $, authenticates, $.X(Rd), $.i64(0), key)),
    ),
  ];
}

const BOTH = [0, 1] as const;
const stripped = ($: Builder, pointer: Node, data: number) => $.call("i64", "stripPointer", pointer, $.i32(data));

/** Those that use a key. */
const ofKeys = (cpus: Cpus): Instruction[] => [
  ...BOTH.flatMap((authenticates) =>
    BOTH.flatMap((key) => [
      hint(cpus, authenticates, key, "1716", 1, authenticates << 2 | key << 1),
      hint(cpus, authenticates, key, "z", 3, authenticates << 2 | key << 1),
      hint(cpus, authenticates, key, "sp", 3, authenticates << 2 | key << 1 | 1),
    ])
  ),
  ...BOTH.flatMap((authenticates) => KEYS.flatMap((_, key) => oneSource(cpus, authenticates, key))),
  insn(
    `PACGA${cpus.suffix}`,
    "1 0 0 11010110 Rm 001100 Rn Rd",
    { ...cpus.options, cold: true },
    (f) => `pacga\t${x(f.Rd)}, ${x(f.Rn)}, ${xsp(f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => $.setR(Rd, cpus.use($, "genericCode", $.X(Rn), $.XSP(Rm))),
  ),

  insn(
    `BRAAZ/BRABZ/BLRAAZ/BLRABZ${cpus.suffix}`,
    "1101011 0 0 opc 11111 00001 M Rn 11111",
    { ...cpus.options, shape: "opc M", when: (f) => f.opc < 2 },
    (f) => `${f.opc ? "blra" : "bra"}${"ab"[f.M]}z\t${x(f.Rn)}`,
    ({ opc, M, Rn }, $) => branchTo($, opc, Rn, authenticated(cpus, $, $.X(Rn), $.i64(0), M, true)),
  ),
  insn(
    `BRAA/BRAB/BLRAA/BLRAB${cpus.suffix}`,
    "1101011 1 0 opc 11111 00001 M Rn Rm",
    { ...cpus.options, shape: "opc M", when: (f) => f.opc < 2 },
    (f) => `${f.opc ? "blra" : "bra"}${"ab"[f.M]}\t${x(f.Rn)}, ${xsp(f.Rm)}`,
    ({ opc, M, Rn, Rm }, $) => branchTo($, opc, Rn, authenticated(cpus, $, $.X(Rn), $.XSP(Rm), M, true)),
  ),
  insn(
    `RETAA/RETAB${cpus.suffix}`,
    "1101011 0 0 opc 11111 00001 M 11111 11111",
    { ...cpus.options, shape: "opc M", when: (f) => f.opc === 2 },
    (f) => `reta${"ab"[f.M]}`,
    ({ M }, $) => $.branchTo(authenticated(cpus, $, $.X(30), $.XSP(31), M, true)),
  ),
  insn(
    `ERETAA/ERETAB${cpus.suffix}`,
    "1101011 0100 11111 00001 M 11111 11111",
    { ...cpus.options, cold: true, shape: "M" },
    (f) => `ereta${"ab"[f.M]}`,
    ({ M }, $) => $.doFaulting("authenticatedExceptionReturn", $.i32(M), $.XSP(31)),
  ),

  insn(
    `LDRAA/LDRAB${cpus.suffix}`,
    "11 111 0 00 M S 1 imm9 W:1 1 Rn Rt",
    { ...cpus.options, cold: true, shape: "M W" },
    (f) => {
      const offset = 8 * signed(f.S << 9 | f.imm9, 10);
      return `ldra${"ab"[f.M]}\t${x(f.Rt)}, [${xsp(f.Rn)}${offset || f.W ? `, ${decimal(offset)}` : ""}]${f.W ? "!" : ""}`;
    },
    ({ M, S, imm9, W, Rn, Rt }, $) => {
      const base = authenticated(cpus, $, $.XSP(Rn), $.i64(0), 2 | M, true);
      const offset = $.lsl($.signExtend($.or($.lsl(S, 9), imm9), 10), 3);
      const address = $.let($.add(base, $.signExtend64(offset)));
      const value = $.load("i64", 8, address);
      $.setR(Rt, value);
      if (W) $.setRSP(Rn, address);
    },
  ),
];

const COLD = { feature: "FEAT_PAuth", cold: true } as const;

/** All of them. */
export const pointerAuthentication = (): Instruction[] => [
  insn(
    "XPACLRI",
    "11010101000000110010 0000 111 11111",
    COLD,
    () => "hint\t#0x7",
    (_, $) => $.setR(30, stripped($, $.X(30), 0)),
  ),
  insn(
    "XPACI/XPACD",
    "1 1 0 11010110 00001 01000 D 11111 Rd",
    { ...COLD, shape: "D" },
    (f) => `${f.D ? "xpacd" : "xpaci"}\t${x(f.Rd)}`,
    ({ D, Rd }, $) => $.setR(Rd, stripped($, $.X(Rd), D)),
  ),
  ...CPUS.flatMap(ofKeys),
];

// Exception generation, hints, barriers, PSTATE and system registers, system instructions. Arm ARM
// C4.1.93.

import { hex, x } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { systemRegisterText } from "../names/system-register-names.ts";

/** Bits of PSTATE in SPSR layout. */
const PSTATE_EL = 0xc;
const PSTATE_SP = 0x1;

/** The argument of `leaveAfter` for YIELD: ExitReason.Yield of the core. */
const LEAVE_YIELD = 4;

const BARRIER_OPTIONS = [
  "",
  "oshld",
  "oshst",
  "osh",
  "",
  "nshld",
  "nshst",
  "nsh",
  "",
  "ishld",
  "ishst",
  "ish",
  "",
  "ld",
  "st",
  "sy",
] as const;
const barrierOption = (CRm: number) => BARRIER_OPTIONS[CRm] || `#0x${CRm.toString(16).padStart(2, "0")}`;

/** A system register as a number: op0:op1:CRn:CRm:op2, 16 bits. */
const registerNumber = (f: { o0: number; op1: number; CRn: number; CRm: number; op2: number }) =>
  (2 + f.o0) << 14 | f.op1 << 11 | f.CRn << 7 | f.CRm << 3 | f.op2;

function registerNode($: Builder, f: { o0: Node; op1: Node; CRn: Node; CRm: Node; op2: Node }): Node {
  return $.computed(
    "i32",
    "systemRegister",
    [f.o0, f.op1, f.CRn, f.CRm, f.op2],
    (o0, op1, CRn, CRm, op2) => registerNumber({ o0, op1, CRn, CRm, op2 }),
    0,
    65535,
  );
}

type ExceptionPattern = `11010100 ${"000" | "001" | "010"} imm16 000 ${"00" | "01" | "10" | "11"}`;

/** An exception with a 16-bit immediate. */
function exceptionCall(name: string, pattern: ExceptionPattern, callee: string): Instruction {
  return insn(
    name,
    pattern,
    { cold: true },
    (f) => `${name.toLowerCase()}\t${hex(f.imm16)}`,
    ({ imm16 }, $) => $.doFaulting(callee, imm16),
  );
}

/** Undefined if the masked bits of PSTATE are all clear. */
export const requireState = (mask: number) => ($: Builder) =>
  $.if($.isZero($.and($.state("PSTATE"), mask)), () => $.doFaulting("raiseUndefined"));
const anywhere = () => {};

/** Where EL2 may trap them, accesses are those of other registers. */
const FINELY_TRAPPED = { unless: ["FEAT_EL2", "FEAT_FGT"] } as const;

/**
 * Registers that are in the CPU state and are read and written without side effects:
 * o0:op1:CRn:CRm:op2, and the CPUs that have them so.
 */
const PLAIN_REGISTERS = {
  SP_EL0: { number: "100001000001000", options: {} },
  TPIDR_EL0: { number: "101111010000010", options: FINELY_TRAPPED },
  TPIDR_EL1: { number: "100011010000100", options: FINELY_TRAPPED },
  TPIDR_EL2: { number: "110011010000010", options: { feature: "FEAT_EL2" } },
} as const;

/** MRS and MSR of a plain register; `guard` says from where it can be reached. */
export function plainRegister(name: keyof typeof PLAIN_REGISTERS, guard: ($: Builder) => void): Instruction[] {
  const { number, options } = PLAIN_REGISTERS[name];
  return [
    insn(`MRS ${name}`, `1101010100 1 1 ${number} Rt`, options, (f) => `mrs\t${x(f.Rt)}, ${name.toLowerCase()}`, ({ Rt }, $) => {
      guard($);
      $.setR(Rt, $.state(name));
    }),
    insn(`MSR ${name}`, `1101010100 0 1 ${number} Rt`, options, (f) => `msr\t${name.toLowerCase()}, ${x(f.Rt)}`, ({ Rt }, $) => {
      guard($);
      $.setState(name, $.X(Rt));
    }),
  ];
}

export const system = (): Instruction[] => [
  insn("UDF", "0000000000000000 imm16", { cold: true }, (f) => `udf\t#${f.imm16}`, (_, $) => $.doFaulting("raiseUndefined")),

  exceptionCall("SVC", "11010100 000 imm16 000 01", "raiseSupervisorCall"),
  exceptionCall("HVC", "11010100 000 imm16 000 10", "hypervisorCall"),
  exceptionCall("SMC", "11010100 000 imm16 000 11", "secureMonitorCall"),
  exceptionCall("BRK", "11010100 001 imm16 000 00", "raiseBreakpoint"),
  exceptionCall("HLT", "11010100 010 imm16 000 00", "raiseHalt"),

  insn("ERET", "1101011 0100 11111 000000 11111 00000", { cold: true }, () => "eret", (_, $) => $.doFaulting("exceptionReturn")),

  insn("HINT", "11010101000000110010 CRm op2 11111", {}, (f) => `hint\t${hex(f.CRm << 3 | f.op2)}`, () => {}),
  insn(
    "YIELD",
    "11010101000000110010 0000 001 11111",
    { cold: true },
    () => "hint\t#0x1",
    (_, $) => $.doFaulting("leaveAfter", $.i32(LEAVE_YIELD)),
  ),
  insn("WFE", "11010101000000110010 0000 010 11111", { cold: true }, () => "hint\t#0x2", (_, $) => $.doFaulting("waitFor", $.i32(1))),
  insn("WFI", "11010101000000110010 0000 011 11111", { cold: true }, () => "hint\t#0x3", (_, $) => $.doFaulting("waitFor", $.i32(0))),
  insn("SEV", "11010101000000110010 0000 100 11111", { cold: true }, () => "hint\t#0x4", (_, $) => $.setState("EVENT", 1)),
  insn("SEVL", "11010101000000110010 0000 101 11111", { cold: true }, () => "hint\t#0x5", (_, $) => $.setState("EVENT", 1)),

  // One worker runs all physical CPUs in turns: every memory access is in order for all. No cached
  // translation outlives its TLBI.
  insn(
    "DSB/DMB",
    "11010101000000110011 CRm 10 opc:1 11111",
    {},
    (f) => `${f.opc ? "dmb" : "dsb"}\t${barrierOption(f.CRm)}`,
    () => {},
  ),
  // All other context takes effect at the instruction that changes it. The page in execution is not
  // looked up again until control leaves it.
  insn(
    "ISB",
    "11010101000000110011 CRm 110 11111",
    {},
    (f) => f.CRm === 15 ? "isb" : `isb\t${hex(f.CRm)}`,
    (_, $) => $.if($.state("FETCHES_DROPPED"), () => $.doFaulting("fetchAnew")),
  ),

  // EL0 has SP_EL0 in use, where it is UNDEFINED.
  ...plainRegister("SP_EL0", requireState(PSTATE_SP)),
  ...plainRegister("TPIDR_EL0", anywhere),
  ...plainRegister("TPIDR_EL1", requireState(PSTATE_EL)),

  insn(
    "MRS NZCV",
    "11010101001 1 1011 0100 0010 000 Rt",
    {},
    (f) => `mrs\t${x(f.Rt)}, nzcv`,
    ({ Rt }, $) => $.setR(Rt, $.lsl($.nzcv(), 28)),
  ),
  insn(
    "MSR NZCV",
    "11010101000 1 1011 0100 0010 000 Rt",
    {},
    (f) => `msr\tnzcv, ${x(f.Rt)}`,
    ({ Rt }, $) => $.setNZCV($.lsr($.W(Rt), 28)),
  ),

  insn(
    "MRS",
    "1101010100 1 1 o0 op1 CRn CRm op2 Rt",
    { cold: true },
    (f) => `mrs\t${x(f.Rt)}, ${systemRegisterText(registerNumber(f))}`,
    ({ o0, op1, CRn, CRm, op2, Rt }, $) =>
      $.setR(Rt, $.callFaulting("i64", "readSystemRegister", registerNode($, { o0, op1, CRn, CRm, op2 }))),
  ),
  insn(
    "MSR (register)",
    "1101010100 0 1 o0 op1 CRn CRm op2 Rt",
    { cold: true },
    (f) => `msr\t${systemRegisterText(registerNumber(f))}, ${x(f.Rt)}`,
    ({ o0, op1, CRn, CRm, op2, Rt }, $) => $.doFaulting("writeSystemRegister", registerNode($, { o0, op1, CRn, CRm, op2 }), $.X(Rt)),
  ),

  insn(
    "MSR (immediate)",
    "1101010100 0 00 op1 0100 CRm op2 11111",
    { cold: true, unallocated: (f) => pstateField(f) === undefined },
    (f) => `msr\t${pstateField(f)}, ${hex(f.CRm)}`,
    ({ op1, CRm, op2 }, $) => $.doFaulting("writePstateField", $.or($.lsl(op1, 3), op2), CRm),
  ),

  insn(
    "SYS",
    "1101010100 0 01 op1 CRn CRm op2 Rt",
    { cold: true },
    (f) => `sys\t#${f.op1}, C${f.CRn}, C${f.CRm}, #${f.op2}${f.Rt === 31 ? "" : `, ${x(f.Rt)}`}`,
    ({ op1, CRn, CRm, op2, Rt }, $) =>
      $.doFaulting(
        "systemInstruction",
        $.computed("i32", "systemOperation", [op1, CRn, CRm, op2], (op1, CRn, CRm, op2) => op1 << 11 | CRn << 7 | CRm << 3 | op2, 0, 16383),
        $.X(Rt),
      ),
  ),

  insn(
    "DC ZVA",
    "1101010100 0 01 011 0111 0100 001 Rt",
    {},
    (f) => `sys\t#3, C7, C4, #1${f.Rt === 31 ? "" : `, ${x(f.Rt)}`}`,
    ({ Rt }, $) => {
      $.if($.isZero($.and($.state("ZERO_LEVEL"), PSTATE_EL)), () => $.doFaulting("checkZeroAllowed"));
      const place = $.ramAddress(64, $.let($.X(Rt)), true);
      for (let at = 0; at < 64; at += 16) $.ramStore("v128.store", place, $.v128(0n, 0n), at);
    },
  ),
];

/** The field that an MSR (immediate) writes, of those that Armv8.0 with PAN has. */
function pstateField(f: { op1: number; op2: number }): string | undefined {
  return ({ 4: "pan", 5: "spsel", 30: "daifset", 31: "daifclr" } as Record<number, string>)[f.op1 << 3 | f.op2];
}

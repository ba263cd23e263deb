// System instructions of features: SB, DSB with nXS, WFET and WFIT, and PSTATE fields that MSR
// (immediate) sets (FEAT_UAO, FEAT_DIT, FEAT_SSBS2). Arm ARM C4.1.93. Their registers are in
// cpu/core/registers/system-registers.ts.

import { hex, x } from "../notation/assembly.ts";
import type { FeatureName } from "../cpus/features.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { pattern } from "../notation/simd-operands.ts";
import { plainRegister, requireState } from "./system.ts";

/** In SPSR layout, set at no lower level. */
const PSTATE_EL2 = 0x8;

/** MSR (immediate) of a field of PSTATE; op1 and op2 name it. */
function pstateField(name: string, feature: FeatureName, op1: string, op2: string): Instruction {
  return insn(
    `MSR ${name.toUpperCase()}, #imm`,
    pattern<"CRm">(`1101010100 0 00 ${op1} 0100 CRm ${op2} 11111`),
    { feature, cold: true },
    (f) => `msr\t${name}, ${hex(f.CRm)}`,
    ({ CRm }, $) => $.doFaulting("writePstateField", $.i32(parseInt(op1 + op2, 2)), CRm),
  );
}

const BARRIERS = ["osh", "nsh", "ish", "sy"] as const;

/** System instructions that not every CPU has. */
export const systemExtensions = (): Instruction[] => [
  // Linux as a host, and Xen, find their variables of this CPU by it.
  ...plainRegister("TPIDR_EL2", requireState(PSTATE_EL2)),

  // Nothing is executed speculatively.
  insn("SB", "11010101000000110011 0000 111 11111", { feature: "FEAT_SB", cold: true }, () => "sb", () => {}),
  insn(
    "DSB (nXS)",
    "11010101000000110011 imm2 10 001 11111",
    { feature: "FEAT_XS", cold: true },
    (f) => `dsb\t${BARRIERS[f.imm2]}nxs`,
    () => {},
  ),
  ...(["wfet", "wfit"] as const).map((name, isInterrupt) =>
    insn(
      name.toUpperCase(),
      pattern<"Rd">(`11010101000000110001 0000 00${isInterrupt} Rd`),
      { feature: "FEAT_WFxT", cold: true },
      (f) => `${name}\t${x(f.Rd)}`,
      ({ Rd }, $) => $.doFaulting("waitUntil", $.i32(1 - isInterrupt), $.X(Rd), Rd),
    )
  ),
  pstateField("uao", "FEAT_UAO", "000", "011"),
  pstateField("ssbs", "FEAT_SSBS2", "011", "001"),
  pstateField("dit", "FEAT_DIT", "011", "010"),
];

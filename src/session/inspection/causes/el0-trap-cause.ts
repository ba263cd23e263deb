// Why EL1 got a trap of an instruction that EL0 may execute if EL1 permits it: the bit that permits
// it is 0. Arm ARM D1.6 (traps to EL1), D24.2.178 (SCTLR_EL1), D24.10.3 (CNTKCTL_EL1).

import type { RegisterName } from "../../../cpu/core/interface.ts";
import { causeRule, instructionOf } from "./cause-rule.ts";

interface Control {
  readonly register: RegisterName;
  readonly name: string;
  readonly bit: bigint;
}
const control = (register: RegisterName, name: string, bit: number): Control => ({ register, name, bit: 1n << BigInt(bit) });

/** Instructions, as they are disassembled, and the bit that permits each at EL0. */
const PERMITTED_BY: readonly (readonly [instruction: RegExp, control: Control])[] = [
  [/^wfi\b/, control("SCTLR_EL1", "nTWI", 16)],
  [/^wfe\b/, control("SCTLR_EL1", "nTWE", 18)],
  [/\bctr_el0\b/, control("SCTLR_EL1", "UCT", 15)],
  [/\bdaif(?:set|clr)?\b/, control("SCTLR_EL1", "UMA", 9)],
  [/^dc\s+zva\b/, control("SCTLR_EL1", "DZE", 14)],
  [/^(?:dc|ic)\s/, control("SCTLR_EL1", "UCI", 26)],
  [/\bcntvct(?:ss)?_el0\b/, control("CNTKCTL_EL1", "EL0VCTEN", 1)],
  [/\bcnt(?:pct(?:ss)?|frq)_el0\b/, control("CNTKCTL_EL1", "EL0PCTEN", 0)],
  [/\bcntv_\w+_el0\b/, control("CNTKCTL_EL1", "EL0VTEN", 8)],
  [/\bcntp_\w+_el0\b/, control("CNTKCTL_EL1", "EL0PTEN", 9)],
];

export const EL0_TRAP_RULE = causeRule({
  codes: ["trapped-at-el0"],
  asks: "is it at EL0, and is the bit 0 by which EL1 permits it?",
  judge(suspect) {
    const { vcpu: { registers }, taken: { el } } = suspect, instruction = instructionOf(suspect);
    if (el !== 0 || instruction === undefined) return undefined;
    const [, found] = PERMITTED_BY.find(([one]) => one.test(instruction)) ?? [];
    if (!found || (registers.getRegister(found.register) & found.bit) !== 0n) return undefined;
    return { code: "trapped-at-el0", instruction, control: `${found.register}.${found.name}` };
  },
});

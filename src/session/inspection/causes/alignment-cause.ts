// Why an access has to be aligned: its memory is Device, SCTLR_EL1.A checks, or the instruction
// asks for it. Arm ARM B2.8, D13.2.118.

import { Sctlr, Stage2Flags } from "../../../cpu/core/interface.ts";
import type { DeviceBecause } from "../../../model/queries/facts/exception-cause.ts";
import { memoryKind } from "../readers/guest/stage1.ts";
import { causeRule, instructionOf, type Suspect } from "./cause-rule.ts";

/** Exclusive and ordered accesses. */
const ORDERED = /^(?:ld|st)l?a?x|^lda|^stl/;

export const ALIGNMENT_RULES = [
  causeRule({
    codes: ["zva-to-device"],
    asks: "is it DC ZVA to Device memory?",
    judge(suspect) {
      const isZva = instructionOf(suspect)?.startsWith("dc zva"), because = isZva ? deviceBecause(suspect) : undefined;
      return because && { code: "zva-to-device", access: suspect.access, because };
    },
  }),
  causeRule({
    codes: ["device-alignment"],
    asks: "is its memory Device?",
    judge(suspect) {
      const because = deviceBecause(suspect);
      return because && { code: "device-alignment", access: suspect.access, because };
    },
  }),
  causeRule({
    codes: ["ordered-alignment"],
    asks: "is it exclusive, atomic or ordered?",
    judge(suspect) {
      const { vcpu, access } = suspect, isChecked = (vcpu.registers.getRegister("SCTLR_EL1") & BigInt(Sctlr.A)) !== 0n;
      const isOrdered = access.kind === "atomic access" || ORDERED.test(instructionOf(suspect) ?? "");
      return isOrdered || !isChecked ? { code: "ordered-alignment", access } : undefined;
    },
  }),
  causeRule({
    codes: ["alignment-checked"],
    asks: "is SCTLR_EL1.A 1?",
    judge: ({ access }) => ({ code: "alignment-checked", access }),
  }),
];

/** Why the memory of an access is Device memory; undefined if it is Normal. */
function deviceBecause(suspect: Suspect): DeviceBecause | undefined {
  const { view, vcpu, taken } = suspect, { registers } = vcpu, walk = suspect.walk();
  if (!walk && !registers.defaultCacheable) return "stage-1-off";
  if (walk?.end === "leaf" && memoryKind(registers.getRegister("MAIR_EL1"), walk.rights.attributes) === "device") return "mair";
  const translation = view.system.symbols.core.questions.inspect(registers, taken.far);
  const page = vcpu.space.stage2.lookup(translation.ipa);
  return page && page.flags & Stage2Flags.Device ? "stage-2" : undefined;
}

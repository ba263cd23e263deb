// Why an access has to be aligned: its memory is Device, SCTLR_EL1.A checks, or the instruction
// asks for it. Arm ARM B2.8, D13.2.118.

import { Sctlr, Stage2Flags } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { DeviceBecause } from "../../../model/queries/facts/exception-cause.ts";
import { readInstruction } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";
import { causeRule } from "./cause-rule.ts";
import { walkOf } from "./stage1-walk.ts";

/** Exclusive, atomic and ordered accesses. */
const ORDERED = /^(?:ld|st)l?a?x|^lda|^stl|^cas|^swp|^(?:ld|st)(?:add|clr|set|eor|[su](?:max|min))/;

export const ALIGNMENT_RULES = [
  causeRule({
    codes: ["zva-to-device"],
    asks: "is it DC ZVA to Device memory?",
    judge({ view, vcpu, taken, access }) {
      const because = deviceBecause(view, vcpu, taken.far), isZva = readInstruction(view, vcpu, taken.elr)?.startsWith("dc zva");
      return isZva && because !== undefined ? { code: "zva-to-device", access, because } : undefined;
    },
  }),
  causeRule({
    codes: ["device-alignment"],
    asks: "is its memory Device?",
    judge({ view, vcpu, taken, access }) {
      const because = deviceBecause(view, vcpu, taken.far);
      return because !== undefined ? { code: "device-alignment", access, because } : undefined;
    },
  }),
  causeRule({
    codes: ["ordered-alignment"],
    asks: "is it exclusive, atomic or ordered?",
    judge({ view, vcpu, taken, access }) {
      const isChecked = (Number(vcpu.registers.getRegister("SCTLR_EL1")) & Sctlr.A) !== 0;
      const isOrdered = ORDERED.test(readInstruction(view, vcpu, taken.elr) ?? "");
      return isOrdered || !isChecked ? { code: "ordered-alignment", access } : undefined;
    },
  }),
  causeRule({
    codes: ["alignment-checked"],
    asks: "is SCTLR_EL1.A 1?",
    judge: ({ access }) => ({ code: "alignment-checked", access }),
  }),
];

const DEVICE_ATTRIBUTE = 0xf0n;

/** Why data at an address is Device memory; undefined if it is Normal. */
export function deviceBecause(view: View, vcpu: Vcpu, va: bigint): DeviceBecause | undefined {
  const { registers } = vcpu;
  const walk = walkOf(view, vcpu, va);
  if (!walk && !registers.defaultCacheable) return "stage-1-off";
  if (walk?.end === "leaf") {
    const attribute = registers.getRegister("MAIR_EL1") >> BigInt(8 * walk.rights.attributes);
    if ((attribute & DEVICE_ATTRIBUTE) === 0n) return "mair";
  }
  const translation = view.system.symbols.core.questions.inspect(registers, va);
  const page = vcpu.space.stage2.lookup(translation.ipa);
  return page && page.flags & Stage2Flags.Device ? "stage-2" : undefined;
}

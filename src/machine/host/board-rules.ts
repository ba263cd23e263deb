// The rules of boards by the names that `platform` of a VM has. A new board is a folder of
// `boards/`, its name in `VM_PLATFORMS`, and its line here and in `boards.ts`.

import { CROSVM_RULES } from "./boards/crosvm/rules.ts";
import { EL2_RULES } from "./boards/el2/rules.ts";
import { QEMU_RULES } from "./boards/qemu-virt/rules.ts";
import type { BoardRules } from "./boards/rules.ts";
import type { VmPlan, VmPlatform } from "./boards/vm-plan.ts";

const BOARD_RULES: Readonly<Record<VmPlatform, BoardRules>> = { el2: EL2_RULES, crosvm: CROSVM_RULES, "qemu-virt": QEMU_RULES };

/** The rules of a VM's board. */
export function rulesOf({ platform = "el2" }: Pick<VmPlan, "platform">): BoardRules {
  return BOARD_RULES[platform];
}

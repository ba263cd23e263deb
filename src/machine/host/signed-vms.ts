// The VMs of a plan as images that the vendor driver loads by name.

import type { SignedVm } from "./gunyah/signed-vm.ts";
import type { VmPlan } from "./data/plan.ts";
import { vmContents } from "./vm-contents.ts";
import { boardOf } from "./boards.ts";
import { DEVICETREE_SIZE } from "./boards/el2/map.ts";

/** Peripheral numbers of images begin here: Qualcomm's first VM has 28. */
const FIRST_PERIPHERAL = 28;

/** The VMs of a plan as the vendor driver knows them. */
export function signedVms(plans: readonly VmPlan[]): SignedVm[] {
  return plans.map((plan, index) => ({
    name: plan.name,
    peripheral: FIRST_PERIPHERAL + index,
    memory: plan.memory,
    contents: vmContents(plan),
    entry: plan.image.entry,
    devicetree: { offset: boardOf(plan).layout(plan).devicetree, size: DEVICETREE_SIZE },
  }));
}

// VMs that the vendor driver loads by name: on a phone a signed image among the firmware files, and
// a node of the devicetree with its memory.

import type { VmPlan } from "../plan.ts";
import { type Content, vmContents } from "../vm-contents.ts";
import { DEVICETREE_SIZE, layoutVm } from "../vm-layout.ts";

/** Bytes of a name with the NUL that ends it. */
export const SIGNED_NAME_SIZE = 16;

/** One such VM. Plain data; offsets and sizes in bytes from the start of its memory. */
export interface SignedVm {
  readonly name: string;
  /** Number of its image for the firmware that authenticates it. */
  readonly peripheral: number;
  /** Bytes of memory, whole pages. */
  readonly memory: number;
  readonly contents: readonly Content[];
  /** The first instruction. */
  readonly entry: number;
  readonly devicetree: { readonly offset: number; readonly size: number };
}

/** Peripheral numbers of images begin here: Qualcomm's first VM has 28. */
const FIRST_PERIPHERAL = 28;

/** The VMs of a plan as the vendor driver knows them. */
export function signedVms(plans: readonly VmPlan[]): SignedVm[] {
  return plans.map((plan, index) => ({
    ...{ name: plan.name, peripheral: FIRST_PERIPHERAL + index, memory: plan.memory, contents: vmContents(plan), entry: plan.image.entry },
    devicetree: { offset: layoutVm(plan).devicetree, size: DEVICETREE_SIZE },
  }));
}

// Whether anybody besides the guests is about to act. The native host and Resource Manager take no
// time to answer: if they sleep and have no timer, only an input from outside or a guest wakes
// them.

import type { View } from "../inspected.ts";
import { Vmid } from "../guest-names.ts";

const SERVANTS: readonly number[] = [Vmid.Primary, Vmid.ResourceManager];

/**
 * Whether nothing is under way in host and Resource Manager; false where they execute
 * instructions.
 */
export function isQuiet(view: View): boolean {
  if (view.isSettled) return true;
  if (view.hypervisor.faults.delayed > 0) return false;
  const servants = view.vcpus().filter(({ addressSpace }) => SERVANTS.includes(addressSpace?.vmid ?? 0));
  return servants.length > 0 &&
    servants.every(({ native, timers, gic }) =>
      native !== undefined && !native.insideRun && !native.hasWork() && !gic.hasInterrupt && timers.deadline === Infinity
    );
}

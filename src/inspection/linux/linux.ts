// Linux, as one of the kernels in VMs.

import type { GuestKernel } from "../readers/guest-kernel.ts";
import { isPanicking, panicOf, showsPanic } from "./panic.ts";

export const LINUX: GuestKernel = {
  showsPanic,
  isPanicking,
  panicOf,
  // It has looked for KVM in vain.
  notes: (shown) => /kvm \[\d+\]: HYP mode not available/.test(shown) ? [{ code: "no-kvm" }] : [],
};

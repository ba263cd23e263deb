// Puts the hypervisor on a machine, with the root VM ready to run.

import type { NativeGuestFactory } from "../abi/native-guest.ts";
import type { Machine } from "../hardware/machine.ts";
import { Checker } from "./check/check.ts";
import type { FlashPlan } from "./memory/flash.ts";
import { Hypervisor, type HypervisorOptions } from "./hypervisor.ts";
import type { RootPackage } from "./root-package.ts";
import { createRootVm, DEFAULT_PRIMARY_IMAGES, type PrimaryImages, type RootVm } from "./root-vm.ts";

/** Options of the hypervisor's start. */
export interface BootOptions extends HypervisorOptions {
  /** The Resource Manager: a native program, or AArch64 images. */
  readonly resourceManager: NativeGuestFactory | RootPackage;
  /** Places of the primary VM's images in RAM; by default those of the recorded platform. */
  readonly images?: PrimaryImages;
  /** Flash of the primary VM, if it starts from firmware. */
  readonly flash?: readonly FlashPlan[];
}

/**
 * Makes the hypervisor and its root VM. `machine.run` then runs the Resource Manager, which creates
 * the primary VM. RAM contents (the primary's images) may be written before or after.
 */
export function createHypervisor(machine: Machine, options: BootOptions): { hypervisor: Hypervisor; root: RootVm } {
  const hypervisor = new Hypervisor(machine, options);
  const root = createRootVm(hypervisor, options.resourceManager, options.images ?? DEFAULT_PRIMARY_IMAGES, options.flash);
  if (hypervisor.behaviour.check) hypervisor.checker = new Checker(hypervisor);
  return { hypervisor, root };
}

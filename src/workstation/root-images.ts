// The two ELF files of a root VM as the hypervisor loads them.

import type { RootImage, RootPackage } from "../hypervisor/root-package.ts";
import { readElf } from "./elf.ts";
import { PlanError, type RootPlan } from "./plan.ts";

/** Reads both files. @throws PlanError that says which of them is wrong, and how. */
export function readRootImages({ runtime, app }: RootPlan): RootPackage {
  return { runtime: readImage(runtime, "root runtime"), app: readImage(app, "root application") };
}

function readImage(bytes: Uint8Array, what: string): RootImage {
  try {
    const { entry, segments } = readElf(bytes, "position-independent");
    // The bits of p_flags are those of the hypervisor's access rights.
    return { entry, segments: segments.map(({ address, bytes, size, flags }) => ({ address, bytes, size, access: flags })) };
  } catch (error) {
    throw new PlanError(`${what}: ${error instanceof Error ? error.message : error}`);
  }
}

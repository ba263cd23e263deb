// Checks of a `boot` plan before anything starts, so that a wrong file is a usage error with its
// name and not a machine that stops.

import { ROOT_ENVIRONMENT_SIZE } from "../../../machine/abi/root-environment.ts";
import { layoutPackage, segmentParts } from "../../../machine/hypervisor/options.ts";
import { type BootPlan, PlanError, type RootPlan, type SessionPlan } from "../../../model/plans/plan.ts";
import { readRootImages } from "./root-images.ts";
import { layoutFirmware } from "./firmware-layout.ts";
import { layoutPrimary } from "./primary-image.ts";
import { readDevicetree } from "../../../machine/devicetree/reader.ts";
import { memoryMap, MINIMUM_PLATFORM_MEMORY, RAM_BASE, RESOURCE_MANAGER_SIZE } from "../../../machine/hardware/memory-map.ts";
import { isTold, problemOf } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

/** @throws PlanError that names the file or key and its defect. */
export function checkBootPlan(boot: BootPlan, { memory, cpu }: Pick<SessionPlan, "memory" | "cpu">, imageName: string): void {
  try {
    memoryMap(memory);
  } catch (error) {
    throw error instanceof RangeError ? new PlanError(problemOf(error, "memory")) : error;
  }
  if (!boot.image && !boot.firmware && memory < MINIMUM_PLATFORM_MEMORY) {
    throw new PlanError(`memory: a machine without an image has at least ${MINIMUM_PLATFORM_MEMORY / MiB} MiB`);
  }
  refusing(`${boot.firmware ? "firmware" : "image"} ${imageName}`, () => {
    if (boot.firmware) layoutFirmware(boot.firmware, memory);
    else if (boot.image) layoutPrimary({ ...boot, image: boot.image }, RAM_BASE, memory, cpu);
  });
  const read = boot.dtb && readDevicetree(boot.dtb);
  if (read && !read.ok) throw new PlanError(`dtb: ${read.problem}`);
}

/** @throws PlanError that says which of the two files is wrong, or that they do not fit. */
export function checkRoot(root: RootPlan): void {
  const images = readRootImages(root);
  refusing(undefined, () => segmentParts(images, layoutPackage(images, ROOT_ENVIRONMENT_SIZE, RESOURCE_MANAGER_SIZE)));
}

/**
 * The result of a layout or a reader, whose errors are about what the plan brings.
 * @throws PlanError for them; errors of another class, such as TypeError, are bugs
 */
export function refusing<T>(of: string | undefined, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw isTold(error) ? new PlanError(problemOf(error, of)) : error;
  }
}

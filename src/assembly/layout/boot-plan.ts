// Checks of a `boot` plan before anything starts, so that a wrong file is a usage error with its
// name and not a machine that stops.

import { ROOT_ENVIRONMENT_SIZE } from "../../abi/root-environment.ts";
import { layoutPackage, segmentParts } from "../../hypervisor/options.ts";
import { type BootPlan, PlanError, type RootPlan, type SessionPlan } from "../../plans/plan.ts";
import { readRootImages } from "./root-images.ts";
import { layoutFirmware } from "./firmware-layout.ts";
import { layoutPrimary } from "./primary-image.ts";
import { readDevicetree } from "../../devicetree/reader.ts";
import { memoryMap, MINIMUM_PLATFORM_MEMORY, RAM_BASE, RESOURCE_MANAGER_SIZE } from "../../machine/memory-map.ts";
import { MiB } from "../../support/sizes.ts";

/** @throws PlanError that names the file or key and its defect. */
export function checkBootPlan(boot: BootPlan, { memory, cpu }: Pick<SessionPlan, "memory" | "cpu">, imageName: string): void {
  try {
    memoryMap(memory);
  } catch (error) {
    throw new PlanError(`memory: ${messageOf(error)}`);
  }
  if (!boot.image && !boot.firmware && memory < MINIMUM_PLATFORM_MEMORY) {
    throw new PlanError(`memory: a machine without an image has at least ${MINIMUM_PLATFORM_MEMORY / MiB} MiB`);
  }
  try {
    if (boot.firmware) layoutFirmware(boot.firmware, memory);
    else if (boot.image) layoutPrimary({ ...boot, image: boot.image }, RAM_BASE, memory, cpu);
  } catch (error) {
    throw new PlanError(`${boot.firmware ? "firmware" : "image"} ${imageName}: ${messageOf(error)}`);
  }
  const read = boot.dtb && readDevicetree(boot.dtb);
  if (read && !read.ok) throw new PlanError(`dtb: ${read.problem}`);
}

/** @throws PlanError that says which of the two files is wrong, or that they do not fit. */
export function checkRoot(root: RootPlan): void {
  const images = readRootImages(root);
  try {
    segmentParts(images, layoutPackage(images, ROOT_ENVIRONMENT_SIZE, RESOURCE_MANAGER_SIZE));
  } catch (error) {
    throw new PlanError(messageOf(error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

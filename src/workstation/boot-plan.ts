// Checks of a `boot` plan before anything starts, so that a wrong file is a usage error with its name and not a machine that stops.

import { type BootPlan, PlanError, type SessionPlan } from "./plan.ts";
import { layoutPrimary } from "./primary-image.ts";
import { readDevicetree } from "../devicetree/reader.ts";
import { memoryMap, RAM_BASE } from "../machine/memory-map.ts";

/** @throws PlanError that names the file and what is wrong with it. */
export function checkBootPlan(plan: SessionPlan, boot: BootPlan, imageName: string): void {
  try {
    memoryMap(plan.memory);
  } catch (error) {
    throw new PlanError(`--memory: ${messageOf(error)}`);
  }
  try {
    layoutPrimary(boot.image, boot.initrd, RAM_BASE, plan.memory);
  } catch (error) {
    throw new PlanError(`image ${imageName}: ${messageOf(error)}`);
  }
  const read = boot.dtb && readDevicetree(boot.dtb);
  if (read && !read.ok) throw new PlanError(`--dtb: ${read.problem}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

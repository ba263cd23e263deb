// The two ELF files of a root VM as the hypervisor loads them.

import type { RootImage, RootPackage } from "../../../machine/hypervisor/options.ts";
import { readElf } from "../../../kit/formats/elf.ts";
import { PlanError, type RootPlan } from "../../../model/plans/plan.ts";
import { type Problem, problemOf } from "../../../kit/support/problem.ts";

/** One of the two files is wrong: which, and how. */
export class RootImageError extends PlanError {
  constructor(readonly file: keyof RootPlan, problem: Problem) {
    super(problem);
  }
}

/**
 * Reads both files.
 * @throws RootImageError
 */
export function readRootImages({ runtime, app }: RootPlan): RootPackage {
  return { runtime: readImage("runtime", runtime), app: readImage("app", app) };
}

const NAMES: Readonly<Record<keyof RootPlan, string>> = { runtime: "root runtime", app: "root application" };

function readImage(file: keyof RootPlan, bytes: Uint8Array): RootImage {
  try {
    const { entry, segments } = readElf(bytes, "position-independent");
    // The bits of p_flags are those of the hypervisor's access rights.
    return { entry, segments: segments.map(({ address, bytes, size, flags }) => ({ address, bytes, size, access: flags })) };
  } catch (error) {
    throw new RootImageError(file, problemOf(error, NAMES[file]));
  }
}

// A kernel in a memory, with its types and exported symbols.

import assert from "node:assert/strict";
import { type KernelPlace, LinuxKernel } from "../../../src/inside/linux/kernel/kernel.ts";
import { whole } from "../../../src/kit/support/values/work.ts";

export function learnedKernel(place: KernelPlace): LinuxKernel {
  const kernel = LinuxKernel.find(place) ?? assert.fail("no kernel is mapped");
  whole(kernel.learn(place.physical));
  return kernel;
}

// Plans for tests of the native host.

import assert from "node:assert/strict";
import type { NativeHostPlan, VmPlan } from "../../../src/machine/host/data/plan.ts";
import type { RunConfiguration } from "../../../src/app/configuration/plan-run.ts";

export const MIB = 2 ** 20;
/** Memory that only the host uses. */
export const HOST_MEMORY = 32 * MIB;

/** A VM with a console and an image that nothing reads. */
export function vmPlan(name: string, changes: Partial<VmPlan> = {}): VmPlan {
  const image = { bytes: Uint8Array.of(1, 2, 3, 4), offset: 0, size: 0x1000, entry: 0 };
  const defaults = { firmware: undefined, initrd: undefined, cmdline: "", memory: 2 * MIB, base: 0x8000_0000, vcpus: 1, console: true };
  return { name, image, ...defaults, schedule: "proxy", links: [], onExit: "stop", ...changes };
}

/** The native host of a configuration that has one. */
export function nativeHostOf({ what }: RunConfiguration): NativeHostPlan {
  assert.equal(what.kind, "run");
  return (what as RunConfiguration["what"] & { kind: "run" }).host;
}

// The VMs that a debugger has: plain data, in plans and requests.

import * as v from "valibot";
import { listOf, name } from "./fields.ts";
import { vmId } from "./ids.ts";

/** Most VMs that a debugger names. */
const VMS_MAX = 256;

export const debuggedVms = v.variant("kind", [
  /** One: its vCPUs have the numbers that they have in it. */
  v.strictObject({ kind: v.literal("vm"), vm: name }),
  /** These, or all: numbers of vCPUs have the VMID in front. */
  v.strictObject({ kind: v.literal("vms"), vms: listOf(name, VMS_MAX) }),
  v.strictObject({ kind: v.literal("all") }),
]);
export type DebuggedVms = Readonly<v.InferOutput<typeof debuggedVms>>;

export const EVERY_VM: DebuggedVms = { kind: "all" };

export function oneVm(vm: string): DebuggedVms {
  return { kind: "vm", vm };
}

/** Their ids, for messages. */
export function debuggedText(debugged: DebuggedVms): string {
  switch (debugged.kind) {
    case "all":
      return "all VMs";
    case "vm":
      return vmId(debugged.vm);
    case "vms":
      return debugged.vms.map(vmId).join(", ");
  }
}

// vIRQs of vdevices: the one that the devicetree asks for, or the lowest that is free
// (docs/spec/resource-manager.md §6.3, §7.3).

import { RmError } from "../../abi/rpc/errors.ts";
import { allocateNumber, takeNumber } from "../state/numbers.ts";
import { demand } from "../calls/refusals.ts";
import type { Vdevice, VmRecord } from "../state/state.ts";

/** A vIRQ that was taken. */
export interface EndVirq {
  readonly virq: number;
  readonly edge: boolean;
}

/**
 * A vIRQ of a VM for a vdevice: in the vdevice's own VM the number from the devicetree, else the
 * lowest free one.
 * @throws Refusal
 */
export function takeVirq(device: Vdevice, vm: VmRecord, own: boolean, index: number): EndVirq {
  const asked = own ? device.config.virqs?.[index] : undefined;
  if (asked !== undefined) {
    demand(takeNumber(vm.virqs, asked.intid), RmError.NORESOURCE, "the vIRQ is taken", { vmid: vm.vmid, virq: asked.intid });
  }
  const virq = asked?.intid ?? allocateNumber(vm.virqs);
  demand(virq !== undefined, RmError.NORESOURCE, "the VM has no vIRQ left", { vmid: vm.vmid });
  device.virqs.push({ vmid: vm.vmid, virq });
  return { virq, edge: asked?.edge ?? true };
}

// VM_GET_HYP_RESOURCES: the objects that another VM shares with the caller
// (docs/spec/resource-manager.md §3.10).

import { RmError } from "../../abi/rpc/errors.ts";
import { type resourceEntry, ResourceType, VIRQ_INVALID, VM_GET_HYP_RESOURCES } from "../../abi/rpc/messages/resources.ts";
import type { Values } from "../../abi/rpc/layout.ts";
import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { pagingCaps } from "../memory/demand-paging.ts";
import { demand } from "../calls/refusals.ts";
import type { SharedObject, Vdevice, VdeviceEnd, Vm, VmObjects } from "../state/state.ts";
import type { VdeviceType } from "../config/vdevice-config.ts";
import { existing, handle, type Handler } from "./handler.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Kinds of vdevices that are never listed. */
const UNLISTED: readonly VdeviceType[] = ["rm-rpc", "shm", "shm-doorbell", "iomem", "vrtc-pl031"];

type Resource = Values<typeof resourceEntry>;

const getHypResources = handle(VM_GET_HYP_RESOURCES, (context, caller, { vmid }) => {
  const vm = existing(context, vmid, RmError.ARGUMENT_INVALID);
  demand(vm.objects !== undefined, RmError.NORESOURCE, "the VM has not been configured", { vmid });
  return { resources: [...vcpuResources(caller, vm, vm.objects), ...deviceResources(caller, vm), ...pagingCaps(caller, vm).map(resource)] };
});

function resource(fields: Partial<Resource> & Pick<Resource, "type" | "cap">): Resource {
  return { partner: 0, handle: 0, label: 0, virq_handle: 0, virq: 0, base: 0n, size: 0n, ...fields };
}

/**
 * vCPUs belong to the owner; the primary may also move the Resource Manager's, which the hypervisor
 * schedules.
 */
function vcpuResources(caller: Vm, vm: Vm, { vcpus }: VmObjects): Resource[] {
  const ofRm = vm.vmid === Vmid.ResourceManager && caller.vmid === Vmid.Hlos;
  if (vm.owner !== caller.vmid && !ofRm) return [];
  return vcpus.flatMap(({ ownerCap, affinityIndex, wakeupVirq }) => {
    if (ownerCap === undefined) return [];
    const virq = ofRm ? 0 : wakeupVirq ?? VIRQ_INVALID;
    return [resource({ type: ResourceType.Vcpu, cap: ownerCap, label: affinityIndex, virq })];
  });
}

/** Ends of the caller's in its own vdevices whose peer is `vm`, then of `vm`'s vdevices. */
function deviceResources(caller: Vm, vm: Vm): Resource[] {
  const own = caller.vdevices.filter(({ peer }) => peer === vm.vmid);
  const others = vm.vdevices.filter(({ peer }) => peer === caller.vmid);
  return [...own, ...others].filter(({ config }) => !UNLISTED.includes(config.type)).flatMap((device) => endsOf(device, caller, vm));
}

function endsOf(device: Vdevice, caller: Vm, vm: Vm): Resource[] {
  const found = device.objects.flatMap((object) =>
    object.ends.filter((end) => end.vmid === caller.vmid).map((end) =>
      resource({ type: typeOf(object, end), partner: vm.vmid, label: device.config.label, cap: end.cap, virq: end.virq ?? 0 })
    )
  );
  const { virtio } = device;
  if (virtio?.backend.vmid === caller.vmid) {
    const { cap, virq, ipa } = virtio.backend;
    const place = { base: BigInt(ipa), size: BigInt(PAGE_SIZE) };
    found.push(resource({ type: ResourceType.VirtioMmioBackend, partner: vm.vmid, label: device.config.label, cap, virq, ...place }));
  }
  return found.sort((a, b) => a.type - b.type);
}

function typeOf(object: SharedObject, end: VdeviceEnd): number {
  if (object.kind === "doorbell") return end.role === "send" ? ResourceType.DoorbellSource : ResourceType.Doorbell;
  return end.role === "send" ? ResourceType.MsgqueueSend : ResourceType.MsgqueueReceive;
}

export const resourceHandlers: readonly Handler[] = [getHypResources];

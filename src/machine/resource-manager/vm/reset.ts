// Takes a VM apart after it has ended, one step per event, so that requests come in between
// (docs/spec/resource-manager.md §4.4).

import { VmState } from "../../abi/rpc/messages/vm.ts";
import { VcpuVirqType } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { dropPaging } from "../memory/demand-paging.ts";
import { releaseLoansOf } from "./irq-lending.ts";
import { forceRelease, orphanParcelsOf } from "../memory/accept-parcel.ts";
import { knownBorrower, notifyReleased, parcelOf } from "../memory/memparcels.ts";
import { newVm, type Vm, type VmRecord } from "../state/state.ts";
import { enterState, unfriend } from "../rpc/status.ts";
import { destroyVdevice } from "./vdevices.ts";

/** Virtual time between two steps, ns. */
const STEP_INTERVAL = 2_000;

/** Begins the reset of a VM whose vCPUs are gone. */
export function beginReset(context: Context, vm: Vm): void {
  enterState(context, vm, VmState.Resetting);
  vm.reset = "destroy-vdevices";
  scheduleReset(context);
}

/** Asks for the next step when a reset is under way. */
function scheduleReset(context: Context): void {
  if (context.state.vms.some(({ reset }) => reset !== undefined)) context.wakeAt(context.calls.vcpu.now + STEP_INTERVAL);
}

/** One step of every reset under way. */
export function stepResets(context: Context): void {
  for (const vm of context.state.vms) {
    if (vm.reset !== undefined) step(context, vm);
  }
  scheduleReset(context);
}

function step(context: Context, vm: Vm): void {
  switch (vm.reset) {
    case "destroy-vdevices": {
      const device = vm.vdevices.shift();
      if (device === undefined) vm.reset = "release-parcels";
      else destroyVdevice(context, vm, device);
      return;
    }
    case "release-parcels":
      if (releaseLast(context, vm)) return;
      orphanParcelsOf(context, vm);
      vm.reset = "release-irqs";
      return;
    case "release-irqs":
      releaseLoansOf(context, vm);
      vm.reset = "destroy-vm";
      return;
    case "destroy-vm":
      destroyObjects(context, vm);
      vm.reset = "cleanup-vm";
      return;
    case "cleanup-vm":
      // As newly allocated, except the VM's identity and the VMs that still have to be notified.
      Object.assign(vm, newVm(vm.vmid, vm.owner), { state: vm.state, peers: vm.peers, reset: "completed" });
      return;
    case "completed":
      vm.reset = undefined;
      enterState(context, vm, VmState.Reset);
      unfriend(context, vm);
      return;
  }
}

/** Releases the parcel that the VM accepted last. False when it has none. */
function releaseLast(context: Context, vm: Vm): boolean {
  const handle = vm.accepted.at(-1);
  if (handle === undefined) return false;
  const parcel = parcelOf(context, handle);
  forceRelease(context, vm, parcel, knownBorrower(parcel, vm.vmid));
  notifyReleased(context, parcel, vm.vmid);
  return true;
}

function destroyObjects(context: Context, vm: VmRecord): void {
  const objects = vm.objects;
  if (objects === undefined) return;
  const owner = context.vm(vm.owner);
  dropPaging(context, vm);
  const pages = objects.lowPages.map(({ extent }) => extent);
  for (const cap of [objects.addrspace, objects.infoPage?.extent, ...pages, objects.memory, objects.device, objects.vic]) {
    if (cap !== undefined) context.remove(cap);
  }
  if (objects.vpmGroup !== undefined) {
    context.undo.cspace_revoke_caps_from({ src_cspace: context.calls.cspace, master_cap: objects.vpmGroup });
    context.remove(objects.vpmGroup);
  }
  for (const vcpu of objects.vcpus) {
    if (vcpu.wakeupVirq !== undefined) {
      context.undo.vcpu_unbind_virq({ vcpu: vcpu.cap, virq_type: VcpuVirqType.VcpuRunWakeup });
      owner?.virqs.used.delete(vcpu.wakeupVirq);
    }
    if (vcpu.haltVirq !== undefined) {
      context.undo.vcpu_unbind_virq({ vcpu: vcpu.cap, virq_type: VcpuVirqType.Halt });
      context.freeVirq(vcpu.haltVirq);
    }
    if (vcpu.ownerCap !== undefined && owner?.objects !== undefined) context.remove(vcpu.ownerCap, owner.objects.cspace);
    if (vcpu.selfCap !== undefined) context.remove(vcpu.selfCap, objects.cspace);
    context.remove(vcpu.cap);
  }
  context.remove(objects.cspace);
  if (objects.infoPage !== undefined) context.freePage(objects.infoPage.heapOffset);
  for (const { heapOffset } of objects.lowPages) context.freePage(heapOffset);
  vm.objects = undefined;
}

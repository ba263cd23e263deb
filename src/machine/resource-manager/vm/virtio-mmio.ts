// virtio-mmio vdevices: the device is the hypervisor's, its backend is the VM's owner
// (docs/spec/resource-manager.md §8.2, row 13). The frontend reads the device's page at its own
// address, where its writes trap; the backend writes the page and makes hypercalls.

import type { CapId, Ipa } from "../../abi/numbers.ts";
import { VirtioMmioRight } from "../../abi/rights.ts";
import { Access, ExtentMemoryType, mapAttributes, MapFlags, MemoryType, VirtioMmioFlags } from "../../abi/words.ts";
import { allocateRange, freeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { VIRTIO_WINDOW } from "../state/memory-layout.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { demand } from "../calls/refusals.ts";
import { type BuiltVm, requireBuilt, type Vdevice, type VmRecord, type VmVirtioMmio } from "../state/state.ts";
import { takeVirq } from "./vdevice-virqs.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const FRONTEND = mapAttributes(Access.R, Access.R, MemoryType.DeviceNGnRE);
const BACKEND = mapAttributes(Access.RW, Access.RW, MemoryType.DeviceNGnRE);

/**
 * Makes the device.
 * @throws HypercallFailure, Refusal; the device is removed then, except for the vIRQs that the
 * vdevice has noted
 */
export function createVirtioMmio(context: Context, vm: BuiltVm, owner: BuiltVm, device: Vdevice): void {
  device.virtio = context.allOrNothing((onFailure) => {
    const { calls } = context;
    const { queues, deviceType } = device.config;
    const heapOffset = context.allocatePage();
    onFailure(() => context.freePage(heapOffset));
    const extent = context.ownPages(heapOffset, PAGE_SIZE, ExtentMemoryType.Device);
    onFailure(() => context.remove(extent));
    const cap = context.build("virtio_mmio", (each) => {
      const flags = deviceType === undefined ? 0n : VirtioMmioFlags.DeviceTypeValid;
      calls.virtio_mmio_configure({ virtio_mmio: each, memextent: extent, vqs_num: queues, flags, device_type: deviceType ?? 0 });
    });
    onFailure(() => context.remove(cap));
    const map = (to: BuiltVm, attributes: number): Ipa => {
      const ipa = allocateRange(to.addresses, PAGE_SIZE, PAGE_SIZE, to.direct ? VIRTIO_WINDOW : undefined);
      demand(ipa !== undefined, RmError.NORESOURCE, "no address is free for the device's page", { vmid: to.vmid });
      onFailure(() => freeRange(to.addresses, { base: ipa, size: PAGE_SIZE }));
      calls.addrspace_map({
        addrspace: to.objects.addrspace,
        memextent: extent,
        vbase: ipa,
        map_attrs: attributes,
        map_flags: MapFlags.NoSync,
        offset: 0,
        size: 0,
      });
      onFailure(() => unmap(context, to, extent, ipa));
      return ipa;
    };
    const frontendIpa = map(vm, FRONTEND);
    const backendIpa = map(owner, BACKEND);
    const backendCap = calls.copyCap(cap, owner.objects.cspace, VirtioMmioRight.Config | VirtioMmioRight.AssertVirq);
    onFailure(() => context.remove(backendCap, owner.objects.cspace));
    // Frontend writes assert to the backend's VIC, and the backend asserts to the frontend's.
    const toBackend = takeVirq(device, owner, false, 0);
    calls.virtio_mmio_frontend_bind_virq({ virtio_mmio: cap, vic: owner.objects.vic, virq: toBackend.virq });
    const toFrontend = takeVirq(device, vm, true, 0);
    calls.virtio_mmio_backend_bind_virq({ virtio_mmio: cap, vic: vm.objects.vic, virq: toFrontend.virq });
    return {
      cap,
      extent,
      heapOffset,
      frontend: { ipa: frontendIpa, ...toFrontend },
      backend: { vmid: owner.vmid, ipa: backendIpa, cap: backendCap, virq: toBackend.virq },
    };
  });
}

function unmap(context: Context, vm: BuiltVm, extent: CapId, ipa: Ipa): void {
  context.undo.addrspace_unmap({
    addrspace: vm.objects.addrspace,
    memextent: extent,
    vbase: ipa,
    map_flags: MapFlags.NoSync,
    offset: 0,
    size: 0,
  });
}

export function destroyVirtioMmio(context: Context, vm: VmRecord, { cap, extent, heapOffset, frontend, backend }: VmVirtioMmio): void {
  requireBuilt(vm);
  const owner = context.built(backend.vmid);
  context.remove(backend.cap, owner.objects.cspace);
  context.undo.virtio_mmio_frontend_unbind_virq({ virtio_mmio: cap });
  context.undo.virtio_mmio_backend_unbind_virq({ virtio_mmio: cap });
  unmap(context, owner, extent, backend.ipa);
  freeRange(owner.addresses, { base: backend.ipa, size: PAGE_SIZE });
  unmap(context, vm, extent, frontend.ipa);
  freeRange(vm.addresses, { base: frontend.ipa, size: PAGE_SIZE });
  context.remove(cap);
  context.remove(extent);
  context.freePage(heapOffset);
}

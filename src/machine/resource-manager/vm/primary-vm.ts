// Makes and starts the primary VM (HLOS, VMID 3) at boot (docs/spec/resource-manager.md §8.5,
// docs/spec/observed.md §7: the order of the calls).

import { asIpa, type CapId } from "../../abi/numbers.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { NO_CAP } from "../../abi/root-environment.ts";
import { ThreadRight } from "../../abi/rights.ts";
import { Vmid, VmState } from "../../abi/rpc/messages/vm.ts";
import {
  Access,
  DonateOptions,
  DonateType,
  mapAttributes,
  MapFlags,
  MemoryType,
  VcpuOption,
  VcpuVirqType,
  VdeviceFlags,
  VicOption,
} from "../../abi/words.ts";
import { type Addresses, addresses, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { createLink, type NewLink } from "../rpc/link.ts";
import { PARTIAL, READ_ONLY } from "../state/mapping.ts";
import { LOG_OFFSET, LOG_SIZE, VIRTIO_WINDOW } from "../state/memory-layout.ts";
import { type Numbers, takeNumber, VM_FIRST_VIRQ } from "../state/numbers.ts";
import { patchPrimaryDevicetree } from "./primary-devicetree.ts";
import { type FirstVm, newVcpu, newVm, type VmObjects, type VmVcpu } from "../state/state.ts";
import { GICD_SIZE, GICR_SIZE, GITS_SIZE } from "../config/vm-config.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const PRIMARY_MAX_CAPS = 1024;
/** Scheduling of the primary's vCPUs: priority, and timeslice in ns. */
const PRIORITY = 32;
const TIMESLICE = 5_000_000;
/** The RPC link: queue depth, and bytes of a message. */
const LINK_DEPTH = 8;
const LINK_MESSAGE_SIZE = 240;
/** vIRQs and MSIs that the VIC is asked for. */
const VIRQ_COUNT = 988;
const MSI_COUNT = 8192;
/** From the distributor to the ITS, on this platform. */
const GITS_OFFSET = 0x8_0000;

const ALL_ACCESS = mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB);
const DEVICE_ACCESS = mapAttributes(Access.RW, Access.RW, MemoryType.DeviceNGnRE);

/**
 * The primary VM with all its objects, ready to be started. Everything of it is the hypervisor's
 * word: a failure here is fatal.
 */
export function createPrimaryVm(context: Context): FirstVm {
  const { calls, resources } = context;
  const allocated = newVm(Vmid.Hlos, Vmid.ResourceManager);
  const space = addresses(context.addressLimit);

  const cspace = calls.create("cspace");
  calls.cspace_configure({ cspace, max_caps: PRIMARY_MAX_CAPS });
  calls.object_activate({ cap: cspace });

  // The boot core's vCPU comes first, the others follow once the address space and the VPM group
  // exist.
  const root = createVcpu(context, cspace, resources.boot_core);
  const memory = context.sparseExtent("memory");
  const device = context.sparseExtent("device");
  const { addrspace, infoPage } = createAddressSpace(context, space);
  calls.addrspace_attach_thread({ addrspace, thread: root });
  const vpmGroup = calls.create("vpm_group");
  calls.object_activate({ cap: vpmGroup });
  calls.vpm_group_attach_vcpu({ vpm_group: vpmGroup, vcpu: root, index: resources.boot_core });

  const cores = Array.from({ length: context.cores }, (_, core) => core).filter((core) => resources.usable_cores >>> core & 1);
  const secondaries = cores.filter((core) => core !== resources.boot_core).map((core) => {
    const cap = createVcpu(context, cspace, core);
    calls.addrspace_attach_thread({ addrspace, thread: cap });
    calls.vpm_group_attach_vcpu({ vpm_group: vpmGroup, vcpu: cap, index: core });
    return { core, cap };
  });
  const all = [{ core: resources.boot_core, cap: root }, ...secondaries].sort((a, b) => a.core - b.core);
  const { vic, hasIts } = createVic(context);
  for (const { core, cap } of all) calls.vic_attach_vcpu({ vic, vcpu: cap, index: core });

  // Secondaries become active before the boot vCPU, so that they are there when it powers them on.
  const vcpus: VmVcpu[] = [];
  for (const { core, cap } of [...secondaries, { core: resources.boot_core, cap: root }]) {
    calls.object_activate({ cap });
    vcpus.push(bindHalt(context, core, cap));
  }
  vcpus.sort((a, b) => a.affinityIndex - b.affinityIndex);

  const objects = { cspace, memory, device, addrspace, infoPage, lowPages: [], vic, vpmGroup, vcpus };
  bindHardwareIrqs(context, vic);
  const made = createPrimaryLink(context, allocated.virqs, objects);
  attachGic(context, addrspace, vic, hasIts);
  giveMemory(context, space, objects);
  const [own] = context.objectsOf(Vmid.ResourceManager).vcpus;
  own.ownerCap = calls.copyCap(own.cap, cspace, ThreadRight.Affinity);
  exposeLog(context, addrspace);
  patchPrimaryDevicetree(context, objects, made);
  return {
    ...allocated,
    state: VmState.Running,
    name: "HLOS",
    image: undefined,
    config: undefined,
    objects,
    addresses: space,
    direct: true,
    link: made.link,
  };
}

/** Powers on the boot vCPU. */
export function startPrimaryVm(context: Context, { objects }: FirstVm): void {
  const { entry_hlos, hlos_dt_base } = context.resources;
  for (const { cap, boots } of objects.vcpus) {
    if (boots) context.calls.vcpu_poweron({ cap, entry_point: entry_hlos, context: hlos_dt_base, flags: 0 });
  }
}

function createVcpu(context: Context, cspace: CapId, core: number): CapId {
  const { calls, resources } = context;
  const cap = calls.create("thread");
  const sve = resources.sve_supported ? VcpuOption.SveAllowed : 0n;
  calls.vcpu_configure({ cap, vcpu_options: VcpuOption.HlosVm | VcpuOption.Critical | VcpuOption.Pinned | sve });
  calls.vcpu_set_affinity({ cap, affinity: core });
  calls.vcpu_set_priority({ cap, priority: PRIORITY });
  calls.vcpu_set_timeslice({ cap, timeslice: TIMESLICE });
  calls.cspace_attach_thread({ cspace, thread: cap });
  return cap;
}

function createAddressSpace(context: Context, space: Addresses): { addrspace: CapId; infoPage: NonNullable<VmObjects["infoPage"]> } {
  const { calls } = context;
  const addrspace = calls.create("addrspace");
  calls.addrspace_configure({ addrspace, vmid: Vmid.Hlos });
  const heapOffset = context.allocatePage();
  const extent = context.ownPages(heapOffset, PAGE_SIZE);
  calls.addrspace_configure_info_area({ addrspace, info_area_me: extent, ipa: VIRTIO_WINDOW.base });
  calls.object_activate({ cap: addrspace });
  calls.addrspace_map({
    addrspace,
    memextent: extent,
    vbase: VIRTIO_WINDOW.base,
    map_attrs: READ_ONLY,
    map_flags: MapFlags.NoSync,
    offset: 0,
    size: 0,
  });
  takeRange(space, { base: VIRTIO_WINDOW.base, size: PAGE_SIZE });
  return { addrspace, infoPage: { extent, ipa: VIRTIO_WINDOW.base, heapOffset } };
}

function createVic(context: Context): { readonly vic: CapId; readonly hasIts: boolean } {
  const { calls } = context;
  const vic = calls.create("vic");
  const options = VicOption.MaxMsisValid | VicOption.DisableDefaultAddress;
  // Without an ITS the hypervisor refuses MSIs, and the VIC goes without.
  const hasIts = !(context.rules.vmMsis && context.rules.msi !== "its") && calls.try.vic_configure({
        vic,
        max_vcpus: context.cores,
        max_virqs: VIRQ_COUNT,
        vic_options: options,
        max_msis: MSI_COUNT,
      }).error === ErrorCode.OK;
  if (!hasIts) {
    calls.vic_configure({ vic, max_vcpus: context.cores, max_virqs: VIRQ_COUNT, vic_options: options, max_msis: 0 });
  }
  calls.object_activate({ cap: vic });
  return { vic, hasIts };
}

function bindHalt(context: Context, core: number, cap: CapId): VmVcpu {
  const vcpu = newVcpu(cap, core === context.resources.boot_core, core);
  vcpu.active = true;
  vcpu.haltVirq = context.allocateVirq();
  context.calls.vcpu_bind_virq({ vcpu: cap, vic: context.resources.vic, virq: vcpu.haltVirq, virq_type: VcpuVirqType.Halt });
  return vcpu;
}

/** Every available hardware interrupt belongs to the primary, under its own number. */
function bindHardwareIrqs(context: Context, vic: CapId): void {
  context.resources.vic_hwirq.forEach((cap, irq) => {
    if (cap !== NO_CAP) context.calls.hwirq_bind_virq({ hwirq: cap, vic, virq: irq });
  });
}

function createPrimaryLink(
  context: Context,
  virqs: Numbers,
  { cspace, vic }: FirstVm["objects"],
): NewLink & { txVirq: number; rxVirq: number } {
  const txVirq = VM_FIRST_VIRQ;
  const rxVirq = VM_FIRST_VIRQ + 1;
  takeNumber(virqs, txVirq);
  takeNumber(virqs, rxVirq);
  const target = { vmid: Vmid.Hlos, cspace, vic, txVirq, rxVirq, depth: LINK_DEPTH, messageSize: LINK_MESSAGE_SIZE };
  return { ...createLink(context, target), txVirq, rxVirq };
}

function attachGic(context: Context, addrspace: CapId, vic: CapId, hasIts: boolean): void {
  const { calls, resources } = context;
  const [base] = resources.gicr_ranges[0];
  calls.addrspace_attach_vdevice({ addrspace, vdevice: vic, index: 0, vbase: asIpa(resources.gicd_base), size: GICD_SIZE, flags: 0 });
  for (let core = 0; core < context.cores; core++) {
    const flags = core === context.cores - 1 ? VdeviceFlags.LastValid | VdeviceFlags.Last : VdeviceFlags.LastValid;
    calls.addrspace_attach_vdevice({
      addrspace,
      vdevice: vic,
      index: core + 1,
      vbase: asIpa(base + core * resources.gicr_stride),
      size: GICR_SIZE,
      flags,
    });
  }
  if (!hasIts) return;
  const vbase = asIpa(resources.gicd_base + GITS_OFFSET);
  calls.addrspace_attach_vdevice({ addrspace, vdevice: vic, index: context.cores + 1, vbase, size: GITS_SIZE, flags: 0 });
}

/**
 * RAM, IPA = PA, becomes the primary's own; devices are mapped from the hypervisor's extents and
 * stay what they are.
 */
function giveMemory(context: Context, space: Addresses, { addrspace, memory }: FirstVm["objects"]): void {
  const { calls, resources } = context;
  const { hlos_vm_base, hlos_vm_size: size } = resources;
  const base = asIpa(hlos_vm_base);
  const toChild = (DonateOptions.NoSync | DonateType.ToChild) >>> 0;
  calls.memextent_donate({ options: toChild, from: resources.partition_capid, to: context.state.memoryParent, offset: base, size });
  calls.memextent_donate({ options: toChild, from: context.state.memoryParent, to: memory, offset: base, size });
  calls.addrspace_map({ addrspace, memextent: memory, vbase: base, map_attrs: ALL_ACCESS, map_flags: PARTIAL, offset: base, size });
  calls.addrspace_map({
    addrspace,
    memextent: resources.device_me_capid,
    vbase: asIpa(resources.device_me_base),
    map_attrs: DEVICE_ACCESS,
    map_flags: MapFlags.NoSync,
    offset: 0,
    size: 0,
  });
  calls.addrspace_map({
    addrspace,
    memextent: resources.uart_me_capid,
    vbase: asIpa(resources.uart_address),
    map_attrs: DEVICE_ACCESS,
    map_flags: MapFlags.NoSync,
    offset: 0,
    size: 0,
  });
  takeRange(space, { base, size });
}

/** The log ring, read-only at its own address. */
function exposeLog(context: Context, addrspace: CapId): void {
  const { calls, environment } = context;
  const ipa = asIpa(environment.app_heap_ipa + LOG_OFFSET);
  const extent = context.ownPages(ipa - environment.resources.me_ipa_base, LOG_SIZE);
  calls.addrspace_map({ addrspace, memextent: extent, vbase: ipa, map_attrs: READ_ONLY, map_flags: MapFlags.NoSync, offset: 0, size: 0 });
}

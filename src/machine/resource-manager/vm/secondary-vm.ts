// Makes the hypervisor objects of a secondary VM: at VM_CONFIG_IMAGE its cspace and extents, at
// VM_INIT the rest (docs/spec/resource-manager.md §8.1 and §8.2, docs/spec/observed.md §8: the
// order of the calls).

import { asIpa, type CapId, type Ipa } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { AuthType } from "../../abi/rpc/messages/vm.ts";
import { AddrspaceRight, NewerAddrspaceRight, ThreadRight } from "../../abi/rights.ts";
import {
  CPU_INVALID,
  InfoOwner,
  MapFlags,
  VcpuOption,
  VcpuVirqType,
  VdeviceFlags,
  VicOption,
  VmmioOperation,
  VpmGroupFlags,
} from "../../abi/words.ts";
import { devicetreeSize, type NodePlace, readDevicetree } from "../../devicetree/reader.ts";
import { type Devicetree, type DevicetreeNode, findNode } from "../../devicetree/tree.ts";
import { type Addresses, addresses, allocateRange, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { addLowMemory } from "../memory/low-memory.ts";
import { ownerRanges, placedConfig, preparePaging } from "../memory/demand-paging.ts";
import { READ_ONLY } from "../state/mapping.ts";
import { SEND_BUFFER } from "../state/memory-layout.ts";
import { parcelOf } from "../memory/memparcels.ts";
import { allocateNumber } from "../state/numbers.ts";
import { withParcel } from "../memory/parcel-window.ts";
import { demand, Refusal, refuseAs } from "../calls/refusals.ts";
import {
  type BuiltVm,
  type ConfiguredVm,
  isSensitive,
  newVcpu,
  requireSecondary,
  type SecondaryVm,
  type VmObjects,
  type VmVcpu,
} from "../state/state.ts";
import { createVdevices } from "./vdevices.ts";
import { FIRST_RAM_ADDRESS, OWNER_PRIORITY, TIMESLICE_MAX, TIMESLICE_MIN } from "../config/limits.ts";
import { CONFIG_PATH, GICD_SIZE, GICR_SIZE, GITS_SIZE, readVmConfig, type VmConfig } from "../config/vm-config.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { numberedId, parcelId } from "../../abi/ids.ts";

const VM_MAX_CAPS = 1024;
const VIRQ_COUNT = 988;
/** LPIs of a VM whose devicetree has an ITS: as many as 14 INTID bits give. */
const VM_MSI_COUNT = 8192;
/** Device emulation of the VM's owner: accesses there end vcpu_run. */
const VMMIO_SIZE = FIRST_RAM_ADDRESS;
/** Proxy-scheduled vCPUs: the lowest priority and the shortest timeslice, ns. */
const PROXY_PRIORITY = 0;
const PROXY_TIMESLICE = 100_000;
/** Highest priority of any vCPU. */
const PRIORITY_MAX = 63;
/** MPIDR of vCPU i: affinity n is bits 8n+7:8n of i. */
const MPIDR_MASK = 0x7fff;
const GIC_ALIGNMENT = 0x1_0000;
/** Largest devicetree that is read, bytes. */
const DEVICETREE_MAX = 0x20_0000;

/** VM_CONFIG_IMAGE: a cspace, and extents for what the VM will own. */
export function createFirstObjects(context: Context): VmObjects {
  return context.allOrNothing((onFailure) => {
    const cspace = context.build("cspace", (cap) => context.calls.cspace_configure({ cspace: cap, max_caps: VM_MAX_CAPS }));
    onFailure(() => context.remove(cspace));
    const memory = context.sparseExtent("memory");
    onFailure(() => context.remove(memory));
    const device = context.sparseExtent("device");
    const none = { addrspace: undefined, infoPage: undefined, vic: undefined, vpmGroup: undefined };
    return { cspace, memory, device, ...none, lowPages: [], vcpus: [] };
  });
}

/**
 * Runs `step` with the tree that VM_CONFIG_IMAGE named, mapped at `ipa` in the Resource Manager
 * with room for `room` bytes.
 * @param section of the rules that the step applies to the tree.
 * @throws Refusal with MEM_INVALID without a tree
 */
export function withVmDevicetree<T>(
  context: Context,
  vm: ConfiguredVm | SecondaryVm,
  section: string,
  step: (tree: Devicetree, ipa: number, room: number) => T,
): T {
  const { image } = vm;
  const parcel = parcelOf(context, image.handle);
  const room = Math.min(image.dtSize, DEVICETREE_MAX);
  const { dtOffset, dtSize } = image;
  demand(dtOffset % PAGE_SIZE === 0 && dtSize % PAGE_SIZE === 0, RmError.MEM_INVALID, "the devicetree is whole pages", {
    dtOffset,
    dtSize,
  });
  return refuseAs(RmError.MEM_INVALID, "the devicetree cannot be mapped", () => {
    return withParcel(context, parcel, image.dtOffset, room, (ipa) => {
      const places = new Map<DevicetreeNode, NodePlace>();
      const tree = readTree(context, ipa, room, places);
      try {
        return step(tree, ipa, room);
      } catch (failure) {
        throw failure instanceof Refusal ? located(failure, vm, section, tree, places) : failure;
      }
    });
  });
}

/** A refusal of a VM's devicetree, with the VM and the place in its parcel. */
function located(
  { error, rule, values, about }: Refusal,
  vm: ConfiguredVm | SecondaryVm,
  section: string,
  { root }: Devicetree,
  places: ReadonlyMap<DevicetreeNode, NodePlace>,
): Refusal {
  const { path, property } = values;
  const node = typeof path === "string" ? findNode(root, path) : undefined;
  const place = node && places.get(node);
  const offset = place && (typeof property === "string" ? place.properties.get(property) ?? place.offset : place.offset);
  const { handle, dtOffset } = vm.image;
  const at = offset === undefined ? {} : { at: `${parcelId(handle)}+0x${(dtOffset + offset).toString(16)}` };
  return new Refusal(error, rule, { ...values, ...at }, { section, object: numberedId("vm", vm.vmid), wayOut: LINT, ...about });
}

/** The remedy for any devicetree that is refused. */
const LINT = "fix the devicetree; the command `vm lint` lists its defects with their offsets";

function readTree(context: Context, ipa: number, room: number, places: Map<DevicetreeNode, NodePlace>): Devicetree {
  const header = context.calls.vcpu.read(ipa, Math.min(room, PAGE_SIZE));
  const size = header && devicetreeSize(header);
  demand(size !== undefined, RmError.MEM_INVALID, "there is no devicetree at dt_offset", { room });
  demand(size <= room, RmError.MEM_INVALID, "the devicetree is larger than dt_size", { size, room });
  const bytes = context.calls.vcpu.read(ipa, size);
  demand(bytes !== undefined, RmError.MEM_INVALID, "the devicetree is not readable");
  const read = readDevicetree(bytes, places);
  if (read.ok) return read.tree;
  throw new Refusal(RmError.MEM_INVALID, `the devicetree is malformed: ${read.problem}`, { offset: read.offset });
}

/**
 * VM_INIT: everything but memory, as the devicetree defines it. Each object is recorded at once, so
 * that a reset finds it after a failure.
 */
export function createObjects(context: Context, vm: ConfiguredVm): void {
  const config = withVmDevicetree(context, vm, "7.2", ({ root }) => {
    const read = readVmConfig(root, context.addressLimit);
    checkConfig(context, read);
    return read;
  });
  const owner = context.built(vm.owner);
  const { objects } = vm;
  vm.config = placedConfig(vm, config);
  vm.name = config.name;
  vm.uri = config.uri;
  vm.guid = config.guid;

  const space = vm.addresses = addresses(context.addressLimit);
  const addrspace = createAddressSpace(context, vm, space);
  preparePaging(context, vm, owner, addrspace);
  addLowMemory(context, vm, space, addrspace);
  createVic(context, vm, config);
  requireSecondary(vm);
  if (config.psci) createVpmGroup(context, config, objects);
  config.vcpus.forEach(({ boots }, index) => {
    const vcpu = newVcpu(context.calls.create("thread"), boots, coresOf(config)?.[index] ?? index);
    objects.vcpus.push(vcpu);
    attachVcpu(context, vm, vcpu, index);
  });
  for (const vcpu of objects.vcpus) activateVcpu(context, owner, objects, config, vcpu);
  createVdevices(context, vm, owner);
  attachGic(context, vm);
}

/** The core of each vCPU; a proxy-scheduled VM's vCPUs have none. */
function coresOf({ affinity, affinityMap }: VmConfig): readonly number[] | undefined {
  return affinity === "proxy" ? undefined : affinityMap;
}

/**
 * Features that the platform denies an untrusted VM (§6.2, §6.4).
 * @throws Refusal
 */
function checkConfig(context: Context, config: VmConfig): void {
  const { crashFatal, trustedOnly, vcpus, priority, timeslice } = config;
  const untrusted = "only trusted configurations may have this, and this platform has none";
  const attribute = { path: CONFIG_PATH, property: "vm-attrs" };
  demand(!crashFatal, RmError.ARGUMENT_INVALID, untrusted, { ...attribute, attribute: "crash-fatal" }, { section: "6.2" });
  const trusted = { path: CONFIG_PATH, property: trustedOnly[0] };
  demand(trustedOnly.length === 0, RmError.ARGUMENT_INVALID, untrusted, trusted, { section: "6.2" });
  const { cores } = context;
  demand(vcpus.length <= cores, RmError.NORESOURCE, "the VM has more CPUs than the machine", {
    path: "/cpus",
    vcpus: vcpus.length,
    cores,
  });
  const affinityMap = coresOf(config);
  if (affinityMap === undefined) return;
  const of = (property: string, more: Readonly<Record<string, unknown>>) => ({ path: `${CONFIG_PATH}/vcpus`, property, ...more });
  const exist = affinityMap.every((core) => core < cores && context.resources.usable_cores >>> core & 1);
  demand(exist, RmError.ARGUMENT_INVALID, "affinity-map names a core that does not exist", of("affinity-map", { affinityMap, cores }), {
    section: "6.4",
    wayOut: `name cores below ${cores}`,
  });
  const about = { section: "6.4", wayOut: `sched-priority = <(-1)> or lower, down to -${OWNER_PRIORITY}, or affinity = "proxy"` };
  const absolute = OWNER_PRIORITY + priority;
  const values = of("sched-priority", { given: priority, absolute, owner: OWNER_PRIORITY });
  demand(absolute >= 0 && absolute <= PRIORITY_MAX, RmError.ARGUMENT_INVALID, "the priority is out of range", values, about);
  demand(priority < 0, RmError.NORESOURCE, "an untrusted VM runs below its owner", values, about);
  const ns = timeslice * 1000;
  const inRange = ns >= TIMESLICE_MIN && ns <= TIMESLICE_MAX;
  demand(inRange, RmError.NORESOURCE, "sched-timeslice is out of range", of("sched-timeslice", { given: timeslice }), {
    section: "6.4",
    wayOut: `sched-timeslice in microseconds, ${TIMESLICE_MIN / 1000}..${TIMESLICE_MAX / 1000}`,
  });
}

/** The root VM's entry with the capability to the VM's address space: id, and bytes. */
const ADDRSPACE_ENTRY_ID = 0;
const ADDRSPACE_ENTRY_SIZE = 16;
const ENTRY_ALIGNMENT = 8n;

function createAddressSpace(context: Context, vm: ConfiguredVm, space: Addresses): CapId {
  const { calls } = context;
  const { objects } = vm;
  takeRange(space, { base: asIpa(0), size: VMMIO_SIZE });
  const addrspace = objects.addrspace = calls.create("addrspace");
  calls.addrspace_configure({ addrspace, vmid: vm.vmid });
  for (const range of ownerRanges(vm)) space.reserved.push(range);
  const ipa = allocateRange(space, PAGE_SIZE, PAGE_SIZE);
  demand(ipa !== undefined, RmError.NORESOURCE, "no address is free for the info area");
  const extent = context.allOrNothing((onFailure) => {
    const heapOffset = context.allocatePage();
    onFailure(() => context.freePage(heapOffset));
    const page = context.ownPages(heapOffset, PAGE_SIZE);
    objects.infoPage = { extent: page, ipa, heapOffset };
    return page;
  });
  calls.addrspace_configure_info_area({ addrspace, info_area_me: extent, ipa });
  if (vm.authType !== AuthType.Platform) {
    calls.addrspace_configure_vmmio({ addrspace, vbase: asIpa(0), size: VMMIO_SIZE, op: VmmioOperation.Add });
  }
  calls.object_activate({ cap: addrspace });
  calls.addrspace_map({ addrspace, memextent: extent, vbase: ipa, map_attrs: READ_ONLY, map_flags: MapFlags.NoSync, offset: 0, size: 0 });
  if (context.rules.abi === "newer") nameAddressSpace(context, addrspace, objects.cspace);
  return addrspace;
}

/** Entry of the info area with the VM's address space (docs/spec/hypervisor.md §4.14). */
function nameAddressSpace(context: Context, addrspace: CapId, cspace: CapId): void {
  const { calls, environment } = context;
  const rights = AddrspaceRight.AddVmmioRange | NewerAddrspaceRight.ModifyProtected;
  const cap = calls.copyCap(addrspace, cspace, rights);
  const entry = new DataView(new ArrayBuffer(ADDRSPACE_ENTRY_SIZE));
  entry.setBigUint64(0, cap, true);
  entry.setUint32(8, rights, true);
  const data = environment.app_heap_ipa + SEND_BUFFER;
  calls.vcpu.write(data, new Uint8Array(entry.buffer));
  calls.addrspace_info_area_add_entry({
    addrspace,
    type: InfoOwner.RootVm << 16 | ADDRSPACE_ENTRY_ID,
    data,
    data_info: BigInt(ADDRSPACE_ENTRY_SIZE) | ENTRY_ALIGNMENT << 32n,
  });
}

function createVic(context: Context, { authType, objects }: ConfiguredVm, config: VmConfig): void {
  const { calls } = context;
  const vic = objects.vic = calls.create("vic");
  const options = VicOption.MaxMsisValid | VicOption.DisableDefaultAddress;
  const configure = (max_msis: number) => ({
    vic,
    max_vcpus: context.cores,
    max_virqs: VIRQ_COUNT,
    vic_options: options,
    max_msis,
  });
  // Where the hypervisor has no LPIs, the VM finds none in GICD_TYPER.
  const asks = config.gic?.its !== undefined && context.rules.vmMsis === true;
  calls.vic_configure(configure(asks ? VM_MSI_COUNT : 0));
  if (authType !== AuthType.Platform) {
    calls.vgic_set_mpidr_mapping({ vic, mask: MPIDR_MASK, aff0_shift: 0, aff1_shift: 8, aff2_shift: 16, aff3_shift: 24, mt: false });
  }
  calls.object_activate({ cap: vic });
}

function createVpmGroup(context: Context, config: VmConfig, objects: VmObjects): void {
  const { calls } = context;
  const group = objects.vpmGroup = calls.create("vpm_group");
  // A hypervisor without the option aggregates, which proxy scheduling can live with.
  if (config.affinity === "proxy") calls.try.vpm_group_configure({ vpm_group: group, flags: VpmGroupFlags.NoAggregation });
  calls.object_activate({ cap: group });
}

function attachVcpu(context: Context, vm: SecondaryVm, { cap, affinityIndex }: VmVcpu, index: number): void {
  const { calls } = context;
  const { config, objects } = vm;
  const proxy = config.affinity === "proxy";
  calls.vcpu_set_affinity({ cap, affinity: proxy ? CPU_INVALID : affinityIndex });
  calls.vcpu_set_priority({ cap, priority: proxy ? PROXY_PRIORITY : OWNER_PRIORITY + config.priority });
  calls.vcpu_set_timeslice({ cap, timeslice: proxy ? PROXY_TIMESLICE : config.timeslice * 1000 });
  calls.cspace_attach_thread({ cspace: objects.cspace, thread: cap });
  calls.addrspace_attach_thread({ addrspace: objects.addrspace, thread: cap });
  if (objects.vpmGroup !== undefined) calls.vpm_group_attach_vcpu({ vpm_group: objects.vpmGroup, vcpu: cap, index });
  calls.vic_attach_vcpu({ vic: objects.vic, vcpu: cap, index });
  const pinned = config.affinity === "pinned" ? VcpuOption.Pinned : 0n;
  const quiet = config.amuCountingDisabled || isSensitive(vm) ? VcpuOption.AmuCountingDisabled : 0n;
  const ras = config.rasErrorHandler ? VcpuOption.RasErrorHandler : 0n;
  const kept = proxy && config.noTimerWakeups && context.rules.abi === "newer" ? VcpuOption.NoTimerWakeups : 0n;
  const options = (proxy ? VcpuOption.VcpuRunScheduled : pinned) | quiet | ras | kept;
  if (options !== 0n) calls.vcpu_configure({ cap, vcpu_options: options });
}

function activateVcpu(context: Context, owner: BuiltVm, objects: VmObjects, config: VmConfig, vcpu: VmVcpu): void {
  const { calls, resources } = context;
  calls.object_activate({ cap: vcpu.cap });
  vcpu.active = true;
  const haltVirq = vcpu.haltVirq = context.allocateVirq();
  calls.vcpu_bind_virq({ vcpu: vcpu.cap, vic: resources.vic, virq: haltVirq, virq_type: VcpuVirqType.Halt });
  vcpu.ownerCap = calls.copyCap(vcpu.cap, owner.objects.cspace, ThreadRight.Affinity | ThreadRight.YieldTo);
  if (objects.vpmGroup === undefined) vcpu.selfCap = calls.copyCap(vcpu.cap, objects.cspace, ThreadRight.Power);
  if (config.affinity !== "proxy") return;
  const virq = allocateNumber(owner.virqs);
  demand(virq !== undefined, RmError.NORESOURCE, "the owner has no vIRQ left", { owner: owner.vmid });
  vcpu.wakeupVirq = virq;
  calls.vcpu_bind_virq({ vcpu: vcpu.cap, vic: owner.objects.vic, virq, virq_type: VcpuVirqType.VcpuRunWakeup });
}

/**
 * Distributor and redistributors where the devicetree has them, else at the lowest free addresses.
 */
function attachGic(context: Context, vm: SecondaryVm): void {
  const { addresses, config: { gic, vcpus }, objects: { addrspace, vic: vdevice } } = vm;
  if (gic === undefined) return;
  const { calls } = context;
  const { gicd, gicr } = vm.gic = gic.frames ?? placeGic(addresses, gic.stride * vcpus.length);
  calls.addrspace_attach_vdevice({
    addrspace,
    vdevice,
    index: 0,
    vbase: gicd,
    size: GICD_SIZE,
    flags: 0,
  });
  vcpus.forEach((_, index) => {
    const last = index === vcpus.length - 1 ? VdeviceFlags.Last : 0n;
    const base = asIpa(gicr + index * gic.stride);
    calls.addrspace_attach_vdevice({
      addrspace,
      vdevice,
      index: index + 1,
      vbase: base,
      size: GICR_SIZE,
      flags: VdeviceFlags.LastValid | last,
    });
  });
  if (gic.its === undefined || !context.rules.vmMsis) return;
  calls.addrspace_attach_vdevice({
    addrspace,
    vdevice,
    index: context.cores + 1,
    vbase: gic.its,
    size: GITS_SIZE,
    flags: 0,
  });
}

function placeGic(space: Addresses, redistributors: number): { gicd: Ipa; gicr: Ipa } {
  const gicd = allocateRange(space, GICD_SIZE, GIC_ALIGNMENT);
  const gicr = allocateRange(space, redistributors, GIC_ALIGNMENT);
  demand(gicd !== undefined && gicr !== undefined, RmError.NORESOURCE, "there is no address for the GIC");
  return { gicd, gicr };
}

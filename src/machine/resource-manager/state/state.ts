// The Resource Manager's state: plain data, saved and restored in this form
// (docs/spec/resource-manager.md §4 to §6). Capabilities are ids in the root cspace unless said
// otherwise; addresses and sizes are bytes.

import { asCapId, type CapId, type Ipa, type Pa } from "../../abi/numbers.ts";
import type { RootEnvironment } from "../../abi/root-environment.ts";
import { AuthType, Vmid, VmState } from "../../abi/rpc/messages/vm.ts";
import type { PartialMessage, RpcMessage } from "../../abi/rpc/packet.ts";
import type { Addresses, AddressRange } from "./addresses.ts";
import { type Numbers, numbers, RM_FIRST_VIRQ, RM_LAST_VIRQ, VM_FIRST_VIRQ, VM_LAST_VIRQ } from "./numbers.ts";
import type { VdeviceConfig } from "../config/vdevice-config.ts";
import type { VmConfig } from "../config/vm-config.ts";

/** A vCPU of a VM, complete or still being created. */
export interface VmVcpu {
  readonly cap: CapId;
  active: boolean;
  /** The owner's capability, in the owner's cspace; undefined for the primary's vCPUs. */
  ownerCap: CapId | undefined;
  /** The VM's own capability, in its cspace: only without PSCI. */
  selfCap: CapId | undefined;
  /** vIRQ of the Resource Manager's VIC that signals that the vCPU halted. */
  haltVirq: number | undefined;
  /** vIRQ of the owner's VIC that asks for `vcpu_run`; undefined when not proxy-scheduled. */
  wakeupVirq: number | undefined;
  /** Starts with the VM. */
  readonly boots: boolean;
  /** Its index in VM_GET_HYP_RESOURCES. */
  readonly affinityIndex: number;
}

/** A vCPU that has just been created. */
export function newVcpu(cap: CapId, boots: boolean, affinityIndex: number): VmVcpu {
  const none = { ownerCap: undefined, selfCap: undefined, haltVirq: undefined, wakeupVirq: undefined };
  return { cap, active: false, ...none, boots, affinityIndex };
}

/** Hypervisor objects of a VM, complete or still being created. */
export interface VmObjects {
  readonly cspace: CapId;
  /** The VM's own memory: sparse extents, offset 0 = physical address 0. */
  readonly memory: CapId;
  /** The VM's own device memory: offset 0 = the device extent's first byte. */
  readonly device: CapId;
  addrspace: CapId | undefined;
  infoPage: { readonly extent: CapId; readonly ipa: Ipa; readonly heapOffset: number } | undefined;
  /** Pages below its RAM, in a row. */
  readonly lowPages: { readonly extent: CapId; readonly ipa: Ipa; readonly heapOffset: number }[];
  vic: CapId | undefined;
  vpmGroup: CapId | undefined;
  readonly vcpus: VmVcpu[];
}

/** A message queue or doorbell between a VM and its peer, complete or still being created. */
export interface SharedObject {
  readonly kind: "doorbell" | "msgqueue";
  readonly cap: CapId;
  readonly ends: VdeviceEnd[];
  /** Deleted: if two vdevices share the object, the other one must not delete it again. */
  gone: boolean;
}

/** One end of a shared object. */
export interface VdeviceEnd {
  readonly vmid: Vmid;
  /** Sends or rings; receives or is rung. */
  readonly role: "send" | "receive";
  /** Capability in that VM's cspace. */
  readonly cap: CapId;
  /** vIRQ of that VM's VIC; undefined if the end has none. */
  readonly virq: number | undefined;
  /** The vIRQ is edge-triggered, as the devicetree says. */
  readonly edge: boolean;
}

/** A virtual device of a VM, complete or still being created. */
export interface Vdevice {
  readonly config: VdeviceConfig;
  /** qcom,vdevice-handle: equal at both ends of shared objects; 0 for none. */
  handle: number;
  /** The VM at the other end; undefined until it has been created. */
  peer: number | undefined;
  /** If both ends are vdevices, they share these objects. */
  readonly objects: SharedObject[];
  virtio: VmVirtioMmio | undefined;
  /** vIRQs that were taken for it, even if its creation failed later. */
  readonly virqs: { readonly vmid: Vmid; readonly virq: number }[];
}

/**
 * The device of a virtio-mmio vdevice: a page that the VM reads and its backend, another VM,
 * writes.
 */
export interface VmVirtioMmio {
  readonly cap: CapId;
  /** The page, from the Resource Manager's heap. */
  readonly extent: CapId;
  readonly heapOffset: number;
  readonly frontend: { readonly ipa: Ipa; readonly virq: number; readonly edge: boolean };
  readonly backend: { readonly vmid: Vmid; readonly ipa: Ipa; readonly cap: CapId; readonly virq: number };
}

/** Where VM_CONFIG_IMAGE says the image and the devicetree are: offsets in the parcel. */
interface VmImagePlace {
  readonly handle: number;
  readonly imageOffset: number;
  readonly imageSize: number;
  readonly dtOffset: number;
  readonly dtSize: number;
}

/** Location of a protected VM's firmware: in a parcel, and in the VM once it starts. */
export interface FirmwarePlace {
  readonly handle: number;
  readonly offset: number;
  readonly size: number;
  ipa: Ipa;
}

/** The RPC link of a VM (§1). */
export interface Link {
  readonly vmid: Vmid;
  /** The queue that the VM sends to, and the one that it receives from. */
  readonly receiveQueue: CapId;
  readonly sendQueue: CapId;
  /** vIRQs of the Resource Manager's VIC. */
  readonly receiveVirq: number;
  readonly sendVirq: number;
  partial: PartialMessage | undefined;
  /** Packets of the message in transmission that the queue has not taken yet. */
  packets: Uint8Array[];
  readonly replies: RpcMessage[];
  readonly notifications: RpcMessage[];
}

/** The console that a VM has through the Resource Manager: which sides are open. */
export interface RmConsole {
  vmOpen: boolean;
  ownerOpen: boolean;
}

/** Steps of a reset, one event each (§4.4). */
export type ResetStage = "destroy-vdevices" | "release-parcels" | "release-irqs" | "destroy-vm" | "cleanup-vm" | "completed";

/**
 * A capability that the owner of a demand-paged VM has, in the owner's cspace, as
 * VM_GET_HYP_RESOURCES names it.
 */
export interface OwnerCap {
  readonly type: number;
  readonly label: number;
  readonly cap: CapId;
}

/** A VM while it is made or taken apart: a field may be missing in any state. */
export interface VmRecord {
  readonly vmid: Vmid;
  readonly owner: Vmid;
  state: VmState;
  osState: number;
  appStatus: number;
  name: string;
  uri: string;
  guid: Uint8Array;
  crashMessage: Uint8Array | undefined;
  peers: Vmid[];
  /** auth_type of VM_CONFIG_IMAGE. */
  authType: number;
  image: VmImagePlace | undefined;
  /** Private memory from the configuration's base address upward, bytes. */
  memorySize: number;
  /** Addresses of the GIC's frames. */
  gic: { readonly gicd: Ipa; readonly gicr: Ipa } | undefined;
  firmware: FirmwarePlace | undefined;
  /** The places of parcels, from VM_SET_ADDRESS_LAYOUT. */
  layout: { readonly image?: AddressRange; readonly firmware?: AddressRange };
  /** Addresses that the owner fills itself, in ascending order; what VM_INIT made for that. */
  paging: { readonly ranges: readonly AddressRange[]; sharedExtent: CapId | undefined; readonly caps: OwnerCap[] } | undefined;
  /** Registers of the boot vCPUs that VM_SET_BOOT_CONTEXT set: PC, and X0. */
  bootContext: { readonly entry: boolean; readonly context: boolean };
  config: VmConfig | undefined;
  objects: VmObjects | undefined;
  addresses: Addresses | undefined;
  /** Mapped only where IPA = PA. */
  direct: boolean;
  virqs: Numbers;
  vdevices: Vdevice[];
  /** Handles of the parcels that it has accepted, in that order. */
  accepted: number[];
  link: Link | undefined;
  console: RmConsole | undefined;
  reset: ResetStage | undefined;
}

/** Nothing but an id: VM_ALLOCATE has just made it, or VM_RESET has removed the rest. */
interface AllocatedVm extends VmRecord {
  state: typeof VmState.Load | typeof VmState.Reset;
}

/** VM_CONFIG_IMAGE has named its image, and made what its memory belongs to. */
export interface ConfiguredVm extends VmRecord {
  state: typeof VmState.Auth | typeof VmState.Init;
  image: VmImagePlace;
  objects: VmObjects;
}

/** It has an address space and a VIC. */
export interface BuiltVm extends VmRecord {
  objects: VmObjects & { addrspace: CapId; vic: CapId };
  addresses: Addresses;
}

/** VM_INIT has made all or most of its objects, as its devicetree says. */
export interface SecondaryVm extends BuiltVm {
  image: VmImagePlace;
  config: VmConfig;
}

/** VM_INIT has made all of it, and VM_RESET has not begun. */
export interface PreparedVm extends SecondaryVm {
  state: typeof VmState.Ready | typeof VmState.Running | typeof VmState.Paused | typeof VmState.Exited;
}

/** The primary VM and the Resource Manager, which no request makes. */
export interface FirstVm extends BuiltVm {
  state: typeof VmState.Running;
  image: undefined;
  config: undefined;
}

/** A request of its configuration has failed, or VM_RESET takes it apart. */
interface BrokenVm extends VmRecord {
  state: typeof VmState.InitFailed | typeof VmState.Resetting;
}

/** A VM, by its state (§4.1). */
export type Vm = AllocatedVm | ConfiguredVm | PreparedVm | FirstVm | BrokenVm;

/** Whether a VM has all that its state says. */
export function isWhole(vm: VmRecord): vm is Vm {
  switch (vm.state) {
    case VmState.Load:
    case VmState.Reset:
    case VmState.InitFailed:
    case VmState.Resetting:
      return true;
    case VmState.Auth:
    case VmState.Init:
      return vm.image !== undefined && vm.objects !== undefined;
    case VmState.Ready:
    case VmState.Paused:
    case VmState.Exited:
      return isSecondary(vm);
    case VmState.Running:
      return isBuilt(vm) && (vm.config === undefined) === (vm.image === undefined);
    case VmState.None:
      return false;
  }
}

function isBuilt(vm: VmRecord): vm is BuiltVm {
  return vm.objects?.addrspace !== undefined && vm.objects.vic !== undefined && vm.addresses !== undefined;
}

function isSecondary(vm: VmRecord): vm is SecondaryVm {
  return isBuilt(vm) && vm.config !== undefined && vm.image !== undefined;
}

/** @throws Error unless the VM has an address space and a VIC. */
export function requireBuilt(vm: VmRecord): asserts vm is BuiltVm {
  if (!isBuilt(vm)) throw new Error(`VM ${vm.vmid} has no address space or no VIC`);
}

/** @throws Error unless VM_INIT has made the VM's address space and VIC. */
export function requireSecondary(vm: VmRecord): asserts vm is SecondaryVm {
  if (!isSecondary(vm)) throw new Error(`VM ${vm.vmid} has no configuration, address space or VIC`);
}

/** A VM that has just been allocated. */
export function newVm(vmid: Vmid, owner: Vmid): AllocatedVm {
  return {
    vmid,
    owner,
    state: VmState.Load,
    osState: 0,
    appStatus: 0,
    name: "",
    uri: "",
    guid: new Uint8Array(16),
    crashMessage: undefined,
    peers: [],
    authType: 0,
    image: undefined,
    memorySize: 0,
    gic: undefined,
    firmware: undefined,
    layout: {},
    paging: undefined,
    bootContext: { entry: false, context: false },
    config: undefined,
    objects: undefined,
    addresses: undefined,
    direct: false,
    virqs: numbers(VM_FIRST_VIRQ, VM_LAST_VIRQ),
    vdevices: [],
    accepted: [],
    link: undefined,
    console: undefined,
    reset: undefined,
  };
}

/** One physically contiguous piece of a parcel. */
export interface ParcelRegion {
  readonly ownerIpa: Ipa;
  /** Offset in the parcel's extent, which begins at physical address 0. */
  readonly offset: Pa;
  readonly size: number;
}

/** A VM of a parcel's ACL. */
export interface Borrower {
  readonly vmid: Vmid;
  readonly rights: number;
  readonly attribute: number;
  /** It has accepted at least a part. */
  accepted: boolean;
  /** It has released what it had accepted, or was removed. */
  gone: boolean;
  mapped: boolean;
  /** IPAs of the regions that have one, in the order of the regions. */
  ipas: Ipa[];
  contiguous: boolean;
}

/** A memory parcel (§5). */
export interface Parcel {
  readonly handle: number;
  owner: Vmid;
  readonly memType: number;
  readonly transType: number;
  label: number;
  /** Still open for MEM_APPEND. */
  open: boolean;
  /** Made with SANITIZE. */
  readonly sanitizedAtCreate: boolean;
  /** A request asked to zero the memory before it is returned. */
  sanitizeAtReclaim: boolean;
  memInfoTag: number | undefined;
  readonly extent: CapId;
  /** The ACL without the owner, in its order, and the ACL and attributes as they were given. */
  readonly borrowers: Borrower[];
  readonly acl: readonly { readonly vmid: Vmid; readonly rights: number }[];
  readonly attributes: readonly { readonly attribute: number; readonly vmid: Vmid }[];
  readonly regions: ParcelRegion[];
}

/** A parcel that the VM has, and where. */
export interface PlacedParcel {
  readonly parcel: Parcel;
  readonly ranges: readonly AddressRange[];
  /**
   * Private memory, with the image; a buffer, with a node under /reserved-memory; a firmware
   * parcel; device memory of an iomem vdevice.
   */
  readonly kind: "private" | "shared" | "firmware" | "iomem";
}

/** A VM of a set, with what it may do there: bits of `Access`. */
export interface AssignedVm {
  /** A VMID, or the id under which the platform's firmware keeps several VMs. */
  readonly vmid: number;
  readonly rights: number;
}

/** Physical memory, bytes. */
export interface PhysicalRange {
  readonly base: Pa;
  readonly size: number;
}

/** Memory that is not the primary's alone: plain data, ascending, without overlaps. */
export interface AssignedRange extends PhysicalRange {
  readonly vms: readonly AssignedVm[];
}

/** A hardware interrupt that is lent (§3.13). */
export interface IrqLoan {
  readonly handle: number;
  readonly irq: number;
  readonly owner: Vmid;
  borrower: Vmid;
  readonly label: number;
  accepted: boolean;
}

/** A VM that is being ended: its vCPUs are killed one after the other (§4.4). */
export interface PendingExit {
  readonly vmid: Vmid;
  /** exit_type and exit_reason of VM_EXITED; undefined when a reset ends it. */
  readonly exited: { readonly type: number; readonly reason: Uint8Array } | undefined;
  /** The request that waits for the end. */
  readonly request: { readonly vmid: Vmid; readonly sequence: number; readonly id: number } | undefined;
  /** Index of the vCPU whose end is awaited. */
  vcpu: number;
}

/** Everything that the Resource Manager knows. */
export interface RmState {
  environment: RootEnvironment | undefined;
  /**
   * All memory that VMs get comes from this extent, and all device memory from the hypervisor's
   * device extent.
   */
  memoryParent: CapId;
  readonly vms: Vm[];
  /** RM's own vIRQs. */
  readonly virqs: Numbers;
  /** Pages of RM's heap that are in use: offsets in RM's memory. */
  readonly heapPages: Set<number>;
  readonly parcels: Parcel[];
  /** Memory that the platform's firmware has assigned to others than the primary. */
  readonly assigned: AssignedRange[];
  /** Handles of parcels. */
  nextHandle: number;
  nextVdeviceHandle: number;
  readonly loans: IrqLoan[];
  /** A loan's handle is this plus the interrupt's number. */
  irqHandleBase: number;
  /** Counts attempts to send a notification; 16 bits. */
  notificationSequence: number;
  /** VMs that are being ended, the first of them now. */
  readonly exits: PendingExit[];
  /** Inside vcpu_run for the first of `exits`. */
  running: boolean;
  /** The firmware image of protected VMs, as mapped in the Resource Manager. */
  firmware: { readonly ipa: Ipa; readonly size: number } | undefined;
  /** FW_MILESTONE was sent. */
  firmwareLocked: boolean;
  /** When the timer fires, virtual ns. */
  wakeAt: number | undefined;
  /** Requests that a fault rule delays: the end of the delay, virtual ns, and the VM. */
  readonly delayed: { readonly at: number; readonly vmid: Vmid; readonly message: RpcMessage }[];
  /** State of the generator that replaces prng_get_entropy at its limit. */
  entropy: bigint;
}

/** State before the boot. */
export function newState(): RmState {
  return {
    environment: undefined,
    memoryParent: asCapId(0n),
    vms: [],
    virqs: numbers(RM_FIRST_VIRQ, RM_LAST_VIRQ),
    heapPages: new Set(),
    parcels: [],
    assigned: [],
    nextHandle: 0,
    nextVdeviceHandle: 0,
    loans: [],
    irqHandleBase: 0,
    notificationSequence: 0,
    exits: [],
    running: false,
    firmware: undefined,
    firmwareLocked: false,
    wakeAt: undefined,
    delayed: [],
    entropy: 0n,
  };
}

/** Whether a VM's memory is secret from its owner: by its kind, or by its configuration. */
export function isSensitive(vm: VmRecord): boolean {
  return vm.authType === AuthType.Android || vm.config?.sensitive === true;
}

/** VMIDs of platform VMs: allocated only by number, valid in ACLs in any case (§6.1). */
export function isPlatformVmid(vmid: number): boolean {
  return vmid >= 4 && vmid <= 31;
}

/** VMIDs that may be in an ACL. */
export function isKnownVmid(state: RmState, vmid: number): boolean {
  return vmid === Vmid.Hlos || vmid === Vmid.ResourceManager || isPlatformVmid(vmid) || findVm(state, vmid) !== undefined;
}

export function findVm(state: RmState, vmid: number): Vm | undefined {
  return state.vms.find((vm) => vm.vmid === vmid);
}

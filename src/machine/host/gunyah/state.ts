// State of VMs in the driver of /dev/gunyah: plain data, so that a host can be saved between two
// events (docs/spec/vm-manager.md §5 to §11).

import { asVmid, type CapId, type Ipa, type Vmid } from "../../abi/numbers.ts";
import type { StartStep, TeardownStep, VmPersonaName } from "../../abi/ioctl/personas.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import type { Pinned } from "../kernel/memory.ts";

/**
 * Life of a VM in the driver. `none` until START or, in v6 and v9, CREATE_VM; `gone` once nothing
 * refers to it.
 */
type VmStatus = "none" | "load" | "ready" | "running" | "exited" | "init-failed" | "reset";

/**
 * User memory that belongs to a VM. Addresses and sizes in bytes; guest addresses are 64 bits wide.
 */
export interface Region {
  label: number;
  flags: number;
  lent: boolean;
  guestAddress: bigint;
  size: bigint;
  pinned: Pinned;
  /** Address space that the pages are accounted to. */
  space: number;
  /** Pages that count against its limit. */
  locked: number;
  /** Handle of its parcel. */
  handle: number | undefined;
}

/**
 * Where pages of a VM will come from when they are needed: a part of a guest memfd (v17), or user
 * memory. Sizes and offsets in bytes.
 */
export interface Binding {
  guestAddress: bigint;
  size: bigint;
  /** The flags of the call that made it. */
  readonly flags: number;
  readonly lent: boolean;
  /** The guest may execute its pages. */
  readonly executable: boolean;
  readonly source: { readonly kind: "memfd"; readonly object: number; offset: number } | {
    readonly kind: "user";
    readonly address: bigint;
  };
}

/** Pages that a VM has by hypercalls. */
export interface GivenPages {
  /** IPA of the first in the host. */
  readonly ipa: Ipa;
  readonly count: number;
  readonly guestAddress: bigint;
  /** The host has them too. */
  readonly shared: boolean;
}

/** Pages that START gives as a separate parcel, for the time of START. */
export interface RangeParcel {
  /** Where it begins in the guest. */
  readonly guestAddress: bigint;
  readonly pinned: Pinned;
  /** The VM's rights to it: bits of `Access`. */
  readonly rights: number;
  handle: number | undefined;
}

/** A hypervisor object that the Resource Manager lists for the host. */
export interface Resource {
  readonly type: number;
  readonly label: number;
  readonly cap: CapId;
  /** INTID, 0 for none. */
  readonly virq: number;
  /** IPA of its page in the host, 0 for none. */
  readonly base: number;
  /** Its vIRQ came while no task waited for it. */
  signalled: boolean;
  /** Index of the host vCPU that its vIRQ goes to. */
  readonly runner: number;
}

export interface Irqfd {
  /** Open file and id of the eventfd. */
  readonly file: number;
  readonly eventfd: number;
  readonly label: number;
  readonly level: boolean;
  /** The bytes that ADD_FUNCTION got. */
  readonly argument: readonly number[];
  /** Capability of the doorbell, once there is one. */
  cap: CapId | undefined;
}

export interface Ioeventfd {
  readonly file: number;
  readonly eventfd: number;
  readonly address: bigint;
  /** 0 takes any length. */
  readonly length: number;
  readonly datamatch: bigint | undefined;
  /** The bytes that ADD_FUNCTION got. */
  readonly argument: readonly number[];
}

/** The event that a vCPU waits for inside RUN. */
type VcpuPhase =
  /** No task is in RUN. */
  | "idle"
  /** In the queue of its host vCPU. */
  | "ready"
  /** Inside vcpu_run. */
  | "inside"
  /** Until its vIRQ. */
  | "waiting"
  /** Until the Resource Manager says that the VM has exited. */
  | "ending";

export interface VcpuFunction {
  readonly id: number;
  /** Its VM's, which it may outlive. */
  readonly persona: VmPersonaName;
  readonly vm: number;
  /** The number that user space gave it: its label. */
  readonly number: number;
  /** Memory object of the run page. */
  readonly page: number;
  /** REMOVE_FUNCTION took it away: its descriptor stays. */
  removed: boolean;
  /** Open files of it. */
  open: boolean;
  /** Its VM was destroyed under its open files, which keep only this. */
  detached: boolean;
  /** The task inside RUN, and those that wait for it. */
  task: number | undefined;
  waiters: number[];
  phase: VcpuPhase;
  /** The last exit, if the next RUN continues from it. */
  exit: { kind: "read" | "write"; length: number } | { kind: "fault" } | undefined;
  /** resume_data_0 and _1 of the next vcpu_run. */
  resume: [bigint, bigint];
  /** Virtual time (ns) at which its turn on the host vCPU ends. */
  turnEnd: number;
  /** While it sleeps: virtual time (ns) at which the driver runs it again, as its timer wants. */
  wakeAt?: number;
  /**
   * Virtual time (ns) for which it has run, less the time at which it was entered while it runs;
   * undefined if nobody counts it.
   */
  ran?: number;
}

/** How a VM ended. */
export interface VmExit {
  readonly type: number;
  readonly size: number;
  /** At most eight bytes. */
  readonly reason: number[];
}

/** A VM that the vendor driver has loaded by name. */
export interface SignedLoad {
  readonly name: string;
  /** Number of its image for the firmware that authenticates it. */
  readonly peripheral: number;
  /** Offset of the first instruction in its memory. */
  readonly entry: number;
  /** Memory object. */
  readonly memory: number;
  /** How many vCPUs have to be created before it runs. */
  vcpus: number;
  /** RUN was tried. */
  ran: boolean;
  /**
   * RUNs that wait for its start or its end, and calls of WAIT_FOR_EXIT with the address of their
   * structure.
   */
  runners: { readonly task: number; readonly vcpu: number }[];
  watchers: { readonly task: number; readonly pointer: bigint }[];
}

/**
 * Calls to the Resource Manager in progress: a START, a teardown, or one call inside another ioctl.
 */
export interface Sequence {
  readonly kind: "create" | "load" | "start" | "teardown" | "region" | "delete";
  readonly steps: readonly (StartStep | TeardownStep)[];
  at: number;
  /** The region that it concerns, if any. */
  readonly label: number | undefined;
  /**
   * Where the step is: place in the VM's regions or registers, and entries of the region that are
   * sent.
   */
  item: number;
  sent: number;
  /**
   * The step has sent its request, waits for a notification, or for the host to let the VM start.
   */
  waits: "reply" | "notification" | "gate" | undefined;
  /** The reason of its failure, while the pages that it has given are reclaimed. */
  failure?: SequenceFailure;
  /** The ioctl that waits for the end. */
  task: number | undefined;
}

/** A positive errno, and the rule. */
export interface SequenceFailure {
  readonly errno: number;
  readonly rule: BrokenRule;
}

/** The VMID of a VM that has none yet. */
export const NO_VMID = asVmid(0);

/** A VM. */
export interface HostVm {
  readonly id: number;
  readonly persona: VmPersonaName;
  /** Descriptors of it and of its vCPUs. */
  refs: number;
  /** Address space that created it. */
  readonly space: number;
  status: VmStatus;
  /** START was tried. */
  tried: boolean;
  /** CONFIG_IMAGE was sent. */
  configured: boolean;
  /** `NO_VMID` before it has one. */
  vmid: Vmid;
  /** Newest first. */
  regions: Region[];
  bindings: Binding[];
  /** Pages of bindings that the VM has, and what keeps them. */
  given: GivenPages[];
  pinned: Pinned[];
  /** Pages that count against the creator's limit of locked memory because the VM has them. */
  locked: number;
  /** Parcels of START in generations with demand paging. */
  configParcel: RangeParcel | undefined;
  firmwareParcel: RangeParcel | undefined;
  devicetree: { address: bigint; size: bigint };
  firmware: { address: bigint; size: bigint } | undefined;
  auth: number;
  /** Undefined in the generations whose VMs are loaded by user space. */
  signed: SignedLoad | undefined;
  bootContext: { set: number; index: number; value: bigint }[];
  irqfds: Irqfd[];
  ioeventfds: Ioeventfd[];
  /** Undefined before GET_HYP_RESOURCES. */
  resources: Resource[] | undefined;
  exit: VmExit | undefined;
  sequence: Sequence | undefined;
  /** Ioctls that wait for the sequence to end, oldest first. */
  waiters: number[];
  /** VM_STATUS said that the reset is complete. */
  resetDone: boolean;
}

/** A call that waits for a VM's lock, to be made again. */
interface WaitingCall {
  readonly code: number;
  readonly argument: bigint;
}

/** A guest memfd (v17): its memory object. */
export interface GuestMemfd {
  readonly object: number;
  /** Bytes. */
  readonly size: number;
}

/** All of the driver. */
export interface GunyahState {
  vms: Record<number, HostVm>;
  vcpus: Record<number, VcpuFunction>;
  guestMemory: Record<number, GuestMemfd>;
  waiting: Record<number, WaitingCall>;
  /** The host's own VMID, once it was asked for. */
  ownVmid: number | undefined;
  /**
   * Ready vCPUs by host vCPU, in the order of their turns; and host vCPUs inside vcpu_run, with the
   * vCPU that they run.
   */
  queues: Record<number, number[]>;
  inside: Record<number, number>;
}

/** The state of an unused driver. */
export function newGunyahState(): GunyahState {
  return { vms: {}, vcpus: {}, guestMemory: {}, waiting: {}, ownVmid: undefined, queues: {}, inside: {} };
}

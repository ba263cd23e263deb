// The system as readers see it, and the state that they share. Nothing here changes the machine: an
// inspected run is the same run.

import type { Persona } from "../../../machine/abi/ioctl/personas.ts";
import type { TraceId } from "../../../machine/abi/trace.ts";
import type { KnownDevices, LockedMemory, StartWanted } from "../../../machine/host/interface.ts";
import type { AddressSpace, Cspace, Hypervisor, HypervisorObject, ObjectTypes, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { ResourceManager } from "../../../machine/resource-manager/resource-manager.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import { Vmid } from "./guest-names.ts";
import { objId, vcpuId, vmId, withKind } from "../../../model/queries/ids.ts";
import type { KnownVm } from "../../../model/queries/fault-rule.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { IRQS, VCPUS } from "../../../model/queries/tables.ts";
import type { StopRule } from "../../../model/queries/stop-rule.ts";
import type { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import type { EventLog } from "../trace/event-log.ts";
import type { MemoryUse } from "../../../model/queries/memory-use.ts";
import type { RunPlace } from "./run-place.ts";
import { type KnownParcel, parcelsOfRequests } from "../trace/parcels-of-requests.ts";
import { type ParcelWait, ParcelWaits } from "../trace/parcel-waits.ts";
import { type DroppedMessage, DroppedMessages } from "../trace/dropped-messages.ts";
import { RefusedReclaims } from "../trace/refused-reclaims.ts";
import type { TraceBuffer } from "../trace/trace-buffer.ts";
import type { Gap } from "../../../model/queries/facts/gap.ts";
import type { BoardFinding } from "../../../model/queries/facts/board-finding.ts";
import type { BootFinding } from "../../../model/queries/facts/boot-finding.ts";
import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { UnshownBecause } from "../../../model/queries/facts/verdict.ts";
import { type Problem, UserError } from "../../../kit/support/problem.ts";

/** A virtio device where a VM sees it. */
export interface VirtioSlot {
  /** Name of the VM. */
  readonly vm: string;
  /** `dev:VM/blk0`. */
  readonly id: string;
  readonly device: VirtioDevice;
  /**
   * Of its registers; undefined if they are a page of the hypervisor's, which the Resource
   * Manager places.
   */
  readonly ipa: number | undefined;
  readonly size: number;
  readonly intid: number;
}

/** Rows of VMs that have ended, as they were then. */
export interface EndedRows {
  readonly vcpus: readonly RowOf<typeof VCPUS>[];
  readonly irqs: readonly RowOf<typeof IRQS>[];
}

/** A system that is inspected. */
export interface Inspected {
  readonly hypervisor: Hypervisor;
  readonly manager: ResourceManager;
  readonly log: EventLog;
  /** The virtio devices of its VMs, by VM and slot. */
  readonly virtio: readonly VirtioSlot[];
  /** Mistakes of guests that do no harm here and may fail on a board. */
  readonly boards: { of(vm: string): readonly BoardFinding[] };
  /** The driver through which VMs are run, which translates errors. */
  readonly driver: Persona;
  /** The events that `el2 trace` takes away. */
  readonly traceBuffer: TraceBuffer;
  /** The rules by which the machine stops. */
  readonly stops: { now(): readonly StopRule[] };
  /** Places of the run. */
  places(): readonly RunPlace[];
  /** Memory of its parts, and of its session's. */
  memory(): readonly MemoryUse[];
  /** Guest physical addresses of the devicetrees that el2 itself gives, by VM. */
  readonly devicetrees: ReadonlyMap<string, number>;
  /** Rows of what the machine no longer has, as its VMs ended. */
  endedRows(): EndedRows;
  /** Names of the guests' addresses. */
  readonly symbols: VmSymbols;
  /** Observation of the kernels in VMs: what of it cannot be read. */
  readonly kernelEvents: { readonly gaps: readonly Gap[] };
  /** The consoles of its VMs, by their names. */
  readonly consoles: {
    of(vm: string): string | undefined;
    /** The end of what one has shown. */
    tail(vm: string): string;
    /** Why a console takes no input now; undefined if it does. */
    closed(vm: string): Problem | undefined;
    /** Characters that a serial port holds for its guest, and whether its interrupts say so. */
    input(vm: string): { readonly characters: number; readonly raised: boolean; readonly enabled: boolean } | undefined;
    /** The vCPU, by its index, that cleared those interrupts last while characters were left. */
    cleared(vm: string): { readonly vcpu: number; readonly pc: bigint } | undefined;
  };
  readonly control: VmControl;
  readonly vms: KnownVms;
  readonly ends: {
    /** The cause of the exception that ended a VM, by the number of the reason. */
    causeOf(reason: number): ExceptionCause | undefined;
    /** The panic after which a VM ended, by the number of the reason. */
    panicOf(reason: number): EndedPanic | undefined;
    /** Why nothing was printed before an end, by the number of its reason. */
    unshownOf(reason: number): UnseenEnd | undefined;
    /** The last lines of a kernel's log that nothing has shown, by the number of the reason. */
    logOf(reason: number): readonly LoggedLine[];
    /** Its last ends in a row, soon after its starts, that nobody wanted or that came at once. */
    badLives(vm: string): number;
  };
}

/** A panic of a kernel. */
export interface GuestPanic {
  /** Null if it is nowhere. */
  readonly message: string | null;
  /** Null if it is not known. */
  readonly cause: LinuxFinding | null;
}

/** One with which its VM ended, and how. */
export interface EndedPanic extends GuestPanic {
  readonly then: "reset" | "power-off";
}

/** An end before which nothing was printed. */
export interface UnseenEnd {
  readonly then: "reset" | "power-off";
  readonly because: UnshownBecause;
}

/** A line of a kernel's log. */
export interface LoggedLine {
  /** The guest's time since its boot (ns), in decimal. */
  readonly t: string;
  readonly text: string;
}

/** Requests of users to VMs. */
export interface VmControl {
  /**
   * Sends a break on a console's line.
   * @throws QueryError for an unknown console
   */
  sendBreak(console: string): void;
  /**
   * Makes a VM's owner stop it.
   * @throws QueryError if it has no owner that can
   */
  stop(vm: string, force: boolean): void;
  /**
   * Makes the native host start a VM, make it, or restart it.
   * @throws QueryError
   */
  start(vm: string, how: StartWanted["start"]): void;
  /** Memory that the host's VMMs have locked; nothing if the host is an image. */
  lockedMemory(): readonly LockedMemory[];
  /** The devices that the VMM of a VM emulates; undefined if there is none. */
  devices(vm: string): KnownDevices | undefined;
  /** Names of VMs that are made and wait for a manual start, or for other VMs. */
  gated(): readonly string[];
  /**
   * Operations of the trace that are the ioctls in progress of a VM's VMM; undefined if they are
   * not known.
   */
  requests(vm: string): readonly TraceId[] | undefined;
  /**
   * Makes the native host send a request to the Resource Manager.
   * @throws QueryError without a native host
   */
  sendRpc(id: number, payload: Uint8Array): void;
}

/** A VM's settings in the configuration. */
export interface PlannedVm {
  readonly schedule: "proxy" | "own";
  readonly hypervisor: "gunyah" | "geniezone";
  /** Bytes. */
  readonly memory: number;
  /** It is made again when it has ended. */
  readonly restarts: boolean;
  /** Labels of memory that the host shares with it. */
  readonly shares: readonly number[];
  /** Bytes of the devicetree that a BIOS copies, and those that it has for the copy. */
  readonly bios?: { readonly tree: number; readonly room: number };
  /** SHA-256 of its image, and of another one that was built since. */
  readonly stale?: { readonly used: string; readonly built: string };
}

/** Knowledge of VMs, including those that are gone. */
export interface KnownVms {
  /** Names by VMID: the VMID of a VM that is gone may be reused or free. */
  readonly names: ReadonlyMap<number, string>;
  /** VMIDs of VMs that have ended or failed, until their next life has one. */
  gone(): readonly number[];
  /** Whether the VM of this VMID could not be made or started. */
  hasFailed(vmid: number): boolean;
  /** Those that are known before the machine runs. */
  readonly known: readonly KnownVm[];
  /** The VMs' settings in the configuration, by name. */
  readonly plans: ReadonlyMap<string, PlannedVm>;
  /** Where the machine and what a VM's kernel reads differ, by name. */
  readonly findings: ReadonlyMap<string, readonly BootFinding[]>;
  /** The settings of the VM of this name. */
  planned(vm: string): PlannedVm | undefined;
  /** The word that a VM's image has at an address (IPA); undefined outside of it. */
  loadedWord(vm: string, ipa: number): number | undefined;
  /** Why the VM of this name ended, if it did. */
  exitOf(vm: string): string | undefined;
  /**
   * VMs of the configuration that failed before they had a VMID.
   * @param listed those that have one
   */
  withoutVmid(listed: ReadonlySet<string>): readonly string[];
}

/** A query that names a missing object, or lacks an argument. */
export class QueryError extends UserError {}

/** State kept between inspections. */
export class Looks {
  readonly rates = new Rates();
  readonly refusedReclaims = new RefusedReclaims();
  readonly parcelWaits = new ParcelWaits();
  readonly droppedMessages = new DroppedMessages();
  /** Nothing can happen any more. */
  settled = false;
}

/** The interface of readers to the system. */
export class View {
  readonly #looks: Looks;
  #cspaces: Map<Cspace, string> | undefined;
  #rootCspace: Cspace | undefined;
  #objects: Map<HypervisorObject["type"], HypervisorObject[]> | undefined;
  #parcels: readonly KnownParcel[] | undefined;

  constructor(readonly system: Inspected, looks: Looks) {
    this.#looks = looks;
  }

  get hypervisor(): Hypervisor {
    return this.system.hypervisor;
  }

  get now(): number {
    return this.hypervisor.now;
  }

  vmName(vmid: number): string {
    return this.hypervisor.names.vm(vmid);
  }

  /** `vm:NAME`. */
  vm(vmid: number): string {
    return vmId(this.vmName(vmid));
  }

  /** `vm:NAME` of the VM that has an address space. */
  vmOf(space: AddressSpace | undefined): string {
    return vmId(this.vmNameOf(space));
  }

  /** Name of the VM that has an address space. */
  vmNameOf(space: AddressSpace | undefined): string {
    return space ? this.vmName(space.vmid) : "?";
  }

  /** `vcpu:VM/INDEX`. */
  vcpu(vcpu: Vcpu): string {
    return vcpuId(this.vcpuName(vcpu));
  }

  /** `VM/INDEX`. */
  vcpuName(vcpu: Vcpu): string {
    return this.hypervisor.names.vcpu(vcpu);
  }

  /** Active vCPUs by VM and index. */
  vcpus(): Vcpu[] {
    const vmid = (vcpu: Vcpu) => vcpu.addressSpace?.vmid ?? 0;
    return [...this.hypervisor.scheduler.vcpus].sort((a, b) => vmid(a) - vmid(b) || a.index - b.index);
  }

  /**
   * The vCPU that an id names.
   * @throws QueryError
   */
  findVcpu(id: string): Vcpu {
    const wanted = withKind("vcpu", id);
    const found = this.vcpus().find((vcpu) => this.vcpu(vcpu) === wanted);
    if (!found) throw new QueryError(`no ${wanted}`, `there are ${this.vcpus().map((vcpu) => this.vcpu(vcpu)).join(", ")}`);
    return found;
  }

  /**
   * The address space of the VM that an id names.
   * @throws QueryError
   */
  findSpace(id: string): AddressSpace {
    const wanted = withKind("vm", id);
    const spaces = [...this.hypervisor.addressSpaces.values()];
    const found = spaces.find((space) => this.vmOf(space) === wanted);
    if (!found) throw new QueryError(`no ${wanted}`, `there are ${spaces.map((space) => this.vmOf(space)).join(", ")}`);
    return found;
  }

  /** Name of the VM that uses a cspace; its object's id where none does. */
  cspaceOwner(cspace: Cspace): string {
    if (!this.#cspaces) {
      this.#cspaces = new Map();
      for (const vcpu of this.objects("thread")) {
        if (vcpu.attachments.cspace && vcpu.addressSpace) this.#cspaces.set(vcpu.attachments.cspace, this.vmName(vcpu.addressSpace.vmid));
      }
    }
    return this.#cspaces.get(cspace) ?? objId(cspace.serial);
  }

  /** All objects of a type, in order of creation. */
  objects<T extends HypervisorObject["type"]>(type: T): Extract<AnyObject, { type: T }>[] {
    this.#objects ??= Map.groupBy(this.hypervisor.objects, (object) => object.type);
    return (this.#objects.get(type) ?? []) as Extract<AnyObject, { type: T }>[];
  }

  /** The id of an object on the screens. */
  object(object: HypervisorObject): string {
    return this.hypervisor.names.object(object);
  }

  /** The object of a capability of the Resource Manager; undefined for an unused capability. */
  rootObject(cap: bigint): HypervisorObject | undefined {
    this.#rootCspace ??= this.objects("thread").find((vcpu) => vcpu.addressSpace?.vmid === Vmid.ResourceManager && vcpu.attachments.cspace)
      ?.attachments.cspace;
    return this.#rootCspace?.capabilityOf(cap)?.object;
  }

  /**
   * The memory parcels. If the Resource Manager is a separate program, its state is not accessible.
   */
  parcels(): readonly KnownParcel[] {
    const { state } = this.system.manager;
    return this.#parcels ??= state.vms.length > 0 ? state.parcels : parcelsOfRequests(this.system.log);
  }

  /** Rise of a counter per second of virtual time, since the last look. */
  rate(key: string, value: number): number {
    return this.#looks.rates.rate(key, value, this.now);
  }

  /** Whether the machine is deadlocked, though not ended. */
  get isSettled(): boolean {
    return this.#looks.settled;
  }

  /** Whether the machine has come to its end. */
  get isOver(): boolean {
    return this.isSettled || this.hypervisor.machine.stopReason !== undefined;
  }

  /** Handles of parcels whose owner could not reclaim them because a VM still holds them. */
  get refusedReclaims(): ReadonlySet<number> {
    return this.#looks.refusedReclaims.read(this.system.log);
  }

  /** The last message of a VM, or to it, that the Resource Manager has thrown away. */
  droppedMessage(vmid: number): DroppedMessage | undefined {
    return this.#looks.droppedMessages.read(this.system.log).get(vmid);
  }

  /** The wait of a VM for others that have to accept or release its memory parcel. */
  parcelWait(vmid: number): ParcelWait | undefined {
    return this.#looks.parcelWaits.read(this.system.log).get(vmid);
  }
}

type AnyObject = ObjectTypes[keyof ObjectTypes];

/** Shortest time (ns) between two looks that make a new rate. */
const RATE_WINDOW = 1e8;

/** Counters at the last inspection. */
export class Rates {
  readonly #seen = new Map<string, { time: number; value: number; rate: number }>();

  /** How fast `value` has risen, a second of virtual time. 0 at the first look. */
  rate(key: string, value: number, now: number): number {
    const last = this.#seen.get(key);
    if (!last) {
      this.#seen.set(key, { time: now, value, rate: 0 });
      return 0;
    }
    if (now - last.time >= RATE_WINDOW) {
      last.rate = Math.max(0, (value - last.value) / (now - last.time) * 1e9);
      last.time = now;
      last.value = value;
    }
    return last.rate;
  }
}

// The hypervisor: the state that its objects share, and its interface to the machine. Objects and
// hypercalls are in their own files.

import type { RunPoint } from "../abi/trace.ts";
import { asPa } from "../abi/numbers.ts";
import type { NativeGuestFactory } from "../abi/native-guest.ts";
import { Vmid } from "../abi/rpc/messages/vm.ts";
import type { Core } from "../../cpu/core/interface.ts";
import type { Archive } from "../hardware/archive.ts";
import type { El2, PhysicalCpu } from "../hardware/el2.ts";
import type { Machine, StopReason } from "../hardware/machine.ts";
import { DEVICE_END, RAM_BASE } from "../hardware/memory-map.ts";
import { HypercallFaults } from "./calls/hypercall-faults.ts";
import { DEFINITIONS } from "./calls/hypercall-list.ts";
import { HypercallTable } from "./calls/hypercalls.ts";
import { CapabilityUses } from "./capabilities/capability-uses.ts";
import type { HypervisorObject } from "./capabilities/object.ts";
import type { EveryService } from "./capabilities/object-types.ts";
import type { Checker } from "./check/check.ts";
import { contain } from "./check/contain.ts";
import type { DebugControl } from "./debug/debug-control.ts";
import { GenieZone } from "./geniezone/geniezone.ts";
import { changedIrqs, clearChangedIrqs } from "./gic/changed-irqs.ts";
import type { Hwirq } from "./gic/hwirq.ts";
import { Vic } from "./gic/vic.ts";
import type { AddressSpace } from "./memory/addrspace.ts";
import type { FlashBank } from "./memory/flash.ts";
import { MemoryDatabase } from "./memory/memdb.ts";
import { PageTables, type Stage2Source } from "./memory/page-tables.ts";
import { Partition } from "./memory/partition.ts";
import type { NativeServices } from "./native/native-execution.ts";
import { NativePrograms } from "./native/native-programs.ts";
import { RandomGenerator } from "./random/random-generator.ts";
import type { ExecutionServices } from "./scheduling/execution.ts";
import { Scheduler } from "./scheduling/scheduler.ts";
import { Vcpu } from "./scheduling/vcpu.ts";
import type { VcpuEnd } from "./scheduling/vcpu-services.ts";
import type { SemihostedVm } from "./services/semihosted-vm.ts";
import { type Behaviour, DEFAULT_BEHAVIOUR } from "./services/behaviour.ts";
import { Faults } from "./services/faults.ts";
import type { ObjectChanges } from "./services/object-changes.ts";
import { TraceHub } from "./trace/trace-hub.ts";
import { TraceNames } from "./trace/trace-names.ts";
import { handleExit } from "./traps/traps.ts";
import type { VirtioMmio } from "./virtio/virtio-mmio.ts";
import { MiB } from "../../kit/support/values/sizes.ts";

export interface HypervisorOptions {
  readonly stage2: Stage2Source;
  /** Seed of everything random, 32 bits. */
  readonly seed: number;
  readonly behaviour?: Partial<Behaviour>;
}

/**
 * Heap of the root partition in bytes: as much as the real platform has for heap and trace
 * together.
 */
const ROOT_HEAP = 35 * MiB;
/** Heap of the hypervisor's own partition in bytes. */
const PRIVATE_HEAP = MiB;

/** The hypervisor of one machine. */
export class Hypervisor implements El2, EveryService, ExecutionServices, NativeServices {
  /** Trace of all components at and below EL2. */
  readonly trace = new TraceHub(() => this.machine.time, () => this.point());
  readonly names = new TraceNames();
  readonly memory = new MemoryDatabase();
  /** Every object that is not destroyed, in order of creation. */
  readonly objects = new Set<HypervisorObject>();
  /** Active address spaces by VMID. */
  readonly addressSpaces = new Map<number, AddressSpace>();
  readonly hypercalls: HypercallTable;
  readonly faults = new Faults(this);
  readonly capabilityUses = new CapabilityUses();
  readonly natives: NativePrograms = new NativePrograms(this);
  /** Whether the state of native guests came from a file that anybody may have written. */
  foreignPrograms = false;
  readonly handleExit = handleExit;
  readonly random: RandomGenerator;
  readonly pageTables: PageTables;
  readonly privatePartition: Partition;
  readonly rootPartition: Partition;
  readonly scheduler: Scheduler;
  /** GenieZone's EL2 (`Behaviour.geniezone`). */
  readonly geniezone: GenieZone | undefined;
  /** Physical interrupts that guests can have, by INTID. */
  readonly hwirqs = new Map<number, Hwirq>();
  /** Active virtio-mmio devices by the physical address of their page. */
  readonly virtioPages = new Map<number, VirtioMmio>();
  /** Flash of the primary VM. */
  readonly flash: FlashBank[] = [];
  /** Called for accesses to a physical address where no device answers, for logs. */
  onUnmappedDevice: ((vcpu: Vcpu, pa: number) => void) | undefined;
  /** Called for accesses to an IPA that stage 2 does not allow and nothing emulates, for logs. */
  onUnmappedMemory: ((vcpu: Vcpu, ipa: number) => void) | undefined;
  /** Called when a vCPU stops for good, while it still has its registers. */
  onVcpuEnd: ((vcpu: Vcpu, how: VcpuEnd) => void) | undefined;
  /** The debugger of a vCPU's VM, if its semihosting calls are served; set before VMs are made. */
  semihosted: ((vcpu: Vcpu) => SemihostedVm | undefined) | undefined;
  /** Called when an exception in el2 itself has ended a vCPU, and the others continue. */
  onBug: ((vcpu: Vcpu, error: unknown) => void) | undefined;
  /** The debugger of a VM's vCPUs, if any. */
  debug: DebugControl | undefined;
  /** Looks after every operation whether what must hold still does (`machine.check`). */
  checker: Checker | undefined;
  readonly behaviour: Behaviour;
  /** Whether defects of the recorded build are there as well (`Behaviour.quirks`). */
  readonly hasQuirks: boolean;
  readonly hasLpis: boolean;
  /** Turning off a watchdog that is off is an error (`Behaviour.idleWatchdog`). */
  readonly refusesIdleWatchdog: boolean;
  /** Calls and options of the newer drop are there (`Behaviour.abi`). */
  readonly hasNewerAbi: boolean;
  /** IPAs are below this (`Behaviour.ipaBits`). */
  readonly addressSpaceSize: number;
  #serial = 0;

  /**
   * Takes the machine over: its memory belongs to the two partitions afterwards. Nothing runs yet.
   */
  constructor(readonly machine: Machine, readonly options: HypervisorOptions) {
    this.behaviour = { ...DEFAULT_BEHAVIOUR, ...options.behaviour };
    this.hasQuirks = this.behaviour.quirks === "as-observed";
    this.hasLpis = this.behaviour.msi === "its" || this.behaviour.vmMsis;
    this.refusesIdleWatchdog = this.behaviour.idleWatchdog === "refuse";
    this.hasNewerAbi = this.behaviour.abi === "newer";
    this.hypercalls = new HypercallTable(DEFINITIONS, this.behaviour.abi);
    this.random = new RandomGenerator(options.seed);
    new HypercallFaults(this.faults, this.hypercalls);
    this.addressSpaceSize = 2 ** this.behaviour.ipaBits;
    this.pageTables = new PageTables(options.stage2, this.faults, this.behaviour.ipaBits, this.behaviour.pageTables);
    this.privatePartition = new Partition(this, true, PRIVATE_HEAP);
    this.rootPartition = new Partition(this, true, ROOT_HEAP);
    this.geniezone = this.behaviour.geniezone ? new GenieZone(this.rootPartition) : undefined;
    const { map } = machine;
    this.memory.insert(this.privatePartition, asPa(0), DEVICE_END);
    this.memory.insert(this.rootPartition, asPa(RAM_BASE), map.primarySize);
    this.memory.insert(this.privatePartition, asPa(map.hypervisorBase), map.rootBase - map.hypervisorBase);
    this.memory.insert(this.rootPartition, asPa(map.rootBase), map.ramEnd - map.rootBase);
    this.scheduler = new Scheduler(this);
    machine.install(this);
  }

  get core(): Core {
    return this.machine.core;
  }

  /** Virtual time in ns. */
  get now(): number {
    return this.machine.time;
  }

  /** How far the run has come. */
  point(): RunPoint {
    const { boundary, stage } = this.machine;
    const { retired, steps } = this.scheduler.execution;
    return { boundary, stage, retired, steps };
  }

  /** Numbers objects in order of creation, from 1. */
  nextSerial(): number {
    return ++this.#serial;
  }

  /** Makes an object with the number that it had when it was saved. */
  numbered<O extends HypervisorObject>(serial: number, make: () => O): O {
    this.#serial = serial - 1;
    return make();
  }

  /** The number of the newest object, saved or loaded: it may be gone. */
  archiveSerial(archive: Archive): void {
    const newest = this.#serial;
    this.#serial = archive.integer("serial", this.#serial, archive.loading ? newest : 0);
  }

  /** Forgets every object but the partitions, before another state is loaded. Nothing has run. */
  clear(): void {
    for (const object of this.objects) object.discard();
    this.addressSpaces.clear();
    this.hwirqs.clear();
    this.virtioPages.clear();
    this.pageTables.clear();
  }

  /**
   * Limit on vCPUs: as many as fit in the root partition's heap, which is fewer than the core's
   * contexts.
   */
  get vcpuLimit(): number {
    return Math.floor(ROOT_HEAP / Vcpu.SIZE);
  }

  /** The primary VM's flash comes with its address space. */
  onAddressSpace(space: AddressSpace): void {
    if (space.vmid === Vmid.Hlos) { for (const bank of this.flash) bank.attach(space); }
  }

  /**
   * A vCPU used something that is not modeled: it gets the answer to unknown calls and accesses, or
   * everything stops here (`machine.strict`).
   * @param what for display: `HVC #0x7000`, `access to 0x90000000`
   */
  uncovered(vcpu: Vcpu, what: string): void {
    const pc = `0x${vcpu.registers.pc.toString(16)}`;
    if (vcpu.trace.isWanted("rule")) vcpu.trace.event("rule", "not covered", { what, pc });
    if (this.behaviour.strict) this.stop(`--strict: ${this.names.vcpu(vcpu)} at PC ${pc}: no rule covers ${what}`);
  }

  contain(vcpu: Vcpu, error: unknown): void {
    contain(this, vcpu, error);
    this.onBug?.(vcpu, error);
  }

  /**
   * Something that must not happen happened, or something is not built: the machine stops with this
   * message.
   */
  stop(message: string): void {
    this.end({ kind: "crash", message });
  }

  /** Events since `forgetChanges` by which objects may have changed. */
  changes(): ObjectChanges {
    return { calls: this.hypercalls.made.bits, irqs: changedIrqs(this.#vics()) };
  }

  forgetChanges(): void {
    this.hypercalls.made.clear();
    clearChangedIrqs(this.#vics());
  }

  *#vics(): Generator<Vic> {
    for (const object of this.objects) if (object instanceof Vic) yield object;
  }

  /** The machine stops for this reason. */
  end(reason: StopReason): void {
    this.scheduler.disturb();
    this.machine.stop(reason);
  }

  run(cpu: PhysicalCpu): void {
    this.scheduler.run(cpu);
  }

  runnable(cpu: PhysicalCpu): boolean {
    return this.scheduler.runnable(cpu);
  }

  interrupt(intid: number, level: boolean): void {
    this.hwirqs.get(intid)?.setLevel(level);
  }

  /** Registers the program at physical address `pa` as a native guest. */
  registerNative(pa: number, factory: NativeGuestFactory): void {
    this.natives.register(pa, factory);
  }
}

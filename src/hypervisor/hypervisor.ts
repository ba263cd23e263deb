// The hypervisor: what its objects share, and its face to the machine. Objects and hypercalls are in files of their own.

import type { NativeGuestFactory } from "../abi/native-guest.ts";
import type { Core, Stage2Table } from "../core/interface.ts";
import type { El2, PhysicalCpu } from "../machine/el2.ts";
import type { Machine, StopReason } from "../machine/machine.ts";
import { DEVICE_END, RAM_BASE } from "../machine/memory-map.ts";
import type { AddressSpace } from "./addrspace.ts";
import type { DebugControl } from "./debug-control.ts";
import { DEFINITIONS } from "./hypercall-list.ts";
import { HypercallTable } from "./hypercalls.ts";
import type { Hwirq } from "./hwirq.ts";
import { MemoryDatabase } from "./memdb.ts";
import { NativePrograms } from "./native.ts";
import { Partition } from "./partition.ts";
import { RandomGenerator } from "./prng.ts";
import { Reasons } from "./reasons.ts";
import { Scheduler } from "./scheduler.ts";
import { TraceClasses } from "./trace.ts";
import type { Vcpu } from "./vcpu.ts";
import type { VirtioMmio } from "./virtio-mmio.ts";

/** Where page tables come from: `Stage2Pool` of the core. */
export interface Stage2Source {
  /** Undefined when there are no tables left. */
  create(): Stage2Table | undefined;
  /** Tables that are not in use. */
  readonly available: number;
}

/** What the hypervisor is made with. */
export interface HypervisorOptions {
  readonly stage2: Stage2Source;
  /** Seed of everything random, 32 bits. */
  readonly seed: number;
}

/** Heap of the root partition in bytes: as much as the real platform has for heap and trace together. */
const ROOT_HEAP = 35 * 1024 * 1024;
/** Heap of the hypervisor's own partition in bytes. */
const PRIVATE_HEAP = 1024 * 1024;

/**
 * Page tables that mappings leave free. Taking pages away and giving them back must never fail, and splits blocks; there are no more blocks
 * than this to split (4 GiB of them, mapped once).
 */
const STAGE2_RESERVE = 256;
/** Bytes that one page table maps, which is also the size of a block. */
const STAGE2_BLOCK = 0x100_0000;

/** The hypervisor of one machine. */
export class Hypervisor implements El2 {
  readonly reasons = new Reasons();
  readonly memory = new MemoryDatabase();
  /** Active address spaces by VMID. */
  readonly addressSpaces = new Map<number, AddressSpace>();
  readonly hypercalls = new HypercallTable(DEFINITIONS);
  readonly natives = new NativePrograms(this);
  readonly trace = new TraceClasses();
  readonly random: RandomGenerator;
  readonly privatePartition: Partition;
  readonly rootPartition: Partition;
  readonly scheduler: Scheduler;
  /** Physical interrupts that guests can have, by INTID. */
  readonly hwirqs = new Map<number, Hwirq>();
  /** Active virtio-mmio devices by the physical address of their page. */
  readonly virtioPages = new Map<number, VirtioMmio>();
  /** Told of accesses to a physical address where no device answers, for logs. */
  onUnmappedDevice: ((vcpu: Vcpu, pa: number) => void) | undefined;
  /** Told of accesses to an IPA that stage 2 does not allow and nobody emulates, for logs. */
  onUnmappedMemory: ((vcpu: Vcpu, ipa: number) => void) | undefined;
  /** What a debugger wants of a VM's vCPUs, while there is one. */
  debug: DebugControl | undefined;
  #serial = 0;

  /** Takes the machine over: its memory belongs to the two partitions afterwards. Nothing runs yet. */
  constructor(readonly machine: Machine, readonly options: HypervisorOptions) {
    this.random = new RandomGenerator(options.seed);
    this.privatePartition = new Partition(this, true, PRIVATE_HEAP);
    this.rootPartition = new Partition(this, true, ROOT_HEAP);
    const { map } = machine;
    this.memory.insert(this.privatePartition, 0, DEVICE_END);
    this.memory.insert(this.rootPartition, RAM_BASE, map.primarySize);
    this.memory.insert(this.privatePartition, map.hypervisorBase, map.rootBase - map.hypervisorBase);
    this.memory.insert(this.rootPartition, map.rootBase, map.ramEnd - map.rootBase);
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

  /** Numbers objects in order of creation, from 1. */
  nextSerial(): number {
    return ++this.#serial;
  }

  /** Page tables for an address space, or undefined when there are none left. */
  createStage2(): Stage2Table | undefined {
    return this.stage2HasRoom(0) ? this.options.stage2.create() : undefined;
  }

  /** Whether the page tables that a mapping of `size` bytes may need can be taken. */
  stage2HasRoom(size: number): boolean {
    const most = Math.ceil(size / STAGE2_BLOCK) + 1;
    return this.options.stage2.available >= STAGE2_RESERVE + most;
  }

  /** Something that must not happen happened, or something is not built: the machine stops with this message. */
  stop(message: string): void {
    this.machine.stop({ kind: "crash", message });
  }

  /** The machine stops for this reason. */
  end(reason: StopReason): void {
    this.machine.stop(reason);
  }

  run(cpu: PhysicalCpu, until: number): void {
    this.scheduler.run(cpu, until);
  }

  runnable(cpu: PhysicalCpu): boolean {
    return this.scheduler.runnable(cpu);
  }

  interrupt(intid: number, level: boolean): void {
    this.hwirqs.get(intid)?.setLevel(level);
  }

  describeWaits(): string[] {
    return this.scheduler.describeWaits();
  }

  /** Makes the program behind physical address `pa` a native guest's. */
  registerNative(pa: number, factory: NativeGuestFactory): void {
    this.natives.register(pa, factory);
  }
}

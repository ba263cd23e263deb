// Native guests: TypeScript programs as the code of vCPUs (src/machine/abi/native-guest.ts;
// docs/design/decisions.md §10). A program stands for the instructions at a physical address: a
// vCPU that is powered on with an entry point that stage 2 maps there executes it.

import { type HypercallResult, type NativeGuest, NativePanic, type NativeVcpu } from "../../abi/native-guest.ts";
import { CallRegisters } from "../../abi/call-registers.ts";
import type { FaultPort } from "../../abi/faults.ts";
import { CALL_SHAPES } from "../../abi/hypercall-caller.ts";
import { Hypercall, type HypercallArguments } from "../../abi/hypercalls.ts";
import type { RamWriter } from "../../abi/ram-writer.ts";
import type { TracePort } from "../../abi/trace.ts";
import { Stage2Flags } from "../../../cpu/core/interface.ts";
import { NS_PER_TICK } from "../../hardware/clock.ts";
import { GICD_BASE, GICR_BASE, GICR_STRIDE } from "../../hardware/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import { smccc } from "../firmware/smccc.ts";
import { Icc, Intid } from "../gic/gic-registers.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { TimerPpi } from "../scheduling/timer.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { VcpuProgram, VcpuServices } from "../scheduling/vcpu-services.ts";
import { traceInterrupt } from "../traps/traps-trace.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { vcpuId } from "../../abi/ids.ts";

/** Requirements of native guests on the hypervisor. */
export interface NativeServices extends VcpuServices {
  /**
   * The state of native guests came from a file that anybody may have written: an exception in one
   * of them is then no bug of el2.
   */
  readonly foreignPrograms: boolean;
}

/**
 * Virtual time (ns) that an event takes a native guest, and each call or device access that its
 * handler makes.
 */
const EVENT_COST = 2_000;
const ACCESS_COST = 100;

/** CNTV_CTL_EL0. */
const TIMER_ENABLE = 1n;
/** Priority of every interrupt that a native guest enables, and the mask that lets all pass. */
const IRQ_PRIORITY = 0xa0n;
const PRIORITY_MASK = 0xf8n;

/** Register offsets in GICD and in the GICR's SGI frame, as the two share them. */
const Gic = { CTLR: 0x0, IGROUPR: 0x80, ISENABLER: 0x100, IPRIORITYR: 0x400, ICFGR: 0xc00, IROUTER: 0x6000, SgiFrame: 0x1_0000 } as const;
const GICD_CTLR_ENABLE_GROUP1 = 2n;

/** X0..X7. */
const REGISTERS = 8;

/** No call: X0 is all ones, the rest zero. */
const UNASSIGNED: HypercallResult = [0xffff_ffff_ffff_ffffn];
const NOTHING: HypercallResult = [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];

/** A power-on. */
interface Start {
  readonly entry: bigint;
  readonly x0: bigint;
}

/**
 * A native program on one vCPU, from one power-on to the next power-off. The scheduler runs it
 * instead of the core.
 */
export class NativeExecution implements NativeVcpu, VcpuProgram {
  // Pending work besides interrupts: at most one of the two.
  #start: Start | undefined;
  #runReturned = false;
  #insideRun = false;
  #accesses = 0;
  readonly #writer: RamWriter;
  readonly trace: TracePort;
  readonly faults: FaultPort;
  readonly runRegisters = new CallRegisters();

  constructor(readonly vcpu: Vcpu, readonly guest: NativeGuest, readonly services: NativeServices, start: Start | undefined) {
    this.trace = vcpu.trace;
    this.#writer = services.names.writer("program", vcpu);
    this.faults = services.faults;
    this.#start = start;
  }

  /** The pending work, saved or loaded. */
  archive(archive: ObjectArchive): void {
    this.#insideRun = archive.bool("insideRun", this.#insideRun);
    const pending = this.#start ? "start" : this.#runReturned ? "run" : undefined;
    archive.maybe("pending", pending, (saved) => {
      const kind = archive.choice("kind", saved, ["start", "run"]);
      if (kind === "run") {
        this.#runReturned = true;
        this.runRegisters.load(archive.list("results", this.runRegisters.list(), (value) => archive.word("value", value), REGISTERS));
      } else {
        this.#start = { entry: archive.word("entry", this.#start?.entry), x0: archive.word("x0", this.#start?.x0) };
      }
      return kind;
    });
  }

  /** Whether the vCPU is inside vcpu_run: no work is handled before it returns. */
  get insideRun(): boolean {
    return this.#insideRun;
  }

  /** Whether there is anything to handle now. Otherwise the vCPU waits as in WFI. */
  hasWork(): boolean {
    return this.#start !== undefined || this.#runReturned || !this.#insideRun && this.vcpu.gic.irq;
  }

  /**
   * Handles one event. Gives the virtual time (ns) that it took; 0 when there was nothing to do.
   */
  step(): number {
    try {
      return this.#handle();
    } catch (error) {
      const { faults, foreignPrograms, names } = this.services;
      // Programs rely on their requests; once a fault rule breaks that, they may end in response.
      const disturbed = faults.injected > 0 || foreignPrograms;
      if (!(error instanceof NativePanic || disturbed && error instanceof Error)) throw error;
      const injected = faults.injected > 0 ? ` (faults injected: ${faults.injected})` : "";
      const foreign = foreignPrograms ? " (its state came from a file)" : "";
      this.services.stop(`${vcpuId(names.vcpu(this.vcpu))}: ${error.message}${injected}${foreign}`);
      return EVENT_COST;
    }
  }

  #handle(): number {
    this.#accesses = 0;
    const start = this.#start;
    if (start) {
      this.#start = undefined;
      this.#begin(start.entry, start.x0);
    } else if (this.#insideRun) {
      return 0;
    } else if (!this.#interrupt()) {
      // Interrupts are not masked: one that ended vcpu_run is taken before the program sees its
      // results.
      if (!this.#runReturned) return 0;
      this.#runReturned = false;
      this.guest.runReturned(this, CALL_SHAPES.vcpu_run().read(this.runRegisters));
    }
    return EVENT_COST + this.#accesses * ACCESS_COST;
  }

  completeRun(): void {
    this.#insideRun = false;
    this.#runReturned = true;
  }

  // The rest is the program's view.

  get index(): number {
    return this.vcpu.index;
  }

  get now(): number {
    return this.services.now;
  }

  #countCall(): void {
    this.#accesses++;
    this.vcpu.usage.addRun(0, 1);
  }

  call(number: number, registers: CallRegisters): void {
    if (number === Hypercall.vcpu_run) throw new Error("vcpu_run takes time: use vcpuRun");
    this.#countCall();
    const made = this.services.hypercalls.callWith(this.vcpu, number, registers);
    if (made === DEFERRED) registers.clearFrom(0);
    else if (!made) registers.load(UNASSIGNED);
  }

  hvc(number: number, ...args: bigint[]): HypercallResult {
    const registers = new CallRegisters();
    registers.load(args);
    this.call(number, registers);
    return registers.list();
  }

  smc(functionId: number, ...args: bigint[]): HypercallResult {
    this.#countCall();
    const x = Array.from({ length: REGISTERS }, (_, index) => BigInt.asUintN(64, index === 0 ? BigInt(functionId) : args[index - 1] ?? 0n));
    const results = smccc(this.vcpu, x, "smc");
    return results === DEFERRED ? NOTHING : x.map((value, index) => results[index] ?? value);
  }

  vcpuRun(run: HypercallArguments<"vcpu_run">): void {
    if (this.#insideRun || this.#start || this.#runReturned) throw new Error("this vCPU is inside vcpu_run");
    this.#countCall();
    this.#insideRun = true;
    CALL_SHAPES.vcpu_run().put(run, this.runRegisters);
    const made = this.services.hypercalls.callWith(this.vcpu, Hypercall.vcpu_run, this.runRegisters);
    if (!made) throw new Error("vcpu_run has no entry in the table");
    if (made !== DEFERRED) this.completeRun();
  }

  read(ipa: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    return this.readInto(ipa, bytes) ? bytes : undefined;
  }

  readInto(ipa: number, into: Uint8Array): boolean {
    const { ram } = this.services.machine;
    const { length } = into;
    for (let done = 0; done < length;) {
      const size = pieceAt(ipa + done, length - done);
      const pa = this.#ramPa(ipa + done, size, Stage2Flags.Read);
      if (pa === undefined) return false;
      ram.read(pa, size === length ? into : into.subarray(done, done + size));
      done += size;
    }
    return true;
  }

  write(ipa: number, bytes: Uint8Array): boolean {
    const { ram } = this.services.machine;
    const { length } = bytes;
    const places: number[] = [];
    for (let done = 0; done < length; done += pieceAt(ipa + done, length - done)) {
      const pa = this.#ramPa(ipa + done, pieceAt(ipa + done, length - done), Stage2Flags.Write);
      if (pa === undefined) return false;
      places.push(pa);
    }
    let done = 0;
    for (const pa of places) {
      const size = pieceAt(ipa + done, length - done);
      ram.write(pa, size === length ? bytes : bytes.subarray(done, done + size), this.#writer);
      done += size;
    }
    return true;
  }

  readDevice(ipa: number, size: number): bigint | undefined {
    this.#accesses++;
    const attached = this.#addressSpace.deviceAt(ipa);
    if (attached) return attached.device.read(this.vcpu, ipa - attached.ipa, size);
    const pa = this.#devicePa(ipa, Stage2Flags.Read);
    return pa === undefined ? undefined : this.services.machine.bus.read(pa, size);
  }

  writeDevice(ipa: number, size: number, value: bigint): boolean {
    this.#accesses++;
    const attached = this.#addressSpace.deviceAt(ipa);
    if (attached) return attached.device.write(this.vcpu, ipa - attached.ipa, size, value);
    const pa = this.#devicePa(ipa, Stage2Flags.Write);
    return pa !== undefined && this.services.machine.bus.write(pa, size, value);
  }

  enableIrq(intid: number, edge: boolean): void {
    const frame = intid < Intid.PrivateEnd ? GICR_BASE + this.index * GICR_STRIDE + Gic.SgiFrame : GICD_BASE;
    const set = (register: number, bitsPerIrq: number, value: bigint) => {
      const perWord = 32 / bitsPerIrq;
      const at = frame + register + Math.floor(intid / perWord) * 4;
      const shift = BigInt(intid % perWord * bitsPerIrq);
      const mask = (1n << BigInt(bitsPerIrq)) - 1n << shift;
      this.#writeGic(at, 4, this.#readGic(at, 4) & ~mask | value << shift);
    };
    const ctlr = this.#readGic(GICD_BASE + Gic.CTLR, 4);
    if (!(ctlr & GICD_CTLR_ENABLE_GROUP1)) this.#writeGic(GICD_BASE + Gic.CTLR, 4, ctlr | GICD_CTLR_ENABLE_GROUP1);
    set(Gic.IGROUPR, 1, 1n);
    this.#writeGic(frame + Gic.IPRIORITYR + intid, 1, IRQ_PRIORITY);
    if (intid >= Intid.SgiEnd) set(Gic.ICFGR, 2, edge ? 2n : 0n);
    if (intid >= Intid.PrivateEnd) {
      this.#writeGic(GICD_BASE + Gic.IROUTER + 8 * intid, 8, this.vcpu.registers.getRegister("MPIDR_EL1") & 0xff_00ff_ffffn);
    }
    this.#writeGic(frame + Gic.ISENABLER + Math.floor(intid / 32) * 4, 4, 1n << BigInt(intid % 32));
  }

  setTimer(at: number | undefined): void {
    const { registers, timers } = this.vcpu;
    if (at !== undefined) registers.setRegister("CNTV_CVAL_EL0", BigInt(Math.ceil(at / NS_PER_TICK)));
    registers.setRegister("CNTV_CTL_EL0", at === undefined ? 0n : TIMER_ENABLE);
    timers.reload(this.now);
  }

  get #addressSpace(): AddressSpace {
    const { addressSpace } = this.vcpu;
    if (!addressSpace) throw new Error(`${this.vcpu.name} runs without an address space`);
    return addressSpace;
  }

  /**
   * The first steps of a program's start-up code: its CPU interface passes group 1 interrupts, its
   * virtual timer has a vIRQ.
   */
  #begin(entry: bigint, x0: bigint): void {
    this.vcpu.gic.writeRegister(Icc.PMR, PRIORITY_MASK);
    this.vcpu.gic.writeRegister(Icc.IGRPEN1, 1n);
    this.enableIrq(TimerPpi.Virtual, false);
    this.guest.start(this, entry, x0);
  }

  /** Acknowledges and handles one interrupt; false when none was left. */
  #interrupt(): boolean {
    const intid = this.vcpu.gic.acknowledge(1);
    if (intid >= Intid.SpiEnd) return false;
    traceInterrupt(this.vcpu, "acknowledge", intid);
    if (intid === TimerPpi.Virtual) {
      this.setTimer(undefined);
      this.guest.timer(this);
    } else {
      this.guest.virq(this, intid);
    }
    this.vcpu.gic.endOfInterrupt(1, intid);
    traceInterrupt(this.vcpu, "end", intid);
    return true;
  }

  #readGic(at: number, size: number): bigint {
    const value = this.readDevice(at, size);
    if (value === undefined) throw new Error(`${this.vcpu.name} has no GIC register at 0x${at.toString(16)}`);
    return value;
  }

  #writeGic(at: number, size: number, value: bigint): void {
    if (!this.writeDevice(at, size, value)) throw new Error(`${this.vcpu.name} has no GIC register at 0x${at.toString(16)}`);
  }

  #devicePa(ipa: number, flag: number): number | undefined {
    const page = this.#addressSpace.stage2.lookup(ipa);
    if (!page || !(page.flags & flag)) return undefined;
    const pa = page.pa + ipa % PAGE_SIZE;
    return this.services.machine.ram.contains(pa, 1) ? undefined : pa;
  }

  /**
   * Physical address of a piece within one page; undefined if that is not RAM or does not allow
   * the access.
   */
  #ramPa(ipa: number, size: number, flag: number): number | undefined {
    const page = this.#addressSpace.stage2.lookup(ipa);
    if (!page || !(page.flags & flag)) return undefined;
    const pa = page.pa + ipa % PAGE_SIZE;
    return this.services.machine.ram.contains(pa, size) ? pa : undefined;
  }
}

/** How many of `length` bytes from `address` on are in its page. */
function pieceAt(address: number, length: number): number {
  return Math.min(length, PAGE_SIZE - address % PAGE_SIZE);
}

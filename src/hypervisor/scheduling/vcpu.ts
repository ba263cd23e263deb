// vCPUs, the one kind of thread: life, power, reasons to be blocked, attachments
// (docs/spec/hypervisor.md §3.6, 4.9, §5.2, §5.5, §5.6). Hypercalls on them are in vcpu-calls.ts
// and vcpu-run.ts, their scheduling is in scheduler.ts.

import { ErrorCode } from "../../abi/errors.ts";
import { CPU_INVALID, VcpuOption } from "../../abi/words.ts";
import { Pstate, Sctlr } from "../../core/architecture/exceptions.ts";
import type { Translation, VcpuState } from "../../core/interface.ts";
import { MAX_CPUS } from "../../machine/memory-map.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { archiveRegisters } from "../archive/registers-archive.ts";
import type { Cspace } from "../capabilities/cspace.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { VgicCpu } from "../gic/vgic-cpu-interface.ts";
import type { Vic } from "../gic/vic.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { EntropyBudget } from "../random/entropy-budget.ts";
import type { VcpuTrace } from "../trace/trace-hub.ts";
import { DEEPEST_POWER_STATE, type SystemReset } from "./power-state.ts";
import { TimerPpi, VcpuTimers } from "./timer.ts";
import type { Entrance, VcpuProgram, VcpuServices } from "./vcpu-services.ts";
import { PRIORITY_END, VcpuSettings } from "./vcpu-settings.ts";
import { VcpuTurn } from "./vcpu-turn.ts";
import { VcpuUsage } from "./vcpu-usage.ts";
import type { VpmGroup } from "./vpm-group.ts";
import { KiB } from "../../support/sizes.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    thread: Vcpu;
  }
  interface EveryService extends VcpuServices {}
}

/** Why a vCPU does not run, one bit each. None set: it is runnable. */
export const Block = {
  /** Not activated yet, or exited. */
  Lifecycle: 1,
  /** Powered off. */
  Off: 2,
  /** PSCI suspend, or WFI of a vCPU without a VPM group. */
  Suspend: 4,
  /** WFI. */
  Wfi: 8,
  /** Proxy-scheduled, and not inside vcpu_run. */
  Run: 32,
  /** A device access waits for the VMM. */
  Vmmio: 64,
  /** It has a fault that it cannot take as an exception: it never runs again. */
  Fault: 128,
} as const;

const BLOCK_TEXTS: readonly [bit: number, text: string][] = [
  [Block.Lifecycle, "its activation"],
  [Block.Off, "power-on"],
  [Block.Suspend, "an interrupt (suspended)"],
  [Block.Wfi, "an interrupt (WFI)"],
  [Block.Run, "vcpu_run"],
  [Block.Vmmio, "its VMM (device access)"],
  [Block.Fault, "its end (unrecoverable fault)"],
];

/** The life of an active thread. A killed one has to run once more to exit. */
export type Life = "ready" | "killed" | "exited";

/** Where a vCPU that lost its registers in a suspend comes back. */
export interface ResumePoint {
  readonly entry: bigint;
  readonly context: bigint;
}

/** A device access that waits for the VMM. */
export interface VmmioAccess {
  readonly write: boolean;
  readonly ipa: number;
  /** 1, 2, 4 or 8 bytes; 0 for a page fault, after which the access is made again. */
  readonly size: number;
  /** The register of a store, whole. */
  readonly value: bigint;
  readonly esr: number;
  /** The virtual address. */
  readonly far: bigint;
}

const LIVES = ["ready", "killed", "exited"] as const;
const ALL_BLOCKS = Object.values(Block).reduce<number>((all, bit) => all | bit, 0);

/** MIDR_EL1 of pinned vCPUs: what the platform's CPU calls itself. */
const MIDR_PINNED = 0x000f_0510n;
/** MIDR_EL1 of all other vCPUs: a CPU of no implementer, part 0x48. */
const MIDR_DEFAULT = 0x000f_0480n;

/** A vCPU. */
export class Vcpu extends HypervisorObject {
  /**
   * Its context. The root partition's heap has room for no more vCPUs than the core has contexts.
   */
  static readonly SIZE = 40 * KiB;
  /** Bytes of the stack that it gets at activation. */
  static readonly STACK_SIZE = 8 * KiB;
  declare readonly services: VcpuServices;
  readonly type = "thread";
  cspace: Cspace | undefined;
  addressSpace: AddressSpace | undefined;
  /** The architectural state. */
  readonly registers: VcpuState;
  readonly timers: VcpuTimers;
  /** What is said of its work, and of what its native program does. */
  readonly trace: VcpuTrace;
  /** The native program that runs in place of instructions, while the vCPU is powered on at one. */
  native: VcpuProgram | undefined;

  readonly settings = new VcpuSettings();
  readonly turn = new VcpuTurn();
  readonly usage = new VcpuUsage();

  vic: Vic | undefined;
  /** VIC index, and index of the vCPU in its VM. */
  index = 0;
  vpmGroup: VpmGroup | undefined;
  vpmIndex = 0;
  #gic: VgicCpu | undefined;

  life: Life = "ready";
  #blocks: number = Block.Lifecycle | Block.Off;
  /** power_state of the suspend in progress. */
  powerState = 0;
  #resume: ResumePoint | undefined;
  /** The access of `Block.Vmmio`. */
  vmmio: VmmioAccess | undefined;
  /** It asked for a system reset; vcpu_run tells so from then on. */
  systemReset: SystemReset | undefined;
  /** Its fault is the bite of its VM's watchdog. */
  bitten = false;
  /** vIRQs of somebody who watches over it: it halted; it wants to run again. */
  readonly haltVirq = new VirqSource(this, "halted", () => false, true);
  readonly wakeupVirq = new VirqSource(this, "wants to run", () => false);

  /** How its hypercall in progress came in. */
  entrance: Entrance = "native";

  readonly entropy = new EntropyBudget();
  constructor(services: VcpuServices, partition: Heap) {
    super(services, partition, Vcpu.SIZE);
    this.registers = services.core.createVcpu();
    this.timers = new VcpuTimers(this, this.registers, services.machine, () => services.scheduler.deadlineChanged(this));
    this.trace = services.trace.port(() => services.names.vcpu(this));
  }

  override get name(): string {
    const vmid = this.addressSpace?.vmid;
    return vmid === undefined ? super.name : `vCPU ${this.index} of VM ${vmid}`;
  }

  /** Its CPU interface. The vCPU is or was active. */
  get gic(): VgicCpu {
    if (!this.#gic) throw new Error(`${this.name} has not been activated`);
    return this.#gic;
  }

  get isPoweredOff(): boolean {
    return (this.#blocks & Block.Off) !== 0;
  }

  /**
   * Its place among those that wait for a CPU: its priority, but an exit, which takes no time,
   * comes before all others.
   */
  get rank(): number {
    return this.life === "killed" ? PRIORITY_END - 1 : this.settings.priority;
  }

  /** Killed or exited: it will never run a guest's instruction again. */
  get isDead(): boolean {
    return this.life !== "ready";
  }

  /** Powered on and not asleep. */
  get isAwake(): boolean {
    return (this.#blocks & (Block.Lifecycle | Block.Off | Block.Suspend | Block.Wfi)) === 0;
  }

  /** A vCPU of the primary VM (option hlos_vm). */
  get isPrimary(): boolean {
    return (this.settings.options & VcpuOption.HlosVm) !== 0n;
  }

  /** Without it the system cannot go on; its power-off is the platform's. */
  get isCritical(): boolean {
    return (this.settings.options & (VcpuOption.Critical | VcpuOption.HlosVm)) !== 0n;
  }

  get isPinned(): boolean {
    return (this.settings.options & (VcpuOption.Pinned | VcpuOption.HlosVm)) !== 0n;
  }

  /** Whether an interrupt is signalled to it, taken or not. */
  get hasInterrupt(): boolean {
    return this.gic.irq || this.gic.fiq;
  }

  /** `Block` bits. */
  get blocks(): number {
    return this.#blocks;
  }

  isBlockedBy(reason: number): boolean {
    return (this.#blocks & reason) !== 0;
  }

  /**
   * Whether the scheduler can run it. A killed vCPU runs to its exit whatever it waits for, but not
   * out of vcpu_run.
   */
  get isRunnable(): boolean {
    return this.#canRun(this.#blocks);
  }

  /** Whether it could run inside vcpu_run. */
  get isRunnableByProxy(): boolean {
    return this.#canRun(this.#blocks & ~Block.Run);
  }

  /** What it waits for, for people; empty when it can run. */
  get waits(): string {
    if (this.life === "exited") return "nothing (exited)";
    return BLOCK_TEXTS.filter(([bit]) => this.#blocks & bit).map(([, text]) => text).join(", ");
  }

  /** Sets a reason to be blocked. */
  block(reason: number): void {
    this.services.scheduler.disturb();
    this.#blocks |= reason;
  }

  /** Clears reasons to be blocked; the scheduler learns of it if none is left. */
  unblock(reasons: number): void {
    this.#blocks &= ~reasons;
    this.services.scheduler.ready(this);
  }

  /** Attaches it to a VIC, while in state INIT; replaces an earlier attachment. */
  attachVic(vic: Vic, index: number): void {
    vic.retain();
    this.vic?.release();
    this.vic = vic;
    this.index = index;
  }

  /** Attaches it to a VPM group, while in state INIT; replaces an earlier attachment. */
  attachVpmGroup(group: VpmGroup, index: number): void {
    group.retain();
    this.vpmGroup?.release();
    this.vpmGroup = group;
    this.vpmIndex = index;
  }

  translate(va: bigint, access: "read" | "write"): Translation {
    return this.services.core.translate(this.registers, va, access, 1);
  }

  /**
   * Powers it on in the state of section 4.9; without `entry` or `context`, PC or X0 stay. It is
   * powered off and alive.
   */
  powerOn(entry: bigint | undefined, context: bigint | undefined): void {
    if (entry !== undefined) this.registers.pc = entry;
    if (context !== undefined) this.registers.setX(0, context);
    this.#resetRegisters();
    this.trace.reset();
    this.native = this.services.natives.enter(this, this.registers.pc, this.registers.getX(0));
    this.#blocks &= ~(Block.Off | Block.Suspend | Block.Wfi);
    this.traceState("powered on");
    this.#announce();
    this.services.scheduler.ready(this);
  }

  /** Powers it off: no interrupts and no timers until it is powered on again. */
  powerOff(): void {
    this.block(Block.Off);
    this.traceState("powered off");
    this.#quiesce();
  }

  /** Powers it off by force, which its halt vIRQ tells. */
  halt(): void {
    this.services.onVcpuEnd?.(this, this.systemReset ? "system-reset" : "system-off");
    this.powerOff();
    this.haltVirq.assertEdge();
  }

  /** It cannot go on, not even by an exception, which its halt vIRQ tells. */
  fault(): void {
    this.services.onVcpuEnd?.(this, "fault");
    this.block(Block.Fault);
    this.traceState("faulted");
    this.haltVirq.assertEdge();
  }

  /**
   * Its VM's watchdog was not pinged for `time` ms: it halts with a fault. A critical one takes the
   * machine with it.
   */
  bite(time: number): void {
    if (this.isCritical) return this.services.stop(`${this.name}: its watchdog was not pinged for ${time} ms`);
    this.services.onVcpuEnd?.(this, "watchdog");
    this.bitten = true;
    this.block(Block.Fault);
    this.traceState("bitten by its watchdog");
    this.haltVirq.assertEdge();
  }

  /** WFI. Without a VPM group it counts as a suspend to the deepest state. */
  waitForInterrupt(): void {
    if (this.hasInterrupt) return;
    if (this.vpmGroup) this.block(Block.Wfi);
    else this.suspend(DEEPEST_POWER_STATE, undefined);
  }

  /**
   * Sleeps until an interrupt. With `resume`, its registers are reset then and it goes on there.
   */
  suspend(powerState: number, resume: ResumePoint | undefined): void {
    this.block(Block.Suspend);
    this.powerState = powerState;
    this.#resume = resume;
  }

  /** Ends its life: it exits when it runs next. */
  kill(): void {
    if (this.life !== "ready") return;
    this.services.onVcpuEnd?.(this, "killed");
    this.services.scheduler.requeue(this, () => this.life = "killed");
    this.traceState("killed");
    this.#announce();
    this.services.scheduler.ready(this);
  }

  /** The end: called when a killed vCPU runs. */
  exit(): void {
    this.life = "exited";
    this.traceState("exited");
    this.block(Block.Lifecycle);
    this.vmmio = undefined;
    this.#quiesce();
    if (this.isCritical) this.services.stop(`${this.name}, which the system needs, has exited`);
    this.release();
  }

  override held(): HypervisorObject[] {
    const attachments = [this.cspace, this.addressSpace, this.vic, this.vpmGroup, this.turn.yieldTo];
    const self = this.state === "active" && this.life !== "exited" ? this : undefined;
    return [...super.held(), ...[...attachments, self].filter((object) => object !== undefined)];
  }

  virqSources(): VirqSource[] {
    return [this.haltVirq, this.wakeupVirq, this.timers.virtual.source, this.timers.physical.source];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.settings.archive(archive);
    this.index = archive.integer("index", this.index, 0, MAX_CPUS - 1);
    this.vpmIndex = archive.integer("vpmIndex", this.vpmIndex, 0, MAX_CPUS - 1);
    this.cspace = archive.objectOrNone("cspace", this.cspace, "cspace");
    this.addressSpace = archive.objectOrNone("addressSpace", this.addressSpace, "addrspace");
    this.vic = archive.objectOrNone("vic", this.vic, "vic");
    this.vpmGroup = archive.objectOrNone("vpmGroup", this.vpmGroup, "vpm_group");
    archiveRegisters(archive, this.services.core, this.registers);
    archive.within("timers", () => this.timers.archive(archive));
    archive.within("entropy", () => this.entropy.archive(archive));
    this.#archiveLife(archive);
    this.#archiveTurn(archive);
    if (archive.loading && this.state === "active") this.#takeUp(archive);
  }

  /** What its native program is about to handle, saved or loaded; after the programs. */
  archiveNative(archive: ObjectArchive): void {
    this.native = archive.maybe("native", this.native, (native) => {
      const execution = native ?? this.services.natives.loaded(archive, this);
      execution.archive(archive);
      return execution;
    });
  }

  /** Power, and what it waits for. */
  #archiveLife(archive: ObjectArchive): void {
    this.life = archive.choice("life", this.life, LIVES);
    this.#blocks = archive.integer("blocks", this.#blocks, 0, ALL_BLOCKS);
    this.powerState = archive.integer("powerState", this.powerState, 0, 0xffff_ffff);
    this.#resume = archive.maybe("resume", this.#resume, (resume) => ({
      entry: archive.word("entry", resume?.entry),
      context: archive.word("context", resume?.context),
    }));
    this.vmmio = archive.maybe("vmmio", this.vmmio, (access) => ({
      write: archive.bool("write", access?.write),
      ipa: archive.integer("ipa", access?.ipa),
      size: archive.choice("size", access?.size, [0, 1, 2, 4, 8]),
      value: archive.word("value", access?.value),
      esr: archive.integer("esr", access?.esr, 0, 0xffff_ffff),
      far: archive.word("far", access?.far),
    }));
    this.systemReset = archive.maybe("systemReset", this.systemReset, (reset) => ({
      kind: archive.choice("kind", reset?.kind, ["reset", "reset2"]),
      wide: archive.bool("wide", reset?.wide),
      type: archive.integer("type", reset?.type, 0, 0xffff_ffff),
      cookie: archive.word("cookie", reset?.cookie),
    }));
    this.bitten = archive.bool("bitten", this.bitten);
    this.haltVirq.archive("haltVirq", archive);
    this.wakeupVirq.archive("wakeupVirq", archive);
  }

  /** What the scheduler notes of it. */
  #archiveTurn(archive: ObjectArchive): void {
    this.turn.archive(archive);
    this.entrance = archive.choice("entrance", this.entrance, ["native", "smccc"]);
    this.usage.archive(archive);
  }

  /** It was active when it was saved: it has its places again. */
  #takeUp(archive: ObjectArchive): void {
    const { vic, addressSpace, vpmGroup } = this;
    if (!vic || !addressSpace || !this.cspace) return archive.fail("an active vCPU has a VIC, an address space and a cspace");
    const free = vic.occupy(this, this.index) === ErrorCode.OK && (vpmGroup?.occupy(this, this.vpmIndex) ?? ErrorCode.OK) === ErrorCode.OK;
    archive.require(free, "vCPUs of a VIC or VPM group have an index each");
    archive.later(() => {
      archive.require(
        vic.state === "active" && this.index < vic.maxVcpus && addressSpace.state === "active",
        "a vCPU's VIC and address space are active",
      );
      this.#connect(vic);
      this.registers.stage2 = addressSpace.stage2.id;
    });
  }

  override discard(): void {
    super.discard();
    this.timers.release();
    this.services.core.releaseVcpu(this.registers);
  }

  protected onActivate(): ErrorCode {
    const config = (rule: string, values = {}) => this.refuse(ErrorCode.OBJECT_CONFIG, rule, values);
    if (!this.cspace) return config("a vCPU needs a cspace");
    if (!this.addressSpace) return config("a vCPU needs an address space");
    if (!this.vic) return this.refuse(ErrorCode.ARGUMENT_INVALID, "a vCPU needs a VIC");
    const options = this.#checkOptions();
    if (options !== ErrorCode.OK) return options;
    const stack = this.charge(Vcpu.STACK_SIZE);
    if (stack !== ErrorCode.OK) return stack;
    const index = this.vic.occupy(this, this.index);
    if (index !== ErrorCode.OK) return index;
    const vpm = this.vpmGroup?.occupy(this, this.vpmIndex) ?? ErrorCode.OK;
    if (vpm !== ErrorCode.OK) {
      this.vic.vacate(this, this.index);
      return vpm;
    }
    this.#enterMachine(this.vic, this.addressSpace);
    return ErrorCode.OK;
  }

  protected onDestroy(wasActive: boolean): void {
    if (wasActive) {
      this.vic!.vacate(this, this.index);
      this.vpmGroup?.vacate(this, this.vpmIndex);
      this.services.scheduler.remove(this);
    }
    this.timers.release();
    this.haltVirq.unbind();
    this.wakeupVirq.unbind();
    this.vic?.release();
    this.vpmGroup?.release();
    this.addressSpace?.detachThread();
    this.cspace?.release();
    this.services.core.releaseVcpu(this.registers);
  }

  #checkOptions(): ErrorCode {
    const config = (rule: string) =>
      this.refuse(ErrorCode.OBJECT_CONFIG, rule, { options: this.settings.options, affinity: this.settings.affinity });
    const { scheduler } = this.services;
    if (this.settings.affinity !== CPU_INVALID && !scheduler.hasCpu(this.settings.affinity)) {
      return config("the CPU of its affinity does not exist");
    }
    if (this.isCritical && !this.partition!.privileged) return config("critical vCPUs belong to a privileged partition");
    if (this.isPinned && this.settings.affinity === CPU_INVALID) return config("a pinned vCPU needs an affinity");
    if (this.settings.options & VcpuOption.SveAllowed && !this.isPrimary) return config("SVE is for the primary VM only");
    if (this.isPrimary && scheduler.hasPrimary(this.settings.affinity)) return config("another vCPU of the primary VM has this CPU");
    return ErrorCode.OK;
  }

  /** Its CPU interface is that of its index. */
  #connect(vic: Vic): void {
    this.#gic = vic.gic.cpus[this.index];
    this.#gic.onSignal = () => {
      this.services.scheduler.disturb();
      if (this.hasInterrupt) this.#wake();
    };
  }

  #enterMachine(vic: Vic, addressSpace: AddressSpace): void {
    this.#connect(vic);
    vic.attachDefaultFrames(addressSpace, this.index);
    for (
      const [source, ppi] of [[this.timers.virtual.source, TimerPpi.Virtual], [this.timers.physical.source, TimerPpi.Physical]] as const
    ) {
      if (vic.bindPrivate(source, this.index, ppi) !== ErrorCode.OK) throw new Error(`${this.name}: its timer's PPI ${ppi} is taken`);
    }
    vic.forwardPpis(this, this.index);
    this.registers.stage2 = addressSpace.stage2.id;
    this.registers.setRegister("MIDR_EL1", this.isPinned ? MIDR_PINNED : MIDR_DEFAULT);
    this.registers.setRegister("MPIDR_EL1", vic.mpidr(this.index));
    this.#blocks &= ~Block.Lifecycle;
    if (this.settings.options & VcpuOption.VcpuRunScheduled) this.#blocks |= Block.Run;
    // It holds itself until it exits: capabilities may go, a running vCPU stays.
    this.retain();
    this.services.scheduler.add(this);
  }

  #canRun(blocks: number): boolean {
    if (this.life === "exited") return false;
    return this.life === "killed" ? (blocks & Block.Run) === 0 : blocks === 0;
  }

  /** An interrupt is signalled: sleep ends. */
  #wake(): void {
    if (!(this.#blocks & (Block.Wfi | Block.Suspend))) return;
    if (this.#blocks & Block.Suspend && this.#resume) {
      const { entry, context } = this.#resume;
      this.registers.pc = entry;
      this.registers.setX(0, context);
      this.#resetRegisters();
    }
    this.#resume = undefined;
    this.#blocks &= ~(Block.Wfi | Block.Suspend);
    this.#announce();
    this.services.scheduler.ready(this);
  }

  /** Tells who runs a proxy-scheduled vCPU that it wants to run. */
  #announce(): void {
    if (this.#blocks & Block.Run) this.wakeupVirq.assertEdge();
  }

  #resetRegisters(): void {
    this.registers.pstate = Pstate.EL1h | Pstate.Daif;
    this.registers.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset));
    this.registers.setRegister("CPACR_EL1", 0n);
  }

  #quiesce(): void {
    this.native = undefined;
    this.#resume = undefined;
    this.gic.disableGroups();
    this.timers.disable(this.services.now);
  }
}

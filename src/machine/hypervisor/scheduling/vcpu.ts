// vCPUs, the only kind of thread: the effects of power, interrupts, faults, calls and the end
// (docs/spec/hypervisor.md §3.6, §4.9, §5.2, §5.5, §5.6). Their state is in vcpu-life.ts,
// vcpu-attachments.ts, vcpu-settings.ts, vcpu-turn.ts and vcpu-usage.ts, each changed by its owner
// alone; hypercalls on them are in vcpu-calls.ts and vcpu-run-calls.ts, their scheduling in
// scheduler.ts.

import { ErrorCode } from "../../abi/errors.ts";
import type { RamWriter } from "../../abi/ram-writer.ts";
import { CPU_INVALID, VcpuOption } from "../../abi/words.ts";
import type { Translation, VcpuState } from "../../../cpu/core/interface.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { archiveRegisters } from "../archive/registers-archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { VgicCpu } from "../gic/vgic-cpu-interface.ts";
import type { Vic } from "../gic/vic.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { ALL_STAGE2_FLAGS } from "../memory/stage2.ts";
import { EntropyBudget } from "../random/entropy-budget.ts";
import type { VcpuTrace } from "../trace/trace-hub.ts";
import { Block, DEEPEST_POWER_STATE, type LifeOfVcpu, type ResumePoint, VcpuLife, type VmmioAccess } from "./vcpu-life.ts";
import { CoreInterrupts } from "./core-interrupts.ts";
import { VcpuTimers } from "./timer.ts";
import { VcpuAttachments } from "./vcpu-attachments.ts";
import type { Entrance, VcpuEnd, VcpuProgram, VcpuServices } from "./vcpu-services.ts";
import { PRIORITY_END, VcpuSettings } from "./vcpu-settings.ts";
import { RECORD_SIZE, StolenTime } from "./stolen-time.ts";
import { VcpuTurn } from "./vcpu-turn.ts";
import { VcpuUsage } from "./vcpu-usage.ts";
import { KiB } from "../../../kit/support/values/sizes.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    thread: Vcpu;
  }
  interface EveryService extends VcpuServices {}
}

/** MIDR_EL1 of pinned vCPUs: that of the platform's CPU. */
const MIDR_PINNED = 0x000f_0510n;
/** MIDR_EL1 of all other vCPUs: a CPU of no implementer, part 0x48. */
const MIDR_DEFAULT = 0x000f_0480n;

/** An access that nothing answers. */
export interface ExternalAbort {
  /** The instruction, and the virtual address. */
  readonly pc: bigint;
  readonly far: bigint;
  readonly ipa: number;
  /** ESR_EL1 of the exception. */
  readonly esr: number;
  /** Stage 2 at that time: the page as it was mapped, with its flags; undefined: it was not. */
  readonly page: { readonly pa: number; readonly flags: number } | undefined;
}

const NO_CHAIN = { length: 0, same: 0, interrupts: 0, esr: 0n, elr: 0n, far: 0n };

export class Vcpu extends HypervisorObject {
  /**
   * Its context. The root partition's heap has room for no more vCPUs than the core has contexts.
   */
  static readonly SIZE = 40 * KiB;
  /** Bytes of the stack that it gets at activation. */
  static readonly STACK_SIZE = 8 * KiB;
  declare readonly services: VcpuServices;
  readonly type = "thread";
  /** The architectural state. */
  readonly registers: VcpuState;
  readonly timers: VcpuTimers;
  readonly coreInterrupts: CoreInterrupts;
  /** Undefined if VMs cannot read it. */
  readonly stolenTime: StolenTime | undefined;
  /** Trace of its work, and of its native program's. */
  readonly trace: VcpuTrace;
  /** The writer of its calls' results in memory. */
  readonly resultWriter: RamWriter;

  readonly settings = new VcpuSettings();
  readonly turn = new VcpuTurn();
  readonly usage = new VcpuUsage();

  /** Changed in state INIT; `AddressSpace.attachThread` alone attaches its address space. */
  readonly attachments = new VcpuAttachments();
  readonly #life = new VcpuLife(() => this.stolenTime?.wake(this.services.now));
  #gic: VgicCpu | undefined;
  #native: VcpuProgram | undefined;
  #entrance: Entrance = "native";
  #externalAbort: ExternalAbort | undefined;
  /** vIRQs for a VM that supervises it: it halted; it wants to run again. */
  readonly haltVirq = new VirqSource(this, "halted", () => false, true);
  readonly wakeupVirq = new VirqSource(this, "wants to run", () => false);

  readonly entropy = new EntropyBudget();

  constructor(services: VcpuServices, partition: Heap) {
    super(services, partition, Vcpu.SIZE);
    this.registers = services.core.createVcpu();
    const deadlineChanged = () => services.scheduler.deadlineChanged(this);
    this.timers = new VcpuTimers(this, this.registers, services.machine, deadlineChanged, () => this.#holdsTimers);
    this.coreInterrupts = new CoreInterrupts(this, this.registers);
    this.stolenTime = services.behaviour.pvTime ? new StolenTime() : undefined;
    this.trace = services.trace.port(() => services.names.vcpu(this));
    this.resultWriter = services.names.writer("call", this);
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

  get addressSpace(): AddressSpace | undefined {
    return this.attachments.addressSpace;
  }

  /** Its address space. The vCPU is or was active. */
  get space(): AddressSpace {
    const { addressSpace } = this.attachments;
    if (!addressSpace) throw new Error(`${this.name} has no address space`);
    return addressSpace;
  }

  /** VIC index, and index of the vCPU in its VM. */
  get index(): number {
    return this.attachments.index;
  }

  /** The native program that runs instead of instructions, while the vCPU is powered on at one. */
  get native(): VcpuProgram | undefined {
    return this.#native;
  }

  /** How its hypercall in progress came in. */
  get entrance(): Entrance {
    return this.#entrance;
  }

  /** The external abort that it took last; evidence, which nothing of the machine reads. */
  get externalAbort(): ExternalAbort | undefined {
    return this.#externalAbort;
  }

  get life(): LifeOfVcpu {
    return this.#life;
  }

  /**
   * Its place among those that wait for a CPU: its priority, but an exit, which takes no time,
   * comes before all others.
   */
  get rank(): number {
    return this.#life.stage === "killed" ? PRIORITY_END - 1 : this.settings.priority;
  }

  /** It makes a call, which came in like this. */
  beginCall(entrance: Entrance): void {
    this.#entrance = entrance;
  }

  /** It takes an external abort. */
  noteExternalAbort(abort: ExternalAbort): void {
    this.#externalAbort = abort;
  }

  /** Sets reasons to be blocked. */
  block(reasons: number): void {
    this.services.scheduler.disturb();
    this.#life.block(reasons);
  }

  /** Clears reasons to be blocked; the scheduler learns of it if none is left. */
  unblock(reasons: number): void {
    this.#life.unblock(reasons);
    this.services.scheduler.ready(this);
  }

  /** It waits until its VMM has answered an access. */
  leaveToVmm(access: VmmioAccess): void {
    this.services.scheduler.disturb();
    this.#life.leaveToVmm(access);
  }

  /** Its VMM has answered the access. */
  vmmAnswered(): void {
    this.#life.vmmAnswered();
    this.services.scheduler.ready(this);
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
    this.#native = this.services.natives.enter(this, this.registers.pc, this.registers.getX(0));
    this.#life.unblock(Block.Off | Block.Suspend | Block.Wfi);
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

  /** Powers it off by force, which its halt vIRQ reports. */
  halt(): void {
    this.services.onVcpuEnd?.(this, this.#life.systemReset ? "system-reset" : "system-off");
    this.powerOff();
    this.haltVirq.assertEdge();
  }

  /** It cannot continue, not even by an exception; its halt vIRQ reports that. */
  fault(how: VcpuEnd = "fault"): void {
    this.services.onVcpuEnd?.(this, how);
    this.block(Block.Fault);
    this.traceState("faulted");
    this.haltVirq.assertEdge();
  }

  /** Its watchdog was not pinged for `time` ms: it halts; a critical one takes the machine too. */
  bite(time: number): void {
    if (this.settings.isCritical) return this.services.stop(`${this.name}: its watchdog was not pinged for ${time} ms`);
    this.services.onVcpuEnd?.(this, "watchdog");
    this.services.scheduler.disturb();
    this.#life.bite();
    this.traceState("bitten by its watchdog");
    this.haltVirq.assertEdge();
  }

  /** WFI. Without a VPM group it counts as a suspend to the deepest state. */
  waitForInterrupt(): void {
    if (this.gic.hasInterrupt) return;
    if (this.attachments.vpmGroup) this.block(Block.Wfi);
    else this.suspend(DEEPEST_POWER_STATE, undefined);
  }

  /**
   * Sleeps until an interrupt. With `resume`, its registers are reset then and it continues there.
   */
  suspend(powerState: number, resume: ResumePoint | undefined): void {
    this.services.scheduler.disturb();
    this.#life.suspend(powerState, resume);
  }

  /** The VMM that runs it keeps its timers while it sleeps outside vcpu_run. */
  get #holdsTimers(): boolean {
    if (this.settings.wakesAtTimers || !(this.#life.blocks & Block.Run)) return false;
    return (this.#life.blocks & (Block.Wfi | Block.Suspend)) !== 0;
  }

  /** Ends a suspend as an interrupt would. */
  endSuspend(): void {
    if (this.#life.blocks & Block.Suspend) this.#wake();
  }

  /** Ends its life: it exits when it runs next. */
  kill(): void {
    if (this.#life.stage !== "ready") return;
    this.services.onVcpuEnd?.(this, "killed");
    this.services.scheduler.requeue(this, () => this.#life.kill());
    this.traceState("killed");
    this.#announce();
    this.services.scheduler.ready(this);
  }

  /** The end: called when a killed vCPU runs. */
  exit(): void {
    this.services.scheduler.disturb();
    this.#life.exit();
    this.traceState("exited");
    this.#quiesce();
    if (this.settings.isCritical) this.services.stop(`${this.name}, which the system needs, has exited`);
    this.release();
  }

  override held(): HypervisorObject[] {
    const self = this.state === "active" && this.#life.stage !== "exited" ? this : undefined;
    return [...super.held(), ...this.attachments.held(), ...[this.turn.yieldTo, self].filter((object) => object !== undefined)];
  }

  virqSources(): VirqSource[] {
    return [this.haltVirq, this.wakeupVirq, ...this.#privateSources().map(([source]) => source)];
  }

  /** The sources of its PPIs. */
  #privateSources(): [source: VirqSource, ppi: number][] {
    return [
      ...this.timers.all.map(({ source, kind: { ppi } }): [VirqSource, number] => [source, ppi]),
      ...this.coreInterrupts.all.map(({ source, intid }): [VirqSource, number] => [source, intid]),
    ];
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.settings.archive(archive);
    const { affinity } = this.settings;
    const hasPlace = affinity === CPU_INVALID
      ? this.state !== "active" || !this.settings.isPinned
      : this.services.scheduler.hasCpu(affinity);
    archive.check(hasPlace, "a vCPU's physical CPU exists");
    this.attachments.archive(archive);
    archiveRegisters(archive, this.services.core, this.registers);
    archive.within("timers", () => this.timers.archive(archive));
    this.coreInterrupts.archive(archive);
    archive.within("entropy", () => this.entropy.archive(archive));
    this.#life.archive(archive);
    this.haltVirq.archive("haltVirq", archive);
    this.wakeupVirq.archive("wakeupVirq", archive);
    this.turn.archive(archive);
    this.#entrance = archive.choice("entrance", this.#entrance, ["native", "smccc", "geniezone"]);
    this.usage.archive(archive);
    const { stolenTime } = this;
    if (stolenTime) archive.within("stolenTime", () => stolenTime.archive(archive));
    this.#externalAbort = archive.maybe("externalAbort", this.#externalAbort, (abort) => ({
      pc: archive.word("pc", abort?.pc),
      far: archive.word("far", abort?.far),
      ipa: archive.float("ipa", abort?.ipa),
      esr: archive.integer("esr", abort?.esr, 0, 0xffff_ffff),
      page: archive.maybe("page", abort?.page, (page) => ({
        pa: archive.float("pa", page?.pa),
        flags: archive.integer("flags", page?.flags, 0, ALL_STAGE2_FLAGS),
      })),
    }));
    if (archive.loading && this.state === "active") this.#takeUp(archive);
  }

  /** Pending work of its native program, saved or loaded; after the programs. */
  archiveNative(archive: ObjectArchive): void {
    this.#native = archive.maybe("native", this.#native, (native) => {
      const execution = native ?? this.services.natives.loaded(archive, this);
      execution.archive(archive);
      return execution;
    });
  }

  /** It was active when it was saved: it has its places again. */
  #takeUp(archive: ObjectArchive): void {
    const { cspace, vic, index, addressSpace, vpmGroup, vpmIndex } = this.attachments;
    if (!vic || !addressSpace || !cspace) return archive.fail("an active vCPU has a VIC, an address space and a cspace");
    const free = vic.occupy(this, index) === ErrorCode.OK && (vpmGroup?.occupy(this, vpmIndex) ?? ErrorCode.OK) === ErrorCode.OK;
    archive.check(free, "vCPUs of a VIC or VPM group have an index each");
    archive.later(() => {
      archive.check(
        vic.state === "active" && index < vic.maxVcpus && addressSpace.state === "active",
        "a vCPU's VIC and address space are active",
      );
      this.#connect(vic);
      this.registers.stage2 = addressSpace.stage2.id;
    });
  }

  override discard(): void {
    super.discard();
    this.timers.release();
    this.coreInterrupts.release();
    this.services.core.releaseVcpu(this.registers);
  }

  protected onActivate(): ErrorCode {
    const config = (rule: string, values = {}) => this.refuse(ErrorCode.OBJECT_CONFIG, rule, values);
    const { cspace, vic, index, addressSpace, vpmGroup, vpmIndex } = this.attachments;
    if (!cspace) return config("a vCPU needs a cspace");
    if (!addressSpace) return config("a vCPU needs an address space");
    if (!vic) return this.refuse(ErrorCode.ARGUMENT_INVALID, "a vCPU needs a VIC");
    const options = this.#checkOptions();
    if (options !== ErrorCode.OK) return options;
    const { infoArea } = addressSpace, needsRecord = this.stolenTime && infoArea?.isUsable;
    if (needsRecord && infoArea.placeFor(RECORD_SIZE, RECORD_SIZE) === undefined) {
      return config("the info area has no space for its record of stolen time");
    }
    const stack = this.charge(Vcpu.STACK_SIZE);
    if (stack !== ErrorCode.OK) return stack;
    const place = vic.occupy(this, index);
    if (place !== ErrorCode.OK) return place;
    const groupPlace = vpmGroup?.occupy(this, vpmIndex) ?? ErrorCode.OK;
    if (groupPlace !== ErrorCode.OK) {
      vic.vacate(this, index);
      return groupPlace;
    }
    if (needsRecord) this.stolenTime?.takeRecord(infoArea);
    this.#enterMachine(vic, addressSpace);
    return ErrorCode.OK;
  }

  protected onDestroy(wasActive: boolean): void {
    if (wasActive) {
      const { vic, index, vpmGroup, vpmIndex } = this.attachments;
      vic?.vacate(this, index);
      vpmGroup?.vacate(this, vpmIndex);
      this.services.scheduler.remove(this);
    }
    this.timers.release();
    this.coreInterrupts.release();
    this.haltVirq.unbind();
    this.wakeupVirq.unbind();
    this.attachments.release();
    this.services.core.releaseVcpu(this.registers);
  }

  #checkOptions(): ErrorCode {
    const config = (rule: string) =>
      this.refuse(ErrorCode.OBJECT_CONFIG, rule, { options: this.settings.options, affinity: this.settings.affinity });
    const { scheduler } = this.services;
    if (this.settings.affinity !== CPU_INVALID && !scheduler.hasCpu(this.settings.affinity)) {
      return config("the CPU of its affinity does not exist");
    }
    if (this.settings.isCritical && !this.partition?.privileged) return config("critical vCPUs belong to a privileged partition");
    if (this.settings.isPinned && this.settings.affinity === CPU_INVALID) return config("a pinned vCPU needs an affinity");
    if (this.settings.options & VcpuOption.SveAllowed && !this.settings.isPrimary) return config("SVE is for the primary VM only");
    if (this.settings.isPrimary && scheduler.hasPrimary(this.settings.affinity)) {
      return config("another vCPU of the primary VM has this CPU");
    }
    return ErrorCode.OK;
  }

  /** Its CPU interface is that of its index. */
  #connect(vic: Vic): void {
    this.#gic = vic.gic.cpus[this.index];
    // Its VM is looked up when it calls: names of VMs are loaded after their vCPUs.
    this.registers.semihosting = this.services.semihosted !== undefined;
    this.#gic.connect(() => {
      this.services.scheduler.disturb();
      if (this.gic.hasInterrupt) this.#wake();
    }, () => this.registers.elrLow);
  }

  #enterMachine(vic: Vic, addressSpace: AddressSpace): void {
    this.#connect(vic);
    vic.attachDefaultFrames(addressSpace, this.index);
    for (const [source, ppi] of this.#privateSources()) {
      if (vic.bindPrivate(source, this.index, ppi) !== ErrorCode.OK) throw new Error(`${this.name}: its PPI ${ppi} is taken`);
    }
    vic.forwardPpis(this, this.index);
    this.registers.stage2 = addressSpace.stage2.id;
    this.registers.setRegister("MIDR_EL1", this.settings.isPinned ? MIDR_PINNED : MIDR_DEFAULT);
    this.registers.setRegister("MPIDR_EL1", vic.mpidr(this.index));
    if (this.registers.names.includes("RNDR")) {
      const { random } = this.services;
      this.registers.setRegister("RNDR", random.next64());
    }
    this.#life.unblock(Block.Lifecycle);
    if (this.settings.options & VcpuOption.VcpuRunScheduled) this.#life.block(Block.Run);
    // It holds itself until it exits: capabilities may go, a running vCPU stays.
    this.retain();
    this.services.scheduler.add(this);
  }

  /** An interrupt is signaled: sleep ends. */
  #wake(): void {
    if (!this.#life.isBlockedBy(Block.Wfi | Block.Suspend)) return;
    const resume = this.#life.wake();
    if (resume) {
      this.registers.pc = resume.entry;
      this.registers.setX(0, resume.context);
      this.#resetRegisters("resume");
    }
    this.#announce();
    this.services.scheduler.ready(this);
  }

  /** Notifies the VMM of a proxy-scheduled vCPU that it wants to run. */
  #announce(): void {
    if (this.#life.isBlockedBy(Block.Run)) this.wakeupVirq.assertEdge();
  }

  #resetRegisters(by: "power-on" | "resume" = "power-on"): void {
    this.registers.reset();
    this.coreInterrupts.disable();
    this.registers.chain = NO_CHAIN;
    this.registers.entered = { by, at: this.registers.pc, spsr: 0 };
  }

  #quiesce(): void {
    this.#native = undefined;
    this.#life.forgetResume();
    this.gic.disableGroups();
    this.timers.disable(this.services.now);
  }
}

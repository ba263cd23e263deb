// An assembled machine: the parts that serve a session, and what of them is saved.

import type { WaitingVcpu } from "../../../machine/abi/trace.ts";
import * as v from "valibot";
import { type Persona, PERSONAS } from "../../../machine/abi/ioctl/personas.ts";
import type { DebugCore, DeviceAtomicAccess } from "../../../cpu/core/interface.ts";
import type { HostEvent } from "../../../machine/host/interface.ts";
import {
  Cspace,
  type FaultsState,
  type Hypervisor,
  type HypervisorObject,
  type RandomGenerator,
  Vcpu,
} from "../../../machine/hypervisor/boot.ts";
import type { ObjectChanges } from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import { EventLog } from "../../inspection/trace/event-log.ts";
import { type EndedRows, type Inspected, Looks, QueryError, View, type VirtioSlot } from "../../inspection/readers/inspected.ts";
import { Inspector } from "../../inspection/inspector.ts";
import { KernelEvents } from "../../inspection/kernels/kernel-events.ts";
import { showsPanic, showsPanicEnd } from "../../inspection/kernels/kernels.ts";
import { ModulesNow } from "../../inspection/linux/read-linux.ts";
import { breakPlace } from "../../inspection/readers/guest/read-symbols.ts";
import { hasPanicked, runsAnother } from "../../inspection/verdicts/panicked.ts";
import { deviceAtomic, staleUses } from "../../inspection/verdicts/verdict-trail.ts";
import { evidenceLine } from "../../../model/queries/facts/evidence.ts";
import { formatId, nameOf, vcpuId, vmId } from "../../../model/queries/ids.ts";
import type { MemoryUse } from "../../../model/queries/memory-use.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { DIAGNOSES } from "../../../model/queries/tables.ts";
import { DEFAULT_LIMITS, type MemoryLimits } from "../../../model/plans/memory-budget.ts";
import { machineMemory, OVERLAID_MAX, traceCapacities } from "./machine-memory.ts";
import type { RunPlace } from "../../inspection/readers/run-place.ts";
import { StopRules } from "../../inspection/rules/stop-rules.ts";
import { TraceBuffer } from "../../inspection/trace/trace-buffer.ts";
import type { FieldListener } from "../../../machine/hardware/archive.ts";
import type { Machine, StopReason } from "../../../machine/hardware/machine.ts";
import { notSavable } from "../../outside/disk-file.ts";
import { Outside } from "../../outside/outside.ts";
import type { PastDisk, WrittenDisk } from "../../outside/written-disk.ts";
import type { SessionEnd } from "../../../model/protocol/protocol.ts";
import type { ResourceManager } from "../../../machine/resource-manager/resource-manager.ts";
import { type SavedPart, UnsavableError } from "../../state/parts.ts";
import type { PageMap } from "../../state/page-map.ts";
import type { EarlierPages, LeftPages } from "../../state/pages.ts";
import { loadSystem, saveSystem, type SystemState } from "../../state/system-state.ts";
import { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import { Consoles } from "../vms/consoles.ts";
import { BoardFindings } from "./board-findings.ts";
import { DebuggerSeat } from "./debugger-seat.ts";
import { EventNotes } from "./event-notes.ts";
import { SAVED_FAULTS } from "./saved-faults.ts";
import { StaleUses } from "./stale-uses.ts";
import { SessionVms } from "../vms/session-vms.ts";
import { stateHashes } from "./state-hashes.ts";
import type { ContainedBug, LeftMemory, RememberingSystem, RunKnowledge, RunMemory, StateHashes, System } from "./system.ts";
import { exceptionText } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { SessionControl } from "../vms/vm-control.ts";
import { VmEnds } from "../vms/vm-ends.ts";
import { PRIMARY_CONSOLE } from "../../../model/plans/plan.ts";
import { VmSamples } from "./vm-samples.ts";

const TAILS = v.array(v.strictObject({
  console: v.string(),
  bytes: v.instance(Uint8Array),
  cleared: v.optional(v.strictObject({ vcpu: v.number(), pc: v.bigint() })),
}));

/** Looks at consoles until the report of a panic counts as whole, whatever it shows. */
const REPORT_LOOKS = 5;

/** The system. The hypervisor is installed once, before it runs. */
export class GuestSystem implements System, Inspected {
  readonly consoles = new Consoles();
  readonly vms: SessionVms = new SessionVms(() => this.hypervisor);
  readonly control = new SessionControl(this.vms, this.consoles, (key) => this.hypervisor.trace.recallOperation(key));
  readonly events: EventNotes;
  readonly debugger: DebuggerSeat;
  readonly ends: VmEnds;
  readonly samples = new VmSamples(this);
  readonly hashes: StateHashes = stateHashes(() => this.hypervisor);
  readonly virtio: VirtioSlot[] = [];
  readonly boards: BoardFindings;
  readonly devicetrees = new Map<string, number>();
  readonly symbols: VmSymbols;
  readonly kernelEvents: KernelEvents;
  readonly traceBuffer: TraceBuffer = new TraceBuffer(() => this.hypervisor.trace);
  readonly stops: StopRules;
  readonly inspector: Inspector;
  /** Its saved parts besides the hypervisor, in order. */
  readonly parts: SavedPart[] = [
    { name: "outside", save: () => this.outside.save(), restore: (state) => this.outside.restore(state) },
    {
      name: "consoles",
      save: () => v.parse(TAILS, this.consoles.save()),
      restore: (state) => this.consoles.restore(v.parse(TAILS, state)),
    },
    {
      name: "faults",
      save: () => this.#saveFaults(),
      restore: (state) => this.hypervisor.faults.restore(v.parse(SAVED_FAULTS, state)),
    },
    { name: "session", save: () => this.vms.save(), restore: (state) => this.vms.restore(state) },
  ];
  /** The generators from which devices draw. */
  readonly generators: RandomGenerator[] = [];
  /** Disks whose changes are kept in memory. */
  readonly overlays: { readonly changed: number }[] = [];
  readonly disks: WrittenDisk[] = [];
  /** The same in a machine of the past. */
  readonly pastDisks: PastDisk[] = [];
  /** Knowledge of its session. */
  readonly #knowledge: RunKnowledge[] = [];
  /** The native host's driver. That of an image is the image's own; most are Linux's. */
  driver: Persona = PERSONAS.v17;
  readonly #staleUses: StaleUses;
  #hypervisor: Hypervisor | undefined;
  /** How often a panic was on a console. */
  #panicLooks = 0;
  #log: EventLog | undefined;
  /** Exceptions in el2 itself that have ended parts of the machine, each in a line. */
  readonly #bugs: string[] = [];
  #newBugs: ContainedBug[] = [];

  /** @param left the content of RAM before a state is loaded, unless that is all zero */
  constructor(
    readonly machine: Machine,
    readonly core: DebugCore,
    readonly manager: ResourceManager,
    readonly outside: Outside = new Outside(),
    readonly limits: MemoryLimits = DEFAULT_LIMITS,
    readonly left?: LeftPages | undefined,
  ) {
    const modules = new ModulesNow(() => new View(this, new Looks()), () => this.instructions());
    this.symbols = new VmSymbols(core, () => this.hypervisor, (vm) => modules.of(vm));
    const hypervisor = () => this.hypervisor;
    const bug = (where: string, error: unknown) => this.bug(where, error);
    this.kernelEvents = new KernelEvents({ core, hypervisor, view: () => new View(this, new Looks()), bug });
    this.ends = new VmEnds(() => this.hypervisor, this.vms, this.symbols, () => new View(this, new Looks()));
    this.events = new EventNotes(machine, hypervisor);
    this.#staleUses = new StaleUses({ machine, core, vcpus: () => this.#objects(Vcpu), tell: (vcpu) => this.#tellStaleUse(vcpu) });
    this.ends.onAsked = (vm) => this.#staleUses.ends(this.symbols.vcpus(vm));
    this.boards = new BoardFindings({
      view: () => new View(this, new Looks()),
      vcpus: (vm) => this.symbols.vcpus(vm),
      tell: (vm, finding) => this.events.unpredictable(vmId(vm), evidenceLine({ code: "board", finding })),
    });
    this.parts.push(this.#staleUses, this.boards);
    this.debugger = new DebuggerSeat({
      core,
      get hypervisor() {
        return hypervisor();
      },
      nameOf: (vmid) => this.vms.nameOf(vmid),
      brokenVm: () => this.stops.vm,
      holds: (vcpu, text) => this.inspector.holds(this.hypervisor.names.vcpu(vcpu), text),
    });
    this.stops = new StopRules({
      hypervisor,
      placeOf: (at) => breakPlace(new View(this, new Looks()), at),
      kernelOf: (vm) => this.symbols.kernelOf(vm),
      movedBy: (vm) => this.symbols.moved(vm),
      vcpuOf: (id) => this.#steppable(id),
      controlOf: (vm) => this.debugger.forRules(vm),
      releaseControl: () => this.debugger.rulesEnded(),
      holds: (vcpu, text) => this.inspector.holds(this.hypervisor.names.vcpu(vcpu), text),
    });
    const hashes = () =>
      (["registers", "memory"] as const).map((name) => ({ id: formatId({ kind: "hash", name }), hash: this.hashes[name]() }));
    this.inspector = new Inspector(this, () => this.instructions(), hashes);
  }

  get hypervisor(): Hypervisor {
    if (!this.#hypervisor) throw new Error("the system has no hypervisor yet");
    return this.#hypervisor;
  }

  inform(knowledge: RunKnowledge): void {
    this.#knowledge.push(knowledge);
  }

  places(): readonly RunPlace[] {
    const known = this.#knowledge.flatMap(({ places }) => places?.() ?? []);
    return [...known, { kind: "now", instructions: this.instructions(), time: this.machine.time }];
  }

  memory(): readonly MemoryUse[] {
    return [...machineMemory(this, this.limits), ...this.#knowledge.flatMap(({ memory }) => memory?.() ?? [])];
  }

  endedRows(): EndedRows {
    const known = this.#knowledge.flatMap(({ endedRows }) => endedRows?.() ?? []);
    return { vcpus: known.flatMap(({ vcpus }) => vcpus), irqs: known.flatMap(({ irqs }) => irqs) };
  }

  changes(): ObjectChanges {
    return this.hypervisor.changes();
  }

  forgetChanges(): void {
    this.hypervisor.forgetChanges();
  }

  /**
   * The running vCPU is about to make its first exclusive or atomic access to Device memory;
   * whether the machine stops there (`--strict`).
   */
  deviceAtomic(access: DeviceAtomicAccess): boolean {
    const { behaviour } = this.hypervisor, view = new View(this, new Looks()), vcpu = this.#running(view);
    const text = evidenceLine(deviceAtomic(view, vcpu, access));
    if (behaviour.strict) this.hypervisor.stop(`--strict: ${text}`);
    else this.events.unpredictable(view.vmOf(vcpu.addressSpace), text);
    return behaviour.strict;
  }

  /** The running vCPU has used a translation that its tables no longer hold, for the first time. */
  staleUsed(): void {
    this.#staleUses.kept(this.#running(new View(this, new Looks())));
  }

  #tellStaleUse(vcpu: Vcpu): void {
    const view = new View(this, new Looks());
    for (const line of staleUses(view, [vcpu])) this.events.unpredictable(view.vmOf(vcpu.addressSpace), evidenceLine(line));
  }

  /** A VM gets a virtio device. */
  addVirtio(slot: VirtioSlot): void {
    this.virtio.push(slot);
    this.boards.listen(slot);
  }

  /** A guest has cleared the receive interrupts of its serial port, and characters are left. */
  inputCleared(console: string): void {
    const { actor } = this.hypervisor.trace;
    const vcpu = this.symbols.vcpus(console).find(({ trace, life }) => trace === actor || life.vmmio?.write);
    if (vcpu) this.consoles.noteCleared(console, { vcpu: vcpu.index, pc: vcpu.registers.pc });
  }

  #running(view: View): Vcpu {
    const { actor } = this.hypervisor.trace, vcpu = view.vcpus().find((one) => one.trace === actor);
    if (!vcpu) throw new Error("an access of no vCPU");
    return vcpu;
  }

  get log(): EventLog {
    if (!this.#log) throw new Error("the system has no hypervisor yet");
    return this.#log;
  }

  /** Takes the hypervisor, and listens to its events. */
  install(hypervisor: Hypervisor): void {
    this.#hypervisor = hypervisor;
    const events = traceCapacities(this.limits.traces);
    hypervisor.trace.limit(events.readers);
    hypervisor.onBug = (vcpu, error) => this.bug(vcpuId(hypervisor.names.vcpu(vcpu)), error);
    this.traceBuffer.capacity = events.recorded;
    this.#log = new EventLog(hypervisor.trace, this.machine.cpus.length, events.log);
    hypervisor.trace.onWanted = () => this.kernelEvents.wantsChanged();
    this.events.install();
    this.vms.install();
    this.ends.install();
  }

  instructions(): number {
    return this.hypervisor.scheduler.execution.retired;
  }

  stopAt(instructions: number): void {
    this.hypervisor.scheduler.execution.suspendAt(instructions);
  }

  waits(): readonly WaitingVcpu[] {
    return this.hypervisor.scheduler.waits();
  }

  ended(): SessionEnd | undefined {
    const reason = this.machine.stopReason;
    return reason && this.#describeEnd(reason);
  }

  broken(): string[] {
    const ended = this.vms.broken();
    return [...this.#ends(ended), ...this.#verdicts("healthy=no", ended), ...this.#bugs];
  }

  showsPanic(): boolean {
    const shown = this.consoles.names.map((name) => this.consoles.tail(name)).filter(showsPanic);
    if (shown.length === 0) return false;
    this.#panicLooks++;
    return shown.every(showsPanicEnd) || this.#panicLooks > REPORT_LOOKS;
  }

  isSomeSilent(): boolean {
    return runsAnother(new View(this, new Looks()), this.consoles.takeSpeakers());
  }

  hasPanicked(): boolean {
    return hasPanicked(new View(this, new Looks()));
  }

  vmChanges(): number {
    return this.vms.changes;
  }

  crashed(panics: boolean): string[] {
    const crashed = this.vms.broken().filter((vm) => this.vms.exitOf(vm) !== undefined && !this.vms.planned(vm)?.restarts);
    return [...this.#ends(crashed), ...panics ? this.#verdicts("verdict=panicked") : []];
  }

  /** Why each of these VMs ended. */
  #ends(vms: readonly string[]): string[] {
    return vms.map((vm) =>
      `${vm}: ${this.hypervisor.trace.reasons.endOf(vm)?.rule ?? "it has failed, and no refusal and no fault of it is recorded"}`
    );
  }

  isAlive(vm: string): boolean {
    const { scheduler, names } = this.hypervisor;
    const gone = Block.Lifecycle | Block.Off | Block.Fault;
    return [...scheduler.vcpus].some((vcpu) => {
      const { addressSpace } = vcpu;
      return addressSpace !== undefined && names.vm(addressSpace.vmid) === vm && !vcpu.life.isDead && !vcpu.life.isBlockedBy(gone);
    });
  }

  takeBugs(): readonly ContainedBug[] {
    const bugs = this.#newBugs;
    if (bugs.length) this.#newBugs = [];
    return bugs;
  }

  /** An exception in el2 itself has ended a part of the machine, and the rest continues. */
  bug(where: string, error: unknown): void {
    const what = exceptionText(error);
    this.events.contained(where, what);
    this.#bugs.push(`${where} is out of order: ${what}`);
    this.#newBugs.push({ where, error });
  }

  /** Texts of the verdicts that match a filter. @param told VMs whose ends say more */
  #verdicts(filter: string, told: readonly string[] = []): string[] {
    const { rows } = this.inspector.answer({ table: "diagnose", args: { filter } });
    return rows.filter(({ id }) => !told.includes(nameOf(id))).map(({ id, text }) => `${nameOf(id)}: ${text}`);
  }

  /** Failures in healthy VMs, in words: an end in order does not say them. */
  #refusals(): string[] {
    const rows = rowsOf(DIAGNOSES, this.inspector.answer({ table: "diagnose", args: { filter: "healthy=yes" } }));
    return rows.flatMap(({ id, because }) =>
      because.filter(({ code }) => code === "refused").map((one) => `${nameOf(id)}: ${evidenceLine(one)}`)
    );
  }

  get overlaid(): number {
    return this.overlays.reduce((sum, { changed }) => sum + changed, 0);
  }

  reseed(seed: number): void {
    const { random } = this.hypervisor;
    random.reseed(seed);
    for (const { registers } of this.#objects(Vcpu)) if (registers.names.includes("RNDR")) registers.setRegister("RNDR", random.next64());
    // Each has its own numbers.
    for (const [index, generator] of this.generators.entries()) generator.reseed((seed ^ 0x0de5_1ce5) + index >>> 0);
  }

  save(): SystemState {
    const [disk] = this.#referred;
    if (disk) throw notSavable(disk.path);
    return this.#saved();
  }

  keep(before?: EarlierPages): SystemState {
    const state = this.#saved(before), disks = this.#referred;
    return disks.length ? { ...state, outside: disks.map((disk) => disk.kept()) } : state;
  }

  /** Disks of which a state has no bytes. */
  get #referred(): readonly (WrittenDisk | PastDisk)[] {
    return [...this.disks, ...this.pastDisks];
  }

  #saved(before?: EarlierPages): SystemState {
    const { overlaid } = this;
    if (overlaid > OVERLAID_MAX) {
      const [size, most] = [overlaid, OVERLAID_MAX].map((bytes) => formatSize(Math.floor(bytes / MiB) * MiB));
      throw new UnsavableError(`the disks in mode "overlay" have ${size} of changes`, `a state can have ${most}`);
    }
    return saveSystem(this, before);
  }

  load(state: SystemState, trusted: boolean, loaded?: FieldListener): void {
    loadSystem(this, state, trusted, loaded, this.left);
  }

  leave(pages: PageMap): LeftMemory | undefined {
    const { core } = this, changed = core.written().pages, code = core.leave();
    this.machine.ram.leave();
    return code && { code, content: { pages, changed } };
  }

  remember(): RunMemory {
    const { trace, capabilityUses } = this.hypervisor;
    return {
      trace: trace.remember(this.#objects(Vcpu)),
      events: this.log.remember(),
      ends: this.ends.remember(),
      steps: this.hypervisor.scheduler.execution.steps,
      uses: capabilityUses.remember(this.#objects(Cspace)),
    };
  }

  recall({ trace, events, ends, steps, uses }: RunMemory): void {
    this.hypervisor.scheduler.execution.recallSteps(steps);
    this.hypervisor.trace.recall(trace, this.#objects(Vcpu));
    this.hypervisor.capabilityUses.recall(uses, this.#objects(Cspace));
    this.log.recall(events);
    this.ends.recall(ends);
    this.events.recall();
  }

  follow(first: RememberingSystem, began: RunMemory | undefined): void {
    this.log.follow(first.log, began?.events, this.hypervisor.point());
  }

  #objects<T>(type: new (...args: never[]) => T): T[] {
    return [...this.hypervisor.objects].filter((object): object is HypervisorObject & T => object instanceof type);
  }

  /** Handles an event of the native host. */
  hostEvent(event: HostEvent): void {
    switch (event.kind) {
      case "console":
        return this.consoles.transmitAll(event.vm, event.bytes);
      case "cleared":
        return this.inputCleared(event.vm);
      case "state":
        this.vms.changed(event);
        this.ends.note(event);
        if (event.state === "creating") this.boards.begins(event.vm);
        return this.events.vmState(event);
      case "error":
        this.vms.failed(event);
        this.ends.note(event);
        return this.events.hostError(event);
      case "bug":
        return this.bug(event.device, event.error);
      case "finished":
        this.vms.finished(event.crashed);
    }
  }

  /** A vCPU for a step, and the name of its VM. */
  #steppable(id: string): { vm: string; vcpu: Vcpu } {
    const vcpu = new View(this, new Looks()).findVcpu(id);
    if (vcpu.native || !vcpu.addressSpace) throw new QueryError(`${id} executes no instructions: el2's own code runs there`);
    return { vm: this.vms.nameOf(vcpu.addressSpace.vmid), vcpu };
  }

  #saveFaults(): FaultsState {
    const { faults } = this.hypervisor;
    if (faults.delayed > 0) {
      throw new UnsavableError("an injected delay is pending", "save a little later");
    }
    return faults.save();
  }

  #describeEnd(reason: StopReason): SessionEnd {
    if (reason.kind === "crash") return { code: 1, message: reason.message };
    const ended = this.vms.ended();
    if (this.#bugs.length) return { code: 1, message: [...ended ? [ended.message] : [], ...this.#bugs].join("; ") };
    const wrong = ended?.code === 0 ? this.#verdicts("healthy=no") : [];
    if (wrong.length) return { code: 1, message: wrong.join("; ") };
    if (ended) return ended.code === 0 ? { ...ended, message: [ended.message, ...this.#refusals()].join("; ") } : ended;
    const guest = this.vms.guestExitOf(PRIMARY_CONSOLE);
    if (guest && reason.kind === "system-off") return { code: guest.code === 0 ? 0 : 1, message: guest.text };
    const panic = this.ends.ofPrimary(), reset = reason.kind !== "system-off", how = reset ? "SYSTEM_RESET" : "SYSTEM_OFF";
    return { code: reset || panic ? 1 : 0, message: panic ?? how, ...reset && { reset } };
  }
}

// An assembled machine as the engine sees it: consoles, samples, events, hashes, and how it ended.

import { type Persona, PERSONAS } from "../abi/ioctl/personas.ts";
import { createHash } from "node:crypto";
import * as v from "valibot";
import { VcpuOption } from "../abi/words.ts";
import type { UndefinedInstruction } from "../core/core.ts";
import { REGISTER_NAMES } from "../core/interface.ts";
import type { ConsoleInput, LockedMemory, StartWanted } from "../host/console-input.ts";
import { endedByOwnWill, type HostEvent, VM_EXIT_REASONS, type VmExitReason } from "../host/events.ts";
import { DebugControl, type Debuggee } from "../hypervisor/debug/debug-control.ts";
import type { DebugCore } from "../core/interface.ts";
import type { FaultsState } from "../hypervisor/services/faults.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Vcpu } from "../hypervisor/scheduling/vcpu.ts";
import type { FieldListener } from "../machine/archive.ts";
import type { Machine, StopReason } from "../machine/machine.ts";
import type { ResourceManager } from "../resource-manager/resource-manager.ts";
import { Consoles } from "./consoles.ts";
import type { RunPlace } from "../inspection/run-place.ts";
import { fieldsText } from "../inspection/read-trace.ts";
import { TraceRecorder } from "../inspection/trace-recorder.ts";
import { EventLog } from "../inspection/event-log.ts";
import { type Inspected, Looks, QueryError, View, type VirtioSlot } from "../inspection/inspected.ts";
import { codePlace } from "../inspection/read-symbols.ts";
import { Inspector } from "../inspection/inspector.ts";
import { EVERY_VM, vcpuWord, Vmid } from "../inspection/guest-names.ts";
import { type MachineEvent, SESSION, type SessionEnd, type VcpuSample, type VmSample } from "../protocol/protocol.ts";
import { Outside } from "../outside/outside.ts";
import { StopRules } from "../inspection/stop-rules.ts";
import type { BreakPlace } from "../queries/stop-rule.ts";
import { VmSymbols } from "../symbols/vm-symbols.ts";
import { filledPages } from "../state/pages.ts";
import { type SavedPart, UnsavableError } from "../state/parts.ts";
import { loadSystem, saveSystem, type SystemState } from "../state/system-state.ts";
import type { System } from "./system.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Events kept between two slices. */
const EVENT_RING = 1000;

const TAILS = v.array(v.strictObject({ console: v.string(), bytes: v.instance(Uint8Array) }));
const byVmid = v.array(v.tuple([v.number(), v.string()]));
/** What the session saves of itself. */
const SAVED = v.strictObject({
  names: byVmid,
  states: byVmid,
  exits: v.array(v.tuple([v.string(), v.picklist(VM_EXIT_REASONS)])),
  firstError: v.optional(v.string()),
  crashed: v.optional(v.array(v.string())),
});

/** The system. The hypervisor is installed once, before it runs. */
export class GuestSystem implements System, Inspected {
  readonly consoles = new Consoles();
  /** What of it is saved beside the hypervisor, in order. */
  readonly parts: SavedPart[] = [
    { name: "outside", save: () => this.outside.save(), restore: (state) => this.outside.restore(state) },
    {
      name: "consoles",
      save: () => v.parse(TAILS, this.consoles.save()),
      restore: (state) => this.consoles.restore(v.parse(TAILS, state)),
    },
    { name: "faults", save: () => this.#saveFaults(), restore: (state) => this.hypervisor.faults.restore(state as FaultsState) },
    { name: "session", save: () => this.#save(), restore: (state) => this.#restore(state) },
  ];
  readonly inspector: Inspector;
  readonly stops: StopRules;
  readonly virtio: VirtioSlot[] = [];
  readonly symbols: VmSymbols;
  readonly recorder = new TraceRecorder(() => this.hypervisor.trace);
  /** Without a session that knows more. */
  places = (): readonly RunPlace[] => [{ kind: "now", instructions: this.instructions(), time: this.machine.time }];
  /** The door to the native host, where there is one. */
  host: ConsoleInput | undefined;
  /** VMs of the configuration. */
  configured: readonly string[] = [];
  #hypervisor: Hypervisor | undefined;
  #log: EventLog | undefined;
  #events: MachineEvent[] = [];
  #dropped = 0;
  /** Number of the newest refusal that was told. */
  #reasons = 0;
  #crashed: readonly string[] | undefined;
  #firstError: string | undefined;
  readonly #exits = new Map<string, VmExitReason>();
  readonly #names = new Map<number, string>([[Vmid.Primary, "host"], [Vmid.ResourceManager, "rm"]]);
  readonly #states = new Map<number, string>();
  readonly #times = new WeakMap<Vcpu, number>();

  /** The VM that the plan gives to a debugger. */
  /** The native host's driver. That of an image is the image's own; most are Linux's. */
  driver: Persona = PERSONAS.v17;
  #debugged: string | undefined;
  #debuggedVm: string | undefined;

  constructor(
    readonly machine: Machine,
    readonly core: DebugCore,
    readonly manager: ResourceManager,
    readonly outside: Outside = new Outside(),
  ) {
    this.symbols = new VmSymbols(core, () => this.hypervisor);
    this.stops = new StopRules({
      hypervisor: () => this.hypervisor,
      placeOf: (at) => this.#placeOf(at),
      vcpuOf: (id) => this.#steppable(id),
      controlOf: (vm) => this.#breakIn(vm),
      releaseControl: () => this.hypervisor.debug = undefined,
    });
    this.inspector = new Inspector(this, () => this.instructions(), () => this.#hashes());
  }

  get hypervisor(): Hypervisor {
    if (!this.#hypervisor) throw new Error("the system has no hypervisor yet");
    return this.#hypervisor;
  }

  /** What it keeps of what has happened. */
  get log(): EventLog {
    if (!this.#log) throw new Error("the system has no hypervisor yet");
    return this.#log;
  }

  hasConsole(vm: string): boolean {
    return this.consoles.has(vm);
  }

  stopVm(vm: string, force: boolean): void {
    const host = this.#hostFor(vm);
    if (![...this.#names.values()].includes(vm)) throw new QueryError(`no vm:${vm}; there are ${[...this.#names.values()].join(", ")}`);
    if (!this.#states.size || vm === "host" || vm === "rm") {
      throw new QueryError(`vm:${vm} is what the others need; el2 down ends the session`);
    }
    host.stop(vm, force);
  }

  sendBreak(console: string): void {
    const sent = this.consoles.sendBreak(console);
    if (sent === undefined) throw new QueryError(`no console ${console}; there are ${this.consoles.names.join(", ") || "none"}`);
    if (!sent) throw new QueryError(`${console} is a virtio console, which is no serial line and has no break; Linux takes ctrl-o there`);
  }

  startVm(vm: string, how: StartWanted["start"]): void {
    const host = this.#hostFor(vm);
    if (!this.configured.includes(vm)) throw new QueryError(`no vm:${vm} in the configuration; there are ${this.configured.join(", ")}`);
    host.start(vm, how);
  }

  sendRpc(id: number, payload: Uint8Array): void {
    this.#hostFor("rpc send").request(id, payload);
  }

  lockedMemory(): readonly LockedMemory[] {
    return this.host?.locked() ?? [];
  }

  #hostFor(what: string): ConsoleInput {
    if (!this.host) {
      throw new QueryError(`${what}: the primary VM is an image, which has its VMs and its link to the resource manager for itself`);
    }
    return this.host;
  }

  get knownVms(): ReadonlyMap<number, string> {
    return this.#names;
  }

  hasFailed(vmid: number): boolean {
    return this.#states.get(vmid) === "FAILED";
  }

  exitOf(vm: string): string | undefined {
    return this.#exits.get(vm);
  }

  /** Takes the hypervisor, and listens to what it tells. */
  install(hypervisor: Hypervisor): void {
    this.#hypervisor = hypervisor;
    this.#log = new EventLog(hypervisor.trace, this.machine.cpus.length);
    hypervisor.trace.listen(
      ["rule"],
      ({ time, vcpu, name, fields }) => this.#tell(time, "rule", vcpu, `${name} ${fieldsText(fields)}`, true),
    );
    for (const [vmid, name] of this.#names) hypervisor.names.set(vmid, name);
    hypervisor.onUnmappedDevice = (vcpu, pa) => this.#unmapped(vcpu, `pa:0x${pa.toString(16)}`);
    hypervisor.onUnmappedMemory = (vcpu, ipa) => this.#unmapped(vcpu, `ipa:0x${ipa.toString(16)}`);
  }

  get debug(): DebugControl | undefined {
    return this.hypervisor.debug;
  }

  debugVm(name: string, fromStart: boolean): DebugControl {
    return this.hypervisor.debug = this.#debugControl(name, fromStart);
  }

  get debuggedVm(): string | undefined {
    return this.#debuggedVm;
  }

  attachDebugger(name: string): string | undefined {
    if (this.#debugged !== undefined) return `vm:${this.#debugged} was given to a debugger with --gdb; one VM at a time`;
    if (this.stops.vm !== undefined) return `vm:${this.stops.vm} has breakpoints of el2 break; el2 break --remove all takes them back`;
    const control = this.#debugControl(name, false);
    if (control.vcpus().length || name === EVERY_VM) {
      this.hypervisor.debug?.clear();
      this.hypervisor.debug = control;
      return undefined;
    }
    const guests = [...this.hypervisor.scheduler.vcpus].filter(({ native, life }) => !native && life !== "exited");
    const names = new Set(guests.flatMap(({ addressSpace }) => addressSpace ? [`vm:${this.#nameOf(addressSpace.vmid)}`] : []));
    return `no vm:${name} that executes instructions; there are ${[...names].join(", ") || "none"}`;
  }

  releaseDebugger(): void {
    this.hypervisor.debug?.clear();
    if (this.#debugged === undefined) this.hypervisor.debug = undefined;
  }

  /** A place of code for a stop rule. */
  #placeOf(at: string): BreakPlace {
    const view = new View(this, new Looks());
    const { vcpu, address } = codePlace(view, at);
    return { vm: view.vmOf(vcpu.addressSpace).slice("vm:".length), address };
  }

  #steppable(id: string): { vm: string; vcpu: Vcpu } {
    const vcpu = new View(this, new Looks()).findVcpu(id);
    if (vcpu.native || !vcpu.addressSpace) throw new QueryError(`${id} executes no instructions: a program of ours runs there`);
    return { vm: this.#nameOf(vcpu.addressSpace.vmid), vcpu };
  }

  /** The stops of a VM, for stop rules. */
  #breakIn(vm: string): DebugControl {
    if (this.hypervisor.debug) throw new QueryError(`a debugger has vm:${this.#debuggedVm}; set breakpoints there`);
    return this.hypervisor.debug = this.#debugControl(vm, false);
  }

  #debugControl(name: string, fromStart: boolean): DebugControl {
    this.#debuggedVm = name;
    if (fromStart) this.#debugged = name;
    return new DebugControl(this.hypervisor, this.core, name === EVERY_VM ? EVERYBODY : this.#vcpusOf(name), fromStart);
  }

  #vcpusOf(name: string): Debuggee {
    const has = ({ addressSpace }: Vcpu) => addressSpace !== undefined && this.#nameOf(addressSpace.vmid) === name;
    return { has, numberOf: ({ index }) => index, all: false };
  }

  instructions(): number {
    return this.hypervisor.scheduler.execution.retired;
  }

  stopAt(instructions: number): void {
    this.hypervisor.scheduler.execution.stopAt = instructions;
  }

  input(console: string, bytes: Uint8Array): boolean {
    return this.consoles.type(console, bytes);
  }

  takeOutput(): { console: string; bytes: Uint8Array }[] {
    return this.consoles.take();
  }

  takeEvents(): { events: MachineEvent[]; dropped: number } {
    this.#takeReasons();
    const taken = { events: this.#events.sort((a, b) => a.time - b.time), dropped: this.#dropped };
    this.#events = [];
    this.#dropped = 0;
    return taken;
  }

  /** An instruction took an UNDEFINED exception for the first time. */
  undefinedInstruction({ word, text, pc, pa }: UndefinedInstruction): void {
    const place = `PC 0x${pc.toString(16).padStart(16, "0")}, pa:0x${pa.toString(16)}`;
    const what = `instruction 0x${word.toString(16).padStart(8, "0")} (${text.replace("\t", " ")}) is UNDEFINED at ${place}`;
    this.#note(this.machine.time, "trap", this.hypervisor.trace.actor?.name() ?? "core", what, true);
  }

  /** Something about a device that people should know. */
  deviceProblem(device: string, message: string): void {
    this.#note(this.machine.time, "dev", device, message, true);
  }

  sessionProblem(message: string): void {
    this.#note(this.machine.time, "log", SESSION, message, true);
  }

  /** What the native host tells. */
  hostEvent(event: HostEvent): void {
    switch (event.kind) {
      case "console":
        for (const byte of event.bytes) this.consoles.transmit(event.vm, byte);
        return;
      case "state": {
        // Who is being created has no VMID yet, and its life before is over.
        if (event.state === "creating") this.#forget(event.vm);
        if (event.state !== "creating" || event.vmid !== 0) {
          this.#names.set(event.vmid, event.vm);
          this.hypervisor.names.set(event.vmid, event.vm);
          this.#states.set(event.vmid, event.state.toUpperCase());
        }
        if (event.exit) this.#exits.set(event.vm, event.exit);
        const why = event.exit ? ` (${event.exit})` : "";
        const refused = event.state === "failed" || event.exit !== undefined && !endedByOwnWill(event.exit);
        return this.#note(event.at, "state", `vm:${event.vm}`, `${event.state}${why}`, refused);
      }
      case "error":
        this.#firstError ??= event.vm === undefined ? event.message : `${event.vm}: ${event.message}`;
        return this.#note(event.at, "log", `vm:${event.vm ?? "host"}`, event.message, true);
      case "finished":
        this.#crashed = event.crashed;
    }
  }

  /** A VM is made anew: how it ended or failed before is over. */
  #forget(vm: string): void {
    this.#exits.delete(vm);
    for (const [vmid, name] of this.#names) if (name === vm && this.hasFailed(vmid)) this.#states.delete(vmid);
  }

  /** VMIDs of VMs that have ended or failed. */
  #gone(): number[] {
    return [...this.#names].filter(([vmid, name]) => vmid !== 0 && (this.#exits.has(name) || this.hasFailed(vmid))).map(([vmid]) => vmid);
  }

  sample(elapsed: number): VmSample[] {
    const vms = new Map<number, Vcpu[]>(this.#gone().map((vmid) => [vmid, []]));
    for (const vcpu of this.hypervisor.scheduler.vcpus) {
      const vmid = vcpu.addressSpace?.vmid;
      if (vmid === undefined) continue;
      const of = vms.get(vmid) ?? [];
      vms.set(vmid, of);
      of.push(vcpu);
    }
    return [...vms].sort(([a], [b]) => a - b).map(([vmid, vcpus]) => {
      const name = this.#nameOf(vmid);
      return {
        name,
        vmid,
        state: this.#states.get(vmid) ?? "RUNNING",
        schedule: scheduleOf(vcpus),
        console: this.consoles.has(name) ? name : undefined,
        vcpus: vcpus.sort((a, b) => a.index - b.index).map((vcpu) => this.#sampleVcpu(vcpu, elapsed)),
        devices: this.virtio.filter(({ vm }) => vm === name)
          .map(({ id, device }) => ({ id, kind: `virtio-${device.name}`, metrics: device.metrics() })),
      };
    });
  }

  save(before?: SystemState): SystemState {
    return saveSystem(this, before);
  }

  load(state: SystemState, trusted: boolean, loaded?: FieldListener): void {
    loadSystem(this, state, trusted, loaded);
  }

  ended(): SessionEnd | undefined {
    const reason = this.machine.stopReason;
    return reason && this.#describeEnd(reason);
  }

  hashRegisters(): string {
    const hash = createHash("sha256");
    for (const vcpu of this.hypervisor.scheduler.vcpus) {
      const { registers } = vcpu;
      const words: unknown[] = [vcpu.name, registers.pc, registers.pstate, vcpu.instructions];
      for (let i = 0; i < 31; i++) words.push(registers.getX(i));
      for (let i = 0; i < 32; i++) words.push(...registers.getV(i));
      for (const name of REGISTER_NAMES) words.push(registers.getRegister(name));
      hash.update(words.join());
    }
    return hash.digest("hex");
  }

  hashMemory(): string {
    const hash = createHash("sha256");
    for (const [page, content] of filledPages(this.machine)) hash.update(`${page * PAGE_SIZE}:`).update(content);
    return hash.digest("hex");
  }

  #saveFaults(): FaultsState {
    const { faults } = this.hypervisor;
    if (faults.delayed > 0) {
      throw new UnsavableError("an injected fault has delayed something that is still to happen; save a little later");
    }
    return faults.save();
  }

  /** What the session knows of its VMs. */
  #save(): unknown {
    return v.parse(SAVED, {
      names: [...this.#names],
      states: [...this.#states],
      exits: [...this.#exits],
      firstError: this.#firstError,
      crashed: this.#crashed && [...this.#crashed],
    });
  }

  #restore(saved: unknown): void {
    const { names, states, exits, firstError, crashed } = v.parse(SAVED, saved);
    for (const [vmid, name] of names) {
      this.#names.set(vmid, name);
      this.hypervisor.names.set(vmid, name);
    }
    for (const [vmid, state] of states) this.#states.set(vmid, state);
    for (const [vm, reason] of exits) this.#exits.set(vm, reason);
    this.#firstError = firstError;
    this.#crashed = crashed;
  }

  #hashes(): { id: string; hash: string }[] {
    return [{ id: "hash:registers", hash: this.hashRegisters() }, { id: "hash:memory", hash: this.hashMemory() }];
  }

  describeWaits(): string[] {
    return this.hypervisor.describeWaits();
  }

  #nameOf(vmid: number): string {
    return this.#names.get(vmid) ?? `vm-0x${vmid.toString(16)}`;
  }

  #sampleVcpu(vcpu: Vcpu, elapsed: number): VcpuSample {
    const time = vcpu.time, before = this.#times.get(vcpu) ?? 0;
    this.#times.set(vcpu, time);
    return {
      index: vcpu.index,
      state: vcpuWord(vcpu),
      pcpu: this.hypervisor.scheduler.hasCpu(vcpu.affinity) ? vcpu.affinity : undefined,
      instructions: vcpu.instructions,
      load: elapsed > 0 ? (time - before) / elapsed : 0,
      waitsFor: vcpu.waits,
      pc: vcpu.native ? "" : `0x${vcpu.registers.pc.toString(16).padStart(16, "0")}`,
    };
  }

  #describeEnd(reason: StopReason): SessionEnd {
    if (reason.kind === "crash") return { code: 1, message: reason.message };
    if (this.#crashed?.length) {
      const how = this.#crashed.map((vm) => `${vm}${this.#exits.has(vm) ? ` (${this.#exits.get(vm)})` : ""}`).join(", ");
      return { code: 1, message: `crashed: ${how}${this.#firstError === undefined ? "" : `; first error: ${this.#firstError}`}` };
    }
    if (this.#crashed) return { code: 0, message: "every VM has ended" };
    return reason.kind === "system-off" ? { code: 0, message: "SYSTEM_OFF" } : { code: 1, message: "SYSTEM_RESET", reset: true };
  }

  /** A guest's access to nothing, which it takes as a synchronous external abort. */
  #unmapped(vcpu: Vcpu, address: string): void {
    const text = `access to ${address}, where nothing is, at PC 0x${vcpu.registers.pc.toString(16).padStart(16, "0")}`;
    this.#note(this.machine.time, "mmio", vcpu.name, text, true);
  }

  #takeReasons(): void {
    const { reasons } = this.hypervisor.trace;
    const fresh = reasons.list(this.#reasons);
    this.#dropped += reasons.count - this.#reasons - fresh.length;
    this.#reasons = reasons.count;
    for (const { time, askedBy, rule, chain } of fresh) {
      const { name, result } = chain[chain.length - 1];
      this.#note(time, "hvc", askedBy, `${name} -> ${result.name}: ${rule}`, true);
    }
  }

  #note(time: number, kind: MachineEvent["kind"], vcpu: string, text: string, refused: boolean): void {
    // A refused call is in the trace already.
    if (kind !== "hvc") this.hypervisor.trace.event(kind, text, refused ? { about: vcpu, refused } : { about: vcpu });
    this.#tell(time, kind, vcpu, text, refused);
  }

  #tell(time: number, kind: MachineEvent["kind"], vcpu: string, text: string, refused: boolean): void {
    if (this.#events.length >= EVENT_RING) this.#dropped++;
    else this.#events.push({ time, pcpu: undefined, kind, vcpu, text, refused });
  }
}

/** Bits of a vCPU's index in its number among those of all VMs. */
const INDEX_BITS = 8;
/**
 * The vCPUs of all VMs: their numbers have the VMID in front, so that they are the same in another
 * machine of the plan.
 */
const EVERYBODY: Debuggee = {
  has: ({ addressSpace }) => addressSpace !== undefined,
  numberOf: ({ addressSpace, index }) => (addressSpace?.vmid ?? 0) << INDEX_BITS | index,
  all: true,
};

/**
 * Who schedules a VM's vCPUs: they are native, somebody runs them by vcpu_run, or the hypervisor
 * does.
 */
function scheduleOf(vcpus: readonly Vcpu[]): VmSample["schedule"] {
  if (vcpus.some((vcpu) => vcpu.native)) return "native";
  return vcpus.some((vcpu) => vcpu.options & VcpuOption.VcpuRunScheduled) ? "proxy" : "own";
}

// Where a debugger stops a VM: before the first instruction, at breakpoints and watchpoints, after
// a step. The scheduler consults it; a stop suspends the whole machine, so virtual time stops and
// continuing is the same run.

import { type DebugCore, type Exit, ExitReason, type WatchHit, type WatchKind } from "../../../cpu/core/interface.ts";
import { MACHINE_KINDS, type TraceEvent, type TraceKind } from "../../abi/trace.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { VcpuDebugger } from "../scheduling/execution.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { TraceHub } from "../trace/trace-hub.ts";
import type { TraceNames } from "../trace/trace-names.ts";
import { type BreakpointCondition, VmStops } from "./vm-stops.ts";

/** Virtual addresses of instructions; `end` is not included. */
export interface StepRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Why a vCPU stopped. */
export interface DebugStop {
  readonly vcpu: Vcpu;
  /**
   * `start`: before its first instruction; `breakpoint`: before that instruction; `watchpoint`:
   * before the access of that instruction; `step`: after one instruction; `event`: after the exit
   * that caused events at which it stops.
   */
  readonly cause: "start" | "breakpoint" | "watchpoint" | "step" | "event";
  /** The access that a watchpoint stopped. */
  readonly watch?: WatchHit;
  /** The events, in order, for display. */
  readonly events?: readonly string[];
}

/** The VM or VMs whose vCPUs a debugger controls. */
export interface Debuggee {
  /** Whether a vCPU is one of them. */
  readonly has: (vcpu: Vcpu) => boolean;
  /** Its number among them. */
  readonly numberOf: (vcpu: Vcpu) => number;
  /** Name of a vCPU's VM. */
  readonly vmOf: (vcpu: Vcpu) => string;
  /** The VM, if it is one: addresses are its own. Of several, each address needs its VM's name. */
  readonly only: string | undefined;
}

/** Matches an event: its text if the debugger stops at it. */
type EventMatcher = (event: TraceEvent) => string | undefined;

/** Looks at a vCPU between its instructions, or when it is scheduled. */
export interface Follower {
  /** Whether it looks at this vCPU. */
  is(vcpu: Vcpu): boolean;
  /** Whether each instruction is stepped; if not, `before` is called when it is scheduled. */
  readonly steps: boolean;
  /** Before an instruction. */
  before(vcpu: Vcpu): void;
  /** After it, and after the exit that it made. */
  after(vcpu: Vcpu): void;
}

/** Requirements of a debugger on the hypervisor. */
interface DebugServices {
  readonly trace: TraceHub;
  readonly names: TraceNames;
  readonly machine: Machine;
  readonly scheduler: { readonly vcpus: ReadonlySet<Vcpu>; disturb(): void };
}

/** The stops of one VM or several. */
export class DebugControl implements VcpuDebugger {
  #stepping: Vcpu | undefined;
  /** Stepping continues while PC is in here. */
  #range: StepRange | undefined;
  /** Whether the step in progress is past its first instruction. */
  #inRange = false;
  #awaitsStart: boolean;
  #follower: Follower | undefined;
  #stop: DebugStop | undefined;
  /** Matching events since the last stop. */
  #events: string[] = [];
  #matcher: EventMatcher | undefined;
  #endListening: (() => void) | undefined;
  /** Whether each VM stops before its first instruction. */
  #stopsAtStarts = false;
  #reachedPlaces = 0;
  /** vCPUs that execute the instruction of a breakpoint whose conditions do not hold. */
  readonly #passing = new Set<Vcpu>();
  /** Breakpoints and watchpoints by VM. */
  readonly #vms = new Map<string, VmStops>();

  /**
   * @param fromStart stops before the first instruction.
   * @param holdsAt whether a condition of a breakpoint holds where a vCPU is
   */
  constructor(
    readonly services: DebugServices,
    readonly core: DebugCore,
    readonly debuggee: Debuggee,
    fromStart: boolean,
    readonly holdsAt: (vcpu: Vcpu, condition: BreakpointCondition) => boolean,
  ) {
    this.#awaitsStart = fromStart;
  }

  /** The debugger's vCPUs by number. */
  vcpus(): Vcpu[] {
    const { has, numberOf } = this.debuggee;
    const all = [...this.services.scheduler.vcpus];
    return all.filter((vcpu) => !vcpu.native && vcpu.life.stage !== "exited" && has(vcpu)).sort((a, b) => numberOf(a) - numberOf(b));
  }

  vcpu(number: number | undefined): Vcpu | undefined {
    return this.vcpus().find((vcpu) => this.debuggee.numberOf(vcpu) === number);
  }

  /** The stop that suspended the machine; the next call has none. */
  takeStop(): DebugStop | undefined {
    const stop = this.#stop, events = this.#events;
    this.#stop = undefined;
    this.#events = [];
    return stop && events.length ? { ...stop, events } : stop;
  }

  /**
   * Stops at events of these kinds from now on: after the exit or the native guest's step that
   * causes them. Undefined: at none.
   */
  stopAtEvents(matcher: EventMatcher | undefined, kinds: readonly TraceKind[] = MACHINE_KINDS): void {
    this.#matcher = matcher;
    this.#endListening?.();
    this.#endListening = matcher && this.services.trace.listen(kinds, (event) => this.#see(event, matcher));
  }

  #see(event: TraceEvent, matcher: EventMatcher): void {
    const text = matcher(event);
    if (text === undefined) return;
    const all = this.vcpus();
    const vcpu = all.find((one) => this.services.names.vcpu(one) === event.vcpu) ?? all[0];
    // Before the first guest there is nothing to debug.
    if (!vcpu) return;
    this.#events.push(text);
    if (this.#stop) return;
    this.services.scheduler.disturb();
    this.#suspend({ vcpu, cause: "event" });
  }

  /** Each VM stops before its first instruction from now on: also a VM that starts again. */
  stopAtStarts(): void {
    this.#stopsAtStarts = true;
  }

  get hasStopsAtStarts(): boolean {
    return this.#stopsAtStarts;
  }

  /** How often a breakpoint or watchpoint was reached, also where no condition held. */
  get reachedPlaces(): number {
    return this.#reachedPlaces;
  }

  /** No address stops a VM. */
  get empty(): boolean {
    return this.#vms.values().every(({ empty }) => empty);
  }

  /**
   * Stops before `address` from now on; with conditions, only if one of them holds. False when no
   * instruction can be there, when there are too many breakpoints, or without a VM.
   */
  insert(address: bigint, vm?: string, conditions?: readonly BreakpointCondition[]): boolean {
    return this.#present(vm)?.insert(address, conditions) ?? false;
  }

  /**
   * The same in the one VM, which need not be there yet: how it was found, the place can have an
   * instruction.
   */
  insertAhead(address: bigint): void {
    const { only } = this.debuggee;
    if (only !== undefined) this.#stopsOf(only).insertAhead(address);
  }

  /**
   * Calls `act` before `address` of the one VM from now on, without a stop: the vCPU has not
   * executed the instruction, and breakpoints may be inserted and removed.
   */
  look(address: bigint, act: () => void): void {
    const { only } = this.debuggee;
    if (only !== undefined) this.#stopsOf(only).look(address, act);
  }

  /** Ends `look` at an address. */
  unlook(address: bigint): void {
    const { only } = this.debuggee;
    if (only !== undefined) this.#vms.get(only)?.unlook(address);
  }

  /** Removes a breakpoint, if it exists. */
  remove(address: bigint, vm = this.debuggee.only): void {
    if (vm !== undefined) this.#vms.get(vm)?.remove(address);
  }

  /**
   * Stops before accesses to `length` bytes from now on. False when the length is invalid, when
   * there are too many watchpoints, or without a VM.
   */
  watch(address: bigint, length: number, kind: WatchKind, vm?: string): boolean {
    return this.#present(vm)?.watch(address, length, kind) ?? false;
  }

  /** Removes a watchpoint, if it exists. */
  unwatch(address: bigint, length: number, kind: WatchKind, vm = this.debuggee.only): void {
    if (vm !== undefined) this.#vms.get(vm)?.unwatch(address, length, kind);
  }

  /** The stops of a VM that has vCPUs. */
  #present(vm: string | undefined): VmStops | undefined {
    const { only, vmOf } = this.debuggee, wanted = vm ?? only;
    const vcpu = wanted === undefined ? undefined : this.vcpus().find((one) => vmOf(one) === wanted);
    return vcpu && this.#follow(vcpu);
  }

  #stopsOf(vm: string): VmStops {
    let stops = this.#vms.get(vm);
    if (!stops) this.#vms.set(vm, stops = new VmStops(this.core));
    return stops;
  }

  /** Stops where another control stops as well, also before a VM has a vCPU. */
  adopt(other: DebugControl): void {
    if (other.#matcher) this.stopAtEvents(other.#matcher);
    this.#stopsAtStarts ||= other.#stopsAtStarts;
    for (const [vm, stops] of other.#vms) this.#stopsOf(vm).adopt(stops);
  }

  /** Follows a vCPU from now on; undefined: none. */
  follow(follower: Follower | undefined): void {
    this.#follower = follower;
    this.goOn(undefined);
  }

  /** Nothing stops the VM any more. */
  clear(): void {
    this.#follower = undefined;
    this.#passing.clear();
    for (const stops of this.#vms.values()) stops.clear();
    this.stopAtEvents(undefined);
    this.goOn(undefined);
    this.#awaitsStart = this.#stopsAtStarts = false;
  }

  /**
   * The scheduler is about to run a vCPU: whether it must not, because its VM stops before its
   * first instruction.
   */
  holds(vcpu: Vcpu): boolean {
    if (!this.debuggee.has(vcpu)) return false;
    const stops = this.#follow(vcpu);
    if (this.#follower?.is(vcpu)) {
      if (this.#follower.steps) this.goOn(vcpu);
      this.#follower.before(vcpu);
      return false;
    }
    if (!this.#awaitsStart && !this.#stopsAtStarts || vcpu.usage.instructions > 0) return false;
    if (!this.#awaitsStart && (stops.startedBy === vcpu || this.#runsAlready(vcpu))) return false;
    this.#awaitsStart = false;
    stops.stopAtStart(vcpu);
    this.#suspend({ vcpu, cause: "start" });
    return true;
  }

  /** Another vCPU of the same VM has executed instructions. */
  #runsAlready(vcpu: Vcpu): boolean {
    const { vmOf } = this.debuggee, vm = vmOf(vcpu);
    return this.vcpus().some((one) => one.usage.instructions > 0 && vmOf(one) === vm);
  }

  steps(vcpu: Vcpu): boolean {
    return this.#stepping === vcpu || this.#passing.has(vcpu);
  }

  /**
   * Sets how the VM continues, after the debugger stopped it: `vcpu` stops after one instruction
   * that leads out of `range`.
   */
  goOn(vcpu: Vcpu | undefined, range?: StepRange): void {
    this.#stepping = vcpu;
    this.#range = range;
    this.#inRange = false;
  }

  /**
   * Executes one instruction of a vCPU. Stops take effect only after the first instruction, or a
   * step would never begin.
   */
  step(vcpu: Vcpu, now: number, floor: number): Exit {
    const { registers } = vcpu;
    return this.#inRange && !this.#passing.has(vcpu) ? this.core.run(registers, now, 1, floor) : this.core.step(registers, now, floor);
  }

  /** A vCPU ran, and stopped for this reason. */
  ran(vcpu: Vcpu, reason: ExitReason): void {
    if (reason === ExitReason.Breakpoint || reason === ExitReason.Watchpoint) return this.#reached(vcpu, reason);
    this.#passing.delete(vcpu);
    if (this.#stepping !== vcpu) return;
    if (this.#follower?.is(vcpu)) return this.#follower.after(vcpu);
    const { pc } = vcpu.registers, range = this.#range;
    this.#inRange = range !== undefined && pc >= range.start && pc < range.end;
    if (!this.#inRange) this.#suspend({ vcpu, cause: "step" });
  }

  #reached(vcpu: Vcpu, reason: ExitReason): void {
    this.#reachedPlaces++;
    // The tables that the VM had are another one's now.
    if (!this.debuggee.has(vcpu)) this.#vacate(vcpu.registers.stage2);
    else if (reason === ExitReason.Breakpoint) {
      if (this.#stopsHere(vcpu)) this.#suspend({ vcpu, cause: "breakpoint" });
      else this.#passing.add(vcpu);
    } else this.#suspend({ vcpu, cause: "watchpoint", watch: this.core.stops.hit });
  }

  #stopsHere(vcpu: Vcpu): boolean {
    const stops = this.#follow(vcpu), { pc } = vcpu.registers;
    stops.lookAt(pc);
    const conditions = stops.conditionsAt(pc);
    return conditions !== undefined && (!conditions.length || conditions.some((condition) => this.holdsAt(vcpu, condition)));
  }

  /** The stops of a vCPU's VM, which follow it to the tables that it has now. */
  #follow(vcpu: Vcpu): VmStops {
    const { stage2 } = vcpu.registers, stops = this.#stopsOf(this.debuggee.vmOf(vcpu));
    if (stops.stage2 !== stage2) {
      this.#vacate(stage2);
      stops.moveTo(stage2);
    }
    return stops;
  }

  /** The VM that had these tables does not have them any more. */
  #vacate(stage2: number): void {
    for (const stops of this.#vms.values()) if (stops.stage2 === stage2) stops.leave();
  }

  #suspend(stop: DebugStop): void {
    this.goOn(undefined);
    this.#stop = stop;
    this.services.machine.suspend();
  }
}

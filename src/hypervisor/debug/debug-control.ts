// Where a debugger stops a VM: before the first instruction, at breakpoints and watchpoints, after
// a step. The scheduler consults it; a stop suspends the whole machine, so virtual time stops and
// continuing is the same run.
//
// The core identifies a VM by its stage-2 tables. A reset VM has new ones: breakpoints and
// watchpoints follow it there.

import { type DebugCore, type Exit, ExitReason } from "../../core/interface.ts";
import type { WatchHit, WatchKind } from "../../core/debug/watchpoints.ts";
import { TRACE_KINDS, type TraceEvent } from "../../abi/trace.ts";
import type { Machine } from "../../machine/machine.ts";
import type { VcpuDebugger } from "../scheduling/execution.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { TraceHub } from "../trace/trace-hub.ts";
import type { TraceNames } from "../trace/trace-names.ts";
import { MiB } from "../../support/sizes.ts";

const INSTRUCTION_SIZE = 4n;
/** Breakpoints that a VM may have. */
const MAXIMUM_BREAKPOINTS = 1000;
/** Watchpoints that a VM may have, and the bytes of one. */
const MAXIMUM_WATCHPOINTS = 64, MAXIMUM_WATCHED = MiB;

interface Watchpoint {
  readonly address: bigint;
  readonly length: number;
  readonly kind: WatchKind;
}

const watchKey = (address: bigint, length: number, kind: WatchKind) => `${kind} ${address.toString(16)} ${length}`;

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
  /** All VMs: breakpoints and watchpoints, which are addresses of one, cannot be set. */
  readonly all: boolean;
}

/** Matches an event: its text if the debugger stops at it. */
export type EventMatcher = (event: TraceEvent) => string | undefined;

/** Requirements of a debugger on the hypervisor. */
export interface DebugServices {
  readonly trace: TraceHub;
  readonly names: TraceNames;
  readonly machine: Machine;
  readonly scheduler: { readonly vcpus: ReadonlySet<Vcpu>; disturb(): void };
}

/** The stops of one VM, or of events of all. */
export class DebugControl implements VcpuDebugger {
  #stepping: Vcpu | undefined;
  /** Stepping continues while PC is in here. */
  #range: StepRange | undefined;
  /** Whether the step in progress is past its first instruction. */
  #inRange = false;
  #awaitsStart: boolean;
  #stop: DebugStop | undefined;
  /** Matching events since the last stop. */
  #events: string[] = [];
  #matcher: EventMatcher | undefined;
  #endListening: (() => void) | undefined;
  readonly #breakpoints = new Set<bigint>();
  readonly #watchpoints = new Map<string, Watchpoint>();
  /** The tables of stage 2 that the VM had when it ran last. */
  #stage2: number | undefined;

  /** @param fromStart stops before the first instruction. */
  constructor(readonly services: DebugServices, readonly core: DebugCore, readonly debuggee: Debuggee, fromStart: boolean) {
    this.#awaitsStart = fromStart;
  }

  /** The debugger's vCPUs by number. */
  vcpus(): Vcpu[] {
    const { has, numberOf } = this.debuggee;
    const all = [...this.services.scheduler.vcpus];
    return all.filter((vcpu) => !vcpu.native && vcpu.life !== "exited" && has(vcpu)).sort((a, b) => numberOf(a) - numberOf(b));
  }

  /** The vCPU with a number. */
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
   * Stops at events from now on: after the exit or the native guest's step that causes them.
   * Undefined: at none.
   */
  stopAtEvents(matcher: EventMatcher | undefined): void {
    this.#matcher = matcher;
    this.#endListening?.();
    this.#endListening = matcher && this.services.trace.listen(TRACE_KINDS, (event) => this.#see(event, matcher));
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

  /**
   * Stops before `address` from now on. False when no instruction can be there, when there are too
   * many breakpoints, or without a VM.
   */
  insert(address: bigint): boolean {
    const [vcpu] = this.vcpus();
    if (!vcpu || this.debuggee.all || address % INSTRUCTION_SIZE || this.#breakpoints.size >= MAXIMUM_BREAKPOINTS) return false;
    this.#follow(vcpu);
    this.#breakpoints.add(address);
    this.core.insertBreakpoint(vcpu.registers.stage2, address);
    return true;
  }

  /**
   * The same in a VM that need not be there yet: how it was found, the place can have an
   * instruction.
   */
  insertAhead(address: bigint): void {
    this.#breakpoints.add(address);
    if (this.#stage2 !== undefined) this.core.insertBreakpoint(this.#stage2, address);
  }

  /** Removes a breakpoint, if it exists. */
  remove(address: bigint): void {
    if (this.#breakpoints.delete(address) && this.#stage2 !== undefined) this.core.removeBreakpoint(this.#stage2, address);
  }

  /**
   * Stops before accesses to `length` bytes from now on. False when the length is invalid, when
   * there are too many watchpoints, or without a VM.
   */
  watch(address: bigint, length: number, kind: WatchKind): boolean {
    const [vcpu] = this.vcpus();
    if (!vcpu || this.debuggee.all || length < 1 || length > MAXIMUM_WATCHED || this.#watchpoints.size >= MAXIMUM_WATCHPOINTS) return false;
    this.#follow(vcpu);
    this.#watchpoints.set(watchKey(address, length, kind), { address, length, kind });
    this.core.insertWatchpoint(vcpu.registers.stage2, address, length, kind);
    return true;
  }

  /** Removes a watchpoint, if it exists. */
  unwatch(address: bigint, length: number, kind: WatchKind): void {
    const found = this.#watchpoints.delete(watchKey(address, length, kind));
    if (found && this.#stage2 !== undefined) this.core.removeWatchpoint(this.#stage2, address, length, kind);
  }

  /** Stops where another control stops as well, also before the VM has a vCPU. */
  adopt(other: DebugControl): void {
    if (other.#matcher) this.stopAtEvents(other.#matcher);
    for (const address of other.#breakpoints) {
      this.#breakpoints.add(address);
      if (this.#stage2 !== undefined) this.core.insertBreakpoint(this.#stage2, address);
    }
    for (const [key, watchpoint] of other.#watchpoints) {
      const { address, length, kind } = watchpoint;
      this.#watchpoints.set(key, watchpoint);
      if (this.#stage2 !== undefined) this.core.insertWatchpoint(this.#stage2, address, length, kind);
    }
  }

  /** Nothing stops the VM any more. */
  clear(): void {
    for (const address of [...this.#breakpoints]) this.remove(address);
    for (const { address, length, kind } of [...this.#watchpoints.values()]) this.unwatch(address, length, kind);
    this.stopAtEvents(undefined);
    this.goOn(undefined);
    this.#awaitsStart = false;
  }

  /**
   * The scheduler is about to run a vCPU: whether it must not, because the VM stops before its
   * first instruction.
   */
  holds(vcpu: Vcpu): boolean {
    if (!this.debuggee.has(vcpu)) return false;
    if (!this.debuggee.all) this.#follow(vcpu);
    if (!this.#awaitsStart || vcpu.usage.instructions > 0) return false;
    this.#awaitsStart = false;
    this.#suspend({ vcpu, cause: "start" });
    return true;
  }

  /** The vCPU that executes one instruction when its turn comes. */
  get stepping(): Vcpu | undefined {
    return this.#stepping;
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
   * Executes one instruction of the vCPU that is stepping. Stops take effect only after the first
   * instruction, or a step would never begin.
   */
  step({ registers }: Vcpu, now: number, floor: number): Exit {
    return this.#inRange ? this.core.run(registers, now, 1, floor) : this.core.step(registers, now, floor);
  }

  /** A vCPU ran, and stopped for this reason. */
  ran(vcpu: Vcpu, reason: ExitReason): void {
    if (reason === ExitReason.Breakpoint || reason === ExitReason.Watchpoint) return this.#reached(vcpu, reason);
    if (this.#stepping !== vcpu) return;
    const { pc } = vcpu.registers, range = this.#range;
    this.#inRange = range !== undefined && pc >= range.start && pc < range.end;
    if (!this.#inRange) this.#suspend({ vcpu, cause: "step" });
  }

  #reached(vcpu: Vcpu, reason: ExitReason): void {
    // The tables that the VM had are another one's now.
    if (!this.debuggee.has(vcpu)) this.#leave();
    else if (reason === ExitReason.Breakpoint) this.#suspend({ vcpu, cause: "breakpoint" });
    else this.#suspend({ vcpu, cause: "watchpoint", watch: this.core.watchHit });
  }

  /** Everything that is set moves to the tables that the VM has now. */
  #follow({ registers: { stage2 } }: Vcpu): void {
    if (stage2 === this.#stage2) return;
    this.#leave();
    this.#stage2 = stage2;
    for (const address of this.#breakpoints) this.core.insertBreakpoint(stage2, address);
    for (const { address, length, kind } of this.#watchpoints.values()) this.core.insertWatchpoint(stage2, address, length, kind);
  }

  /** Nothing is set for the tables that the VM had. */
  #leave(): void {
    const stage2 = this.#stage2;
    this.#stage2 = undefined;
    if (stage2 === undefined) return;
    for (const address of this.#breakpoints) this.core.removeBreakpoint(stage2, address);
    for (const { address, length, kind } of this.#watchpoints.values()) this.core.removeWatchpoint(stage2, address, length, kind);
  }

  #suspend(stop: DebugStop): void {
    this.goOn(undefined);
    this.#stop = stop;
    this.services.machine.suspend();
  }
}

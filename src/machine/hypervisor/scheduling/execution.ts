// A vCPU's instructions on a physical CPU, exit by exit (docs/architecture/core.md, "Exits" and
// "Time").

import { type Exit, type ExitHandler, ExitReason } from "../../../cpu/core/interface.ts";
import type { Archive } from "../../hardware/archive.ts";
import { DOUBLE } from "../../hardware/clock.ts";
import type { PhysicalCpu } from "../../hardware/el2.ts";
import type { Vcpu } from "./vcpu.ts";
import type { RepeatCounter, VcpuServices } from "./vcpu-services.ts";

/**
 * Virtual time (ns) of an exit in addition to the instructions before it, close to hardware. Time
 * must pass in every loop, at a similar pace: otherwise a guest that polls a device would delay all
 * timers.
 */
export const EXIT_COST = 1_000;

/** A debugger between a vCPU and the core. */
export interface VcpuDebugger {
  /** Whether a vCPU that is about to run must not. */
  holds(vcpu: Vcpu): boolean;
  /** Whether a vCPU executes one instruction when its turn comes. */
  steps(vcpu: Vcpu): boolean;
  step(vcpu: Vcpu, now: number, floor: number): Exit;
  /** A vCPU ran, and stopped for this reason. */
  ran(vcpu: Vcpu, reason: ExitReason): void;
}

/** Requirements of running vCPUs on the hypervisor. */
export interface ExecutionServices extends VcpuServices {
  readonly debug: VcpuDebugger | undefined;
  /** Handles an exit of a vCPU other than the end of its budget. */
  readonly handleExit: (vcpu: Vcpu, exit: Exit) => void;
  /**
   * Deals with an exception in el2 itself while a vCPU ran.
   * @throws that exception, if the machine cannot continue
   */
  readonly contain: (vcpu: Vcpu, error: unknown) => void;
}

/** Runs vCPUs that execute instructions, one at a time. */
export class Execution implements ExitHandler {
  readonly services: ExecutionServices;
  #retired = DOUBLE;
  /** `retired` at the beginning of the run in progress. */
  #began = DOUBLE;
  #steps = 0;
  /** Exits in the run in progress. */
  #exits = 0;
  #stopAt = Infinity;
  /** Set while an exit is handled that may change who runs. */
  #disturbed = false;
  /**
   * The run in progress: vCPU, CPU, the virtual time (ns) at which the vCPU's slice ends or a timer
   * fires, the end of the turn, and the time at which the run ends: it may take several turns.
   */
  #vcpu!: Vcpu;
  #cpu!: PhysicalCpu;
  #due = DOUBLE;
  #turnEnd = DOUBLE;
  #limit = DOUBLE;
  /** Whether the exit that was handled last may repeat (`ExitHandler.repeats`). */
  #repeats = false;
  #counter: RepeatCounter | undefined;
  readonly exitCost = EXIT_COST;

  readonly #handleExit: ExecutionServices["handleExit"];

  constructor(services: ExecutionServices) {
    this.services = services;
    this.#handleExit = services.handleExit;
    this.#retired = this.#began = 0;
  }

  /** Instructions that all vCPUs have retired together. */
  get retired(): number {
    return this.#retired;
  }

  /** Instructions that a vCPU has retired, with those of the run in progress. */
  executedBy(vcpu: Vcpu): number {
    return vcpu.usage.instructions + (vcpu === this.#vcpu ? this.#retired - this.#began : 0);
  }

  /**
   * Exceptions to EL2 and notices of the core, and changes of who runs, of all physical CPUs: like
   * what is retired, the same at a place of the run however often the run stopped on the way there.
   */
  get steps(): number {
    return this.#steps;
  }

  /** The machine is suspended when this many instructions have retired; Infinity: never. */
  get stopAt(): number {
    return this.#stopAt;
  }

  /** Suspends the machine when `retired` instructions are retired; Infinity: never. */
  suspendAt(retired: number): void {
    this.#stopAt = retired;
  }

  /** An exit of a native guest, or a change of who runs. */
  addStep(): void {
    this.#steps++;
  }

  /** Sets the count of steps of a place of the run. */
  recallSteps(steps: number): void {
    this.#steps = steps;
  }

  archive(archive: Archive): void {
    this.#retired = this.#began = archive.integer("retired", this.#retired);
  }

  /**
   * Whether the run in progress has to end after the instruction that it has come to, because of
   * what the listeners of its event have done.
   */
  get ends(): boolean {
    return this.#disturbed || this.#limit > this.#turnEnd && this.#furthest < this.#limit;
  }

  /** An input to the scheduling decision changed: the run in progress ends after its exit. */
  disturb(): void {
    this.#disturbed = true;
  }

  /**
   * The exit in progress has changed nothing but registers of its vCPU, and did not depend on the
   * time.
   * @param counter counts the exits that had the same answer again
   */
  exitRepeats(counter: RepeatCounter | undefined): void {
    this.#repeats = true;
    this.#counter = counter;
  }

  /**
   * Runs a vCPU up to the end of the turn, or of a later one that nothing else has a part in, and
   * not beyond virtual time `due` (ns); continues after exits that affect nothing else: most calls
   * and device accesses.
   */
  run(cpu: PhysicalCpu, vcpu: Vcpu, due: number): void {
    const { machine, debug, checker, trace } = this.services;
    if (debug?.holds(vcpu)) return;
    const { registers, gic } = vcpu;
    // Both stay until the loop ends: a change of either line disturbs, and no other CPU gets on
    // meanwhile.
    registers.irq = gic.irq;
    registers.fiq = gic.fiq;
    const floor = machine.time;
    this.#exits = 0;
    this.#began = this.#retired;
    this.#cpu = cpu;
    this.#vcpu = vcpu;
    this.#due = due;
    this.#turnEnd = machine.turnEnd;
    this.#disturbed = false;
    // A debugger, the checker and a stop in this turn need every exit.
    const watched = debug !== undefined || checker !== undefined || this.#stopTime <= this.#turnEnd;
    // The event of an UNDEFINED instruction has the turn that it is in, and its listener acts when
    // that turn is over.
    this.#limit = watched || trace.wanted.trap ? Math.min(this.#turnEnd, due) : this.#furthest;
    try {
      do {
        this.#runOnce(cpu, vcpu, floor, watched ? undefined : this);
      } while (this.#goesOn() && debug === undefined && checker === undefined);
    } catch (error) {
      this.services.contain(vcpu, error);
    }
    vcpu.usage.addRun(this.#retired - this.#began, this.#exits);
    this.#began = this.#retired;
  }

  /** An exception to EL2 in the middle of a run of the core. */
  handle(exit: Exit): number {
    const vcpu = this.#vcpu, cpu = this.#cpu;
    const { retired } = exit;
    this.#passTurns(retired);
    this.#retired += retired;
    cpu.position += retired + EXIT_COST;
    this.#steps++;
    this.#exits++;
    this.#repeats = false;
    this.#handleExit(vcpu, exit);
    return this.#goesOn() ? Math.ceil(this.#limit - cpu.position) : 0;
  }

  /** The core adds up times, which is exact for whole nanoseconds alone. */
  get repeats(): boolean {
    return this.#repeats && Number.isInteger(this.#cpu.position);
  }

  repeated(count: number, retired: number): void {
    this.#retired += retired;
    this.#cpu.position += retired + count * EXIT_COST;
    this.#steps += count;
    this.#exits += count;
    this.#counter?.repeated(this.#vcpu, count);
  }

  reached(time: number): number {
    if (time < this.#turnEnd) return 0;
    this.services.machine.pass(time);
    this.#turnEnd = this.services.machine.turnEnd;
    const passed = Math.max(0, this.services.machine.boundary - this.#cpu.position);
    this.#retired += passed;
    this.#cpu.position += passed;
    return passed;
  }

  /** Virtual time (ns) of the physical CPU that runs. */
  get now(): number {
    return this.#cpu.position;
  }

  /**
   * Whether the scheduling decisions that led to this vCPU would lead to it again. Changes to their
   * inputs call `disturb`.
   */
  #goesOn(): boolean {
    if (this.#disturbed) return false;
    // The exit may have scheduled an event.
    if (this.#limit > this.#turnEnd) this.#limit = this.#furthest;
    return this.#cpu.position < this.#limit;
  }

  /** The virtual time (ns) before which too few instructions retire for a suspension. */
  get #stopTime(): number {
    return this.#cpu.position + this.#stopAt - this.#retired;
  }

  /** The end of the run: of a turn before the stop, if that is not in the one in progress. */
  get #furthest(): number {
    const { machine } = this.services, end = Math.min(machine.horizon, this.#due), stop = this.#stopTime;
    if (stop > end) return end;
    return Math.max(this.#turnEnd, this.#turnEnd + Math.floor((stop - 1 - this.#turnEnd) / machine.quantum) * machine.quantum);
  }

  /** Instructions have retired from the CPU's position on, the last one in a later turn perhaps. */
  #passTurns(retired: number): void {
    const { position } = this.#cpu;
    // The time of an exit may reach into the next turn, but without an instruction none begins.
    if (retired === 0 || position + retired <= this.#turnEnd) return;
    const { machine } = this.services;
    machine.pass(position + retired - 1);
    this.#turnEnd = machine.turnEnd;
  }

  /** @param floor minimum of the counters, besides the CPU's own position */
  #runOnce(cpu: PhysicalCpu, vcpu: Vcpu, floor: number, el2: ExitHandler | undefined): void {
    const { core, machine, debug } = this.services;
    const { position } = cpu;
    const exit = debug?.steps(vcpu)
      ? debug.step(vcpu, position, floor)
      : core.run(vcpu.registers, position, Math.min(Math.ceil(this.#limit - position), this.#stopAt - this.#retired), floor, el2);
    const { reason, retired } = exit;
    this.#passTurns(retired);
    cpu.position += retired;
    this.#retired += retired;
    if (this.#retired >= this.#stopAt) {
      this.disturb();
      machine.suspend();
    }
    if (reason !== ExitReason.Budget && reason !== ExitReason.Breakpoint && reason !== ExitReason.Watchpoint) {
      this.#steps++;
      if (reason === ExitReason.Trap || reason === ExitReason.Bus) {
        cpu.position += EXIT_COST;
        this.#exits++;
      }
      this.#handleExit(vcpu, exit);
    }
    debug?.ran(vcpu, reason);
  }
}

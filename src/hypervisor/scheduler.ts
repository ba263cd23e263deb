// The scheduler: fixed priorities, round robin within one, for each physical CPU; directed yields; and the turn of a physical CPU
// (spec/hypervisor.md sections 5.1 to 5.5; docs/architecture.md, "Virtual time").

import { ErrorCode } from "../abi/errors.ts";
import { ThreadRight } from "../abi/rights.ts";
import { CPU_INVALID, YieldHint } from "../abi/words.ts";
import { ExitReason } from "../core/interface.ts";
import type { PhysicalCpu } from "../machine/el2.ts";
import { active, type Call, hypercall, type HypercallDefinition } from "./hypercall-definition.ts";
import type { Hypervisor } from "./hypervisor.ts";
import { RunQueue } from "./run-queue.ts";
import { handleExit, writeResults } from "./traps.ts";
import { Block, type Vcpu } from "./vcpu.ts";
import { runState } from "./vcpu-run.ts";

/**
 * Virtual time (ns) that an exit takes beside the instructions before it, about what it takes on hardware. Time must pass in every loop,
 * and at a like pace: a guest that polls a device would hold up everybody's timers otherwise.
 */
export const EXIT_COST = 1_000;
/** scheduler_yield's `control`: the hint, and the implementation-defined bit, of which there is no meaning. */
const YIELD_HINT_MASK = 0xffff;
const YIELD_IMPLEMENTATION_DEFINED = 0x8000_0000;

/** One physical CPU. */
interface CpuState {
  readonly queue: RunQueue;
  /** The vCPU whose turn it is; it is not in the queue. */
  current: Vcpu | undefined;
  /** The vCPU of the primary VM that has it. */
  primary: Vcpu | undefined;
}

/** The scheduler of one machine. */
export class Scheduler {
  /** Active vCPUs, in the order of their activation. */
  readonly vcpus = new Set<Vcpu>();
  readonly #cpus: readonly CpuState[];
  /** Set while an exit is handled that ends the turn: what runs can only wait for another CPU. */
  #turnOver = false;

  constructor(readonly hypervisor: Hypervisor) {
    this.#cpus = hypervisor.machine.cpus.map(() => ({ queue: new RunQueue(), current: undefined, primary: undefined }));
  }

  /** Whether there is a physical CPU of this index. */
  hasCpu(index: number): boolean {
    return index < this.#cpus.length;
  }

  /** Whether a vCPU of the primary VM has a CPU. */
  hasPrimary(index: number): boolean {
    return this.#cpus[index].primary !== undefined;
  }

  /** A vCPU was activated. */
  add(vcpu: Vcpu): void {
    this.vcpus.add(vcpu);
    if (vcpu.isPrimary) this.#cpus[vcpu.affinity].primary = vcpu;
  }

  /** A vCPU is being destroyed. */
  remove(vcpu: Vcpu): void {
    this.#dequeue(vcpu);
    this.vcpus.delete(vcpu);
    for (const cpu of this.#cpus) if (cpu.primary === vcpu) cpu.primary = undefined;
  }

  /** A reason to be blocked is gone: queues the vCPU if it can run. */
  ready(vcpu: Vcpu): void {
    if (!vcpu.isRunnable || vcpu.queued || vcpu.donor || vcpu.affinity === CPU_INVALID) return;
    const cpu = this.#cpus[vcpu.affinity];
    if (cpu.current === vcpu) return;
    vcpu.sliceLeft = vcpu.timeslice;
    cpu.queue.add(vcpu, "tail");
  }

  /** Moves a vCPU to another CPU, or to none. */
  migrate(vcpu: Vcpu, affinity: number): void {
    this.#dequeue(vcpu);
    vcpu.affinity = affinity;
    if (vcpu.state === "active") this.ready(vcpu);
  }

  /** vcpu_run: `target` runs in the place of `caller` until it stops, its slice is over or the caller is wanted. */
  lend(caller: Vcpu, target: Vcpu): void {
    this.migrate(target, caller.affinity);
    this.#yieldTo(caller, target, true);
    target.unblock(Block.Run);
  }

  /** scheduler_yield without a target: the rest of the slice is given up, which ends a directed yield that the caller runs in. */
  yield(caller: Vcpu): void {
    caller.sliceLeft = 0;
  }

  /** scheduler_yield to a thread. */
  yieldToThread(caller: Vcpu, target: Vcpu): void {
    const here = target.affinity === caller.affinity || target.affinity === CPU_INVALID;
    const eligible = target !== caller && here && !target.donor && !target.yieldTo && target.isRunnable;
    if (eligible && !caller.hasInterrupt) this.#yieldTo(caller, target, false);
  }

  /** Whether a CPU has anything to run. */
  runnable(cpu: PhysicalCpu): boolean {
    const { current, queue } = this.#cpus[cpu.index];
    return current !== undefined && current.isRunnable || queue.best !== undefined;
  }

  /** What every vCPU waits for, a line each. */
  describeWaits(): string[] {
    return [...this.vcpus].map((vcpu) => `${vcpu.name} waits for ${vcpu.waits || "its turn"}`);
  }

  /** The turn of a CPU: see `El2.run`. */
  run(cpu: PhysicalCpu, until: number): void {
    const state = this.#cpus[cpu.index];
    const { machine } = this.hypervisor;
    this.#turnOver = false;
    while (cpu.position < until && !this.#turnOver && !machine.stopReason && !machine.suspended) {
      const thread = this.#schedule(state);
      if (!thread) {
        if (!this.#sleep(cpu, until)) return;
        continue;
      }
      const target = this.#follow(thread);
      if (target.life === "killed") this.#exit(state, target);
      else this.#execute(cpu, until, thread, target);
      // Waiting for another CPU takes the rest of the turn, and is paid with the slice.
      if (this.#turnOver) thread.sliceLeft -= until - cpu.position;
    }
    // A debugger's stop must not make more of the turn than there was: it has no memory of being over.
    if (this.#turnOver && machine.suspended) this.#skip(cpu, until);
  }

  /** Ends the turn of the CPU that is running. */
  endTurn(): void {
    this.#turnOver = true;
  }

  /** Chooses the vCPU whose turn it is. */
  #schedule(cpu: CpuState): Vcpu | undefined {
    const best = cpu.queue.best;
    const current = cpu.current?.isRunnable ? cpu.current : undefined;
    if (current) {
      const over = current.sliceLeft <= 0;
      if (over) this.#renewSlice(current);
      if (!best || best.priority < current.priority || best.priority === current.priority && !over) return current;
      cpu.queue.add(current, over ? "tail" : "head");
    }
    cpu.current = best;
    if (best) cpu.queue.remove(best);
    return best;
  }

  /** A slice is over, and with it what is lent from it. */
  #renewSlice(vcpu: Vcpu): void {
    vcpu.sliceLeft = vcpu.timeslice;
    if (vcpu.yieldTo) this.#endYield(vcpu, vcpu.yieldTo);
  }

  /** Follows directed yields from a thread to the one that runs in its place, and ends those that are over. */
  #follow(thread: Vcpu): Vcpu {
    let target = thread;
    while (target.yieldTo) {
      const next = target.yieldTo;
      const over = next.sliceLeft <= 0 || target.hasInterrupt || target.isDead;
      if (over || !next.isRunnable) {
        this.#endYield(target, next);
        break;
      }
      target = next;
    }
    return target;
  }

  #execute(cpu: PhysicalCpu, until: number, thread: Vcpu, target: Vcpu): void {
    const slice = target === thread ? thread.sliceLeft : Math.min(thread.sliceLeft, target.sliceLeft);
    const limit = Math.min(until, cpu.position + slice, this.#nextDeadline(cpu));
    const start = cpu.position;
    if (target.native) this.#runNative(cpu, target, target.native);
    else if (limit > start) this.#runCore(cpu, target, limit);
    const spent = cpu.position - start;
    target.time += spent;
    target.sliceLeft -= spent;
    if (target !== thread) thread.sliceLeft -= spent;
    this.#updateTimers(cpu);
  }

  /** Lets a CPU wait until `until`. */
  #skip(cpu: PhysicalCpu, until: number): void {
    cpu.idle += Math.max(0, until - cpu.position);
    cpu.position = Math.max(until, cpu.position);
  }

  /** Lets a CPU with nothing to run sleep until a timer of one of its vCPUs; false when there is none before the end of the turn. */
  #sleep(cpu: PhysicalCpu, until: number): boolean {
    const deadline = this.#nextDeadline(cpu);
    if (deadline >= until) return false;
    this.#skip(cpu, deadline);
    this.#updateTimers(cpu);
    return true;
  }

  /** When the next timer of a vCPU of this CPU fires (ns). */
  #nextDeadline(cpu: PhysicalCpu): number {
    let next = Infinity;
    for (const vcpu of this.vcpus) if (vcpu.affinity === cpu.index) next = Math.min(next, vcpu.timers.deadline);
    return next;
  }

  /** Fires the timers of this CPU's vCPUs that are due. */
  #updateTimers(cpu: PhysicalCpu): void {
    const { time } = this.hypervisor.machine;
    for (const vcpu of this.vcpus) if (vcpu.affinity === cpu.index && vcpu.timers.deadline <= time) vcpu.timers.update(time);
  }

  #runCore(cpu: PhysicalCpu, vcpu: Vcpu, limit: number): void {
    const { core, machine, debug } = this.hypervisor;
    const { registers, gic } = vcpu;
    if (debug?.holds(vcpu)) return;
    registers.irq = gic.irq;
    registers.fiq = gic.fiq;
    const exit = debug?.stepping === vcpu
      ? debug.core.step(registers, cpu.position, machine.time)
      : core.run(registers, cpu.position, Math.ceil(limit - cpu.position), machine.time);
    const { reason } = exit;
    cpu.position += exit.retired;
    vcpu.instructions += exit.retired;
    if (reason !== ExitReason.Budget && reason !== ExitReason.Breakpoint) {
      vcpu.exits++;
      if (reason === ExitReason.Trap || reason === ExitReason.Bus) cpu.position += EXIT_COST;
      handleExit(vcpu, exit);
    }
    debug?.ran(vcpu, reason);
  }

  #runNative(cpu: PhysicalCpu, vcpu: Vcpu, native: NonNullable<Vcpu["native"]>): void {
    if (!native.hasWork()) {
      if (!native.insideRun) vcpu.waitForInterrupt();
      // Nothing to handle although an interrupt is signalled (a group it does not take): the next turn looks again.
      if (vcpu.isRunnable && !vcpu.yieldTo) this.endTurn();
      return;
    }
    cpu.position += Math.max(native.step(), EXIT_COST);
    vcpu.exits++;
    if (vcpu.native === native) vcpu.timers.reload(this.hypervisor.now);
  }

  #yieldTo(caller: Vcpu, target: Vcpu, insideRun: boolean): void {
    target.retain();
    target.donor = caller;
    target.sliceLeft = target.timeslice;
    caller.yieldTo = target;
    caller.insideRun = insideRun;
  }

  #endYield(caller: Vcpu, target: Vcpu): void {
    caller.yieldTo = undefined;
    target.donor = undefined;
    target.sliceLeft = target.timeslice;
    if (caller.insideRun) {
      caller.insideRun = false;
      const results = runState(target);
      target.block(Block.Run);
      if (!caller.isDead) this.#deliver(caller, results);
    } else {
      this.ready(target);
    }
    target.release();
  }

  /** vcpu_run comes back to its caller. */
  #deliver(caller: Vcpu, results: Readonly<Record<string, unknown>>): void {
    const encoded = this.hypervisor.hypercalls.encode("vcpu_run", results, caller.entrance, caller);
    if (caller.native) caller.native.completeRun(encoded);
    else writeResults(caller, encoded, caller.entrance);
  }

  #exit(cpu: CpuState, vcpu: Vcpu): void {
    if (vcpu.yieldTo) this.#endYield(vcpu, vcpu.yieldTo);
    if (cpu.current === vcpu) cpu.current = undefined;
    this.#dequeue(vcpu);
    vcpu.exit();
  }

  #dequeue(vcpu: Vcpu): void {
    if (vcpu.queued) this.#cpus[vcpu.affinity].queue.remove(vcpu);
    for (const cpu of this.#cpus) if (cpu.current === vcpu) cpu.current = undefined;
  }
}

function schedulerYield(call: Call, control: number, target: bigint): ErrorCode {
  const { hypervisor, caller } = call;
  const hint = control & YIELD_HINT_MASK;
  if (control & YIELD_IMPLEMENTATION_DEFINED || hint !== YieldHint.Yield && hint !== YieldHint.ToThread) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "a yield, or a yield to a thread", { control });
  }
  if (hint === YieldHint.Yield) {
    hypervisor.scheduler.yield(caller);
    return ErrorCode.OK;
  }
  const thread = call.lookup(target, active("thread", ThreadRight.YieldTo));
  if (typeof thread === "number") return thread;
  hypervisor.scheduler.yieldToThread(caller, thread);
  return ErrorCode.OK;
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("scheduler_yield", { handler: (call, { control, arg1 }) => schedulerYield(call, control, arg1) }),
];

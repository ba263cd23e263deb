// The scheduler: fixed priorities, round robin within one, for each physical CPU; directed yields;
// and the turn of a physical CPU (docs/spec/hypervisor.md §5.1 to §5.5;
// docs/architecture/hypervisor.md, "Scheduling").

import type { WaitingVcpu } from "../../abi/trace.ts";
import { CPU_INVALID } from "../../abi/words.ts";
import { DOUBLE } from "../../hardware/clock.ts";
import type { PhysicalCpu } from "../../hardware/el2.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { Execution, type ExecutionServices, EXIT_COST } from "./execution.ts";
import { RunQueue } from "./run-queue.ts";
import type { Vcpu } from "./vcpu.ts";
import { Block } from "./vcpu-life.ts";
import { runState } from "./vcpu-run.ts";
import type { RepeatCounter, VcpuProgram, VcpuScheduler } from "./vcpu-services.ts";
import { vcpuId } from "../../abi/ids.ts";

interface CpuState {
  readonly queue: RunQueue;
  /** The vCPU whose turn it is; it is not in the queue. */
  current: Vcpu | undefined;
  /** The vCPU of the primary VM that has it. */
  primary: Vcpu | undefined;
  /** When the next timer of one of its vCPUs fires (ns); NaN while that must be looked up. */
  deadline: number;
  /** The vCPU that ran last, by any yield, unless the CPU slept since. */
  runs: Vcpu | undefined;
}

/** The scheduler of one machine. */
export class Scheduler implements VcpuScheduler {
  readonly services: ExecutionServices;
  /** Active vCPUs, in the order of their activation. */
  readonly vcpus = new Set<Vcpu>();
  readonly #cpus: readonly CpuState[];
  /**
   * Set while an exit is handled that ends the turn: the vCPU can now only wait for another CPU.
   */
  #turnOver = false;
  /** The vCPU that runs now, and since when (ns). */
  #running: Vcpu | undefined;
  #runningSince = DOUBLE;
  /** Runs vCPUs that execute instructions. */
  readonly execution: Execution;

  constructor(services: ExecutionServices) {
    this.services = services;
    this.execution = new Execution(services);
    this.#cpus = services.machine.cpus.map(() => ({
      queue: new RunQueue(),
      current: undefined,
      primary: undefined,
      deadline: DOUBLE,
      runs: undefined,
    }));
  }

  /** Whether there is a physical CPU of this index. */
  hasCpu(index: number): boolean {
    return index < this.#cpus.length;
  }

  /** The vCPU that a physical CPU runs, or ran last. */
  runsOn(index: number): Vcpu | undefined {
    return this.#cpus[index].runs;
  }

  /** Whether a vCPU of the primary VM has a CPU. */
  hasPrimary(index: number): boolean {
    return this.#cpus[index].primary !== undefined;
  }

  /** Virtual time (ns) for which the primary's vCPU of a physical CPU has run, up to now. */
  primaryRunTime(index: number): number {
    const vcpu = this.#cpus[index].primary;
    if (vcpu === undefined) return 0;
    return vcpu.usage.time + (vcpu === this.#running ? this.execution.now - this.#runningSince : 0);
  }

  add(vcpu: Vcpu): void {
    this.vcpus.add(vcpu);
    this.deadlineChanged(vcpu);
    if (vcpu.settings.isPrimary) this.#cpus[vcpu.settings.affinity].primary = vcpu;
  }

  /** A vCPU is being destroyed. */
  remove(vcpu: Vcpu): void {
    this.#dequeue(vcpu);
    this.vcpus.delete(vcpu);
    this.deadlineChanged(vcpu);
    for (const cpu of this.#cpus) {
      if (cpu.primary === vcpu) cpu.primary = undefined;
      if (cpu.runs === vcpu) cpu.runs = undefined;
    }
  }

  /**
   * An input to the choice of the next vCPU changed: runnable vCPUs, slices, timers, interrupts.
   */
  disturb(): void {
    this.execution.disturb();
  }

  exitRepeats(counter?: RepeatCounter): void {
    this.execution.exitRepeats(counter);
  }

  /** A reason to be blocked is gone: queues the vCPU if it can run. */
  ready(vcpu: Vcpu): void {
    this.disturb();
    // The vCPU that yielded to it may never get the CPU again; the time that vcpu_run lends is all
    // that it has.
    if (!vcpu.life.isRunnable || vcpu.turn.queued || vcpu.turn.donor?.turn.insideRun || vcpu.settings.affinity === CPU_INVALID) return;
    const cpu = this.#cpus[vcpu.settings.affinity];
    if (cpu.current === vcpu) return;
    vcpu.turn.renew(vcpu.settings.timeslice);
    cpu.queue.add(vcpu, "tail");
  }

  /** Makes a change of a vCPU that moves it in the queue where it waits. */
  requeue(vcpu: Vcpu, change: () => void): void {
    const queue = vcpu.turn.queued ? this.#cpus[vcpu.settings.affinity].queue : undefined;
    queue?.remove(vcpu);
    change();
    queue?.add(vcpu, "tail");
  }

  /** Moves a vCPU to another CPU, or to none. */
  migrate(vcpu: Vcpu, affinity: number): void {
    this.disturb();
    this.#dequeue(vcpu);
    this.deadlineChanged(vcpu);
    vcpu.settings.setAffinity(affinity);
    this.deadlineChanged(vcpu);
    if (vcpu.state === "active") this.ready(vcpu);
  }

  /** The deadline of a vCPU's timers, or its physical CPU, changed. */
  deadlineChanged({ settings: { affinity } }: Vcpu): void {
    this.disturb();
    if (affinity < this.#cpus.length) this.#cpus[affinity].deadline = NaN;
  }

  /**
   * vcpu_run: `target` runs instead of `caller` until it stops, its slice is over or the caller is
   * needed.
   */
  lend(caller: Vcpu, target: Vcpu): void {
    // One that ran on this CPU last stays there, and so do its timers.
    if (target.settings.affinity === caller.settings.affinity) this.#dequeue(target);
    else this.migrate(target, caller.settings.affinity);
    this.#yieldTo(caller, target, true);
    target.unblock(Block.Run);
  }

  /**
   * scheduler_yield without a target: gives up the rest of the slice, which ends a directed yield
   * in which the caller runs.
   */
  yield(caller: Vcpu): void {
    this.disturb();
    caller.turn.renew(0);
  }

  /** scheduler_yield to a thread. */
  yieldToThread(caller: Vcpu, target: Vcpu): void {
    // A vCPU that runs by another's directed yield redirects that yield, or ends it. Time lent by
    // vcpu_run stays the lender's.
    const donor = caller.turn.donor?.turn.insideRun === false ? caller.turn.donor : undefined;
    if (donor && target === donor) {
      this.#endYield(donor, caller);
      return;
    }
    const from = donor ?? caller;
    const eligible = target !== caller && isHere(target, from) && !target.turn.donor && !target.turn.yieldTo && target.life.isRunnable;
    if (!eligible || from.gic.hasInterrupt) return;
    if (donor) this.#endYield(donor, caller);
    this.#yieldTo(from, target, false);
  }

  /** Ends the directed yields by which a vCPU runs. */
  leavePlace(vcpu: Vcpu): void {
    const { donor } = vcpu.turn;
    if (donor?.turn.insideRun === false) this.#endYield(donor, vcpu);
  }

  /** Whether a CPU has anything to run. */
  runnable(cpu: PhysicalCpu): boolean {
    const { current, queue } = this.#cpus[cpu.index];
    return current !== undefined && current.life.isRunnable || queue.best !== undefined;
  }

  waits(): WaitingVcpu[] {
    return [...this.vcpus].map(({ name, life }) => ({ vcpu: name, waits: life.waits }));
  }

  /**
   * How often a vCPU is in run queues, and whether it has the turn of a CPU. For the invariant
   * checker.
   */
  placesOf(vcpu: Vcpu): { readonly queued: number; readonly current: boolean } {
    let queued = 0;
    for (const { queue } of this.#cpus) queued += queue.count(vcpu);
    return { queued, current: this.#cpus.some(({ current }) => current === vcpu) };
  }

  /** Running and waiting vCPUs, saved or loaded. */
  archive(archive: ObjectArchive): void {
    const vcpus = archive.list("vcpus", this.vcpus, (vcpu) => archive.object("vcpu", vcpu, "thread"));
    if (archive.loading) this.vcpus.clear();
    for (const vcpu of vcpus) this.vcpus.add(vcpu);
    archive.check(this.vcpus.size === vcpus.length, "a vCPU is scheduled once");
    this.execution.archive(archive);
    this.#turnOver = archive.bool("turnOver", this.#turnOver);
    for (const [index, cpu] of this.#cpus.entries()) archive.within(`cpu${index}`, () => this.#archiveCpu(archive, cpu));
  }

  #archiveCpu(archive: ObjectArchive, cpu: CpuState): void {
    archive.within("queue", () => cpu.queue.archive(archive));
    cpu.current = archive.objectOrNone("current", cpu.current, "thread");
    cpu.primary = archive.objectOrNone("primary", cpu.primary, "thread");
    cpu.runs = archive.objectOrNone("runs", cpu.runs, "thread");
    const active = [cpu.current, cpu.primary, cpu.runs].every((vcpu) => vcpu === undefined || this.vcpus.has(vcpu));
    archive.check(active, "a vCPU that has a CPU is scheduled");
    // It follows from the vCPUs' timers.
    if (archive.loading) cpu.deadline = NaN;
  }

  /** The turn of a CPU: see `El2.run`. */
  run(cpu: PhysicalCpu): void {
    const state = this.#cpus[cpu.index];
    const { machine, trace } = this.services;
    this.#turnOver = false;
    trace.setTurn(cpu.index);
    this.#turn(cpu, state);
    trace.setTurn(undefined);
    // A debugger's stop must not lengthen the turn: the turn does not remember that it is over.
    if (this.#turnOver && machine.suspended) this.#skip(cpu, machine.turnEnd);
  }

  #turn(cpu: PhysicalCpu, state: CpuState): void {
    const { machine } = this.services;
    while (cpu.position < machine.turnEnd && !this.#turnOver && !machine.stopReason && !machine.suspended) {
      machine.places++;
      const thread = this.#schedule(state);
      if (!thread) {
        if (state.runs) this.#switch(state, undefined);
        if (!this.#sleep(cpu, machine.turnEnd)) return;
        continue;
      }
      const target = this.#follow(thread);
      if (state.runs !== target) this.#switch(state, target);
      // A stop at these events is before the next instruction. Then the choice is made again: as
      // long as the slice lasts, it is the same.
      if (!thread.turn.isOver) {
        machine.places++;
        if (machine.suspended) return;
      }
      if (target.life.stage === "killed") this.#exit(state, target);
      else this.#execute(cpu, thread, target);
      // Waiting for another CPU takes the rest of the turn, and is paid with the slice.
      if (this.#turnOver) thread.turn.spend(machine.turnEnd - cpu.position);
    }
  }

  /** Another vCPU runs from now on, or none. */
  #switch(cpu: CpuState, next: Vcpu | undefined): void {
    const { trace, names } = this.services;
    const last = cpu.runs;
    cpu.runs = next;
    this.execution.addStep();
    if (this.services.hasQuirks) next?.timers.resume();
    if (!trace.wanted.sched) return;
    const from = last && vcpuId(names.vcpu(last));
    const blocked = last?.life.waits.length ? last.life.waits : undefined;
    trace.event("sched", next ? "run" : "idle", { from, blocked, to: next && vcpuId(names.vcpu(next)) });
  }

  /** Ends the turn of the CPU that is running. */
  endTurn(): void {
    this.#turnOver = true;
    this.disturb();
  }

  /** Chooses the vCPU whose turn it is. */
  #schedule(cpu: CpuState): Vcpu | undefined {
    const best = cpu.queue.best;
    const current = cpu.current?.life.isRunnable ? cpu.current : undefined;
    if (current) {
      const over = current.turn.isOver;
      if (over) this.#renewSlice(current);
      if (!best || best.rank < current.rank || best.rank === current.rank && !over) return current;
      cpu.queue.add(current, over ? "tail" : "head");
    }
    cpu.current = best;
    if (best) cpu.queue.remove(best);
    return best;
  }

  /** A slice is over, and with it what is lent from it. */
  #renewSlice(vcpu: Vcpu): void {
    vcpu.turn.renew(vcpu.settings.timeslice);
    if (vcpu.turn.yieldTo) this.#endYield(vcpu, vcpu.turn.yieldTo);
  }

  /**
   * Follows directed yields from a thread to the one that runs instead, and ends those that
   * are over.
   */
  #follow(thread: Vcpu): Vcpu {
    let target = thread;
    while (target.turn.yieldTo) {
      const next = target.turn.yieldTo;
      const over = next.turn.isOver || target.gic.hasInterrupt || target.life.isDead;
      if (over || !next.life.isRunnable || !isHere(next, target)) {
        this.#endYield(target, next);
        break;
      }
      target = next;
    }
    return target;
  }

  #execute(cpu: PhysicalCpu, thread: Vcpu, target: Vcpu): void {
    const slice = target === thread ? thread.turn.sliceLeft : Math.min(thread.turn.sliceLeft, target.turn.sliceLeft);
    const due = Math.min(cpu.position + slice, this.#nextDeadline(cpu));
    const start = cpu.position;
    this.#running = target;
    this.#runningSince = start;
    this.services.trace.setActor(target.trace);
    const served = target.stolenTime ? chain(thread, target) : NOBODY;
    target.stolenTime?.begin(start, target.addressSpace?.infoArea);
    if (target.native) this.#runNative(cpu, target, target.native);
    else if (due > start) this.execution.run(cpu, target, due);
    this.services.trace.setActor(undefined);
    this.services.checker?.verifyAfter(() => `a run of ${this.services.names.vcpu(target)}`);
    const spent = cpu.position - start;
    target.usage.addTime(spent, cpu.position);
    const waited = this.#turnOver ? Math.max(0, this.services.machine.turnEnd - cpu.position) : 0;
    for (const each of served) each.stolenTime?.pass(spent + waited);
    this.#running = undefined;
    target.turn.spend(spent);
    if (target !== thread) thread.turn.spend(spent);
    this.#updateTimers(cpu);
  }

  /** Lets a CPU wait until `until`. */
  #skip(cpu: PhysicalCpu, until: number): void {
    cpu.idle += Math.max(0, until - cpu.position);
    cpu.position = Math.max(until, cpu.position);
  }

  /**
   * Puts an idle CPU to sleep until a timer of one of its vCPUs; false when none expires before the
   * end of the turn.
   */
  #sleep(cpu: PhysicalCpu, until: number): boolean {
    const deadline = this.#nextDeadline(cpu);
    if (deadline >= until) return false;
    this.#skip(cpu, deadline);
    this.#updateTimers(cpu);
    return true;
  }

  /** When the next timer of a vCPU of this CPU fires (ns). */
  #nextDeadline(cpu: PhysicalCpu): number {
    const state = this.#cpus[cpu.index];
    if (!Number.isNaN(state.deadline)) return state.deadline;
    let next = Infinity;
    for (const vcpu of this.vcpus) if (vcpu.settings.affinity === cpu.index) next = Math.min(next, vcpu.timers.deadline);
    return state.deadline = next;
  }

  /** Fires the timers of this CPU's vCPUs that are due. */
  #updateTimers(cpu: PhysicalCpu): void {
    const deadline = this.#nextDeadline(cpu);
    if (deadline === Infinity) return;
    // Not the machine's time, which other CPUs may have taken further in this turn: then it would
    // matter where a stop ends a run.
    const time = cpu.position;
    if (deadline > time) return;
    for (const vcpu of this.vcpus) if (vcpu.settings.affinity === cpu.index && vcpu.timers.deadline <= time) vcpu.timers.update(time);
  }

  #runNative(cpu: PhysicalCpu, vcpu: Vcpu, native: VcpuProgram): void {
    if (!native.hasWork()) {
      if (!native.insideRun) vcpu.waitForInterrupt();
      // Nothing to handle although an interrupt is signaled (a disabled group): the next turn looks
      // again.
      if (vcpu.life.isRunnable && !vcpu.turn.yieldTo) this.endTurn();
      return;
    }
    this.execution.addStep();
    cpu.position += Math.max(native.step(), EXIT_COST);
    if (vcpu.native === native) vcpu.timers.reload(this.services.now);
  }

  #yieldTo(caller: Vcpu, target: Vcpu, insideRun: boolean): void {
    this.disturb();
    target.retain();
    this.services.checker?.touch(caller);
    target.turn.moveTo(caller, target.settings.timeslice);
    caller.turn.lend(target, insideRun);
  }

  #endYield(caller: Vcpu, target: Vcpu): void {
    this.services.checker?.touch(caller);
    const insideRun = caller.turn.takeBack();
    target.turn.moveTo(undefined, target.settings.timeslice);
    if (insideRun) {
      const results = runState(target);
      target.block(Block.Run);
      if (caller.life.isDead) caller.trace.abandonCall();
      else (caller.entrance === "geniezone" ? this.services.geniezone : this.services.hypercalls)?.completeRun(results, caller, target);
    } else {
      this.ready(target);
    }
    target.release();
  }

  #exit(cpu: CpuState, vcpu: Vcpu): void {
    if (vcpu.turn.yieldTo) this.#endYield(vcpu, vcpu.turn.yieldTo);
    if (cpu.current === vcpu) cpu.current = undefined;
    this.#dequeue(vcpu);
    vcpu.exit();
  }

  #dequeue(vcpu: Vcpu): void {
    if (vcpu.turn.queued) this.#cpus[vcpu.settings.affinity].queue.remove(vcpu);
    for (const cpu of this.#cpus) if (cpu.current === vcpu) cpu.current = undefined;
  }
}

const NOBODY: readonly Vcpu[] = [];

/** The vCPUs in whose place `target` runs when it is the turn of `thread`, and itself. */
function chain(thread: Vcpu, target: Vcpu): readonly Vcpu[] {
  const all = [thread];
  for (let each = thread; each !== target && each.turn.yieldTo;) all.push(each = each.turn.yieldTo);
  return all;
}

/** Whether a vCPU may run on the CPU of another. */
function isHere(vcpu: Vcpu, other: Vcpu): boolean {
  return vcpu.settings.affinity === other.settings.affinity || vcpu.settings.affinity === CPU_INVALID;
}

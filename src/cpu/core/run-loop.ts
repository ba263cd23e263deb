// The run loop: a run of a vCPU is slices of its budget, one call of the Wasm function each. A
// slice ends by an exit, a mark, an interrupt's line, or the guest's own debugging.

import { Mdscr } from "./architecture/exceptions.ts";
import type { CoreExports } from "./core-module.ts";
import { DECODED_SIZE } from "./decoded/operands.ts";
import { type Exit, type ExitHandler, ExitReason, type VcpuState } from "./interface.ts";
import type { ExecutionCounts } from "./execution-counts.ts";
import type { LatestExit } from "./exceptions/latest-exit.ts";
import { PmuMode } from "./exceptions/performance-events.ts";
import { RepeatedExits } from "./exceptions/repeated-exits.ts";
import type { VcpuContext } from "./registers/vcpu-context.ts";
import { contextOf, type Residency } from "./residency.ts";
import { RunBudget } from "./run-budget.ts";
import type { CpuFields } from "./state/cpu-fields.ts";
import { Pending } from "./state/cpu-state.ts";
import type { Stops } from "./stops.ts";
import type { Translator } from "./translator/translator.ts";
import type { CounterWaits } from "./waits/counter-waits.ts";

/** Bits of MDSCR_EL1 with which the guest debugs itself. */
const DEBUGGED = Mdscr.MDE | Mdscr.SS;

/** The parts of a core that run vCPUs. */
interface RunningCore {
  readonly cpu: CpuFields;
  /** The words of its memory. */
  readonly words: Int32Array;
  readonly exports: CoreExports;
  readonly exit: LatestExit;
  readonly residency: Residency;
  readonly stops: Stops;
  readonly translator: Translator | undefined;
  readonly waits: CounterWaits | undefined;
  readonly counts: ExecutionCounts | undefined;
  /** Whether the CPU has performance monitors. */
  readonly hasMonitors: boolean;
  /** Instructions in one call of the Wasm function. */
  readonly slice: number;
}

export class RunLoop {
  readonly #cpu: CpuFields;
  readonly #exports: CoreExports;
  readonly #exit: LatestExit;
  readonly #residency: Residency;
  readonly #stops: Stops;
  readonly #translator: Translator | undefined;
  readonly #waits: CounterWaits | undefined;
  readonly #counts: ExecutionCounts | undefined;
  readonly #hasMonitors: boolean;
  readonly #slice: number;
  readonly #budget: RunBudget;
  readonly #repeats: RepeatedExits;
  /** The handler of exits of the run in progress. */
  #el2: ExitHandler | undefined;
  /** The observer ends the run in progress. */
  #leaves = false;

  constructor(core: RunningCore) {
    this.#cpu = core.cpu;
    this.#exports = core.exports;
    this.#exit = core.exit;
    this.#residency = core.residency;
    this.#stops = core.stops;
    this.#translator = core.translator;
    this.#waits = core.waits;
    this.#counts = core.counts;
    this.#hasMonitors = core.hasMonitors;
    this.#slice = core.slice;
    this.#budget = new RunBudget(core.cpu);
    this.#repeats = new RepeatedExits(core.cpu, core.words);
  }

  /** @param stops whether breakpoints and watchpoints of a debugger do */
  run(vcpu: VcpuState, now: number, budget: number, floor: number, el2: ExitHandler | undefined, stops: boolean): Exit {
    const context = contextOf(vcpu), cpu = this.#cpu, exit = this.#exit;
    this.#stops.enabled = stops;
    this.#leaves = false;
    this.#residency.enter(context);
    const mdscr = cpu.MDSCR_EL1;
    if (mdscr & Mdscr.MDE || context.armed) this.#stops.guest.arm(context, mdscr);
    cpu.TIME_FLOOR = floor;
    cpu.PENDING = Pending.None;
    // A debugger sees every exit.
    this.#el2 = el2;
    cpu.EL2_CALLED = el2 && !(mdscr & DEBUGGED) ? 1 : 0;
    this.#repeats.stop();
    this.#budget.begin(now, budget);
    let left = budget;
    exit.begin();
    // EL2 hears of a change of the line first. A slice without a budget still takes interrupts.
    while (!this.#lineChanged) {
      left = this.#runSlice(context, mdscr, floor, left);
      if (left <= 0 || exit.reason !== ExitReason.Budget || this.#leaves) break;
    }
    // An instruction that a watchpoint has stopped is executed again, and counted then.
    if (exit.reason === ExitReason.Watchpoint) left++;
    exit.retired = this.#budget.retired(left);
    if (this.#budget.hasEnded) exit.reason = ExitReason.Budget;
    else if (exit.reason === ExitReason.Trap || exit.reason === ExitReason.Bus) exit.readSyndrome();
    else if (exit.reason === ExitReason.VirtualInterface) exit.readDeactivated();
    if (exit.reason === ExitReason.Budget && this.#lineChanged) {
      exit.reason = ExitReason.Pmu;
      cpu.PMU_LINE ^= 1;
      cpu.PMU_MODE &= ~PmuMode.LineChanged;
    }
    return exit;
  }

  /** EL2 has not heard of the level of the performance monitors' interrupt. */
  get #lineChanged(): boolean {
    return this.#hasMonitors && (this.#cpu.PMU_MODE & PmuMode.LineChanged) !== 0;
  }

  /** One call of the Wasm function, with `left` of the budget; what is left then. */
  #runSlice(context: VcpuContext, mdscr: number, floor: number, left: number): number {
    const budget = this.#budget, steps = (mdscr & Mdscr.SS) !== 0, counts = this.#hasMonitors && this.#cpu.PMU_MODE !== 0;
    const waits = mdscr & DEBUGGED || counts ? undefined : this.#waits;
    if (waits?.hasLoops) left -= waits.spare(budget.timeAt(left), floor, left);
    const before = left, stepping = steps && this.#stops.guest.beginStep(context);
    // A slice that only leads to the start of a skippable turn says nothing about hot code.
    const leads = waits !== undefined && waits.leads;
    const most = leads ? waits.takeSlice() : this.#slice * (this.#translator?.slices.stretch ?? 1);
    const slice = steps ? 1 : Math.min(left, most, counts ? this.#exports.overflowDistance?.() ?? Infinity : Infinity);
    // A stepped instruction is not where time is spent, and an exception from here leaves no
    // instruction in progress.
    let samples = !steps;
    left = this.#runPastMarks(context, left, slice);
    this.#counts?.ran(before - left);
    const exit = this.#exit;
    if (exit.reason === ExitReason.Breakpoint && !this.#stops.stopsAt(context)) {
      this.#stops.guest.takeBreakpoint();
      exit.reason = ExitReason.Budget;
      samples = false;
    }
    // As an abort: the instruction counts.
    if (exit.reason === ExitReason.Watchpoint && this.#stops.guest.takeWatchpoint()) {
      exit.reason = ExitReason.Budget;
      samples = false;
    }
    if (stepping) this.#stops.guest.endStep(context, exit.reason);
    if (samples && exit.reason === ExitReason.Budget) {
      if (!leads) this.#translator?.sample(Math.max(1, Math.round(slice / this.#slice)));
      if (waits && (leads || waits.wereRead) && waits.look(before - left, budget.timeAt(left), leads)) this.#translator?.slices.waited();
    }
    return left;
  }

  /**
   * Executes a slice of the rest of the budget, past marks where nothing stops the guest; what is
   * left of the budget then.
   */
  #runPastMarks(context: VcpuContext, left: number, slice: number): number {
    const budget = this.#budget, exit = this.#exit, stops = this.#stops;
    budget.slice(left, slice);
    let rest = slice;
    for (;;) {
      rest = this.#exports.run(rest);
      this.#takeRepeats();
      exit.readReason();
      left = budget.left(rest);
      if (exit.reason !== ExitReason.Breakpoint || stops.stopsAt(context) || stops.guest.breaksAt(context)) return left;
      const retired = this.#passMark(context, left);
      rest -= retired;
      left -= retired;
      budget.slice(left, rest);
      if (rest <= 0 || !this.#continues) return left;
    }
  }

  /** Passes a mark with `left` of the budget, and lets the observer look; 1 if that retired. */
  #passMark(context: VcpuContext, left: number): number {
    const budget = this.#budget, { observer } = this.#stops;
    if (observer) this.#report(budget.timeAt(left));
    const observed = observer?.(context, budget.timeAt(left), budget.retired(left), this.#stops.isAtReturn);
    this.#leaves = observed ?? false;
    budget.slice(left, 1);
    const retired = this.#stops.passMark(context, observed !== undefined);
    this.#exit.readReason();
    return retired;
  }

  /** Nothing has ended the slice in progress. */
  get #continues(): boolean {
    return this.#exit.reason === ExitReason.Budget && !this.#leaves && !this.#lineChanged;
  }

  /** Exits were answered without EL2, which learns of it before anything else. */
  #takeRepeats(): void {
    const repeats = this.#repeats, { count } = repeats;
    if (count === 0) return;
    const { retired } = repeats;
    this.#budget.takeRepeats(repeats);
    repeats.restart();
    this.#exit.repeated(count);
    this.#el2?.repeated(count, retired);
  }

  /** An exit in the middle of a run, where EL2 is called: the slice that follows, or 0. */
  exited(left: number): number {
    const exit = this.#exit, cpu = this.#cpu, el2 = this.#el2, context = this.#residency.vcpu;
    if (!el2 || !context) throw new Error("an exit outside of a run");
    this.#takeRepeats();
    exit.readReason();
    exit.retired = this.#budget.retired(this.#budget.left(left));
    exit.readSyndrome();
    this.#repeats.note();
    const budget = el2.handle(exit);
    if (budget > 0) {
      // A handler may have translated an address for another vCPU.
      this.#residency.enter(context);
      if (!(cpu.MDSCR_EL1 & DEBUGGED || this.#lineChanged)) {
        cpu.PENDING = Pending.None;
        this.#budget.begin(el2.now, budget);
        // The slice continues: code that exits is sampled as often as other code.
        const rest = cpu.RUN_END - el2.now;
        const slice = Math.min(budget, rest > 0 ? Math.ceil(rest) : this.#slice);
        this.#budget.slice(budget, slice);
        this.#repeats.handled(el2, budget, exit.loadedRegister, this.#slice);
        return slice;
      }
    }
    this.#budget.end();
    return 0;
  }

  /** Brings EL2's time and counts to the turn of the instruction in progress. Wants IP and END. */
  reportProgress(): void {
    const cpu = this.#cpu;
    if (!this.#el2) return;
    this.#takeRepeats();
    this.#report(cpu.RUN_END - (cpu.END - cpu.IP) / DECODED_SIZE);
  }

  /** Brings them to the turn of an instruction that begins at a virtual time. */
  #report(time: number): void {
    const passed = this.#el2?.reached(time) ?? 0;
    this.#budget.pass(passed);
    this.#repeats.passed(passed);
  }
}

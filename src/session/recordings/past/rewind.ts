// Going back with a debugger: the session's run is repeated in another machine, which stops at the
// debugger's breakpoints and watchpoints. The last stop before the present place is the target.

import type { DebugControl, DebugStop } from "../../../machine/hypervisor/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { DebugStopped } from "../../../model/protocol/protocol.ts";
import { isLater, type Milestone } from "./history.ts";
import type { Past } from "./past.ts";
import type { Rerun } from "./rerun.ts";
import { SearchedPart } from "./searched-part.ts";
import type { DebuggedVms } from "../../../model/queries/debugged-vms.ts";

/**
 * Within this many instructions of the end, a sleeping vCPU is awaited by its own next instruction.
 */
const NEAR = 1000;

/** The run so far, and the position of a debugger in it. */
interface RunSoFar {
  readonly rerun: Rerun;
  /** Instructions that all vCPUs had retired at the place to go back from. */
  readonly instructions: number;
  /** The VM that the debugger has, and its stops. */
  readonly vms: DebuggedVms;
  readonly control: DebugControl;
}

/** A move back, made in slices. */
interface WayBack {
  /**
   * Continues for at most `milliseconds` of wall time; the stop where it leads, or undefined: call
   * again.
   */
  advance(milliseconds: number): DebugStopped | undefined;
  /** The machine at that place. */
  readonly past: Past;
}

/** A stop as debuggers see it. */
export function stoppedAt({ cause, vcpu, watch, events }: DebugStop, control: DebugControl): DebugStopped {
  return { ...stopOf(control, cause, vcpu), watch, note: events?.join("\n") };
}

/** A debugger's view of a stopped vCPU; the first one by default. */
export function stopOf(control: DebugControl, cause: DebugStopped["cause"], vcpu: Vcpu | undefined = control.vcpus()[0]): DebugStopped {
  return { cause, vcpu: vcpu ? control.debuggee.numberOf(vcpu) : 0, pc: vcpu?.registers.pc ?? 0n };
}

/** A machine at a milestone whose VM is the debugger's. */
function begin({ rerun, vms }: RunSoFar, milestone: Milestone | undefined, fromStart = false): { past: Past; control: DebugControl } {
  const past = rerun.pastAt(milestone);
  return { past, control: past.system.debugger.give(vms, fromStart) };
}

/** To before the VM's first instruction, or to the state that the session began with. */
class ToStart implements WayBack {
  readonly past: Past;
  #found: DebugStopped | undefined;

  constructor(readonly run: RunSoFar) {
    const origin = run.rerun.milestone(0);
    const { past, control } = begin(run, origin, true);
    this.past = past;
    const arrive = (vcpu?: Vcpu) => {
      control.adopt(run.control);
      this.#found = stopOf(control, "history-start", vcpu);
      return true;
    };
    if (origin) arrive();
    this.past.onStop = ({ vcpu }) => arrive(vcpu);
  }

  advance(milliseconds: number): DebugStopped | undefined {
    if (this.#found) return this.#found;
    // The VM may not have executed its first instruction at the place to go back from either.
    if (!this.past.advance(this.run.instructions + 1, milliseconds)) return undefined;
    if (!this.#found) throw new Error("a VM that a debugger stopped has no past before its first instruction");
    return this.#found;
  }
}

/** To before the latest instruction of a vCPU: the place where it had retired one less. */
class StepBack implements WayBack {
  #control: DebugControl;
  #past: Past;
  #from: Milestone | undefined;
  #start: ToStart | undefined;
  /** Whether it is still at the milestone. */
  #atMilestone = true;
  /** Instructions that the vCPU had retired at the last check. */
  #before = -1;
  #stepped = false;

  /** @param number of the vCPU. @param own what it is to have retired */
  constructor(readonly run: RunSoFar, readonly number: number, readonly own: number) {
    ({ past: this.#past, control: this.#control } = this.#beginBefore(run.instructions));
    if (own <= 0) this.#start = new ToStart(run);
  }

  #beginBefore(instructions: number): { past: Past; control: DebugControl } {
    this.#from = this.run.rerun.milestone(instructions);
    const begun = begin(this.run, this.#from);
    this.#atMilestone = true;
    begun.past.onStop = () => this.#stepped = true;
    return begun;
  }

  get past(): Past {
    return this.#start?.past ?? this.#past;
  }

  advance(milliseconds: number): DebugStopped | undefined {
    if (this.#start) {
      const stop = this.#start.advance(milliseconds);
      return stop && (this.own === 0 ? { ...stop, cause: "step" } : stop);
    }
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      const vcpu = this.#control.vcpu(this.number);
      const left = this.own - (vcpu?.usage.instructions ?? 0);
      // The milestone is after the place, or the first. Where the vCPU has retired exactly as many
      // instructions, others may have run since, and an access of its next one may be under way.
      if (left < 0 || left === 0 && this.#atMilestone && isLater(this.#from)) {
        if (!isLater(this.#from)) this.#start = new ToStart(this.run);
        else ({ past: this.#past, control: this.#control } = this.#beginBefore(this.#from.instructions));
        return undefined;
      }
      if (vcpu && left === 0) {
        this.#control.adopt(this.run.control);
        return stopOf(this.#control, "step", vcpu);
      }
      this.#atMilestone = false;
      this.#approach(vcpu, left, end - performance.now());
    }
    return undefined;
  }

  /** A vCPU retires no more than all do: as many as it lacks lead no further than to the place. */
  #approach(vcpu: Vcpu | undefined, left: number, milliseconds: number): void {
    const here = this.#past.system.instructions();
    const sleeps = vcpu !== undefined && vcpu.usage.instructions === this.#before && left <= NEAR;
    this.#before = vcpu?.usage.instructions ?? -1;
    if (!sleeps) return void this.#past.advance(here + left, milliseconds);
    this.#control.goOn(vcpu);
    this.#stepped = false;
    // The rest of the slice may not suffice: the next attempt begins where this one ends.
    this.#past.advance(this.run.instructions, milliseconds);
    if (!this.#stepped) this.#control.goOn(undefined);
  }
}

/** A stop that was passed on the way. */
interface Passed {
  /** Instructions that all vCPUs had retired. */
  readonly at: number;
  readonly vcpu: number;
  /** Instructions that this vCPU had retired. */
  readonly own: number;
}

/** To the last breakpoint or watchpoint before the place; without one, to the start. */
class ContinueBack implements WayBack {
  #past: Past;
  #control: DebugControl;
  #last: Passed | undefined;
  #searching = true;
  #found: DebugStopped | undefined;
  #start: ToStart | undefined;
  #armed = false;
  /** The searched part: from a milestone, or from `#begin` on, to an instruction count. */
  #from: Milestone | undefined;
  #begin = 0;
  /** Whether nothing is before that part. */
  #isFirst = false;
  #end: number;
  readonly #part = new SearchedPart();

  constructor(readonly run: RunSoFar) {
    this.#end = run.instructions;
    ({ past: this.#past, control: this.#control } = this.#search());
  }

  /** Begins to search what leads up to `#end`. */
  #search(): { past: Past; control: DebugControl } {
    this.#from = this.run.rerun.milestone(this.#end);
    const begun = begin(this.run, this.#from), first = begun.past.system.instructions();
    this.#begin = this.#part.begin(first, this.#end);
    this.#isFirst = this.#begin === first && !isLater(this.#from);
    this.#armed = false;
    begun.past.onStop = (stop) => this.#pass(stop);
    return begun;
  }

  #searchAgain(): void {
    ({ past: this.#past, control: this.#control } = this.#search());
  }

  get past(): Past {
    return this.#start?.past ?? this.#past;
  }

  advance(milliseconds: number): DebugStopped | undefined {
    if (this.#start) return this.#start.advance(milliseconds);
    const last = this.#last;
    if (this.#searching || !last) {
      if (!this.#arrives(this.#begin, milliseconds)) return undefined;
      const over = this.#past.advance(this.#end, milliseconds);
      if (over) this.#turnBack();
      else if (this.#part.isBusy(this.#control.reachedPlaces)) this.#searchLast();
      return undefined;
    }
    if (!this.#arrives(last.at, milliseconds)) return undefined;
    const over = this.#past.advance(this.run.instructions, milliseconds);
    if (over && !this.#found) throw new Error(`a stop after ${last.at} instructions did not recur in the replay`);
    return this.#found;
  }

  /** Goes to a place without stops; from there on they count. False: call again. */
  #arrives(instructions: number, milliseconds: number): boolean {
    if (this.#armed) return true;
    if (!this.#past.advance(instructions, milliseconds)) return false;
    this.#armed = true;
    this.#control.adopt(this.run.control);
    return true;
  }

  /** Searches the last instructions first. */
  #searchLast(): void {
    this.#part.shrink();
    this.#last = undefined;
    this.#searchAgain();
  }

  /** Records a stop, and continues after it. */
  #pass({ cause, vcpu }: DebugStop): boolean {
    const at = this.#past.system.instructions();
    if (cause === "step" || cause === "start") this.#control.goOn(undefined);
    else {
      if (at < this.#end) this.#last = { at, vcpu: this.#control.debuggee.numberOf(vcpu), own: vcpu.usage.instructions };
      this.#control.goOn(vcpu);
    }
    return false;
  }

  /**
   * This part is searched: travels to the stop found; without one, the search continues before it,
   * or ends at the start.
   */
  #turnBack(): void {
    const last = this.#last;
    if (!last) {
      if (this.#isFirst) this.#start = new ToStart(this.run);
      else {
        this.#end = this.#begin;
        this.#part.grow();
        this.#searchAgain();
      }
      return;
    }
    this.#searching = this.#armed = false;
    const { past, control } = begin(this.run, this.run.rerun.milestone(last.at));
    this.#past = past;
    this.#control = control;
    past.onStop = (stop) => {
      if (stop.cause === "step" || stop.cause === "start") control.goOn(undefined);
      else if (control.debuggee.numberOf(stop.vcpu) === last.vcpu && stop.vcpu.usage.instructions === last.own) {
        this.#found = stoppedAt(stop, control);
        return true;
      } else control.goOn(stop.vcpu);
      return false;
    };
  }
}

/**
 * The move back from a debugger's place: to the previous stop, or with `step` by one instruction of
 * that vCPU.
 */
export function wayBack(run: RunSoFar, step: number | undefined): WayBack {
  if (step === undefined) return new ContinueBack(run);
  const vcpu = run.control.vcpu(step);
  return new StepBack(run, step, (vcpu?.usage.instructions ?? 0) - 1);
}

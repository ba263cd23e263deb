// One session in its worker: runs its machine, lets in input between slices, and does what clients
// ask for. Its parts are files beside this one.

import type { TraceKind } from "../../machine/abi/trace.ts";
import { withKind } from "../../model/queries/ids.ts";
import type { Action } from "../../model/commands/actions.ts";
import { FilterError } from "../../model/queries/filters/filter.ts";
import { markedWith } from "../inspection/expressions/marked-text.ts";
import { QueryError } from "../inspection/readers/inspected.ts";
import type { Query } from "../../model/queries/query.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { MarkNote, Move } from "../../model/queries/move.ts";
import type { DebugRequest } from "../../model/protocol/protocol.ts";
import { letIn } from "../recordings/past/input.ts";
import type { Input, RecordedInput } from "../../model/plans/recorded-run.ts";
import { Replay } from "../recordings/runs/replay.ts";
import { InstantSnapshot } from "../snapshots/instant.ts";
import type { SystemState } from "../state/system-state.ts";
import type { StopChange, StopHit } from "../../model/queries/stop-rule.ts";
import type { System } from "../assembly/system/system.ts";
import { QueryAnswers } from "./answers.ts";
import { Debugging } from "./debugging.ts";
import type { Ending } from "./ending.ts";
import { Endings } from "./endings.ts";
import { EndedVms, type PresentRun } from "./ended-vms.ts";
import { HashPoints } from "./hash-points.ts";
import { type EnginePort } from "./loop.ts";
import { PAST } from "../../model/protocol/protocol.ts";
import type { EngineParts } from "./parts.ts";
import { Output } from "./output.ts";
import { Replaying } from "./replaying.ts";
import { RunRecording } from "./run-recording.ts";
import { Sampler } from "./sampler.ts";
import { Saving } from "./saving.ts";
import { type KeptRun, SessionRun } from "./session-run.ts";
import { Shown } from "./shown.ts";
import { Slices } from "./slices.ts";
import { SymbolSearches } from "./symbol-searches.ts";
import { Travel } from "./travel.ts";
import { Who } from "./who.ts";
import { type Problem, problemOf, problemText, UserError } from "../../kit/support/problem.ts";

const ENDED: Problem = { what: "the machine has ended" };

/** Wall time (ms) between two looks for the words of a panic on consoles. */
const PANIC_LOOK = 200;
/**
 * The same for panics that no console shows, if a VM has shown nothing for that long: such a look
 * learns the symbols of kernels, which takes as long as a tenth of a boot.
 */
const SILENT_PANIC_LOOK = 5000;
/** Turns of the physical CPUs between two checks of the clock. */
const TURNS = 8;
/** Virtual time (ns) for which all wait at a prompt. */
const PROMPT_IDLE = 50e6;

/** One session: its machine, what clients want of it, and how its run ends. */
export class Engine {
  readonly #shown: Shown;
  readonly #run: SessionRun;
  readonly #output: Output;
  readonly #sampler: Sampler;
  readonly #slices: Slices;
  readonly #hashes: HashPoints;
  readonly #recording: RunRecording;
  readonly #replaying: Replaying | undefined;
  readonly #debugging: Debugging;
  readonly #saving: Saving;
  readonly #travel: Travel;
  readonly #endings: Endings;
  readonly #who: Who;
  readonly #answers: QueryAnswers;
  readonly #endedVms: EndedVms;
  readonly #searches: SymbolSearches;
  /** Keeps console input while a snapshot of the first prompt is awaited. */
  readonly #instant: InstantSnapshot | undefined;
  #inputEnded = false;
  /** Wall times (ms) of the next looks for panics. */
  #nextPanicLook = 0;
  #nextSilentPanicLook = performance.now() + SILENT_PANIC_LOOK;
  /** Changes of VMs' states up to the last look for crashes. */
  #seenChanges = -1;

  /**
   * @param origin the state that the session began with, unless that is its plan's start
   * @param kept states of a recorded run, at the last of which the machine is
   */
  constructor(readonly present: System, readonly plan: SessionPlan, readonly port: EnginePort, origin?: SystemState, kept?: KeptRun) {
    const { memoryBudget: budget, historyMemory: states, turbo } = plan;
    const shown = this.#shown = new Shown(present);
    const run = this.#run = new SessionRun(present, port.again, origin, { budget, states, file: port.pages, reach: plan.replay?.reach });
    run.keepDisks(plan.history ?? false);
    run.marks = plan.replay?.recording.marks ?? [];
    if (plan.replay && kept) run.begin(kept, plan.replay.recording.inputs);
    this.#instant = plan.instant === undefined ? undefined : new InstantSnapshot(present, plan, plan.instant);
    const output = this.#output = new Output(shown, plan, port.post, this.#instant);
    const sampler = this.#sampler = new Sampler(shown, port, (id, query) => this.query(id, query));
    const recording = this.#recording = new RunRecording(plan, present, run, output);
    const replay = plan.replay && new Replay(plan.replay, kept?.states.at(-1)?.inputs, present.machine.boundary);
    const replaying = this.#replaying = replay && new Replaying(replay, present, run, recording);
    const slices = this.#slices = new Slices(port, shown, output, sampler, { replays: replay !== undefined, turbo }, {
      held: () => this.#debugging.held || this.#searches.busy,
      run: () => this.#turns(),
      over: (took) => this.#sliceOver(took),
    });
    this.#hashes = new HashPoints(present, plan.hashAt ?? [], output, port.post);
    this.#searches = new SymbolSearches(port, () => slices.schedule());
    this.#endedVms = new EndedVms(shown, run, plan.history ?? false);
    const runPresent: EngineParts["runPresent"] = (turns, target) => this.#runPresent(turns, target);
    const parts: EngineParts = { plan, port, shown, run, output, sampler, slices, replaying, recording, runPresent };
    this.#debugging = new Debugging(parts);
    this.#saving = new Saving(parts, this.#debugging);
    this.#travel = new Travel(parts, this.#debugging);
    this.#endings = new Endings(parts, this.#debugging, this.#travel, this.#saving, kept);
    this.#who = new Who(parts, this.#debugging, this.#endedVms);
    this.#answers = new QueryAnswers(port, shown, this.#searches, this.#endedVms, this.#who);
    for (const looker of [this.#searches, this.#who, this.#saving]) shown.addLooker(looker);
    this.#observe();
  }

  /** The machine and its run say what they cannot do; from outside comes input. */
  #observe(): void {
    const { present, port } = this, run = this.#run;
    present.inform({ places: () => run.places(this.#shown.past), memory: () => run.memory() });
    run.observe({
      problem: (error) => {
        if (error instanceof UserError) present.events.sessionProblem(problemText(error.problem));
        else port.contained({ where: "the states for going back", error });
      },
      far: (why) => present.events.sessionProblem(why),
      forgotten: (why) => present.events.sessionProblem(why),
    });
    present.outside.takeOver((source, data) => port.guarded(() => this.#enter({ kind: "outside", source, data })));
  }

  /** Everything that has entered until now, in order. */
  get inputs(): readonly RecordedInput[] {
    return this.#run.inputs;
  }

  /** Why the run cannot be repeated up to now; undefined if it can. */
  get lost(): string | undefined {
    return this.#run.lost;
  }

  /** The system that is shown: the machine, or its past. */
  get system(): System {
    return this.#shown.system;
  }

  /** Whether the machine runs: it neither sleeps nor is paused. */
  get busy(): boolean {
    return this.#slices.isScheduled;
  }

  start(): void {
    this.#run.keepStates();
    if (this.plan.until !== undefined) this.system.inspector.until(this.plan.until);
    this.#sampler.sample();
    this.#slices.schedule();
  }

  /** Input from outside, now. */
  input(console: string, bytes: Uint8Array): void {
    if (this.#instant?.keep(console, bytes)) return;
    const closed = this.#slices.isDone || this.#shown.past ? undefined : this.present.consoles.closed(console);
    if (closed !== undefined) {
      const event = {
        time: this.present.machine.time,
        pcpu: undefined,
        kind: "log",
        vcpu: withKind("con", console),
        text: problemText(closed),
        refused: true,
      } as const;
      return this.port.post({ kind: "events", events: [event], dropped: 0 });
    }
    this.#enter({ kind: "console", console, bytes });
  }

  /**
   * Something from outside changes the machine, between two slices. Into a replay nothing enters
   * but what was recorded.
   */
  #enter(input: Exclude<Input, { kind: "act" }>): void {
    if (this.#slices.isDone || this.#replaying) return;
    // A socket continues in the present; typed input was meant for the machine that is shown.
    if (this.#shown.past && input.kind === "console") return;
    this.#slices.wake();
    this.#recording.enter(input);
    letIn(this.present, input);
    this.#slices.schedule();
  }

  /** The client has dealt with console output. */
  taken(bytes: number): void {
    this.#output.taken(bytes);
    this.#slices.schedule();
  }

  endInput(): void {
    this.#inputEnded = true;
    this.#slices.schedule();
  }

  pause(paused: boolean): void {
    this.#slices.pause(paused);
  }

  /** A debugger's request. */
  debug(request: DebugRequest): void {
    this.#debugging.handle(request);
  }

  /** A question. It changes nothing. */
  query(id: number, query: Query): void {
    this.#answers.query(id, query);
  }

  /** The answer to a question is not awaited any more. */
  forget(id: number): void {
    this.#who.forget(id);
    this.#saving.forget(id);
  }

  /** Which events are recorded to be taken away. */
  trace(kinds: readonly TraceKind[]): void {
    const { traceBuffer } = this.present;
    if (kinds.length) traceBuffer.start(kinds);
    else traceBuffer.stop();
  }

  /** Takes an ELF file's symbols for a VM. */
  symbols(id: number, vm: string, file: Uint8Array): void {
    try {
      this.#run.giveSymbols(vm, file, this.#shown.past);
      this.#acted(id);
    } catch (error) {
      this.#acted(id, problemOf(error));
    }
  }

  /** Answers a request that changes something; `error`: why that was not done. */
  #acted(id: number, error?: Problem): void {
    this.port.post({ kind: "acted", id, error });
  }

  /** Names the place of the run that is shown. */
  mark(id: number, note: MarkNote): void {
    try {
      const mark = this.#run.mark(markedWith(note, (query) => this.system.inspector.answer(query)), this.system);
      this.#recording.mark(mark);
      this.port.post({ kind: "acted", id, mark });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#acted(id, error.problem);
    }
  }

  /** Adds or removes a rule by which the machine stops. */
  stopRule(id: number, change: StopChange): void {
    if (this.#slices.isDone) return this.#acted(id, ENDED);
    if (this.#shown.past && change.kind === "step") return this.#acted(id, PAST);
    try {
      this.present.stops.change(change);
      this.#acted(id);
      if (change.kind === "step") this.pause(false);
    } catch (error) {
      if (!(error instanceof QueryError || error instanceof FilterError)) throw error;
      this.#acted(id, error instanceof FilterError ? error.marked : error.problem);
    }
  }

  /** A stop rule's turn: the machine is paused there. */
  #stopped({ rule, text }: StopHit): void {
    if (this.#travel.arrives(rule, text)) return;
    this.pause(true);
    this.port.post({ kind: "stopped", rule, text });
  }

  /** Performs a user's action between two slices: an input to the run like typing. */
  act(id: number, action: Action): void {
    if (this.#slices.isDone) return this.#acted(id, ENDED);
    if (this.#shown.past) return this.#acted(id, PAST);
    if (this.#replaying) {
      return this.#acted(id, { what: "a replay takes no input", wayOut: "start a machine that does" });
    }
    this.#slices.wake();
    this.#recording.enter({ kind: "act", action });
    this.#acted(id, this.system.inspector.act(action));
    this.#slices.schedule();
  }

  /** Goes to another place of the run. */
  move(id: number, to: Move): void {
    this.#travel.move(id, to);
  }

  /** Writes a snapshot of what is shown; a `passing` file is not recorded as a place of the run. */
  snapshot(id: number, path: string, title: string, passing = false): void {
    this.#saving.snapshot(id, path, title, passing);
  }

  /** Writes a recording of the run so far, which continues; `images`: of written disks, too. */
  saveRecording(id: number, path: string, images = false): void {
    this.#saving.recording(id, path, images);
  }

  /** Which events are recorded from now on. */
  watch(kinds: readonly TraceKind[], budget: number | undefined): void {
    this.system.inspector.watch(kinds, budget);
  }

  stop(): void {
    if (this.#slices.isDone) return;
    // The machine ends, whatever place in its past is shown.
    this.#shown.past = undefined;
    if (this.#recording.written) this.#recording.endTurn();
    this.#endings.end({ kind: "stopped" });
  }

  /** Nothing runs any more. */
  halt(): void {
    this.#endings.halt();
  }

  /** Runs the machine for some turns; false when it cannot continue without input. */
  #turns(): boolean {
    const { machine } = this.system;
    if (this.#replayed()) return true;
    const end = this.plan.duration ?? Infinity;
    const limit = Math.min(end, this.#replaying?.replay.next ?? Infinity);
    const { time } = machine;
    const turns = this.#replaying?.bound(TURNS) ?? TURNS;
    const result = this.#endedVms.runPresent(Math.min(limit, this.#hashes.next), turns);
    this.#slices.ran(machine.time - time);
    this.#hashes.postReached();
    this.#recording.check();
    // In a replay the bug has its report already.
    for (const bug of this.present.takeBugs()) if (!this.#replaying) this.port.contained(bug);
    const hit = this.present.stops.take();
    if (hit === "passed") return true;
    if (hit) {
      this.#stopped(hit);
      return false;
    }
    const ending = this.#ending();
    if (ending) {
      this.#endings.end(ending);
      return true;
    }
    if (result.kind !== "suspended" && this.#failed()) return this.#slices.isDone;
    if (result.kind !== "suspended" && this.#debugging.awaitsKernels && this.#stopsAtKernel()) return false;
    switch (result.kind) {
      case "vm-ended":
        return true;
      case "turns":
        if (!this.present.outside.enterSoon()) this.#slices.sleepOwed(machine.time);
        return true;
      case "time":
        if (machine.time >= end) this.#endings.end({ kind: "time", end, until: this.plan.until, broken: this.system.broken() });
        return true;
      case "suspended": {
        const { control } = this.system.debugger, stop = control?.takeStop();
        // On the way to a place.
        if (!stop && this.#replaying?.replay.plan.to) return true;
        if (!control || !stop) throw new Error("the machine was suspended for nobody");
        this.#debugging.stopped(stop, control);
        return false;
      }
      case "stopped":
        throw new Error(`the machine stopped, and the system does not say why: ${JSON.stringify(result.reason)}`);
      case "idle":
        return this.present.outside.enterSoon() || this.#idle(Math.min(result.next, limit, this.#replaying?.until ?? Infinity));
    }
  }

  /** The end that the machine has come to by what it did. */
  #ending(): Ending | undefined {
    const { inspector: { reached } } = this.system;
    if (reached !== undefined) return { kind: "until", reached, broken: this.system.broken() };
    const ended = this.system.ended();
    return ended && { kind: "machine", code: ended.code, message: ended.message };
  }

  /** Recorded input enters a replay; true when that was the end. */
  #replayed(): boolean {
    const ending = this.#replaying?.enter();
    if (ending) this.#endings.end(ending);
    return ending !== undefined;
  }

  /** A slice is over that took so long (ms). */
  #sliceOver(took: number): void {
    if (this.#endsOnFailure && !this.#slices.isDone) this.#endOnFailure();
    if (this.present.kernelEvents.wanted && !this.#slices.isDone) this.#followKernels();
    if (this.plan.history && !this.#slices.isDone) this.#run.keepPresent(took);
  }

  get #endsOnFailure(): boolean {
    return this.plan.endsOnFailure === true && !this.#replaying;
  }

  /**
   * Looks for a crash where a VM has got another state, between two turns: in turbo, hours may pass
   * until the slice is over. True if the run has ended, or waits for the end of the look.
   */
  #failed(): boolean {
    const { present } = this, changes = present.vmChanges();
    if (!this.#endsOnFailure || changes === this.#seenChanges || present.machine.inTurn) return false;
    this.#seenChanges = changes;
    this.#endOnFailure();
    return this.#slices.isDone || this.#searches.busy;
  }

  /** Stops for a debugger where a kernel has become known: true if it did, or looks for one. */
  #stopsAtKernel(): boolean {
    this.#searches.before((searching) => this.present.symbols.asked(searching, () => this.#debugging.stopAtKernel()));
    return this.#debugging.held || this.#searches.busy;
  }

  /** Ends the run once a VM has crashed or panicked, while others could continue. */
  #endOnFailure(): void {
    const now = performance.now();
    let isShown = false, isSilent = false;
    if (now >= this.#nextPanicLook) {
      this.#nextPanicLook = now + PANIC_LOOK;
      isShown = this.present.showsPanic();
    }
    if (now >= this.#nextSilentPanicLook) {
      this.#nextSilentPanicLook = now + SILENT_PANIC_LOOK;
      isSilent = this.present.isSomeSilent();
    }
    this.#searches.before((searching) => {
      if (this.#slices.isDone) return;
      const { present } = this;
      const failed = present.symbols.asked(searching, () => present.crashed(isShown || isSilent && present.hasPanicked()));
      if (failed.length) this.#endings.end({ kind: "failed", failed });
    });
  }

  /** Runs the paused present on, for travel to a count; recorded input enters a replay. */
  #runPresent(turns: number, target: number): PresentRun {
    if (this.#replayed()) return { kind: "turns" };
    const replaying = this.#replaying, limit = replaying?.replay.next ?? Infinity;
    const result = this.#endedVms.runPresent(limit, replaying?.bound(turns, target) ?? turns);
    return result.kind === "idle" ? { kind: "idle", next: Math.min(result.next, limit, replaying?.until ?? Infinity) } : result;
  }

  /** Kernels that have begun to boot are observed, as somebody wants their events. */
  #followKernels(): void {
    const { symbols, kernelEvents } = this.present;
    this.#searches.before((searching) => symbols.asked(searching, () => kernelEvents.follow()));
  }

  /** All wait until `next` (ns, Infinity: for input). */
  #idle(next: number): boolean {
    const { machine } = this.system;
    if (this.#instant?.waiting && next - machine.time > PROMPT_IDLE) this.#takeInstant(this.#instant);
    if (next === Infinity) {
      if (!this.#inputEnded || this.system.outside.expects) {
        this.#output.flush();
        this.#sampler.rest();
        return false;
      }
      this.system.inspector.settle();
      this.#endings.end({ kind: "deadlock", waits: this.system.waits() });
      return true;
    }
    this.#slices.idle(next);
    return true;
  }

  /**
   * All wait: where that is at a prompt, its snapshot is made, and what was typed meanwhile enters.
   */
  #takeInstant(instant: InstantSnapshot): void {
    this.#output.flush();
    if (instant.atPrompt()) {
      this.#saving.write(() => instant.write(), (_done, _whole, error) => error && this.#instantFailed(problemText(error)));
    } else if (instant.urged) {
      instant.giveUp();
      this.#instantFailed("every vCPU is waiting, and the console shows no prompt");
    } else return;
    for (const { console, bytes } of instant.release()) this.#enter({ kind: "console", console, bytes });
  }

  #instantFailed(why: string): void {
    this.present.events.sessionProblem(`no instant snapshot: ${why}`);
    this.#output.flush();
  }
}

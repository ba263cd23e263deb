// Runs a system: slices of a few milliseconds, idle time slept through or skipped, input entered
// between slices, output and samples posted. docs/design/decisions.md §3: busy phases are not
// throttled; idle ones last as long as their virtual time unless `turbo`.

import { waitingText } from "../../model/queries/facts/wait.ts";
import type { TraceKind } from "../../machine/abi/trace.ts";
import { withKind } from "../../model/queries/ids.ts";
import type { Action } from "../../model/queries/action.ts";
import { FilterError } from "../../model/queries/filters/filter.ts";
import { QueryError } from "../inspection/readers/inspected.ts";
import { type Answer, noAnswer, type Query } from "../../model/queries/query.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import { type DebugRequest, type Move, SESSION } from "../../model/protocol/protocol.ts";
import { letIn } from "../recordings/past/input.ts";
import type { Input, RecordedInput } from "../../model/plans/recorded-run.ts";
import type { KeptMilestone } from "../recordings/past/history.ts";
import type { Past } from "../recordings/past/past.ts";
import { describeDivergence, type Divergence, Replay } from "../recordings/runs/replay.ts";
import { denserToEnd, NEAR, writableAtEnd, writeStates } from "../recordings/past/state-file.ts";
import { InstantSnapshot } from "../snapshots/instant.ts";
import type { SystemState } from "../state/system-state.ts";
import type { StopChange, StopHit } from "../../model/queries/stop-rule.ts";
import type { System } from "../assembly/system/system.ts";
import { type Searching, SymbolSearch } from "../../inside/symbols/vm-symbols.ts";
import { exceptionText } from "../../kit/support/text/exception-text.ts";
import { statesFile } from "../../kit/support/files/folder-names.ts";
import { Debugging } from "./debugging.ts";
import { EndedVms, type PresentRun } from "./ended-vms.ts";
import { HashPoints } from "./hash-points.ts";
import { type EnginePort, type Loop, PAST } from "./loop.ts";
import { Output } from "./output.ts";
import { Pace } from "./pace.ts";
import { RunRecording } from "./run-recording.ts";
import { Sampler } from "./sampler.ts";
import { Saving } from "./saving.ts";
import { type KeptRun, SessionRun } from "./session-run.ts";
import { Shown } from "./shown.ts";
import { SymbolSearches } from "./symbol-searches.ts";
import { Travel } from "./travel.ts";
import { Who } from "./who.ts";
import { type Problem, problemOf, problemText, UserError } from "../../kit/support/problem.ts";

const ENDED: Problem = { what: "the machine has ended" };

/**
 * Wall time (ms) after which a slice ends: where a console has something to show or a connection
 * may bring something in, and where neither is so. The end of a slice takes a quarter of a
 * millisecond, as its code is cold by then.
 */
const SLICE = 5, SILENT_SLICE = 20;
/** Wall time (ms) between two checks of a client that lags. */
const LAG = 1;
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

/**
 * Tables of the session's own settings, which belong to the present whatever is shown: stop rules,
 * recording of events.
 */
const OF_THE_PRESENT = /^(stop|trace|time|session)\./;

/** Exit code of a run that waited in vain (docs/design/workstation.md §2). */
const TIMED_OUT = 4;

/** The loop of one session. */
export class Engine {
  readonly #channel = new MessageChannel();
  readonly #shown: Shown;
  readonly #sessionRun: SessionRun;
  readonly #output: Output;
  readonly #sampler: Sampler;
  readonly #hashes: HashPoints;
  readonly #recording: RunRecording;
  readonly #replay: Replay | undefined;
  readonly #debugging: Debugging;
  readonly #travel: Travel;
  readonly #saving: Saving;
  readonly #who: Who;
  readonly #endedVms: EndedVms;
  readonly #searches: SymbolSearches;
  /** Keeps console input while a snapshot of the first prompt is awaited. */
  readonly #instant: InstantSnapshot | undefined;
  #paused = false;
  #done = false;
  #inputEnded = false;
  /** Wall times (ms) of the next looks for panics. */
  #nextPanicLook = 0;
  #nextSilentPanicLook = performance.now() + SILENT_PANIC_LOOK;
  readonly #pace = new Pace();
  #sleep: { timer: ReturnType<typeof setTimeout>; since: number; until: number } | undefined;
  #scheduled = false;
  /** Tables whose answers have failed by a bug of el2. */
  readonly #unansweredTables = new Set<string>();

  /**
   * @param origin the state that the session began with, unless that is its plan's start
   * @param kept states of a recorded run, at the last of which the machine is
   */
  constructor(
    readonly present: System,
    readonly plan: SessionPlan,
    readonly port: EnginePort,
    origin?: SystemState,
    readonly kept?: KeptRun,
  ) {
    this.#shown = new Shown(present);
    const { memoryBudget: budget, historyMemory: states } = plan;
    this.#sessionRun = new SessionRun(present, port.again, origin, { budget, states, file: port.pages });
    this.#sessionRun.marks = plan.replay?.recording.marks ?? [];
    this.#endedVms = new EndedVms(this.#shown, this.#sessionRun, plan.history ?? false);
    this.#searches = new SymbolSearches(port, () => this.#schedule());
    this.#instant = plan.instant === undefined ? undefined : new InstantSnapshot(present, plan, plan.instant);
    this.#output = new Output(this.#shown, plan, port.post, this.#instant);
    this.#sampler = new Sampler(this.#shown, port, (id, query) => this.query(id, query));
    this.#hashes = new HashPoints(present, plan.hashAt ?? [], this.#output, port.post);
    this.#recording = new RunRecording(plan, present, this.#sessionRun, this.#output);
    this.#replay = plan.replay && new Replay(plan.replay, kept?.states.at(-1)?.inputs);
    if (plan.replay && kept) this.#sessionRun.begin(kept, plan.replay.recording.inputs);
    const loop: Loop = {
      ...{ plan, port, shown: this.#shown, run: this.#sessionRun },
      replays: this.#replay !== undefined,
      done: () => this.#done,
      runPresent: (turns) => this.#runPresent(turns),
      pause: (paused) => this.pause(paused),
      leave: (past) => this.#leave(past),
      wake: () => this.#wake(),
      schedule: () => this.#schedule(),
      flush: () => this.#output.flush(),
      sample: () => this.#sampler.sample(),
    };
    this.#debugging = new Debugging(loop);
    this.#travel = new Travel(loop, this.#debugging);
    this.#saving = new Saving(loop, this.#recording, () => this.#debugging.changed);
    this.#who = new Who(
      loop,
      () => this.#debugging.changed,
      (vm) => this.#endedVms.endOf(vm),
      (id, query, error) => this.#unanswered(id, query, error),
    );
    present.places = () => this.#sessionRun.places(this.#shown.past);
    const machineMemory = present.memory;
    present.memory = () => [...machineMemory(), ...this.#sessionRun.memory()];
    this.#sessionRun.onProblem = (error) => {
      if (error instanceof UserError) present.events.sessionProblem(problemText(error.problem));
      else port.contained({ where: "the states for going back", error });
    };
    this.#sessionRun.onFar = (why) => present.events.sessionProblem(why);
    this.#sessionRun.onForgotten = (why) => present.events.sessionProblem(why);
    present.outside.enter = (source, data) => port.guarded(() => this.#enter({ kind: "outside", source, data }));
    this.#channel.port1.onmessage = () => port.guarded(() => this.#scheduledSlice());
  }

  /** Everything that has entered until now, in order. */
  get inputs(): readonly RecordedInput[] {
    return this.#sessionRun.inputs;
  }

  /** Why the run cannot be repeated up to now; undefined if it can. */
  get lost(): string | undefined {
    return this.#sessionRun.lost;
  }

  /** A past is not shown any more: its machine goes, unless work in pieces may look at it. */
  #leave(past: Past): void {
    if (!this.#searches.busy && !this.#who.busy && !this.#saving.busy) this.#sessionRun.leave(past);
  }

  /** The system that is shown: the machine, or its past. */
  get system(): System {
    return this.#shown.system;
  }

  /** Whether the machine runs: it neither sleeps nor is paused. */
  get busy(): boolean {
    return this.#scheduled;
  }

  start(): void {
    this.#sessionRun.keepStates();
    if (this.plan.until !== undefined) this.system.inspector.until(this.plan.until);
    this.#sampler.sample();
    this.#schedule();
  }

  /** Input from outside, now. */
  input(console: string, bytes: Uint8Array): void {
    if (this.#instant?.keep(console, bytes)) return;
    const closed = this.#done || this.#shown.past ? undefined : this.present.consoles.closed(console);
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
    if (this.#done || this.#replay) return;
    // A socket continues in the present; typed input was meant for the machine that is shown.
    if (this.#shown.past && input.kind === "console") return;
    this.#wake();
    this.#recording.enter(input);
    letIn(this.present, input);
    this.#schedule();
  }

  /** The client has dealt with console output. */
  taken(bytes: number): void {
    this.#output.taken(bytes);
    this.#schedule();
  }

  endInput(): void {
    this.#inputEnded = true;
    this.#schedule();
  }

  pause(paused: boolean): void {
    if (this.#done || paused === this.#paused) return;
    this.#wake();
    this.#travel.leave();
    this.present.stopAt(Infinity);
    this.#paused = paused;
    if (!paused) this.present.stops.goOn();
    this.#output.flush();
    this.#sampler.sample();
    this.port.post({ kind: "paused", paused });
    this.#schedule();
  }

  /** A debugger's request. */
  debug(request: DebugRequest): void {
    this.#debugging.take(request);
  }

  /** A question. It changes nothing. */
  query(id: number, query: Query): void {
    if (query.table === "who") return this.#who.ask(id, query);
    this.#searches.before((searching) => {
      const answer = this.#answer(id, query, searching);
      if (answer) this.port.post({ kind: "answer", id, answer });
    });
  }

  /** @throws SymbolSearch */
  #answer(id: number, query: Query, searching: Searching): Answer | undefined {
    const { inspector, symbols } = OF_THE_PRESENT.test(query.table) ? this.present : this.system;
    try {
      const answer = symbols.asked(searching, () => this.port.standing.answer(id, query, inspector));
      return answer?.error === undefined ? answer : this.#endedVms.answer(query, searching) ?? answer;
    } catch (error) {
      if (error instanceof SymbolSearch) throw error;
      return this.#unanswered(id, query, error);
    }
  }

  /** A bug of el2 in an answer, reported once per table: screens ask again and again. */
  #unanswered(id: number, query: Query, error: unknown): Answer {
    this.port.standing.forget(id);
    if (!this.#unansweredTables.has(query.table)) this.port.contained({ where: query.table, error, query });
    this.#unansweredTables.add(query.table);
    return noAnswer(`${query.table} cannot be answered: ${exceptionText(error)}, an exception in el2 itself; the machine continues`);
  }

  /** The answer to a question is not awaited any more. */
  forget(id: number): void {
    this.#who.forget(id);
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
      this.#sessionRun.giveSymbols(vm, file, this.#shown.past);
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
  mark(id: number, name: string): void {
    try {
      this.#recording.mark(this.#sessionRun.mark(name, this.system));
      this.#acted(id);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.#acted(id, error.problem);
    }
  }

  /** Adds or removes a rule by which the machine stops. */
  stopRule(id: number, change: StopChange): void {
    if (this.#done) return this.#acted(id, ENDED);
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
    if (this.#done) return this.#acted(id, ENDED);
    if (this.#shown.past) return this.#acted(id, PAST);
    if (this.#replay) return this.#acted(id, { what: "a replay takes no input", wayOut: "start a machine that does with el2 run" });
    this.#wake();
    this.#recording.enter({ kind: "act", action });
    this.#acted(id, this.system.inspector.act(action));
    this.#schedule();
  }

  /** Goes to another place of the run. */
  move(id: number, to: Move): void {
    this.#travel.move(id, to);
  }

  /** Writes a snapshot of what is shown; a `passing` file is not recorded as a place of the run. */
  snapshot(id: number, path: string, title: string, passing = false): void {
    this.#saving.snapshot(id, path, title, passing);
  }

  /** Writes a recording of the run so far; the run continues. */
  saveRecording(id: number, path: string): void {
    this.#saving.recording(id, path);
  }

  /** Which events are recorded from now on. */
  watch(kinds: readonly TraceKind[], budget: number | undefined): void {
    this.system.inspector.watch(kinds, budget);
  }

  stop(): void {
    if (this.#done) return;
    // The machine ends, whatever place in its past is shown.
    this.#shown.past = undefined;
    if (this.#recording.written) this.#recording.endTurn();
    this.#end(0, "stopped");
  }

  /** Nothing runs any more. */
  halt(): void {
    this.#done = true;
    this.#channel.port1.close();
    if (this.#sleep) clearTimeout(this.#sleep.timer);
    this.#sampler.close();
    this.#output.close();
    this.present.outside.close();
  }

  #schedule(): void {
    if (this.#done || this.#scheduled || this.#sleep || this.#output.full) return;
    this.#scheduled = true;
    // Messages between ports overtake the worker's own; a timer lets those in, and costs more.
    const lags = this.port.lags();
    if (lags || this.port.requested()) setTimeout(() => this.port.guarded(() => this.#scheduledSlice()), lags ? LAG : 0);
    else this.#channel.port2.postMessage(null);
  }

  #scheduledSlice(): void {
    this.#scheduled = false;
    this.#slice();
  }

  #slice(): void {
    if (this.#done || this.#paused || this.#debugging.held || this.#searches.busy) return;
    if (this.port.lags()) return this.#schedule();
    const began = performance.now();
    while (!this.#done && !this.#sleep && !this.#output.full && this.#lasts(performance.now() - began) && !this.port.requested()) {
      if (!this.#run()) {
        this.#output.flush();
        return;
      }
    }
    const took = performance.now() - began;
    this.port.together(() => {
      this.#output.flush();
      this.#sampler.sampleWhenDue();
    });
    if (this.plan.endsOnFailure && !this.#replay && !this.#done) this.#endOnFailure();
    if (this.present.kernelEvents.wanted && !this.#done) this.#followKernels();
    if (this.plan.history && !this.#done) this.#sessionRun.keepPresent(took);
    this.#schedule();
  }

  /** Whether a slice that has taken this long (ms) continues. */
  #lasts(took: number): boolean {
    const { consoles, outside } = this.system;
    return took < (consoles.waiting || outside.busy ? SLICE : SILENT_SLICE);
  }

  /**
   * Runs the machine for a slice; false when it cannot continue before input comes from outside.
   */
  #run(): boolean {
    const { machine } = this.system;
    if (this.#replay && this.#replayed(this.#replay)) return true;
    const end = this.plan.duration ?? Infinity;
    const limit = Math.min(end, this.#replay?.next ?? Infinity);
    const { time } = machine;
    const result = this.#endedVms.runPresent(Math.min(limit, this.#hashes.next), TURNS);
    const spared = this.system.core.counters.sparedInstructions;
    if (this.#hurries) this.#pace.hurried(spared);
    else this.#pace.ran(spared, machine.time - time, performance.now());
    this.#hashes.take();
    this.#recording.check();
    // In a replay the bug has its report already.
    for (const bug of this.present.takeBugs()) if (!this.#replay) this.port.contained(bug);
    const hit = this.present.stops.take();
    if (hit === "passed") return true;
    if (hit) {
      this.#stopped(hit);
      return false;
    }
    const { reached } = this.system.inspector;
    if (reached !== undefined) {
      this.#endWell(`--until: ${reached}`, false);
      return true;
    }
    const ended = this.system.ended();
    if (ended) {
      this.#end(ended.code, ended.message, true);
      return true;
    }
    switch (result.kind) {
      case "vm-ended":
        return true;
      case "turns":
        if (!this.present.outside.enterSoon()) this.#sleepOwed(machine.time);
        return true;
      case "time":
        if (machine.time >= end) this.#endOfTime(end);
        return true;
      case "suspended": {
        const { control } = this.system.debugger, stop = control?.takeStop();
        if (!control || !stop) throw new Error("the machine was suspended for nobody");
        this.#debugging.stopped(stop, control);
        return false;
      }
      case "stopped":
        throw new Error(`the machine stopped, and the system does not say why: ${JSON.stringify(result.reason)}`);
      case "idle":
        return this.present.outside.enterSoon() || this.#idle(Math.min(result.next, limit));
    }
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
      if (this.#done) return;
      const { present } = this;
      const failed = present.symbols.asked(searching, () => present.crashed(isShown || isSilent && present.hasPanicked()));
      if (failed.length) this.#end(1, failed.join("; "));
    });
  }

  /** Runs the paused present on, for travel; recorded input enters a replay. */
  #runPresent(turns: number): PresentRun {
    if (this.#replay && this.#replayed(this.#replay)) return { kind: "turns" };
    const limit = this.#replay?.next ?? Infinity;
    const result = this.#endedVms.runPresent(limit, turns);
    return result.kind === "idle" ? { kind: "idle", next: Math.min(result.next, limit) } : result;
  }

  /** Kernels that have begun to boot are observed, as somebody wants their events. */
  #followKernels(): void {
    const { symbols, kernelEvents } = this.present;
    this.#searches.before((searching) => symbols.asked(searching, () => kernelEvents.follow()));
  }

  /** `--for` has passed: a success, unless an event was awaited. */
  #endOfTime(end: number): void {
    const passed = `${end / 1e9} s of virtual time passed`;
    if (this.plan.until === undefined) this.#endWell(passed, true);
    else this.#end(TIMED_OUT, `${passed}, and nothing matched --until ${this.plan.until}`, true);
  }

  /** The requested end has been reached, which is a failure if a VM has failed. */
  #endWell(message: string, own: boolean): void {
    const broken = this.system.broken();
    this.#end(broken.length ? 1 : 0, [message, ...broken].join("; "), own);
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
      this.#end(1, ["deadlock: every vCPU is waiting and nothing can wake one", ...this.system.waits().map(waitingText)].join("; "));
      return true;
    }
    if (!this.#hurries) this.#pace.idle(next - machine.time);
    if (!this.#sleepOwed(next)) machine.skipTo(next);
    return true;
  }

  /** Owed time is not slept. */
  get #hurries(): boolean {
    return this.#replay !== undefined || this.plan.turbo && !this.system.outside.busy;
  }

  /** Sleeps the owed time if that is worth it, after which virtual time is `until` (ns). */
  #sleepOwed(until: number): boolean {
    const owed = this.#hurries ? 0 : this.#pace.take();
    if (!owed) return false;
    // Time owed from before has passed in virtual time already: sleep it too, but only the rest
    // counts when input wakes us.
    const wait = owed / 1e6, since = performance.now();
    const timer = setTimeout(() => this.port.guarded(() => this.#wake()), wait);
    this.#sleep = { timer, since: since + wait - (until - this.system.machine.time) / 1e6, until };
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

  /**
   * Ends a sleep: as much virtual time has passed as wall time, at most until the event that was
   * waited for.
   */
  #wake(): void {
    const sleep = this.#sleep;
    if (!sleep) return;
    this.#sleep = undefined;
    clearTimeout(sleep.timer);
    const { machine } = this.system;
    const passed = Math.max(0, performance.now() - sleep.since) * 1e6;
    machine.skipTo(Math.min(sleep.until, Math.floor(machine.time + passed)));
    this.#sampler.sampleWhenDue();
    this.#schedule();
  }

  /** Lets in what was recorded for now, and compares; true when that was the end. */
  #replayed(replay: Replay): boolean {
    const { machine } = this.system;
    const now = machine.boundary;
    for (let input = replay.takeInput(now); input; input = replay.takeInput(now)) {
      if (input.settled) machine.settle();
      this.#sessionRun.enter({ at: now, settled: machine.settled }, input.input);
      letIn(this.system, input.input);
    }
    const divergence = replay.compare(now, () => this.#recording.state());
    if (divergence) return this.#diverged(divergence);
    if (!replay.finished(now) || this.system.ended()) return false;
    const { recording, to } = replay.plan;
    const { end } = recording;
    if (to !== undefined && now >= to) this.#end(0, `replayed up to ${to / 1e9} s`);
    else if (end?.end.own) return this.#diverged({ at: now, what: "end", recorded: end.end.message, now: "still running" });
    else if (end) this.#end(end.end.code, end.end.message, end.end.own);
    else this.#end(1, "the recording ends here, as el2 was killed");
    return true;
  }

  #diverged(divergence: Divergence): true {
    this.#finish(1, `the replay differs: ${describeDivergence(divergence)}`);
    return true;
  }

  /** The run is over: seals its recording, or compares its replay. */
  #end(code: number, message: string, own = false): void {
    this.#output.flush();
    const { machine } = this.present, { boundary } = machine;
    // When the end comes from outside, events of that very time may have happened or not: in the
    // recording and its replay they all have.
    if (!own && (this.#recording.written || this.#replay)) machine.settle();
    const sealed = this.#recording.end(boundary, code, message, own);
    const verify = this.plan.replay?.verify;
    const divergence = verify ? this.#replay?.compareEnd(boundary, this.#recording.endState(code, message, own)) : undefined;
    if (divergence) return void this.#diverged(divergence);
    const path = own || sealed !== undefined || this.#replay?.finished(boundary) ? this.#statesPath(sealed) : undefined;
    if (path !== undefined && !this.present.ended()) this.#sessionRun.keepNow();
    const states = denserToEnd(this.#sessionRun.milestones);
    // The session of a recording may be gone once its client knows of the end: its states are
    // written before.
    if (sealed !== undefined) this.#keepStates(path, writableAtEnd(states));
    this.#finish(code, verify ? `${message}; identical to the recording (state hashes compared: ${this.#replay?.compared})` : message);
    if (sealed === undefined) this.#keepStates(path, states);
  }

  /**
   * The file for states of a recorded run; undefined if none are kept.
   * @param sealed the SHA-256 of its recording, if that has been written now
   */
  #statesPath(sealed: string | undefined): string | undefined {
    const { history, record, replay, reboot } = this.plan;
    if (!history || this.#debugging.changed) return undefined;
    // The machine that starts again is recorded to the same file.
    if (reboot && this.present.ended()?.reset) return undefined;
    return sealed === undefined || record?.states === undefined ? replay?.states?.path : statesFile(record.states, sealed);
  }

  /** Keeps states of a recorded run for its next replay, unless a file has them. */
  #keepStates(path: string | undefined, states: readonly KeptMilestone[]): void {
    const last = states.at(-1), known = this.kept?.states.at(-1)?.instructions ?? 0;
    if (path === undefined || !last || last.spent < NEAR || last.instructions <= known) return;
    this.#saving.write(() => writeStates(path, states), (_done, _whole, error) => {
      if (!error) return;
      const text = `no states are kept for the next replay: ${problemText(error)}`;
      const event = { time: last.at, pcpu: undefined, kind: "log", vcpu: SESSION, text, refused: true } as const;
      this.port.post({ kind: "events", events: [event], dropped: 0 });
    });
  }

  #finish(code: number, message: string): void {
    this.#travel.end(message);
    this.#output.flush();
    this.#sampler.sample();
    this.#saving.finish();
    this.halt();
    const reset = this.present.ended()?.reset;
    this.port.post({ kind: "ended", end: { code, message, ...reset && { reset } } });
  }
}

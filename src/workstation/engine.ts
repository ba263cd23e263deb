// Runs a system: slices of a few milliseconds, idle time slept through or skipped, input entered between slices, output and samples
// posted. DESIGN "Seven decisions", 3: busy phases are not throttled; idle ones last as long as their virtual time unless `turbo`.

import { createHash } from "node:crypto";
import { answerDebugger } from "../hypervisor/debug-access.ts";
import type { TraceKind } from "../abi/trace.ts";
import { ConsoleLog } from "./control/console-log.ts";
import type { Action } from "./inspect/action.ts";
import { letIn } from "./record/input.ts";
import { standing, stoppedAt, wayBack } from "./record/rewind.ts";
import type { DebugControl } from "../hypervisor/traps/debug-control.ts";
import { BackTo, type Reached, type RunUpTo } from "./record/back-to.ts";
import { OnTo } from "./record/on-to.ts";
import { type Moment, momentOf, Past } from "./record/past.ts";
import type { EndState, Input, RecordedInput } from "./record/recorded-run.ts";
import { RecordingError, RecordingWriter } from "./record/recording.ts";
import { savedHeader, saveRecording } from "./record/save.ts";
import { describeDivergence, type Divergence, Replay } from "./record/replay.ts";
import { EVERY_VM } from "./guest-names.ts";
import { FilterError } from "./inspect/filter.ts";
import { QueryError } from "./inspect/inspected.ts";
import type { Query } from "./inspect/query.ts";
import type { RunPlace } from "./inspect/read-places.ts";
import type { SessionPlan } from "./plan.ts";
import type { DebugAnswer, DebugRequest, DebugStopped, Move, SessionDebugAccess, SessionEvent } from "./protocol.ts";
import { stopAtEvents, type StopChange, type StopHit } from "./stop-rules.ts";
import type { System } from "./system.ts";
import { writeSnapshot } from "./snapshot/file.ts";
import { History, type Milestone } from "./snapshot/history.ts";
import { InstantSnapshot } from "./snapshot/instant.ts";
import { isHostError, snapshotOf } from "./snapshot/save.ts";
import { UnsavableError } from "./snapshot/parts.ts";
import type { SystemState } from "./snapshot/system-state.ts";
import { WriteFailure } from "./write-all.ts";

/** Wall time (ms) after which a slice ends. */
const SLICE = 5;
/** Turns of the physical CPUs between two looks at the clock. */
const TURNS = 8;
/** Wall time (ms) between samples. */
const SAMPLE_INTERVAL = 200;
/** Bytes of console output that may be under way to the client; a guest that floods its console waits here and takes no memory. */
const OUTPUT_LIMIT = 1 << 20;
/** Idle time (ns) that is worth a sleep; less is owed until it adds up. */
const SHORTEST_SLEEP = 2e6;

/** Retired instructions between two checks of a recording. */
const CHECK_INTERVAL = 10_000_000;

/** Tables of what a person has set up in the session, which is the present's whatever is shown: stop rules, what is recorded of events. */
const OF_THE_PRESENT = /^(stop|trace|time)\./;
/** What became of a way to another place. */
const ELSEWHERE = "ended on the way";
/** Why nothing can be done to what is shown. */
const PAST = "this is the past, which takes no input; go to now first (t n)";
/** Wall time (ms) for which going to a place keeps requests waiting. */
const MOVE_SLICE = 20;

/** Wall time (ms) between two states that are kept, and how many times as long as keeping one takes. */
const MILESTONE_INTERVAL = 1000;
const MILESTONE_SHARE = 50;
/** Instructions before a place at which a state is kept on the way. */
const LANDING = 4_000_000;
/** Virtual time (ns) for which all wait at a prompt. */
const PROMPT_IDLE = 50e6;

/** Exit code of a run that waited in vain (WORKSTATION section 2). */
const TIMED_OUT = 4;

/** Told how going somewhere has ended: what is wrong, or what was reached. */
type Told = (error?: string, text?: string) => void;

/** What the engine needs of the worker that it runs in. */
export interface EnginePort {
  readonly post: (event: SessionEvent) => void;
  /** Wraps every piece of work, so that a bug of ours is reported and not lost. */
  readonly guarded: (work: () => void) => void;
  /** Whether a request waits to be let in. */
  readonly requested: () => boolean;
  /** Another machine of the same plan, at its start or in a state, without sockets. */
  readonly again: (state?: SystemState) => System;
}

/** The loop of one session. */
export class Engine {
  readonly #channel = new MessageChannel();
  readonly #console = createHash("sha256");
  readonly #logs: Map<string, ConsoleLog>;
  #hashes: number[];
  #paused = false;
  /** A debugger has stopped the machine. */
  #held = false;
  #done = false;
  #inputEnded = false;
  #outputUnderWay = 0;
  /** Idle virtual time (ns) not slept yet. */
  #owed = 0;
  #sleep: { timer: ReturnType<typeof setTimeout>; since: number; until: number } | undefined;
  #scheduled = false;
  #sampled = { wall: 0, time: 0, instructions: 0 };
  readonly #recorder: RecordingWriter | undefined;
  readonly #replay: Replay | undefined;
  /** Everything that has entered. */
  readonly #inputs: RecordedInput[] = [];
  #past: Past | undefined;
  /** What a debugger's machine does on its way through the past. */
  #debugMove: (() => DebugStopped | undefined) | undefined;
  /** Events at which a debugger stops. */
  #debugEvents: string | undefined;
  /** A debugger has written memory or registers. */
  #written = false;
  /** Where steps forward began, and how many instructions had been retired there: a step back ends exactly there. */
  #trail: { readonly moment: Moment; readonly instructions: number }[] = [];
  #nextCheck = CHECK_INTERVAL;
  /** Symbols that were given since the start. */
  readonly #symbols: { readonly vm: string; readonly file: Uint8Array }[] = [];
  /** States of the run, and wall time (ms) before which no other is kept. */
  readonly #history: History;
  #nextMilestone = 0;
  /** Instructions that had been retired where the session began. */
  readonly #first: number;
  /** Virtual time (ns) there. */
  readonly #firstTime: number;
  /** Snapshots that were written. */
  readonly #snapshots: RunPlace[] = [];
  /** Number of the way to another place that is under way, or was. */
  #way = 0;
  /** The past on its way to an event. */
  #onTo: OnTo | undefined;
  /** The rule by which the machine stops at an event that a person waits for, and what to tell then. */
  #awaited: { readonly rule: string; readonly tell: Told } | undefined;
  /** What was gone back to, while that is shown. */
  #reached: Reached | undefined;
  /** Snapshots on their way to files. */
  readonly #writing = new Set<() => boolean>();
  /** Keeps console input while a snapshot of the first prompt is awaited. */
  readonly #instant: InstantSnapshot | undefined;

  constructor(
    readonly present: System,
    readonly plan: SessionPlan,
    readonly port: EnginePort,
    origin?: SystemState,
  ) {
    this.#history = new History(origin);
    this.#first = origin ? present.instructions() : 0;
    this.#firstTime = present.machine.time;
    present.places = () => this.#places();
    this.#hashes = [...plan.hashAt];
    const logs = plan.replay ? [] : Object.entries(plan.logs ?? {});
    this.#logs = new Map(logs.map(([console, path]) => [console, new ConsoleLog(path)]));
    this.#recorder = plan.record && new RecordingWriter(plan.record.path, plan.record.header);
    this.#replay = plan.replay && new Replay(plan.replay);
    this.#instant = plan.instant === undefined ? undefined : new InstantSnapshot(present, plan, plan.instant);
    present.outside.enter = (source, data) => port.guarded(() => this.#enter({ kind: "outside", source, data }));
    this.#channel.port1.onmessage = () => port.guarded(() => this.#scheduledSlice());
  }

  /** Everything that has entered until now, in order. */
  get inputs(): readonly RecordedInput[] {
    return this.#inputs;
  }

  /** What is shown: the machine, or its past. */
  get system(): System {
    return this.#past?.system ?? this.present;
  }

  start(): void {
    this.#sampled.wall = performance.now();
    this.#nextMilestone = performance.now() + MILESTONE_INTERVAL;
    if (this.plan.until !== undefined) this.system.inspector.until(this.plan.until);
    this.#sample();
    this.#schedule();
  }

  /** Input from outside, now. */
  input(console: string, bytes: Uint8Array): void {
    if (this.#instant?.keep(console, bytes)) return;
    this.#enter({ kind: "console", console, bytes });
  }

  /** Something from outside changes the machine, between two slices. Into a replay nothing enters but what was recorded. */
  #enter(input: Exclude<Input, { kind: "act" }>): void {
    if (this.#done || this.#replay) return;
    // A socket goes on in the present; what a person types was meant for what is shown.
    if (this.#past && input.kind === "console") return;
    this.#wake();
    this.#record(input);
    letIn(this.present, input);
    this.#schedule();
  }

  #record(input: Input): void {
    const { machine } = this.present;
    this.#endTurn();
    const place = { at: machine.boundary, settled: machine.settled };
    this.#inputs.push({ ...place, input });
    this.#recorder?.input(place, input);
  }

  /** A step may have left the machine in the middle of a turn, which is no place of a recording. */
  #endTurn(): void {
    const { machine } = this.present;
    if (machine.inTurn) this.present.stops.muted(() => machine.run(Infinity, 1));
  }

  /** The client has dealt with console output. */
  taken(bytes: number): void {
    // Some may be of a machine before this one.
    this.#outputUnderWay = Math.max(0, this.#outputUnderWay - bytes);
    this.#schedule();
  }

  endInput(): void {
    this.#inputEnded = true;
    this.#schedule();
  }

  pause(paused: boolean): void {
    if (this.#done || paused === this.#paused) return;
    this.#wake();
    this.#trail = [];
    this.#past = undefined;
    this.#way++;
    this.#leaveWayOn("paused before anything like that happened");
    this.present.stopAt(Infinity);
    this.#paused = paused;
    if (!paused) this.present.stops.goOn();
    this.#flush();
    this.#sample();
    this.port.post({ kind: "paused", paused });
    this.#schedule();
  }

  /** A debugger's request. */
  debug(request: DebugRequest): void {
    if (request.kind === "debug-attach") {
      const error = this.#done ? "the machine has ended" : this.system.attachDebugger(request.vm);
      return this.port.post({ kind: "debug-attached", error });
    }
    if (this.#done) return;
    const control = this.system.debug;
    if (!control) throw new Error("no VM of this session is for a debugger");
    switch (request.kind) {
      case "debug":
        return this.port.post({ kind: "debug-answer", answer: this.#debugAnswer(control, request.access) });
      case "debug-stop":
        if (this.#debugMove) return this.#hold(standing(control, "asked"));
        if (this.#held) return;
        this.#wake();
        control.goOn(undefined);
        return this.#hold(standing(control, "asked"));
      case "debug-continue":
        control.goOn(control.vcpu(request.step), request.range);
        return this.#past ? this.#debugOn(this.#past) : this.#release();
      case "debug-back":
        return this.#debugBack(control, request.step);
      case "debug-detach":
        this.#past = undefined;
        this.system.debug?.clear();
        return this.#release();
      case "debug-release":
        this.#past = undefined;
        this.system.releaseDebugger();
        return this.#release();
    }
  }

  /** What a debugger writes makes another run: the past cannot be changed, and there is no way back to before a change. */
  #debugAnswer(control: DebugControl, access: SessionDebugAccess): DebugAnswer {
    if (access.kind === "stop-at-events") {
      const answer = stopAtEvents(control, access.filter);
      if (answer.kind === "done") this.#debugEvents = access.filter;
      return answer;
    }
    const writes = access.kind === "write" || access.kind === "write-register";
    if (writes && this.#past) return { kind: "refused", message: PAST };
    this.#written ||= writes;
    return answerDebugger(control, access);
  }

  /** Goes back to where the debugger wants, in another machine. */
  #debugBack(control: DebugControl, step: number | undefined): void {
    const { debuggedVm } = this.system;
    const stay = (note: string) => this.#hold({ ...standing(control, "asked"), note });
    if (!this.#held || debuggedVm === undefined) return;
    if (this.#replay) return stay("a replay goes forward only");
    if (this.#written) return stay("memory or registers were written with the debugger: there is no way back to before that");
    if (control.debuggee.all && step === undefined) {
      const filter = this.#debugEvents;
      return filter === undefined ? stay("there is no event to go back to: monitor events FILTER") : this.#debugBackTo(control, filter);
    }
    const way = wayBack({
      milestone: (instructions) => this.#history.before(instructions),
      pastAt: (milestone) => this.#pastAt(milestone),
      instructions: this.system.instructions(),
      vm: debuggedVm,
      control,
    }, step);
    this.#debugSlices(() => {
      const stop = way.advance(MOVE_SLICE);
      if (stop) this.#past = way.past;
      return stop;
    });
  }

  /** Goes back to the last event that a debugger of all VMs wants. */
  #debugBackTo(control: DebugControl, filter: string): void {
    const way = new BackTo(this.#runUpToHere(), { kind: "event", filter }, this.#reachedHere());
    this.#debugSlices(() => {
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return undefined;
      if (reached === "none") {
        return { ...standing(control, "history-start"), note: `nothing like that is between ${this.#start} and here` };
      }
      this.#reached = reached;
      this.#past = reached.past;
      const there = reached.past.system.debugVm(EVERY_VM, false);
      there.adopt(control);
      const vcpu = there.vcpus().find((one) => reached.text.includes(` vcpu:${there.hypervisor.names.vcpu(one)} `));
      return { ...standing(there, "event", vcpu), note: reached.text };
    });
  }

  #runUpToHere(): RunUpTo {
    return {
      milestone: (moment) => this.#history.before(moment),
      pastAt: (milestone) => this.#pastAt(milestone),
      moment: momentOf(this.system),
      instructions: this.system.instructions(),
      at: this.system.machine.boundary,
    };
  }

  /** How the place that is shown was reached, where it was gone back to. */
  #reachedHere(): Reached | undefined {
    return this.#reached?.past === this.#past ? this.#reached : undefined;
  }

  /** Goes on in the past, at most to where the machine really is. */
  #debugOn(past: Past): void {
    let stop: DebugStopped | undefined;
    past.onStop = (reached) => {
      stop = stoppedAt(reached, past.system.debug!);
      return true;
    };
    this.#debugSlices(() => {
      const there = past.advance(this.present.instructions(), MOVE_SLICE);
      if (stop || !there) return stop;
      const { debug: control } = this.present;
      this.#past = undefined;
      if (!control) throw new Error("a debugger has gone on in the past of a machine that it does not have");
      control.clear();
      if (past.system.debug) control.adopt(past.system.debug);
      return standing(control, "history-end");
    });
  }

  /** Does something piece by piece until it gives a stop, or the debugger asks for one. */
  #debugSlices(slice: () => DebugStopped | undefined): void {
    this.#debugMove = slice;
    const go = () => {
      if (this.#debugMove !== slice || this.#done) return;
      const stop = slice();
      if (stop) this.#hold(stop);
      else setTimeout(() => this.port.guarded(go), 0);
    };
    go();
  }

  /** A question. It changes nothing. */
  query(id: number, query: Query): void {
    const { inspector } = OF_THE_PRESENT.test(query.table) ? this.present : this.system;
    this.port.post({ kind: "answer", id, answer: inspector.answer(query) });
  }

  /** Which events are recorded to be taken away. */
  trace(kinds: readonly TraceKind[]): void {
    const { recorder } = this.present;
    if (kinds.length) recorder.start(kinds);
    else recorder.stop();
  }

  /** Takes an ELF file's symbols for a VM. */
  symbols(id: number, vm: string, file: Uint8Array): void {
    let error: string | undefined;
    try {
      this.present.symbols.give(vm, file, "symbols");
      this.#past?.system.symbols.give(vm, file, "symbols");
      this.#symbols.push({ vm, file });
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    this.port.post({ kind: "acted", id, error });
  }

  /** Takes a rule by which the machine stops, or lets one go. */
  stopRule(id: number, change: StopChange): void {
    const acted = (error?: string) => this.port.post({ kind: "acted", id, error });
    if (this.#done) return acted("the machine has ended");
    if (this.#past && change.kind === "step") return acted(PAST);
    try {
      this.present.stops.change(change);
      acted();
      if (change.kind === "step") this.pause(false);
    } catch (error) {
      if (!(error instanceof QueryError || error instanceof FilterError)) throw error;
      acted(error instanceof FilterError ? error.marked : error.message);
    }
  }

  /** A stop rule's turn: the machine is paused there. */
  #stopped({ rule, text }: StopHit): void {
    const awaited = this.#awaited;
    if (awaited?.rule === rule) {
      this.#awaited = undefined;
      this.present.stops.change({ kind: "remove", rule });
      this.pause(true);
      return awaited.tell(undefined, text);
    }
    this.pause(true);
    this.port.post({ kind: "stopped", rule, text });
  }

  /** A second machine at its start or in a state, for whose addresses people have the same names. */
  #again(state?: SystemState): System {
    const system = this.port.again(state);
    for (const { vm, file } of this.#symbols) system.symbols.give(vm, file, "symbols");
    return system;
  }

  /** Does what a person asks, between two slices: an input to the run like typing. */
  act(id: number, action: Action): void {
    if (this.#done) return this.port.post({ kind: "acted", id, error: "the machine has ended" });
    if (this.#past) return this.port.post({ kind: "acted", id, error: PAST });
    if (this.#replay) return this.port.post({ kind: "acted", id, error: "a replay takes no input; el2 run starts a machine that does" });
    this.#wake();
    this.#record({ kind: "act", action });
    this.port.post({ kind: "acted", id, error: this.system.inspector.act(action) });
    this.#schedule();
  }

  /** Goes to another place of the run. */
  move(id: number, to: Move): void {
    const moved: Told = (error, text) => {
      this.port.post({ kind: "moved", id, error, instructions: this.system.instructions(), text });
    };
    if (this.#done) return moved("the machine has ended");
    if (this.#replay || this.#held) {
      return moved(`${this.#replay ? "a replay" : "a machine that a debugger has stopped"} goes on in its own way`);
    }
    if (!this.#paused) this.pause(true);
    const way = ++this.#way;
    this.#leaveWayOn(ELSEWHERE);
    if (to.kind === "here") return this.#shown(moved);
    if (to.kind === "event" || to.kind === "place") return this.#moveBackTo(to, moved);
    if (to.kind === "next-event") return this.#moveOnTo(to.filter, moved);
    this.#reached = undefined;
    const now = this.present.instructions();
    const here = this.system.instructions();
    const target = to.kind === "now" ? now : to.kind === "step" ? here + to.by : to.count;
    if (target < this.#first) return moved(`that is before ${this.#start}`);
    const from = this.#trail.at(-1);
    let moment: Moment = target;
    if (to.kind === "step" && to.by > 0) this.#trail.push({ moment: momentOf(this.system), instructions: here });
    else if (to.kind === "step" && from?.instructions === target) moment = this.#trail.pop()!.moment;
    else this.#trail = [];
    const shown = () => this.#shown(moved);
    if (to.kind === "now" || target === now) {
      this.#past = undefined;
      return shown();
    }
    if (target > now) {
      this.#past = undefined;
      this.#stepOn(target);
      return shown();
    }
    const milestone = this.#history.before(moment);
    const nearer = milestone !== undefined && milestone.instructions > here;
    if (!this.#past || target <= here || nearer) this.#past = this.#pastAt(milestone);
    const past = this.#past;
    const stops: Moment[] = this.#landing(past, target) ? [target - LANDING, moment] : [moment];
    const go = () => {
      if (this.#way !== way || this.#done) return moved(ELSEWHERE);
      if (!past.advance(stops[0], MOVE_SLICE)) return void setTimeout(() => this.port.guarded(go), 0);
      stops.shift();
      if (stops.length === 0) return shown();
      this.#keep(past.system, past.entered);
      go();
    };
    go();
  }

  get #start(): string {
    return this.plan.from ? "the snapshot with which the session began" : "the start";
  }

  /** Another place is shown. */
  #shown(moved: () => void): void {
    this.#sample();
    this.port.post({ kind: "paused", paused: true, past: this.#past !== undefined });
    moved();
  }

  /** Goes on to where something happens. */
  #moveOnTo(filter: string, moved: Told): void {
    const past = this.#past;
    this.#reached = undefined;
    this.#trail = [];
    let way: OnTo;
    try {
      if (!past) return this.#await(filter, moved);
      way = new OnTo(past, filter, momentOf(this.present));
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return moved(error.marked);
    }
    this.#onTo = way;
    const go = () => {
      if (this.#onTo !== way || this.#done) return moved(ELSEWHERE);
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return void setTimeout(() => this.port.guarded(go), 0);
      this.#onTo = undefined;
      if (reached === "none") this.#past = undefined;
      this.#shown(() => moved(undefined, reached === "none" ? "now; nothing like that happened since" : reached.text));
    };
    go();
  }

  /** Lets the machine go on until something happens. @throws FilterError */
  #await(filter: string, tell: Told): void {
    const { stops } = this.present;
    stops.change({ kind: "event", filter });
    this.pause(false);
    this.#awaited = { rule: stops.rules.at(-1)!.id, tell };
  }

  /** Nobody waits for an event any more. */
  #leaveWayOn(why: string): void {
    this.#onTo?.leave();
    this.#onTo = undefined;
    const awaited = this.#awaited;
    if (!awaited) return;
    this.#awaited = undefined;
    this.present.stops.change({ kind: "remove", rule: awaited.rule });
    awaited.tell(why);
  }

  /** Places of the run that have names. */
  #places(): RunPlace[] {
    if (this.#done) return [];
    const here = (kind: RunPlace["kind"], system: System): RunPlace => ({
      kind,
      instructions: system.instructions(),
      time: system.machine.time,
    });
    return [
      { kind: "start", instructions: this.#first, time: this.#firstTime },
      ...this.#snapshots,
      ...this.#past ? [here("shown", this.#past.system)] : [],
      here("now", this.present),
    ];
  }

  /** Goes back to where something happened. */
  #moveBackTo(to: Extract<Move, { kind: "event" | "place" }>, moved: Told): void {
    const number = this.#way;
    let way: BackTo;
    try {
      way = new BackTo(
        this.#runUpToHere(),
        to.kind === "event" ? to : { kind: "place", place: this.present.stops.system.placeOf(to.at) },
        this.#reachedHere(),
      );
    } catch (error) {
      if (!(error instanceof QueryError || error instanceof FilterError)) throw error;
      return moved(error instanceof FilterError ? error.marked : error.message);
    }
    const go = () => {
      if (this.#way !== number || this.#done) return moved(ELSEWHERE);
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return void setTimeout(() => this.port.guarded(go), 0);
      if (reached === "none") return moved(`nothing like that is between ${this.#start} and here`);
      this.#trail = [];
      this.#reached = reached;
      this.#past = reached.past;
      this.#shown(() => moved(undefined, reached.text));
    };
    go();
  }

  /** Whether to keep a state on the way to a place: who goes back once goes back again. */
  #landing(past: Past, target: number): boolean {
    const first = target - LANDING;
    return past.system.instructions() < first - LANDING && !this.#history.hasBetween(first - LANDING, target);
  }

  #pastAt(milestone: Milestone | undefined): Past {
    return new Past(this.#again(milestone?.state), [...this.#inputs], Infinity, milestone?.inputs);
  }

  /** Keeps the state of the run, for going back. A machine that cannot be saved now keeps none: going back takes longer then. */
  #keep(system: System, inputs: number): void {
    const instructions = system.instructions();
    try {
      const state = system.save(this.#history.stateBefore(instructions));
      this.#history.add({ at: system.machine.boundary, instructions, moment: momentOf(system), inputs, state });
    } catch (error) {
      if (!(error instanceof UnsavableError)) throw error;
    }
  }

  /** Keeps the present now and then: seldom enough that it costs a fiftieth of the time. */
  #keepPresent(): void {
    const began = performance.now();
    if (!this.plan.history || this.#replay || this.#done || began < this.#nextMilestone || this.present.ended()) return;
    // A machine that idles is near its last state anyway.
    const instructions = this.present.instructions();
    if (!this.#history.hasBetween(instructions - LANDING, instructions)) this.#keep(this.present, this.#inputs.length);
    const took = performance.now() - began;
    this.#nextMilestone = began + Math.max(MILESTONE_INTERVAL, MILESTONE_SHARE * took);
  }

  /** Writes a snapshot of what is shown, a piece at a time. The machine goes on meanwhile. A `passing` file is no place of the run. */
  snapshot(id: number, path: string, title: string, passing = false): void {
    let total = 0;
    const tell = (done: number, whole: boolean, error?: string) => this.port.post({ kind: "snapshotted", id, done, total, whole, error });
    if (this.#done) return tell(0, false, "the machine has ended");
    this.#flush();
    const place: RunPlace = { kind: "snapshot", instructions: this.system.instructions(), time: this.system.machine.time, file: path };
    this.#inTurns(() => {
      const snapshot = snapshotOf(this.system, this.plan, title);
      total = snapshot.header.pages;
      return writeSnapshot(path, snapshot);
    }, (done, whole, error) => {
      const stays = whole && !passing;
      if (stays) this.#snapshots.push(place);
      tell(done, whole, error);
      if (stays) this.port.post({ kind: "saved", path });
    });
  }

  /** Writes a recording of the run until now, which goes on. */
  saveRecording(id: number, path: string): void {
    const acted = (error?: string) => this.port.post({ kind: "acted", id, error });
    const off = this.#unrecordable();
    if (off !== undefined) return acted(off);
    savedHeader(this.plan).then((header) => this.port.guarded(() => acted(this.#saveRecording(path, header))), (error) => {
      this.port.guarded(() => {
        if (!(error instanceof RecordingError) && !isHostError(error)) throw error;
        acted(error.message);
      });
    });
  }

  /** Why what has happened cannot be a recording. */
  #unrecordable(): string | undefined {
    if (this.#done) return "the machine has ended";
    if (this.#replay) return "a replay is a recording already";
    if (this.#past) return PAST;
    if (this.#written) return "memory or registers were written with the debugger, which no recording has";
    return undefined;
  }

  /** What went wrong, or undefined. */
  #saveRecording(path: string, header: string): string | undefined {
    const off = this.#unrecordable();
    if (off !== undefined) return off;
    this.#endTurn();
    this.#flush();
    try {
      saveRecording(path, header, this.#inputs, this.present.machine.boundary, this.#endState(0, "the run went on", false));
      return undefined;
    } catch (error) {
      if (!(error instanceof WriteFailure) && !isHostError(error)) throw error;
      return error.message;
    }
  }

  /** Lets a snapshot be written between slices. What the host refuses is told, not thrown. */
  #inTurns(begin: () => Generator<number>, tell: (done: number, whole: boolean, error?: string) => void): void {
    let steps: Generator<number> | undefined;
    /** True when nothing is left to do. */
    const step = () => {
      try {
        steps ??= begin();
        const { done, value } = steps.next();
        tell(value ?? 0, done === true);
        return done === true;
      } catch (error) {
        if (!isHostError(error)) throw error;
        tell(0, false, error.message);
        return true;
      }
    };
    this.#writing.add(step);
    const next = () => {
      if (!this.#writing.has(step)) return;
      if (step()) this.#writing.delete(step);
      else setTimeout(() => this.port.guarded(next), 0);
    };
    next();
  }

  /** Snapshots that are being written are written to their end: the machine goes. */
  #finishWriting(): void {
    for (const step of this.#writing) while (!step());
    this.#writing.clear();
  }

  /** Lets the paused machine go on until so many instructions are retired, or it waits for something from outside. */
  #stepOn(target: number): void {
    this.present.stopAt(target);
    this.present.stops.muted(() => {
      while (this.present.instructions() < target && this.#stepped());
    });
    this.present.stopAt(Infinity);
    this.#flush();
  }

  /** Lets the paused machine go on a little; false where it cannot. */
  #stepped(): boolean {
    const { machine, debug } = this.present;
    const result = machine.run(Infinity, TURNS);
    if (result.kind === "idle" && result.next !== Infinity) machine.skipTo(result.next);
    const stop = result.kind === "suspended" ? debug?.takeStop() : undefined;
    if (debug && stop) this.#hold(stoppedAt(stop, debug));
    return !stop && result.kind !== "stopped" && !(result.kind === "idle" && result.next === Infinity);
  }

  /** Which events are recorded from now on. */
  watch(kinds: readonly TraceKind[], budget: number | undefined): void {
    this.system.inspector.watch(kinds, budget);
  }

  stop(): void {
    if (this.#done) return;
    // What ends is the machine, wherever in its past somebody looks.
    this.#past = undefined;
    if (this.#recorder) this.#endTurn();
    this.#end(0, "stopped");
  }

  /** Nothing runs any more. */
  halt(): void {
    this.#done = true;
    this.#channel.port1.close();
    if (this.#sleep) clearTimeout(this.#sleep.timer);
    for (const log of this.#logs.values()) log.close();
    this.present.outside.close();
  }

  #schedule(): void {
    if (this.#done || this.#scheduled || this.#sleep || this.#outputUnderWay > OUTPUT_LIMIT) return;
    this.#scheduled = true;
    // Messages between ports overtake the worker's own; a timer lets those in, and costs more.
    if (this.port.requested()) setTimeout(() => this.port.guarded(() => this.#scheduledSlice()), 0);
    else this.#channel.port2.postMessage(null);
  }

  #scheduledSlice(): void {
    this.#scheduled = false;
    this.#slice();
  }

  #hold(stop: DebugStopped): void {
    this.#held = true;
    this.#debugMove = undefined;
    this.#flush();
    this.#sample();
    this.port.post({ kind: "debug-stopped", stop });
  }

  #release(): void {
    this.#held = false;
    this.#schedule();
  }

  #slice(): void {
    if (this.#done || this.#paused || this.#held) return;
    const limit = performance.now() + SLICE;
    while (!this.#done && !this.#sleep && performance.now() < limit && !this.port.requested()) {
      if (!this.#run()) {
        this.#flush();
        return;
      }
    }
    this.#flush();
    if (performance.now() - this.#sampled.wall >= SAMPLE_INTERVAL) this.#sample();
    this.#keepPresent();
    this.#schedule();
  }

  /** Lets the machine run a little; false when it cannot go on before something comes from outside. */
  #run(): boolean {
    const { machine } = this.system;
    if (this.#replay && this.#replayed(this.#replay)) return true;
    const end = this.plan.duration ?? Infinity;
    const limit = Math.min(end, this.#replay?.next ?? Infinity);
    const result = machine.run(Math.min(limit, this.#nextHash()), TURNS);
    this.#takeHash();
    this.#takeCheck();
    const hit = this.present.stops.take();
    if (hit === "passed") return true;
    if (hit) {
      this.#stopped(hit);
      return false;
    }
    const { reached } = this.system.inspector;
    if (reached !== undefined) {
      this.#end(0, `--until: ${reached}`);
      return true;
    }
    const ended = this.system.ended();
    if (ended) {
      this.#end(ended.code, ended.message, true);
      return true;
    }
    switch (result.kind) {
      case "turns":
        return true;
      case "time":
        if (machine.time >= end) this.#endOfTime(end);
        return true;
      case "suspended": {
        const { debug } = this.system, stop = debug?.takeStop();
        if (!debug || !stop) throw new Error("the machine was suspended for nobody");
        this.#hold(stoppedAt(stop, debug));
        return false;
      }
      case "stopped":
        throw new Error(`the machine stopped, and the system does not say why: ${JSON.stringify(result.reason)}`);
      case "idle":
        return this.#idle(Math.min(result.next, limit));
    }
  }

  /** `--for` has passed: what was asked for, unless an event was waited for. */
  #endOfTime(end: number): void {
    const passed = `${end / 1e9} s of virtual time passed`;
    if (this.plan.until === undefined) this.#end(0, passed, true);
    else this.#end(TIMED_OUT, `${passed}, and nothing matched --until ${this.plan.until}`, true);
  }

  /** All wait until `next` (ns, Infinity: for input). */
  #idle(next: number): boolean {
    const { machine } = this.system;
    if (this.#instant?.waiting && next - machine.time > PROMPT_IDLE) this.#takeInstant(this.#instant);
    if (next === Infinity) {
      if (!this.#inputEnded || this.system.outside.expects) return false;
      this.#end(1, ["nothing can ever happen again", ...this.system.describeWaits()].join("; "));
      return true;
    }
    if (this.#replay || this.plan.turbo && !this.system.outside.busy) {
      machine.skipTo(next);
      return true;
    }
    this.#owed += next - machine.time;
    if (this.#owed < SHORTEST_SLEEP) {
      machine.skipTo(next);
      return true;
    }
    // What is owed from before has passed in virtual time already: sleep it too, but only the rest counts when input wakes us.
    const wait = this.#owed / 1e6;
    this.#owed = 0;
    const since = performance.now();
    const timer = setTimeout(() => this.port.guarded(() => this.#wake()), wait);
    this.#sleep = { timer, since: since + wait - (next - machine.time) / 1e6, until: next };
    return true;
  }

  /** All wait: where that is at a prompt, its snapshot is made, and what was typed meanwhile enters. */
  #takeInstant(instant: InstantSnapshot): void {
    this.#flush();
    if (instant.atPrompt()) this.#inTurns(() => instant.write(), (_done, _whole, error) => error && this.#instantFailed(error));
    else if (instant.urged) {
      instant.giveUp();
      this.#instantFailed("all wait, and the console shows no prompt");
    } else return;
    for (const { console, bytes } of instant.release()) this.#enter({ kind: "console", console, bytes });
  }

  #instantFailed(why: string): void {
    this.present.sessionProblem(`no instant snapshot: ${why}`);
    this.#flush();
  }

  /** Ends a sleep: as much virtual time has passed as wall time, at most until the event that was waited for. */
  #wake(): void {
    const sleep = this.#sleep;
    if (!sleep) return;
    this.#sleep = undefined;
    clearTimeout(sleep.timer);
    const { machine } = this.system;
    const passed = Math.max(0, performance.now() - sleep.since) * 1e6;
    machine.skipTo(Math.min(sleep.until, Math.floor(machine.time + passed)));
    if (performance.now() - this.#sampled.wall >= SAMPLE_INTERVAL) this.#sample();
    this.#schedule();
  }

  /** Lets in what was recorded for now, and compares; true when that was the end. */
  #replayed(replay: Replay): boolean {
    const { machine } = this.system;
    const now = machine.boundary;
    for (let input = replay.takeInput(now); input; input = replay.takeInput(now)) {
      if (input.settled) machine.settle();
      letIn(this.system, input.input);
    }
    const divergence = replay.compare(now, () => this.#checkState());
    if (divergence) return this.#diverged(divergence);
    if (!replay.finished(now) || this.system.ended()) return false;
    const { recording, to } = replay.plan;
    const { end } = recording;
    if (to !== undefined && now >= to) this.#end(0, `replayed up to ${to / 1e9} s`);
    else if (end?.end.own) return this.#diverged({ at: now, what: "end", recorded: end.end.message, now: "still running" });
    else if (end) this.#end(end.end.code, end.end.message, end.end.own);
    else this.#end(1, "the recording ends here; its program was killed");
    return true;
  }

  #diverged(divergence: Divergence): true {
    this.#finish(1, `the replay differs: ${describeDivergence(divergence)}`);
    return true;
  }

  /** Notes registers for `replay --verify`. */
  #takeCheck(): void {
    const { machine } = this.present;
    if (!this.#recorder || machine.inTurn || this.present.instructions() < this.#nextCheck) return;
    const check = this.#checkState();
    this.#recorder.check(machine.boundary, check);
    this.#nextCheck = check.instructions + CHECK_INTERVAL;
  }

  #checkState(): { instructions: number; registers: string } {
    return { instructions: this.present.instructions(), registers: this.present.hashRegisters() };
  }

  /** Virtual time before which the next wanted instruction count cannot be passed: each CPU retires at most one instruction a ns. */
  #nextHash(): number {
    if (!this.#hashes.length) return Infinity;
    const { machine } = this.system;
    const remaining = this.#hashes[0] - this.system.instructions();
    return machine.time + Math.max(1, Math.floor(remaining / machine.cpus.length));
  }

  #takeHash(): void {
    while (this.#hashes.length && this.system.instructions() >= this.#hashes[0]) {
      this.#flush();
      this.port.post({
        kind: "hash",
        hash: {
          at: this.#hashes.shift()!,
          instructions: this.system.instructions(),
          registers: this.system.hashRegisters(),
          memory: this.system.hashMemory(),
          console: this.#console.copy().digest("hex"),
        },
      });
    }
  }

  #flush(): void {
    for (const { console, bytes } of this.system.takeOutput()) {
      this.#instant?.see(bytes);
      this.#console.update(bytes);
      this.#outputUnderWay += bytes.length;
      this.#logs.get(console)?.write(bytes);
      this.port.post({ kind: "console", console, bytes });
    }
    this.#lookAtLogs();
    const { events, dropped } = this.system.takeEvents();
    if (events.length || dropped) this.port.post({ kind: "events", events, dropped });
  }

  /** A log that cannot be written ends with a word about it; the machine goes on. */
  #lookAtLogs(): void {
    for (const [console, { failed }] of this.#logs) {
      if (failed === undefined) continue;
      this.#logs.delete(console);
      this.present.sessionProblem(`log of console vm:${console}: ${failed}; the console goes on without it`);
    }
  }

  #sample(): void {
    const { machine } = this.system;
    const wall = performance.now(), time = machine.time, instructions = this.system.instructions();
    const last = this.#sampled;
    const seconds = (wall - last.wall) / 1000;
    this.#sampled = { wall, time, instructions };
    this.system.inspector.renew();
    this.port.post({
      kind: "sample",
      sample: {
        time,
        instructions,
        mips: seconds > 0 ? (instructions - last.instructions) / seconds / 1e6 : 0,
        physicalCpus: machine.cpus.length,
        ...this.system.core.translatorCounters && { translator: { ...this.system.core.translatorCounters } },
        vms: this.system.sample(time - last.time),
      },
    });
  }

  /** The run is over: what was recorded is sealed, a replay is compared. */
  #end(code: number, message: string, own = false): void {
    this.#flush();
    const { machine } = this.present, { boundary } = machine;
    // Where somebody else ends it, events of that very time may have happened or not: in the recording and its replay they all have.
    if (!own && (this.#recorder || this.#replay)) machine.settle();
    if (this.#recorder) this.#recorder.end(boundary, this.#endState(code, message, own));
    const divergence = this.plan.replay?.verify ? this.#replay?.compareEnd(boundary, this.#endState(code, message, own)) : undefined;
    if (divergence) this.#diverged(divergence);
    else this.#finish(code, message);
  }

  #endState(code: number, message: string, own: boolean): EndState {
    return { ...this.#checkState(), code, message, own, memory: this.present.hashMemory(), console: this.#console.copy().digest("hex") };
  }

  #finish(code: number, message: string): void {
    this.#leaveWayOn(`nothing like that happened: ${message}`);
    this.#flush();
    this.#sample();
    this.#finishWriting();
    this.halt();
    const reset = this.present.ended()?.reset;
    this.port.post({ kind: "ended", end: { code, message, ...reset && { reset } } });
  }
}

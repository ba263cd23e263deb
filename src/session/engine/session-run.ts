// The run of a session until now, as another machine can go through it again: what entered, states
// that were kept, symbols, places with names.

import { type Moment, momentOf, Past, type TimeReached } from "../recordings/past/past.ts";
import type { Rerun } from "../recordings/past/rerun.ts";
import type { RunUpTo } from "../recordings/past/back-to.ts";
import { addMark, type Input, type RecordedInput, type TurnPlace } from "../../model/plans/recorded-run.ts";
import type { RunPlace } from "../inspection/readers/run-place.ts";
import { COUNT_LIMIT, History, isLater, type KeptMilestone, type Milestone } from "../recordings/past/history.ts";
import type { MemoryUse } from "../../model/queries/memory-use.ts";
import { type MemoryLimits, memoryLimits } from "../../model/plans/memory-budget.ts";
import { OTHER_CALLS } from "../../machine/hypervisor/inspect.ts";
import { type Mark, type MarkNote, noMark, type PlaceOfRun } from "../../model/queries/move.ts";
import { QueryError } from "../inspection/readers/inspected.ts";
import { UnsavableError } from "../state/parts.ts";
import type { EarlierPages } from "../state/pages.ts";
import { PageFile } from "../state/page-file.ts";
import type { RunStart } from "../snapshots/begin.ts";
import type { SystemState } from "../state/system-state.ts";
import { type IndexedPlace, mayHave, type Written, WrittenIndex, type WrittenObject } from "../recordings/past/written-index.ts";
import { KeptOldBytes } from "../recordings/past/old-bytes.ts";
import type { WrittenDisk } from "../outside/written-disk.ts";
import { SYMBOL_BYTES, SYMBOL_FILES } from "../../inside/symbols/elf-symbols.ts";
import { exceptionText, UserError } from "../../kit/support/problem.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { timeText } from "../../kit/support/text/number-text.ts";
import { way } from "../../kit/support/text/way-out.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import type {
  LeftMemory,
  RememberingSystem,
  RunMemory,
  RunningSystem,
  SavableSystem,
  System,
  VisibleSystem,
} from "../assembly/system/system.ts";

/** Wall time (ms) of the run that going back repeats at most, unless the plan has another. */
const REACH = 1000;
/** The least of that between two states that are kept. */
const MILESTONE_INTERVAL = 250;
/** The most, its reach being 1: a machine of the past is slower until it has compiled its code. */
const MILESTONE_SHARE_OF_REACH = 0.8;
/** In between, the run takes so many times as long as keeping all its states does. */
const MILESTONE_SHARE = 38;
/** Part of the run, its reach being 1, that going back may have to repeat before users are told. */
const FAR = 1.5;
/** Bytes to which a proposed limit is rounded up. */
const LIMIT_STEP = 64 * MiB;
/** Snapshots whose places are remembered: the latest ones. */
const SNAPSHOT_PLACES = 1024;
/** Distance in instructions before a place at which a state is kept on the way there. */
const LANDING = 4_000_000;

/** The part of the history's bytes that the index of writes may take. */
const WRITTEN_SHARE = 1 / 16;

/** Room for the memory of a session. */
interface SessionRoom {
  readonly budget?: number | undefined;
  readonly states?: number | undefined;
  readonly file?: PageFile | undefined;
  /** Wall time (ms) of the run that going back repeats at most. */
  readonly reach?: number | undefined;
}

/** The machine whose run it is. */
type PresentSystem =
  & RunningSystem
  & SavableSystem
  & RememberingSystem
  & Pick<VisibleSystem, "symbols">
  & Pick<System, "core" | "changes" | "forgetChanges" | "disks">;

/** States of a recorded run that a file has, and where the run began. */
export interface KeptRun {
  readonly states: readonly KeptMilestone[];
  readonly start: RunStart;
}

/**
 * Another machine of the same plan, at its start or in a state, for which there may be memory of an
 * earlier one, and disks that the present writes.
 */
export type Again = (state?: SystemState, left?: LeftMemory, disks?: readonly WrittenDisk[]) => System;

/** Hears of a run's history. */
export interface RunObserver {
  /** The run is forgotten, once. */
  readonly forgotten?: (why: string) => void;
  /** A past has a machine. */
  readonly past?: (system: System) => void;
  /** Going back may take long from now on, as states were dropped: why, and the way out. Once. */
  readonly far?: (why: string) => void;
  /** A bug of el2 keeps a state from being kept or restored, once per message. */
  readonly problem?: (error: unknown) => void;
}

/** The history of one run. */
export class SessionRun implements Rerun {
  #inputs: RecordedInput[] = [];
  #inputBytes = 0;
  /** Inputs that were forgotten. */
  #forgotten = 0;
  /** Why the run cannot be repeated. */
  #lost: string | undefined;
  /** Symbols that were given since the start. */
  readonly #symbols: { readonly vm: string; readonly file: Uint8Array }[] = [];
  #symbolBytes = 0;
  /** Snapshots that were written. */
  readonly #snapshots: RunPlace[] = [];
  /** Places that users have named. */
  readonly #marks = new Map<string, Mark>();
  readonly #history: History;
  /** Everything that the present wrote, up to the last state of it that was kept. */
  readonly #written: WrittenIndex;
  #isIndexed = false;
  /** A user has changed something since the last state that was kept. */
  #hasActed = false;
  /** Instructions that had been retired where the index begins, if that is after the start. */
  #unindexed = -1;
  readonly #limits: MemoryLimits;
  readonly #observers: RunObserver[] = [];
  #isFar = false;
  readonly #problems = new Set<string>();
  /** The observations of the snapshot that the session began with. */
  #origin: RunMemory | undefined;
  /** The state that each past began with. */
  readonly #began = new WeakMap<Past, Milestone | undefined>();
  /**
   * Memory of a past that nobody looks at any more, for the next one, as long as there is enough
   * for others.
   */
  #left: WeakRef<LeftMemory> | undefined;
  /**
   * Wall time (ms) that the present has taken, and at which another state of it is kept. The first
   * has all that was loaded, most of which guests change at once: it costs most.
   */
  #spent = 0;
  #nextMilestone: number;
  readonly #reach: number;
  /** Wall time (ms) that keeping its states has taken. */
  #kept = 0;
  /** Instructions that had been retired where the session began. */
  first: number;
  /** Virtual time (ns) there. */
  #firstTime: number;

  /**
   * @param again another machine of the same plan, at its start or in a state
   * @param origin the state that the session began with, unless that is its plan's start
   * @param room bytes that it may remember in memory, those for states unless they are a part of
   *   that, and a file for more states
   */
  constructor(
    readonly present: PresentSystem,
    readonly again: Again,
    readonly origin: SystemState | undefined,
    { budget, states, file, reach = REACH }: SessionRoom = {},
  ) {
    this.#reach = reach;
    this.#nextMilestone = MILESTONE_SHARE_OF_REACH * reach;
    const limits = memoryLimits(budget);
    this.#limits = { ...limits, history: budget === undefined ? states ?? limits.history : limits.history };
    this.#history = new History(origin, budget === undefined ? states : this.#limits.history, file);
    this.#written = new WrittenIndex(this.#limits.history * WRITTEN_SHARE);
    this.#origin = origin && present.remember();
    this.first = origin ? present.instructions() : 0;
    this.#firstTime = present.machine.time;
  }

  /**
   * The present is at the last of these states of the same run, whose inputs until then are the
   * first of these.
   */
  begin({ states, start }: KeptRun, inputs: readonly RecordedInput[]): void {
    const last = states.at(-1);
    if (!last) return;
    for (const one of states) this.#history.add(one === last ? { ...one, boundary: this.#written.boundary } : one, one.spent);
    for (const { input, ...place } of inputs.slice(0, last.inputs)) this.enter(place, input);
    this.#unindexed = last.instructions;
    this.#spent = last.spent;
    this.#kept = last.spent / MILESTONE_SHARE;
    this.#nextMilestone = last.spent + MILESTONE_INTERVAL;
    [this.first, this.#firstTime, this.#origin] = [start.instructions, start.time, start.memory];
  }

  /** Adds an observer. */
  observe(observer: RunObserver): void {
    this.#observers.push(observer);
  }

  /** States of the run, the earliest first. */
  get milestones(): readonly KeptMilestone[] {
    return this.#history.milestones;
  }

  /** Everything that has entered until now, in order. */
  get inputs(): readonly RecordedInput[] {
    return this.#inputs;
  }

  /** Where it began, in words. */
  get start(): string {
    return this.origin ? "the snapshot with which the session began" : "the start";
  }

  /** Something has entered. */
  enter(place: TurnPlace, input: Input): void {
    if (input.kind === "act") this.#hasActed = true;
    if (this.lost !== undefined) {
      this.#forgotten++;
      return;
    }
    this.#inputs.push({ ...place, input });
    this.#inputBytes += inputSize(input);
    if (this.#inputBytes > this.#limits.inputs) {
      this.#forget(`more than ${formatSize(this.#limits.inputs)} of input entered (--memory-budget)`);
    }
  }

  /**
   * Why the run cannot be repeated up to now: too much has entered, or disks have lost their past;
   * undefined if it can. Such a run cannot be recorded, and cannot go back.
   */
  get lost(): string | undefined {
    return this.#lost;
  }

  #forget(why: string): void {
    if (this.#lost !== undefined) return;
    const lost = this.#lost = `the run before now is forgotten: ${why}`;
    this.#forgotten = this.#inputs.length;
    this.#inputs = [];
    this.#inputBytes = 0;
    this.#history.clear();
    for (const disk of this.present.disks) disk.forget();
    for (const { forgotten } of this.#observers) forgotten?.(lost);
  }

  /** From now on disks keep what guests overwrite; without `keeps`, they have no past. */
  keepDisks(keeps: boolean): void {
    const { disks, disks: [first] } = this.present, { file } = this.#history;
    if (!first) return;
    if (!keeps) {
      this.#lost = `disk ${first.path} is written, and this run keeps no past`;
      return;
    }
    const old = this.#history.disks = new KeptOldBytes(this.#history, file, this.#limits.history, (why) => this.#forget(why));
    for (const disk of disks) disk.keepOld(old);
  }

  memory(): MemoryUse[] {
    const { history, inputs } = this.#limits, { file } = this.#history;
    return [
      {
        part: "history",
        used: this.#history.bytes + this.#history.reserved + this.#written.bytes + (this.#history.disks?.inMemory ?? 0),
        limit: history,
        dropped: this.#history.dropped,
        what: this.far ??
          "states for going back, and of VMs that have ended; at the limit their pages go into a file, or states are dropped",
      },
      ...file
        ? [{
          part: "history-disk",
          used: this.#history.stored + (this.#history.disks?.stored ?? 0),
          limit: file.limit,
          dropped: 0,
          what:
            "pages of states and what disks had before, in a file that goes with the session; at the limit the states that are missed least are dropped",
        }]
        : [],
      {
        part: "inputs",
        used: this.#inputBytes,
        limit: inputs,
        dropped: this.#forgotten,
        what: this.lost ?? "everything that entered; at the limit going back and recording the run so far end",
      },
    ];
  }

  /**
   * How long going back may have to run, as states were dropped, and what limit would be enough for
   * its reach; undefined: never long.
   */
  get far(): string | undefined {
    const history = this.#history, { file, unfit } = history, farthest = history.farthest(this.#spent);
    if (history.dropped === 0 || farthest <= FAR * this.#reach || this.lost !== undefined) return undefined;
    const far = `going back may have to run for ${(farthest / 1000).toFixed(1)} s`;
    if (file?.isBroken) return `${far}: the file for states cannot be written`;
    const room = unfit ?? history.roomFor(this.#reach, this.#spent);
    if (room === undefined) return `${far}: more than ${COUNT_LIMIT} states are not kept`;
    const missing = PageFile.limitFor(room - (unfit === undefined ? this.#limits.history - history.reserved : 0));
    const disk = formatSize(Math.ceil(missing / LIMIT_STEP) * LIMIT_STEP);
    const why = unfit === undefined
      ? `for ${this.#reach / 1000} s, states need ${disk} on the disk`
      : `one state needs ${disk} on the disk`;
    return `${far}: ${why} (--disk-budget, or disk in [history])`;
  }

  /**
   * Adds the symbols of an ELF file to a VM of the present, and of `past` if that is shown.
   * @throws Error that reports the defect of the file, or that there are too many.
   */
  giveSymbols(vm: string, file: Uint8Array, past: Past | undefined): void {
    if (this.#symbols.length >= SYMBOL_FILES || this.#symbolBytes + file.length > SYMBOL_BYTES) {
      throw new Error(`a session takes at most ${SYMBOL_FILES} symbol files, and ${formatSize(SYMBOL_BYTES)} of them`);
    }
    this.present.symbols.give(vm, file, "symbols");
    past?.system.symbols.give(vm, file, "symbols");
    this.#symbols.push({ vm, file });
    this.#symbolBytes += file.length;
  }

  /** A snapshot of this place was written. */
  written(place: RunPlace): void {
    this.#snapshots.push(place);
    if (this.#snapshots.length > SNAPSHOT_PLACES) this.#snapshots.shift();
  }

  /**
   * Gives the place of a machine a name; an earlier mark of that name is replaced.
   * @throws UserError if there are too many
   */
  mark(note: MarkNote, system: RunningSystem): Mark {
    const mark = { ...note, instructions: system.instructions(), time: system.machine.time };
    const refused = addMark(this.#marks, mark);
    if (refused !== undefined) throw new UserError(refused);
    return mark;
  }

  /**
   * The moment of a place up to the present.
   * @param shown instructions that are retired at the place that is shown
   * @throws QueryError if it is not there
   */
  momentAt(place: PlaceOfRun, shown: number): number | TimeReached {
    const now = this.present.instructions(), { time } = this.present.machine;
    if (place.kind === "time") {
      if (place.at <= time) return { time: place.at };
      throw new QueryError(
        `t=${timeText(place.at)}s is later than the present, t=${timeText(time)}s`,
        way`${hint("resume")} lets the machine run on`,
      );
    }
    const count = place.kind === "mark" ? this.#marks.get(place.name)?.instructions : place.count;
    if (count === undefined) throw new QueryError(noMark(place.kind === "mark" ? place.name : "", [...this.#marks.keys()].toSorted()));
    if (count < this.first) throw new QueryError(`that is before ${this.start}`);
    if (count <= now) return count;
    throw new QueryError(
      `instruction ${count} is later than the present, instruction ${now}`,
      way`${hint("on", { by: count - shown })} lets the machine run up to there`,
    );
  }

  /** The marks of a recording that is run again, or of this run. */
  get marks(): readonly Mark[] {
    return [...this.#marks.values()];
  }

  set marks(marks: readonly Mark[]) {
    for (const mark of marks) this.#marks.set(mark.name, mark);
  }

  /** Places with names, in the order of their kinds, but for the present one. */
  places(past: Past | undefined): RunPlace[] {
    return [
      { kind: "start", instructions: this.first, time: this.#firstTime },
      ...this.#snapshots,
      ...this.marks.map((mark) => ({ kind: "mark", ...mark }) as const),
      ...past ? [placeOf("shown", past.system)] : [],
    ];
  }

  /** Reserves a part of the history's bytes for states of ended VMs; false: it is too much. */
  reserve(bytes: number): boolean {
    const fits = bytes <= this.#limits.history / 2;
    if (fits) this.#history.reserved = bytes;
    return fits;
  }

  /** The last place before a moment whose state was kept; undefined: the start. */
  milestone(moment: Moment): Milestone | undefined {
    return this.#history.before(moment);
  }

  /** A past that begins at that place. */
  pastAt(milestone: Milestone | undefined): Past {
    let system: System;
    try {
      system = this.machineAt(milestone);
    } catch (error) {
      // The way from an earlier state is longer and leads to the same place.
      if (!isLater(milestone)) throw error;
      this.#report(error);
      return this.pastAt(this.#history.forget(milestone));
    }
    for (const observer of this.#observers) observer.past?.(system);
    system.core.forgetWritten();
    const past = new Past(system, [...this.#inputs], Infinity, milestone?.inputs);
    this.#began.set(past, milestone);
    return past;
  }

  /**
   * Another machine at that place, with the same symbols.
   * @throws Error if the state cannot be restored
   */
  machineAt(milestone: Milestone | undefined): System {
    const left = milestone && this.#left?.deref();
    if (left) this.#left = undefined;
    const system = this.again(milestone?.state, left, this.present.disks), memory = this.#memoryAt(milestone);
    if (memory) system.recall(memory);
    for (const { vm, file } of this.#symbols) system.symbols.give(vm, file, "symbols");
    return system;
  }

  leave(past: Past): void {
    const pages = this.#began.get(past)?.state.pages;
    if (!pages || this.#left?.deref()) return;
    this.#began.delete(past);
    const left = past.system.leave(pages);
    this.#left = left && new WeakRef(left);
  }

  #memoryAt(milestone: Milestone | undefined): RunMemory | undefined {
    return isLater(milestone) ? milestone.memory?.() : this.#origin;
  }

  /** A past has come to a place: it gets the events that the machine had at that place. */
  arrive(past: Past): void {
    past.system.follow(this.present, this.#memoryAt(this.#began.get(past)));
  }

  /** The run up to the position of a machine: the present, or a place in the past. */
  upTo(system: RunningSystem): RunUpTo {
    return { rerun: this, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
  }

  landing(past: Past, target: number): number | undefined {
    const first = target - LANDING;
    const far = past.system.instructions() < first - LANDING;
    return far && !this.#history.hasBetween(first - LANDING, target) ? first : undefined;
  }

  keepPast(past: Past): void {
    if (this.lost !== undefined) return;
    this.arrive(past);
    const began = this.#began.get(past);
    const earlier = began && { pages: began.state.pages, changed: past.system.core.written().pages };
    const milestone = this.#stateOf(past.system, past.entered, earlier);
    if (milestone) this.#history.add(milestone);
  }

  /** The place where the present is, with its state; undefined if that cannot be saved now. */
  presentState(written: Pick<Written, "pages"> = this.present.core.written()): Milestone | undefined {
    const before = this.#history.upTo(this.present.instructions());
    const changed = before?.boundary === this.#written.boundary ? written.pages : undefined;
    return this.#stateOf(this.present, this.#inputs.length, before && { pages: before.state.pages, changed });
  }

  /**
   * A place of the run with its state. A machine that cannot be saved now has none, also because of
   * a bug: going back takes longer then.
   */
  #stateOf(
    system: RunningSystem & SavableSystem & RememberingSystem,
    inputs: number,
    earlier: EarlierPages | undefined,
  ): Milestone | undefined {
    // A state would take more than all states together may.
    if (system.overlaid > this.#limits.history) return undefined;
    try {
      const state = system.keep(earlier), instructions = system.instructions(), memory = system.remember();
      return { at: system.machine.boundary, instructions, moment: momentOf(system), inputs, state, memory: () => memory };
    } catch (error) {
      if (!(error instanceof UnsavableError)) this.#report(error);
      return undefined;
    }
  }

  #report(error: unknown): void {
    const text = exceptionText(error);
    if (this.#problems.has(text)) return;
    this.#problems.add(text);
    for (const { problem } of this.#observers) problem?.(error);
  }

  /** From now on states of the present are kept, and what it writes. */
  keepStates(): void {
    this.present.core.forgetWritten(true);
    this.present.forgetChanges();
    this.#isIndexed = true;
  }

  /**
   * Keeps the present now and then: seldom enough that it costs 3 % of the time, unless much is
   * written. What the first states cost more, later ones cost less.
   * @param took wall time (ms) that the present ran since the last call
   */
  keepPresent(took: number): void {
    this.#spent += took;
    if (this.#spent < this.#nextMilestone || this.present.ended()) return;
    const began = performance.now();
    this.keepNow();
    this.#kept += performance.now() - began;
    const rest = MILESTONE_SHARE * this.#kept - this.#spent;
    this.#nextMilestone = this.#spent + Math.min(MILESTONE_SHARE_OF_REACH * this.#reach, Math.max(MILESTONE_INTERVAL, rest));
  }

  /** Keeps the present, and what it has written since the last time. */
  keepNow(): void {
    if (this.lost !== undefined) return;
    const { core } = this.present, written = this.#latest(), milestone = this.presentState(written);
    if (!milestone) return;
    this.#written.add(milestone.instructions, written);
    core.forgetWritten(this.#isIndexed);
    this.present.forgetChanges();
    this.#hasActed = false;
    this.#history.add({ ...milestone, boundary: this.#written.boundary }, this.#spent);
    const far = this.#isFar ? undefined : this.far;
    if (far === undefined) return;
    this.#isFar = true;
    for (const observer of this.#observers) observer.far?.(far);
  }

  mayBeWritten(first: Milestone | undefined, last: IndexedPlace, object: WrittenObject): boolean {
    const { instructions = 0, boundary = undefined } = isLater(first) ? first : {};
    if (boundary === undefined && instructions <= this.#unindexed) return true;
    if (!this.#isIndexed || this.#written.has(isLater(first) ? first : undefined, last, object)) return true;
    const isUpToBoundary = last.boundary !== undefined || last.instructions < this.#written.end;
    return !isUpToBoundary && mayHave(this.#latest(), object);
  }

  /** Everything that the present has written since the last state that was kept. */
  #latest(): Written {
    const changes = this.present.changes(), calls = this.#hasActed ? changes.calls | OTHER_CALLS : changes.calls;
    return { ...this.present.core.written(), changes: { ...changes, calls } };
  }
}

/** The position of a machine; with `file`, that of a snapshot. */
export function placeOf(kind: RunPlace["kind"], system: RunningSystem, file?: string): RunPlace {
  return { kind, instructions: system.instructions(), time: system.machine.time, ...file !== undefined && { file } };
}

/** Bytes of an input without its data: its place, and the objects that it is made of. */
const INPUT_BYTES = 200;
/** Depth to which an input's data is measured, enough for messages of sockets. */
const INPUT_DEPTH = 4;

/** Bytes that an input takes, about. */
function inputSize(input: Input): number {
  return INPUT_BYTES + dataSize(input.kind === "console" ? input.bytes : input.kind === "outside" ? input.data : input.action, INPUT_DEPTH);
}

function dataSize(data: unknown, depth: number): number {
  if (data instanceof Uint8Array) return data.length;
  if (typeof data === "string") return 2 * data.length;
  if (typeof data !== "object" || data === null || depth === 0) return 0;
  return Object.values(data).reduce((sum: number, one) => sum + dataSize(one, depth - 1), 0);
}

// The machine: memory, physical CPUs, virtual time, events and the device bus; and the loop that
// lets the CPUs run in turn (docs/design/decisions.md §3). Nothing here knows what runs at EL2.

import type { Core } from "../../cpu/core/interface.ts";
import type { Archive } from "./archive.ts";
import { Bus } from "./bus.ts";
import { DOUBLE, JOINED_TURNS, QUANTUM, TIME_END } from "./clock.ts";
import type { El2, PhysicalCpu } from "./el2.ts";
import { EventQueue } from "./events.ts";
import { MAX_CPUS, type MemoryMap } from "./memory-map.ts";
import { Ram } from "./ram.ts";

/** Why `Machine.run` came back. */
export type RunResult =
  /** Virtual time has reached the limit. */
  | { readonly kind: "time" }
  /** The budget of turns is used up: call again. */
  | { readonly kind: "turns" }
  /**
   * All CPUs wait; the next event is at `next` (ns; Infinity without one: only input from outside
   * can change anything).
   */
  | { readonly kind: "idle"; readonly next: number }
  /** `suspend` was called: a turn may be in progress, which the next call finishes. */
  | { readonly kind: "suspended" }
  /** `stop` was called. */
  | { readonly kind: "stopped"; readonly reason: StopReason };

export type StopReason =
  /** A vCPU of the primary VM switched the system off, or asked for its reset. */
  | { readonly kind: "system-off" | "system-reset"; readonly vcpu: string }
  /** A VM that the system cannot do without crashed, or something is not built. */
  | { readonly kind: "crash"; readonly message: string };

export class Machine {
  readonly memory: WebAssembly.Memory;
  readonly map: MemoryMap;
  readonly core: Core;
  /** Virtual time (ns) of a turn. */
  readonly quantum: number;
  readonly ram: Ram;
  readonly cpus: readonly PhysicalCpu[];
  readonly events = new EventQueue();
  readonly bus = new Bus();
  #el2: El2 | undefined;
  #stopped: StopReason | undefined;
  /** The position of the turns: every CPU has been offered the time up to here. */
  #now = DOUBLE;
  /** The time whose events have happened. */
  #settled = DOUBLE;
  /** The turn in progress: where it ends, and the CPU whose part comes next. */
  #inTurn = false;
  #turnEnd = DOUBLE;
  /** Turns that `run` may still make, the one in progress among them, and its limit (ns). */
  #turnsLeft = 0;
  #until = DOUBLE;
  #settling = false;
  #turnCpu = 0;
  #suspended = false;
  /** Counts the places of the run at which a suspension takes effect; not a part of the state. */
  places = 0;

  /**
   * @param memory the one Wasm memory, of `map.wasmSize` bytes
   * @param cpuCount physical CPUs, 1 to `MAX_CPUS`
   */
  constructor(
    memory: WebAssembly.Memory,
    map: MemoryMap,
    core: Core,
    cpuCount: number,
    quantum: number = QUANTUM,
  ) {
    if (!(cpuCount >= 1 && cpuCount <= MAX_CPUS)) throw new RangeError(`${cpuCount} CPUs: 1 to ${MAX_CPUS} are possible`);
    this.memory = memory;
    this.map = map;
    this.core = core;
    this.quantum = quantum;
    this.ram = new Ram(memory, map, core);
    this.cpus = Array.from({ length: cpuCount }, (_, index) => ({ index, position: DOUBLE, idle: DOUBLE }));
    for (const cpu of this.cpus) cpu.position = cpu.idle = 0;
    this.#now = 0;
    this.#settled = -1;
  }

  /** Installs the software at EL2, once. */
  install(el2: El2): void {
    if (this.#el2) throw new Error("there is software at EL2 already");
    this.#el2 = el2;
  }

  /**
   * The position of time and turns, saved or loaded; the owners of events save them. A machine that
   * has stopped is not saved.
   */
  archive(archive: Archive): void {
    if (this.#stopped) throw new Error("a machine that has stopped has no state to continue from");
    if (archive.loading) this.events.clear();
    archive.check(this.cpus.length === archive.integer("cpus", this.cpus.length), "the machine has as many physical CPUs");
    this.#now = archive.float("now", this.#now);
    this.#settled = archive.float("settled", this.#settled);
    const turnEnd = archive.maybe("turnEnd", this.#inTurn ? this.#turnEnd : undefined, (end) => archive.float("end", end));
    this.#inTurn = turnEnd !== undefined;
    this.#turnEnd = turnEnd ?? this.#now;
    this.#turnCpu = archive.integer("turnCpu", this.#turnCpu, 0, this.cpus.length);
    archive.check(this.#now >= 0 && this.#now <= TIME_END, "there is a time");
    // A longer turn would not return for as long: nothing could stop the machine meanwhile.
    const end = this.#turnEnd;
    archive.check(end >= this.#now && end <= this.#now + this.quantum, "a turn ends within a quantum");
    for (const cpu of this.cpus) {
      cpu.position = archive.float(`position${cpu.index}`, cpu.position);
      cpu.idle = archive.float(`idle${cpu.index}`, cpu.idle);
      // A CPU that is behind would run all that it lacks within the next turn.
      const reached = this.#inTurn && cpu.index < this.#turnCpu ? end : this.#now;
      archive.check(cpu.position >= reached && cpu.position <= Number.MAX_SAFE_INTEGER, "a CPU has reached the time of the turns");
    }
    this.events.archive(archive);
  }

  /** The position of the turns (ns): between turns, the end of the last one. */
  get boundary(): number {
    return this.#now;
  }

  /** Whether the events of `boundary` have happened. */
  get settled(): boolean {
    return this.#settled === this.#now;
  }

  /** Lets the events of `boundary` happen, as `run` does before a turn. */
  settle(): void {
    this.places++;
    this.#settling = true;
    this.events.runDue(this.#now);
    this.#settling = false;
    this.#settled = this.#now;
  }

  /** How far things at `boundary` have come: to its events, or into a turn. */
  get stage(): "before" | "events" | "turn" {
    if (this.#inTurn) return "turn";
    return this.#settling || this.settled ? "events" : "before";
  }

  /**
   * The highest position that any physical CPU has reached (ns): the minimum of all counters, and
   * the time of present events.
   */
  get time(): number {
    let time = this.#now;
    for (let index = 0; index < this.cpus.length; index++) {
      const { position } = this.cpus[index];
      if (position > time) time = position;
    }
    return time;
  }

  /** The time (ns) at which the turn in progress ends; between turns, at which the last one did. */
  get turnEnd(): number {
    return this.#inTurn ? this.#turnEnd : this.#now;
  }

  /**
   * The time (ns) up to which the CPU that runs may continue without coming back. While nothing but
   * this CPU can do anything, turns after the one in progress are part of it: `pass` says that they
   * are over. Times are whole numbers in all of them, so that it makes no difference how they are
   * added up. An exit may schedule an event: ask again after each.
   */
  get horizon(): number {
    const end = this.turnEnd, turns = Math.min(this.#turnsLeft, JOINED_TURNS);
    if (turns <= 1 || this.cpus.length > 1 || !Number.isInteger(end) || !Number.isInteger(this.cpus[0].position)) return end;
    const { next } = this.events;
    // An event that is due until then happens when the turn is over, not at its time.
    return next <= end ? end : Math.max(end, Math.min(end + (turns - 1) * this.quantum, next, this.#until));
  }

  /**
   * The CPU that runs has come to an instruction that begins at `time` (ns), before `horizon`: the
   * turns that end until then are over.
   */
  pass(time: number): void {
    for (let end = this.turnEnd; end <= time; end = this.#turnEnd) {
      this.#turnEnd = Math.min(end + this.quantum, this.events.next, this.#until);
      if (this.#turnEnd <= end) throw new Error("a CPU ran past an event, or past the end of the run");
      this.#now = this.#settled = end;
      this.#turnsLeft--;
    }
  }

  /** Why the machine stopped, once it has. */
  get stopReason(): StopReason | undefined {
    return this.#stopped;
  }

  /** Ends the run; the first reason counts. `run` comes back at the end of the turn in progress. */
  stop(reason: StopReason): void {
    this.#stopped ??= reason;
  }

  /** Whether `run` is about to come back in the middle of things. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** Whether a turn is in progress, which a suspension has cut in two. */
  get inTurn(): boolean {
    return this.#inTurn;
  }

  /** The physical CPU whose turn a suspension has cut in two. */
  get suspendedCpu(): PhysicalCpu | undefined {
    return this.#inTurn ? this.cpus[this.#turnCpu] : undefined;
  }

  /**
   * Makes `run` come back at once, before the turn in progress is over. The next `run` continues as
   * if nothing had happened.
   */
  suspend(): void {
    this.#suspended = true;
  }

  /** A physical interrupt line of a device model. */
  interrupt(intid: number, level: boolean): void {
    this.#el2?.interrupt(intid, level);
  }

  /**
   * Runs until virtual time reaches `until` (ns), until all wait, or for `turns` turns. When all
   * wait it comes back even though an event is due later: the caller sleeps or not, then calls
   * `skipTo`.
   */
  run(until: number, turns = Infinity): RunResult {
    const el2 = this.#el2;
    if (!el2) throw new Error("there is no software at EL2");
    this.#suspended = false;
    this.#until = Math.min(until, TIME_END);
    for (this.#turnsLeft = turns; this.#turnsLeft > 0; this.#turnsLeft--) {
      if (this.#stopped) return { kind: "stopped", reason: this.#stopped };
      if (!this.#inTurn) {
        if (this.#now >= until) return { kind: "time" };
        if (this.#now >= TIME_END) this.stop({ kind: "crash", message: "virtual time has reached its end, after 104 days" });
        else this.settle();
        if (this.#stopped) return { kind: "stopped", reason: this.#stopped };
        if (!this.cpus.some((cpu) => cpu.position > this.#now || el2.runnable(cpu))) return { kind: "idle", next: this.events.next };
        this.#turnEnd = Math.min(this.#now + this.quantum, this.events.next, this.#until);
        this.#inTurn = true;
        this.#turnCpu = 0;
      }
      this.#turn(el2);
      if (this.#suspended && !this.#stopped) return { kind: "suspended" };
    }
    return { kind: "turns" };
  }

  /** Lets virtual time pass with all CPUs waiting, up to `time` (ns); not past the next event. */
  skipTo(time: number): void {
    const target = Math.max(this.#now, Math.min(time, this.events.next, TIME_END));
    for (const cpu of this.cpus) this.#idle(cpu, target);
    this.#now = target;
  }

  #turn(el2: El2): void {
    for (; this.#turnCpu < this.cpus.length; this.#turnCpu++) {
      const cpu = this.cpus[this.#turnCpu];
      if (cpu.position < this.turnEnd) {
        el2.run(cpu);
        if (this.#stopped || this.#suspended) return;
      }
      this.#idle(cpu, this.turnEnd);
    }
    this.#now = this.turnEnd;
    this.#inTurn = false;
    this.places++;
  }

  #idle(cpu: PhysicalCpu, until: number): void {
    if (cpu.position >= until) return;
    cpu.idle += until - cpu.position;
    cpu.position = until;
  }
}

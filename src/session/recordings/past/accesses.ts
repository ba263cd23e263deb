// The latest accesses to memory, changes of a register or of an object of the hypervisor, or
// events, before a place of the run: the run is repeated from the last state that was kept, in
// another machine that stops at each of them, or listens. If there are too few, the search
// continues before that state.

import { HYPERVISOR_WRITES, type RamWriter } from "../../../machine/abi/ram-writer.ts";
import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import type { System } from "../../assembly/system/system.ts";
import type { MemoryWatch, RegisterWrites } from "../../../cpu/core/interface.ts";
import { type ObjectChanges, type Vcpu, wordAt } from "../../../machine/hypervisor/inspect.ts";
import { EVERY_VM } from "../../../model/queries/debugged-vms.ts";
import { vcpuId } from "../../../model/queries/ids.ts";
import type { RunUpTo } from "./back-to.ts";
import { isLater, type Milestone } from "./history.ts";
import type { Moment, Past } from "./past.ts";
import { listeningStart } from "./rerun.ts";
import { VECTOR_BASE, VectorStops } from "./vector-stops.ts";
import { Way } from "./way.ts";
import type { IndexedPlace, WrittenObject } from "./written-index.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";

/** Finds events that match. */
export interface EventMatching {
  /** The events whose match this one decides. */
  see(event: TraceEvent): readonly TraceEvent[];
  /** The events that match because nothing else has come up to a virtual time (ns). */
  reached(time: number): readonly TraceEvent[];
}

/**
 * The object of a search: bytes of RAM, a register of `vcpu:VM/INDEX`, an object by its id, or
 * events. If they are matched over time, that begins at the start of the run.
 */
export type Watched =
  | { readonly kind: "object"; readonly id: string; readonly mayChange?: (changes: ObjectChanges) => boolean }
  | { readonly kind: "event"; readonly kinds: readonly TraceKind[]; readonly isTemporal: boolean; start(): EventMatching }
  | { readonly kind: "memory"; readonly watch: MemoryWatch }
  | {
    readonly kind: "register";
    readonly vcpu: string;
    readonly read: (vcpu: Vcpu) => bigint;
    /** Nothing but these instructions and exceptions changes it while its vCPU runs. */
    readonly writes?: RegisterWrites | undefined;
  };

/** An interrupt of the vCPU changed a register. */
const INTERRUPT = { code: "interrupt" } as const;

/** The bytes, the value of the register, or the state of the object in words. */
export type Value = Uint8Array | bigint | string;

/** An instruction of a vCPU. */
interface Instruction {
  /** `vcpu:VM/INDEX`. */
  readonly vcpu: string;
  readonly pc: bigint;
  /** 0 if it cannot be read. */
  readonly word: number;
}

/** One access or change. */
export interface Access {
  /**
   * Instructions that all vCPUs together had retired before it. For a write that no instruction
   * made, and for an event, it is one fewer: the last instruction or its exit may have caused it.
   */
  readonly at: number;
  /** Virtual time (ns). */
  readonly time: number;
  /** The instruction that did it, or the vCPU's last one before. */
  readonly instruction?: Instruction | undefined;
  /** The writer, unless that was an instruction; an interrupt: before that instruction. */
  readonly by?: RamWriter | typeof INTERRUPT | undefined;
  /** The event at which an object changed: an instruction's exit, unless it is of no vCPU. */
  readonly event?: TraceEvent | undefined;
  readonly before: Value;
  readonly after: Value;
}

/** An access with its number among those that count at the same place, from 0. */
export type NumberedAccess = Access & { readonly order: number };

/** Accesses, the latest last. */
export interface Accesses {
  readonly accesses: readonly NumberedAccess[];
  /**
   * The place where the search ended, as there are no more accesses since: the value there,
   * instructions, and virtual time (ns).
   */
  readonly start?: { readonly value: Value; readonly at: number; readonly time: number };
}

/** Instructions of the first stretch in which a vCPU is single-stepped, and growth of the next. */
const STRETCH = 32_768, GROWTH = 32;
/** Parts of the run, from one state to the next, that one machine repeats at most. */
const PARTS = 16;
/**
 * Accesses of a stretch after which its end is searched first: a stop at each takes some
 * microseconds, and a loop may make millions.
 */
const BUSY = 2048;
/** A second of single steps, or of stops at the writes of an operand. */
const STEPPED_REACH = 1_000_000, OPERAND_REACH = 32_000_000;

/** A part of the run that is searched. */
interface Stretch {
  /** The state from which a machine goes there. */
  readonly from: Milestone | undefined;
  readonly past: Past;
  /** Whether it begins at that state: nothing in between remains to be searched. */
  readonly whole: boolean;
  /** Goes up to its beginning first; undefined: the machine is there. */
  readonly lead: ((milliseconds: number) => boolean) | undefined;
  /** Nothing in it is searched: its beginning is the place that is wanted. */
  readonly empty: boolean;
  /** Instructions at which it begins. */
  readonly begin: number;
  readonly end: IndexedPlace & { readonly moment: Moment };
}

/** Which accesses of a search count. */
export interface Counted {
  /** Whether an access counts; without it, each does. */
  readonly matches?: ((access: Access) => boolean) | undefined;
  /** Only those before this one: its instructions, and its number at that place. */
  readonly before?: Pick<NumberedAccess, "at" | "order"> | undefined;
  /** Instructions before the end in which changes of a register are searched. */
  readonly reach?: number;
}

/** A search, made in slices. */
export class AccessSearch {
  #stretch: Stretch;
  /** Instructions of a stretch: all since the state before it, unless it is busy or stepped. */
  #length: number;
  /** The least that this is to become where stretches are busy. */
  #least = 1;
  /** Accesses of this stretch that count. */
  #noted = 0;
  /** They are so many that the stretch is to be shorter. */
  #isBusy = false;
  /** Parts of the run in a stretch: more after each in which too little was found. */
  #parts = 1;
  #looking: Looking | undefined;
  /** The machine has reached the stretch. */
  #isThere = false;
  /** Virtual time (ns) at which the stretch began. */
  #began = 0;
  #found: readonly Access[] = [];

  /** Infinity: up to the start of the run. */
  readonly #reach: number;

  /** @param wanted accesses that are enough */
  constructor(readonly run: RunUpTo, readonly watched: Watched, readonly wanted: number, readonly counted: Counted = {}) {
    this.#reach = this.#isFrequent ? counted.reach ?? (this.#isStepped ? STEPPED_REACH : OPERAND_REACH) : Infinity;
    this.#length = this.#isFrequent ? STRETCH : Infinity;
    this.#stretch = this.#before(run);
  }

  #before(last: Stretch["end"]): Stretch {
    const { rerun } = this.run;
    const isFromStart = this.watched.kind === "event" && this.watched.isTemporal;
    let end = last, from = rerun.milestone(isFromStart ? 0 : end.moment), empty = this.#isUnwritten(from, end);
    while (empty && isLater(from)) {
      end = from;
      from = rerun.milestone(end.moment);
      empty = this.#isUnwritten(from, end);
    }
    if (this.watched.kind === "event" && isLater(from)) {
      const past = rerun.pastAt(listeningStart(rerun, from, this.watched.kinds));
      const { moment, instructions: begin } = from;
      return { from, past, whole: true, lead: (milliseconds) => past.advance(moment, milliseconds), empty, begin, end };
    }
    if (!empty && this.#isJoined) from = this.#earlier(from);
    const past = rerun.pastAt(from), first = past.system.instructions();
    // Single steps and stops take long: the access is probably near.
    const begin = Math.max(first, end.instructions - this.#length, this.run.instructions - this.#reach);
    if (begin === first) return { from, past, whole: true, lead: undefined, empty, begin, end };
    const way = new Way(rerun, past, begin, begin);
    return { from, past, whole: false, lead: (milliseconds) => way.advance(milliseconds), empty, begin, end };
  }

  /** Whether a machine goes through several parts: to begin with another state takes long. */
  get #isJoined(): boolean {
    return this.#length === Infinity && (this.watched.kind === "memory" || this.watched.kind === "register");
  }

  /** The state at the beginning of so many parts that may all have an access. */
  #earlier(from: Milestone | undefined): Milestone | undefined {
    for (let parts = 1; parts < this.#parts && isLater(from); parts++) {
      const earlier = this.run.rerun.milestone(from.moment);
      if (this.#isUnwritten(earlier, from)) break;
      from = earlier;
    }
    return from;
  }

  /** Whether the vCPU is single-stepped. */
  get #isStepped(): boolean {
    return this.watched.kind === "register" && !this.watched.writes;
  }

  /** Whether it stops so often that the search reaches only so far. */
  get #isFrequent(): boolean {
    return this.#isStepped || this.watched.kind === "register" && this.watched.writes?.isOperand === true;
  }

  #isUnwritten(from: Milestone | undefined, end: Stretch["end"]): boolean {
    const object = writtenObject(this.watched);
    return object !== undefined && !this.run.rerun.mayBeWritten(from, end, object);
  }

  /**
   * Adds the accesses of the stretch that begins at `begin`. All of a place count together, so that
   * each has the same number whatever is wanted: of the first, some may be before the stretch.
   */
  #take(accesses: readonly Access[], begin: number): { readonly accesses: NumberedAccess[]; readonly isEnough: boolean } {
    const { counted: { matches, before }, wanted } = this, all = [...matches ? accesses.filter(matches) : accesses, ...this.#found];
    const later = before ? all.filter(({ at }) => at >= before.at).length : 0;
    let cut = Math.max(0, all.length - wanted - later);
    while (cut > 0 && all[cut - 1].at === all[cut].at) cut--;
    this.#found = all.slice(cut);
    const found = numbered(this.#found).filter(({ at, order }) => !before || at < before.at || at === before.at && order < before.order);
    const latest = found.slice(-wanted), [first] = latest;
    const isEnough = latest.length === wanted && (first.at > begin || cut > 0 || first.at > found[0].at);
    return { accesses: latest, isEnough };
  }

  /** The look at the stretch, once its machine has reached it. */
  #arrived(milliseconds: number): Looking | undefined {
    const { watched } = this, { past, lead } = this.#stretch;
    if (this.#isThere) return this.#looking;
    const look = () => this.#looking ??= lookAt(past, watched, (access) => this.#note(access));
    if (watched.kind === "event") look();
    if (lead && !lead(milliseconds)) return undefined;
    this.#isThere = true;
    this.#noted = 0;
    this.#began = past.system.machine.time;
    const looking = look();
    looking.begin?.();
    return looking;
  }

  /** Notes an access that counts; whether the search begins again, nearer to the end. */
  #note(access: Access): boolean {
    if (this.counted.matches?.(access) === false) return false;
    const { begin, end, past } = this.#stretch, length = Math.max(this.#least, past.system.instructions() - begin);
    this.#isBusy = ++this.#noted >= Math.max(BUSY, 2 * this.wanted) && 2 * length < end.instructions - begin;
    if (this.#isBusy) this.#length = length;
    return this.#isBusy;
  }

  /** Continues for at most `milliseconds` of wall time; undefined: call again. */
  advance(milliseconds: number): Accesses | undefined {
    const { from, past, whole, empty, begin, end } = this.#stretch, looking = this.#arrived(milliseconds);
    if (!looking || !empty && !past.advance(end.moment, milliseconds)) return undefined;
    const isBusy = this.#isBusy, { accesses, first } = looking.end();
    this.run.rerun.leave?.(past);
    if (isBusy) return this.#next(end);
    const { accesses: found, isEnough } = this.#take(accesses, begin);
    if (isEnough) return { accesses: found };
    const isFar = begin <= this.run.instructions - this.#reach;
    if (isFar || whole && !isLater(from)) {
      const start = { value: first, at: begin, time: this.#began };
      return found.length === this.wanted ? { accesses: found } : { accesses: found, start };
    }
    this.#length *= GROWTH;
    if (this.#length < Infinity) this.#least = this.#length;
    this.#parts = Math.min(2 * this.#parts, PARTS);
    return this.#next(whole && isLater(from) ? from : { moment: begin, instructions: begin });
  }

  /** Continues with what leads up to a place. */
  #next(end: Stretch["end"]): undefined {
    this.#looking = undefined;
    this.#isThere = this.#isBusy = false;
    this.#stretch = this.#before(end);
  }
}

/** Numbers the accesses of each place. */
function numbered(accesses: readonly Access[]): NumberedAccess[] {
  let order = -1, last: number | undefined;
  return accesses.map((access) => {
    order = access.at === last ? order + 1 : 0;
    last = access.at;
    return { ...access, order };
  });
}

/** The object in the index of writes; undefined: it is not indexed. */
function writtenObject(watched: Watched): WrittenObject | undefined {
  if (watched.kind === "event") return undefined;
  if (watched.kind === "object") return watched.mayChange && { mayChange: watched.mayChange };
  if (watched.kind === "memory") return watched.watch.kind === "write" ? watched.watch : undefined;
  return watched.writes?.bit === undefined ? undefined : { bit: watched.writes.bit };
}

/** A machine whose accesses are noted. */
interface Looking {
  /** Nothing so far counts. */
  begin?(): void;
  /** The accesses, and what was there before them. */
  end(): { readonly accesses: readonly Access[]; readonly first: Value };
}

/** @param noted called after each access to memory or a register; true: the machine stops there */
function lookAt(past: Past, watched: Watched, noted: (access: Access) => boolean): Looking {
  switch (watched.kind) {
    case "memory":
      return lookAtMemory(past, watched.watch, noted);
    case "register":
      return lookAtRegister(past, watched, noted);
    case "object":
      return lookAtObject(past, watched.id);
    case "event":
      return lookAtEvents(past, watched);
  }
}

function lookAtMemory(past: Past, watch: MemoryWatch, noted: (access: Access) => boolean): Looking {
  const { system } = past, { machine, core } = system;
  const { pa, length, kind, more = [] } = watch;
  const bytes = (start = pa) => machine.ram.bytes(start, length).slice();
  const here = () => ({ at: system.instructions(), time: machine.time });
  const first = bytes(), accesses: Access[] = [];
  const control = system.debugger.give(EVERY_VM, false);
  core.stops.watchMemory(watch);
  const placeOf = ({ registers }: Vcpu) => {
    const found = core.questions.inspect(registers, registers.pc);
    return found.ok && more.includes(found.pa) ? found.pa : pa;
  };
  let start = pa, begun: (Pick<Access, "at" | "time"> & { readonly instruction: Instruction; readonly before: Uint8Array }) | undefined;
  past.onStop = ({ cause, vcpu }) => {
    if (cause === "watchpoint" || cause === "breakpoint") {
      const instruction = instructionOf(system, vcpu, vcpuId(control.services.names.vcpu(vcpu)));
      start = kind === "execute" ? placeOf(vcpu) : pa;
      begun = { ...here(), instruction, before: bytes(start) };
      control.goOn(vcpu);
      return false;
    }
    control.goOn(undefined);
    if (cause !== "step" || !begun) return false;
    const access = { ...begun, after: bytes(start) };
    begun = undefined;
    if (kind === "write" && sameBytes(access.before, access.after) && mayNotWrite(access.instruction.word)) return false;
    accesses.push(access);
    return noted(access);
  };
  if (kind === "write" || kind === "access") {
    machine.ram.watch(pa, length, (by, at, size, written) => {
      const before = bytes(), after = before.slice();
      for (let index = Math.max(pa, at); index < Math.min(pa + length, at + size); index++) {
        after[index - pa] = written === "zero" ? 0 : written[index - at];
      }
      accesses.push({ ...here(), at: Math.max(0, system.instructions() - 1), by: { ...by }, before, after });
    });
  }
  return { end: () => ({ accesses, first }) };
}

/** The instruction at an address that a vCPU has or has had in its PC. */
function instructionOf({ core, machine: { ram } }: System, vcpu: Vcpu, id: string, pc = vcpu.registers.pc): Instruction {
  return { vcpu: id, pc, word: wordAt(core, ram, vcpu, pc) ?? 0 };
}

/** A vCPU that executes instructions, by its id (`vcpu:VM/INDEX`). */
export function vcpuOf(system: System, id: string): Vcpu | undefined {
  const control = system.debugger.control ?? system.debugger.give(EVERY_VM, false), { names } = control.services;
  return control.vcpus().find((one) => vcpuId(names.vcpu(one)) === id);
}

/** The instruction that a vCPU (`vcpu:VM/INDEX`) executes next; undefined without instructions. */
export function nextInstruction(system: System, id: string): Instruction | undefined {
  const vcpu = vcpuOf(system, id);
  return vcpu && instructionOf(system, vcpu, id);
}

/** Exclusive stores and compare-and-swap, which may leave memory as it is. Arm ARM C4.1.94. */
const EXCLUSIVE_GROUP = { mask: 0x3f00_0000, value: 0x0800_0000 };
/** Those of the group that always store: STLR and STLLR. */
const RELEASING_STORE = { mask: 0x00e0_0000, value: 0x0080_0000 };

export function mayNotWrite(word: number): boolean {
  return (word & EXCLUSIVE_GROUP.mask) === EXCLUSIVE_GROUP.value && (word & RELEASING_STORE.mask) !== RELEASING_STORE.value;
}

function lookAtRegister(
  past: Past,
  { vcpu: id, read, writes }: Extract<Watched, { kind: "register" }>,
  noted: (access: Access) => boolean,
): Looking {
  const { system } = past, { core } = system;
  const control = system.debugger.give(EVERY_VM, false), { names } = control.services;
  const is = (vcpu: Vcpu) => vcpuId(names.vcpu(vcpu)) === id;
  const there = () => control.vcpus().find(is);
  const known = there(), first = known ? read(known) : 0n;
  const accesses: Access[] = [];
  let value = first, begun = 0, pc: bigint | undefined, ends = false;
  const compare = (vcpu: Vcpu, at: number, by?: Access["by"]) => {
    const after = read(vcpu);
    if (after === value) return;
    // Without steps, the last instruction before a change between two writes is not known.
    const isKnown = !by || by === INTERRUPT || !writes || writes.isOperand && at - begun <= 1;
    const instruction = pc === undefined || !isKnown ? undefined : instructionOf(system, vcpu, id, pc);
    const access = { at, time: system.machine.time, instruction, by, before: value, after };
    accesses.push(access);
    value = after;
    if (writes) ends = noted(access);
  };
  const vectors = writes?.byExceptions ? new VectorStops(control) : undefined;
  const before = (vcpu: Vcpu) => {
    const at = system.instructions(), taken = vectors?.taken(vcpu);
    // The instruction before an interrupt may have unmasked it.
    if (taken) pc = taken.pc;
    compare(vcpu, taken ? Math.max(0, at - 1) : at, taken ? taken.isInterrupt ? INTERRUPT : undefined : HYPERVISOR_WRITES);
    begun = at;
    ({ pc } = vcpu.registers);
    vectors?.place(vcpu);
  };
  if (writes) {
    core.stops.watchRegisters(vectors ? [...writes.names, VECTOR_BASE] : writes.names);
    past.onStop = ({ cause, vcpu }) => {
      if (cause === "step") control.goOn(undefined);
      else {
        if (is(vcpu)) before(vcpu);
        control.goOn(vcpu);
      }
      return ends;
    };
  }
  control.follow({
    is,
    steps: !writes,
    before,
    after(vcpu) {
      compare(vcpu, begun);
      vectors?.place(vcpu);
      if (writes) control.goOn(undefined);
    },
  });
  return {
    end() {
      const vcpu = there();
      if (vcpu) compare(vcpu, system.instructions(), HYPERVISOR_WRITES);
      return { accesses, first };
    },
  };
}

/** Accesses to registers, which are reported before they take effect. */
const REGISTER_ACCESSES: ReadonlySet<TraceKind> = new Set(["mmio", "trap"]);

/**
 * Events tell when to look: the state is compared at each that may change it, and after the exit of
 * each that names the object or accesses registers, because some are reported before they take
 * effect.
 */
function lookAtObject(past: Past, id: string): Looking {
  const { system } = past, { kinds, read } = system.inspector.objectState(id);
  const control = system.debugger.give(EVERY_VM, false);
  const first = read(), accesses: Access[] = [];
  let value = first, awaited: TraceEvent | undefined;
  const compare = (event: TraceEvent) => {
    const after = read();
    if (after === value) return;
    accesses.push({ at: Math.max(0, system.instructions() - 1), time: system.machine.time, event, before: value, after });
    value = after;
  };
  control.stopAtEvents((event) => {
    compare(event);
    if (!REGISTER_ACCESSES.has(event.kind) && !isAbout(event, id)) return undefined;
    awaited = event;
    return id;
  }, kinds);
  past.onStop = ({ cause }) => {
    if (cause === "event" && awaited) compare(awaited);
    awaited = undefined;
    control.goOn(undefined);
    return false;
  };
  return { end: () => ({ accesses, first }) };
}

/** Events do not stop the machine. */
function lookAtEvents(past: Past, { kinds, isTemporal, start }: Extract<Watched, { kind: "event" }>): Looking {
  const { system } = past, matching = start(), accesses: Access[] = [];
  const accessOf = (event: TraceEvent): Access => ({
    ...{ at: Math.max(0, system.instructions() - 1), time: system.machine.time },
    ...{ event, before: "", after: "" },
  });
  // A filter over time may decide about an event later.
  const places = new WeakMap<TraceEvent, Access>();
  const found = (event: TraceEvent) => void accesses.push(places.get(event) ?? accessOf(event));
  system.debugger.give(EVERY_VM, false).stopAtEvents((event) => {
    if (isTemporal) places.set(event, accessOf(event));
    matching.see(event).forEach(found);
    return undefined;
  }, kinds);
  return {
    begin: () => void (accesses.length = 0),
    end() {
      matching.reached(system.machine.time).forEach(found);
      return { accesses: isTemporal ? accesses.toSorted((one, other) => one.at - other.at) : accesses, first: "" };
    },
  };
}

const isAbout = ({ fields, result }: TraceEvent, id: string) =>
  [fields, result?.fields ?? {}].some((all) => Object.values(all).includes(id));

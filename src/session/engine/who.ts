// `el2 who` and `el2 find`: the latest accesses to memory, changes of a register or an object,
// or events, before a place of the run; and what is asked about an earlier place. Other machines
// repeat the run meanwhile; the session's own runs on.

import { QueryError } from "../inspection/readers/inspected.ts";
import { instructionText } from "../inspection/readers/guest/read-symbols.ts";
import { HYPERVISOR_WRITES } from "../../machine/abi/ram-writer.ts";
import type { TraceEvent } from "../../machine/abi/trace.ts";
import { ABSENT } from "../inspection/readers/objects/read-states.ts";
import { eventRow } from "../inspection/readers/objects/read-trace.ts";
import { formatId, nameOf, paId, parseAs, parseId, vcpuId, vcpuName, vmId, vmOfName } from "../../model/queries/ids.ts";
import { type Answer, type EarlierQuery, type PastQuery, type Query, type QueryOf, rowsOf } from "../../model/queries/query.ts";
import type { QueryArgument } from "../../model/queries/query-arguments.ts";
import type { RowOf } from "../../model/queries/table.ts";
import { STACK, type WHO } from "../../model/queries/tables.ts";
import { WHO_FACTS, type WhoFact } from "../../model/queries/facts/who.ts";
import { type Accesses, AccessSearch, type Counted, type NumberedAccess } from "../recordings/past/accesses.ts";
import { nextInstruction, type PastAccess, type Value, type Watched } from "../recordings/looking/looking.ts";
import { type Origin, originOf } from "../recordings/past/value-origin.ts";
import type { Moment, Past } from "../recordings/past/past.ts";
import type { System } from "../assembly/system/system.ts";
import { bytesText } from "../../kit/support/text/byte-text.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { fromLittleEndian } from "../../kit/support/values/bytes.ts";
import type { InPieces } from "../../kit/support/values/work.ts";
import type { Debugging } from "./debugging.ts";
import type { EndedVms } from "./ended-vms.ts";
import { inPieces, MOVE_SLICE, PROGRESS_INTERVAL } from "./loop.ts";
import type { EngineParts } from "./parts.ts";
import { eventsThat } from "./sought-events.ts";
import { searched } from "./symbol-searches.ts";

/** Accesses of one answer. */
const MOST = 10_000;
/** Places through which one value is followed back. */
const CHAIN = 100;
/** Bytes that one question is about, and those of a value. */
const BYTES = 4096, VALUE_SIZE = 8;

type WhoRow = RowOf<typeof WHO>;

/** A question: about an object, and for memory about which accesses to how many bytes. */
interface Asked {
  readonly target: string;
  readonly access: QueryArgument<"access">;
  readonly size: number;
}

/** The rows of an answer, and the latest access. */
interface Latest {
  readonly rows: WhoRow[];
  readonly watched: Watched;
  readonly access: PastAccess | undefined;
}

const DID = { write: "written", read: "read", exec: "executed", change: "changed", event: "seen" } as const;

/** The names of an access's instruction at that time. */
interface InstructionNames {
  readonly symbol?: string | undefined;
  readonly source?: string | undefined;
}

/** A question that waits for its answer. */
interface OpenQuestion {
  readonly id: number;
  readonly query: PastQuery;
  /** The answer after an exception in el2 itself. */
  readonly failed: (error: unknown) => Answer;
  forgotten?: boolean;
}

/** The questions of one session's clients, answered one after the other. */
export class Who {
  readonly #waiting: OpenQuestion[] = [];
  /** The search of the first, once it has begun. */
  #search: AccessSearch | undefined;

  constructor(
    readonly parts: EngineParts,
    readonly debugging: Debugging,
    readonly endedVms: EndedVms,
  ) {}

  /** Whether a question is being answered. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  ask(id: number, query: PastQuery, failed: OpenQuestion["failed"]): void {
    this.#waiting.push({ id, query, failed });
    if (this.#waiting.length === 1) this.#next();
  }

  /** The answer to a question is not awaited any more. */
  forget(id: number): void {
    for (const asked of this.#waiting) if (asked.id === id) asked.forgotten = true;
  }

  #next(): void {
    const [asked] = this.#waiting;
    if (!asked) return;
    const { id, query } = asked, { port } = this.parts, pieces = this.#answer(query);
    let told = performance.now(), done = 0;
    this.#search = undefined;
    inPieces(port, () => {
      if (!asked.forgotten) {
        let answer: Answer | void;
        try {
          answer = pieces.next().value;
        } catch (error) {
          answer = asked.failed(error);
        }
        if (!answer) {
          const search: AccessSearch | undefined = this.#search;
          if (search && performance.now() - told >= PROGRESS_INTERVAL) {
            told = performance.now();
            // A stretch that is too busy is searched again in parts.
            done = Math.max(done, Math.min(search.searched, search.run.instructions));
            port.post({ kind: "searching", id, done, all: search.run.instructions });
          }
          return false;
        }
        port.post({ kind: "answer", id, answer });
      }
      this.#waiting.shift();
      this.#next();
      return true;
    });
  }

  *#answer(query: PastQuery): InPieces<Answer> {
    const { system } = this.parts.shown;
    const at = { ns: String(Math.round(system.machine.time)), insn: String(system.instructions()) };
    try {
      this.#checkPast();
      if (this.debugging.changed) throw new QueryError("the past cannot be searched: a debugger wrote memory or registers since");
      const answer = query.table === "who"
        ? { table: query.table, at, rows: yield* this.#rows(query.args), dropped: 0 }
        : yield* this.#earlier(query);
      this.#checkPast();
      return answer;
    } catch (thrown) {
      // Without a past, machines of it fail in any way.
      const error = this.parts.run.lost === undefined ? thrown : this.#lost(this.parts.run.lost);
      if (!(error instanceof QueryError)) throw error;
      return { table: query.table, at, rows: [], dropped: 0, error: error.message, problem: { code: "query", ...error.problem } };
    }
  }

  /** @throws QueryError if the past is forgotten, as may happen during a search */
  #checkPast(): void {
    const { lost } = this.parts.run;
    if (lost !== undefined) throw this.#lost(lost);
  }

  #lost(why: string): QueryError {
    return new QueryError(`the past cannot be searched: ${why}`);
  }

  *#rows(
    { at: target, access = "write", before, hits, size: given, limit = 1, back, filter, value }: QueryOf<"who">["args"],
  ): InPieces<WhoRow[]> {
    const sought = access === "event" ? filter : target;
    if (sought === undefined) throw new QueryError(`this query needs ${access === "event" ? "filter" : "at"}`);
    if (given !== undefined && !(given >= 1 && given <= BYTES)) throw new QueryError(`cannot search for ${given} bytes`, `use 1..${BYTES}`);
    if (before === undefined && access !== "event") this.#refuseEnded(sought);
    const system = before === undefined ? this.parts.shown.system : yield* this.#systemAt(before);
    const size = given ?? (yield* searched(system.symbols, () => usualSize(system, sought, access))) ??
      (value === undefined ? 1 : VALUE_SIZE);
    const asked = { target: sought, access, size };
    if (back) return yield* this.#chain(system, asked, Math.min(back, CHAIN));
    const counted = { before: cutOf(before), matches: value === undefined ? undefined : hasValue(value, asked) };
    const { rows } = yield* this.#latest(system, asked, limit, counted);
    return hits ? rows.filter(({ kind }) => kind !== "never") : rows;
  }

  /** The latest accesses before the place where a machine is, as rows. */
  *#latest(system: System, { target, access, size }: Asked, limit: number, counted?: Counted): InPieces<Latest> {
    const { run, shown } = this.parts;
    const watched = yield* searched(system.symbols, () => watchedOf(system, { target, access, size }));
    const search = this.#search = new AccessSearch(run.upTo(system), watched, Math.max(1, Math.min(limit, MOST)), counted);
    let found = search.advance(MOVE_SLICE);
    for (; !found; found = search.advance(MOVE_SLICE)) yield;
    if (found.start?.value === ABSENT && found.accesses.length === 0) throw new QueryError(`there was no ${target} since ${run.start}`);
    const { start } = found,
      kind = watched.kind === "event"
        ? "event"
        : (watched.kind === "memory" || watched.kind === "code") && isOfMemory(access)
        ? access
        : "change";
    const accesses = yield* this.#withNames(yield* this.#withInstructions(found.accesses));
    const rows = start === undefined ? [] : [this.#first(DID[kind], start)];
    for (const one of accesses) {
      const earlier = one.order + Number(one.at === start?.at);
      rows.push(yield* searched(shown.present.symbols, () => this.#row(kind, one, earlier)));
    }
    const latest = accesses.at(-1);
    if (latest?.instruction && !latest.by) rows.push({ ...rows.pop()!, stack: yield* this.#stackAt(latest.at, latest.instruction.vcpu) });
    return { rows, watched, access: latest };
  }

  /** The latest access, then that from which its value came, and so on, as rows. */
  *#chain(first: System, asked: Asked, most: number): InPieces<WhoRow[]> {
    const chain: WhoRow[] = [];
    let past: Past | undefined;
    for (let next: Asked | undefined = asked; next && chain.length < most;) {
      const { rows, watched, access }: Latest = yield* this.#latest(past?.system ?? first, next, 1), { target } = next;
      chain.push(...rows.map((row) => ({ ...row, of: target })));
      if (!access?.instruction || access.by?.code === "interrupt") break;
      if (past) this.parts.run.leave(past);
      past = yield* this.#go(access.at);
      const origin: Origin | undefined = originOf(past.system, { ...next, watched }, access);
      next = origin && { ...origin, access: "write" };
    }
    if (past) this.parts.run.leave(past);
    return chain;
  }

  /** @throws QueryError if it is about a VM that has ended, whose memory and vCPUs are gone */
  #refuseEnded(target: string): void {
    const vm = parseAs("ipa", target)?.vm ?? parseAs("reg", target)?.vm, end = vm === undefined ? undefined : this.endedVms.endOf(vm);
    if (end !== undefined) throw new QueryError(`${vmId(vm ?? "")} has ended`, `ask from before that: --at ${end}`);
  }

  /** The machine at a place of the run. */
  *#systemAt(place: QueryArgument<"before">): InPieces<System> {
    const { run, shown, shown: { present } } = this.parts, moment = run.momentAt(place, shown.system.instructions());
    if (place.kind !== "instructions" || place.order === undefined) return (yield* this.#go(moment)).system;
    // All accesses of a place are before the one after the next.
    const end = place.count + 2;
    return end < present.instructions() ? (yield* this.#go(end)).system : present;
  }

  /** The answer of the machine at an earlier place. */
  *#earlier({ table, args: { before, ...args } }: EarlierQuery): InPieces<Answer> {
    const { run, shown } = this.parts, past = yield* this.#go(run.momentAt(before, shown.system.instructions()));
    return yield* this.#leaving(past, { table, args });
  }

  /** The answer of a past that nothing else is asked. */
  *#leaving(past: Past, query: Query): InPieces<Answer> {
    const { inspector, symbols } = past.system, answer = yield* searched(symbols, () => inspector.answer(query));
    this.parts.run.leave(past);
    return answer;
  }

  *#go(moment: Moment): InPieces<Past> {
    const { run } = this.parts, past = run.pastAt(run.milestone(moment));
    while (!past.advance(moment, MOVE_SLICE)) yield;
    return past;
  }

  /**
   * Adds the instructions whose exits are the events of accesses: one more machine goes from place
   * to place.
   */
  *#withInstructions(accesses: readonly NumberedAccess[]): InPieces<NumberedAccess[]> {
    const whole: NumberedAccess[] = [];
    let past: Past | undefined;
    for (const access of accesses) {
      const { event, at } = access;
      if (!event?.vcpu) {
        whole.push(access);
        continue;
      }
      past ??= this.parts.run.pastAt(this.parts.run.milestone(at));
      while (!past.advance(at, MOVE_SLICE)) yield;
      whole.push({ ...access, instruction: nextInstruction(past.system, vcpuId(event.vcpu)) });
    }
    if (past) this.parts.run.leave(past);
    return whole;
  }

  /**
   * Names instructions that are not of what a VM keeps: code of modules had other places, or was
   * not there, at other times. One more machine goes from place to place.
   */
  *#withNames(accesses: readonly NumberedAccess[]): InPieces<(NumberedAccess & InstructionNames)[]> {
    const { run } = this.parts, named: (NumberedAccess & InstructionNames)[] = [];
    let past: Past | undefined;
    for (const access of accesses) {
      const { at, instruction } = access, vm = instruction && vmOfName(nameOf(instruction.vcpu));
      if (!instruction || vm === undefined || (yield* this.#isLasting(vm, instruction.pc))) {
        named.push(access);
        continue;
      }
      past ??= run.pastAt(run.milestone(at));
      while (!past.advance(at, MOVE_SLICE)) yield;
      const { symbols } = past.system, { pc } = instruction;
      named.push({ ...access, ...yield* searched(symbols, () => ({ symbol: symbols.nameOf(vm, pc), source: symbols.sourceOf(vm, pc) })) });
    }
    if (past) run.leave(past);
    return named;
  }

  *#isLasting(vm: string, pc: bigint): InPieces<boolean> {
    const { symbols } = this.parts.shown.present;
    return yield* searched(symbols, () => symbols.isLasting(vm, pc));
  }

  /** The call frames of a vCPU at an instruction count. */
  *#stackAt(instructions: number, vcpu: string): InPieces<string[]> {
    const answer = yield* this.#leaving(yield* this.#go(instructions), { table: STACK.name, args: { vcpu } });
    return rowsOf(STACK, answer).map(({ pc, symbol, source }) => [symbol ?? pc, source].filter((word) => word !== null).join("  "));
  }

  /** @param earlier accesses at the same place of the run */
  #row(kind: WhoRow["kind"], access: PastAccess & InstructionNames, earlier: number): WhoRow {
    const { at, time, instruction, by, event, before, after } = access;
    const vm = instruction && vmOfName(nameOf(instruction.vcpu)), { symbols } = this.parts.shown.present;
    const symbol = access.symbol ?? (instruction && vm !== undefined && symbols.nameOf(vm, instruction.pc) || null);
    const source = access.source ?? (instruction && vm !== undefined && symbols.sourceOf(vm, instruction.pc) || null);
    const place = instruction && (symbol ?? hex(instruction.pc, 16));
    const who: WhoFact = event
      ? eventFact(event, place ?? null)
      : !instruction
      ? by && by.code !== "interrupt" ? by : HYPERVISOR_WRITES
      : by?.code === "interrupt"
      ? { code: "interrupt", vcpu: instruction.vcpu, place: place! }
      : by
      ? { code: "exit", vcpu: instruction.vcpu, place: place ?? null }
      : { code: "instruction", vcpu: instruction.vcpu, place: place! };
    const doer = "vcpu" in who ? who.vcpu : "device" in who ? who.device : null;
    return {
      id: formatId({ kind: "insn", number: at, ...earlier > 0 && { order: earlier + 1 } }),
      t: String(Math.round(time)),
      kind,
      text: WHO_FACTS.text(who),
      who,
      by: doer,
      vm: doer === null ? null : vmId(vmOfName(nameOf(doer))),
      pc: instruction ? hex(instruction.pc, 16) : null,
      symbol,
      source,
      instruction: instruction?.word ? instructionText(instruction.word, instruction.pc) : null,
      before: valueText(before),
      after: valueText(after),
      stack: null,
      of: null,
    };
  }

  /** The row before all accesses: none is between them and the place where the search ended. */
  #first(did: string, { value, at, time }: NonNullable<Accesses["start"]>): WhoRow {
    const { run } = this.parts, isStart = at <= run.first;
    const who: WhoFact = isStart ? { code: "never", did, since: run.start } : { code: "never", did, since: `instruction ${at}`, at };
    return {
      id: formatId({ kind: "insn", number: at }),
      t: String(Math.round(time)),
      kind: "never",
      text: WHO_FACTS.text(who),
      who,
      by: null,
      vm: null,
      pc: null,
      symbol: null,
      source: null,
      instruction: null,
      stack: null,
      of: null,
      before: valueText(value),
      after: valueText(value),
    };
  }
}

/** Bytes that a question without a size is about: a symbol ends where the next one begins. */
function usualSize({ inspector }: System, target: string, access: Asked["access"]): number | undefined {
  if (access !== "write" && access !== "read") return undefined;
  const size = inspector.symbolSize(target);
  return size && Math.min(size, VALUE_SIZE);
}

/**
 * The object of a search in a machine.
 * @throws QueryError
 */
export function watchedOf({ inspector, stops }: Pick<System, "inspector" | "stops">, { target, access, size }: Asked): Watched {
  if (access === "event") return eventsThat(target);
  if (access === "print") {
    // An expression without a value now is wrong, or asked from the wrong place.
    const { problem } = inspector.valueOf(target);
    if (problem) throw new QueryError(problem);
    return { kind: "expression", text: target };
  }
  const ofObject = (id: string): Watched => ({ kind: "object", id, mayChange: inspector.objectState(id).mayChange });
  if (access === "owner") return ofObject(paId(inspector.ramAt(target, size)[0]));
  const object = parseId(target);
  if (object && OBJECTS.has(object.kind)) return ofObject(formatId(object));
  const register = parseAs("reg", target);
  if (register) {
    const vcpu = vcpuId(vcpuName(register.vm, register.index));
    return {
      kind: "register",
      vcpu,
      read: inspector.registerOf(vcpu, register.name),
      writes: inspector.registerWrites(register.name),
    };
  }
  const place = access === "exec" && !object ? stops.system.placeOf(target) : undefined;
  if (place?.modules) return { kind: "code", at: target, place };
  const [pa, ...more] = inspector.ramAt(target, size);
  return { kind: "memory", watch: access === "exec" ? { pa, length: size, kind: "execute", more } : { pa, length: size, kind: access } };
}

/** The access that is the first not to count; undefined: its place says it all. */
function cutOf(place: QueryArgument<"before"> | undefined): Counted["before"] {
  return place?.kind === "instructions" && place.order !== undefined ? { at: place.count, order: place.order - 1 } : undefined;
}

const isOfMemory = (access: Asked["access"]) => access !== "owner" && access !== "event" && access !== "print";

/**
 * Whether an access leaves a value.
 * @throws QueryError if the bytes cannot have it
 */
function hasValue(value: bigint, { target, access, size }: Asked): (access: PastAccess) => boolean {
  if (!isOfMemory(access) || OBJECTS.has(parseId(target)?.kind ?? "")) throw new QueryError("only memory and registers have values");
  const isRegister = parseAs("reg", target) !== undefined;
  if (!isRegister && (size > 8 || value >> 8n * BigInt(size) !== 0n)) {
    throw new QueryError(
      `${size} ${size === 1 ? "byte" : "bytes"} cannot have the value ${hex(value)}`,
      "give a size that fits, 8 at most",
    );
  }
  return ({ after }) => (after instanceof Uint8Array ? fromLittleEndian(after) : after) === value;
}

/** Kinds of ids whose objects' changes can be searched for. */
const OBJECTS: ReadonlySet<string> = new Set(["irq", "cap", "mq", "db", "parcel"]);

function eventFact(event: TraceEvent, place: string | null): WhoFact {
  const { id, vcpu, text } = eventRow(event);
  return { code: "event", event: id, what: text, vcpu, place };
}

function valueText(value: Value): string {
  if (typeof value === "string") return value;
  return typeof value === "bigint" ? hex(value, 16) : bytesText(value);
}

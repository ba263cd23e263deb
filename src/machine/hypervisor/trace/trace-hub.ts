// The hub of all trace events of hypervisor, Resource Manager and host (src/machine/abi/trace.ts;
// docs/design/decisions.md §6). Events go to the listeners of their kind, and are not built without
// one. Operations nest per vCPU; one that another vCPU has published may be the cause of a new one.
// A refused operation leaves a reason, with or without listeners.

import type { ErrorCode } from "../../abi/errors.ts";
import { PacketType } from "../../abi/rpc/packet.ts";
import {
  type BrokenRule,
  COUNTED_KINDS,
  isCounted,
  type RunPoint,
  TRACE_KINDS,
  type TraceEvent,
  type TraceFields,
  type TraceId,
  type TraceKind,
  type TraceMessage,
  type TracePort,
  type TraceResult,
} from "../../abi/trace.ts";
import { copyOperations, type Operation } from "./operation.ts";
import { Reasons, type ReasonsMemory } from "./reasons.ts";
import { TraceClasses } from "./trace-classes.ts";
import { kindBit, kindMask, TraceReader, TraceRing } from "./trace-ring.ts";
import { evId } from "../../abi/ids.ts";

const INSTRUCTION_SIZE = 4n;
/** Events that are kept for readers. */
export const RING_CAPACITY = 65_536;
/**
 * Keys that are published at a time; a publisher that forgets to end its operations loses the
 * oldest.
 */
const PUBLISHED_CAPACITY = 4096;

/** The state to restore when an operation ends: the one that was in progress on its vCPU before. */
interface OpenOperation {
  readonly operation: Operation;
  below: OpenOperation | undefined;
}

/** How many events there have been of what every run counts. */
interface Counts {
  machine: number;
  dev: number;
  log: number;
  /** RUNs of VMMs. */
  runs: number;
  /** Hypercalls, whether they are traced or not. */
  calls: number;
}

/** The last event of a kind and a CPU that is not counted. */
interface LastAt {
  time: number;
  number: number;
}

/** A trace's state between two turns of its machine, without its events. */
export interface TraceMemory {
  readonly nextId: number;
  readonly counts: Readonly<Counts>;
  readonly last: readonly (readonly [string, Readonly<LastAt>])[];
  readonly open: readonly Operation[];
  readonly published: readonly (readonly [string, Operation])[];
  readonly reasons: ReasonsMemory;
  readonly ports: readonly PortMemory[];
}

/** Operations in progress on one vCPU. */
interface PortMemory {
  readonly serial: number;
  /** The innermost last. */
  readonly frames: readonly Operation[];
  readonly call: TraceId | undefined;
  readonly callNumber: number;
}

/** A vCPU with its way into the trace. */
interface Traced {
  readonly serial: number;
  readonly trace: VcpuTrace;
}

/** Keys of `#last` by kind and CPU: an event builds none. */
const LAST_KEYS = Object.fromEntries(TRACE_KINDS.map((kind): [string, string[]] => [kind, []])) as Record<TraceKind, string[]>;

/** The result of a call that its caller does not see. */
const NO_RETURN: TraceResult = { code: 0, name: "no return", refused: false };

const START: RunPoint = { boundary: 0, stage: "before", retired: 0, steps: 0 };

const NO_RULE: BrokenRule = { section: "", rule: "no rule was recorded", object: "", values: {} };

/** An operation that begins. */
interface Opening {
  readonly vcpu: string;
  readonly kind: TraceKind;
  readonly name: string;
  readonly fields: TraceFields;
  readonly parent: Operation | undefined;
  readonly key?: string | number;
  /** If it is counted already. */
  readonly number?: number;
}

/** An event that an observer of instructions saw. Its fields and result may be made when read. */
export type Observed = Pick<TraceEvent, "kind" | "time" | "name" | "fields"> & { readonly result?: TraceEvent["result"] };

/** The actor, and the place in the run. */
type Seen = Pick<TraceEvent, "id" | "number" | "end" | "at" | "pcpu" | "vcpu">;

/** The same as an event of the trace. */
class ObservedEvent implements TraceEvent {
  readonly id: number;
  readonly number: number;
  readonly end: number;
  readonly at: RunPoint;
  readonly pcpu: number | undefined;
  readonly vcpu: string;
  readonly parent = undefined;
  readonly why = undefined;

  constructor(readonly observed: Observed, { id, number, end, at, pcpu, vcpu }: Seen) {
    this.id = id;
    this.number = number;
    this.end = end;
    this.at = at;
    this.pcpu = pcpu;
    this.vcpu = vcpu;
  }

  get kind(): TraceKind {
    return this.observed.kind;
  }

  get time(): number {
    return this.observed.time;
  }

  get operation(): boolean {
    return this.time !== this.end;
  }

  get name(): string {
    return this.observed.name;
  }

  get fields(): TraceFields {
    return this.observed.fields;
  }

  get result(): TraceResult | undefined {
    return this.observed.result;
  }
}

export class TraceHub {
  readonly reasons = new Reasons();
  /** The classes of the hypervisor's own log: guests may change them. */
  readonly classes = new TraceClasses();
  #pcpu: number | undefined;
  #actor: VcpuTrace | undefined;
  #ring = new TraceRing(RING_CAPACITY);
  readonly #readers = new Set<TraceReader>();
  readonly #listeners = new Set<{ readonly mask: number; readonly listener: (event: TraceEvent) => void }>();
  readonly #open = new Map<TraceId, Operation>();
  readonly #published = new Map<string, Operation>();
  #wanted = flagsOf(0);
  /** Called after a change of `wanted`. */
  onWanted: () => void = () => {};
  #nextId = 0;
  #counts: Counts = { machine: 0, dev: 0, log: 0, runs: 0, calls: 0 };
  #last = new Map<string, LastAt>();
  /**
   * The rule that the hypercall in progress breaks, as its handler noted it, with its values;
   * undefined: none.
   */
  #rule: string | undefined;
  #values: TraceFields = NO_RULE.values;
  #section: string | undefined;

  /**
   * @param now virtual time in ns
   * @param point how far the machine has come
   */
  constructor(readonly now: () => number, readonly point: () => RunPoint = () => START) {}

  /** Index of the physical CPU whose turn it is. */
  get pcpu(): number | undefined {
    return this.#pcpu;
  }

  /** The vCPU that runs, or whose exit is handled. */
  get actor(): VcpuTrace | undefined {
    return this.#actor;
  }

  /** The turn of a physical CPU begins, or is over. Only the scheduler calls it. */
  setTurn(pcpu: number | undefined): void {
    this.#pcpu = pcpu;
  }

  /** A vCPU runs, or has stopped. Only the scheduler calls it. */
  setActor(actor: VcpuTrace | undefined): void {
    this.#actor = actor;
  }

  /** Whether there are listeners per kind, as fields: every call and exit checks them. */
  get wanted(): Readonly<Record<TraceKind, boolean>> {
    return this.#wanted;
  }

  /** The same for one kind. */
  isWanted(kind: TraceKind): boolean {
    return this.#wanted[kind];
  }

  /**
   * Keeps at most this many events for readers from now on; those that it has are gone.
   * @throws Error when a reader exists already
   */
  limit(capacity: number): void {
    if (this.#readers.size) throw new Error("events are being read");
    this.#ring = new TraceRing(capacity);
  }

  /** Events that are kept for readers. */
  get kept(): number {
    return this.#ring.size;
  }

  /** Adds a reader of these kinds, which takes events from the ring when it has time. */
  read(kinds: Iterable<TraceKind>): TraceReader {
    const reader = new TraceReader(this.#ring, kindMask(kinds), this.#ring.end, (closed) => {
      this.#readers.delete(closed);
      this.#recount();
    });
    this.#readers.add(reader);
    this.#recount();
    return reader;
  }

  /** Calls `listener` with each event of these kinds, at once. Gives the function that ends it. */
  listen(kinds: Iterable<TraceKind>, listener: (event: TraceEvent) => void): () => void {
    const entry = { mask: kindMask(kinds), listener };
    this.#listeners.add(entry);
    this.#recount();
    return () => {
      this.#listeners.delete(entry);
      this.#recount();
    };
  }

  /** An event of a log, which no operation numbered: `time` and CPU are where it occurred. */
  place(kind: TraceKind, time: number, pcpu: number | undefined): Pick<TraceEvent, "id" | "number" | "operation" | "at"> {
    return { id: ++this.#nextId, number: this.#numberAt(kind, time, pcpu), operation: false, at: this.point() };
  }

  /** Hypercalls begin, traced or not: gives the number of the last. */
  countCalls(count: number): number {
    return this.#counts.calls += count;
  }

  /** Hypercalls so far. */
  get calls(): number {
    return this.#counts.calls;
  }

  /** The state now, for another hub of the same machine with these `vcpus`. */
  remember(vcpus: Iterable<Traced>): TraceMemory {
    const copy = copyOperations();
    return {
      nextId: this.#nextId,
      counts: { ...this.#counts },
      last: [...this.#last].map(([key, last]) => [key, { ...last }]),
      open: [...this.#open.values()].map(copy),
      published: [...this.#published].map(([key, operation]) => [key, copy(operation)]),
      reasons: this.reasons.remember(copy),
      ports: [...vcpus].map(({ serial, trace }) => ({ serial, ...trace.remember(copy) })),
    };
  }

  /** Takes up what another hub knew at the place where this machine is now. */
  recall({ nextId, counts, last, open, published, reasons, ports }: TraceMemory, vcpus: Iterable<Traced>): void {
    const copy = copyOperations();
    this.#nextId = nextId;
    this.#counts = { ...counts };
    this.#last = new Map(last.map(([key, last]) => [key, { ...last }]));
    this.#open.clear();
    for (const operation of open) this.#open.set(operation.id, copy(operation));
    this.#published.clear();
    for (const [key, operation] of published) this.#published.set(key, copy(operation));
    this.reasons.recall(reasons, copy);
    const known = new Map(ports.map((port) => [port.serial, port]));
    for (const { serial, trace } of vcpus) {
      const port = known.get(serial);
      if (port) trace.recallPort(port, copy);
    }
  }

  /** The way in for one vCPU; `name` gives its name whenever it does something. */
  port(name: () => string): VcpuTrace {
    return new VcpuTrace(this, name);
  }

  /** The operations in progress, in order of their start. */
  get inProgress(): Iterable<Operation> {
    return this.#open.values();
  }

  /** Something happened by what the acting vCPU did, or by no vCPU. */
  event(kind: TraceKind, name: string, fields: TraceFields): void {
    if (this.#actor) this.#actor.event(kind, name, fields);
    else this.record("", kind, name, fields, undefined);
  }

  // For handlers of hypercalls.

  /**
   * Notes the rule that the hypercall in progress breaks; the first note of an error counts.
   * Returns the error.
   */
  refuse<E extends ErrorCode>(error: E, rule: string, values: TraceFields, section?: string): E {
    if (this.#rule === undefined) {
      this.#rule = rule;
      this.#values = values;
      this.#section = section;
    }
    return error;
  }

  /** Says where the rule that was noted is specified, if its note does not. */
  cite(section: string): void {
    if (this.#rule !== undefined) this.#section ??= section;
  }

  /** A hypercall begins, or another try of it: notes of what went before are void. */
  clearNote(): void {
    this.#rule = undefined;
  }

  /** The note of the hypercall in progress, or of the last one. */
  get note(): { readonly rule: string; readonly values: TraceFields } | undefined {
    return this.#rule === undefined ? undefined : { rule: this.#rule, values: this.#values };
  }

  /**
   * That as a broken rule. `section` is where the call is specified, for notes that do not say
   * where the rule is.
   */
  brokenRule(section: string): BrokenRule {
    if (this.#rule === undefined) return { ...NO_RULE, section };
    const { object = "", ...values } = this.#values;
    return { section: this.#section ?? section, rule: this.#rule, object: String(object), values };
  }

  // For ports.

  /** Gives an event out, if anybody wants it. */
  record(
    vcpu: string,
    kind: TraceKind,
    name: string,
    fields: TraceFields,
    parent: Operation | undefined,
    messages?: readonly TraceMessage[],
  ): void {
    if (!this.isWanted(kind)) return;
    const time = this.now();
    const id = ++this.#nextId;
    const pcpu = this.#pcpu;
    const number = isCounted(kind, false) ? this.#count(kind) : this.#numberAt(kind, time, pcpu);
    const at = this.point();
    this.#give({
      id,
      time,
      end: time,
      at,
      pcpu,
      kind,
      operation: false,
      number,
      vcpu,
      name,
      fields,
      result: undefined,
      parent,
      why: undefined,
      messages,
    });
  }

  /**
   * Gives out what an observer of instructions saw in the middle of a run.
   * @param end virtual time (ns)
   * @param retired instructions since the place of the run that the hub knows
   */
  observed(observed: Observed, end: number, retired: number): void {
    const { kind } = observed;
    if (!this.isWanted(kind)) return;
    const pcpu = this.#pcpu, vcpu = this.#actor?.name() ?? "", place = this.point();
    const at = { boundary: place.boundary, stage: place.stage, retired: place.retired + retired, steps: place.steps };
    this.#give(new ObservedEvent(observed, { id: ++this.#nextId, number: this.#numberAt(kind, end, pcpu), end, at, pcpu, vcpu }));
  }

  open({ vcpu, kind, name, fields, parent, key, number }: Opening): Operation {
    const time = this.now();
    const id = ++this.#nextId;
    const pcpu = this.#pcpu;
    const open = {
      id,
      time,
      pcpu,
      vcpu,
      kind,
      operation: true,
      number: number ?? (isCounted(kind, true) ? this.#count(kind) : this.#numberAt(kind, time, pcpu)),
      key,
      name,
      fields,
      at: undefined,
      parent,
      result: undefined,
      rule: undefined,
      reason: undefined,
      callsBefore: this.#counts.calls,
    };
    this.#open.set(id, open);
    return open;
  }

  /** The newest operation in progress that was begun with this key. */
  recallOperation(key: string | number): TraceId | undefined {
    let found: TraceId | undefined;
    for (const operation of this.#open.values()) if (operation.key === key) found = operation.id;
    return found;
  }

  /**
   * The operation in progress with this id.
   * @throws for an unknown id.
   */
  find(id: TraceId): Operation {
    const operation = this.#open.get(id);
    if (!operation) throw new Error(`${evId(id)} is not an operation in progress`);
    return operation;
  }

  close(operation: Operation, result: TraceResult): void {
    const { id, time, pcpu, vcpu, kind, number, name, fields, parent, messages, calls } = operation;
    operation.result = result;
    this.#open.delete(id);
    let why: number | undefined;
    if (result.refused) {
      why = operation.reason ?? this.reasons.add(operation, operation.rule ?? NO_RULE);
      // The outermost caller decides whether it has failed: refusals inside may be handled.
      if (!result.expected && !parent) this.reasons.alarm(why);
      if (parent && !parent.result && !parent.rule) parent.reason ??= why;
    }
    if (this.isWanted(kind)) {
      const end = this.now(), at = this.point();
      this.#give({ id, time, end, at, pcpu, kind, operation: true, number, vcpu, name, fields, result, parent, why, messages, calls });
    }
  }

  publish(key: string, operation: Operation): void {
    this.#published.delete(key);
    this.#published.set(key, operation);
    if (this.#published.size > PUBLISHED_CAPACITY) {
      for (const oldest of this.#published.keys()) {
        this.#published.delete(oldest);
        break;
      }
    }
  }

  published(key: string): Operation | undefined {
    return this.#published.get(key);
  }

  /** The number of the next event of a kind that every run counts. */
  #count(kind: TraceKind): number {
    const counts = this.#counts;
    if (COUNTED_KINDS.has(kind)) return ++counts.machine;
    if (kind === "sched") return ++counts.runs;
    return kind === "hvc" ? counts.calls : ++counts[kind === "dev" ? "dev" : "log"];
  }

  /** How many events of the kind there were at this time and CPU before. */
  #numberAt(kind: TraceKind, time: number, pcpu: number | undefined): number {
    const key = LAST_KEYS[kind][pcpu ?? 0] ??= `${kind}/${pcpu ?? 0}`;
    const last = this.#last.get(key);
    if (!last) {
      this.#last.set(key, { time, number: 0 });
      return 0;
    }
    last.number = last.time === time ? last.number + 1 : 0;
    last.time = time;
    return last.number;
  }

  #give(event: TraceEvent): void {
    const bit = kindBit(event.kind);
    if (this.#readers.size > 0) this.#ring.add(event, this.#readers);
    for (const { mask, listener } of this.#listeners) if (mask & bit) listener(event);
  }

  #recount(): void {
    let wanted = 0;
    for (const { mask } of this.#readers) wanted |= mask;
    for (const { mask } of this.#listeners) wanted |= mask;
    this.#wanted = flagsOf(wanted);
    this.onWanted();
  }
}

/** A field for each kind: whether its bit is set. */
function flagsOf(mask: number): Record<TraceKind, boolean> {
  return Object.fromEntries(TRACE_KINDS.map((kind) => [kind, (mask & kindBit(kind)) !== 0])) as Record<TraceKind, boolean>;
}

/** The hub as one vCPU has it. */
export class VcpuTrace implements TracePort {
  #call: TraceId | undefined;
  #callNumber = 0;
  #top: OpenOperation | undefined;

  constructor(readonly hub: TraceHub, readonly name: () => string) {}

  /** The operation of the hypercall in progress, if that is traced. */
  get call(): TraceId | undefined {
    return this.#call;
  }

  /** A hypercall begins: its number. */
  beginCall(number: number): void {
    this.#callNumber = number;
  }

  /** The hypercall in progress is traced. */
  showCall(call: TraceId): void {
    this.#call = call;
  }

  /** The hypercall in progress has its answer. */
  closeCall(): void {
    this.#call = undefined;
  }

  isWanted(kind: TraceKind): boolean {
    return this.hub.isWanted(kind);
  }

  event(kind: TraceKind, name: string, fields: TraceFields, message?: TraceMessage): void {
    this.hub.record(this.name(), kind, name, fields, this.#top?.operation, message && [message]);
  }

  begin(kind: TraceKind, name: string, fields: TraceFields, cause?: string, key?: string | number): TraceId {
    const parent = cause === undefined ? undefined : this.hub.published(cause);
    const number = kind === "hvc" ? this.#callNumber : undefined;
    const operation = this.hub.open({ vcpu: this.name(), kind, name, fields, parent: parent ?? this.#top?.operation, key, number });
    this.#top = { operation, below: this.#top };
    return operation.id;
  }

  recall(key: string | number): TraceId | undefined {
    return this.hub.recallOperation(key);
  }

  /** The operations in progress. */
  remember(copy: (operation: Operation) => Operation): Omit<PortMemory, "serial"> {
    const frames: Operation[] = [];
    for (let frame = this.#top; frame; frame = frame.below) frames.unshift(copy(frame.operation));
    return { frames, call: this.#call, callNumber: this.#callNumber };
  }

  /** Takes up what another port had in progress. */
  recallPort({ frames, call, callNumber }: Omit<PortMemory, "serial">, copy: (operation: Operation) => Operation): void {
    this.#top = undefined;
    for (const operation of frames) this.#top = { operation: copy(operation), below: this.#top };
    this.#call = call;
    this.#callNumber = callNumber;
  }

  publish(key: string): void {
    if (this.#top) this.hub.publish(key, this.#top.operation);
  }

  refuse(rule: BrokenRule): void {
    const operation = this.#top?.operation;
    if (operation && operation.reason === undefined) operation.rule ??= rule;
  }

  disregard(): void {
    if (this.#top) this.#top.operation.reason = undefined;
  }

  end(id: TraceId, result: TraceResult): void {
    const operation = this.hub.find(id);
    this.#leave(operation);
    this.hub.close(operation, result);
  }

  resume(id: TraceId): void {
    const operation = this.hub.find(id);
    // A handler that answers inside its own request has not left it.
    if (this.#isInside(operation)) return;
    operation.callsBefore = this.hub.calls;
    this.#top = { operation, below: this.#top };
  }

  suspend(id: TraceId): void {
    const operation = this.hub.find(id);
    this.#countCalls(operation);
    this.#leave(operation);
  }

  carry(id: TraceId, message: TraceMessage): void {
    const operation = this.hub.find(id);
    operation.messages = [...operation.messages ?? [], message];
    if (message.type === PacketType.Request) operation.calls = 0;
    // The reply itself is sent by a call, too.
    else this.#countCalls(operation);
  }

  /** No other vCPU makes calls while a handler runs. */
  #countCalls(operation: Operation): void {
    if (operation.calls !== undefined) operation.calls += this.hub.calls - operation.callsBefore;
    operation.callsBefore = this.hub.calls;
  }

  /** Sets the fields of an operation in progress that are known only at its end. */
  describe(id: TraceId, fields: TraceFields): void {
    this.hub.find(id).fields = fields;
  }

  /** Says that a guest asked for an operation in progress by the instruction before `pc`. */
  locateBefore(id: TraceId, pc: bigint): void {
    this.hub.find(id).at = BigInt.asUintN(64, pc - INSTRUCTION_SIZE);
  }

  /** The hypercall in progress never returns to its caller. */
  abandonCall(): void {
    if (this.#call === undefined) return;
    this.end(this.#call, NO_RETURN);
    this.#call = undefined;
  }

  /** The program that ran on the vCPU is gone, and with it what it had in progress. */
  reset(): void {
    this.#top = undefined;
    this.#call = undefined;
  }

  #isInside(operation: Operation): boolean {
    for (let frame = this.#top; frame; frame = frame.below) if (frame.operation === operation) return true;
    return false;
  }

  #leave(operation: Operation): void {
    if (this.#top?.operation === operation) {
      this.#top = this.#top.below;
      return;
    }
    for (let frame = this.#top; frame?.below; frame = frame.below) {
      if (frame.below.operation !== operation) continue;
      frame.below = frame.below.below;
      return;
    }
  }
}

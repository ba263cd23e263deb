// The observations of a run in a snapshot: the newest events, the reasons, how VMs ended, the last
// uses of capabilities. They are for display: the machine runs the same without them.

import * as v from "valibot";
import { BUSY_KINDS, RULE_CODES, TRACE_KINDS } from "../../../machine/abi/trace.ts";
import { SAVED_CAUSE } from "./saved-causes.ts";
import { SAVED_LINUX_FINDING, SAVED_UNSHOWN } from "./saved-findings.ts";
import type { RunMemory } from "./system.ts";
import type { LastWork, Lives, VmProblem } from "../vms/vm-ends.ts";
import type { Operation } from "../../../machine/hypervisor/boot.ts";
import type { EndedPanic, GuestPanic, LoggedLine, UnseenEnd } from "../../inspection/readers/inspected.ts";
import { type KeptEvents, keptEvents, ringOf } from "../../inspection/trace/event-log.ts";
import { SPANS_KEPT, type UnrecordedMemory } from "../../inspection/trace/unrecorded-times.ts";
import { decodePlain, encodePlain } from "../../../machine/hardware/plain.ts";
import { ENDED_BY, type EndedBy } from "../../../model/queries/facts/linux-finding.ts";
import { hintForm, wayOutForm } from "../../../model/queries/facts/problem.ts";

type Trace = RunMemory["trace"];
type Event = KeptEvents["events"][number];
/** A reason of a kind: one that has this field. */
type ReasonWith<K extends string> = Extract<Trace["reasons"]["ring"][number], Readonly<Record<K, unknown>>>;

/** Newest events that a file keeps of those that are always recorded, and of the others. */
const QUIET_KEPT = 4000, BUSY_KEPT = 1000;
/** Most operations inside each other. */
const DEPTH = 64;

/** The memory as bytes. Objects that are reached in two ways stay one. */
export function encodeMemory({ events: { quiet, busy, unrecorded }, ...rest }: RunMemory): Uint8Array {
  return encodePlain({ ...rest, events: { quiet: keptEvents(quiet, QUIET_KEPT), busy: keptEvents(busy, BUSY_KEPT), unrecorded } });
}

/**
 * The memory in a file, which may come from anyone.
 * @throws Error that names the defect
 */
export function decodeMemory(bytes: Uint8Array): RunMemory {
  const value = decodePlain(bytes);
  // Not the copy that a parser makes: one operation is in several places.
  v.assert(MEMORY, value);
  const memory = value as unknown as Omit<RunMemory, "events"> & {
    readonly events: { readonly quiet: KeptEvents; readonly busy: KeptEvents; readonly unrecorded: UnrecordedMemory };
  };
  const { quiet, busy, unrecorded } = memory.events;
  const { open, published, ports, reasons } = memory.trace;
  const parents = [...quiet.events, ...busy.events].map(({ parent }) => parent as Operation | undefined);
  const told = reasons.ring.flatMap((one) => "operation" in one ? [one.operation] : []);
  checkOperations([...open, ...published.map(([, one]) => one), ...ports.flatMap(({ frames }) => frames), ...told, ...parents]);
  const ids = new Set(open.map(({ id }) => id));
  for (const { frames, call } of ports) {
    const known = frames.every((one) => open.includes(one)) && (call === undefined || ids.has(call));
    if (!known) throw new Error("a vCPU has an operation that is not in progress");
  }
  if (!reasons.ring.every(({ id }, index, all) => id === reasons.count - all.length + 1 + index)) {
    throw new Error("reasons are not in order");
  }
  return { ...memory, events: { quiet: ringOf(quiet), busy: ringOf(busy), unrecorded } };
}

/** @throws Error if one is not an operation, or is inside itself. */
function checkOperations(operations: readonly (Operation | undefined)[]): void {
  const checked = new Set<Operation>();
  for (const operation of operations) {
    const chain: Operation[] = [];
    for (let at = operation; at && !checked.has(at); at = at.parent) {
      v.assert(OPERATION, at);
      if (chain.push(at) > DEPTH) throw new Error(`more than ${DEPTH} operations are inside each other`);
    }
    for (const one of chain) checked.add(one);
  }
}

/** Each field has a form: without one, what is saved could not be read. */
type FormsOf<T> = Readonly<Record<keyof T, v.GenericSchema>>;
/** The same of an object. */
type FormOf<T> = { readonly entries: FormsOf<T> };

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = v.pipe(v.number(), v.finite(), v.minValue(0));
/** Depth, and number of values, of the fields of an event: whatever they share is counted again. */
const FIELD_DEPTH = 16, FIELD_VALUES = 100_000;
const fields = v.pipe(
  v.record(v.string(), v.unknown()),
  v.check((value) => valuesIn(value, FIELD_DEPTH, 0) <= FIELD_VALUES, "too many fields"),
);
const place = { kind: v.picklist(TRACE_KINDS), time, pcpu: v.optional(count), operation: v.boolean(), number: count };
const RESULT = v.object({
  code: v.number(),
  name: v.string(),
  refused: v.boolean(),
  expected: v.optional(v.boolean()),
  fields: v.optional(fields),
}) satisfies FormOf<NonNullable<Event["result"]>>;
const RULE = {
  code: v.optional(v.picklist(RULE_CODES)),
  section: v.string(),
  rule: v.string(),
  object: v.string(),
  values: fields,
  wayOut: v.optional(wayOutForm),
} satisfies FormsOf<NonNullable<Operation["rule"]>>;
const MESSAGE = v.object({
  type: v.picklist([0, 1, 2, 3]),
  sequence: count,
  id: count,
  payload: v.instance(Uint8Array),
}) satisfies FormOf<NonNullable<Event["messages"]>[number]>;
const OPERATION = v.strictObject({
  ...place,
  id: count,
  vcpu: v.string(),
  name: v.string(),
  key: v.optional(v.union([v.string(), v.number()])),
  fields,
  at: v.optional(v.bigint()),
  result: v.optional(RESULT),
  rule: v.optional(v.object(RULE)),
  reason: v.optional(count),
  parent: v.optional(v.looseObject({})),
  messages: v.optional(v.array(MESSAGE)),
  calls: v.optional(count),
  callsBefore: count,
}) satisfies FormOf<Operation>;
const POINT = v.object({
  boundary: v.number(),
  stage: v.picklist(["before", "events", "turn"]),
  retired: count,
  steps: count,
}) satisfies FormOf<Event["at"]>;
const EVENT = v.strictObject({
  ...place,
  id: count,
  end: time,
  at: POINT,
  vcpu: v.string(),
  name: v.string(),
  fields,
  result: v.optional(RESULT),
  parent: v.optional(v.looseObject({})),
  why: v.optional(count),
  messages: v.optional(v.array(MESSAGE)),
  calls: v.optional(count),
}) satisfies FormOf<Event>;
const EVENTS = v.strictObject({ events: v.array(EVENT), added: count }) satisfies FormOf<KeptEvents>;
const OPEN = { from: time, kind: v.picklist(BUSY_KINDS), some: v.boolean() } satisfies FormsOf<UnrecordedMemory["open"][number]>;
const SPAN = v.strictObject({ ...OPEN, to: time }) satisfies FormOf<UnrecordedMemory["spans"][number]>;
const UNRECORDED = v.strictObject({
  spans: v.pipe(v.array(SPAN), v.maxLength(SPANS_KEPT)),
  open: v.pipe(v.array(v.strictObject(OPEN)), v.maxLength(BUSY_KINDS.length)),
}) satisfies FormOf<UnrecordedMemory>;
const CODE = v.strictObject({ pc: v.bigint(), text: v.string() }) satisfies FormOf<LastWork["at"]>;
const PANIC = { message: v.nullable(v.string()), cause: v.nullable(SAVED_LINUX_FINDING) } satisfies FormsOf<GuestPanic>;
const THEN = v.picklist(["reset", "power-off"]);
const LOG = v.array(v.strictObject({ t: v.string(), text: v.string() }) satisfies FormOf<LoggedLine>);
const EXCEPTION = v.strictObject({
  esr: count,
  at: CODE,
  far: v.optional(v.string()),
  cause: v.optional(SAVED_CAUSE),
}) satisfies FormOf<NonNullable<LastWork["exception"]>>;
const WORK = v.strictObject({
  vcpu: v.string(),
  how: v.picklist(["bug", "fault", "watchdog", "system-reset", "system-off", "killed"]),
  at: CODE,
  instructions: count,
  exception: v.optional(EXCEPTION),
  inHandler: v.boolean(),
  panic: v.optional(v.strictObject(PANIC)),
  by: v.optional(
    v.strictObject({
      task: v.strictObject({ name: v.string(), pid: v.number() }),
      by: v.picklist(ENDED_BY),
    }) satisfies FormOf<EndedBy>,
  ),
  called: v.array(
    v.strictObject({
      first: v.string(),
      last: v.string(),
      symbol: v.nullable(v.string()),
      source: v.nullable(v.string()),
    }) satisfies FormOf<LastWork["called"][number]>,
  ),
  unshown: v.optional(SAVED_UNSHOWN),
  log: LOG,
}) satisfies FormOf<LastWork>;
const END = v.strictObject({
  ...RULE,
  time,
  vm: v.string(),
  askedBy: v.string(),
  at: v.optional(v.bigint()),
  settled: v.boolean(),
  result: v.string(),
  command: v.optional(hintForm),
}) satisfies FormOf<ReasonWith<"end">["end"]>;
const REFUSAL = v.strictObject({
  id: count,
  operation: v.looseObject({}),
  rule: v.object(RULE),
  alarm: v.boolean(),
  ended: v.optional(v.string()),
}) satisfies FormOf<ReasonWith<"operation">>;
const OPERATIONS = v.array(v.looseObject({}));
const USE = v.tuple([count, v.pipe(count, v.maxValue(255)), time, v.pipe(v.number(), v.safeInteger())]);

const LIVES = v.strictObject({ since: time, bad: count, brief: count }) satisfies FormOf<Lives>;

const REASONS = v.strictObject({
  ring: v.array(v.union([v.strictObject({ id: count, end: END }), REFUSAL])),
  count,
  alarms: count,
}) satisfies FormOf<Trace["reasons"]>;
const PORT = v.strictObject({
  serial: count,
  frames: OPERATIONS,
  call: v.optional(count),
  callNumber: count,
}) satisfies FormOf<Trace["ports"][number]>;
const COUNTS = v.strictObject({
  machine: count,
  dev: count,
  log: count,
  runs: count,
  calls: count,
}) satisfies FormOf<Trace["counts"]>;
const TRACE = v.strictObject({
  nextId: count,
  counts: COUNTS,
  last: v.array(v.tuple([v.string(), v.strictObject({ time, number: count }) satisfies FormOf<Trace["last"][number][1]>])),
  open: OPERATIONS,
  published: v.array(v.tuple([v.string(), v.looseObject({})])),
  reasons: REASONS,
  ports: v.array(PORT),
}) satisfies FormOf<Trace>;
const ENDS = v.strictObject({
  work: v.map(v.string(), WORK),
  problems: v.map(v.string(), v.strictObject({ message: v.string(), reasons: count }) satisfies FormOf<VmProblem>),
  vmids: v.map(v.string(), count),
  before: v.map(v.string(), count),
  told: v.set(v.string()),
  causes: v.map(count, SAVED_CAUSE),
  panics: v.map(count, v.strictObject({ ...PANIC, then: THEN }) satisfies FormOf<EndedPanic>),
  unshown: v.map(count, v.strictObject({ then: THEN, because: SAVED_UNSHOWN }) satisfies FormOf<UnseenEnd>),
  logs: v.map(count, LOG),
  lives: v.map(v.string(), LIVES),
}) satisfies FormOf<RunMemory["ends"]>;

const MEMORY = v.strictObject({
  trace: TRACE,
  events: v.strictObject({ quiet: EVENTS, busy: EVENTS, unrecorded: UNRECORDED }) satisfies FormOf<RunMemory["events"]>,
  ends: ENDS,
  steps: count,
  uses: v.strictObject({ current: count, uses: v.map(v.string(), USE) }) satisfies FormOf<RunMemory["uses"]>,
}) satisfies FormOf<RunMemory>;

/** Number of values in data, added to `before`; Infinity where it nests too deep: a cycle. */
function valuesIn(value: unknown, depth: number, before: number): number {
  let found = before + 1;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return found;
  if (depth === 0) return Infinity;
  for (const one of Object.values(value)) if ((found = valuesIn(one, depth - 1, found)) > FIELD_VALUES) break;
  return found;
}

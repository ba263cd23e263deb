// Two traces side by side (`el2 trace export F.ndjson`): the first event that differs, its context,
// and the number of events per kind in either. A trace is untrusted input: lines are bounded, and
// an invalid event is reported by its line.

import { LineCutter } from "../../kit/support/text/line-cutter.ts";
import type { EventRow } from "../../model/queries/event-row.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Most bytes of a line. */
const LINE_LIMIT = 1 << 20;
/** Events shown before the first difference, and from it on. */
const BEFORE = 3;
const AFTER = 3;
/**
 * Fields that number events: the same run has other numbers in a trace that begins at another time.
 */
const NUMBERING: ReadonlySet<string> = new Set(["id", "parent"]);
/** Fields that say when and where an event happened, not what it was. */
const TIMES: ReadonlySet<string> = new Set(["t", "end", "pcpu"]);

/** Start of every line of a trace. */
export const TRACE_START = '{"id":"ev:';

/** A file that is not a trace; the message has the place and the error. */
export class TraceError extends UserError {}

/** The place at which two traces differ. */
export interface TraceDifference {
  /** Number of the event in both, from 1. */
  readonly event: number;
  /** Fields that differ; none if one of the traces has ended. */
  readonly fields: readonly string[];
  /** Events before it, which both have. */
  readonly before: readonly EventRow[];
  /** Events from there on. */
  readonly first: readonly EventRow[];
  readonly second: readonly EventRow[];
}

/** The differences of two traces. */
export interface TraceDiff {
  /** How many events each has. */
  readonly events: readonly [number, number];
  /** The first difference, and the first that is not in times alone; undefined without one. */
  readonly difference: TraceDifference | undefined;
  readonly otherEvent: TraceDifference | undefined;
  /** How often each kind is in both, by name. */
  readonly kinds: readonly { readonly kind: string; readonly first: number; readonly second: number }[];
}

/**
 * Compares two traces, event by event.
 * @throws TraceError, or what the system says about a file
 */
export async function diffTraces(firstPath: string, secondPath: string): Promise<TraceDiff> {
  const readers = [readEvents(firstPath), readEvents(secondPath)] as const;
  const kinds = new Map<string, [number, number]>();
  const events: [number, number] = [0, 0];
  const found = [new Finder(new Set()), new Finder(TIMES)] as const;
  for (;;) {
    const rows = [(await readers[0].next()).value, (await readers[1].next()).value] as const;
    if (!rows[0] && !rows[1]) break;
    rows.forEach((row, side) => {
      if (!row) return;
      events[side]++;
      const counts = kinds.get(row.kind) ?? [0, 0];
      counts[side]++;
      kinds.set(row.kind, counts);
    });
    for (const finder of found) finder.compare(rows);
  }
  const byKind = [...kinds].sort(([a], [b]) => a < b ? -1 : 1).map(([kind, [first, second]]) => ({ kind, first, second }));
  return { events, difference: found[0].difference, otherEvent: found[1].difference, kinds: byKind };
}

/** Looks for the first difference in pairs of events, but for some fields. */
class Finder {
  #event = 0;
  #before: EventRow[] = [];
  #found: { event: number; fields: string[]; before: EventRow[]; first: EventRow[]; second: EventRow[] } | undefined;

  constructor(readonly ignored: ReadonlySet<string>) {}

  get difference(): TraceDifference | undefined {
    return this.#found;
  }

  compare([first, second]: readonly [EventRow | undefined, EventRow | undefined]): void {
    this.#event++;
    if (!this.#found) {
      const fields = first && second ? differing(first, second).filter((name) => !this.ignored.has(name)) : [];
      if (first && second && !fields.length) {
        this.#before = [...this.#before, first].slice(-BEFORE);
        return;
      }
      this.#found = { event: this.#event, fields, before: this.#before, first: [], second: [] };
    }
    if (first && this.#found.first.length < AFTER) this.#found.first.push(first);
    if (second && this.#found.second.length < AFTER) this.#found.second.push(second);
  }
}

function differing(first: EventRow, second: EventRow): string[] {
  const names = new Set([...Object.keys(first), ...Object.keys(second)]) as Set<keyof EventRow>;
  return [...names].filter((name) => !NUMBERING.has(name) && JSON.stringify(first[name]) !== JSON.stringify(second[name]));
}

/**
 * The events of a trace, in order.
 * @throws TraceError
 */
async function* readEvents(path: string): AsyncGenerator<EventRow, undefined> {
  let number = 0;
  for await (const line of linesOf(path)) yield eventOf(`${path}:${++number}`, line);
  return undefined;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = await Deno.open(path); // the stream closes it
  const cutter = new LineCutter();
  let lines = 0;
  for await (const text of file.readable.pipeThrough(new TextDecoderStream())) {
    for (const piece of cutter.add(text)) {
      lines++;
      yield piece;
    }
    if (cutter.rest.length > LINE_LIMIT) {
      throw new TraceError(`${path}:${lines + 1}: a line of more than ${LINE_LIMIT} bytes`, "no trace has one");
    }
  }
  if (cutter.rest !== "") throw new TraceError(`${path}:${lines + 1}: the trace is truncated`, "export it again");
}

function eventOf(place: string, line: string): EventRow {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (!isEvent(row)) throw new TraceError(`${place} is not an event of a trace (trace export writes one, FILE.ndjson)`);
  return row;
}

function isEvent(row: unknown): row is EventRow {
  if (typeof row !== "object" || row === null) return false;
  const { id, t, end, kind, name, text } = row as Record<string, unknown>;
  return [id, t, end, kind, name, text].every((field) => typeof field === "string") && /^\d+$/.test(t as string) &&
    /^\d+$/.test(end as string);
}

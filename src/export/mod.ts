// Recorded events in formats of others.

import { perfettoEvent, perfettoStart, perfettoTrack } from "../formats/perfetto.ts";
import type { EventRow } from "../queries/event-row.ts";
import { captureStart, messagePacket, type QueueEnds } from "./message-capture.ts";
import { type Item, Timeline } from "./timeline.ts";

/** Formats of exported traces. */
export const EXPORT_FORMATS = ["perfetto", "chrome", "ndjson", "pcapng"] as const;
export type ExportFormat = typeof EXPORT_FORMATS[number];

/** Events, and what is known of those whom they name. */
export interface Recorded {
  readonly events: readonly EventRow[];
  /** VMIDs by name. */
  readonly vmids: ReadonlyMap<string, number>;
  /** Ends of queues by id. */
  readonly queues: ReadonlyMap<string, QueueEnds>;
}

/** The pieces of a file, in order. */
export function* exportTrace(recorded: Recorded, format: ExportFormat): Generator<Uint8Array> {
  switch (format) {
    case "perfetto":
      return yield* perfetto(new Timeline(recorded.vmids, recorded.events));
    case "chrome":
      return yield* chrome(new Timeline(recorded.vmids, recorded.events));
    case "ndjson":
      for (const event of recorded.events) yield text(`${JSON.stringify(event)}\n`);
      return;
    case "pcapng":
      yield* captureStart();
      for (const event of recorded.events) {
        const packet = messagePacket(event, recorded.queues, recorded.vmids);
        if (packet) yield packet;
      }
  }
}

const text = (value: string) => new TextEncoder().encode(value);

function* perfetto({ tracks, items }: Timeline): Generator<Uint8Array> {
  yield perfettoStart();
  for (const track of tracks) yield perfettoTrack(track);
  const byTrack = Map.groupBy(items, ({ track }) => track);
  for (const one of byTrack.values()) yield* nested(one);
}

/** The slices of one track: an end comes before the next beginning that is not inside. */
function* nested(items: readonly Item[]): Generator<Uint8Array> {
  const open: Item[] = [];
  const close = function* (until: number): Generator<Uint8Array> {
    for (let last = open.at(-1); last && last.end <= until; last = open.at(-1)) {
      open.pop();
      yield perfettoEvent({ type: "end", time: last.end, track: last.track });
    }
  };
  for (const item of items.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    yield* close(item.start);
    const { track, name, category, fields: annotations, start: time, instant } = item;
    yield perfettoEvent({ type: instant ? "instant" : "begin", time, track, name, category, annotations });
    if (!instant) open.push(item);
  }
  yield* close(Infinity);
}

/** Chrome's JSON: processes are VMs, threads are tracks, times are microseconds. */
function* chrome({ tracks, items }: Timeline): Generator<Uint8Array> {
  const pidOf = new Map<number, number>();
  for (const { uuid, parent, pid } of tracks) pidOf.set(uuid, pid ?? (parent === undefined ? 0 : pidOf.get(parent) ?? 0));
  yield text('{"displayTimeUnit":"ns","traceEvents":[\n');
  let between = "";
  const row = (value: object) => {
    const line = text(`${between}${JSON.stringify(value)}`);
    between = ",\n";
    return line;
  };
  for (const { uuid, name, pid } of tracks) {
    const what = pid === undefined ? { name: "thread_name", tid: uuid } : { name: "process_name" };
    yield row({ ph: "M", pid: pidOf.get(uuid), ...what, args: { name } });
  }
  for (const { track, name, category, start, end, instant, fields } of items) {
    const shape = instant ? { ph: "i", s: "t" } : { ph: "X", dur: (end - start) / 1000 };
    yield row({ ...shape, pid: pidOf.get(track), tid: track, ts: start / 1000, name, cat: category, args: Object.fromEntries(fields) });
  }
  yield text("\n]}\n");
}

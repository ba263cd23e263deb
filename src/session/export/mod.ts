// Recorded events in formats of others.

import { putPerfettoEvent, putPerfettoStart, putPerfettoTrack } from "../../kit/formats/perfetto.ts";
import type { EventRow } from "../../model/queries/event-row.ts";
import { captureStart, messagePacket, type QueueEnds } from "./message-capture.ts";
import { type Item, Timeline } from "./timeline.ts";
import { Bytes } from "../../kit/support/values/bytes.ts";
import { KiB } from "../../kit/support/values/sizes.ts";

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

/** Least number of bytes in a piece, except the last one. */
const PIECE = 256 * KiB;

/** The pieces of a file, in order. */
export function* exportTrace(recorded: Recorded, format: ExportFormat): Generator<Uint8Array> {
  const bytes = new Bytes(2 * PIECE);
  for (const _ of written(bytes, recorded, format)) {
    if (bytes.length < PIECE) continue;
    yield bytes.view.slice();
    bytes.clear();
  }
  yield bytes.view.slice();
}

/** Writes a file, and stops after each part of it. */
function* written(bytes: Bytes, recorded: Recorded, format: ExportFormat): Generator<void> {
  switch (format) {
    case "perfetto":
      return yield* perfetto(bytes, new Timeline(recorded.vmids, recorded.events));
    case "chrome":
      for (const line of chrome(new Timeline(recorded.vmids, recorded.events))) yield putString(bytes, line);
      return;
    case "ndjson":
      for (const event of recorded.events) yield putString(bytes, `${JSON.stringify(event)}\n`);
      return;
    case "pcapng":
      for (const block of captureStart()) yield bytes.pushAll(block);
      for (const event of recorded.events) {
        const packet = messagePacket(event, recorded.queues, recorded.vmids);
        if (packet) yield bytes.pushAll(packet);
      }
  }
}

const encoder = new TextEncoder();

function putString(bytes: Bytes, text: string): void {
  bytes.pushAll(encoder.encode(text));
}

function* perfetto(bytes: Bytes, { tracks, items }: Timeline): Generator<void> {
  putPerfettoStart(bytes);
  for (const track of tracks) putPerfettoTrack(bytes, track);
  const byTrack = Map.groupBy(items, ({ track }) => track);
  for (const one of byTrack.values()) yield* nested(bytes, one);
}

/** The slices of one track: an end comes before the next beginning that is not inside. */
function* nested(bytes: Bytes, items: readonly Item[]): Generator<void> {
  const open: Item[] = [];
  const close = (until: number) => {
    for (let last = open.at(-1); last && last.end <= until; last = open.at(-1)) {
      open.pop();
      putPerfettoEvent(bytes, { type: "end", time: last.end, track: last.track });
    }
  };
  for (const item of items.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    close(item.start);
    const { track, name, category, fields: annotations, start: time, instant } = item;
    yield putPerfettoEvent(bytes, { type: instant ? "instant" : "begin", time, track, name, category, annotations });
    if (!instant) open.push(item);
  }
  close(Infinity);
}

/** Chrome's JSON: processes are VMs, threads are tracks, times are microseconds. */
function* chrome({ tracks, items }: Timeline): Generator<string> {
  const pidOf = new Map<number, number>();
  for (const { uuid, parent, pid } of tracks) pidOf.set(uuid, pid ?? (parent === undefined ? 0 : pidOf.get(parent) ?? 0));
  yield '{"displayTimeUnit":"ns","traceEvents":[\n';
  let between = "";
  const row = (value: object) => {
    const line = `${between}${JSON.stringify(value)}`;
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
  yield "\n]}\n";
}

// Writes traces for Perfetto (ui.perfetto.dev): packets of protos/perfetto/trace. Field numbers are
// those of its .proto files.

import { beginMessage, endMessage, putNumber, putText } from "./protobuf.ts";
import type { Bytes } from "../support/values/bytes.ts";

const Trace = { packet: 1 } as const;
const TracePacket = { timestamp: 8, sequence: 10, trackEvent: 11, sequenceFlags: 13, trackDescriptor: 60 } as const;
const TrackDescriptor = { uuid: 1, name: 2, process: 3, parent: 5 } as const;
const ProcessDescriptor = { pid: 1, name: 6 } as const;
const TrackEvent = { annotations: 4, type: 9, track: 11, categories: 22, name: 23 } as const;
const DebugAnnotation = { text: 6, name: 10 } as const;
const EventType = { begin: 1, end: 2, instant: 3 } as const;
/** All packets are of one sequence, which begins with the first. */
const SEQUENCE = 1, INCREMENTAL_STATE_CLEARED = 1;

/** A row of the timeline: a process (with `pid`), or a track below another. */
interface PerfettoTrack {
  readonly uuid: number;
  readonly name: string;
  readonly parent?: number;
  readonly pid?: number;
}

/** An event on a track. Slices of one track nest. */
interface PerfettoEvent {
  readonly type: keyof typeof EventType;
  /** ns. */
  readonly time: number;
  readonly track: number;
  /** Not of ends. */
  readonly name?: string;
  readonly category?: string;
  readonly annotations?: readonly (readonly [name: string, text: string])[];
}

/** Appends the first packet of a trace. */
export function putPerfettoStart(bytes: Bytes): void {
  const packet = beginMessage(bytes, Trace.packet);
  putNumber(bytes, TracePacket.sequenceFlags, INCREMENTAL_STATE_CLEARED);
  endPacket(bytes, packet);
}

/** Declares a track; before its events, and after its parent. */
export function putPerfettoTrack(bytes: Bytes, { uuid, name, parent, pid }: PerfettoTrack): void {
  const packet = beginMessage(bytes, Trace.packet), descriptor = beginMessage(bytes, TracePacket.trackDescriptor);
  putNumber(bytes, TrackDescriptor.uuid, uuid);
  putText(bytes, TrackDescriptor.name, name);
  if (pid !== undefined) {
    const process = beginMessage(bytes, TrackDescriptor.process);
    putNumber(bytes, ProcessDescriptor.pid, pid);
    putText(bytes, ProcessDescriptor.name, name);
    endMessage(bytes, process);
  }
  putNumber(bytes, TrackDescriptor.parent, parent);
  endMessage(bytes, descriptor);
  endPacket(bytes, packet);
}

/** Appends one event; those of a track in the order of time. */
export function putPerfettoEvent(bytes: Bytes, { type, time, track, name, category, annotations = [] }: PerfettoEvent): void {
  const packet = beginMessage(bytes, Trace.packet);
  putNumber(bytes, TracePacket.timestamp, Math.floor(time));
  const event = beginMessage(bytes, TracePacket.trackEvent);
  putNumber(bytes, TrackEvent.type, EventType[type]);
  putNumber(bytes, TrackEvent.track, track);
  putText(bytes, TrackEvent.categories, category);
  putText(bytes, TrackEvent.name, name);
  for (const [note, text] of annotations) {
    const annotation = beginMessage(bytes, TrackEvent.annotations);
    putText(bytes, DebugAnnotation.name, note);
    putText(bytes, DebugAnnotation.text, text);
    endMessage(bytes, annotation);
  }
  endMessage(bytes, event);
  endPacket(bytes, packet);
}

function endPacket(bytes: Bytes, packet: number): void {
  putNumber(bytes, TracePacket.sequence, SEQUENCE);
  endMessage(bytes, packet);
}

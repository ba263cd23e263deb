// Writes traces for Perfetto (ui.perfetto.dev): packets of protos/perfetto/trace. Field numbers are
// those of its .proto files.

import { encodeMessage, type Field, message } from "./protobuf.ts";

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

/** The first bytes of a trace. */
export function perfettoStart(): Uint8Array<ArrayBuffer> {
  return packet([TracePacket.sequenceFlags, INCREMENTAL_STATE_CLEARED]);
}

/** Declares a track; before its events, and after its parent. */
export function perfettoTrack({ uuid, name, parent, pid }: PerfettoTrack): Uint8Array<ArrayBuffer> {
  const process = pid === undefined ? undefined : message([ProcessDescriptor.pid, pid], [ProcessDescriptor.name, name]);
  return packet([
    TracePacket.trackDescriptor,
    message([TrackDescriptor.uuid, uuid], [TrackDescriptor.name, name], [TrackDescriptor.process, process], [
      TrackDescriptor.parent,
      parent,
    ]),
  ]);
}

/** One event; those of a track in the order of time. */
export function perfettoEvent({ type, time, track, name, category, annotations = [] }: PerfettoEvent): Uint8Array<ArrayBuffer> {
  const notes = annotations.map(([note, text]) => message([DebugAnnotation.name, note], [DebugAnnotation.text, text]));
  return packet(
    [TracePacket.timestamp, Math.floor(time)],
    [
      TracePacket.trackEvent,
      message(
        [TrackEvent.type, EventType[type]],
        [TrackEvent.track, track],
        [TrackEvent.categories, category],
        [TrackEvent.name, name],
        [TrackEvent.annotations, notes],
      ),
    ],
  );
}

function packet(...fields: readonly (readonly [number, Field])[]): Uint8Array<ArrayBuffer> {
  return encodeMessage(message([Trace.packet, message(...fields, [TracePacket.sequence, SEQUENCE])]));
}

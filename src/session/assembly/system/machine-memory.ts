// Memory of a machine's parts besides its state, as a session shows it.

import { RING_CAPACITY } from "../../../machine/hypervisor/boot.ts";
import { LOG_CAPACITY } from "../../inspection/trace/event-log.ts";
import type { MemoryUse } from "../../../model/queries/memory-use.ts";
import { BUFFER_CAPACITY } from "../../inspection/trace/trace-buffer.ts";
import { CODE_FACTOR, EVENT_BYTES, type MemoryLimits } from "../../../model/plans/memory-budget.ts";
import type { Inspected } from "../../inspection/readers/inspected.ts";
import type { DebugCore } from "../../../cpu/core/interface.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";

/** Events that are kept without a budget. */
export const EVENTS_KEPT = LOG_CAPACITY + RING_CAPACITY + BUFFER_CAPACITY;

/** Events that the log, readers and `el2 trace` may keep within this many bytes. */
export function traceCapacities(bytes: number): { readonly log: number; readonly readers: number; readonly recorded: number } {
  const part = Math.min(1, bytes / EVENT_BYTES / EVENTS_KEPT);
  return { log: Math.floor(LOG_CAPACITY * part), readers: Math.floor(RING_CAPACITY * part), recorded: Math.floor(BUFFER_CAPACITY * part) };
}

/** Bytes of changes of disks that a state can have: to keep one takes four times as much. */
export const OVERLAID_MAX = 512 * MiB;

const disksText = ({ history }: MemoryLimits) =>
  `changes of disks in mode "overlay"; above ${formatSize(history)} no states are kept for going back, ` +
  `above ${formatSize(OVERLAID_MAX)} none can be saved`;

type Parts = Pick<Inspected, "log" | "traceBuffer" | "hypervisor"> & {
  readonly machine: Machine;
  readonly core: DebugCore;
  readonly overlays: readonly unknown[];
  readonly overlaid: number;
};

/** The parts of one machine. */
export function machineMemory(
  { machine, core, log, traceBuffer, hypervisor, overlays, overlaid }: Parts,
  limits: MemoryLimits,
): MemoryUse[] {
  const events = log.size + traceBuffer.size + hypervisor.trace.kept;
  return [
    { part: "ram", used: machine.map.wasmSize, dropped: 0, what: "guests' RAM and the tables of the core, as configured" },
    {
      part: "code",
      used: core.counters.codeBytes * CODE_FACTOR,
      limit: limits.code,
      dropped: core.counters.translator?.evicted ?? 0,
      what: "translated code; at the limit the oldest regions go",
    },
    {
      part: "traces",
      used: events * EVENT_BYTES,
      limit: limits.traces,
      dropped: log.dropped + traceBuffer.dropped,
      what: "events; at the limit the oldest go",
    },
    ...overlays.length ? [{ part: "disks", used: overlaid, dropped: 0, what: disksText(limits) }] : [],
  ];
}

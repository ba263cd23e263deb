// The log of printk (kernel/printk/printk_ringbuffer.c in the kernel's sources): a ring of
// descriptors, one of what is known about each record, and one of texts. A descriptor's number
// rises for ever; its lowest bits are the place in the ring. Its state is in the two highest bits.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import { type LinuxTables, LOG_LEVELS } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { virtualTimes } from "./clock.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

export type LogRow = RowOf<LinuxTables["linux.log"]>;
/** A record of the ring, which has what records of ramoops may lack. */
export type RingRow = LogRow & { readonly [N in "sequence" | "level" | "facility"]: NonNullable<LogRow[N]> };

const OF = "log";
const STATE_SHIFT = 62n, NUMBER = (1n << STATE_SHIFT) - 1n;
/** States of a record that has its text: it may be continued, or not any more. */
const COMMITTED = 1n, FINALIZED = 2n;
/** Bits of a ring's size: as many as the largest log buffer can have. */
const COUNT_BITS_MAX = 22, TEXT_BITS_MAX = 27;
/** A position with this bit is none: the record has no text. */
const NONE = 1n;
/** Before each text is the number of its descriptor. */
const NUMBER_SIZE = 8n;
/** Bits of a level, and bytes of a text. */
const LEVEL = 7, TEXT_MAX = 0xffff;
const FACILITY_SHIFT = 3;
const CPU_CALLER = 0x8000_0000;
/** The facility of the kernel's own records: those of programs have another. */
const KERNEL = 0;

interface Ring {
  readonly count: bigint;
  readonly descriptors: bigint;
  readonly infos: bigint;
  readonly texts: bigint;
  readonly textBits: bigint;
  /** Numbers of the oldest record and of the latest. */
  readonly first: bigint;
  readonly last: bigint;
}

/** The level and the facility of a priority as syslog writes it. */
export const levelOf = (priority: number | undefined) =>
  priority === undefined ? { level: null, facility: null } : { level: LOG_LEVELS[priority & LEVEL], facility: priority >> FACILITY_SHIFT };

/** The records, the oldest first. */
export function readLog(reading: Reading): RingRow[] {
  const ring = reading.tried(OF, () => ringOf(reading));
  if (!ring) return [];
  const at = virtualTimes(reading);
  return reading.rows(OF, () => numbersIn(ring), (number) => recordOf(reading, ring, number, at));
}

/** Whether a record is the kernel's own: programs can write any words to /dev/kmsg. */
export const isOfKernel = ({ facility }: Pick<LogRow, "facility">): boolean => facility === KERNEL;

/** The kernel's own records, the oldest first. */
export const kernelLog = (reading: Reading): RingRow[] => readLog(reading).filter(isOfKernel);

/** A record that nothing can change any more. */
export interface LogPlace {
  readonly number: bigint;
  readonly t: bigint;
}

/** The records after a place. */
export interface LaterLog {
  /** Whether the ring still has the record there; if not, `rows` are all records. */
  readonly continues: boolean;
  readonly rows: readonly RingRow[];
  /** The last of them that nothing can change any more. */
  readonly place: LogPlace | undefined;
  /** Sequence number of the oldest record in the ring. */
  readonly oldest: number;
}

/**
 * The records after a place up to the first that is not finished, the oldest first: the last ones,
 * if there are more.
 */
export function readLogAfter(reading: Reading, place: LogPlace | undefined, most: number): LaterLog | undefined {
  return reading.tried(OF, () => {
    const ring = ringOf(reading), continues = place !== undefined && timeAt(reading, ring, place.number) === place.t;
    const after = continues ? place.number + 1n & NUMBER : ring.first, isLong = (ring.last - after & NUMBER) >= BigInt(most);
    const numbers = numbersIn({ ...ring, first: isLong ? ring.last - BigInt(most - 1) & NUMBER : after });
    let last = continues ? place : undefined;
    const rows: RingRow[] = [];
    for (const number of last?.number === ring.last ? [] : numbers) {
      reading.spend();
      const state = stateAt(reading, ring, number);
      // Like the kernel's own readers, it waits for a record that is being written.
      if (state !== undefined && state <= COMMITTED) break;
      const t = timeAt(reading, ring, number);
      if (t === undefined) continue;
      const row = reading.tried(OF, () => recordOf(reading, ring, number, () => null));
      if (row) rows.push(row);
      last = { number, t };
    }
    return { continues, rows, place: last, oldest: infoAt(reading, ring, ring.first).number("seq") };
  });
}

const indexOf = (reading: Reading, ring: Ring, number: bigint, type: string) => number % ring.count * BigInt(reading.sizeOf(type));

const infoAt = (reading: Reading, ring: Ring, number: bigint) =>
  reading.struct("printk_info", ring.infos + indexOf(reading, ring, number, "printk_info"));

const descriptorAt = (reading: Reading, ring: Ring, number: bigint) =>
  reading.struct("prb_desc", ring.descriptors + indexOf(reading, ring, number, "prb_desc"));

/** The state of a record; undefined if the ring has another one there. */
function stateAt(reading: Reading, ring: Ring, number: bigint): bigint | undefined {
  const state = descriptorAt(reading, ring, number).big("state_var.counter");
  return (state & NUMBER) === number ? state >> STATE_SHIFT : undefined;
}

/** The time of a record that nothing can change any more; undefined for another one. */
function timeAt(reading: Reading, ring: Ring, number: bigint): bigint | undefined {
  return stateAt(reading, ring, number) === FINALIZED ? infoAt(reading, ring, number).big("ts_nsec") : undefined;
}

function ringOf(reading: Reading): Ring {
  const ring = reading.struct("printk_ringbuffer", reading.memory.u64(reading.address("prb")));
  const countBits = ring.number("desc_ring.count_bits"), textBits = ring.number("text_data_ring.size_bits");
  if (countBits > COUNT_BITS_MAX || textBits > TEXT_BITS_MAX) {
    throw new BadMemory("invalid", "sizes of the log's rings are too large", ring.address);
  }
  return {
    count: 1n << BigInt(countBits),
    descriptors: ring.pointer("desc_ring.descs"),
    infos: ring.pointer("desc_ring.infos"),
    texts: ring.pointer("text_data_ring.data"),
    textBits: BigInt(textBits),
    first: ring.big("desc_ring.tail_id.counter") & NUMBER,
    last: ring.big("desc_ring.head_id.counter") & NUMBER,
  };
}

/** The records' numbers, the oldest first. */
function* numbersIn({ count, first, last }: Ring): Generator<bigint> {
  for (let number = first, left = count; left > 0n; number = number + 1n & NUMBER, left--) {
    yield number;
    if (number === last) return;
  }
}

function recordOf(reading: Reading, ring: Ring, number: bigint, at: ReturnType<typeof virtualTimes>): RingRow | undefined {
  const descriptor = descriptorAt(reading, ring, number), state = stateAt(reading, ring, number);
  if (state !== COMMITTED && state !== FINALIZED) return undefined;
  const info = infoAt(reading, ring, number);
  const begin = descriptor.big("text_blk_lpos.begin"), next = descriptor.big("text_blk_lpos.next");
  const sequence = info.number("seq"), caller = info.number("caller_id"), t = info.big("ts_nsec");
  return {
    id: formatId({ kind: "log", vm: reading.vm, number: sequence }),
    vm: vmId(reading.vm),
    record: null,
    sequence,
    t: String(t),
    at: at(t),
    level: LOG_LEVELS[info.number("level") & LEVEL],
    facility: info.number("facility"),
    caller: caller === 0 ? null : caller >= CPU_CALLER ? `C${caller - CPU_CALLER}` : `T${caller}`,
    device: deviceOf(info),
    text: textIn(reading, ring, begin, next, info.number("text_len")),
  };
}

function deviceOf(info: Struct): string | null {
  const subsystem = info.text("dev_info.subsystem"), device = info.text("dev_info.device");
  return subsystem === "" ? null : device === "" ? subsystem : `${subsystem} ${device}`;
}

/** A text is in one piece: one that would cross the ring's end is at its start. */
function textIn(reading: Reading, { texts, textBits }: Ring, begin: bigint, next: bigint, length: number): string {
  if (begin & NONE || next & NONE || begin === next) return "";
  const mask = (1n << textBits) - 1n, end = next & mask;
  const wraps = begin >> textBits !== next >> textBits && end !== 0n;
  const start = wraps ? 0n : begin & mask, room = (end === 0n ? mask + 1n : end) - start - NUMBER_SIZE;
  if (room < 0n) throw new BadMemory("invalid", "a text of the log ends before it begins", texts + start);
  return reading.memory.textIn(texts + start + NUMBER_SIZE, Math.min(length, Number(room), TEXT_MAX));
}

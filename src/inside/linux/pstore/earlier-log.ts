// The log of a boot before this one, from a region of ramoops: where a kernel has it, and the rows
// of its records. A panic is in the dump and in the console's text; both become one log.

import type { Gap } from "../../../model/queries/facts/gap.ts";
import { formatId, vmId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Work } from "../../../kit/support/values/work.ts";
import type { PhysicalMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { cellsOf, reservedNodes } from "../structures/devicetree.ts";
import { levelOf, type LogRow, readLog, type RingRow } from "../structures/log.ts";
import { type PstoreLine, type PstoreRecord, type RamoopsRegion, readRamoops } from "./ramoops.ts";
import { takenConsole } from "./taken-console.ts";

const OF = "ramoops";
const NS_PER_US = 1000n;
/** Bits of a cell of a devicetree. */
const CELL = 2 ** 32;
/** The driver's parameters on a command line. */
const PARAMETERS = /(?:^| )ramoops\.(mem_address|mem_size|ecc)=(0x[0-9a-f]{1,13}|\d{1,16})(?= |$)/gi;

/** A region, and whether its bytes have codes that correct errors. */
interface KernelRegion extends RamoopsRegion {
  readonly corrects: boolean;
}

/** A line with its record. */
interface Kept extends PstoreLine {
  readonly record: string;
  readonly number: number;
}

/** A kernel's log: the records that ramoops has of boots before it, and those of its own ring. */
export function readLogs(reading: Reading): LogRow[] {
  const { vm, memory } = reading, source = { memory: memory.physical, work: memory.work, failed: (gap: Gap) => reading.gap(gap) };
  const ring = readLog(reading),
    regions = reading.tried(OF, () => regionsOf(reading)) ?? [],
    rows = regions.flatMap((region) => {
      if (region.corrects) reading.gap({ code: "uncorrected", of: OF });
      return reading.tried(OF, () => {
        const records = recordsIn(region, source), taken = reading.tried(OF, () => takenConsole(reading, region));
        if (!taken) return rowsOf(vm, records, memory.work, ring);
        // The zone has the console's text of this boot by now.
        const dumps = records.filter(({ dump }) => dump), own = records.filter(({ dump }) => !dump);
        return [...rowsOf(vm, [...dumps, taken], memory.work, ring), ...rowsOf(vm, own, memory.work, ring)];
      }) ?? [];
    });
  return [...rows, ...ring];
}

/** The memory of a region, the steps that may be taken, and what is done with a gap. */
interface Source {
  readonly memory: PhysicalMemory;
  readonly work: Work;
  readonly failed: (gap: Gap) => void;
}

/** The rows of a region that no kernel names. */
export function readRegion(vm: string, region: RamoopsRegion, source: Source): LogRow[] {
  return rowsOf(vm, recordsIn(region, source), source.work, []);
}

function recordsIn(region: RamoopsRegion, { memory, work, failed }: Source): PstoreRecord[] {
  return readRamoops(memory, region, work, ({ code, what, address }) => failed({ code, of: OF, what, address: hex(address) }));
}

/** The regions by the devicetree, or else by the command line. */
function regionsOf(reading: Reading): KernelRegion[] {
  if (reading.kernel.find(reading.memory, "of_root") !== undefined && reading.hasType("device_node")) {
    const regions = reading.tried(OF, () =>
      [...reservedNodes(reading, "ramoops")].flatMap(({ properties, cells }) => {
        const reg = cellsOf(properties.get("reg")),
          wide = (at: number, count: number) => reg.slice(at, at + count).reduce((sum, one) => CELL * sum + one, 0);
        const region = { base: wide(0, cells.address), size: wide(cells.address, cells.size) };
        return reg.length < cells.address + cells.size ? [] : [{ ...region, corrects: (cellsOf(properties.get("ecc-size"))[0] ?? 0) > 0 }];
      }));
    if (regions?.length) return regions;
  }
  if (reading.kernel.find(reading.memory, "saved_command_line") === undefined) return [];
  const given = new Map(
    Array.from((reading.commandLine() ?? "").matchAll(PARAMETERS), ([, name, value]) => [name.toLowerCase(), Number(value)]),
  );
  const base = given.get("mem_address"), size = given.get("mem_size");
  return base === undefined || size === undefined ? [] : [{ base, size, corrects: (given.get("ecc") ?? 0) > 0 }];
}

/** Of records of several boots: the console's last, and dumps by their time of day. */
function rowsOf(vm: string, records: readonly PstoreRecord[], work: Work, ring: readonly RingRow[]): LogRow[] {
  const own = new Set(ring.map(({ t, text }) => keyOf(BigInt(t), text)));
  work.spend(ring.length);
  return boots(records, work).flatMap((lines) => {
    work.spend(lines.length);
    // This boot's own log is in its ring, as far as that reaches.
    const last = lines.at(-1), isOwn = last && own.has(keyOf(last.t, last.text));
    return isOwn ? lines.filter(({ t, text }) => !own.has(keyOf(t, text))) : lines;
  }).map((line) => rowOf(vm, line));
}

/** A line of the ring and of a record: records have whole microseconds. */
const keyOf = (t: bigint, text: string): string => `${t / NS_PER_US} ${text}`;

function boots(records: readonly PstoreRecord[], work: Work): Kept[][] {
  const console = records.filter(({ dump }) => !dump).flatMap(keptOf), logs: Kept[][] = [];
  const shown = new Set(console.map(({ t, text }) => keyOf(t, text)));
  let merged: readonly Kept[] = [];
  for (const dump of dumpsIn(records)) {
    work.spend(dump.length);
    const last = dump.at(-1);
    if (last && shown.has(keyOf(last.t, last.text))) merged = [...merged, ...dump];
    else logs.push(dump);
  }
  // A dump has the level of each line, and lines that the console has not shown.
  const known = new Set(merged.map(({ t, text }) => keyOf(t, text)));
  const one = [...merged, ...console.filter(({ t, text }) => !known.has(keyOf(t, text)))];
  return [...logs, merged.length ? one.sort((a, b) => Number(a.t - b.t)) : one];
}

const keptOf = ({ name, lines }: PstoreRecord): Kept[] => lines.map((line, number) => ({ ...line, record: name, number }));

/** The lines of each dump in their order: its parts begin with the latest. */
function dumpsIn(records: readonly PstoreRecord[]): Kept[][] {
  const parts = records.flatMap((record) => record.dump ? [{ record, ...record.dump }] : []).sort((a, b) =>
    a.time - b.time || a.part - b.part
  );
  const dumps: Kept[][][] = [];
  for (const { record, part } of parts) {
    if (part === 1 || dumps.length === 0) dumps.push([]);
    dumps.at(-1)?.unshift(keptOf(record));
  }
  return dumps.map((one) => one.flat());
}

function rowOf(vm: string, { t, priority, caller, text, record, number }: Kept): LogRow {
  return {
    id: formatId({ kind: "log", vm, number, name: record }),
    vm: vmId(vm),
    record,
    sequence: null,
    t: String(t),
    at: null,
    ...levelOf(priority),
    caller,
    device: null,
    text,
  };
}

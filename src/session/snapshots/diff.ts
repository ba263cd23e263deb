// Two snapshots side by side: their visible objects, one by one; the pages of their RAM; and every
// other field of their states, so that no difference goes unreported.

import { Buffer } from "node:buffer";
import type { Stage2Table } from "../../cpu/core/interface.ts";
import { node } from "../../kit/support/node-modules.ts";
import { ArchiveError } from "../../machine/hardware/archive.ts";
import type { GuestSystem } from "../assembly/system/guest-system.ts";
import { ipaId, paId, vmId } from "../../model/queries/ids.ts";
import type { Json, Row, Table } from "../../model/queries/table.ts";
import { listQuery, type Query } from "../../model/queries/query.ts";
import { TABLES } from "../../model/queries/tables.ts";
import { assembleFrom } from "./begin.ts";
import type { Snapshot, SnapshotHeader } from "./file.ts";
import { bare, type SessionPlan } from "../../model/plans/plan.ts";
import type { PageMap } from "../state/page-map.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { problemOf } from "../../kit/support/problem.ts";

/** A difference in one object: a field of it, or its existence. */
export interface Difference {
  /** Id of an object (`vcpu:rt/0`, `reg:rt/0/x3`), or the path of a field. */
  readonly id: string;
  /**
   * Field of the object; null if one of the two has no such object, or the path is sufficient.
   */
  readonly field: string | null;
  /** As JSON has it; `ABSENT` for a missing one. */
  readonly first: Json;
  readonly second: Json;
}

/** A part that one of the two lacks. */
export const ABSENT = "(none)";

/** Differences of a kind. */
interface DifferenceGroup {
  /** The compared part: a table, `plan` or `state`. */
  readonly name: string;
  /** Things that differ, and things that were compared. */
  readonly differ: number;
  readonly of: number;
  /** The first of the differences. */
  readonly rows: readonly Difference[];
}

/** Pages that differ, of one VM or of several that share them. */
interface PageGroup {
  /** Empty where no VM has them mapped. */
  readonly vms: readonly string[];
  readonly pages: number;
  /**
   * The first byte that differs: `ipa:VM/ADDRESS` for each VM, its physical address, and what it is
   * in both.
   */
  readonly ipas: readonly string[];
  readonly pa: string;
  readonly first: number;
  readonly second: number;
}

/** The differences of two snapshots. */
export interface SnapshotDiff {
  readonly headers: readonly [SnapshotHeader, SnapshotHeader];
  readonly equal: boolean;
  readonly groups: readonly DifferenceGroup[];
  readonly memory: { readonly differ: number; readonly of: number; readonly places: readonly PageGroup[] };
}

/**
 * Tables whose rows are compared. The others are about the past, or say the same in another way.
 */
const COMPARED = [
  "vm.ls",
  "vcpu.ls",
  "vcpu.regs",
  "irq.ls",
  "caps.ls",
  "obj.ls",
  "mem.parcels",
  "mem.map",
  "mem.limits",
  "queue.ls",
] as const;
type ComparedTable = typeof COMPARED[number];

/** A snapshot's file, and the plan of its machine. */
export interface PlannedSnapshot {
  readonly path: string;
  readonly plan: SessionPlan;
  readonly snapshot: Pick<Snapshot, "header" | "state">;
}

/** A snapshot, taken apart. */
interface Parts {
  readonly header: SnapshotHeader;
  readonly plan: ReadonlyMap<string, Json>;
  readonly tables: ReadonlyMap<ComparedTable, ReadonlyMap<string, Row>>;
  readonly fields: ReadonlyMap<string, Json | Uint8Array>;
  readonly pages: PageMap;
  readonly mapped: readonly Mapped[];
}

/** Mappings of a VM: runs of physical pages. */
interface Mapped {
  readonly vm: string;
  readonly runs: readonly { readonly ipa: number; readonly pa: number; readonly size: number }[];
}

/**
 * Compares two snapshots. Machines are made of both, one after the other.
 * @param limit differences of each kind that are given; all are counted
 * @throws ArchiveError that says which of the two cannot be loaded and why
 */
export function diffSnapshots(
  first: PlannedSnapshot,
  second: PlannedSnapshot,
  limit: number,
): SnapshotDiff {
  const [a, b] = [partsOf(first), partsOf(second)];
  const groups = [
    compareFields("plan", a.plan, b.plan, limit),
    ...COMPARED.map((name) => compareRows(TABLES[name], a.tables.get(name)!, b.tables.get(name)!, limit)),
    compareFields("state", a.fields, b.fields, limit),
  ];
  const memory = comparePages(a, b, limit);
  const equal = memory.differ === 0 && groups.every(({ differ }) => differ === 0);
  return { headers: [a.header, b.header], equal, groups, memory };
}

function partsOf({ path, plan, snapshot: { header, state } }: PlannedSnapshot): Parts {
  const fields = new Map<string, Json | Uint8Array>();
  let system: GuestSystem;
  try {
    system = assembleFrom(plan);
    system.load(state, false, (name, value) => {
      let key = name;
      for (let more = 2; fields.has(key); more++) key = `${name} (${more})`;
      fields.set(key, value instanceof Uint8Array ? value.slice() : typeof value === "bigint" ? hex(value) : value);
    });
  } catch (error) {
    if (error instanceof ArchiveError) throw new ArchiveError(problemOf(error, path));
    throw error;
  }
  try {
    const tables = new Map(COMPARED.map((name) => [name, rowsOf(system, name)] as const));
    const mapped = [...system.hypervisor.addressSpaces.values()].map((space) => ({
      vm: system.hypervisor.names.vm(space.vmid),
      runs: runsOf(space.stage2),
    }));
    return { header, plan: new Map(leaves("", bare(plan))), tables, fields, pages: state.pages, mapped };
  } finally {
    system.outside.close();
  }
}

function rowsOf(system: Pick<GuestSystem, "inspector">, table: ComparedTable): ReadonlyMap<string, Row> {
  const ask = (query: Query) => {
    const { error, rows } = system.inspector.answer(query);
    if (error !== undefined) throw new Error(`${table}: ${error}`);
    return rows;
  };
  const rows = table === "vcpu.regs"
    ? ask({ table: "vcpu.ls", args: {} }).flatMap(({ id }) => ask({ table, args: { vcpu: id } }))
    : ask(listQuery(table, {}));
  return new Map(rows.map((row) => [row.id, row]));
}

/** Ascending by physical address. */
function runsOf(stage2: Stage2Table): Mapped["runs"] {
  return [...stage2.entries()].map(({ ipa, pa, size }) => ({ ipa, pa, size })).sort((a, b) => a.pa - b.pa);
}

/** Parts of plain data by path; bytes as their length and content. */
function* leaves(path: string, value: unknown): Generator<[string, Json]> {
  if (value instanceof Uint8Array) {
    yield [path, `${value.length} bytes, SHA-256 ${node.crypto.createHash("sha256").update(value).digest("hex")}`];
  } else if (typeof value === "object" && value !== null) {
    for (const [name, part] of Object.entries(value)) yield* leaves(path === "" ? name : `${path}.${name}`, part);
  } else if (value !== undefined) yield [path, typeof value === "bigint" ? hex(value) : value as Json];
}

/** Rows of both, by id: fields that differ, but for rates, which are of who looks. */
function compareRows(table: Table, first: ReadonlyMap<string, Row>, second: ReadonlyMap<string, Row>, limit: number): DifferenceGroup {
  const columns = Object.entries(table.columns).filter(([, { kind }]) => kind !== "rate" && kind !== "share").map(([name]) => name);
  const rows: Difference[] = [];
  let differ = 0;
  const ids = new Set([...first.keys(), ...second.keys()]);
  for (const id of ids) {
    const a = first.get(id), b = second.get(id);
    const found: Difference[] = [];
    if (!a || !b) found.push({ id, field: null, first: a ? "there" : ABSENT, second: b ? "there" : ABSENT });
    else {
      for (const field of columns) {
        if (JSON.stringify(a[field]) !== JSON.stringify(b[field])) found.push({ id, field, first: a[field], second: b[field] });
      }
    }
    if (found.length) differ++;
    for (const one of found.slice(0, limit - rows.length)) rows.push(one);
  }
  return { name: table.name, differ, of: ids.size, rows };
}

/** Values of both, by path. */
function compareFields(
  name: string,
  first: ReadonlyMap<string, Json | Uint8Array>,
  second: ReadonlyMap<string, Json | Uint8Array>,
  limit: number,
): DifferenceGroup {
  const rows: Difference[] = [];
  let differ = 0;
  const paths = new Set([...first.keys(), ...second.keys()]);
  for (const id of paths) {
    const a = first.get(id), b = second.get(id);
    if (equalValues(a, b)) continue;
    differ++;
    if (rows.length >= limit) continue;
    const from = a instanceof Uint8Array && b instanceof Uint8Array ? firstDifference(a, b) : 0;
    rows.push({ id, field: null, first: valueOf(a, from), second: valueOf(b, from) });
  }
  return { name, differ, of: paths.size, rows };
}

function equalValues(a: Json | Uint8Array | undefined, b: Json | Uint8Array | undefined): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : Object.is(a, b);
}

/** Bytes of a field that are shown. */
const SHOWN_BYTES = 16;

function valueOf(value: Json | Uint8Array | undefined, from: number): Json {
  if (value === undefined) return ABSENT;
  if (!(value instanceof Uint8Array)) return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  const end = Math.min(value.length, from + SHOWN_BYTES);
  return `${value.length} bytes, from byte ${from}: ${value.subarray(from, end).toHex()}${end < value.length ? ".." : ""}`;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

const ZERO_PAGE = new Uint8Array(PAGE_SIZE);

/** Pages by content, reported by the VMs that map them. */
function comparePages(first: Parts, second: Parts, limit: number): SnapshotDiff["memory"] {
  const numbers = [...new Set([...first.pages, ...second.pages].map(([page]) => page))].sort((a, b) => a - b);
  const places = new Map<string, { -readonly [N in keyof PageGroup]: PageGroup[N] }>();
  let differ = 0;
  for (const number of numbers) {
    const [a, b] = [first, second].map(({ pages }) => pages.get(number)?.bytes ?? ZERO_PAGE);
    if (Buffer.compare(a, b) === 0) continue;
    differ++;
    // A page that only one of them has mapped is of who has it there.
    const owners = ownersOf(first.mapped, number * PAGE_SIZE);
    const found = owners.length ? owners : ownersOf(second.mapped, number * PAGE_SIZE);
    const vms = found.map(({ vm }) => vmId(vm));
    const known = places.get(vms.join());
    if (known) known.pages++;
    else {
      const at = firstDifference(a, b);
      places.set(vms.join(), {
        vms,
        pages: 1,
        ipas: found.map(({ vm, ipa }) => ipaId(vm, ipa + at)),
        pa: paId(number * PAGE_SIZE + at),
        first: a[at],
        second: b[at],
      });
    }
  }
  return { differ, of: numbers.length, places: [...places.values()].slice(0, limit) };
}

/** The VMs that have a physical page mapped, and where. */
function ownersOf(mapped: readonly Mapped[], pa: number): { readonly vm: string; readonly ipa: number }[] {
  return mapped.flatMap(({ vm, runs }) => {
    const run = lastUpTo(runs, pa);
    return run && pa < run.pa + run.size ? [{ vm, ipa: run.ipa + pa - run.pa }] : [];
  });
}

/** The last run that begins at an address or before it. */
function lastUpTo(runs: Mapped["runs"], pa: number): Mapped["runs"][number] | undefined {
  let low = 0, high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (runs[middle].pa <= pa) low = middle + 1;
    else high = middle;
  }
  return runs[low - 1];
}

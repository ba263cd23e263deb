// Lists of address ranges and of locations (DWARF 5, sections 2.17.3, 2.6.2, 7.25 and 7.29;
// before version 5: .debug_ranges and .debug_loc).

import { Attribute } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { DebugEntry, Unit } from "./entries.ts";
import type { Value } from "./forms.ts";
import type { Work } from "../../support/values/work.ts";

/** Addresses; `end` is not included. */
export interface AddressRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** Puts ranges in the order of their start. */
export function sortByStart<R extends AddressRange>(ranges: R[]): R[] {
  return ranges.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
}

/** The range that has an address, of ranges in the order of their start. */
export function rangeAt<R extends AddressRange>(ranges: readonly R[], address: bigint): R | undefined {
  let low = 0, high = ranges.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (ranges[middle].start <= address) low = middle + 1;
    else high = middle;
  }
  const found = ranges[low - 1];
  return found && address < found.end ? found : undefined;
}

/** A DWARF expression, and where it holds. */
interface RangedExpression extends AddressRange {
  readonly expression: Uint8Array;
}

/** Kinds of entries of version 5: DW_RLE and DW_LLE differ in one, which only locations have. */
const ListEntry = {
  End: 0,
  BaseIndex: 1,
  IndexIndex: 2,
  IndexLength: 3,
  Offsets: 4,
  /** DW_LLE_default_location; DW_RLE_base_address. */
  DefaultOrBase: 5,
  /** DW_LLE_base_address; DW_RLE_start_end. */
  BaseOrStartEnd: 6,
  /** DW_LLE_start_end; DW_RLE_start_length. */
  StartEndOrLength: 7,
  /** DW_LLE_start_length. */
  StartLength: 8,
} as const;
const EVERYWHERE: AddressRange = { start: 0n, end: 1n << 64n };
const ALL_ONES = (1n << 64n) - 1n;

/**
 * The addresses of an entry's code.
 * @param work counts ranges: many entries may name one long list
 * @throws DwarfError
 */
export function* rangesOf({ unit, values }: DebugEntry, work: Work): Generator<AddressRange> {
  const ranges = values.get(Attribute.Ranges);
  if (ranges) {
    const at = unit.listAt(ranges);
    if (at !== undefined) yield* listAt(unit, at, false, work);
    return;
  }
  work.spend();
  const start = unit.address(values.get(Attribute.LowPc)), high = values.get(Attribute.HighPc);
  if (start === undefined || high === undefined) return;
  const end = high.kind === "constant" ? start + high.value : unit.address(high);
  if (end !== undefined && end > start) yield { start, end };
}

/**
 * The expression of a location that holds at an address; undefined: none does.
 * @param work counts parts of lists
 * @throws DwarfError
 */
export function expressionAt(unit: Unit, value: Value | undefined, address: bigint, work: Work): Uint8Array | undefined {
  if (value?.kind === "block") return value.bytes;
  const at = unit.listAt(value);
  if (at === undefined) return undefined;
  for (const { start, end, expression } of listAt(unit, at, true, work)) if (address >= start && address < end) return expression;
  return undefined;
}

/** A list while it is read. */
interface List {
  readonly unit: Unit;
  readonly cursor: Cursor;
  /** The address that offsets count from. */
  base: bigint;
  /** Where an address of the file is. */
  readonly moved: (address: bigint) => bigint;
}

function* listAt(unit: Unit, at: number, locations: boolean, work: Work): Generator<RangedExpression> {
  const five = unit.version >= 5;
  const name = five ? locations ? ".debug_loclists" : ".debug_rnglists" : locations ? ".debug_loc" : ".debug_ranges";
  const cursor = new Cursor(unit.sections.bytes(name), name, at);
  const list: List = {
    unit,
    cursor,
    base: unit.address(unit.root.values.get(Attribute.LowPc)) ?? unit.sections.moved,
    moved: (address) => address + unit.sections.moved,
  };
  const size = () => !locations ? 0 : five ? cursor.count() : cursor.u16();
  for (;;) {
    work.spend();
    const range = five ? part5(list, locations) : part4(list);
    if (range === "end") return;
    if (range !== "base") yield { start: range.start, end: range.end, expression: cursor.block(size()) };
  }
}

/** A part of a list: a range, or the end, or a new base. */
type ListPart = AddressRange | "end" | "base";

function part4(list: List): ListPart {
  const { cursor, base } = list, start = cursor.u64(), end = cursor.u64();
  if (start === 0n && end === 0n) return "end";
  if (start !== ALL_ONES) return { start: base + start, end: base + end };
  list.base = list.moved(end);
  return "base";
}

function part5(list: List, locations: boolean): ListPart {
  const read = list.cursor.u8();
  // From here on the numbers of ranges are those of locations less one.
  const kind = !locations && read >= ListEntry.DefaultOrBase ? read + 1 : read;
  return PARTS[kind]?.(list) ?? "end";
}

const PARTS: Readonly<Record<number, (list: List) => ListPart>> = {
  [ListEntry.BaseIndex]: (list) => {
    list.base = list.unit.addressAt(list.cursor.count());
    return "base";
  },
  [ListEntry.IndexIndex]: ({ unit, cursor }) => {
    const start = unit.addressAt(cursor.count());
    return { start, end: unit.addressAt(cursor.count()) };
  },
  [ListEntry.IndexLength]: ({ unit, cursor }) => {
    const start = unit.addressAt(cursor.count());
    return { start, end: start + cursor.uleb() };
  },
  [ListEntry.Offsets]: ({ cursor, base }) => {
    const start = base + cursor.uleb();
    return { start, end: base + cursor.uleb() };
  },
  [ListEntry.DefaultOrBase]: () => EVERYWHERE,
  [ListEntry.BaseOrStartEnd]: (list) => {
    list.base = list.moved(list.cursor.u64());
    return "base";
  },
  [ListEntry.StartEndOrLength]: ({ cursor, moved }) => {
    const start = moved(cursor.u64());
    return { start, end: moved(cursor.u64()) };
  },
  [ListEntry.StartLength]: ({ cursor, moved }) => {
    const start = moved(cursor.u64());
    return { start, end: start + cursor.uleb() };
  },
};

// Lists of address ranges and of locations (DWARF 5, sections 2.17.3, 2.6.2, 7.25 and 7.29;
// before version 5: .debug_ranges and .debug_loc).

import { Attribute } from "./constants.ts";
import { Cursor } from "./cursor.ts";
import type { Entry, Unit, Value } from "./entries.ts";

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

/** The addresses of an entry's code. */
export function rangesOf(entry: Entry): AddressRange[] {
  const { unit, values } = entry;
  const ranges = values.get(Attribute.Ranges);
  if (ranges) {
    const at = unit.listAt(ranges);
    if (at === undefined) return [];
    return unit.version >= 5 ? [...list5(unit, at, false)] : [...list4(unit, at, false)];
  }
  const start = unit.address(values.get(Attribute.LowPc)), high = values.get(Attribute.HighPc);
  if (start === undefined || high === undefined) return [];
  const end = high.kind === "constant" ? start + high.value : unit.address(high);
  return end !== undefined && end > start ? [{ start, end }] : [];
}

/** The expression of a location that holds at an address; undefined: none does. */
export function expressionAt(unit: Unit, value: Value | undefined, address: bigint): Uint8Array | undefined {
  if (value?.kind === "block") return value.bytes;
  const at = unit.listAt(value);
  if (at === undefined) return undefined;
  const list = unit.version >= 5 ? list5(unit, at, true) : list4(unit, at, true);
  for (const { start, end, expression } of list) if (address >= start && address < end) return expression;
  return undefined;
}

function* list4(unit: Unit, at: number, locations: boolean): Generator<RangedExpression> {
  const name = locations ? ".debug_loc" : ".debug_ranges";
  const cursor = new Cursor(unit.sections.bytes(name), name, at);
  let base = unit.address(unit.root.values.get(Attribute.LowPc)) ?? 0n;
  for (;;) {
    const start = cursor.u64(), end = cursor.u64();
    if (start === 0n && end === 0n) return;
    if (start === ALL_ONES) base = end;
    else yield { start: base + start, end: base + end, expression: cursor.block(locations ? cursor.u16() : 0) };
  }
}

function* list5(unit: Unit, at: number, locations: boolean): Generator<RangedExpression> {
  const name = locations ? ".debug_loclists" : ".debug_rnglists";
  const cursor = new Cursor(unit.sections.bytes(name), name, at);
  let base = unit.address(unit.root.values.get(Attribute.LowPc)) ?? 0n;
  const expression = () => cursor.block(locations ? cursor.count() : 0);
  for (;;) {
    const read = cursor.u8();
    // From here on the numbers of ranges are those of locations less one.
    const kind = !locations && read >= ListEntry.DefaultOrBase ? read + 1 : read;
    switch (kind) {
      case ListEntry.BaseIndex:
        base = unit.addressAt(cursor.count());
        break;
      case ListEntry.IndexIndex: {
        const start = unit.addressAt(cursor.count()), end = unit.addressAt(cursor.count());
        yield { start, end, expression: expression() };
        break;
      }
      case ListEntry.IndexLength: {
        const start = unit.addressAt(cursor.count());
        yield { start, end: start + cursor.uleb(), expression: expression() };
        break;
      }
      case ListEntry.Offsets: {
        const start = base + cursor.uleb();
        yield { start, end: base + cursor.uleb(), expression: expression() };
        break;
      }
      case ListEntry.DefaultOrBase:
        yield { ...EVERYWHERE, expression: expression() };
        break;
      case ListEntry.BaseOrStartEnd:
        base = cursor.u64();
        break;
      case ListEntry.StartEndOrLength: {
        const start = cursor.u64();
        yield { start, end: cursor.u64(), expression: expression() };
        break;
      }
      case ListEntry.StartLength: {
        const start = cursor.u64();
        yield { start, end: start + cursor.uleb(), expression: expression() };
        break;
      }
      default:
        return;
    }
  }
}

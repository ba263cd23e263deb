// Allocation of a VM's intermediate physical addresses (docs/spec/resource-manager.md §3.2, §3.11):
// first fit above the taken ranges, or exactly the requested range. A VM that is mapped directly
// (the primary) takes IPA = PA only.

import { asIpa, type Ipa } from "../../abi/numbers.ts";
import { firstIndex } from "../../../kit/support/values/in-order.ts";

/** A range of addresses, bytes. */
export interface AddressRange {
  readonly base: Ipa;
  readonly size: number;
}

/** Addresses in use: plain data. */
export interface Addresses {
  /** Addresses below this one exist. */
  readonly limit: number;
  /** Taken ranges in ascending order; they do not overlap, and adjacent ranges are merged. */
  taken: AddressRange[];
  /** Ranges that automatic placement avoids and explicit placement may use (IPA_RESERVE). */
  reserved: AddressRange[];
}

/** Addresses of a VM below `limit`, all free. */
export function addresses(limit: number): Addresses {
  return { limit, taken: [], reserved: [] };
}

function overlaps(a: AddressRange, b: AddressRange): boolean {
  return a.base < b.base + b.size && b.base < a.base + a.size;
}

/** Index of the first taken range that ends above `address`. */
function position({ taken }: Addresses, address: Ipa): number {
  return firstIndex(taken.length, (index) => taken[index].base + taken[index].size > address);
}

/**
 * Takes exactly this range. False if the range is empty, or a part of it is taken or outside of the
 * address space.
 */
export function takeRange(from: Addresses, range: AddressRange): boolean {
  if (range.size <= 0 || range.base < 0 || range.base + range.size > from.limit) return false;
  const { taken } = from;
  const at = position(from, range.base);
  const before: AddressRange | undefined = taken[at - 1], next: AddressRange | undefined = taken[at];
  if (next !== undefined && overlaps(next, range)) return false;
  const joinsBefore = before !== undefined && before.base + before.size === range.base;
  const joinsNext = next !== undefined && range.base + range.size === next.base;
  const base = joinsBefore ? before.base : range.base;
  const end = joinsNext ? next.base + next.size : range.base + range.size;
  taken.splice(at - Number(joinsBefore), Number(joinsBefore) + Number(joinsNext), { base, size: end - base });
  return true;
}

/**
 * Takes the lowest range of `size` bytes whose base is a multiple of `alignment`.
 * @param window where the range must begin; everywhere when absent.
 * @returns its base, or undefined when nothing fits.
 */
export function allocateRange(from: Addresses, size: number, alignment: number, window?: AddressRange): Ipa | undefined {
  if (size <= 0) return undefined;
  const { taken, reserved } = from;
  const blocked = reserved.length === 0 ? taken : [...taken, ...reserved].sort((a, b) => a.base - b.base);
  const align = (value: number) => asIpa(Math.ceil(value / alignment) * alignment);
  const last = window === undefined ? from.limit : window.base + window.size;
  let base = align(window?.base ?? 0);
  for (const range of blocked) {
    if (range.base >= base + size) break;
    if (range.base + range.size > base) base = align(range.base + range.size);
  }
  if (base >= last) return undefined;
  return takeRange(from, { base, size }) ? base : undefined;
}

/** Frees the taken parts of a range. The rest of a larger taken range stays taken. */
export function freeRange(from: Addresses, range: AddressRange): void {
  if (range.size <= 0) return;
  const end = range.base + range.size;
  const at = position(from, range.base);
  let after = at;
  while (after < from.taken.length && from.taken[after].base < end) after++;
  const rests = from.taken.slice(at, after).flatMap((taken) => [
    { base: taken.base, size: range.base - taken.base },
    { base: asIpa(end), size: taken.base + taken.size - end },
  ]);
  from.taken.splice(at, after - at, ...rests.filter(({ size }) => size > 0));
}

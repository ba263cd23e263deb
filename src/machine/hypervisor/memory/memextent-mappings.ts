// Where an extent is mapped: at most four slots, each of one address space (docs/spec/hypervisor.md
// §4.6). A recorded mapping covers pages whether or not the extent owns them now; only owned pages
// are in the page tables.

import { asIpa, type Ipa } from "../../abi/numbers.ts";
import { ErrorCode } from "../../abi/errors.ts";
import type { AddressSpace } from "./addrspace.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** How many slots an extent has. */
const SLOTS = 4;

/**
 * A recorded mapping of a part of an extent. Offsets are relative to the extent's base; bytes,
 * whole pages.
 */
export interface MappedRange {
  readonly offset: number;
  readonly size: number;
  /** IPA of `offset`. */
  readonly ipa: Ipa;
  /** `map_attrs` word. */
  readonly attributes: number;
}

interface Slot {
  readonly addressSpace: AddressSpace;
  /** In order of offset, not overlapping. */
  ranges: MappedRange[];
}

/** The part of `range` inside [offset, offset + size), or undefined. */
function clip(range: MappedRange, offset: number, size: number): MappedRange | undefined {
  const start = Math.max(range.offset, offset);
  const end = Math.min(range.offset + range.size, offset + size);
  if (start >= end) return undefined;
  return { offset: start, size: end - start, ipa: asIpa(range.ipa + (start - range.offset)), attributes: range.attributes };
}

/**
 * Index of the first range that ends above an offset, of ranges that ascend and do not overlap. An
 * extent can have a hundred thousand.
 */
function firstAbove(ranges: readonly MappedRange[], offset: number): number {
  let low = 0, high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle].offset + ranges[middle].size > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The parts of such ranges inside [offset, offset + size). */
function* partsOf(ranges: readonly MappedRange[], offset: number, size: number): Generator<MappedRange> {
  for (let at = firstAbove(ranges, offset); at < ranges.length; at++) {
    const part = clip(ranges[at], offset, size);
    if (!part) return;
    yield part;
  }
}

/** The mapping slots of one extent. */
export class ExtentMappings {
  #slots: Slot[] = [];

  /**
   * Records a mapping, for which the address space pays. MEMEXTENT_MAPPINGS_FULL when it needs a
   * slot and none is free, NOMEM.
   */
  add(addressSpace: AddressSpace, range: MappedRange): ErrorCode {
    const isFree = ({ ranges }: Slot) => partsOf(ranges, range.offset, range.size).next().done;
    let slot = this.#slots.find((one) => one.addressSpace === addressSpace && isFree(one));
    if (!slot && this.#slots.length === SLOTS) return ErrorCode.MEMEXTENT_MAPPINGS_FULL;
    const paid = addressSpace.payTables(range.ipa, range.size);
    if (paid !== ErrorCode.OK) return paid;
    if (!slot) {
      slot = { addressSpace, ranges: [] };
      this.#slots.push(slot);
    }
    slot.ranges.splice(firstAbove(slot.ranges, range.offset), 0, range);
    return ErrorCode.OK;
  }

  /** Whether any mapping in the address space is recorded. */
  includes(addressSpace: AddressSpace): boolean {
    return this.#slots.some((slot) => slot.addressSpace === addressSpace);
  }

  /** Whether some slot maps all of [offset, offset + size) to `ipa` onward. */
  has(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa): boolean {
    return this.#find(addressSpace, offset, size, ipa) !== undefined;
  }

  /**
   * Takes a recorded mapping out; ranges that reach further are cut. The caller has asked `has`.
   */
  remove(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa): void {
    this.#replace(addressSpace, offset, size, ipa, () => []);
  }

  /** Changes the attributes of a recorded mapping. The caller has asked `has`. */
  update(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa, change: (attributes: number) => number): void {
    this.#replace(addressSpace, offset, size, ipa, (part) => [{ ...part, attributes: change(part.attributes) }]);
  }

  /** Every recorded mapping of a part of [offset, offset + size), cut to it. */
  *within(offset: number, size: number): Generator<{ addressSpace: AddressSpace; range: MappedRange }> {
    for (const { addressSpace, ranges } of this.#slots) {
      for (const range of partsOf(ranges, offset, size)) yield { addressSpace, range };
    }
  }

  /**
   * How many bytes from an offset on are recorded at `ipa` by one mapping whose attributes pass.
   */
  recordedBytes(addressSpace: AddressSpace, offset: number, ipa: Ipa, passes: (attributes: number) => boolean): number {
    for (const slot of this.#slots) {
      if (slot.addressSpace !== addressSpace) continue;
      const range = slot.ranges[firstAbove(slot.ranges, offset)];
      const within = range === undefined ? -1 : offset - range.offset;
      if (within >= 0 && range.ipa + within === ipa && passes(range.attributes)) return range.size - within;
    }
    return 0;
  }

  /** Whether a slot maps some but not all of [offset, offset + size). */
  partlyCovers(offset: number, size: number): boolean {
    return this.#slots.some(({ ranges }) => {
      const covered = partsOf(ranges, offset, size).reduce((sum, part) => sum + part.size, 0);
      return covered > 0 && covered < size;
    });
  }

  /** Forgets the mappings in one address space (it is being destroyed), or all. */
  clear(addressSpace?: AddressSpace): void {
    const forgotten = this.#slots.filter((slot) => !addressSpace || slot.addressSpace === addressSpace);
    for (const { addressSpace: space, ranges } of forgotten) for (const { ipa, size } of ranges) space.repayTables(ipa, size);
    this.#slots = this.#slots.filter((slot) => !forgotten.includes(slot));
  }

  /** The slots, saved or loaded. The address spaces are paid for them already. */
  archive(archive: ObjectArchive, extentSize: number): void {
    this.#slots = archive.list("slots", this.#slots, (slot) => {
      const addressSpace = archive.object("addressSpace", slot?.addressSpace, "addrspace");
      const ranges = archive.list("ranges", slot?.ranges ?? [], (range) => ({
        offset: archive.multiple("offset", range?.offset, PAGE_SIZE, 0, extentSize),
        size: archive.multiple("size", range?.size, PAGE_SIZE, PAGE_SIZE, extentSize),
        ipa: asIpa(archive.multiple("ipa", range?.ipa, PAGE_SIZE)),
        attributes: archive.integer("attributes", range?.attributes, 0, 0xffff_ffff),
      }));
      for (let index = 0; index < ranges.length; index++) {
        const { offset, size } = ranges[index], before = ranges[index - 1];
        const apart = !before || before.offset + before.size <= offset;
        archive.check(apart && offset + size <= extentSize, "ranges are pages of the extent, ascend and do not overlap");
      }
      archive.check(ranges.length > 0, "a slot maps something");
      return slot ?? { addressSpace, ranges };
    }, SLOTS);
  }

  #find(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa): Slot | undefined {
    return this.#slots.find((slot) => {
      if (slot.addressSpace !== addressSpace) return false;
      const parts = [...partsOf(slot.ranges, offset, size)];
      return parts.every((part) => part.ipa - part.offset === ipa - offset) && parts.reduce((sum, part) => sum + part.size, 0) === size;
    });
  }

  #replace(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa, change: (part: MappedRange) => MappedRange[]): void {
    const slot = this.#find(addressSpace, offset, size, ipa);
    if (!slot) throw new Error("no such mapping is recorded");
    const { ranges } = slot;
    const first = firstAbove(ranges, offset);
    const parts = [...partsOf(ranges, offset, size)];
    const pieces = parts.flatMap((part, index) => {
      const range = ranges[first + index];
      const before = clip(range, range.offset, part.offset - range.offset);
      const behind = clip(range, part.offset + part.size, range.offset + range.size - part.offset - part.size);
      const pieces = [before, ...change(part), behind].filter((piece) => piece !== undefined);
      // The pieces reach into no part of the address space that is not paid for.
      for (const piece of pieces) addressSpace.payTables(piece.ipa, piece.size);
      addressSpace.repayTables(range.ipa, range.size);
      return pieces;
    });
    slot.ranges = ranges.slice(0, first).concat(pieces, ranges.slice(first + parts.length));
    if (slot.ranges.length === 0) this.#slots = this.#slots.filter((one) => one !== slot);
  }
}

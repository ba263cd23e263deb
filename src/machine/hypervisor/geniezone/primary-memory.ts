// The memory of the primary VM that GenieZone's driver names: buffers of messages, pages that EL2
// and the driver share, and pages for guests (docs/spec/geniezone.md §2, §4, §5). The driver's
// physical addresses are IPAs of the primary VM.

import { ipaId } from "../../abi/ids.ts";
import { asPa, type Pa } from "../../abi/numbers.ts";
import { Access, ExtentMemoryType, ExtentType } from "../../abi/words.ts";
import { Stage2Flags } from "../../../cpu/core/interface.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { Memextent } from "../memory/memextent.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Physical address of a page of RAM that the primary VM may write. */
function pageAt(primary: AddressSpace, ipa: number): Pa | undefined {
  const page = primary.stage2.lookup(ipa);
  const needs = Stage2Flags.Read | Stage2Flags.Write;
  if (page === undefined || (page.flags & needs) !== needs) return undefined;
  return primary.services.machine.ram.contains(page.pa, PAGE_SIZE) ? asPa(page.pa) : undefined;
}

/**
 * Calls `copy` for each part of a range within one page; false, with nothing done, if a page is
 * missing.
 */
function forEachPart(primary: AddressSpace, ipa: bigint, size: number, copy: (pa: number, done: number, length: number) => void): boolean {
  if (ipa + BigInt(size) > BigInt(primary.services.addressSpaceSize)) return false;
  const parts: [pa: number, done: number, length: number][] = [];
  for (let done = 0; done < size;) {
    const at = Number(ipa) + done, offset = at % PAGE_SIZE;
    const pa = pageAt(primary, at - offset);
    if (pa === undefined) return false;
    const length = Math.min(PAGE_SIZE - offset, size - done);
    parts.push([pa + offset, done, length]);
    done += length;
  }
  for (const part of parts) copy(...part);
  return true;
}

/** Reads bytes of the primary VM's RAM; undefined unless all of them are in it. */
export function readPrimary(primary: AddressSpace, ipa: bigint, size: number): Uint8Array | undefined {
  const bytes = new Uint8Array(size);
  const { ram } = primary.services.machine;
  const read = forEachPart(primary, ipa, size, (pa, done, length) => ram.read(pa, bytes.subarray(done, done + length)));
  return read ? bytes : undefined;
}

/** Writes bytes of the primary VM's RAM; false, with nothing written, unless all are in it. */
export function writePrimary(primary: AddressSpace, ipa: bigint, bytes: Uint8Array): boolean {
  const { ram } = primary.services.machine;
  return forEachPart(primary, ipa, bytes.length, (pa, done, length) => ram.write(pa, bytes.subarray(done, done + length)));
}

/**
 * The extent of the primary VM's own RAM: of the extents that are mapped there, the one with the
 * most addresses. The others are parcels of the Resource Manager.
 */
export function primaryExtent(primary: AddressSpace): Memextent | undefined {
  let best: Memextent | undefined, most = 0;
  for (const extent of primary.extents) {
    if (extent.kind !== ExtentType.Sparse || extent.memoryType !== ExtentMemoryType.Any || extent.access !== Access.RWX) continue;
    let bytes = 0;
    for (const { addressSpace, range } of extent.mappings.within(0, extent.extentSize)) if (addressSpace === primary) bytes += range.size;
    if (bytes <= most) continue;
    best = extent;
    most = bytes;
  }
  return best;
}

/** A run of pages of the primary VM. */
export interface PrimaryRun {
  readonly ipa: number;
  readonly pa: Pa;
  readonly size: number;
}

/** Why a page cannot be given. */
export interface UngivenPage {
  readonly rule: string;
  readonly values: Readonly<Record<string, unknown>>;
}

export const isUngiven = (found: PrimaryRun[] | UngivenPage): found is UngivenPage => "rule" in found;

/**
 * The runs of pages from `ipa` on that are the primary VM's own, or why a page of them is not.
 * `taken` has the earlier pages of the same call.
 */
export function ownRuns(
  primary: AddressSpace,
  own: Memextent,
  ipa: bigint,
  pages: number,
  taken: Set<number>,
): PrimaryRun[] | UngivenPage {
  if (ipa % BigInt(PAGE_SIZE) !== 0n) return { rule: "a constituent begins with a page", values: { address: ipa } };
  const { memory, addressSpaceSize } = primary.services;
  const runs: { ipa: number; pa: Pa; size: number }[] = [];
  for (let page = 0; page < pages; page++) {
    const address = ipa + BigInt(page) * BigInt(PAGE_SIZE), at = Number(address);
    const mapped = address < BigInt(addressSpaceSize) ? primary.stage2.lookup(at) : undefined;
    const pa = mapped && pageAt(primary, at);
    if (pa === undefined || memory.ownerOf(pa) !== own) return ungiven(primary, own, address, mapped);
    if (taken.has(pa)) return { rule: "a call gives a page once", values: { address } };
    taken.add(pa);
    const last = runs.at(-1);
    if (last && last.pa + last.size === pa) last.size += PAGE_SIZE;
    else runs.push({ ipa: at, pa, size: PAGE_SIZE });
  }
  return runs;
}

/** @param mapped at the page's address, if anything is */
function ungiven(primary: AddressSpace, own: Memextent, address: bigint, mapped: { readonly pa: number } | undefined): UngivenPage {
  const { memory, machine: { ram }, names } = primary.services;
  if (!mapped) {
    const of = [...own.mappings.within(0, own.extentSize)].flatMap(({ addressSpace, range }) => addressSpace === primary ? [range] : []);
    const from = Math.min(...of.map(({ ipa }) => ipa)), end = Math.max(...of.map(({ ipa, size }) => ipa + size));
    const isInside = address >= BigInt(from) && address < BigInt(end);
    const rule = isInside ? "a page that is given is not given or lent away already" : "a page that is given is memory of the caller's";
    return { rule, values: { address, memory: `${hex(from)}..${hex(end)}` } };
  }
  if (!ram.contains(mapped.pa, PAGE_SIZE)) return { rule: "a page that is given is memory, and no device", values: { address } };
  const owner = memory.ownerOf(asPa(mapped.pa));
  if (!(owner instanceof Memextent) || owner === own) {
    return { rule: "a page that is given is one that the caller may write", values: { address } };
  }
  const other = [...owner.mappings.within(mapped.pa - owner.base, PAGE_SIZE)].find(({ addressSpace }) => addressSpace !== primary);
  const at = other && ipaId(names.vm(other.addressSpace.vmid), other.range.ipa);
  return { rule: "a page is given to one VM, at one address", values: { address, ...at && { mapped: at } } };
}

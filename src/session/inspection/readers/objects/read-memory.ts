// Rows about physical memory: owners, mappings and content of pages.

import { asPa } from "../../../../machine/abi/numbers.ts";
import { USER_WRITES } from "../../../../machine/abi/ram-writer.ts";
import { Access, MapAttributes } from "../../../../machine/abi/words.ts";
import { type AddressSpace, brokenRules, Memextent, type MemoryOwner, type PageRun } from "../../../../machine/hypervisor/inspect.ts";
import { Vmid } from "../guest-names.ts";
import { formatId, type Id, ipaId, objId, paId, parcelId, parseId } from "../../../../model/queries/ids.ts";
import { joined } from "../../../../kit/support/values/bytes.ts";
import { asciiText, bytesText } from "../../../../kit/support/text/byte-text.ts";
import { accessText } from "../../../../model/queries/texts/format.ts";
import { QueryError, type View } from "../inspected.ts";
import { readParcels } from "./read-parcels.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { BYTES, MEMORY, MEMORY_OWNER, VIOLATIONS } from "../../../../model/queries/tables.ts";
import { KiB, PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** A piece of memory with one owner and the same mappings. */
interface OwnedPiece extends PageRun {
  readonly owner: MemoryOwner;
  readonly mappings: readonly Mapping[];
}

interface Mapping {
  readonly space: AddressSpace;
  readonly ipa: number;
  readonly attributes: number;
}

/** Runs of pages with one owner and the same mappings, from low to high. */
export function readMemory(view: View): RowOf<typeof MEMORY>[] {
  const parcels = parcelExtents(view);
  const states = new Map(readParcels(view).map(({ id, state }) => [id, state]));
  return [...pieces(view)].map((piece) => {
    const { pa, size, owner, mappings } = piece;
    const parcel = parcels.get(owner), access = accessOf(view, piece);
    return {
      id: paId(pa),
      pa: hex(pa),
      size,
      access,
      vm: [...new Set(mappings.map(({ space }) => view.vmOf(space)))],
      mapped: mappings.map((mapping) => mappingText(view, mapping)),
      parcel: parcel?.id ?? null,
      state: parcel ? states.get(parcel.id)! : mappings.length ? "private" : access,
      owner: ownerName(view, owner),
      owner_vm: ownerVm(view, piece, parcel),
    };
  });
}

function* pieces(view: View): Generator<OwnedPiece> {
  for (const { pa, size, owner } of view.hypervisor.memory.all()) {
    if (!(owner instanceof Memextent)) {
      yield { pa, size, owner, mappings: [] };
      continue;
    }
    const offset = pa - owner.base;
    const ranges = [...owner.mappings.within(offset, size)];
    const cuts = new Set([offset, offset + size]);
    for (const { range } of ranges) cuts.add(range.offset).add(range.offset + range.size);
    const edges = [...cuts].sort((a, b) => a - b);
    for (let i = 0; i + 1 < edges.length; i++) {
      const at = owner.base + edges[i];
      const mappings = ranges.filter(({ range }) => range.offset <= edges[i] && range.offset + range.size > edges[i])
        .map(({ addressSpace, range }) => ({
          space: addressSpace,
          ipa: range.ipa + edges[i] - range.offset,
          attributes: range.attributes,
        }))
        // Another extent may have been mapped over it since: an extent knows its own mappings only.
        .filter(({ space, ipa }) => space.stage2.lookup(ipa)?.pa === at);
      yield { pa: asPa(at), size: edges[i + 1] - edges[i], owner, mappings };
    }
  }
}

/** Bytes of RAM that VMs can access, by VMID. Pages that the host has, too, are the other VM's. */
export function ownBytes(view: View): ReadonlyMap<number, number> {
  const { ram } = view.hypervisor.machine, bytes = new Map<number, number>();
  for (const { pa, size, mappings } of pieces(view)) {
    const vmids = mappings.map(({ space }) => space.vmid), vmid = vmids.find((one) => one !== Vmid.Primary) ?? vmids[0];
    if (ram.contains(pa, size) && vmid !== undefined) bytes.set(vmid, (bytes.get(vmid) ?? 0) + size);
  }
  return bytes;
}

/** The VMs that can access a piece, in a word. */
function accessOf(view: View, { owner, mappings }: OwnedPiece): string {
  if (owner === view.hypervisor.privatePartition) return "hypervisor";
  const vmids = new Set(mappings.map(({ space }) => space.vmid));
  if (vmids.size === 0) return owner === view.hypervisor.rootPartition ? "free" : "unmapped";
  if (vmids.size === 1) return "exclusive";
  return vmids.size === 2 && vmids.has(Vmid.Primary) ? "host" : "shared";
}

/** `ipa:VM/ADDRESS rw`. */
function mappingText(view: View, { space, ipa, attributes }: Mapping): string {
  return `${ipaId(view.vmNameOf(space), ipa)} ${accessText(attributes >> MapAttributes.KernelShift)}`;
}

function ownerName(view: View, owner: MemoryOwner): string {
  if (owner === view.hypervisor.privatePartition) return "hypervisor";
  if (owner === view.hypervisor.rootPartition) return "root partition";
  return objId(owner.serial);
}

/** A parcel that a piece is in. */
interface HeldIn {
  /** `parcel:HANDLE`. */
  readonly id: string;
  /** VMID of the VM that lends or shares it. */
  readonly owner: number;
}

/** The VM whose memory a piece is, also while it is lent or shared. Null without a VM. */
function ownerVm(view: View, { mappings }: OwnedPiece, parcel: HeldIn | undefined): string | null {
  return parcel ? view.vm(parcel.owner) : mappings[0] ? view.vmOf(mappings[0].space) : null;
}

/** Parcels by their extents. */
function parcelExtents(view: View): Map<MemoryOwner, HeldIn> {
  const found = new Map<MemoryOwner, HeldIn>();
  for (const { extent, handle, owner } of view.parcels()) {
    const object = extent === undefined ? undefined : view.rootObject(extent);
    if (object instanceof Memextent) found.set(object, { id: parcelId(handle), owner });
  }
  return found;
}

/** Where guests of a VM's own hypervisor have a page of the VM; undefined if it has none. */
type GuestMappings = (view: View, space: AddressSpace, ipa: number) => readonly string[] | undefined;

/** The owner of one page. `place` is `pa:ADDRESS` or `ipa:VM/ADDRESS`. */
export function readOwner(view: View, place: string, inGuests: GuestMappings = () => undefined): RowOf<typeof MEMORY_OWNER>[] {
  const pa = physical(view, place);
  const page = pa - pa % PAGE_SIZE;
  for (const piece of pieces(view)) {
    if (page < piece.pa || page >= piece.pa + piece.size) continue;
    const { owner, mappings } = piece;
    const here = mappings.map((mapping) => ({ ...mapping, ipa: mapping.ipa + page - piece.pa }));
    const parcel = parcelExtents(view).get(owner);
    const guests = here.map(({ space, ipa }) => inGuests(view, space, ipa)).filter((found) => found !== undefined);
    return [{
      id: paId(page),
      owner: ownerVm(view, piece, parcel) ?? ownerName(view, owner),
      parcel: parcel?.id ?? null,
      mapped: here.map((mapping) => mappingText(view, mapping)),
      guests: guests.length ? guests.flat() : null,
      access: accessOf(view, piece),
      chain: chain(view, owner),
      offset: owner instanceof Memextent ? hex(page - owner.base) : null,
    }];
  }
  return [];
}

/** The address spaces through which a VM can write a page of RAM. */
export function writersOf(view: View, pa: number): readonly AddressSpace[] {
  for (const piece of pieces(view)) {
    if (pa < piece.pa || pa >= piece.pa + piece.size) continue;
    return piece.mappings.filter(({ attributes }) => attributes >> MapAttributes.KernelShift & Access.W).map(({ space }) => space);
  }
  return [];
}

/** Partition and extents down to the owner. */
function chain(view: View, owner: MemoryOwner): string[] {
  if (!(owner instanceof Memextent)) return [ownerName(view, owner)];
  return [...chain(view, owner.origin), view.object(owner)];
}

/**
 * The physical address that `pa:ADDRESS` or `ipa:VM/ADDRESS` names.
 * @throws QueryError
 */
export function physical(view: View, place: string): number {
  return translated(view, addressOf(place), place);
}

type Address = Id<"pa" | "ipa">;

function addressOf(place: string): Address {
  const id = parseId(place);
  if (id?.kind === "pa" || id?.kind === "ipa") return id;
  throw new QueryError(`${JSON.stringify(place)} is not an address`, "use pa:0x58400000 or ipa:VM/0x80003000");
}

function translated(view: View, id: Address, text: string): number {
  const address = Number(id.address);
  if (id.kind === "pa") return address;
  const page = view.findSpace(id.vm).stage2.lookup(address);
  if (!page) throw new QueryError(`${text} is not mapped in stage 2`);
  return page.pa + address % PAGE_SIZE;
}

const ROW = 16;
/** Most bytes of one answer. */
const MOST = 64 * KiB;

export function readBytes(view: View, place: string, size: number): RowOf<typeof BYTES>[] {
  if (!(size > 0 && size <= MOST)) throw new QueryError(`cannot read ${size} bytes`, `use 1..${MOST}`);
  const first = addressOf(place), found = ramPieces(view, first, size, "el2 does not read devices, as that can change them");
  const bytes = joined(found.map(({ pa, length }) => view.hypervisor.machine.ram.bytes(pa, length)));
  return Array.from({ length: Math.ceil(size / ROW) }, (_, row) => {
    const shown = bytes.subarray(row * ROW, (row + 1) * ROW);
    return { id: formatId({ ...first, address: first.address + BigInt(row * ROW) }), bytes: bytesText(shown), ascii: asciiText(shown) };
  });
}

/**
 * Writes RAM: all of it or nothing.
 * @throws QueryError
 */
export function writeBytes(view: View, place: string, bytes: Uint8Array): void {
  let done = 0;
  for (const { pa, length } of ramPieces(view, addressOf(place), bytes.length, "el2 writes no devices")) {
    view.hypervisor.machine.ram.write(pa, bytes.subarray(done, done += length), USER_WRITES);
  }
}

/**
 * The RAM at consecutive addresses, in pieces: its pages may be anywhere.
 * @param devices the reason to give where it is not RAM
 * @throws QueryError
 */
function ramPieces(view: View, first: Address, size: number, devices: string): { readonly pa: number; readonly length: number }[] {
  const found: { readonly pa: number; readonly length: number }[] = [];
  for (let done = 0; done < size;) {
    const id = { ...first, address: first.address + BigInt(done) }, at = formatId(id), pa = translated(view, id, at);
    const length = Math.min(size - done, PAGE_SIZE - pa % PAGE_SIZE);
    if (!view.hypervisor.machine.ram.contains(pa, length)) throw new QueryError(`${at} is not RAM`, devices);
    found.push({ pa, length });
    done += length;
  }
  return found;
}

/** Bytes of a VM's memory; undefined if any page is not mapped, or is not RAM. */
export function readSpace(view: View, space: AddressSpace, ipa: number, size: number): Uint8Array | undefined {
  const { ram } = view.hypervisor.machine, bytes = new Uint8Array(size);
  for (let at = 0; at < size;) {
    const address = ipa + at, offset = address % PAGE_SIZE, length = Math.min(size - at, PAGE_SIZE - offset);
    const page = space.stage2.lookup(address);
    if (!page || !ram.contains(page.pa + offset, length)) return undefined;
    bytes.set(ram.bytes(page.pa + offset, length), at);
    at += length;
  }
  return bytes;
}

/**
 * Broken invariants: of owners and heaps, of page tables against recorded mappings, of objects and
 * their holders.
 */
export function readViolations(view: View): RowOf<typeof VIOLATIONS>[] {
  return brokenRules(view.hypervisor).map((rule, index) => ({ id: formatId({ kind: "check", number: index + 1 }), rule }));
}

// Memory of a GenieZone VM: pages of the primary VM that it was given, shared until the VM is
// protected (docs/spec/geniezone.md §5). The pages belong to one extent of the VM, which is mapped
// in the guest and, where shared, at its old place in the primary VM.

import { SlotPurpose } from "../../abi/geniezone/calls.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { asPa } from "../../abi/numbers.ts";
import { Access, ExtentMemoryType, ExtentType, mapAttributes, memextentAttributes, MemoryType, VmmioOperation } from "../../abi/words.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { Memextent } from "../memory/memextent.ts";
import { MAX_ADDRESS_SPACE_SIZE } from "../memory/stage2.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { PrimaryRun } from "./primary-memory.ts";

/** Most ranges that the driver can declare: more than it has slots. */
const RANGES = 32;
const RWX_NORMAL = mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB);

/** A range of guest addresses that is memory, and its purpose. Bytes, whole pages. */
interface DeclaredRange {
  readonly base: number;
  readonly end: number;
  /** Bits of `SlotPurpose`. */
  readonly purpose: number;
}

/** A run of pages for a guest address. */
export interface GuestRun extends PrimaryRun {
  readonly guest: number;
}

export class GzGuestMemory {
  #ranges: readonly DeclaredRange[] = [];
  #protected = false;
  #paged = false;
  /** Guest addresses of pages that a protected guest gave up: they come back as zeros. */
  readonly #relinquished = new Set<number>();

  /**
   * @param own the primary VM's extent, where the pages come from and return to
   * @param extent the VM's own, of the same range
   */
  constructor(readonly primary: AddressSpace, readonly own: Memextent, readonly guest: AddressSpace, readonly extent: Memextent) {}

  /** Configures an extent of the same range as the primary VM's own. */
  static configure(extent: Memextent, own: Memextent): ErrorCode {
    const attributes = memextentAttributes(Access.RWX, ExtentMemoryType.Any, ExtentType.Sparse);
    const { parent } = own;
    if (parent === undefined) return extent.configure(BigInt(own.base), BigInt(own.extentSize), attributes);
    return extent.configureDerive(parent, BigInt(own.base - parent.base), BigInt(own.extentSize), attributes);
  }

  /** Whether the primary VM has lost access to its private pages. */
  get protected(): boolean {
    return this.#protected;
  }

  /** Whether missing pages of declared ranges are page faults for the driver. */
  get paged(): boolean {
    return this.#paged;
  }

  /** The lowest declared address; undefined without one. */
  get lowest(): number | undefined {
    return this.#ranges[0]?.base;
  }

  /** The declared ranges, in order. */
  get ranges(): readonly DeclaredRange[] {
    return this.#ranges;
  }

  /** The ranges that were declared before are declared again, and no others. */
  restore(ranges: readonly DeclaredRange[]): void {
    this.#ranges = ranges;
    this.#passAccesses();
  }

  /** Bytes of declared memory from an address on. */
  declaredFrom(base: bigint): bigint {
    let at = base;
    for (const range of this.#ranges) if (at >= range.base && at < range.end) at = BigInt(range.end);
    return at - base;
  }

  /** Whether any part of a range is declared. */
  overlaps(base: number, size: number): boolean {
    return this.#ranges.some((range) => base < range.end && range.base < base + size);
  }

  /**
   * Declares a range, or the rest of it, as memory. False without room for more ranges.
   */
  declare(base: number, size: number, purpose: number): boolean {
    const fresh: DeclaredRange[] = [];
    let at = base;
    for (const range of this.#ranges) {
      if (range.base > at && at < base + size) fresh.push({ base: at, end: Math.min(range.base, base + size), purpose });
      at = Math.max(at, range.end);
    }
    if (at < base + size) fresh.push({ base: at, end: base + size, purpose });
    const ranges = merged([...this.#ranges, ...fresh]);
    if (ranges.length > RANGES) return false;
    this.#ranges = ranges;
    this.#passAccesses();
    return true;
  }

  /** From now on, missing pages of declared ranges are page faults for the driver. */
  page(): void {
    this.#paged = true;
    this.#passAccesses();
  }

  /** Whether nothing is mapped at, and no virtual device is in, a range of guest addresses. */
  isFree(base: number, size: number): boolean {
    if (this.guest.deviceIn(base, size)) return false;
    for (let at = base; at < base + size; at += PAGE_SIZE) if (this.guest.stage2.lookup(at)) return false;
    return true;
  }

  /** Gives pages to the guest. NOMEM or MEMEXTENT_MAPPINGS_FULL, with nothing given. */
  give(runs: readonly GuestRun[]): ErrorCode {
    const { own, extent } = this;
    const undo: (() => void)[] = [];
    for (const { ipa, pa, size, guest } of runs.flatMap((run) => this.#pieces(run))) {
      const offset = pa - extent.base;
      if (!Memextent.move(extent.services, own, extent, pa, size)) {
        throw new Error(`${own.name}: the caller has checked who owns the pages`);
      }
      undo.push(() => Memextent.move(extent.services, extent, own, pa, size));
      const spaces = this.#isShared(guest) ? [[this.primary, ipa], [this.guest, guest]] as const : [[this.guest, guest]] as const;
      for (const [space, address] of spaces) {
        const error = extent.map(space, BigInt(address), offset, size, RWX_NORMAL);
        if (error !== ErrorCode.OK) {
          for (const step of undo.reverse()) step();
          return error;
        }
        undo.push(() => expectOk(extent.unmap(space, BigInt(address), offset, size)));
      }
    }
    if (this.#protected) { for (const { guest, pa, size } of runs) this.#clear(guest, pa, size); }
    return ErrorCode.OK;
  }

  /** The primary VM loses its access to all pages but those that stay shared. */
  protect(): void {
    this.#protected = true;
    const { extent } = this;
    for (const { addressSpace, range } of [...extent.mappings.within(0, extent.extentSize)]) {
      if (addressSpace !== this.guest) continue;
      for (const { offset, guest, size } of this.#pieces({ offset: range.offset, guest: range.ipa, size: range.size })) {
        if (this.#isShared(guest)) continue;
        for (const { addressSpace: other, range: part } of [...extent.mappings.within(offset, size)]) {
          if (other === this.primary) expectOk(extent.unmap(other, BigInt(part.ipa), part.offset, part.size));
        }
      }
    }
  }

  /** Takes the page at a guest address back, as zeros from a protected guest. False without one. */
  relinquish(ipa: number): boolean {
    const page = this.guest.stage2.lookup(ipa);
    const { extent } = this;
    if (page === undefined || extent.services.memory.ownerOf(asPa(page.pa)) !== extent) return false;
    const offset = page.pa - extent.base;
    for (const { addressSpace, range } of [...extent.mappings.within(offset, PAGE_SIZE)]) {
      expectOk(extent.unmap(addressSpace, BigInt(range.ipa), range.offset, range.size));
    }
    if (this.#protected) {
      extent.services.machine.ram.zero(page.pa, PAGE_SIZE);
      this.#relinquished.add(ipa);
    }
    Memextent.move(extent.services, extent, this.own, asPa(page.pa), PAGE_SIZE);
    return true;
  }

  /** Bytes of private, and of shared memory. */
  statistics(): { private: number; shared: number } {
    const { extent } = this;
    let all = 0, shared = 0;
    for (const run of extent.ownedRuns()) {
      all += run.size;
      for (const { addressSpace, range } of extent.mappings.within(run.pa - extent.base, run.size)) {
        if (addressSpace === this.primary) shared += range.size;
      }
    }
    return { private: all - shared, shared };
  }

  /** Every page returns to the primary VM, private ones as zeros. The guest's vCPUs are dead. */
  release(): void {
    const { extent } = this;
    const runs = [...extent.ownedRuns()];
    for (const run of runs) {
      for (let at: number = run.pa; at < run.pa + run.size && this.#protected; at += PAGE_SIZE) {
        const shared = [...extent.mappings.within(at - extent.base, PAGE_SIZE)].some(({ addressSpace }) => addressSpace === this.primary);
        if (!shared) extent.services.machine.ram.zero(at, PAGE_SIZE);
      }
    }
    extent.unmapAll();
    for (const { pa, size } of runs) Memextent.move(extent.services, extent, this.own, pa, size);
  }

  archive(archive: ObjectArchive): void {
    this.#ranges = archive.list("ranges", this.#ranges, (range) => ({
      base: archive.multiple("base", range?.base, PAGE_SIZE, 0, MAX_ADDRESS_SPACE_SIZE),
      end: archive.multiple("end", range?.end, PAGE_SIZE, 0, MAX_ADDRESS_SPACE_SIZE),
      purpose: archive.integer("purpose", range?.purpose, 0, SlotPurpose.Defined),
    }), RANGES);
    const apart = this.#ranges.every(({ base, end }, index) => base < end && base >= (this.#ranges[index - 1]?.end ?? 0));
    archive.check(apart, "declared ranges ascend and do not overlap");
    this.#protected = archive.bool("protected", this.#protected);
    this.#paged = archive.bool("paged", this.#paged);
    const pages = archive.list(
      "relinquished",
      this.#relinquished,
      (page) => archive.multiple("page", page, PAGE_SIZE, 0, MAX_ADDRESS_SPACE_SIZE),
    );
    for (const page of pages) this.#relinquished.add(page);
  }

  #isShared(guest: number): boolean {
    if (!this.#protected) return true;
    const range = this.#ranges.find(({ base, end }) => guest >= base && guest < end);
    return range !== undefined && (range.purpose & SlotPurpose.StaticSwiotlb) !== 0;
  }

  /** A run of pages, cut where the purpose of its guest addresses may change. */
  #pieces<R extends { readonly guest: number; readonly size: number }>(run: R): R[] {
    const end = run.guest + run.size;
    const cuts = this.#ranges.flatMap(({ base, end }) => [base, end]).filter((cut) => cut > run.guest && cut < end);
    const bounds = [run.guest, ...new Set(cuts), end];
    return bounds.slice(1).map((bound, index) => advanced(run, bounds[index] - run.guest, bound - bounds[index]));
  }

  #clear(guest: number, pa: number, size: number): void {
    for (let done = 0; done < size; done += PAGE_SIZE) {
      if (this.#relinquished.delete(guest + done)) this.extent.services.machine.ram.zero(pa + done, PAGE_SIZE);
    }
  }

  /** Accesses outside the declared ranges leave RUN, and so do those to missing pages if paged. */
  #passAccesses(): void {
    const { guest } = this;
    const set = (base: number, end: number, operation: number) => {
      if (base < end) expectOk(guest.configureVmmio(BigInt(base), BigInt(end - base), operation));
    };
    for (const { base, end, paged } of [...guest.vmmioRanges]) {
      set(base, end, paged ? VmmioOperation.RemovePrivate : VmmioOperation.Remove);
    }
    let at = 0;
    for (const { base, end } of this.#ranges) {
      set(at, base, VmmioOperation.Add);
      if (this.#paged) set(base, end, VmmioOperation.AddPrivate);
      at = end;
    }
    set(at, guest.services.addressSpaceSize, VmmioOperation.Add);
  }
}

/** The part of a run from `by` bytes on. */
function advanced<R extends { readonly guest: number; readonly size: number }>(run: R, by: number, size: number): R {
  const moved = Object.entries(run).map(([key, value]) => [key, key === "size" ? size : value + by]);
  return Object.fromEntries(moved) as R;
}

/** Ranges in order; neighbors of the same purpose are one. */
function merged(ranges: readonly DeclaredRange[]): DeclaredRange[] {
  const result: DeclaredRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.base - b.base)) {
    const last = result.at(-1);
    if (last?.end === range.base && last.purpose === range.purpose) result[result.length - 1] = { ...last, end: range.end };
    else result.push(range);
  }
  return result;
}

function expectOk(error: ErrorCode): void {
  if (error !== ErrorCode.OK) throw new Error(`a mapping that exists could not be changed: error ${error}`);
}

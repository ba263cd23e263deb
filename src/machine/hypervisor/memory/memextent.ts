// Memory extents: ranges of physical memory with an owner's rights over them, BASIC or SPARSE,
// derived from one another (docs/spec/hypervisor.md §4.8). Page tables always agree with the
// mappings: a page is mapped where the extent that owns it is mapped.

import { asIpa, asPa, type Ipa, type Pa } from "../../abi/numbers.ts";
import { Access, ExtentMemoryType, ExtentType, MapAttributes, MemextentAttributes, MemoryType } from "../../abi/words.ts";
import { ErrorCode } from "../../abi/errors.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import type { AddressSpace, MemoryServices } from "./addrspace.ts";
import type { MemoryOwner, PageRun } from "./memdb.ts";
import { ExtentMappings, type MappedRange } from "./memextent-mappings.ts";
import { stage2Flags } from "./stage2.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { paId } from "../../abi/ids.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    memextent: Memextent;
  }
}

/** SPARSE extents are mapped below this IPA. */
const SPARSE_IPA_END = 2 ** 48;

const isAligned = (value: bigint) => value % BigInt(PAGE_SIZE) === 0n;

/** A memory extent. Base, size and offsets are bytes, whole pages. */
export class Memextent extends HypervisorObject {
  static readonly SIZE = 512;
  declare readonly services: MemoryServices;
  readonly type = "memextent";
  #base = asPa(0);
  #extentSize = 0;
  #access: number = Access.None;
  #memoryType: number = ExtentMemoryType.Any;
  #kind: number = ExtentType.Basic;
  #parent: Memextent | undefined;
  readonly mappings = new ExtentMappings();
  #configured = false;
  #attachments = 0;

  constructor(services: MemoryServices, partition: Heap) {
    super(services, partition, Memextent.SIZE);
  }

  /** Physical address of offset 0. */
  get base(): Pa {
    return this.#base;
  }

  get extentSize(): number {
    return this.#extentSize;
  }

  /** Bits of `Access`: the most that a mapping may allow. */
  get access(): number {
    return this.#access;
  }

  /** One of `ExtentMemoryType`. */
  get memoryType(): number {
    return this.#memoryType;
  }

  /** One of `ExtentType`. */
  get kind(): number {
    return this.#kind;
  }

  /** The extent that this one is derived from; holds a reference. */
  get parent(): Memextent | undefined {
    return this.#parent;
  }

  /** The former owner of this extent's pages: its parent, or its partition. */
  get origin(): MemoryOwner {
    return this.#parent ?? this.heap();
  }

  /** memextent_configure: a range of the partition's memory. */
  configure(base: bigint, size: bigint, attributes: number): ErrorCode {
    if (size === 0n || base + size > 1n << 64n) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "a range has a size and does not wrap", { base, size });
    }
    if (!isAligned(base) || !isAligned(size)) return this.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "extents are whole pages", { base, size });
    const error = this.#setAttributes(attributes);
    if (error !== ErrorCode.OK) return error;
    this.#setParent(undefined);
    this.#base = asPa(Number(base));
    this.#extentSize = Number(size);
    this.#configured = true;
    return ErrorCode.OK;
  }

  /** memextent_configure_derive: a range of an active extent. */
  configureDerive(parent: Memextent, offset: bigint, size: bigint, attributes: number): ErrorCode {
    const values = { parent: parent.name, offset, size };
    if (size === 0n || offset + size > 1n << 64n) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "a range has a size and does not wrap", values);
    }
    if (offset + size > BigInt(parent.extentSize)) return this.refuse(ErrorCode.ADDR_INVALID, "the range leaves the parent", values);
    if (!isAligned(offset) || !isAligned(size)) return this.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "extents are whole pages", values);
    const access = attributes & Access.RWX;
    const memoryType = attributes >> MemextentAttributes.MemoryTypeShift & 3;
    if (access & ~parent.access || parent.memoryType !== ExtentMemoryType.Any && parent.memoryType !== memoryType) {
      return this.refuse(ErrorCode.ARGUMENT_INVALID, "a derived extent allows no more than its parent", { ...values, attributes });
    }
    const error = this.#setAttributes(attributes);
    if (error !== ErrorCode.OK) return error;
    this.#setParent(parent);
    this.#base = asPa(parent.base + Number(offset));
    this.#extentSize = Number(size);
    this.#configured = true;
    return ErrorCode.OK;
  }

  /**
   * A part of the hypervisor uses the extent (info area, virtio page): it cannot be derived from
   * then.
   */
  attach(): void {
    this.retain();
    this.#attachments++;
  }

  /** The end of `attach`. */
  detach(): void {
    this.#attachments--;
    this.release();
  }

  /** The owned pages in [offset, offset + size). */
  ownedRuns(offset = 0, size = this.#extentSize): Generator<PageRun> {
    return this.services.memory.runs(this, asPa(this.#base + offset), size);
  }

  /** Zeroes the owned pages in [offset, offset + size) that are RAM. */
  zero(offset = 0, size = this.#extentSize): void {
    for (const run of this.ownedRuns(offset, size)) this.services.machine.ram.zero(run.pa, run.size);
  }

  /**
   * Maps [offset, offset + size) at `ipa`; the whole extent unless SPARSE. Records the mapping and
   * enters the owned pages. Arguments are aligned and inside the extent; attributes suit it.
   */
  map(addressSpace: AddressSpace, ipa: bigint, offset: number, size: number, attributes: number): ErrorCode {
    const values = { addrspace: addressSpace.name, ipa, size };
    const end = ipa + BigInt(size);
    if (this.#kind === ExtentType.Basic) {
      if (end > 1n << 64n) return this.refuse(ErrorCode.ADDR_OVERFLOW, "the range wraps", values);
    } else if (end > BigInt(SPARSE_IPA_END)) {
      return this.refuse(ErrorCode.ADDR_INVALID, "the range leaves 48 bits", values);
    }
    const at = asIpa(Number(ipa));
    const runs = [...this.ownedRuns(offset, size)];
    const { addressSpaceSize: limit } = addressSpace.services;
    for (const run of runs) {
      const start = at + run.pa - this.#base - offset;
      if (start >= limit) return this.refuse(ErrorCode.ADDR_INVALID, "the range lies outside the address space", values);
      if (start + run.size > limit) return this.refuse(ErrorCode.ADDR_OVERFLOW, "the range leaves the address space", values);
    }
    const range = { offset, size, ipa: at, attributes };
    const added = this.mappings.add(addressSpace, range);
    if (added === ErrorCode.MEMEXTENT_MAPPINGS_FULL) return this.refuse(added, "every mapping slot of the extent is in use", values);
    if (added !== ErrorCode.OK) return added;
    addressSpace.noteExtent(this);
    for (const run of runs) addressSpace.install(asIpa(at + run.pa - this.#base - offset), run.pa, run.size, attributes);
    return ErrorCode.OK;
  }

  /** Removes a recorded mapping. ADDR_INVALID when no such mapping exists. */
  unmap(addressSpace: AddressSpace, ipa: bigint, offset: number, size: number): ErrorCode {
    const at = asIpa(Number(ipa));
    if (!this.mappings.has(addressSpace, offset, size, at)) return this.#notMapped(addressSpace, ipa, size);
    this.#forget(addressSpace, offset, size, at);
    this.#leave(addressSpace, { offset, size, ipa: at });
    return ErrorCode.OK;
  }

  /** Changes the access of a recorded mapping; its memory type stays. */
  updateAccess(addressSpace: AddressSpace, ipa: bigint, offset: number, size: number, access: number): ErrorCode {
    const at = asIpa(Number(ipa));
    if (!this.mappings.has(addressSpace, offset, size, at)) return this.#notMapped(addressSpace, ipa, size);
    this.mappings.update(addressSpace, offset, size, at, (old) => old & ~MapAttributes.AccessDefined | access);
    for (const { addressSpace: space, range } of this.mappings.within(offset, size)) {
      if (space === addressSpace && range.ipa - range.offset === at - offset) this.#reinstall(space, range);
    }
    return ErrorCode.OK;
  }

  /** Removes every mapping from every address space. */
  unmapAll(): void {
    for (const { addressSpace, range } of this.mappings.within(0, this.#extentSize)) this.#uninstall(addressSpace, range);
    this.mappings.clear();
  }

  /**
   * Whether a mapping may have these attributes: no more access than the extent's, and a memory
   * type that suits its own.
   */
  allows(attributes: number): boolean {
    const asked = attributes >> MapAttributes.UserShift | attributes >> MapAttributes.KernelShift;
    return (asked & Access.RWX & ~this.#access) === 0;
  }

  /** Whether the extent's memory type admits this stage-2 memory type. */
  admits(memoryType: number): boolean {
    if (memoryType <= MemoryType.DeviceGRE) return true;
    if (memoryType === MemoryType.NormalNC) {
      return this.#memoryType === ExtentMemoryType.Any || this.#memoryType === ExtentMemoryType.Uncached;
    }
    return this.#memoryType === ExtentMemoryType.Any;
  }

  /**
   * `map_attrs` of the recorded mapping that puts `offset` at `ipa` with these stage-2 flags;
   * undefined if none does.
   */
  attributesAt(addressSpace: AddressSpace, offset: number, ipa: Ipa, flags: number): number | undefined {
    for (const { addressSpace: space, range } of this.mappings.within(offset, PAGE_SIZE)) {
      if (space === addressSpace && range.ipa === ipa && stage2Flags(range.attributes) === flags) return range.attributes;
    }
    return undefined;
  }

  /**
   * Moves the pages at physical address `pa` from `giver` to `receiver` (extents or a partition):
   * ownership, and with it what is mapped. False, and nothing moves, unless the giver owns them
   * all.
   */
  static move(services: MemoryServices, giver: MemoryOwner, receiver: MemoryOwner, pa: Pa, size: number): boolean {
    if (!services.memory.transfer(giver, receiver, pa, size)) return false;
    const { trace } = services;
    services.checker?.touchPages(giver, pa, size);
    if (trace.isWanted("mem")) trace.event("mem", "own", { pa: paId(pa), size, from: giver.name, to: receiver.name });
    if (giver instanceof Memextent) {
      for (const { addressSpace, range } of giver.mappings.within(pa - giver.base, size)) {
        addressSpace.uninstall(range.ipa, asPa(giver.base + range.offset), range.size);
      }
    }
    if (receiver instanceof Memextent) receiver.#installAll(pa, size);
    return true;
  }

  override held(): HypervisorObject[] {
    return this.#parent ? [...super.held(), this.#parent] : super.held();
  }

  protected archiveFields(archive: ObjectArchive): void {
    this.#base = asPa(archive.multiple("base", this.#base, PAGE_SIZE));
    this.#extentSize = archive.multiple("extentSize", this.#extentSize, PAGE_SIZE);
    this.#access = archive.integer("access", this.#access, 0, Access.RWX);
    this.#memoryType = archive.integer("memoryType", this.#memoryType, 0, 3);
    this.#kind = archive.choice("kind", this.#kind, [ExtentType.Basic, ExtentType.Sparse]);
    this.#parent = archive.objectOrNone("parent", this.#parent, "memextent");
    this.#configured = archive.bool("configured", this.#configured);
    this.#attachments = archive.integer("attachments", this.#attachments);
    archive.check(this.#base + this.#extentSize <= 2 ** 64, "extents do not wrap");
    archive.within("mappings", () => this.mappings.archive(archive, this.#extentSize));
  }

  protected onActivate(): ErrorCode {
    if (!this.#configured) return this.refuse(ErrorCode.OBJECT_CONFIG, "an extent needs a range");
    const { parent } = this;
    if (!parent) {
      return this.#kind === ExtentType.Sparse ? ErrorCode.OK : this.#claim();
    }
    if (parent.#attachments > 0) return this.refuse(ErrorCode.BUSY, "the parent is in use by the hypervisor", { parent: parent.name });
    const offset = this.#base - parent.base;
    const takesAll = this.#kind === ExtentType.Basic || parent.kind === ExtentType.Basic;
    if (takesAll && !this.services.memory.owns(parent, this.#base, this.#extentSize)) return this.#notOwner(parent);
    if (takesAll && parent.mappings.partlyCovers(offset, this.#extentSize)) {
      return this.refuse(ErrorCode.DENIED, "the parent is mapped in a part of the range only", { parent: parent.name });
    }
    for (const { addressSpace, range } of parent.mappings.within(offset, this.#extentSize)) {
      const attributes = this.#reduced(range.attributes);
      if (attributes === undefined) continue;
      this.mappings.add(addressSpace, { ...range, offset: range.offset - offset, attributes });
      addressSpace.noteExtent(this);
    }
    return takesAll ? this.#claim() : ErrorCode.OK;
  }

  protected onDestroy(wasActive: boolean): void {
    if (wasActive) {
      for (const run of [...this.ownedRuns()]) Memextent.move(this.services, this, this.origin, run.pa, run.size);
      this.mappings.clear();
      // Including those in which it is no longer mapped: they would keep it for ever.
      for (const addressSpace of this.services.addressSpaces.values()) addressSpace.forgetExtent(this);
      this.services.memory.forget(this);
    }
    this.#setParent(undefined);
  }

  #claim(): ErrorCode {
    return Memextent.move(this.services, this.origin, this, this.#base, this.#extentSize) ? ErrorCode.OK : this.#notOwner(this.origin);
  }

  #notOwner(expected: MemoryOwner): ErrorCode {
    return this.refuse(ErrorCode.MEMDB_NOT_OWNER, "a page of the range is not the origin's", {
      expected: expected.name,
      base: this.#base,
      size: this.#extentSize,
    });
  }

  #notMapped(addressSpace: AddressSpace, ipa: bigint, size: number): ErrorCode {
    return this.refuse(ErrorCode.ADDR_INVALID, "the extent has no such mapping", { addrspace: addressSpace.name, ipa, size });
  }

  /** Takes a recorded mapping out. */
  #forget(addressSpace: AddressSpace, offset: number, size: number, ipa: Ipa): void {
    this.mappings.remove(addressSpace, offset, size, ipa);
    if (!this.mappings.includes(addressSpace)) addressSpace.forgetExtent(this);
  }

  /** Attributes cut down to what this extent allows; undefined if nothing remains. */
  #reduced(attributes: number): number | undefined {
    const allowed = this.#access << MapAttributes.UserShift | this.#access << MapAttributes.KernelShift;
    const access = attributes & MapAttributes.AccessDefined & allowed;
    return access === 0 ? undefined : attributes & ~MapAttributes.AccessDefined | access;
  }

  #uninstall(addressSpace: AddressSpace, range: Pick<MappedRange, "offset" | "size" | "ipa">): void {
    for (const run of this.ownedRuns(range.offset, range.size)) {
      addressSpace.uninstall(asIpa(range.ipa + run.pa - this.#base - range.offset), run.pa, run.size);
    }
  }

  /**
   * Takes the owned pages of a range out of the tables, where no other slot has them mapped to the
   * same place: those get its attributes.
   */
  #leave(addressSpace: AddressSpace, { offset, size, ipa }: Pick<MappedRange, "offset" | "size" | "ipa">): void {
    const others = [...this.mappings.within(offset, size)]
      .filter(({ addressSpace: space, range }) => space === addressSpace && range.ipa - range.offset === ipa - offset)
      .map(({ range }) => range)
      .sort((a, b) => a.offset - b.offset);
    let done = offset;
    for (const other of others) {
      if (other.offset > done) this.#uninstall(addressSpace, { offset: done, size: other.offset - done, ipa: asIpa(ipa + done - offset) });
      this.#reinstall(addressSpace, other);
      done = Math.max(done, other.offset + other.size);
    }
    const end = offset + size;
    if (done < end) this.#uninstall(addressSpace, { offset: done, size: end - done, ipa: asIpa(ipa + done - offset) });
  }

  /** Enters pages that came in wherever the extent is mapped. */
  #installAll(pa: Pa, size: number): void {
    for (const { addressSpace, range } of this.mappings.within(pa - this.#base, size)) {
      // The mapping of a SPARSE extent may end after the address space, where tables have no pages.
      const inside = Math.min(range.size, addressSpace.services.addressSpaceSize - range.ipa);
      if (inside <= 0) continue;
      addressSpace.install(range.ipa, asPa(this.#base + range.offset), inside, range.attributes);
    }
  }

  /** Gives the pages of a range that are mapped here the range's attributes. */
  #reinstall(addressSpace: AddressSpace, range: MappedRange): void {
    for (const run of this.ownedRuns(range.offset, range.size)) {
      addressSpace.reinstall(asIpa(range.ipa + run.pa - this.#base - range.offset), run.pa, run.size, range.attributes);
    }
  }

  #setAttributes(attributes: number): ErrorCode {
    const access = attributes & Access.RWX;
    const memoryType = attributes >> MemextentAttributes.MemoryTypeShift & 3;
    const kind = attributes >> MemextentAttributes.TypeShift & 3;
    const good = (attributes & ~MemextentAttributes.Defined) === 0 && attributes >>> 31 === 0 && ACCESSES.has(access) &&
      memoryType !== ExtentMemoryType.Cached && (kind === ExtentType.Basic || kind === ExtentType.Sparse);
    if (!good) return this.refuse(ErrorCode.ARGUMENT_INVALID, "attributes that this build has", { attributes });
    this.#access = access;
    this.#memoryType = memoryType;
    this.#kind = kind;
    return ErrorCode.OK;
  }

  #setParent(parent: Memextent | undefined): void {
    parent?.retain();
    this.#parent?.release();
    this.#parent = parent;
  }
}

/** Accesses that an extent can have: not 0, and not W with X alone. */
const ACCESSES: ReadonlySet<number> = new Set([Access.X, Access.W, Access.R, Access.RX, Access.RW, Access.RWX]);

// The info area of an address space: a page with facts that a VM cannot find out by itself.
// Descriptors grow from its start, and their data from its end (docs/spec/hypervisor.md §4.14).

import type { Pa } from "../../abi/numbers.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { MemoryDatabase, MemoryOwner } from "./memdb.ts";
import { MAX_ADDRESS_SPACE_SIZE } from "./stage2.ts";

/** Bytes of a descriptor: id u16, owner u16, size u32, offset u32, flags u32. */
const DESCRIPTOR_SIZE = 16;
/** Flag of a descriptor. */
const VALID = 0x8000_0000;

/** Type of memory that has no descriptor: its VM learns of it otherwise. */
const UNNAMED = 0;

/** An entry. Its type is `id | owner << 16`, its place in bytes from the start of the page. */
interface InfoEntry {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

/** The extent of an info area. Bytes. */
interface InfoPage extends MemoryOwner {
  readonly type: "memextent";
  /** Physical address. */
  readonly base: Pa;
  readonly extentSize: number;
  readonly services: { readonly machine: Machine; readonly memory: MemoryDatabase };
  zero(): void;
}

export class InfoArea<E extends InfoPage = InfoPage> {
  readonly #entries: InfoEntry[] = [];

  /** @param ipa where the VM sees it */
  constructor(readonly extent: E, readonly ipa: number) {}

  /** The area, saved or loaded. */
  static archive<E extends InfoPage>(archive: ObjectArchive, area: InfoArea<E> | undefined): InfoArea<E> {
    const extent = archive.object<E>("extent", area?.extent, "memextent");
    const ipa = archive.integer("ipa", area?.ipa, 0, MAX_ADDRESS_SPACE_SIZE - PAGE_SIZE);
    const made = area ?? new InfoArea<E>(extent, ipa);
    const entries = archive.list("entries", made.#entries, (entry) => ({
      type: archive.integer("type", entry?.type, 0, 0xffff_ffff),
      offset: archive.integer("offset", entry?.offset, 0, PAGE_SIZE),
      size: archive.integer("size", entry?.size, 1, PAGE_SIZE),
    }), PAGE_SIZE / DESCRIPTOR_SIZE);
    if (!archive.loading) return made;
    for (const entry of entries) {
      const end = made.#entries.at(-1)?.offset ?? PAGE_SIZE;
      archive.check(entry.offset + entry.size <= end, "entries of an info area do not overlap");
      made.#entries.push(entry);
    }
    return made;
  }

  /** Whether the extent still owns the page, and the page is RAM. */
  get isUsable(): boolean {
    const { base, services } = this.extent;
    return services.memory.owns(this.extent, base, PAGE_SIZE) && this.#ram.contains(base, PAGE_SIZE);
  }

  /** The address space becomes active: the area is empty. */
  clear(): void {
    this.extent.zero();
    this.#entries.length = 0;
  }

  /**
   * Offset for an entry of this size, in bytes from the start of the page; undefined if it does
   * not fit. The descriptor after the last one stays zero, which ends the list.
   */
  placeFor(size: number, alignment: number): number | undefined {
    const start = (this.#entries.at(-1)?.offset ?? PAGE_SIZE) - size;
    const offset = start - start % alignment;
    return start < 0 || offset < (this.#entries.length + 2) * DESCRIPTOR_SIZE ? undefined : offset;
  }

  /** Adds an entry at its place. */
  add(type: number, offset: number, data: Uint8Array): void {
    const index = this.#entries.filter((entry) => entry.type !== UNNAMED).length;
    this.#entries.push({ type, offset, size: data.length });
    const descriptor = new DataView(new ArrayBuffer(DESCRIPTOR_SIZE));
    [type, data.length, offset, VALID].forEach((word, at) => descriptor.setUint32(4 * at, word, true));
    const { base } = this.extent;
    this.#ram.write(base + offset, data);
    this.#ram.write(base + index * DESCRIPTOR_SIZE, new Uint8Array(descriptor.buffer));
  }

  /** The data of the first entry of a type. */
  find(type: number): Uint8Array | undefined {
    const entry = this.#entries.find((one) => one.type === type && type !== UNNAMED);
    return entry && this.#ram.bytes(this.extent.base + entry.offset, entry.size).slice();
  }

  /** Takes memory for the hypervisor's own use. Gives its offset; undefined if it does not fit. */
  reserve(size: number, alignment: number): number | undefined {
    const offset = this.placeFor(size, alignment);
    if (offset !== undefined) this.#entries.push({ type: UNNAMED, offset, size });
    return offset;
  }

  /** Writes to reserved memory, as long as the page is the area's. */
  write(offset: number, bytes: Uint8Array): void {
    if (this.isUsable) this.#ram.write(this.extent.base + offset, bytes);
  }

  get #ram() {
    return this.extent.services.machine.ram;
  }
}

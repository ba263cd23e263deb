// Memory of the host's processes: objects that hold pages, mappings of them, user addresses, and
// the pinning of pages for VMs (docs/spec/vm-manager.md §5.1). Pages are those of the host VM: its
// processes cannot touch pages that it has lent.

import { asIpa, type Ipa } from "../../abi/numbers.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { PageAllocator, type PageAllocatorState, type PageRange } from "./page-allocator.ts";
import { firstIndex } from "../../../kit/support/values/in-order.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Signals that an access raises. */
export const Signal = { SIGBUS: 7, SIGSEGV: 11 } as const;

/** Contiguous pages of an object: the object's pages from `first` on are at `ipa`. */
interface ObjectRun {
  first: number;
  ipa: Ipa;
  count: number;
}

/**
 * Anonymous memory, a file in memory, or a page of a driver: the target of mappings. Plain data.
 */
interface MemoryObject {
  id: number;
  /** Mappings, descriptors and VMs that hold it. */
  refs: number;
  /**
   * An anonymous object's untouched pages read as the zero page; those of a file are allocated by
   * any access.
   */
  kind: "anonymous" | "file";
  /** Pages beyond are not there. */
  pages: number;
  runs: ObjectRun[];
}

/** A range of user addresses. Plain data. */
export interface Mapping {
  /** User address of the first page. */
  start: number;
  pages: number;
  object: number;
  /** Page of the object at `start`. */
  offset: number;
  read: boolean;
  write: boolean;
  /** Pages written through a private mapping of an open file: a separate object. */
  overlay: number | undefined;
  /** The open file that it was made from, which it keeps open. */
  file: number | undefined;
}

/** A user address space. Plain data. */
export interface UserSpace {
  id: number;
  /** Processes and VMs that hold it. */
  refs: number;
  mappings: Mapping[];
  /**
   * The next mapping ends here: they grow downwards, each below the last, as Linux lays them out.
   */
  next: number;
  /** Pages that count against the limit (VmLck). */
  locked: number;
}

/** Pages pinned for a VM. Plain data. */
export interface Pinned {
  ranges: PageRange[];
  objects: number[];
}

/** State of the memory manager: plain data. */
export interface MemoryState {
  pages: PageAllocatorState;
  objects: Record<number, MemoryObject>;
  spaces: Record<number, UserSpace>;
  nextId: number;
  /** IPA of the page that stands for untouched anonymous pages. */
  zeroPage: Ipa | undefined;
}

/** How an access went. */
export type AccessResult<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly signal: number };

/** Mappings begin here (vm.mmap_min_addr). */
const MAPPINGS_BEGIN = 0x1_0000;
/** The first mapping ends here. */
const MAPPINGS_END = 0xffff_f000_0000;
/** User addresses are below. */
const USER_END = 2 ** 48;
/** Bytes of a page that is one entry of a level-2 table. */
export const HUGE_PAGE = 0x20_0000;
const ZEROS = new Uint8Array(HUGE_PAGE);

/** The memory manager. `cpu` is the vCPU whose event is handled. */
export class HostMemory {
  readonly #cpu: () => NativeVcpu;
  readonly #closed: (file: number) => void;
  readonly pages: PageAllocator;

  /** @param closed is called when a mapping no longer needs its open file. */
  constructor(readonly state: MemoryState, cpu: () => NativeVcpu, closed: (file: number) => void) {
    this.#cpu = cpu;
    this.#closed = closed;
    this.pages = new PageAllocator(state.pages, (range) => this.#zero(range));
  }

  // ---- objects ----

  /** A new object with one reference. */
  createObject(kind: MemoryObject["kind"], pages: number): MemoryObject {
    const object: MemoryObject = { id: this.state.nextId++, refs: 1, kind, pages, runs: [] };
    return this.state.objects[object.id] = object;
  }

  /**
   * An object whose pages all exist and are contiguous, 2 MiB aligned where that large; undefined
   * when memory has run out.
   */
  createContiguous(pages: number): MemoryObject | undefined {
    const align = pages * PAGE_SIZE >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE;
    const ipa = this.pages.allocate(pages, align);
    if (ipa === undefined) return undefined;
    const object = this.createObject("anonymous", pages);
    object.runs.push({ first: 0, ipa, count: pages });
    return object;
  }

  object(id: number): MemoryObject {
    return this.state.objects[id] ?? fail(`there is no memory object ${id}`);
  }

  holdObject(id: number): void {
    this.object(id).refs++;
  }

  /** Drops a reference; with the last one the pages are free. */
  dropObject(id: number): void {
    const object = this.object(id);
    if (--object.refs > 0) return;
    for (const { ipa, count } of object.runs) this.pages.release({ ipa, count });
    delete this.state.objects[id];
  }

  /** Whether a process maps one of these pages of an object; untouched pages do not count. */
  isMapped(id: number, page: number, count: number): boolean {
    const { runs } = this.object(id);
    return Object.values(this.state.spaces).some(({ mappings }) =>
      mappings.some((mapping) => {
        if (mapping.object !== id) return false;
        const start = Math.max(page, mapping.offset), end = Math.min(page + count, mapping.offset + mapping.pages);
        return runs.some((run) => Math.max(start, run.first) < Math.min(end, run.first + run.count));
      })
    );
  }

  /**
   * IPA of a page of an object, allocated where it was not; undefined beyond its end or where
   * memory is used up.
   */
  objectPage(object: MemoryObject, page: number): Ipa | undefined {
    return page >= object.pages ? undefined : lookup(object, page) ?? this.#allocatePage(object, page);
  }

  /** Pages of 2 MiB in blocks. */
  get hugePages(): number {
    const blocks = Object.values(this.state.objects).filter(({ kind, runs }) => kind === "anonymous" && runs.length === 1);
    return blocks.reduce((sum, { runs }) => sum + Math.floor(runs[0].count * PAGE_SIZE / HUGE_PAGE), 0);
  }

  // ---- address spaces ----

  createSpace(): UserSpace {
    const space: UserSpace = { id: this.state.nextId++, refs: 1, mappings: [], next: MAPPINGS_END, locked: 0 };
    return this.state.spaces[space.id] = space;
  }

  /**
   * A child's address space: the same mappings, whose open files the caller counts. Private pages
   * are shared with the parent: children here only make a call and end.
   */
  forkSpace(parent: UserSpace): UserSpace {
    const child = this.createSpace();
    child.next = parent.next;
    child.mappings = parent.mappings.map((mapping) => ({ ...mapping }));
    for (const { object, overlay } of child.mappings) {
      this.holdObject(object);
      if (overlay !== undefined) this.holdObject(overlay);
    }
    return child;
  }

  space(id: number): UserSpace | undefined {
    return this.state.spaces[id];
  }

  /** Ends all mappings of a process that exits. */
  clearSpace(space: UserSpace): void {
    for (const mapping of space.mappings) this.#dropMapping(mapping);
    space.mappings = [];
  }

  dropSpace(space: UserSpace): void {
    if (--space.refs > 0) return;
    this.clearSpace(space);
    delete this.state.spaces[space.id];
  }

  /**
   * Maps an object, whose reference the mapping takes over. Returns the user address, or -ENOMEM
   * when there is no room below the existing mappings; then the reference stays the caller's.
   */
  map(
    space: UserSpace,
    object: MemoryObject,
    options: { pages: number; offset: number; read: boolean; write: boolean; private: boolean; file?: number },
  ): number {
    const { pages, offset, read, write, file } = options;
    const align = pages * PAGE_SIZE >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE;
    const start = Math.floor((space.next - pages * PAGE_SIZE) / align) * align;
    if (start < MAPPINGS_BEGIN) return -Errno.ENOMEM;
    space.next = start;
    const overlay = options.private ? this.createObject("anonymous", pages).id : undefined;
    space.mappings.push({ start, pages, object: object.id, offset, read, write, overlay, file });
    return start;
  }

  /** Takes the mapping away that begins here; whether there was one. */
  unmap(space: UserSpace, start: number): boolean {
    const index = space.mappings.findIndex((mapping) => mapping.start === start);
    if (index < 0) return false;
    const [mapping] = space.mappings.splice(index, 1);
    this.#dropMapping(mapping);
    return true;
  }

  /** The mapping that holds this address. */
  mappingAt(space: UserSpace, address: number): Mapping | undefined {
    for (const mapping of space.mappings) {
      if (address >= mapping.start && address < mapping.start + mapping.pages * PAGE_SIZE) return mapping;
    }
    return undefined;
  }

  // ---- access by the process ----

  /** A load by the process. */
  load(space: UserSpace, address: number, length: number): AccessResult<Uint8Array> {
    const bytes = new Uint8Array(length);
    const fault = this.loadInto(space, address, bytes);
    return fault === undefined ? { ok: true, value: bytes } : { ok: false, signal: fault };
  }

  /** The same into existing bytes; the signal where it cannot be. */
  loadInto(space: UserSpace, address: number, into: Uint8Array): number | undefined {
    const { length } = into;
    for (let done = 0; done < length;) {
      const at = address + done;
      const size = Math.min(length - done, PAGE_SIZE - at % PAGE_SIZE);
      const page = this.#pageAt(space, at, false);
      if (page < 0) return -page;
      // Memory that a VM has now: the access takes an external abort.
      if (!this.#cpu().readInto(page + at % PAGE_SIZE, size === length ? into : into.subarray(done, done + size))) return Signal.SIGBUS;
      done += size;
    }
    return undefined;
  }

  /** A store by the process; bytes before a fault are written. */
  store(space: UserSpace, address: number, bytes: Uint8Array): AccessResult<void> {
    const { length } = bytes;
    for (let done = 0; done < length;) {
      const at = address + done;
      const size = Math.min(length - done, PAGE_SIZE - at % PAGE_SIZE);
      const page = this.#pageAt(space, at, true);
      if (page < 0) return { ok: false, signal: -page };
      const piece = size === length ? bytes : bytes.subarray(done, done + size);
      if (!this.#cpu().write(page + at % PAGE_SIZE, piece)) return { ok: false, signal: Signal.SIGBUS };
      done += size;
    }
    return { ok: true, value: undefined };
  }

  /** The kernel's copy_from_user: undefined is EFAULT. */
  copyIn(space: UserSpace, address: bigint, length: number): Uint8Array | undefined {
    if (address >= BigInt(USER_END)) return undefined;
    const result = this.load(space, Number(address), length);
    return result.ok ? result.value : undefined;
  }

  /** The kernel's copy_to_user: false is EFAULT. */
  copyOut(space: UserSpace, address: bigint, bytes: Uint8Array): boolean {
    return address < BigInt(USER_END) && this.store(space, Number(address), bytes).ok;
  }

  // ---- pages for VMs ----

  /**
   * Pins user pages for as long as a VM has them. A number is the negative errno; then nothing
   * stays pinned.
   */
  pin(space: UserSpace, address: bigint, pages: number, write: boolean): Pinned | number {
    const ranges: { ipa: Ipa; count: number }[] = [];
    const objects = new Set<number>();
    if (address + BigInt(pages) * BigInt(PAGE_SIZE) > BigInt(USER_END)) return -Errno.EFAULT;
    for (let page = 0; page < pages; page++) {
      const at = Number(address) + page * PAGE_SIZE;
      const mapping = this.mappingAt(space, at);
      if (mapping === undefined || !(write ? mapping.write : mapping.read)) return -Errno.EFAULT;
      const found = this.#resolve(mapping, (at - mapping.start) / PAGE_SIZE, write);
      if (typeof found === "number") return -Errno.EFAULT;
      const last = ranges.at(-1);
      if (last !== undefined && last.ipa + last.count * PAGE_SIZE === found.ipa) last.count++;
      else ranges.push({ ipa: found.ipa, count: 1 });
      if (found.object !== undefined) objects.add(found.object);
    }
    for (const object of objects) this.holdObject(object);
    return { ranges, objects: [...objects] };
  }

  unpin(pinned: Pinned): void {
    for (const object of pinned.objects) this.dropObject(object);
  }

  // ---- inside ----

  #zero({ ipa, count }: PageRange): void {
    for (let done = 0; done < count * PAGE_SIZE; done += HUGE_PAGE) {
      const size = Math.min(HUGE_PAGE, count * PAGE_SIZE - done);
      if (!this.#cpu().write(ipa + done, ZEROS.subarray(0, size))) fail(`page 0x${ipa.toString(16)} is free but not writable`);
    }
  }

  #allocatePage(object: MemoryObject, page: number): Ipa | undefined {
    const ipa = this.pages.allocate(1);
    if (ipa === undefined) return undefined;
    let index = object.runs.findIndex(({ first }) => first > page);
    if (index < 0) index = object.runs.length;
    const before = object.runs[index - 1];
    if (before !== undefined && before.first + before.count === page && before.ipa + before.count * PAGE_SIZE === ipa) before.count++;
    else object.runs.splice(index, 0, { first: page, ipa, count: 1 });
    return ipa;
  }

  #dropMapping({ object, overlay, file }: Mapping): void {
    this.dropObject(object);
    if (overlay !== undefined) this.dropObject(overlay);
    if (file !== undefined) this.#closed(file);
  }

  /** The page of index `index` in a mapping; a number is the signal that touching it raises. */
  #resolve(mapping: Mapping, index: number, write: boolean): { ipa: Ipa; object: number | undefined } | number {
    if (mapping.overlay !== undefined) return this.#resolvePrivate(mapping, mapping.overlay, index, write);
    const object = this.object(mapping.object);
    const page = mapping.offset + index;
    if (page >= object.pages) return Signal.SIGBUS;
    const ipa = lookup(object, page);
    if (ipa !== undefined) return { ipa, object: object.id };
    if (object.kind === "anonymous" && !write) return this.#zeroPage();
    const allocated = this.#allocatePage(object, page);
    return allocated === undefined ? Signal.SIGBUS : { ipa: allocated, object: object.id };
  }

  #resolvePrivate(mapping: Mapping, overlay: number, index: number, write: boolean): { ipa: Ipa; object: number | undefined } | number {
    const own = this.object(overlay);
    const copied = lookup(own, index);
    if (copied !== undefined) return { ipa: copied, object: overlay };
    const original = this.#resolve({ ...mapping, overlay: undefined }, index, false);
    if (typeof original === "number" || !write) return original;
    const copy = this.#allocatePage(own, index);
    const content = this.#cpu().read(original.ipa, PAGE_SIZE);
    if (copy === undefined || content === undefined || !this.#cpu().write(copy, content)) return Signal.SIGBUS;
    return { ipa: copy, object: overlay };
  }

  #zeroPage(): { ipa: Ipa; object: undefined } | number {
    const ipa = this.state.zeroPage ??= this.pages.allocate(1);
    return ipa === undefined ? Signal.SIGBUS : { ipa, object: undefined };
  }

  /**
   * IPA of the page that holds an address of a process; minus the signal that touching it raises.
   */
  #pageAt(space: UserSpace, address: number, write: boolean): number {
    const mapping = this.mappingAt(space, address);
    if (mapping === undefined || !(write ? mapping.write : mapping.read)) return -Signal.SIGSEGV;
    const found = this.#resolve(mapping, Math.floor((address - mapping.start) / PAGE_SIZE), write);
    return typeof found === "number" ? -found : found.ipa;
  }
}

/** IPA of a page of an object that exists. */
function lookup(object: MemoryObject, page: number): Ipa | undefined {
  const { runs } = object;
  const run = runs[firstIndex(runs.length, (index) => runs[index].first + runs[index].count > page)];
  return run !== undefined && run.first <= page ? asIpa(run.ipa + (page - run.first) * PAGE_SIZE) : undefined;
}

function fail(message: string): never {
  throw new Error(message);
}

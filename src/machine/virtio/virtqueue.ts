// Split virtqueues (virtio 1.2 section 2.7), device side. The guest may have written anything into
// the rings: each walk is bounded by the queue's size, each length is checked, and a violation is a
// `VirtioFault`.

import * as v from "valibot";
import { count, demand, type Form, inForm, list, ofBits } from "../../kit/support/values/forms.ts";
import { HeldDescriptors } from "./held-descriptors.ts";
import { type GuestMemory, GuestWords, unreachable, VirtioFault } from "./memory.ts";
import type { QueueLimits } from "./limits.ts";
import { Descriptor, DESCRIPTOR_SIZE, readDescriptor, Ring, USED_ENTRY_SIZE, usedEntryAt } from "./rings.ts";
import { unwrittenBuffer, type UsedBuffer } from "./used-buffers.ts";

/** Entries that a queue can have. */
export const QUEUE_SIZE_MAX = 256;

const AVAIL_NO_INTERRUPT = 1;
/** Available indices whose chains are samples. */
const SAMPLED = [0, 16, 256, 4096];

/** A piece of guest memory. */
interface Segment {
  readonly address: number;
  readonly length: number;
}

/** A chain that a device keeps: plain data. Segments are address and length. */
export interface ChainState {
  readonly head: number;
  readonly readable: readonly (readonly [address: number, length: number])[];
  readonly writable: readonly (readonly [address: number, length: number])[];
  /** Bytes that the device has read, written, and counted in `Chain.done`. */
  readonly read: number;
  readonly written: number;
  readonly done: number;
}

/**
 * A chain that a driver has made available: bytes for the device to read, then room for it to
 * write.
 */
export class Chain {
  readonly #readable: Segment[] = [];
  readonly #writable: Segment[] = [];
  #readIndex = 0;
  #readOffset = 0;
  #writeIndex = 0;
  #writeOffset = 0;
  #readLeft = 0;
  #writeLeft = 0;
  #written = 0;
  #bytes = 0;
  /** The device's count of what it has done for the chain in earlier turns; its unit is its own. */
  done = 0;

  /** @param bytesMax bytes that it may carry */
  constructor(readonly head: number, readonly memory: GuestMemory, readonly bytesMax: number) {}

  /** Bytes of all its buffers. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that are left to read. */
  get readable(): number {
    return this.#readLeft;
  }

  /** Room that is left. */
  get writable(): number {
    return this.#writeLeft;
  }

  /** Bytes written so far, for the used ring. */
  get written(): number {
    return this.#written;
  }

  /** Whether a device has read or written any of it. */
  get begun(): boolean {
    return this.#readIndex > 0 || this.#readOffset > 0 || this.#written > 0;
  }

  /** The chain for `Virtqueue.kept`. */
  save(): ChainState {
    const plain = (segments: readonly Segment[]) => segments.map(({ address, length }) => [address, length] as const);
    const [readable, writable] = [plain(this.#readable), plain(this.#writable)];
    const read = bytesOf(this.#readable) - this.#readLeft;
    return { head: this.head, readable, writable, read, written: this.#written, done: this.done };
  }

  /** Leaves the next `bytes` unread; all that is left unless given. */
  skipReadable(bytes = this.#readLeft): void {
    this.#readLeft -= bytes;
    while (bytes > 0) {
      const left = this.#readable[this.#readIndex].length - this.#readOffset;
      const size = Math.min(bytes, left);
      this.#readOffset += size;
      bytes -= size;
      if (size === left) this.#readIndex++, this.#readOffset = 0;
    }
  }

  add(address: number, length: number, write: boolean): void {
    if (write) {
      this.#writable.push({ address, length });
      this.#writeLeft += length;
    } else {
      if (this.#writable.length) {
        throw new VirtioFault("2.7.4.2", "device-readable descriptors come before device-writable ones", { head: this.head });
      }
      this.#readable.push({ address, length });
      this.#readLeft += length;
    }
    this.#bytes += length;
    if (this.#bytes > this.bytesMax) {
      throw new VirtioFault("2.7.5", "a chain has too many bytes for this device", { bytes: this.#bytes });
    }
  }

  /** Reads up to `into.length` bytes; gives how many there were. */
  read(into: Uint8Array): number {
    let done = 0;
    while (done < into.length && this.#readIndex < this.#readable.length) {
      const segment = this.#readable[this.#readIndex];
      const size = Math.min(into.length - done, segment.length - this.#readOffset);
      const address = segment.address + this.#readOffset;
      if (size > 0 && !this.memory.read(address, into.subarray(done, done + size))) throw unreachable("a buffer", address, size, "read");
      done += size;
      this.#readOffset += size;
      if (this.#readOffset === segment.length) this.#readIndex++, this.#readOffset = 0;
    }
    this.#readLeft -= done;
    return done;
  }

  readAll(): Uint8Array {
    const bytes = new Uint8Array(this.#readLeft);
    this.read(bytes);
    return bytes;
  }

  /** Writes as much of `from` as fits; returns how much. */
  write(from: Uint8Array): number {
    let done = 0;
    while (done < from.length && this.#writeIndex < this.#writable.length) {
      const segment = this.#writable[this.#writeIndex];
      const size = Math.min(from.length - done, segment.length - this.#writeOffset);
      const address = segment.address + this.#writeOffset;
      if (size > 0 && !this.memory.write(address, from.subarray(done, done + size))) throw unreachable("a buffer", address, size, "write");
      done += size;
      this.#writeOffset += size;
      if (this.#writeOffset === segment.length) this.#writeIndex++, this.#writeOffset = 0;
    }
    this.#writeLeft -= done;
    this.#written += done;
    return done;
  }

  /**
   * Copies the first bytes that are left to read, which stay to be read; gives how many there were.
   */
  peek(into: Uint8Array): number {
    const before = [this.#readIndex, this.#readOffset, this.#readLeft];
    const done = this.read(into);
    [this.#readIndex, this.#readOffset, this.#readLeft] = before;
    return done;
  }

  /** The same of the chain's first bytes, which may have been read. */
  peekFirst(into: Uint8Array): number {
    const before = [this.#readIndex, this.#readOffset];
    [this.#readIndex, this.#readOffset] = [0, 0];
    const left = this.#readLeft, done = this.read(into);
    [this.#readIndex, this.#readOffset, this.#readLeft] = [...before, left];
    return done;
  }

  /** Back to where nothing was read or written. */
  rewind(): void {
    this.#readIndex =
      this.#readOffset =
      this.#writeIndex =
      this.#writeOffset =
      this.#written =
      this.done =
        0;
    this.#readLeft = bytesOf(this.#readable);
    this.#writeLeft = bytesOf(this.#writable);
  }

  /**
   * Leaves all but the last `bytes` of the room unwritten, as a device does that has a status to
   * give and no data. They count as written.
   */
  skipTo(bytes: number): void {
    let skip = this.#writeLeft - bytes;
    while (skip > 0) {
      const left = this.#writable[this.#writeIndex].length - this.#writeOffset;
      const size = Math.min(skip, left);
      this.#writeOffset += size;
      skip -= size;
      this.#writeLeft -= size;
      this.#written += size;
      if (size === left) this.#writeIndex++, this.#writeOffset = 0;
    }
  }
}

function bytesOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { length }) => sum + length, 0);
}

/** State of a queue: plain data. Addresses are IPAs. */
export interface VirtqueueState {
  readonly size: number;
  readonly ready: boolean;
  readonly descriptors: number;
  readonly driver: number;
  readonly device: number;
  readonly nextAvail: number;
  readonly nextUsed: number;
  /** Used index when the driver was last interrupted. */
  readonly signalled: number;
  /** The chain that the device is in the middle of. */
  readonly current?: ChainState;
  /** Chains that an injected fault lost, if there are any. */
  readonly lost?: number;
  /** Where a driver of version 1 has its rings, if one is at work: they are not used. */
  readonly legacy?: number;
  /** The used ring that it had before the reset, if no driver has set it up since. */
  readonly before?: readonly [device: number, size: number];
  /** Descriptors of the chains that the device has, if there are any. */
  readonly held?: readonly number[];
  /** First descriptors of chains that it has seen and not taken, if there are any. */
  readonly seen?: readonly number[];
}

type QueuePart = "descriptors" | "driver" | "device";

/** The progress of device and driver in a queue, as numbers of chains. */
export interface QueueCondition {
  readonly ready: boolean;
  /**
   * Made available by the driver, and not taken by the device; undefined if the ring cannot be
   * read.
   */
  readonly available: number | undefined;
  /** Taken by the device, and not given back. */
  readonly taken: number;
  /** Those of `taken` that an injected fault lost. */
  readonly lost: number;
  /** Given back since the last reset, modulo 2^16. */
  readonly used: number;
  /** Whether one of the next chains that are given back interrupts the driver. */
  readonly interrupts: boolean;
  /** The device continues with it in a later turn. */
  readonly continues: boolean;
}

/**
 * Bytes of the rings of version 1 of the largest queue: entries, heads, and room up to a page. Its
 * driver places them by a size that the device may not have been told.
 */
const LEGACY_RINGS = 4096 + 12 + (DESCRIPTOR_SIZE + 2 + USED_ENTRY_SIZE) * QUEUE_SIZE_MAX;

const SEGMENT = v.strictTuple([count, ofBits(32)]);
const CHAIN: Form<ChainState> = v.strictObject({
  head: ofBits(16),
  readable: list(SEGMENT),
  writable: list(SEGMENT),
  read: count,
  written: count,
  done: count,
});
const QUEUE: Form<VirtqueueState> = v.strictObject({
  size: count,
  ready: v.boolean(),
  descriptors: count,
  driver: count,
  device: count,
  nextAvail: ofBits(16),
  nextUsed: ofBits(16),
  signalled: ofBits(16),
  current: v.exactOptional(CHAIN),
  lost: v.exactOptional(ofBits(16)),
  legacy: v.exactOptional(count),
  before: v.exactOptional(v.strictTuple([count, count])),
  held: v.exactOptional(list(ofBits(32))),
  seen: v.exactOptional(list(ofBits(16))),
});

/** The part of the state that drivers set and rings count. */
type QueueRegisters = Omit<VirtqueueState, "current" | "lost" | "legacy" | "before" | "held" | "seen">;
const RESET: QueueRegisters = { size: 0, ready: false, descriptors: 0, driver: 0, device: 0, nextAvail: 0, nextUsed: 0, signalled: 0 };

/** Observes the chains of a queue. */
export interface QueueObserver {
  /** The device looks for chains: this many are available. */
  looked(available: number): void;
  /** The device takes the next one. */
  taken(head: number): void;
  /** It is given back. */
  used(head: number): void;
  /** The queue is reset. */
  reset(): void;
}

/** Hears of a driver's use of queues, by their numbers. It changes nothing in the machine. */
export interface DriverListener {
  /**
   * A chain that is made available has a descriptor of a chain that the device has not given back.
   */
  reused(queue: number, descriptor: number): void;
  /**
   * The device takes a chain: the first one, and ever fewer after it.
   * @param places of the queue's parts, and of the chain's first buffer
   */
  sampled(queue: number, places: readonly { readonly part: QueuePart | "buffer"; readonly ipa: number }[]): void;
}

/** A queue in its device. */
interface QueueSeat {
  readonly number: number;
  readonly device: { readonly listener?: DriverListener | undefined };
}

const PARTS: readonly QueuePart[] = ["descriptors", "driver", "device"];

export class Virtqueue {
  /** Changes nothing in the machine. */
  observer: QueueObserver | undefined;
  /** Whether VIRTIO_F_EVENT_IDX was negotiated. */
  eventIndex = false;
  /** The chain that the device is in the middle of, and serves on in its next turn. */
  current: Chain | undefined;
  #lost = 0;
  #legacy: number | undefined;
  #before: VirtqueueState["before"];
  readonly #held = new HeldDescriptors(QUEUE_SIZE_MAX);
  /** First descriptors of chains that the device has seen in the available ring and not taken. */
  #seen: number[] = [];
  #words: GuestWords;
  #state: { -readonly [K in keyof QueueRegisters]: QueueRegisters[K] } = { ...RESET };

  /**
   * @param limits of the device on its chains and turns
   * @param seat absent: nobody hears of its driver
   */
  constructor(readonly memory: GuestMemory, public limits: QueueLimits, readonly seat?: QueueSeat) {
    this.#words = new GuestWords(memory);
  }

  get size(): number {
    return this.#state.size;
  }

  get ready(): boolean {
    return this.#state.ready;
  }

  reset(): void {
    const { ready, device, size } = this.#state;
    if (ready) this.#before = [device, size];
    this.#state = { ...RESET };
    this.current = undefined;
    this.#lost = 0;
    this.#legacy = undefined;
    this.#held.clear();
    this.#seen = [];
    this.observer?.reset();
  }

  save(): VirtqueueState {
    const held = this.#held.save();
    return {
      ...this.#state,
      ...this.current && { current: this.current.save() },
      ...this.#lost > 0 && { lost: this.#lost },
      ...this.#legacy !== undefined && { legacy: this.#legacy },
      ...this.#before && { before: this.#before },
      ...held && { held },
      ...this.#seen.length > 0 && { seen: [...this.#seen] },
    };
  }

  /** @throws Error if the state is that of no queue */
  restore(state: VirtqueueState): void {
    const { current, lost = 0, legacy, before, held, seen = [], ...registers } = inForm(QUEUE, state), { size, ready } = registers;
    if (size !== 0) this.resize(size);
    demand(!ready || size !== 0, "ready", "a queue is ready when it has a size");
    this.#state = registers;
    this.current = current && this.kept(current);
    this.#lost = lost;
    this.#legacy = legacy;
    this.#before = before;
    this.#held.restore(held);
    demand(seen.length <= size, "seen", "a device sees no more chains than a queue has entries");
    this.#seen = [...seen];
  }

  /** Entries, as the driver wants them: a power of two up to `QUEUE_SIZE_MAX`. */
  resize(size: number): void {
    if (size < 1 || size > QUEUE_SIZE_MAX || (size & size - 1) !== 0) {
      throw new VirtioFault("2.7", `a queue has a power of two of entries, at most ${QUEUE_SIZE_MAX}`, { size });
    }
    this.#state.size = size;
  }

  /** Places the three parts; the driver writes their addresses in halves. */
  place(part: QueuePart, high: boolean, value: number): void {
    const old = this.#state[part];
    const low = high ? old % 2 ** 32 : value;
    const top = high ? value : Math.floor(old / 2 ** 32);
    this.#state[part] = top * 2 ** 32 + low;
  }

  /** Half of the address of a part, as the driver reads it back. */
  placed(part: QueuePart, high: boolean): number {
    const address = this.#state[part];
    return high ? Math.floor(address / 2 ** 32) : address % 2 ** 32;
  }

  /** A driver of version 1 says where its rings are. */
  placeLegacy(address: number): void {
    this.#legacy = address > 0 ? address : undefined;
  }

  /** Where a driver of version 1 has its rings; undefined if none is at work. */
  get legacy(): number | undefined {
    return this.ready ? undefined : this.#legacy;
  }

  /** Where a part is. */
  at(part: QueuePart): number {
    return this.#state[part];
  }

  /** Whether an address is in one of the three parts, or in the rings of version 1. */
  holds(address: number): boolean {
    const { legacy } = this, { size, descriptors, driver, device } = this.#state;
    // Both rings end with a word for events.
    const rings = Ring.ENTRIES + 2;
    const parts = [[descriptors, DESCRIPTOR_SIZE * size], [driver, rings + 2 * size], [device, rings + USED_ENTRY_SIZE * size]];
    if (legacy !== undefined) parts.push([legacy, LEGACY_RINGS]);
    return parts.some(([from, bytes]) => address >= from && address < from + bytes);
  }

  /** Whether an address is in the used ring that it had before its driver reset the device. */
  heldBefore(address: number): boolean {
    const [from, size] = this.#before ?? [0, 0];
    return address >= from && address < from + (size && Ring.ENTRIES + USED_ENTRY_SIZE * size);
  }

  /**
   * The buffer at an address of a chain that the device has given back, if it has not written that
   * byte.
   * @param memory where the rings are read, without an effect on the machine
   */
  unwritten(memory: GuestMemory, address: number): UsedBuffer | undefined {
    const { size, descriptors, device, nextUsed: used } = this.#state;
    return this.ready ? unwrittenBuffer(memory, { size, descriptors, device, used }, address) : undefined;
  }

  enable(ready: boolean): void {
    if (ready && this.#state.size === 0) throw new VirtioFault("4.2.3.2", "a queue is ready when it has a size");
    if (ready) this.#before = undefined;
    this.#state.ready = ready;
  }

  /** How many chains the driver has made available. */
  get available(): number {
    return this.#availableIn(this.#words);
  }

  #availableIn(words: GuestWords): number {
    if (!this.#state.ready) return 0;
    const { driver, size, nextAvail } = this.#state;
    const index = words.readU16(driver + Ring.INDEX, "the driver area of a queue");
    const count = index - nextAvail & 0xffff;
    if (count > size) {
      throw new VirtioFault("2.7.6", "the available index runs ahead of the queue's size", { index, next: nextAvail, size });
    }
    return count;
  }

  /** A chain that was taken does not come back. */
  lose(): void {
    this.#lost = this.#lost + 1 & 0xffff;
  }

  /**
   * @param memory where the rings are read, without an effect on the machine
   * @param continues the device continues with it in a later turn
   */
  condition(memory: GuestMemory, continues: boolean): QueueCondition {
    const { ready, size, nextAvail, nextUsed } = this.#state, words = new GuestWords(memory);
    const common = { ready, taken: nextAvail - nextUsed & 0xffff, lost: this.#lost, used: nextUsed, continues };
    try {
      return { ...common, available: this.#availableIn(words), interrupts: ready && this.#wantsInterrupt(words, nextUsed, size) };
    } catch (error) {
      if (!(error instanceof VirtioFault)) throw error;
      return { ...common, available: undefined, interrupts: false };
    }
  }

  /** Whether the driver wants an interrupt for one of the used chains with these numbers. */
  #wantsInterrupt(words: GuestWords, first: number, count: number): boolean {
    const { driver, size } = this.#state;
    if (!this.eventIndex) return (words.readU16(driver + Ring.FLAGS, "the driver area of a queue") & AVAIL_NO_INTERRUPT) === 0;
    return (words.readU16(driver + Ring.ENTRIES + 2 * size, "the driver area of a queue") - first & 0xffff) < count;
  }

  /** The chain that the device is in the middle of, which it has from now on. */
  takeCurrent(): Chain | undefined {
    const { current } = this;
    this.current = undefined;
    return current;
  }

  /** Takes the next chain; undefined without one. */
  pop(): Chain | undefined {
    const { available } = this;
    this.observer?.looked(available);
    if (available === 0) {
      if (this.#state.ready && this.eventIndex) this.#askForNotification();
      return undefined;
    }
    this.#see();
    const { nextAvail } = this.#state, head = this.#headAt(nextAvail);
    this.#seen.shift();
    this.#state.nextAvail = nextAvail + 1 & 0xffff;
    this.observer?.taken(head);
    if (this.eventIndex) this.#askForNotification();
    const chain = this.#walk(head);
    if (SAMPLED.includes(nextAvail)) this.#sample(chain);
    return chain;
  }

  #headAt(place: number): number {
    const { driver, size } = this.#state;
    return this.#words.readU16(driver + Ring.ENTRIES + 2 * (place % size), "the driver area of a queue");
  }

  /**
   * Looks at the chains that are new in the available ring: none may be available already, or be
   * with the device. It has no effect on the machine; a ring that cannot be read has none.
   */
  #see(): void {
    try {
      for (let { available } = this, place = this.#seen.length; place < available; place++) {
        const head = this.#headAt(this.#state.nextAvail + place);
        if (this.#held.has(head) || this.#seen.includes(head)) this.seat?.device.listener?.reused(this.seat.number, head);
        this.#seen.push(head);
      }
    } catch (error) {
      if (!(error instanceof VirtioFault)) throw error;
    }
  }

  #sample(chain: Chain): void {
    const { readable, writable } = chain.save(), buffers = [...readable, ...writable].slice(0, 1);
    const places = PARTS.map((part) => ({ part, ipa: this.at(part) }));
    this.seat?.device.listener?.sampled(this.seat.number, [...places, ...buffers.map(([ipa]) => ({ part: "buffer" as const, ipa }))]);
  }

  /**
   * A chain that was popped before its device was saved.
   * @throws Error if the state is not that of a chain
   */
  kept(state: ChainState): Chain {
    const { head, readable, writable, read, written, done } = inForm(CHAIN, state);
    const chain = new Chain(head, this.memory, this.limits.chain);
    for (const [write, segments] of [[false, readable], [true, writable]] as const) {
      for (const [address, length] of segments) {
        chain.add(address, length, write);
      }
    }
    demand(read <= chain.readable && written <= chain.writable, "chain", "a device reads and writes no more than its bytes");
    chain.skipReadable(read);
    chain.skipTo(chain.writable - written);
    chain.done = done;
    return chain;
  }

  /** Gives the newest chain back to the available ring: the device cannot serve it yet. */
  unpop(chain: Chain): void {
    this.#held.giveBack(chain.head);
    this.#seen.unshift(chain.head);
    this.#state.nextAvail = this.#state.nextAvail - 1 & 0xffff;
  }

  /** Returns a chain to the driver. */
  push(chain: Chain): void {
    // Chains that are available now were so before the driver could know that this one is back.
    this.#see();
    const { device, size, nextUsed } = this.#state;
    this.#words.writeU32Pair(usedEntryAt(device, size, nextUsed), chain.head, chain.written, "the device area of a queue");
    this.#state.nextUsed = nextUsed + 1 & 0xffff;
    this.#words.writeU16(device + Ring.INDEX, this.#state.nextUsed, "the device area of a queue");
    this.#held.giveBack(chain.head);
    this.observer?.used(chain.head);
  }

  /** Whether the driver wants an interrupt for what has been pushed since it was last asked. */
  takeSignal(): boolean {
    const { nextUsed, signalled } = this.#state;
    if (!this.#state.ready || nextUsed === signalled) return false;
    this.#state.signalled = nextUsed;
    return this.#wantsInterrupt(this.#words, signalled, nextUsed - signalled & 0xffff);
  }

  #askForNotification(): void {
    const { device, size, nextAvail } = this.#state;
    this.#words.writeU16(device + Ring.ENTRIES + USED_ENTRY_SIZE * size, nextAvail, "the device area of a queue");
  }

  /** The chain that begins with this descriptor in the guest's table. */
  #walk(head: number): Chain {
    const chain = new Chain(head, this.memory, this.limits.chain);
    const { size } = this.#state;
    let table = this.#state.descriptors, entries = size, indirect = false;
    let index = head, reused: number | undefined;
    for (let steps = 0;; steps++) {
      if (index >= entries) throw new VirtioFault("2.7.5", "a descriptor's number is below the table's size", { index, entries });
      if (steps >= entries) throw new VirtioFault("2.7.5.2", "a chain has no loop", { head });
      if (!indirect && this.#held.take(index, steps)) reused ??= index;
      const { address, length, flags, next } = readDescriptor(this.#words.readBlock(table + DESCRIPTOR_SIZE * index, "a descriptor"));
      if (flags & Descriptor.INDIRECT) {
        if (indirect || flags & Descriptor.NEXT) {
          throw new VirtioFault("2.7.5.3.1", "an indirect descriptor ends its chain", { head, flags });
        }
        entries = length / DESCRIPTOR_SIZE;
        if (!Number.isInteger(entries) || entries < 1 || entries > QUEUE_SIZE_MAX) {
          throw new VirtioFault("2.7.5.3", `an indirect table has 1 to ${QUEUE_SIZE_MAX} descriptors`, { bytes: length });
        }
        [table, index, indirect, steps] = [address, 0, true, -1];
        continue;
      }
      chain.add(address, length, (flags & Descriptor.WRITE) !== 0);
      if (!(flags & Descriptor.NEXT)) break;
      index = next;
    }
    if (reused !== undefined) this.seat?.device.listener?.reused(this.seat.number, reused);
    return chain;
  }
}

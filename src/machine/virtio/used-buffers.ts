// Buffers of chains that a device has given back without a byte in them, by the rings as they are
// in guest memory now. The driver may have changed them since.

import { type GuestMemory, GuestWords, VirtioFault } from "./memory.ts";
import { Descriptor, DESCRIPTOR_SIZE, readDescriptor, usedEntryAt } from "./rings.ts";

/** A byte of a buffer in a chain that the device has given back. */
export interface UsedBuffer {
  /** Its descriptor, in the queue's table or in an indirect one. */
  readonly descriptor: number;
  /** Whether the device may write it. */
  readonly writable: boolean;
  /** Bytes that the device says to have written into the chain. */
  readonly written: number;
}

/** Descriptors that are read: each chain of a hostile driver may have as many as its queue. */
const READ_MAX = 1024;

/** Where a queue is, and how many chains it has given back, modulo 2^16. */
interface QueuePlace {
  readonly size: number;
  readonly descriptors: number;
  readonly device: number;
  readonly used: number;
}

/**
 * The newest chain that has a buffer with an address, if the device has not written that byte;
 * undefined if it has, if there is none, or if a ring cannot be read.
 */
export function unwrittenBuffer(memory: GuestMemory, queue: QueuePlace, address: number): UsedBuffer | undefined {
  const words = new GuestWords(memory), { size, used, device } = queue, budget = { left: READ_MAX };
  try {
    for (let back = 1; back <= Math.min(size, used) && budget.left > 0; back++) {
      const entry = usedEntryAt(device, size, used - back);
      const found = bufferOf(words, queue, { head: words.readU32(entry), written: words.readU32(entry + 4) }, address, budget);
      if (found) return found.isWritten ? undefined : found.buffer;
    }
  } catch (error) {
    if (!(error instanceof VirtioFault)) throw error;
  }
  return undefined;
}

function bufferOf(
  words: GuestWords,
  { size, descriptors }: QueuePlace,
  { head, written }: { readonly head: number; readonly written: number },
  address: number,
  budget: { left: number },
): { readonly buffer: UsedBuffer; readonly isWritten: boolean } | undefined {
  let table = descriptors, entries = size, index = head, room = 0;
  for (let steps = 0; index < entries && steps < entries && budget.left > 0; steps++, budget.left--) {
    const one = readDescriptor(words.readBlock(table + DESCRIPTOR_SIZE * index, "a descriptor"));
    if (one.flags & Descriptor.INDIRECT) {
      if (table !== descriptors) return undefined;
      [table, entries, index, steps] = [one.address, Math.min(one.length / DESCRIPTOR_SIZE, size), 0, -1];
      continue;
    }
    const writable = (one.flags & Descriptor.WRITE) !== 0, offset = address - one.address;
    // An empty buffer has its address all the same.
    if (offset >= 0 && offset < Math.max(one.length, 1)) {
      return { buffer: { descriptor: index, writable, written }, isWritten: writable && room + offset < written };
    }
    if (writable) room += one.length;
    if (!(one.flags & Descriptor.NEXT)) return undefined;
    index = one.next;
  }
  return undefined;
}

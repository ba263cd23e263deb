// The layout of split virtqueues in guest memory (virtio 1.2 section 2.7).

export const DESCRIPTOR_SIZE = 16;
export const Descriptor = { NEXT: 1, WRITE: 2, INDIRECT: 4 } as const;
/** Offsets in both rings: flags, index, entries. */
export const Ring = { FLAGS: 0, INDEX: 2, ENTRIES: 4 } as const;
export const USED_ENTRY_SIZE = 8;

/**
 * The address of the used ring's entry for a chain.
 * @param device where the used ring is
 * @param size entries
 * @param count chains that were given back before it
 */
export const usedEntryAt = (device: number, size: number, count: number) => device + Ring.ENTRIES + USED_ENTRY_SIZE * (count % size);

/** A descriptor as it is in a table. */
export interface RawDescriptor {
  readonly address: number;
  readonly length: number;
  readonly flags: number;
  readonly next: number;
}

/** @param view its 16 bytes */
export function readDescriptor(view: DataView): RawDescriptor {
  return {
    address: view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true),
    length: view.getUint32(8, true),
    flags: view.getUint16(12, true),
    next: view.getUint16(14, true),
  };
}

// Layout of the Resource Manager's own memory, as offsets from its heap (docs/spec/observed.md §7:
// heap at 0x804e_5000):
//
//     0x0000  stack of the runtime (not used by a native guest)
//     0x7000  packet buffers: one to send from, one to receive to
//     0x8000  log ring, which the primary VM can read
//     0xd000  pages for info areas, up to the heap's end

import { asIpa } from "../../abi/numbers.ts";

/** Packet buffers; each holds the longest message of a message queue. Bytes. */
export const SEND_BUFFER = 0x7000;
export const RECEIVE_BUFFER = 0x7800;
export const RECEIVE_BUFFER_SIZE = 0x800;
/** The log ring, bytes. */
export const LOG_OFFSET = 0x8000;
export const LOG_SIZE = 0x2000;
/** First of the pages. */
export const PAGES_OFFSET = 0xd000;

/**
 * Where a VM's devicetree is mapped while the Resource Manager reads and writes it: above the
 * device range. Bytes.
 */
export const DEVICETREE_WINDOW = 0x4000_0000;
export const DEVICETREE_WINDOW_SIZE = 0x1000_0000;

/**
 * Where the primary VM, which is else mapped directly, has room for pages of the Resource
 * Manager's: its info area comes first. Bytes.
 */
export const VIRTIO_WINDOW = { base: asIpa(0x3000_0000), size: 0x1000_0000 } as const;

/** All VMs' extents cover this much, so that an offset in an extent is a physical address. */
export const EXTENT_SIZE = 2 ** 44;

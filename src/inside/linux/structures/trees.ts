// Trees of the kernel: maple trees (lib/maple_tree.c in its sources), xarrays (lib/xarray.c) and
// red-black trees. A pointer to a node has its kind in its lowest bits. Trees of a kernel are few
// levels high; what is higher is not a tree.

import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { BadMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const LEVELS_MAX = 24, RED_BLACK_LEVELS_MAX = 64;
/** Bits of an entry that is a node: `10`. */
const NODE_BITS = 3n, NODE = 2n;
/** Smaller ones are not addresses. */
const SMALLEST_NODE = 4096n;
const WORD = 8n;

const isNode = (entry: bigint) => (entry & NODE_BITS) === NODE && entry > SMALLEST_NODE;
/** An entry that is a pointer, not a mark. */
const isPointer = (entry: bigint) => entry >= UPPER_HALF && (entry & NODE_BITS) === 0n;

/** Kinds of maple nodes that are in trees of ranges, by their number. */
const MAPLE_KINDS: Readonly<Record<number, { readonly field: string; readonly leaf: boolean }>> = {
  1: { field: "mr64", leaf: true },
  2: { field: "mr64", leaf: false },
  3: { field: "ma64", leaf: false },
};
/** Bits of a pointer below the node's address, and where the kind is in them. */
const MAPLE_BITS = 0xffn, MAPLE_KIND_SHIFT = 3n, MAPLE_KIND = 0xfn;

/** The pointers in a maple tree, in the order of their indexes. */
export function* mapleEntries(reading: Reading, tree: Struct): Generator<bigint> {
  const root = tree.big("ma_root");
  if (isNode(root)) yield* mapleNode(reading, root, 0);
  else if (isPointer(root)) yield root;
}

function* mapleNode(reading: Reading, entry: bigint, level: number): Generator<bigint> {
  const kind = MAPLE_KINDS[Number(entry >> MAPLE_KIND_SHIFT & MAPLE_KIND)];
  const node = reading.struct("maple_node", entry & ~MAPLE_BITS);
  if (!kind || level === LEVELS_MAX) throw new BadMemory("invalid", "this is not a node of a maple tree", entry);
  const slots = node.lengthOf(`${kind.field}.slot`), pivots = node.lengthOf(`${kind.field}.pivot`);
  const slotAt = node.addressOf(`${kind.field}.slot`), pivotAt = node.addressOf(`${kind.field}.pivot`);
  for (let slot = 0; slot < slots; slot++) {
    // An entry passes through the nodes above.
    reading.spend(level);
    const pivot = slot < pivots ? reading.memory.u64(pivotAt + BigInt(slot) * WORD) : 0n;
    const child = reading.memory.u64(slotAt + BigInt(slot) * WORD);
    // A node that is not full ends at a pivot of zero, whose slot is of the rest if it is the first
    // such one; a full one has its kind in the last slot.
    const last = pivot === 0n && slot > 0;
    // Only the root's pointer has the bits of a node. Others have the kind of theirs above those.
    if (isPointer(child)) {
      if (kind.leaf) yield child;
      else yield* mapleNode(reading, child, level + 1);
    }
    if (last) return;
  }
}

/** The pointers in an xarray or radix tree, in the order of their indexes. */
export function* arrayEntries(reading: Reading, array: Struct): Generator<bigint> {
  yield* arrayEntry(reading, array.big("xa_head"), 0);
}

function* arrayEntry(reading: Reading, entry: bigint, level: number): Generator<bigint> {
  if (isPointer(entry)) yield entry;
  if (!isNode(entry)) return;
  if (level === LEVELS_MAX) throw new BadMemory("invalid", "this is not a node of an array", entry);
  const node = reading.struct("xa_node", entry - NODE), slots = node.addressOf("slots"), length = node.lengthOf("slots");
  for (let slot = 0; slot < length; slot++) {
    reading.spend(level);
    yield* arrayEntry(reading, reading.memory.u64(slots + BigInt(slot) * WORD), level + 1);
  }
}

/** The structures in a red-black tree, in order. */
export function* redBlackEntries(reading: Reading, root: Struct, type: string, field: string): Generator<Struct> {
  const offset = reading.struct(type, 0n).addressOf(field);
  function* walk(address: bigint, level: number): Generator<Struct> {
    if (address === 0n) return;
    if (level === RED_BLACK_LEVELS_MAX) throw new BadMemory("invalid", "a tree is too high", address);
    reading.spend(level);
    const node = reading.struct("rb_node", address);
    yield* walk(node.pointer("rb_left"), level + 1);
    yield reading.struct(type, address - offset);
    yield* walk(node.pointer("rb_right"), level + 1);
  }
  yield* walk(root.pointer("rb_node"), 0);
}

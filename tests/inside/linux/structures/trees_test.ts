// Maple trees of several levels (lib/maple_tree.c in the kernel's sources): a pointer to a node has
// the bits of a node in the root alone; inside of the tree it has its kind, and bit 2.

import assert from "node:assert/strict";
import { tablesOf } from "../../../../src/kit/formats/page-tables.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { SeenMemory } from "../../../../src/inside/linux/kernel/memory.ts";
import type { LinuxKernel } from "../../../../src/inside/linux/kernel/kernel.ts";
import { Reading } from "../../../../src/inside/linux/kernel/reading.ts";
import { Struct, type Types } from "../../../../src/inside/linux/kernel/types.ts";
import { mapleEntries } from "../../../../src/inside/linux/structures/trees.ts";

const BASE = 0xffff_0000_0000_0000n, NODE = 256n;
/** Where fields of a node are, and how many elements they have. */
const FIELDS: Readonly<Record<string, readonly [offset: number, length: number]>> = {
  "maple_tree.ma_root": [0, 0],
  "maple_node.mr64.pivot": [8, 15],
  "maple_node.mr64.slot": [128, 16],
  "maple_node.ma64.pivot": [8, 9],
  "maple_node.ma64.slot": [80, 10],
};
const TYPES: Types = {
  sizeOf: () => Number(NODE),
  field(struct, path) {
    const field = FIELDS[`${struct}.${path}`];
    return field && { offset: field[0], size: 8, type: field[1] };
  },
  lengthOf: ({ type }) => type,
};
/** Kinds of nodes. */
const LEAF = 1n, RANGES = 2n, ALLOCATION = 3n;

Deno.test("the entries of a maple tree of three levels are found in their order", () => {
  const page = new DataView(new ArrayBuffer(PAGE_SIZE)),
    memory = new SeenMemory(
      { page: () => undefined, ranges: () => [] },
      tablesOf(0n, 0n, true),
      (address) => address === BASE ? page : undefined,
      () => undefined,
    );
  const kernel = {
    struct: (_: unknown, type: string, address: bigint) => new Struct(memory, TYPES, type, address),
  } as unknown as LinuxKernel;
  const word = (at: bigint, value: bigint) => page.setBigUint64(Number(at), value, true);
  /** A node of a number: pivots, then slots. */
  const node = (number: bigint, kind: "mr64" | "ma64", pivots: readonly bigint[], slots: readonly bigint[]) => {
    for (const [field, values] of [["pivot", pivots], ["slot", slots]] as const) {
      values.forEach((value, index) => word(NODE * number + BigInt(FIELDS[`maple_node.${kind}.${field}`][0] + 8 * index), value));
    }
  };
  const inside = (number: bigint, kind: bigint) => BASE + NODE * number | kind << 3n | 4n;
  word(0n, BASE + NODE | ALLOCATION << 3n | 6n);
  const entries = Array.from({ length: 6 }, (_, index) => BASE + 0x10_0000n + 0x100n * BigInt(index));
  node(1n, "ma64", [8n, 0xffn], [inside(2n, RANGES), inside(5n, LEAF)]);
  node(2n, "mr64", [4n, 8n], [inside(3n, LEAF), inside(4n, LEAF)]);
  node(3n, "mr64", [1n, 4n], entries.slice(0, 2));
  node(4n, "mr64", [6n, 8n], entries.slice(2, 4));
  node(5n, "mr64", [9n, 0xffn], entries.slice(4));
  const reading = new Reading("test", kernel, memory);
  assert.deepEqual([...mapleEntries(reading, reading.struct("maple_tree", BASE))], entries);
});

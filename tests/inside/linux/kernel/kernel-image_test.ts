// The image of a kernel: the guest's own memory where it is in one piece, or else a copy.

import assert from "node:assert/strict";
import type { Tables } from "../../../../src/kit/formats/page-tables.ts";
import { isStillThere, readImage } from "../../../../src/inside/linux/kernel/kernel-image.ts";
import { type PhysicalMemory, VirtualMemory } from "../../../../src/inside/linux/kernel/memory.ts";
import { PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { whole, Work } from "../../../../src/kit/support/values/work.ts";

const PAGES = 16, RAM = 32, START = 0xffff_ffff_ffff_0000n;
const TABLES: Tables = {
  root: 0,
  granule: 12,
  bits: 16,
  upper: true,
  wide: false,
  refused: false,
  first: { level: 3, shift: 12, width: 4 },
};

/** Memory whose page N, from a virtual address on, is a page of RAM. Page 0 has the table. */
function mapped(ram: Uint8Array<ArrayBuffer>, pages: readonly number[]): VirtualMemory {
  const view = new DataView(ram.buffer);
  pages.forEach((page, index) => view.setBigUint64(8 * index, BigInt(page * PAGE_SIZE | 3), true));
  const physical: PhysicalMemory = {
    page: (ipa) => ipa < ram.length ? ram.subarray(ipa, ipa + PAGE_SIZE) : undefined,
    ranges: () => [{ ipa: 0, size: ram.length }],
  };
  return new VirtualMemory(physical, TABLES, new Work(1e6, () => new Error("too much")));
}

function patternRam(): Uint8Array<ArrayBuffer> {
  const ram = Uint8Array.from({ length: RAM * PAGE_SIZE }, (_, at) => at * 7 + (at >> 8));
  ram.fill(0, 0, PAGE_SIZE);
  return ram;
}

const inOrder = (from: number) => Array.from({ length: PAGES - 1 }, (_, index) => from + index);

Deno.test("pages that follow one another in memory are read where they are", () => {
  const ram = patternRam(), image = whole(readImage(mapped(ram, inOrder(2)), START + 8n));
  assert.equal(image.base, START);
  assert.equal(image.bytes.length, (PAGES - 1) * PAGE_SIZE);
  assert.equal(image.bytes.buffer, ram.buffer);
  assert.equal(image.bytes.byteOffset, 2 * PAGE_SIZE);
});

Deno.test("scattered pages are copied, in the order of their addresses", () => {
  const ram = patternRam(), pages = inOrder(2).reverse(), { bytes, isShared } = whole(readImage(mapped(ram, pages), START));
  assert.equal(isShared, false);
  assert.deepEqual(bytes, Uint8Array.from(pages.flatMap((page) => [...ram.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE)])));
});

Deno.test("an image that was read before is another one after its pages have moved", () => {
  const ram = patternRam(), image = whole(readImage(mapped(ram, inOrder(2)), START));
  assert.ok(isStillThere(mapped(ram, inOrder(2)), image));
  assert.ok(!isStillThere(mapped(ram, inOrder(3)), image));
  // A copy stays: nothing but the kernel's read-only data was copied.
  const copy = whole(readImage(mapped(ram, inOrder(2).reverse()), START));
  assert.ok(isStillThere(mapped(ram, inOrder(3)), copy));
});

// Images that the primary VM cannot have are refused before it starts, with the way out.

import assert from "node:assert/strict";
import { layoutPrimary } from "../../src/assembly/primary-image.ts";
import { MiB } from "../../src/support/sizes.ts";

const RAM = 0x4000_0000;

/** An arm64 Image of nothing, with these flags in its header. */
function image(flags: bigint): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(16, 4096n, true);
  view.setBigUint64(24, flags, true);
  view.setUint32(56, 0x644d_5241, true);
  return bytes;
}

/** An ELF for arm64 with one segment at an address. */
function elf(address: bigint): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, address, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(72, 120n, true);
  for (const at of [80, 88]) view.setBigUint64(at, address, true);
  for (const at of [96, 104]) view.setBigUint64(at, 16n, true);
  return bytes;
}

Deno.test("a kernel whose pages the CPU does not have is refused with their size", () => {
  for (const flags of [0n, 0xan]) assert.ok(layoutPrimary(image(flags), undefined, RAM, 64 * MiB));
  assert.throws(() => layoutPrimary(image(0xcn), undefined, RAM, 64 * MiB), /pages of 16 *KiB, the CPU has only 4 *KiB/);
  assert.throws(() => layoutPrimary(image(0xen), undefined, RAM, 64 * MiB), /pages of 64 *KiB, the CPU has only 4 *KiB/);
});

Deno.test("an image below RAM is to be linked elsewhere, one that does not fit needs more memory", () => {
  assert.throws(() => layoutPrimary(elf(0x40_0000n), undefined, RAM, 64 * MiB), /; link it at 0x40000000 or above$/);
  assert.throws(() => layoutPrimary(elf(0x5000_0000n), undefined, RAM, 64 * MiB), /; use a larger --memory$/);
  assert.ok(layoutPrimary(elf(0x4010_0000n), undefined, RAM, 64 * MiB));
});

// Images that the primary VM cannot have are refused before it starts, with the way out.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { layoutPrimary } from "../../../../src/session/assembly/layout/primary-image.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";

const RAM = 0x4000_0000;

/** An arm64 Image of nothing, with these flags in its header. */
function image(flags: bigint, { offset = 0n, size = 4096n } = {}): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, offset, true);
  view.setBigUint64(16, size, true);
  view.setBigUint64(24, flags, true);
  view.setUint32(56, 0x644d_5241, true);
  return bytes;
}

/** An ELF for arm64 with one segment at an address, linked to `virtual` and entered at `entry`. */
function elf(address: bigint, virtual = address, entry = virtual): Uint8Array {
  const bytes = new Uint8Array(64 + 56 + 16);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 183, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, entry, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true);
  view.setUint32(68, 5, true);
  view.setBigUint64(72, 120n, true);
  view.setBigUint64(80, virtual, true);
  view.setBigUint64(88, address, true);
  for (const at of [96, 104]) view.setBigUint64(at, 16n, true);
  return bytes;
}

const layout = (image: Uint8Array, raw = false, initrd?: Uint8Array) => layoutPrimary({ image, raw, initrd }, RAM, 64 * MiB);

Deno.test("a kernel whose pages the CPU does not have is refused with their size", () => {
  for (const flags of [0n, 0xan]) assert.ok(layout(image(flags)));
  assert.throws(() => layout(image(0xcn)), /pages of 16 *KiB, the CPU "v8" has only 4 *KiB .*v8\.2, v8\.4/);
  assert.throws(() => layout(image(0xen)), /pages of 64 *KiB, the CPU "v8" has only 4 *KiB/);
});

Deno.test("a kernel is at the offset that its header asks for; without a size, at 512 KiB", () => {
  for (
    const [header, offset] of [[{}, 2 * MiB], [{ offset: 0x800n }, 0x800], [{ size: 0n }, 0x8_0000], [
      { offset: 5n, size: 0n },
      0x8_0000,
    ]] as const
  ) {
    assert.equal(layout(image(0xan, header)).entry, RAM + offset);
    assert.equal(layout(gzipSync(image(0xan, header))).entry, RAM + offset, "in a container");
  }
  for (const header of [{ size: 65n << 20n }, { size: 1n << 63n }, { offset: 1n << 63n }]) {
    assert.throws(() => layout(image(0xan, header)), /^Error: needs memory 0x40\w+\.\.0x\w+, RAM is |^Error: needs memory 0x80\w+/);
  }
});

Deno.test("a big-endian kernel is refused in words, in a container too", () => {
  const refused = {
    message: "this kernel is big-endian (bit 0 of its flags), and el2 has little-endian CPUs; use a little-endian build of it",
  };
  for (const file of [image(1n), image(0xbn), gzipSync(image(1n))]) assert.throws(() => layout(file), refused);
});

Deno.test("an image below RAM is to be linked elsewhere, one that does not fit needs more memory", () => {
  assert.throws(() => layout(elf(0x40_0000n)), /; link it at 0x40000000 or above$/);
  assert.throws(() => layout(elf(0x5000_0000n)), /^Error: needs memory 0x50000000\.\.0x5\w+, RAM is .*; use a larger --memory$/);
  assert.ok(layout(elf(0x4010_0000n)));
});

Deno.test("an ELF that is linked high is entered at the physical address of its virtual entry", () => {
  const high = 0xffff_0000_4010_0000n;
  assert.equal(layout(elf(0x4010_0000n, high, high + 4n)).entry, 0x4010_0004);
  assert.equal(layout(elf(0x4010_0000n, high, 0x4010_0008n)).entry, 0x4010_0008, "a physical entry");
  assert.throws(
    () => layout(elf(0x4010_0000n, high, high + 16n)),
    /^Error: ELF entry 0xffff000040100010 lies outside its segments \(0xffff000040100000\.\.0xffff000040100010, loaded at 0x40100000\)$/,
  );
  assert.throws(() => layout(elf(high)), /segment 0 is loaded at physical address 0xffff000040100000; link it into RAM, AT\(\.\.\)/);
});

Deno.test("the devicetree is at the start of RAM where an ELF leaves it free, and elsewhere for all others", () => {
  assert.equal(layout(elf(0x4010_0000n)).devicetree, RAM);
  assert.equal(layout(elf(0x4010_0000n), false, new Uint8Array(100)).devicetree, RAM);
  assert.equal(layout(elf(0x400f_f000n)).devicetree, RAM + 32 * MiB);
  assert.equal(layout(elf(0x4000_0000n)).devicetree, RAM + 32 * MiB);
  assert.equal(layout(image(0n)).devicetree, RAM + 32 * MiB);
});

Deno.test("code without a header is at the first byte of RAM, which is its entry", () => {
  const code = Uint8Array.of(1, 2, 3, 4);
  const { placements, entry, devicetree } = layout(code, true);
  assert.deepEqual([placements, entry, devicetree], [[{ address: RAM, bytes: code, size: 4 }], RAM, RAM + 32 * MiB]);
  assert.throws(() => layout(code), /not an arm64 Linux Image .*; name code without a header as image of \[host\] or \[vm\]$/);
  assert.throws(() => layout(new Uint8Array(), true), /the image is empty/);
});

Deno.test("the modules of a hypervisor follow it, each at 2 MiB, and the devicetree follows them", () => {
  const modules = [
    { kind: "kernel", bytes: new Uint8Array(3 * MiB).fill(1), bootargs: "console=hvc0" },
    { kind: "ramdisk", bytes: new Uint8Array(5).fill(2) },
  ] as const;
  const file = image(0n), placed = layoutPrimary({ image: file, initrd: undefined, modules }, RAM, 64 * MiB);
  const [kernel, ramdisk] = [RAM + 32 * MiB, RAM + 36 * MiB];
  assert.deepEqual(placed.modules, [
    { kind: "kernel", bootargs: "console=hvc0", address: kernel, size: 3 * MiB },
    { kind: "ramdisk", bootargs: undefined, address: ramdisk, size: 5 },
  ]);
  assert.deepEqual(placed.placements.slice(1), [
    { address: kernel, bytes: modules[0].bytes, size: 3 * MiB },
    { address: ramdisk, bytes: modules[1].bytes, size: 5 },
  ]);
  assert.equal(placed.devicetree, RAM + 38 * MiB);
  const large = [{ kind: "ramdisk", bytes: new Uint8Array(64 * MiB) }] as const;
  assert.throws(
    () => layoutPrimary({ image: file, initrd: undefined, modules: large }, RAM, 64 * MiB),
    /the ramdisk \(\d+ bytes\) does not fit after the image; use a larger --memory$/,
  );
});

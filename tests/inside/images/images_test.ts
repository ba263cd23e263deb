import assert from "node:assert/strict";
import { runNative } from "../../support/oracles.ts";
import { bareMetalImage, linuxImage, treeRoom } from "../../../src/inside/images/images.ts";
import { RECORDING_START, SNAPSHOT_START } from "../../../src/kit/support/files/written-files.ts";

const MIB = 2 ** 20;
const BASE = 0x8000_0000;

/** An AArch64 executable with one segment of `bytes` at `address`. */
function elf(address: number, entry: number, bytes: Uint8Array, memorySize = bytes.length): Uint8Array {
  const file = new Uint8Array(64 + 56 + bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 183, true); // EM_AARCH64
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, 64n, true); // e_phoff
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(64, 1, true); // PT_LOAD
  view.setBigUint64(64 + 8, 120n, true);
  for (const at of [16, 24]) view.setBigUint64(64 + at, BigInt(address), true);
  view.setBigUint64(64 + 32, BigInt(bytes.length), true);
  view.setBigUint64(64 + 40, BigInt(memorySize), true);
  file.set(bytes, 120);
  return file;
}

Deno.test("bareMetalImage() takes raw bytes from the first byte of RAM", () => {
  const image = bareMetalImage(Uint8Array.of(1, 2, 3), BASE, MIB);
  assert.deepEqual(image, { bytes: Uint8Array.of(1, 2, 3), offset: 0, size: 3, entry: 0 });
});

Deno.test("bareMetalImage() puts an ELF file at its link address with its entry and .bss", () => {
  const image = bareMetalImage(elf(BASE + 0x1000, BASE + 0x1004, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0x2000), BASE, MIB);
  assert.deepEqual(image, { bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), offset: 0x1000, size: 0x2000, entry: 0x1004 });
});

Deno.test("bareMetalImage() refuses an ELF file that is linked outside the VM's memory", () => {
  const bytes = new Uint8Array(8);
  assert.throws(
    () => bareMetalImage(elf(BASE - 0x1000, BASE - 0x1000, bytes), BASE, MIB),
    /linked to 0x7ffff000\.\.0x7ffff008, the VM's memory is/,
  );
  assert.throws(() => bareMetalImage(elf(BASE, BASE, bytes, 2 * MIB), BASE, MIB), /the VM's memory is 0x80000000\.\.0x80100000/);
  assert.throws(() => bareMetalImage(elf(BASE, BASE + 8, bytes), BASE, MIB), /entry 0x80000008 lies outside/);
});

Deno.test("bareMetalImage() leaves out a build id that is linked outside of the VM's memory", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/g.S`, ".globl _start\n_start: b .\n");
    const link = ["-nostdlib", "-static", "-Wl,-N,--build-id,-Ttext=0x80000000", "-o", `${folder}/g.elf`, `${folder}/g.S`];
    const { code, stderr } = await runNative("aarch64-linux-gnu-gcc", link);
    assert.equal(code, 0, stderr);
    const image = bareMetalImage(await Deno.readFile(`${folder}/g.elf`), BASE, MIB);
    assert.deepEqual([image.offset, image.entry, image.size], [0, 0, 4]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bareMetalImage() refuses an empty file", () => {
  assert.throws(() => bareMetalImage(new Uint8Array(0), BASE, MIB), /the image is empty/);
});

Deno.test("a kernel that is big-endian, or whose pages the CPU does not have, is refused in every VM; without a size it is at 512 KiB", () => {
  const image = (flags: bigint, size = 4096n) => {
    const file = new Uint8Array(4096), view = new DataView(file.buffer);
    view.setBigUint64(8, 0x1000n, true);
    view.setBigUint64(16, size, true);
    view.setBigUint64(24, flags, true);
    view.setUint32(56, 0x644d_5241, true);
    return file;
  };
  for (const read of [(file: Uint8Array) => linuxImage(file), (file: Uint8Array) => bareMetalImage(file, BASE, MIB)]) {
    assert.equal(read(image(0xan)).size, 4096);
    assert.throws(() => read(image(0xcn)), /pages of 16 *KiB, the CPU "v8" has only 4 *KiB .*v8\.2, v8\.4/);
    assert.throws(() => read(image(0xen)), /pages of 64 *KiB, the CPU "v8" has only 4 *KiB/);
    assert.throws(() => read(image(0xbn)), /^Error: this kernel is big-endian .*little-endian CPUs/);
    const [old, other] = [read(image(0xan, 0n)), read(image(0xan))];
    assert.deepEqual([old.offset, old.entry, old.size], [0x8_0000, 0x8_0000, 4096]);
    assert.deepEqual([other.offset, other.entry], [0x1000, 0x1000]);
  }
});

Deno.test("bareMetalImage() enters an ELF file at the physical address of its virtual entry", () => {
  const file = elf(BASE + 0x1000, 0, new Uint8Array(8)), view = new DataView(file.buffer);
  view.setBigUint64(24, 0xffff_ffc0_8000_1004n, true);
  view.setBigUint64(64 + 16, 0xffff_ffc0_8000_1000n, true);
  assert.equal(bareMetalImage(file, BASE, MIB).entry, 0x1004);
});

Deno.test("segments that name the same bytes again and again are refused", () => {
  const file = new Uint8Array(64 + 56 * 1000 + 0x1_0000), view = new DataView(file.buffer);
  file.set(elf(BASE, BASE, new Uint8Array(8)).subarray(0, 64));
  view.setUint16(56, 1000, true);
  for (let index = 0; index < 1000; index++) {
    const at = 64 + 56 * index;
    view.setUint32(at, 1, true);
    [64n, BigInt(BASE), BigInt(BASE), 0x1_0000n, 0x1_0000n].forEach((value, field) => view.setBigUint64(at + 8 + 8 * field, value, true));
  }
  assert.throws(() => bareMetalImage(file, BASE, MIB), /segments overlap in the file/);
});

Deno.test("linuxImage() refuses bytes that are not an arm64 Image", () => {
  assert.throws(() => linuxImage(new Uint8Array(100)), /not an arm64 Linux Image/);
});

Deno.test("treeRoom() is the pages of zeros between the header and the code of a BIOS", () => {
  const bios = (zeros: number) => {
    const file = new Uint8Array(0x40 + zeros + 4);
    file.fill(1, 0, 0x40).fill(1, 0x40 + zeros);
    return file;
  };
  // A volume of EDK2 begins with zeros, too.
  assert.deepEqual([0, 0xfff, 0x1000, 0x8000, 0x8010].map((zeros) => treeRoom(bios(zeros))), [
    undefined,
    undefined,
    0x1000,
    0x8000,
    0x8000,
  ]);
  assert.equal(treeRoom(new Uint8Array(0x9000)), undefined, "zeros alone");
});

Deno.test("an ELF file with symbols and no code is refused by name", () => {
  const file = Deno.readFileSync(new URL("../../../assets/guests/hello.elf", import.meta.url));
  assert.throws(
    () => bareMetalImage(file, 0x8000_0000, 4 << 20),
    /the ELF file has no code, only symbols; run the image, with this file as --symbols/,
  );
});

Deno.test("a recording or a snapshot named as an image is refused with the command for it", () => {
  for (
    const [start, says] of [[RECORDING_START, /a recording; replay runs it again/], [
      SNAPSHOT_START,
      /a snapshot; snapshot load continues it/,
    ]] as const
  ) {
    const file = new TextEncoder().encode(start.padEnd(4096, "\n"));
    assert.throws(() => bareMetalImage(file, 0x8000_0000, 4 * MIB), says);
    assert.throws(() => linuxImage(file, 4 * MIB), says);
  }
});

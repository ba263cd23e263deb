// Disks in qcow2 images that are written: what is read equals a plain disk, and qemu-img finds
// neither errors nor lost clusters.

import assert from "node:assert/strict";
import { BadQcow2 } from "../../../src/kit/formats/qcow2.ts";
import { createQcow2, type ImageBytes, Qcow2Disk } from "../../../src/kit/formats/qcow2-disk.ts";
import { imageBytes } from "../../../src/kit/formats/image-bytes.ts";
import { openDisk } from "../../../src/session/outside/disk-file.ts";
import { DISK, QCOW2 } from "../../support/disk-images.ts";
import { runNative } from "../../support/oracles.ts";
import { Random } from "../../support/random.ts";
import { LONG } from "../../support/long.ts";

const MIB = 1024 * 1024;
const ROUNDS = LONG ? 20_000 : 400;

/** An image in memory. */
class Memory implements ImageBytes {
  bytes: Uint8Array<ArrayBuffer>;
  flushes = 0;

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array()) {
    this.bytes = bytes;
  }

  read(offset: number, size: number): Uint8Array {
    return this.bytes.slice(offset, offset + size);
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.bytes.length) {
      const longer = new Uint8Array(offset + bytes.length);
      longer.set(this.bytes);
      this.bytes = longer;
    }
    this.bytes.set(bytes, offset);
  }

  flush(): void {
    this.flushes++;
  }

  size(): number {
    return this.bytes.length;
  }
}

/** An image by qemu-img: its errors, and the bytes of its disk. */
async function byQemu(image: Uint8Array): Promise<{ check: string; disk: Uint8Array }> {
  const folder = await Deno.makeTempDir({ prefix: "el2-qcow2-" });
  try {
    await Deno.writeFile(`${folder}/a.qcow2`, image);
    const { stdout, stderr } = await runNative("qemu-img", ["check", "-f", "qcow2", `${folder}/a.qcow2`]);
    const converted = await runNative("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", `${folder}/a.qcow2`, `${folder}/a.raw`]);
    assert.equal(converted.code, 0, converted.stderr);
    return { check: stdout + stderr, disk: await Deno.readFile(`${folder}/a.raw`) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Reads, writes and zeroes at random, in the image and in a plain disk. */
function changeAtRandom(disk: Qcow2Disk, plain: Uint8Array, rounds: number, longest: number, seed: number): void {
  const random = new Random(seed);
  for (let round = 0; round < rounds; round++) {
    const size = 1 + random.below(random.below(4) ? 4096 : Math.min(longest, plain.length));
    const offset = random.below(plain.length - size + 1), what = random.below(8);
    if (what < 4) {
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 7 + round) & 0xff);
      disk.write(offset, bytes);
      plain.set(bytes, offset);
    } else if (what < 6) {
      disk.zero(offset, size);
      plain.fill(0, offset, offset + size);
    } else if (what === 6) disk.flush();
    else {
      const bytes = new Uint8Array(size).fill(0xee);
      disk.read(offset, bytes);
      assert.deepEqual(bytes, plain.slice(offset, offset + size), `round ${round}`);
    }
  }
}

function wholeOf(disk: Qcow2Disk): Uint8Array {
  const bytes = new Uint8Array(disk.size).fill(0xee);
  disk.read(0, bytes);
  return bytes;
}

Deno.test("an empty image is right, and one with random writes has the disk that qemu-img reads, with no cluster lost", async () => {
  const file = new Memory(), size = 3 * MIB + 512;
  createQcow2(file, size);
  const empty = await byQemu(file.bytes);
  assert.match(empty.check, /No errors were found/);
  assert.deepEqual(empty.disk, new Uint8Array(size));
  const plain = new Uint8Array(size);
  changeAtRandom(new Qcow2Disk(file, false), plain, ROUNDS, 200_000, 31);
  // Opened again, it has everything.
  const again = new Qcow2Disk(file, false);
  assert.deepEqual(wholeOf(again), plain);
  changeAtRandom(again, plain, ROUNDS, 200_000, 32);
  const { check, disk } = await byQemu(file.bytes);
  assert.match(check, /No errors were found/, check);
  assert.deepEqual(disk, plain);
});

Deno.test("images of qemu-img are written: versions 2 and 3, small clusters, and over compressed ones", async () => {
  for (const [name, image] of Object.entries(QCOW2)) {
    const file = new Memory(new Uint8Array(image)), plain = DISK.slice();
    const disk = new Qcow2Disk(file, false);
    assert.deepEqual(wholeOf(disk), plain, name);
    changeAtRandom(disk, plain, ROUNDS / 4, 20_000, 33);
    const seen = await byQemu(file.bytes);
    assert.match(seen.check, /No errors were found/, `${name}: ${seen.check}`);
    assert.deepEqual(seen.disk, plain, name);
  }
});

Deno.test("clusters that were zeroed are used again once the tables are safe, so that an image does not grow for ever", () => {
  const file = new Memory();
  createQcow2(file, 8 * MIB);
  const disk = new Qcow2Disk(file, false), bytes = new Uint8Array(MIB).fill(1);
  for (let round = 0; round < 20; round++) {
    disk.write(0, bytes);
    disk.zero(0, MIB);
    disk.flush();
  }
  assert.ok(file.bytes.length < 2 * MIB, `${file.bytes.length}`);
});

Deno.test("a disk of 2 TiB has its tables where they are needed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-qcow2-" });
  try {
    const path = `${folder}/large.qcow2`;
    {
      using file = Deno.openSync(path, { read: true, write: true, createNew: true });
      createQcow2(imageBytes(file), 2 ** 41);
    }
    const disk = openDisk(path, false), bytes = new Uint8Array(512).fill(7);
    for (const at of [0, 2 ** 40, 2 ** 41 - 512]) disk.write(at, bytes);
    assert.throws(() => openDisk(path, false), /another session uses disk/);
    disk.close();
    const { stdout } = await runNative("qemu-img", ["check", path]);
    assert.match(stdout, /No errors were found/);
    const read = openDisk(path, true), got = new Uint8Array(512);
    read.read(2 ** 40, got);
    read.close();
    assert.deepEqual(got, bytes);
    assert.ok(Deno.statSync(path).size < 3 * MIB);
    // A raw disk stays one, whatever its guest writes into it.
    await Deno.copyFile(path, `${folder}/raw.img`);
    const raw = openDisk(`${folder}/raw.img`, true);
    assert.equal(raw.size, Deno.statSync(path).size);
    raw.close();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an image that cannot be written in place is refused by name, and read", () => {
  const changed = (...changes: [at: number, byte: number][]) => {
    const file = new Memory(new Uint8Array(QCOW2.zlib));
    for (const [at, byte] of changes) file.bytes[at] = byte;
    return file;
  };
  const cases: [Memory, RegExp][] = [
    [changed([63, 1]), /has internal snapshots/],
    [changed([99, 5]), /refcounts that are not of 16 bits/],
    [changed([79, 1]), /was not closed in order/],
    [changed([59, 0]), /has too few refcounts/],
  ];
  for (const [file, message] of cases) {
    assert.throws(() => new Qcow2Disk(file, false), (error) => error instanceof BadQcow2 && message.test(error.message), String(message));
    assert.deepEqual(wholeOf(new Qcow2Disk(file, true)), DISK);
  }
});

Deno.test("a damaged image ends in an error of the image, or is a disk", () => {
  const random = new Random(34);
  for (let round = 0; round < ROUNDS; round++) {
    const file = new Memory(new Uint8Array(Object.values(QCOW2)[round % 3]));
    for (let changes = random.below(4); changes >= 0; changes--) {
      file.bytes[random.below(random.below(2) ? 112 : file.bytes.length)] = random.below(256);
    }
    // As a file, which has no such offsets.
    const { read, write } = file;
    file.read = (offset, size) => offset < file.bytes.length ? read.call(file, offset, size) : new Uint8Array();
    file.write = (offset, bytes) => {
      assert.ok(offset < file.bytes.length + 8 * MIB, `${offset}`);
      write.call(file, offset, bytes);
    };
    try {
      const disk = new Qcow2Disk(file, false), size = Math.min(disk.size, 300_000);
      if (size < 512) continue;
      disk.read(0, new Uint8Array(size));
      disk.write(size - 512, new Uint8Array(512).fill(1));
      disk.zero(0, size);
    } catch (error) {
      if (!(error instanceof BadQcow2)) throw error;
    }
  }
});

Deno.test("more clusters than a call has arguments are discarded and flushed, and used again", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-qcow2-" });
  try {
    const path = `${folder}/full.qcow2`, size = 9 * 1024 * MIB;
    const { code, stderr } = await runNative("qemu-img", ["create", "-f", "qcow2", "-o", "preallocation=metadata", path, `${size}`]);
    assert.equal(code, 0, stderr);
    const disk = openDisk(path, false), bytes = Deno.statSync(path).size;
    disk.zero(0, size);
    disk.flush();
    disk.write(0, new Uint8Array(MIB).fill(1));
    assert.equal(Deno.statSync(path).size, bytes);
    disk.close();
    const { stdout } = await runNative("qemu-img", ["check", "-f", "qcow2", path]);
    assert.match(stdout, /No errors were found/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

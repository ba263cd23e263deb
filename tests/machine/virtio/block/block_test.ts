import assert from "node:assert/strict";
import { type BlockBacking, OverlayBacking } from "../../../../src/machine/virtio/block/backing.ts";
import { BlockDevice, BlockStatus } from "../../../../src/machine/virtio/block/block.ts";
import { BlockRequest } from "../../../../src/machine/virtio/block/requests.ts";
import { VirtioMmioRegister } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import { Latencies } from "../../../../src/session/inspection/execution/latencies.ts";
import { MEMORY_BASE, QUEUE_SIZE, TestDriver } from "../driver.ts";

const SIZE = 64 * 1024 + 512;

function base(): Pick<BlockBacking, "size" | "read"> {
  return { size: SIZE, read: (offset, into) => into.forEach((_, index) => into[index] = (offset + index) >> 9) };
}

function disk(backing: BlockBacking = new OverlayBacking(base())) {
  const errors: string[] = [];
  const driver = new TestDriver(new BlockDevice(backing, "disk-1", (message) => errors.push(message)));
  driver.initialize();
  return { driver, errors };
}

function header(type: number, sector: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setBigUint64(8, BigInt(sector), true);
  return bytes;
}

function range(sector: number, sectors: number): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(sector), true);
  new DataView(bytes.buffer).setUint32(8, sectors, true);
  return bytes;
}

Deno.test("a disk says its size in sectors", () => {
  const { driver } = disk();
  assert.equal(driver.transport.read(0x100, 8), BigInt(Math.floor(SIZE / 512)));
});

Deno.test("a disk with sectors of 4,096 bytes says so, and its size in whole ones, in units of 512 bytes", () => {
  const driver = new TestDriver(new BlockDevice(new OverlayBacking(base()), "disk-1", assert.fail, 4096));
  driver.initialize();
  assert.deepEqual([driver.transport.read(0x100, 8), driver.transport.read(0x114, 4)], [BigInt(64 * 1024 / 512), 4096n]);
});

Deno.test("what is written to a disk is read back, and its base stays as it is", () => {
  const { driver } = disk();
  const data = new Uint8Array(1024).map((_, index) => index * 7);
  const written = driver.request([{ out: header(BlockRequest.OUT, 7) }, { out: data }, { in: 1 }]);
  assert.deepEqual([...written], [BlockStatus.OK]);
  const read = driver.request([{ out: header(BlockRequest.IN, 6) }, { in: 1536 }, { in: 512 }, { in: 1 }]);
  assert.equal(read.length, 2049);
  assert.deepEqual(read.subarray(512, 1536), data);
  assert.ok(read.subarray(0, 512).every((byte) => byte === 6));
  assert.ok(read.subarray(1536, 2048).every((byte) => byte === 9));
  assert.equal(read[2048], BlockStatus.OK);
});

Deno.test("a request past the end of a disk is an I/O error, and writes nothing", () => {
  const { driver } = disk();
  const last = Math.floor(SIZE / 512) - 1;
  assert.equal(driver.request([{ out: header(BlockRequest.IN, last) }, { in: 512 }, { in: 1 }]).at(-1), BlockStatus.OK);
  assert.equal(driver.request([{ out: header(BlockRequest.IN, last) }, { in: 1024 }, { in: 1 }]).at(-1), BlockStatus.IOERR);
  assert.equal(driver.request([{ out: header(BlockRequest.IN, 2 ** 52) }, { in: 512 }, { in: 1 }]).at(-1), BlockStatus.IOERR);
  assert.equal(
    driver.request([{ out: header(BlockRequest.OUT, last + 1) }, { out: new Uint8Array(512) }, { in: 1 }]).at(-1),
    BlockStatus.IOERR,
  );
});

Deno.test("a disk flushes, names itself, discards and zeroes, and refuses what it does not know", () => {
  const { driver } = disk();
  assert.deepEqual([...driver.request([{ out: header(BlockRequest.FLUSH, 0) }, { in: 1 }])], [BlockStatus.OK]);
  const id = driver.request([{ out: header(BlockRequest.GET_ID, 0) }, { in: 20 }, { in: 1 }]);
  assert.equal(new TextDecoder().decode(id.subarray(0, 6)), "disk-1");
  const zeroed = driver.request([{ out: header(BlockRequest.WRITE_ZEROES, 0) }, { out: range(3, 2) }, { in: 1 }]);
  assert.deepEqual([...zeroed], [BlockStatus.OK]);
  const read = driver.request([{ out: header(BlockRequest.IN, 2) }, { in: 2048 }, { in: 1 }]);
  assert.deepEqual([read[0], read[512], read[1535], read[1536]], [2, 0, 0, 5]);
  assert.deepEqual([...driver.request([{ out: header(BlockRequest.DISCARD, 0) }, { out: range(2 ** 40, 2) }, { in: 1 }])], [
    BlockStatus.IOERR,
  ]);
  assert.deepEqual([...driver.request([{ out: header(99, 0) }, { in: 1 }])], [BlockStatus.UNSUPP]);
});

Deno.test("a host that cannot write is an I/O error with its message", () => {
  const full: BlockBacking = Object.assign(new OverlayBacking(base()), {
    write: () => {
      throw new Error("No space left on device");
    },
  });
  const { driver, errors } = disk(full);
  assert.equal(driver.request([{ out: header(BlockRequest.OUT, 0) }, { out: new Uint8Array(512) }, { in: 1 }]).at(-1), BlockStatus.IOERR);
  assert.match(errors[0], /No space left/);
});

Deno.test("a disk's changes are saved and restored", () => {
  const { driver } = disk();
  driver.request([{ out: header(BlockRequest.OUT, 1) }, { out: new Uint8Array(512).fill(0xaa) }, { in: 1 }]);
  const state = driver.transport.save();
  const other = disk();
  other.driver.transport.restore(state);
  other.driver.adopt(driver);
  assert.deepEqual(other.driver.transport.save(), state);
  const read = other.driver.request([{ out: header(BlockRequest.IN, 1) }, { in: 512 }, { in: 1 }]);
  assert.ok(read.subarray(0, 512).every((byte) => byte === 0xaa));
});

Deno.test("discarded blocks of a disk take no memory, in a saved disk neither, and are zeros also around what is written later", () => {
  const backing = new OverlayBacking(base());
  const { driver } = disk(backing);
  const sectors = SIZE / 512;
  driver.request([{ out: header(BlockRequest.OUT, 8) }, { out: new Uint8Array(2048).fill(0xaa) }, { in: 1 }]);
  assert.deepEqual([...driver.request([{ out: header(BlockRequest.DISCARD, 0) }, { out: range(0, sectors - 1) }, { in: 1 }])], [
    BlockStatus.OK,
  ]);
  assert.equal(backing.changed, 0);
  driver.request([{ out: header(BlockRequest.OUT, 17) }, { out: new Uint8Array(512).fill(0xbb) }, { in: 1 }]);
  assert.equal(backing.changed, 4096);
  const saved = backing.save();
  assert.equal(saved.blocks.reduce((sum, { bytes }) => sum + bytes.length, 0), 4096);
  const other = new OverlayBacking(base());
  other.restore(saved);
  for (const each of [backing, other]) {
    const bytes = new Uint8Array(SIZE);
    each.read(0, bytes);
    const found = Array.from({ length: sectors }, (_, sector) => bytes.subarray(sector * 512, sector * 512 + 512));
    assert.ok(found[17].every((byte) => byte === 0xbb));
    assert.ok(found.every((sector, index) => index === 17 || index === sectors - 1 || sector.every((byte) => byte === 0)));
    assert.ok(found[sectors - 1].every((byte) => byte === (sectors - 1 & 0xff)));
  }
});

Deno.test("a request has as many bytes as the disk's limits allow: segments, their size, header and status", () => {
  const size = 16 << 20;
  const { driver } = disk(new OverlayBacking({ size, read: (_, into) => into.fill(0) }));
  const [sizeMax, segMax] = [8, 12].map((offset) => Number(driver.transport.read(0x100 + offset, 4)));
  assert.ok(sizeMax >= 4096 && segMax > 0, "there are limits");
  // All segments are one piece of memory, and fewer and longer ones than a driver would make: the
  // sum counts.
  const segments = QUEUE_SIZE - 2, each = sizeMax * segMax / segments;
  assert.ok(Number.isInteger(each));
  const data = Array.from({ length: segments }, () => ({ out: new Uint8Array(1) }));
  const addresses = driver.offer(0, [{ out: header(BlockRequest.OUT, 0) }, ...data, { in: 1 }], false);
  const NEXT = 1;
  for (let index = 1; index <= segments; index++) driver.descriptor(0, index, MEMORY_BASE + 0x1_0000, each, NEXT, index + 1);
  driver.memory.bytes[addresses.at(-1)!] = 0xff;
  driver.set(VirtioMmioRegister.QueueNotify, 0);
  assert.deepEqual(driver.faults, []);
  assert.equal(driver.memory.bytes[addresses.at(-1)!], BlockStatus.OK);
  assert.equal(driver.device.metrics().written_bytes, sizeMax * segMax);
});

/** Features of the limits of segments. */
const SIZE_MAX = 1, SEG_MAX = 2, INDIRECT = 4;

/** A request of `segments` pieces of a buffer, in an indirect table. Its status is at 0x7_f000. */
function offerLong(driver: TestDriver, type: number, segments: number, length: number): void {
  const [WRITE, NEXT] = [2, 1];
  const table = 0x7_0000, status = 0x7_f000, write = type === BlockRequest.IN ? WRITE : 0;
  driver.memory.bytes.set(header(type, 1), 0x7_e000);
  const pieces = Array.from({ length: segments }, () => [0x1_0000, length, write | NEXT]);
  [[0x7_e000, 16, NEXT], ...pieces, [status, 1, WRITE]].forEach(([address, size, flags], index) => {
    driver.view.setBigUint64(table + 16 * index, BigInt(MEMORY_BASE + address), true);
    driver.view.setUint32(table + 16 * index + 8, size, true);
    driver.view.setUint16(table + 16 * index + 12, flags, true);
    driver.view.setUint16(table + 16 * index + 14, index + 1, true);
  });
  driver.memory.bytes[status] = 0xff;
  driver.offer(0, [{ in: 1 }], false);
  driver.descriptor(0, 0, MEMORY_BASE + table, 16 * (segments + 2), INDIRECT, 0);
  driver.set(VirtioMmioRegister.QueueNotify, 0);
}

for (const accepted of [[], [SIZE_MAX], [SEG_MAX]]) {
  Deno.test(`a driver that accepted ${accepted.length === 0 ? "no" : accepted} limits of segments has requests of 40 MB, in several turns`, () => {
    const size = 64 << 20, length = 0x6_0000, segments = 100;
    for (const type of [BlockRequest.IN, BlockRequest.OUT]) {
      const make = () => {
        const made = new TestDriver(new BlockDevice(new OverlayBacking({ size, read: (_, into) => into.fill(7) }), "long", () => {}));
        made.initialize((bit) => bit === 28 || accepted.includes(bit) || bit === 32);
        return made;
      };
      const driver = make();
      offerLong(driver, type, segments, length);
      assert.deepEqual(driver.used(0), [], "it takes more than one turn");
      let turns = 0;
      for (let act = driver.later.shift(); act !== undefined; act = driver.later.shift(), turns++) act();
      assert.ok(turns >= 3);
      assert.deepEqual(driver.faults, []);
      assert.equal(driver.memory.bytes[0x7_f000], BlockStatus.OK);
      assert.deepEqual(driver.used(0), [type === BlockRequest.IN ? segments * length + 1 : 1]);
      const metrics = driver.device.metrics();
      assert.equal(type === BlockRequest.IN ? metrics.read_bytes : metrics.written_bytes, segments * length);
      assert.deepEqual(driver.request([{ out: header(BlockRequest.IN, 0) }, { in: 512 }, { in: 1 }]).length, 513);
    }
  });
}

Deno.test("a long request that was saved between two turns continues where it was; a reset forgets it", () => {
  const bytes = (at: number, into: Uint8Array) => into.forEach((_, index) => into[index] = (at + index) >>> 12);
  const make = () => {
    const driver = new TestDriver(new BlockDevice(new OverlayBacking({ size: 64 << 20, read: bytes }), "long", () => {}));
    driver.initialize((bit) => bit === 28 || bit === 32);
    return driver;
  };
  const driver = make(), copy = make();
  offerLong(driver, BlockRequest.IN, 100, 0x6_0000);
  driver.later.shift()!();
  const state = structuredClone(driver.transport.save());
  copy.adopt(driver);
  copy.transport.restore(state);
  assert.deepEqual(structuredClone(copy.transport.save()), state);
  for (const each of [driver, copy]) {
    for (let act = each.later.shift(); act !== undefined; act = each.later.shift()) act();
    assert.deepEqual(each.used(0), [100 * 0x6_0000 + 1]);
  }
  assert.deepEqual(copy.memory.bytes, driver.memory.bytes);
  assert.deepEqual(copy.device.metrics(), driver.device.metrics());
  offerLong(driver, BlockRequest.IN, 100, 0x6_0000);
  driver.initialize();
  for (let act = driver.later.shift(); act !== undefined; act = driver.later.shift()) act();
  assert.deepEqual(driver.used(0), []);
  assert.ok(!driver.transport.waits);
});

Deno.test("an observer hears when requests were available, taken and used: of a long one, after some turns", () => {
  const backing = new OverlayBacking({ size: 2 ** 26, read: (_offset, into) => into.fill(1) });
  const device = new BlockDevice(backing, "disk-1", () => {}), driver = new TestDriver(device), latencies = new Latencies();
  let turn = 0;
  latencies.begin(() => false);
  const observer = driver.transport.queues[0].observer = latencies.disk("a", "dev:a/blk0", () => ({ time: 100 * turn, at: turn }));
  driver.initialize((bit) => bit === 28 || bit === 32);
  offerLong(driver, BlockRequest.IN, 100, 0x6_0000);
  for (let act = driver.later.shift(); act !== undefined; act = driver.later.shift()) {
    turn++;
    act();
  }
  const [{ vm, of, name, count, worst }, ...others] = latencies.all;
  assert.deepEqual([vm, of, name, count, others.length], ["a", "disk", "dev:a/blk0", 1, 0]);
  assert.ok(turn >= 3);
  assert.deepEqual([worst[0].took, worst[0].at], [100 * turn, turn]);
  // Two are available at once, and are served one after the other; a reset forgets the third.
  observer.looked(3);
  for (const head of [4, 9]) {
    turn++;
    observer.taken(head);
    observer.used(head);
  }
  observer.reset();
  observer.used(4);
  assert.deepEqual(latencies.all[0].worst.map(({ took }) => took), [100 * (turn - 2), 200, 100]);
});

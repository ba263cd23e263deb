import assert from "node:assert/strict";
import { RngDevice } from "../../../src/machine/virtio/rng/rng.ts";
import { LEGACY_PAGE_SIZE, QUEUE_PFN, VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { unwrittenBuffer } from "../../../src/machine/virtio/used-buffers.ts";
import { MEMORY_BASE, QUEUE_SIZE, TestDriver } from "./driver.ts";

function rng() {
  const driver = new TestDriver(new RngDevice({ fill: (into) => into.fill(0x5a), save: () => 0, restore: () => {} }));
  return driver;
}

Deno.test("a source of randomness fills what it is given and interrupts once until it is acknowledged", () => {
  const driver = rng();
  driver.initialize();
  assert.deepEqual([...driver.request([{ in: 3 }, { in: 2 }])], [0x5a, 0x5a, 0x5a, 0x5a, 0x5a]);
  assert.equal(driver.level, true);
  assert.equal(driver.get(R.InterruptStatus), 1);
  driver.acknowledge();
  assert.equal(driver.level, false);
  driver.request([{ in: 8 }]);
  assert.equal(driver.interrupts, 2);
});

Deno.test("the rings of a driver of version 1 are known up to the largest queue, whatever size it has told", () => {
  const driver = rng(), rings = MEMORY_BASE + 0x6000;
  driver.set(R.QueueNum, 8);
  driver.set(QUEUE_PFN, rings / LEGACY_PAGE_SIZE);
  const [queue] = driver.transport.queues;
  // The index of the used ring, after 256 descriptors and their available ring, and the last entry.
  assert.ok([rings, rings + 0x2002, rings + 0x2000 + 4 + 8 * 256].every((at) => queue.holds(at)));
  assert.ok(![rings - 1, rings + 0x4000].some((at) => queue.holds(at)));
});

Deno.test("a queue wraps around its ring many times", () => {
  const driver = rng();
  driver.initialize();
  for (let i = 0; i < 70_000; i++) assert.equal(driver.request([{ in: 1 }]).length, 1);
});

Deno.test("with EVENT_IDX a device interrupts when the driver's index is passed, and not before", () => {
  const driver = rng();
  driver.initialize(() => true);
  const usedEvent = 0x1000 + 4 + 2 * QUEUE_SIZE;
  driver.view.setUint16(usedEvent, 2, true);
  driver.offer(0, [{ in: 1 }]);
  driver.offer(0, [{ in: 1 }]);
  assert.equal(driver.interrupts, 0);
  driver.offer(0, [{ in: 1 }]);
  assert.equal(driver.interrupts, 1);
  assert.equal(driver.view.getUint16(0x2000 + 4 + 8 * QUEUE_SIZE, true), 3, "the device asks to be notified of the next");
});

Deno.test("features that were not offered, or no VERSION_1, are not agreed to", () => {
  for (const [word, value] of [[0, 1 << 5], [1, 0]]) {
    const driver = rng();
    driver.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    driver.set(R.DriverFeaturesSel, 1);
    driver.set(R.DriverFeatures, 1);
    driver.set(R.DriverFeaturesSel, word);
    driver.set(R.DriverFeatures, value);
    driver.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK);
    assert.equal(driver.get(R.Status) & VirtioStatus.FEATURES_OK, 0);
  }
});

/** Actions of a hostile driver on queue 0, and the rule that names each. */
const FAULTS: readonly [string, (driver: TestDriver) => void, RegExp][] = [
  ["a chain that loops", (driver) => {
    driver.descriptor(0, 0, MEMORY_BASE + 0x8_0000, 1, 3, 1);
    driver.descriptor(0, 1, MEMORY_BASE + 0x8_0000, 1, 3, 0);
    available(driver, 0);
  }, /no loop/],
  ["a descriptor beyond the table", (driver) => available(driver, QUEUE_SIZE), /below the table/],
  ["an index that runs ahead", (driver) => {
    driver.view.setUint16(0x1002, QUEUE_SIZE + 1, true);
    driver.set(R.QueueNotify, 0);
  }, /runs ahead/],
  ["a buffer that is no memory", (driver) => {
    driver.descriptor(0, 0, 0x10, 16, 2, 0);
    available(driver, 0);
  }, /lent, donated, or no memory/],
  ["a chain of gigabytes", (driver) => {
    driver.descriptor(0, 0, MEMORY_BASE, 0xffff_ffff, 2, 0);
    available(driver, 0);
  }, /too many bytes/],
  ["an indirect table in an indirect table", (driver) => {
    driver.descriptor(0, 0, MEMORY_BASE + 16, 16, 4, 0);
    driver.descriptor(0, 1, MEMORY_BASE + 16, 16, 4, 0);
    available(driver, 0);
  }, /indirect descriptor ends its chain/],
  ["an indirect table of an odd size", (driver) => {
    driver.descriptor(0, 0, MEMORY_BASE + 16, 17, 4, 0);
    available(driver, 0);
  }, /indirect table has/],
  ["a ring in lent memory", (driver) => {
    driver.memory.lent.add(1);
    driver.set(R.QueueNotify, 0);
  }, /the driver area of a queue lies in memory that the device's side may not read/],
];

function available(driver: TestDriver, head: number): void {
  driver.view.setUint16(0x1004, head, true);
  driver.view.setUint16(0x1002, 1, true);
  driver.set(R.QueueNotify, 0);
}

for (const [what, attack, rule] of FAULTS) {
  Deno.test(`${what} makes the device ask for a reset, and names the rule`, () => {
    const driver = rng();
    driver.initialize();
    attack(driver);
    assert.equal(driver.faults.length, 1);
    assert.match(driver.faults[0].message, rule);
    assert.match(driver.faults[0].message, /\(virtio [\d.]+\)(?:: \w+ (?:\d+|0x[0-9a-f]+)(?:, \w+ (?:\d+|0x[0-9a-f]+))*)?$/);
    assert.ok(driver.get(R.Status) & VirtioStatus.NEEDS_RESET);
    assert.equal(driver.get(R.InterruptStatus), 2, "a configuration interrupt tells the driver");
    driver.memory.lent.clear();
    driver.set(R.QueueNotify, 0);
    assert.equal(driver.faults.length, 1, "nothing is served before the reset");
    driver.initialize();
    assert.equal(driver.request([{ in: 4 }]).length, 4);
  });
}

Deno.test("a reset leaves the place of the used ring, and a write of another size its own, also in what is saved", () => {
  const driver = rng();
  driver.initialize();
  const [queue] = driver.transport.queues, used = queue.at("device"), end = used + 4 + 8 * QUEUE_SIZE;
  assert.deepEqual([queue.holds(used), queue.heldBefore(used)], [true, false]);
  driver.transport.write(R.Status, 4, 0n);
  driver.transport.write(R.QueueDescLow, 8, 1n);
  driver.transport.write(R.QueueNotify, 1, 0n);
  const other = rng();
  other.transport.restore(driver.transport.save());
  for (const { transport } of [driver, other]) {
    const held = [used - 1, used, end - 1, end].map((at) => transport.queues[0].heldBefore(at));
    assert.deepEqual(held, [false, true, true, false]);
    assert.deepEqual(transport.ignored, { offset: R.QueueDescLow, size: 8 });
  }
  other.initialize();
  assert.deepEqual([other.transport.queues[0].heldBefore(used), other.transport.ignored], [false, undefined]);
});

Deno.test("a buffer without a byte of the device is found in the newest chain that has it", () => {
  const driver = rng();
  driver.initialize();
  driver.request([{ in: 3 }]);
  const [queue] = driver.transport.queues, table = queue.at("descriptors");
  const address = Number(driver.view.getBigUint64(table - MEMORY_BASE, true));
  const { memory } = driver;
  assert.equal(queue.unwritten(memory, address), undefined, "written");
  assert.equal(queue.unwritten(memory, address - 1), undefined, "no buffer");
  driver.view.setUint16(table - MEMORY_BASE + 12, 0, true);
  assert.deepEqual(queue.unwritten(memory, address), { descriptor: 0, writable: false, written: 3 });
});

Deno.test("a queue whose chains all go through its table is read for a bounded time", () => {
  const bytes = new Uint8Array(0x4000), view = new DataView(bytes.buffer), size = 256, device = 0x2000;
  for (let i = 0; i < size; i++) {
    view.setUint16(16 * i + 12, 1, true);
    view.setUint16(16 * i + 14, (i + 1) % size, true);
  }
  let reads = 0;
  const memory = {
    read: (at: number, into: Uint8Array) => (reads++, into.set(bytes.subarray(at, at + into.length)), true),
    write: () => false,
  };
  assert.equal(unwrittenBuffer(memory, { size, descriptors: 0, device, used: size }, 1), undefined);
  assert.ok(reads > size && reads <= 1024 + 2 * size, `${reads} reads`);
});

Deno.test("the first rule that a driver breaks is the one that is told, with its values", () => {
  const driver = rng();
  driver.set(R.QueueNum, 3);
  driver.set(R.QueueReady, 1);
  assert.match(driver.transport.broken.fault ?? "", /power of two.* \(virtio 2\.7\): size 3$/);
});

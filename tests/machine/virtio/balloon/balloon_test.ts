import assert from "node:assert/strict";
import { VirtioMmioRegister as R } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import { BalloonDevice } from "../../../../src/machine/virtio/balloon/balloon.ts";
import { MEMORY_BASE, TestDriver } from "../driver.ts";

const INFLATE = 0, DEFLATE = 1, STATS = 2, REPORTS = 3;
const PAGE = 4096;
const ACTUAL = R.Config + 4;
/** A page that no queue of the test's driver uses. */
const OFFSET = 0xf_0000;

function balloon() {
  const device = new BalloonDevice();
  const driver = new TestDriver(device);
  driver.initialize();
  return { device, driver };
}

function pages(...addresses: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(addresses, (address) => address / PAGE).buffer);
}

function stat(tag: number, value: bigint): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, tag, true);
  view.setBigUint64(2, value, true);
  return bytes;
}

Deno.test("pages that a guest gives are zero, and what it may not give is counted and left", () => {
  const { device, driver } = balloon();
  driver.memory.bytes.fill(7, OFFSET, OFFSET + 3 * PAGE);
  driver.memory.lent.add((OFFSET + PAGE) / PAGE);
  const base = MEMORY_BASE + OFFSET;
  driver.offer(INFLATE, [{ out: pages(base, base + PAGE, 0x1000, 0xffff_f000) }]);
  assert.deepEqual(driver.used(INFLATE), [0]);
  const first = (page: number) => driver.memory.bytes.subarray(OFFSET + page * PAGE, OFFSET + (page + 1) * PAGE);
  assert.ok(first(0).every((byte) => byte === 0));
  assert.ok(first(1).every((byte) => byte === 7));
  assert.ok(first(2).every((byte) => byte === 7));
  driver.offer(DEFLATE, [{ out: pages(base) }]);
  const { inflated_pages, deflated_pages, unreachable_pages } = device.metrics();
  assert.deepEqual([inflated_pages, deflated_pages, unreachable_pages], [1, 1, 3]);
  assert.deepEqual(driver.faults, []);
});

Deno.test("people's target reaches the guest with an interrupt, and the guest's account is what they see", () => {
  const { device, driver } = balloon();
  device.setTarget(10 * PAGE + 5);
  assert.equal(driver.get(R.InterruptStatus), 2);
  assert.equal(driver.get(R.Config), 10);
  driver.set(ACTUAL, 4);
  assert.deepEqual([device.metrics().target_bytes, device.metrics().actual_bytes], [10 * PAGE, 4 * PAGE]);
  driver.set(R.Config, 99);
  assert.equal(driver.get(R.Config), 10);
});

Deno.test("free pages that a guest reports are zero", () => {
  const { device, driver } = balloon();
  const [address] = driver.offer(REPORTS, [{ in: 0x800 }], false);
  driver.memory.bytes.fill(9, address, address + 0x800);
  driver.set(R.QueueNotify, REPORTS);
  assert.deepEqual(driver.used(REPORTS), [0x800]);
  assert.ok(driver.memory.bytes.subarray(address, address + 0x800).every((byte) => byte === 0));
  assert.equal(device.metrics().reported_bytes, 0x800);
});

Deno.test("reports come by the next queue where a driver wants no statistics", () => {
  const device = new BalloonDevice();
  const driver = new TestDriver(device);
  driver.initialize((bit) => bit === 5 || bit === 32);
  driver.offer(STATS, [{ in: 64 }]);
  assert.equal(device.metrics().reported_bytes, 64);
});

Deno.test("a guest's statistics are asked for when its balloon has changed, and kept by name", () => {
  const { device, driver } = balloon();
  driver.offer(STATS, [{ out: Uint8Array.of(...stat(4, 1000n), ...stat(5, 2000n), ...stat(99, 1n)) }]);
  assert.deepEqual(driver.used(STATS), []);
  const { guest_free_bytes, guest_total_bytes } = device.metrics();
  assert.deepEqual([guest_free_bytes, guest_total_bytes], [1000, 2000]);
  driver.set(ACTUAL, 1);
  assert.deepEqual(driver.used(STATS), [0]);
  driver.offer(STATS, [{ out: stat(4, 900n) }]);
  device.askForStats();
  assert.deepEqual([driver.used(STATS), device.metrics().guest_free_bytes], [[0], 900]);
});

Deno.test("a balloon's state is plain data, with the buffer that waits for the next statistics", () => {
  const { device, driver } = balloon();
  driver.offer(STATS, [{ out: stat(4, 1000n) }]);
  device.setTarget(3 * PAGE);
  const other = new TestDriver(new BalloonDevice());
  other.initialize();
  other.adopt(driver);
  other.transport.restore(structuredClone(driver.transport.save()));
  assert.deepEqual(other.device.save(), device.save());
  other.set(ACTUAL, 3);
  assert.deepEqual(other.used(STATS), [0]);
});

Deno.test("a chain with too many pages needs a reset", () => {
  const { driver } = balloon();
  for (let index = 0; index < 16; index++) driver.descriptor(INFLATE, index, MEMORY_BASE, 0x800, index < 15 ? 1 : 0, index + 1);
  driver.view.setUint16(0x1004, 0, true);
  driver.view.setUint16(0x1002, 1, true);
  driver.set(R.QueueNotify, INFLATE);
  assert.match(driver.faults[0].message, /lists at most 4096 pages/);
});

Deno.test("statistics that a driver offers before it is ready are taken when it is", () => {
  const device = new BalloonDevice();
  const driver = new TestDriver(device);
  driver.initialize();
  const status = driver.get(R.Status);
  const state = driver.transport.save();
  driver.transport.restore({ ...state, status: status & ~4 });
  driver.offer(STATS, [{ out: stat(4, 1000n) }]);
  assert.equal(device.metrics().guest_free_bytes, undefined);
  driver.set(R.Status, status);
  assert.equal(device.metrics().guest_free_bytes, 1000);
});

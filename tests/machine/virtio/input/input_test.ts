import assert from "node:assert/strict";
import { VirtioMmioRegister as R } from "../../../../src/machine/devices/virtio-mmio-registers.ts";
import { Abs, BUTTONS, EventType, keyOf, KEYS } from "../../../../src/machine/virtio/input/event-codes.ts";
import { InputDevice, TABLET_MAX } from "../../../../src/machine/virtio/input/input.ts";
import type { InputType } from "../../../../src/machine/virtio/plan.ts";
import { TestDriver } from "../driver.ts";

const EVENTS = 0, STATUS = 1;

function input(type: InputType) {
  const device = new InputDevice(type);
  const driver = new TestDriver(device);
  driver.initialize();
  return { device, driver };
}

/** The device's answer to a question of its driver. */
function ask(driver: TestDriver, select: number, subselect: number): Uint8Array {
  driver.transport.write(R.Config, 1, BigInt(select));
  driver.transport.write(R.Config + 1, 1, BigInt(subselect));
  const size = Number(driver.transport.read(R.Config + 2, 1));
  return Uint8Array.from({ length: size }, (_, index) => Number(driver.transport.read(R.Config + 8 + index, 1)));
}

/** Offers buffers, and gives what is in those that came back. */
function events(driver: TestDriver, send: () => void, buffers = 8): number[][] {
  const addresses = Array.from({ length: buffers }, () => driver.offer(EVENTS, [{ in: 8 }])[0]);
  send();
  return driver.used(EVENTS).map((length, index) => {
    assert.equal(length, 8);
    const at = addresses[index];
    return [driver.view.getUint16(at, true), driver.view.getUint16(at + 2, true), driver.view.getInt32(at + 4, true)];
  });
}

Deno.test("a driver learns names, identity and events of a keyboard and a tablet", () => {
  const keyboard = input("keyboard").driver;
  assert.equal(new TextDecoder().decode(ask(keyboard, 1, 0)), "el2 keyboard");
  assert.deepEqual([...ask(keyboard, 3, 0)], [6, 0, 0, 0, 1, 0, 1, 0]);
  const keys = ask(keyboard, 0x11, EventType.KEY);
  assert.ok(keys[30 >> 3] & 1 << (30 & 7), "KEY_A");
  assert.equal(keys[0] & 1, 0);
  assert.equal(ask(keyboard, 0x11, EventType.ABS).length, 0);
  assert.deepEqual([...ask(keyboard, 0x11, EventType.LED)], [7]);
  assert.equal(ask(keyboard, 0x77, 0).length, 0);
  const tablet = input("tablet").driver;
  assert.deepEqual([...ask(tablet, 0x11, EventType.ABS)], [3]);
  const info = new DataView(ask(tablet, 0x12, Abs.Y).buffer);
  assert.deepEqual([info.getUint32(0, true), info.getUint32(4, true)], [0, TABLET_MAX]);
  assert.equal(ask(tablet, 0x12, 9).length, 0);
});

Deno.test("what happens at once ends with a report", () => {
  const { device, driver } = input("tablet");
  const got = events(driver, () => {
    assert.ok(device.send([{ type: EventType.ABS, code: Abs.X, value: 5 }, { type: EventType.KEY, code: BUTTONS.left, value: 1 }]));
  });
  assert.deepEqual(got, [[3, 0, 5], [1, 0x110, 1], [0, 0, 0]]);
  assert.equal(device.has({ type: EventType.KEY, code: KEYS.get("a")!, value: 1 }), false);
});

Deno.test("events wait for buffers, whole groups are refused when too many wait, and all of it is plain data", () => {
  const { device, driver } = input("keyboard");
  const key = { type: EventType.KEY, code: KEYS.get("a")!, value: 1 };
  let sent = 0;
  while (device.send([key])) sent++;
  assert.equal(sent, 512);
  assert.equal(device.metrics().refused, 1);
  const other = new TestDriver(new InputDevice("keyboard"));
  other.initialize();
  other.adopt(driver);
  other.transport.restore(structuredClone(driver.transport.save()));
  assert.deepEqual(other.device.save(), device.save());
  assert.deepEqual(events(other, () => {}, 2), [[1, 30, 1], [0, 0, 0]]);
});

Deno.test("a keyboard's lights are what its guest last said", () => {
  const { device, driver } = input("keyboard");
  driver.offer(STATUS, [{ out: Uint8Array.of(0x11, 0, 1, 0, 1, 0, 0, 0) }]);
  driver.offer(STATUS, [{ out: Uint8Array.of(0x11, 0, 0, 0, 1, 0, 0, 0) }]);
  driver.offer(STATUS, [{ out: Uint8Array.of(0x11, 0, 0, 0, 0, 0, 0, 0) }]);
  driver.offer(STATUS, [{ out: Uint8Array.of(0x11) }]);
  assert.equal(device.metrics().leds, 2);
});

Deno.test("every printable character is on a key, each key has one code", () => {
  for (let code = 0x20; code < 0x7f; code++) assert.ok(keyOf(String.fromCharCode(code)), String.fromCharCode(code));
  assert.deepEqual(keyOf("A"), { code: 30, shift: true });
  assert.deepEqual(keyOf("!"), { code: 2, shift: true });
  assert.deepEqual([KEYS.get("f12"), KEYS.get("up"), KEYS.get("pause"), KEYS.get("compose"), KEYS.get("power")], [88, 103, 119, 127, 116]);
  assert.equal(keyOf("é"), undefined);
  assert.equal(new Set(KEYS.values()).size, KEYS.size);
});

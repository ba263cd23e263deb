import assert from "node:assert/strict";
import { Pl031, Pl031Register } from "../../../src/machine/devices/pl031.ts";

/** A clock at 1000, and a time that tests move. */
function clock() {
  let now = 0;
  let waiting: { seconds: number; action: () => void }[] = [];
  const device = new Pl031({ seconds: () => now, at: (seconds, action) => waiting.push({ seconds, action }) }, 1000);
  const lines: boolean[] = [];
  device.onInterrupt = (level) => lines.push(level);
  const advance = (to: number) => {
    now = to;
    const due = waiting.filter(({ seconds }) => seconds <= now);
    waiting = waiting.filter(({ seconds }) => seconds > now);
    for (const { action } of due) action();
  };
  const get = (register: number) => Number(device.read(register, 4));
  const set = (register: number, value: number) => device.write(register, 4, BigInt(value));
  return { device, lines, advance, get, set };
}

Deno.test("the counter starts where it was set and goes with time", () => {
  const { advance, get, set } = clock();
  assert.equal(get(Pl031Register.DR), 1000);
  advance(5);
  assert.equal(get(Pl031Register.DR), 1005);
  set(Pl031Register.LR, 0xffff_ffff);
  assert.equal(get(Pl031Register.DR), 0xffff_ffff);
  advance(6);
  assert.equal(get(Pl031Register.DR), 0, "32 bits");
});

Deno.test("a match raises the interrupt once, through its mask, until it is cleared", () => {
  const { lines, advance, get, set } = clock();
  set(Pl031Register.MR, 1010);
  advance(9);
  assert.equal(get(Pl031Register.RIS), 0);
  advance(10);
  assert.deepEqual([get(Pl031Register.RIS), get(Pl031Register.MIS), lines], [1, 0, []]);
  set(Pl031Register.IMSC, 1);
  assert.deepEqual([get(Pl031Register.MIS), lines], [1, [true]]);
  set(Pl031Register.ICR, 1);
  advance(100);
  assert.deepEqual([get(Pl031Register.RIS), lines], [0, [true, false]]);
});

Deno.test("only the last match counts", () => {
  const { advance, get, set } = clock();
  set(Pl031Register.MR, 1010);
  set(Pl031Register.MR, 1020);
  advance(15);
  assert.equal(get(Pl031Register.RIS), 0);
  advance(20);
  assert.equal(get(Pl031Register.RIS), 1);
});

Deno.test("the identification is that of a PL031, which drivers look for", () => {
  const { get } = clock();
  const ids = Array.from({ length: 8 }, (_, index) => get(Pl031Register.ID + 4 * index));
  assert.deepEqual(ids, [0x31, 0x10, 0x14, 0, 0x0d, 0xf0, 0x05, 0xb1]);
});

Deno.test("a restored clock continues, and its match with it", () => {
  const first = clock();
  first.set(Pl031Register.IMSC, 1);
  first.set(Pl031Register.MR, 1003);
  const second = clock();
  second.device.restore(structuredClone(first.device.save()));
  second.advance(3);
  assert.deepEqual([second.get(Pl031Register.DR), second.get(Pl031Register.MIS), second.lines], [1003, 1, [true]]);
});

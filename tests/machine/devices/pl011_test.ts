// PL011: data, flags, interrupts, identification and access sizes.

import assert from "node:assert/strict";
import { Pl011, Pl011Data, Pl011Flag, Pl011Interrupt, Pl011Register } from "../../../src/machine/devices/pl011.ts";

function listening(fifo = true): Pl011 {
  const uart = new Pl011();
  if (fifo) uart.write(Pl011Register.LCR_H, 4, 0x70n);
  uart.write(Pl011Register.IMSC, 2, BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT));
  return uart;
}

Deno.test("a store to DR sends its low byte, whatever the size", () => {
  const uart = new Pl011();
  const sent: number[] = [];
  uart.onTransmit = (byte) => sent.push(byte);
  uart.write(Pl011Register.DR, 1, 0x41n);
  uart.write(Pl011Register.DR, 2, 0x142n);
  uart.write(Pl011Register.DR, 4, 0x43n);
  assert.deepEqual(sent, [0x41, 0x42, 0x43]);
  assert.equal(uart.read(Pl011Register.FR, 2), BigInt(Pl011Flag.TXFE | Pl011Flag.RXFE));
});

Deno.test("characters are received in order and the flags follow the FIFO", () => {
  const uart = listening();
  assert.equal(uart.receivable, 16);
  assert.equal(uart.receive(new Uint8Array(20).map((_, i) => i)), 16);
  assert.equal(uart.read(Pl011Register.FR, 4), BigInt(Pl011Flag.TXFE | Pl011Flag.RXFF));
  for (let i = 0; i < 16; i++) assert.equal(uart.read(Pl011Register.DR, 4), BigInt(i));
  assert.equal(uart.read(Pl011Register.FR, 4), BigInt(Pl011Flag.TXFE | Pl011Flag.RXFE));
});

Deno.test("without the FIFO one character is held", () => {
  const uart = listening(false);
  assert.equal(uart.receive(Uint8Array.of(1, 2)), 1);
  assert.equal(uart.read(Pl011Register.MIS, 2), BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT));
});

Deno.test("the receive interrupt falls below the trigger level, the timeout interrupt when the FIFO is empty", () => {
  const uart = listening();
  const lines: boolean[] = [];
  uart.onInterrupt = (level) => lines.push(level);
  uart.receive(new Uint8Array(8));
  assert.equal(uart.read(Pl011Register.RIS, 4), BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT));
  uart.read(Pl011Register.DR, 4);
  assert.equal(uart.read(Pl011Register.RIS, 4), BigInt(Pl011Interrupt.RT));
  for (let i = 0; i < 7; i++) uart.read(Pl011Register.DR, 4);
  assert.deepEqual(lines, [true, false]);
});

Deno.test("the transmit interrupt is raised by sending and cleared by ICR", () => {
  const uart = new Pl011();
  uart.write(Pl011Register.IMSC, 2, BigInt(Pl011Interrupt.TX));
  assert.ok(!uart.interrupt);
  uart.write(Pl011Register.DR, 1, 0n);
  assert.ok(uart.interrupt);
  uart.write(Pl011Register.ICR, 2, BigInt(Pl011Interrupt.TX));
  assert.ok(!uart.interrupt);
});

Deno.test("a break comes among the characters, with its error and its interrupt; ECR clears its bits of RSR", () => {
  const uart = listening();
  uart.write(Pl011Register.IMSC, 2, BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT | Pl011Interrupt.BE));
  assert.equal(uart.receive([0x41, Pl011Data.BE, 0x42]), 3);
  assert.equal(uart.read(Pl011Register.MIS, 4), BigInt(Pl011Interrupt.RT | Pl011Interrupt.BE));
  assert.equal(uart.read(Pl011Register.DR, 4), 0x41n);
  assert.equal(uart.read(Pl011Register.RSR, 4), 0n);
  const copy = new Pl011();
  copy.restore(uart.save());
  for (const one of [uart, copy]) {
    assert.equal(one.read(Pl011Register.DR, 4), 0x400n);
    assert.equal(one.read(Pl011Register.RSR, 4), 4n, "RSR has BE in bit 2");
    const again = new Pl011();
    again.restore(one.save());
    assert.equal(again.read(Pl011Register.RSR, 4), 4n);
    one.write(Pl011Register.RSR, 4, 0n);
    assert.equal(one.read(Pl011Register.RSR, 4), 0n);
    assert.equal(one.read(Pl011Register.DR, 4), 0x42n);
    assert.equal(one.read(Pl011Register.MIS, 4), BigInt(Pl011Interrupt.BE), "until ICR clears it");
    one.write(Pl011Register.ICR, 4, BigInt(Pl011Interrupt.BE));
    assert.ok(!one.interrupt);
  }
});

Deno.test("input waits until the guest listens, by interrupt or by polling the flags", () => {
  const uart = new Pl011();
  let told = 0;
  uart.onReceivable = () => told++;
  assert.equal(uart.receive(Uint8Array.of(1)), 0);
  uart.read(Pl011Register.FR, 2);
  uart.write(Pl011Register.DR, 2, 0n);
  assert.equal(uart.receivable, 0, "a sender reads the flags, too");
  for (let i = 0; i < 16; i++) uart.read(Pl011Register.FR, 4);
  assert.equal(told, 1);
  assert.equal(uart.receive(Uint8Array.of(1)), 1);
});

Deno.test("input waits until receive interrupts have been enabled for a while", () => {
  const waiting: (() => void)[] = [];
  const uart = new Pl011((action) => waiting.push(action));
  uart.write(Pl011Register.IMSC, 2, BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT));
  uart.write(Pl011Register.IMSC, 2, 0n);
  uart.write(Pl011Register.IMSC, 2, BigInt(Pl011Interrupt.RX));
  assert.equal(waiting.length, 1);
  assert.equal(uart.receivable, 0);
  waiting.pop()!();
  assert.equal(uart.receivable, 1);
  uart.write(Pl011Register.IMSC, 2, 0n);
  assert.equal(uart.receivable, 0);
});

Deno.test("the identification registers are those of a PL011", () => {
  const uart = new Pl011();
  const bytes = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => Number(uart.read(Pl011Register.ID + 4 * i, 4)));
  assert.deepEqual([bytes[0], bytes[1] & 0xf, bytes[1] >> 4 | (bytes[2] & 0xf) << 4], [0x11, 0, 0x41]);
  assert.deepEqual(bytes.slice(4), [0x0d, 0xf0, 0x05, 0xb1]);
});

Deno.test("no offset and no size throws", () => {
  const uart = listening();
  for (let offset = 0; offset < 0x1000; offset++) {
    for (const size of [1, 2, 4, 8]) {
      assert.ok(uart.read(offset, size) >= 0n);
      uart.write(offset, size, 0xffff_ffff_ffff_ffffn);
    }
  }
});

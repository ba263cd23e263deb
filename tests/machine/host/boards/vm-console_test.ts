// The console of a VM: typed text waits for its guest, in order, also across a save.

import assert from "node:assert/strict";
import { Pl011Data, Pl011Interrupt, Pl011Register } from "../../../../src/machine/devices/pl011.ts";
import { ConsoleInput } from "../../../../src/machine/host/data/console-input.ts";
import { VmConsole } from "../../../../src/machine/host/boards/vm-console.ts";

Deno.test("a break waits with what was typed before and behind it, and is still there in a console that was restored", () => {
  const before = new VmConsole(() => {});
  before.type(0, Uint8Array.of(0x41));
  before.type(0, [Pl011Data.BE]);
  before.type(0, Uint8Array.of(0x42));
  const console = new VmConsole(() => {});
  console.restore(before.save());
  console.write(0, Pl011Register.LCR_H, 4, 0x70n);
  console.write(0, Pl011Register.IMSC, 4, BigInt(Pl011Interrupt.RX | Pl011Interrupt.RT));
  console.timer(console.wakeAt ?? assert.fail("it waits until the driver has begun"));
  const read = () => console.read(2_000_000, Pl011Register.DR, 4);
  assert.deepEqual([read(), read(), read()], [0x41n, 0x400n, 0x42n]);
});

Deno.test("typed text that a guest never reads is refused once 4 MiB of it wait, also across a save", () => {
  const piece = new Uint8Array(1 << 20).fill(0x61), console = new VmConsole(() => {});
  for (let i = 0; i < 4; i++) assert.equal(console.type(0, piece), undefined);
  const refused = /^4 MiB of input are waiting for the guest/;
  assert.match(console.type(0, piece) ?? "", refused);
  const again = new VmConsole(() => {});
  again.restore(console.save());
  assert.match(again.type(0, piece) ?? "", refused);
  assert.ok(console.save().typed.length <= 2 * (4 << 20), "two bytes per character");
});

Deno.test("text typed for a host that does not run is refused once 4 MiB of it wait", () => {
  const input = new ConsoleInput(() => {}), piece = new Uint8Array(1 << 20);
  for (let i = 0; i < 4; i++) {
    assert.equal(input.closed, undefined);
    input.push("a", piece);
  }
  assert.match(input.closed ?? "", /^4 MiB of input are waiting for the host/);
  const again = new ConsoleInput(() => {});
  again.restore(input.save());
  assert.notEqual(again.closed, undefined);
  input.drain();
  assert.equal(input.closed, undefined);
});

// The console of a VM: typed text waits for its guest, in order, also across a save.

import assert from "node:assert/strict";
import { Pl011Data, Pl011Interrupt, Pl011Register } from "../../src/devices/pl011.ts";
import { VmConsole } from "../../src/host/boards/vm-console.ts";

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

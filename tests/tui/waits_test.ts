// The wait of a vCPU, in words.

import assert from "node:assert/strict";
import { waitText } from "../../src/tui/waits.ts";

Deno.test("timers say when they fire, interrupts are listed or counted", () => {
  assert.equal(waitText(["irq:a/27 +0.6ms", "irq:a/33"]), "timer irq 27 in 0.6 ms, irq 33");
  assert.equal(waitText(["irq:a/30@1 +0.6ms"]), "timer irq 30 in 0.6 ms");
  assert.equal(waitText(["irq:a/27 +0ns"]), "timer irq 27 is due");
  assert.equal(waitText([32, 33, 34, 35].map((intid) => `irq:rm/${intid}`)), "irq 32 to 35");
  assert.equal(waitText([32, 40, 48, 56].map((intid) => `irq:rm/${intid}`)), "irq 32, 40, 48, 1 more");
});

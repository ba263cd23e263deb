// The wait of a vCPU, in words.

import assert from "node:assert/strict";
import { waitText } from "../../src/tui/panes/waits.ts";

Deno.test("timers say when they fire, interrupts are listed or counted", () => {
  assert.equal(waitText(["irq:a/27 +0.6ms", "irq:a/33"]), "timer irq 27 in 0.6 ms, irq 33");
  assert.equal(waitText(["irq:a/30@1 +0.6ms"]), "timer irq 30 in 0.6 ms");
  assert.equal(waitText(["irq:a/27 +0ns"]), "timer irq 27 is due");
  assert.equal(waitText([32, 33, 34, 35].map((intid) => `irq:rm/${intid}`)), "irq 32 to 35");
  assert.equal(waitText([32, 40, 48, 56].map((intid) => `irq:rm/${intid}`)), "irq 32, 40, 48, 1 more");
});

Deno.test("a wait wider than its column keeps its first wakeups whole, and counts the others", () => {
  const wakes = ["irq:a/27 +0.6ms", "irq:a/33", "irq:a/40", "vcpu_run"];
  const whole = "timer irq 27 in 0.6 ms, irq 33, 40, its VMM calls vcpu_run";
  assert.equal(waitText(wakes, whole.length), whole);
  assert.equal(waitText(wakes, whole.length - 1), "timer irq 27 in 0.6 ms, irq 33, 40 +1");
  assert.equal(waitText(wakes, 33), "timer irq 27 in 0.6 ms, irq 33 +2");
  assert.equal(waitText(wakes, 32), "timer irq 27 in 0.6 ms +3");
  // Too narrow for one of them: the column cuts that.
  assert.equal(waitText(wakes, 10), "timer irq 27 in 0.6 ms +3");
  assert.equal(waitText(["irq:a/48", "irq:a/32", "irq:a/40", "irq:a/56"], 13), "irq 32, 40 +2");
  assert.equal(waitText([32, 33, 34, 35].map((intid) => `irq:rm/${intid}`), 12), "irq 32 to 35");
  assert.equal(waitText(["irq:a/27 +0.6ms"], 5), "timer irq 27 in 0.6 ms");
});

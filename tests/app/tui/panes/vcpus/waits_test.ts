// The wait of a vCPU, in words.

import assert from "node:assert/strict";
import type { Wait } from "../../../../../src/model/queries/facts/wait.ts";
import { waitText as textAt } from "../../../../../src/app/tui/panes/vcpus/waits.ts";

/** Virtual time (ns) of the waits. */
const NOW = 12e9;
const waitText = (waits: readonly Wait[], width?: number) => textAt(waits, NOW, width);
const timer = (intid: number, in_ns: number): Wait => ({ code: "timer", irq: `irq:a/${intid}`, intid, in_ns });
const irqs = (...intids: number[]) => intids.map((intid): Wait => ({ code: "irq", irq: `irq:a/${intid}`, intid, source: null }));

Deno.test("timers say when they fire, interrupts are listed or counted", () => {
  assert.equal(waitText([timer(27, 482e6), ...irqs(33)]), "timer irq 27 at 12.482, irq 33");
  assert.equal(waitText([timer(30, 482e6)]), "timer irq 30 at 12.482");
  assert.equal(waitText([timer(27, 0)]), "timer irq 27 at 12.000", "due now: a clock that rests stays there");
  assert.equal(waitText(irqs(32, 33, 34, 35)), "irq 32 to 35");
  assert.equal(waitText(irqs(32, 40, 48, 56)), "irq 32, 40, 48, 1 more");
});

Deno.test("a wait wider than its column keeps its first wakeups whole, and counts the others", () => {
  const wakes: readonly Wait[] = [timer(27, 482e6), ...irqs(33, 40), { code: "vcpu_run" }];
  const whole = "timer irq 27 at 12.482, irq 33, 40, vcpu_run";
  assert.equal(waitText(wakes, whole.length), whole);
  assert.equal(waitText(wakes, whole.length - 1), "timer irq 27 at 12.482, irq 33, 40 +1");
  assert.equal(waitText(wakes, 33), "timer irq 27 at 12.482, irq 33 +2");
  assert.equal(waitText(wakes, 32), "timer irq 27 at 12.482 +3");
  // Too narrow for one of them: the column cuts that.
  assert.equal(waitText(wakes, 10), "timer irq 27 at 12.482 +3");
  assert.equal(waitText(irqs(48, 32, 40, 56), 13), "irq 32, 40 +2");
  assert.equal(waitText(irqs(32, 33, 34, 35), 12), "irq 32 to 35");
  assert.equal(waitText([timer(27, 482e6)], 5), "timer irq 27 at 12.482");
});

// The registers of the performance monitors, and their interrupt through the GIC, as a bare-metal
// guest sees them on el2 and on QEMU.

import assert from "node:assert/strict";
import { planCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { runOnEl2, runOnQemu, withGuest } from "./bare-metal.ts";

Deno.test("registers of the performance monitors read as on QEMU, and an overflow interrupts after its instruction", () =>
  withGuest("performance", ["-march=armv8.2-a"], async (elf) => {
    const qemu = await runOnQemu(elf);
    assert.match(qemu.stdout, /\n00000017\n00000004\n00000002\n00000001\n00000000\n\.$/, `PPI 23 after the overflow: ${qemu.stderr}`);
    for (const [cpu, tier] of [["v8.2", "interp"], ["v8.2", "jit"], ["max", "auto"]] as const) {
      assert.equal(await runOnEl2(elf, { cpu: planCpu(cpu), tier }), qemu.stdout, `${cpu}, ${tier}`);
    }
  }));

/** Checks of performance-checks/guest.S: those of the group `pmu` of kvm-unit-tests. */
const CHECKS = 17;

Deno.test("cycles, events, software increments, chained counters and overflow interrupts are as hypervisors' tests expect", () =>
  withGuest("performance-checks", ["-march=armv8.2-a"], async (elf) => {
    const qemu = await runOnQemu(elf);
    assert.match(qemu.stdout, new RegExp(`^[k-]{${CHECKS}}\\.$`), `QEMU, which does not have all events: ${qemu.stderr}`);
    for (const [cpu, tier] of [["v8.2", "interp"], ["v8.2", "jit"], ["max", "auto"]] as const) {
      assert.equal(await runOnEl2(elf, { cpu: planCpu(cpu), tier }), `${"k".repeat(CHECKS)}.`, `${cpu}, ${tier}`);
    }
  }));

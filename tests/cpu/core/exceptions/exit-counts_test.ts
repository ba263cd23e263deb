import assert from "node:assert/strict";
import { ExceptionClass } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { exitCountOf, namedExitCounts, newExitCounts } from "../../../../src/cpu/core/exceptions/exit-counts.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { Machine, RAM_BASE } from "../program.ts";

Deno.test("exits to EL2 are counted once each, by reason", () => {
  const machine = new Machine({ tier: "auto" });
  machine.load(RAM_BASE + 0x1000, [["hvc", 0xd4000002], ["hint", 0xd503207f], ["smc", 0xd4000003]]);
  machine.run(10, RAM_BASE + 0x1000);
  for (const [name, count] of Object.entries(machine.core.counters.exits)) assert.equal(count, name === "hvc" ? 1 : 0, name);
  machine.run(10);
  assert.equal(machine.core.counters.exits.waits, 1);
});

Deno.test("a device's access is not a data abort, and an exit without a name is counted as other", () => {
  const counts = newExitCounts();
  counts[exitCountOf(ExitReason.Bus, ExceptionClass.DataAbortLower)]++;
  counts[exitCountOf(ExitReason.Trap, ExceptionClass.DataAbortLower)]++;
  counts[exitCountOf(ExitReason.Trap, ExceptionClass.FpAccess)]++;
  const { devices, dataAborts, other, hvc } = namedExitCounts(counts);
  assert.deepEqual([devices, dataAborts, other, hvc], [1, 1, 1, 0]);
});

import assert from "node:assert/strict";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { demoSystem, rows, runUntil } from "../system.ts";

Deno.test("a guest that is ended at once, in the middle of its work, breaks no invariant", async () => {
  const system = await demoSystem();
  system.hypervisor.checker = new Checker(system.hypervisor);
  runUntil(system, 2e6);
  assert.equal(system.inspector.act({ kind: "vm.stop", vm: "ping", force: true }), undefined);
  runUntil(system, 20e6);
  assert.equal(system.ended(), undefined);
  assert.deepEqual(rows(system, "vm.ls", { filter: "id=vm:ping state=running" }), []);
  assert.deepEqual(rows(system, "mem.check"), []);
});

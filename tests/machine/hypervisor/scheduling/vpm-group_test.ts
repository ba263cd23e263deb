// VPM groups through their hypercalls (docs/spec/hypervisor.md §4.10).

import assert from "node:assert/strict";
import { VpmGroup } from "../../../../src/machine/hypervisor/scheduling/vpm-group.ts";
import { ScriptedMachine, ScriptedVm } from "../scripted.ts";
import { Caller } from "../caller.ts";

Deno.test("a VPM group tells whether any of its vCPUs is awake", () => {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 3, [function* () {}], { group: "aggregated" });
  const group: VpmGroup = vm.group!;
  assert.equal(group.vpmState, 2n);
  vm.start();
  assert.equal(group.vpmState, 1n);
  vm.vcpus[0].waitForInterrupt();
  assert.equal(group.vpmState, 2n);
  const caller = new Caller();
  const cap = caller.grant(caller.machine.create(VpmGroup));
  assert.equal(caller.error("vpm_group_configure", cap, 2n), "UNIMPLEMENTED");
  assert.equal(caller.error("vpm_group_configure", cap, 1n), "OK");
});

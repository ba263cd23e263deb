// Partitions: their heap, and what creation needs (docs/spec/hypervisor.md §3.5, §4.1).

import assert from "node:assert/strict";
import { Rig } from "../checklist/rig.ts";
import { CspaceRight, PartitionRight } from "../../../../src/machine/abi/rights.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { CONTEXTS } from "../../../../src/cpu/core/state/layout.ts";
import { ScriptedMachine } from "../scripted.ts";
import { setup } from "./memory-fixture.ts";

Deno.test("what an activation takes of the heap comes back with the object", () => {
  const w = new Rig();
  const { rootPartition } = w.hypervisor;
  const before = rootPartition.heapUsed;
  const made = (["vic", "addrspace", "msgqueue"] as const).map((type) => w.active(type));
  const sizes = made.map((cap) => w.get(cap).heapBytes - w.get(cap).size);
  assert.ok(sizes.every((size) => size > 0));
  for (const cap of made) w.ok("cspace_delete_cap_from", { cspace: w.self, cap });
  assert.equal(rootPartition.heapUsed, before);
});

Deno.test("partition_create_partition is unimplemented and gives no capability", () => {
  const { guest } = setup();
  assert.deepEqual(guest.raw(0x01, [0x77n, 0x77n, 0n]), [0xffff_ffffn, 0xffff_ffff_ffff_ffffn, 0n, 0n, 0n, 0n, 0n, 0n]);
});

Deno.test("creation needs object_create on the partition and cap_create on the cspace", () => {
  const { guest } = setup();
  const partition = guest.one("cspace_copy_cap_from", 0n, 1n, 0n, BigInt(PartitionRight.Donate));
  assert.equal(guest.error("partition_create_doorbell", partition, 0n), "CSPACE_INSUFFICIENT_RIGHTS");
  const cspace = guest.one("cspace_copy_cap_from", 0n, 0n, 0n, BigInt(CspaceRight.CapCopy));
  assert.equal(guest.error("partition_create_doorbell", 1n, cspace), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("a partition's heap is exhausted before the core's contexts are", () => {
  const machine = new ScriptedMachine();
  const { rootPartition } = machine.hypervisor;
  const created: Vcpu[] = [];
  for (;;) {
    const vcpu = rootPartition.create(Vcpu);
    if (typeof vcpu === "number") break;
    created.push(vcpu);
  }
  assert.ok(created.length < CONTEXTS.count, `${created.length} vCPUs, ${CONTEXTS.count} contexts`);
});

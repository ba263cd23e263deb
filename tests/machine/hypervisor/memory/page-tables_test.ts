// The bound on the page tables of VMs.

import assert from "node:assert/strict";
import { Vmid } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { PageTables } from "../../../../src/machine/hypervisor/memory/page-tables.ts";
import { setup } from "./memory-fixture.ts";

Deno.test("a bound on the page tables of VMs leaves the platform's alone, and returned tables can be had again", () => {
  const { options, faults } = setup().hypervisor;
  const tables = new PageTables(options.stage2, faults, 36, 5);
  const all = tables.left;
  assert.ok(tables.promise(4, 128));
  assert.ok(!tables.promise(2, 129));
  assert.deepEqual([tables.leftFor(129), tables.usedByVms, tables.left], [1, 4, all - 4]);
  assert.ok(tables.promise(20, Vmid.Hlos) && tables.promise(20, Vmid.ResourceManager));
  assert.equal(tables.leftFor(129), 1);
  tables.giveBack(4, 128);
  assert.ok(tables.promise(5, 129));
  tables.clear();
  assert.deepEqual([tables.leftFor(129), tables.usedByVms, tables.left], [5, 0, all]);
});

// `el2 mem limits` of the Resource Manager: counts rise and fall with the objects they count, and
// the limit is where requests fail.

import assert from "node:assert/strict";
import { MEM_LEND, MEM_RECLAIM } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_ALLOCATE, VM_DEALLOCATE } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { bell, guestTree, Machine, rmRpc } from "./machine.ts";

function use(machine: Machine, what: string, vmid?: number): { used: number; limit: number } {
  const found = machine.system.rm.limits.find((each) => each.what === what && each.vmid === vmid);
  assert.ok(found !== undefined, `${what} is counted`);
  return { used: found.used, limit: found.limit };
}

Deno.test("parcels count for their owner, up to the number at which no more can be made", () => {
  const machine = new Machine();
  const { primary } = machine;
  const lend = (page: number) => {
    const sgl = [{ address: 0x4700_0000n + BigInt(page * 0x1000), size: 0x1000n }];
    return primary.ask(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid: 255, rights: 7 }], sgl, attributes: [] });
  };
  const { limit } = use(machine, "parcels", 3);
  for (let page = 0; page < limit; page++) {
    assert.deepEqual(use(machine, "parcels", 3), { used: page, limit });
    assert.equal(lend(page).error, "OK");
  }
  assert.equal(lend(limit).error, "DENIED");
  primary.get(MEM_RECLAIM, { handle: 0, flags: 0 });
  assert.deepEqual(use(machine, "parcels", 3), { used: limit - 1, limit });
});

Deno.test("dynamic VMIDs count up to the number at which there are no more", () => {
  const machine = new Machine();
  const { limit } = use(machine, "dynamic VMIDs");
  for (let count = 0; count < limit; count++) machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.deepEqual(use(machine, "dynamic VMIDs"), { used: limit, limit });
  assert.equal(machine.primary.ask(VM_ALLOCATE, { vmid: 0 }).error, "NORESOURCE");
  machine.primary.get(VM_DEALLOCATE, { vmid: 0x80 });
  assert.equal(use(machine, "dynamic VMIDs").used, limit - 1);
});

Deno.test("a VM takes vIRQs of its owner, of the Resource Manager and its own, and a page; all come back", () => {
  const machine = new Machine();
  const counts = () => [
    use(machine, "vIRQs", 3).used,
    use(machine, "rm vIRQs").used,
    use(machine, "rm heap").used,
  ];
  const before = counts();
  const made = machine.start(guestTree("counted", [rmRpc(), bell(1)], 2));
  const [owner, own, heap] = before;
  // Two wakeups; two halts and the link's two; the info page.
  assert.deepEqual(counts(), [owner + 2, own + 4, heap + 1]);
  assert.equal(use(machine, "vIRQs", made.vmid).used, 3);
  machine.end(made);
  assert.deepEqual(counts(), before);
});

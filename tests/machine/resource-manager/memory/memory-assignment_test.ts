// The platform's hook on lend and reclaim: a firmware that assigns memory between sets of VMs, and
// what becomes of a request that it refuses.

import { asPa } from "../../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import { MEM_APPEND, MEM_LEND, MEM_RECLAIM, MEM_SHARE } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_ALLOCATE } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { setText } from "../../../../src/machine/resource-manager/memory/memory-assignment.ts";
import { parseFaultRule } from "../../../../src/model/queries/fault-rule.ts";
import { checkInvariants } from "../../hypervisor/invariants.ts";
import { Machine } from "../machine.ts";

const range = (address: number, pages = 1) => ({ address: BigInt(address), size: BigInt(pages * 0x1000) });
const give = { mem_type: 0, flags: 0, label: 0, attributes: [] };

class Rig {
  readonly machine = new Machine();
  readonly primary = this.machine.primary;
  readonly vmid = this.primary.get(VM_ALLOCATE, { vmid: 0 }).vmid;
  /** Orders that the firmware has carried out, as the trace tells them. */
  readonly orders: string[] = [];

  constructor() {
    this.machine.system.hypervisor.trace.listen(["mem"], ({ name, fields }) => {
      if (name === "assign") this.orders.push(`${fields.pa!.toString()} ${fields.from} -> ${fields.to}`);
    });
  }

  /** Memory that the firmware has assigned to others than the primary. */
  assigned(): string[] {
    return this.machine.system.rm.state.assigned.map(({ base, size, vms }) => `${base.toString(16)}+${size.toString(16)} ${setText(vms)}`);
  }

  /** The firmware fails the next order. */
  fail(): void {
    this.machine.system.hypervisor.faults.add(parseFaultRule("assign nth=1 -> DENIED"));
  }
}

Deno.test("what is lent or shared is assigned to those of the ACL, and comes back to its owner", () => {
  const rig = new Rig();
  const { primary, vmid } = rig;
  const lent = primary.get(MEM_LEND, { ...give, acl: [{ vmid, rights: 6 }], sgl: [range(0x4700_0000, 2)] });
  const acl = [{ vmid, rights: 7 }, { vmid: 5, rights: 4 }, { vmid: 3, rights: 6 }];
  const shared = primary.get(MEM_SHARE, { ...give, acl, sgl: [range(0x4710_0000)] });
  assert.deepEqual(rig.assigned(), ["47000000+2000 0x3a:rw", "47100000+1000 3:rw 5:r 0x3a:rwx"]);
  primary.get(MEM_RECLAIM, { ...lent, flags: 0 });
  primary.get(MEM_RECLAIM, { ...shared, flags: 0 });
  assert.deepEqual(rig.assigned(), []);
  assert.deepEqual(rig.orders, [
    `${0x4700_0000} 3:rwx -> 0x3a:rw`,
    `${0x4710_0000} 3:rwx -> 3:rw 5:r 0x3a:rwx`,
    `${0x4700_0000} 0x3a:rw -> 3:rwx`,
    `${0x4710_0000} 3:rw 5:r 0x3a:rwx -> 3:rwx`,
  ]);
});

Deno.test("a lend that the firmware refuses is DENIED and leaves everything as it was", () => {
  const rig = new Rig();
  const { primary, vmid, machine } = rig;
  const before = machine.usage();
  rig.fail();
  assert.equal(primary.ask(MEM_LEND, { ...give, acl: [{ vmid, rights: 7 }], sgl: [range(0x4700_0000, 2)] }).error, "DENIED");
  assert.match(machine.system.hypervisor.trace.reasons.last!.rule, /the platform's firmware refuses: a fault was injected/);
  assert.deepEqual(machine.usage(), before);
  assert.deepEqual(rig.assigned(), []);
  machine.system.act((vcpu) => assert.ok(vcpu.write(0x4700_0000, Uint8Array.of(1)), "the owner has its memory"));
  checkInvariants(machine.system.hypervisor);
});

Deno.test("an append or a reclaim that the firmware refuses is DENIED, and can be asked for again", () => {
  const rig = new Rig();
  const { primary, vmid } = rig;
  const parcel = primary.get(MEM_LEND, { ...give, flags: 2, acl: [{ vmid, rights: 7 }], sgl: [range(0x4700_0000)] });
  const append = () => primary.ask(MEM_APPEND, { ...parcel, flags: 1, sgl: [range(0x4710_0000)] }).error;
  rig.fail();
  assert.deepEqual([append(), append()], ["DENIED", "OK"]);
  rig.fail();
  const reclaim = () => primary.ask(MEM_RECLAIM, { ...parcel, flags: 0 }).error;
  assert.equal(reclaim(), "DENIED");
  assert.equal(rig.assigned().length, 2, "nothing has changed hands");
  assert.equal(reclaim(), "OK");
  assert.deepEqual(rig.assigned(), []);
});

Deno.test("memory that the firmware has assigned otherwise does not change hands", () => {
  const rig = new Rig();
  const { primary, vmid, machine } = rig;
  machine.system.rm.state.assigned.push({ base: asPa(0x4700_1000), size: 0x1000, vms: [{ vmid: 9, rights: 7 }] });
  assert.equal(primary.ask(MEM_LEND, { ...give, acl: [{ vmid, rights: 7 }], sgl: [range(0x4700_0000, 3)] }).error, "DENIED");
  const { values } = machine.system.hypervisor.trace.reasons.last!;
  assert.deepEqual([values.from, values.has], ["3:rwx", "9:rwx"]);
});

Deno.test("whatever is lent and reclaimed, with failures in between, the firmware's table is that of the parcels", () => {
  const rig = new Rig();
  const { primary, vmid } = rig;
  const step = fc.record({
    page: fc.nat(20),
    pages: fc.integer({ min: 1, max: 4 }),
    reclaim: fc.boolean(),
    fail: fc.boolean(),
    which: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
      const handles: number[] = [];
      for (const { page, pages, reclaim, fail, which } of steps) {
        if (fail) rig.fail();
        const handle = handles[which % handles.length];
        if (reclaim && handle !== undefined) {
          if (primary.ask(MEM_RECLAIM, { handle, flags: 0 }).error === "OK") handles.splice(handles.indexOf(handle), 1);
        } else {
          const sgl = [range(0x4700_0000 + page * 0x1000, pages)];
          const made = primary.ask(MEM_LEND, { ...give, acl: [{ vmid, rights: 7 }], sgl });
          if (made.value !== undefined) handles.push(made.value.handle);
        }
        rig.machine.system.hypervisor.faults.clear();
        const { parcels, assigned } = rig.machine.system.rm.state;
        const size = (ranges: readonly { size: number }[]) => ranges.reduce((sum, each) => sum + each.size, 0);
        assert.equal(size(assigned), size(parcels.flatMap(({ regions }) => regions)));
      }
      for (const handle of handles) primary.get(MEM_RECLAIM, { handle, flags: 0 });
      assert.deepEqual(rig.assigned(), []);
    }),
    { numRuns: 20 },
  );
});

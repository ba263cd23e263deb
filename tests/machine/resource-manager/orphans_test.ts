// Parcels whose owner is reset: memory that a VM was donated and lent on
// (docs/spec/resource-manager.md §4.4 does not cover them).

import assert from "node:assert/strict";
import { AcceptFlags, MEM_ACCEPT, MEM_DONATE, MEM_LEND, MEM_RECLAIM, MEM_RELEASE } from "../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_DEALLOCATE, VM_STOP } from "../../../src/machine/abi/rpc/messages/lifecycle.ts";
import { checkInvariants } from "../hypervisor/invariants.ts";
import { guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "./machine.ts";

const PA = 0x4700_0000;
/** The address of memory that is donated to the guest: after its info page. */
const GUEST_IPA = 0x4000_1000;

const accepting = (handle: number, trans_type: number) => ({
  ...{ handle, mem_type: 0, trans_type, flags: AcceptFlags.Done, label: 0, acl: [], attributes: [] },
  sgl: { entries: [], annotation: 0 },
});

/** A guest that owns a page and lends it to another guest. */
function lending(machine: Machine) {
  const { primary } = machine;
  const lender = machine.start(guestTree("lender", [rmRpc()]));
  const borrower = machine.start(guestTree("borrower", [rmRpc()]), HOST_BASE + MEMORY);
  const [owner, other] = [machine.guest(lender.vmid), machine.guest(borrower.vmid)];
  const create = (vmid: number, address: number) => ({
    ...{ mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl: [{ address: BigInt(address), size: 0x1000n }], attributes: [] },
  });
  const donated = primary.get(MEM_DONATE, create(lender.vmid, PA)).handle;
  owner.get(MEM_ACCEPT, accepting(donated, 0));
  const { handle } = owner.get(MEM_LEND, create(borrower.vmid, GUEST_IPA));
  return { lender, borrower, other, handle };
}

function reset(machine: Machine, { vmid, handle }: { vmid: number; handle: number }): void {
  machine.primary.get(VM_STOP, { vmid, flags: 1, reason: 0 });
  machine.reset(vmid);
  machine.primary.get(MEM_RECLAIM, { handle, flags: 0 });
  machine.primary.get(VM_DEALLOCATE, { vmid });
}

Deno.test("a parcel that nobody holds goes with its owner, and a new VM of that VMID has nothing to do with it", () => {
  const machine = new Machine();
  const { lender, other, handle } = lending(machine);
  reset(machine, lender);
  assert.equal(machine.system.rm.state.parcels.some((parcel) => parcel.handle === handle), false);
  assert.equal(other.ask(MEM_ACCEPT, accepting(handle, 1)).error, "HANDLE_INVALID");
  const next = machine.start(guestTree("next", [rmRpc()]));
  assert.equal(next.vmid, lender.vmid);
  assert.equal(machine.guest(next.vmid).ask(MEM_RECLAIM, { handle, flags: 0 }).error, "HANDLE_INVALID");
  checkInvariants(machine.system.hypervisor);
});

Deno.test("who holds a parcel of a VM that is reset keeps it until it releases it, and nobody can reclaim it", () => {
  const machine = new Machine();
  const { lender, borrower, other, handle } = lending(machine);
  other.get(MEM_ACCEPT, accepting(handle, 1));
  const guest = machine.system.guest(borrower.vmid);
  assert.ok(guest.write(GUEST_IPA, Uint8Array.of(7)));
  reset(machine, lender);
  const next = machine.start(guestTree("next", [rmRpc()]));
  assert.equal(machine.guest(next.vmid).ask(MEM_RECLAIM, { handle, flags: 0 }).error, "DENIED");
  assert.deepEqual(guest.read(GUEST_IPA, 1), Uint8Array.of(7));
  other.get(MEM_RELEASE, { handle, flags: 0 });
  assert.equal(guest.read(GUEST_IPA, 1), undefined);
  assert.equal(machine.system.rm.state.parcels.some((parcel) => parcel.handle === handle), false);
  checkInvariants(machine.system.hypervisor);
});

Deno.test("a parcel goes with its owner and its last borrower, in whatever order they are reset", () => {
  const machine = new Machine();
  const before = machine.system.rm.state.parcels.length;
  const { lender, borrower, other, handle } = lending(machine);
  other.get(MEM_ACCEPT, accepting(handle, 1));
  reset(machine, lender);
  reset(machine, borrower);
  assert.equal(machine.system.rm.state.parcels.length, before);
  checkInvariants(machine.system.hypervisor);
});

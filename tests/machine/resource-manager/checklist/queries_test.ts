// Lines 53 to 67 of the checklist (docs/spec/resource-manager.md §14): who a VM is, and what it may
// know of others.

import assert from "node:assert/strict";
import { VM_ALLOCATE } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import {
  VM_GET_CRASH_MSG,
  VM_GET_ID,
  VM_GET_OWNER,
  VM_GET_PEERS,
  VM_GET_STATE,
  VM_GET_VMID,
  VM_HOST_GET_TYPE,
  VM_LOOKUP_GUID,
  VM_LOOKUP_NAME,
  VM_SET_CRASH_MSG,
  VM_SET_STATUS,
} from "../../../../src/machine/abi/rpc/messages/queries.ts";
import { VmState } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import { MEM_LEND } from "../../../../src/machine/abi/rpc/messages/memory.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../../../src/machine/abi/rpc/messages/configuration.ts";
import { VM_START } from "../../../../src/machine/abi/rpc/messages/lifecycle.ts";
import type { Client } from "../client.ts";
import { DT_OFFSET, DT_SIZE, guestTree, HOST_BASE, Machine, MEMORY, rmRpc } from "../machine.ts";

const errorOf = (client: Client, id: number, payload: Uint8Array) => {
  const reply = client.askRaw(id, payload).payload;
  return new DataView(reply.buffer, reply.byteOffset, reply.length).getUint32(0, true);
};
const bytes = (...values: number[]) => Uint8Array.from(values);

function withGuest(): { machine: Machine; guest: Client; vmid: number } {
  const machine = new Machine();
  const { vmid } = machine.start(guestTree("fresh", [rmRpc()]));
  return { machine, guest: machine.guest(vmid), vmid };
}

Deno.test("R53: VM_GET_VMID from the primary returns 3", () => {
  const { machine, guest, vmid } = withGuest();
  assert.deepEqual(machine.primary.get(VM_GET_VMID, {}), { vmid: 3 });
  assert.deepEqual(guest.get(VM_GET_VMID, {}), { vmid });
});

Deno.test("R54: VM_GET_VMID with a payload returns MSG_INVALID", () => {
  assert.equal(errorOf(new Machine().primary, VM_GET_VMID.id, bytes(0, 0, 0, 0)), 4);
});

Deno.test("R55: VM_GET_OWNER from the primary returns 255", () => {
  const { machine, guest } = withGuest();
  assert.deepEqual(machine.primary.get(VM_GET_OWNER, {}), { vmid: 255 });
  assert.deepEqual(guest.get(VM_GET_OWNER, {}), { vmid: 3 });
});

Deno.test("R56: VM_GET_PEERS counts the primary for a fresh guest", () => {
  const { guest } = withGuest();
  assert.deepEqual(guest.get(VM_GET_PEERS, {}), { peers: [{ vmid: 3 }] });
});

Deno.test("R57: VM_GET_STATE of 0 describes the caller", () => {
  const { machine, guest } = withGuest();
  const running = { vm_state: VmState.Running, os_state: 0, app_status: 0 };
  assert.deepEqual(guest.get(VM_GET_STATE, { vmid: 0 }), running);
  assert.deepEqual(machine.primary.get(VM_GET_STATE, { vmid: 0 }), running);
});

Deno.test("R58: VM_GET_STATE of a foreign VM returns DENIED, of an unknown id NORESOURCE", () => {
  const { machine, guest } = withGuest();
  const { vmid } = machine.primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(guest.ask(VM_GET_STATE, { vmid }).error, "DENIED");
  assert.equal(guest.ask(VM_GET_STATE, { vmid: 0x99 }).error, "NORESOURCE");
});

Deno.test("R59: VM_GET_ID of a VM in LOAD returns VM_STATE", () => {
  const { primary } = new Machine();
  const { vmid } = primary.get(VM_ALLOCATE, { vmid: 0 });
  assert.equal(primary.ask(VM_GET_ID, { vmid }).error, "VM_STATE");
});

Deno.test("R60: VM_GET_ID of a READY VM starts with a GUID of 16 bytes and ends with a SIGN_AUTH entry", () => {
  const machine = new Machine();
  const { vmid } = machine.ready(guestTree("named", [rmRpc()]));
  const { entries } = machine.primary.get(VM_GET_ID, { vmid });
  const text = (value: string) => new TextEncoder().encode(value);
  assert.deepEqual(entries, [{ type: 0, data: new Uint8Array(16) }, { type: 2, data: text("named") }, { type: 3, data: text("N/A") }]);
});

Deno.test("R61: VM_LOOKUP_NAME of an unpadded length returns MSG_INVALID, of an unknown name OK and none", () => {
  const { machine, vmid } = withGuest();
  const name = (value: string) => ({ text: new TextEncoder().encode(value) });
  assert.equal(errorOf(machine.primary, VM_LOOKUP_NAME.id, bytes(5, 0, 0, 0, 0x66, 0x72, 0x65, 0x73, 0x68)), 4);
  assert.deepEqual(machine.primary.get(VM_LOOKUP_NAME, name("nobody")), { vms: [] });
  assert.deepEqual(machine.primary.get(VM_LOOKUP_NAME, name("fresh")), { vms: [{ vmid }] });
});

Deno.test("R62: VM_LOOKUP_GUID needs exactly 16 bytes", () => {
  const { primary } = new Machine();
  for (const length of [1, 15, 17, 32]) assert.equal(errorOf(primary, VM_LOOKUP_GUID.id, new Uint8Array(length)), 4);
  assert.equal(primary.ask(VM_LOOKUP_GUID, { guid: new Uint8Array(16).fill(7) }).error, "OK");
});

Deno.test("R63: VM_SET_STATUS from a dynamic VM returns DENIED", () => {
  const { machine, guest } = withGuest();
  const status = { vm_status: 0, os_status: 1, app_status: 0 };
  assert.equal(guest.ask(VM_SET_STATUS, status).error, "DENIED");
  assert.equal(machine.primary.ask(VM_SET_STATUS, status).error, "DENIED");
});

Deno.test("R64: VM_SET_STATUS with os_status 8 returns ARGUMENT_INVALID, up to 7 it reaches the peers", () => {
  const machine = new Machine();
  const { primary } = machine;
  const vmid = 5;
  assert.equal(primary.ask(VM_ALLOCATE, { vmid }).error, "OK");
  machine.system.act((vcpu) => vcpu.write(HOST_BASE + DT_OFFSET, guestTree("platform", [rmRpc()])));
  const sgl = [{ address: BigInt(HOST_BASE), size: BigInt(MEMORY) }];
  const { handle } = primary.get(MEM_LEND, { mem_type: 0, flags: 0, label: 0, acl: [{ vmid, rights: 7 }], sgl, attributes: [] });
  const image = { image_offset: 0n, image_size: 0n, dt_offset: BigInt(DT_OFFSET), dt_size: BigInt(DT_SIZE) };
  primary.get(VM_CONFIG_IMAGE, { vmid, auth_type: 0, handle, ...image });
  primary.get(VM_INIT, { vmid });
  primary.get(VM_START, { vmid });
  const guest = machine.guest(vmid);
  assert.equal(guest.ask(VM_SET_STATUS, { vm_status: 0, os_status: 8, app_status: 0 }).error, "ARGUMENT_INVALID");
  primary.receive();
  primary.notifications.length = 0;
  guest.get(VM_SET_STATUS, { vm_status: 9, os_status: 7, app_status: 0x1234 });
  primary.receive();
  assert.deepEqual(primary.notifications, ["VM_STATUS vmid=5 vm_state=3 os_state=7 app_status=0x1234"]);
  guest.get(VM_SET_STATUS, { vm_status: 0, os_status: 0, app_status: 1 });
  assert.deepEqual(guest.get(VM_GET_STATE, { vmid: 0 }), { vm_state: 3, os_state: 7, app_status: 1 });
});

Deno.test("R65: VM_HOST_GET_TYPE returns 0x01000164", () => {
  assert.deepEqual(new Machine().primary.get(VM_HOST_GET_TYPE, {}), { type: 0x0100_0164 });
});

Deno.test("R66: of a crash message of 300 bytes 192 are kept", () => {
  const { machine, guest, vmid } = withGuest();
  const text = Uint8Array.from({ length: 300 }, (_, index) => index);
  guest.get(VM_SET_CRASH_MSG, { text });
  assert.deepEqual(machine.primary.get(VM_GET_CRASH_MSG, { vmid }), { text: text.slice(0, 192) });
});

Deno.test("R67: VM_GET_HYP_CAPIDS, VM_GET_HYP_IRQS, VM_IRQ_UNMAP and IPA_UNRESERVE return UNIMPLEMENTED", () => {
  const { primary } = new Machine();
  for (const id of [0x5600_0021, 0x5600_0022, 0x5600_0055, 0x5600_00b1]) {
    for (const length of [0, 4, 16]) assert.equal(errorOf(primary, id, new Uint8Array(length)), 0xffff_ffff);
  }
});

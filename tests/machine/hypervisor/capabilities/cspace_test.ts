// Capability spaces and the life of objects (docs/spec/hypervisor.md §10, lines 25-52).

import assert from "node:assert/strict";
import { ACTIVATE, allRights, CspaceRight, DoorbellRight } from "../../../../src/machine/abi/rights.ts";
import { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { createTestHypervisor, TestGuest } from "../fixture.ts";

const ALL = 0xffff_ffffn;

function setup() {
  const { machine, options } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  return { hypervisor, guest: new TestGuest(hypervisor) };
}

/** A new active cspace, by capability. */
function newCspace(guest: TestGuest, maximum: bigint): bigint {
  const cap = guest.create("cspace");
  guest.ok("cspace_configure", cap, maximum);
  guest.ok("object_activate", cap);
  return cap;
}

Deno.test("an id that names no slot gives ARGUMENT_INVALID", () => {
  const { guest } = setup();
  for (const id of [0xffff_ffff_ffff_ffffn, 62n, 0xffn, 77n, 230n << 8n, 1n << 32n, 1n << 40n]) {
    assert.equal(guest.error("object_activate", id), "ARGUMENT_INVALID", id.toString(16));
  }
});

Deno.test("the id of an empty slot gives CSPACE_CAP_NULL, also in a table that does not exist", () => {
  const { guest } = setup();
  for (const id of [9n, 61n, 0x100n, 0x4000n]) assert.equal(guest.error("object_activate", id), "CSPACE_CAP_NULL", id.toString(16));
});

Deno.test("after revocation copies give CSPACE_CAP_REVOKED whatever their type, and the master still works", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  guest.ok("object_activate", doorbell);
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, ALL);
  const copyOfCopy = guest.one("cspace_copy_cap_from", 0n, copy, 0n, ALL);
  guest.ok("cspace_revoke_caps_from", 0n, doorbell);
  assert.equal(guest.error("doorbell_send", copy, 1n), "CSPACE_CAP_REVOKED");
  assert.equal(guest.error("msgqueue_flush", copyOfCopy), "CSPACE_CAP_REVOKED");
  assert.equal(guest.error("cspace_copy_cap_from", 0n, copy, 0n, ALL), "CSPACE_CAP_REVOKED");
  assert.equal(guest.one("doorbell_send", doorbell, 1n), 0n);
});

Deno.test("a capability of another type, without the right, or to an object that is not active", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  assert.equal(guest.error("msgqueue_flush", doorbell), "CSPACE_WRONG_OBJECT_TYPE");
  assert.equal(guest.error("doorbell_send", doorbell, 1n), "OBJECT_STATE");
  guest.ok("object_activate", doorbell);
  const receiver = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, BigInt(DoorbellRight.Receive));
  assert.equal(guest.error("doorbell_send", receiver, 1n), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("a call for any type checks the right before anything else", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  const sender = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, BigInt(DoorbellRight.Send));
  assert.equal(guest.error("cspace_configure", sender, 10n), "CSPACE_INSUFFICIENT_RIGHTS");
  assert.equal(guest.error("cspace_configure", doorbell, 10n), "CSPACE_WRONG_OBJECT_TYPE");
});

Deno.test("an id of one cspace means nothing in another", () => {
  const { hypervisor, guest } = setup();
  const other = new TestGuest(hypervisor);
  const doorbell = guest.create("doorbell");
  assert.equal(other.error("object_activate", doorbell), "CSPACE_CAP_NULL");
});

Deno.test("creation into a full cspace gives CSPACE_FULL and leaks nothing", () => {
  const { hypervisor, guest } = setup();
  const cspace = newCspace(guest, 2n);
  guest.ok("partition_create_doorbell", 1n, cspace);
  guest.ok("partition_create_doorbell", 1n, cspace);
  const used = hypervisor.rootPartition.heapUsed;
  assert.equal(guest.error("partition_create_doorbell", 1n, cspace), "CSPACE_FULL");
  assert.equal(hypervisor.rootPartition.heapUsed, used);
});

Deno.test("a fresh capability has all rights of its type and is the master; copies of copies are not masters", () => {
  const { guest } = setup();
  const vic = guest.create("vic");
  const [, master] = [...guest.cspace.capabilities()].find(([id]) => BigInt(id) === vic)!;
  assert.equal(master.rights, allRights("vic"));
  assert.equal(master.rights, 0x8000_0007);
  assert.ok(master.master);
  const copy = guest.one("cspace_copy_cap_from", 0n, vic, 0n, ALL);
  const second = guest.one("cspace_copy_cap_from", 0n, copy, 0n, ALL);
  assert.equal(guest.error("cspace_revoke_caps_from", 0n, second), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("an object is activated once, with the right to activate", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, 0x7fff_ffffn);
  assert.equal(guest.error("object_activate", copy), "CSPACE_INSUFFICIENT_RIGHTS");
  guest.ok("object_activate", doorbell);
  assert.equal(guest.error("object_activate", doorbell), "OBJECT_STATE");
});

Deno.test("a cspace of 0 capabilities can be configured, fails to activate, and never can again", () => {
  const { guest } = setup();
  const cspace = guest.create("cspace");
  guest.ok("cspace_configure", cspace, 0n);
  assert.equal(guest.error("object_activate", cspace), "OBJECT_CONFIG");
  assert.equal(guest.error("object_activate", cspace), "OBJECT_STATE");
  assert.equal(guest.error("cspace_configure", cspace, 10n), "OBJECT_STATE");
});

Deno.test("cspace_configure refuses more than the tables hold", () => {
  const { guest } = setup();
  const cspace = guest.create("cspace");
  assert.equal(guest.error("cspace_configure", cspace, 62n * 230n + 1n), "ARGUMENT_INVALID");
  guest.ok("cspace_configure", cspace, 62n * 230n);
});

Deno.test("object_activate_from needs cap_create on the cspace", () => {
  const { guest } = setup();
  const cspace = newCspace(guest, 10n);
  const doorbell = guest.one("partition_create_doorbell", 1n, cspace);
  const deleter = guest.one("cspace_copy_cap_from", 0n, cspace, 0n, BigInt(CspaceRight.CapDelete));
  assert.equal(guest.error("object_activate_from", deleter, doorbell), "CSPACE_INSUFFICIENT_RIGHTS");
  guest.ok("object_activate_from", cspace, doorbell);
  assert.equal(guest.error("object_activate_from", cspace, 9n), "CSPACE_CAP_NULL");
});

Deno.test("object_reset, object_reset_from and cspace_revoke_cap_from are unimplemented whatever their arguments", () => {
  const { guest } = setup();
  for (const number of [0x0e, 0x0f, 0x24]) {
    assert.deepEqual(guest.raw(number, [0n, 0n, 0n]), [0xffff_ffffn, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  }
});

Deno.test("a copy has the rights that its parent has and the mask names; without any it is refused", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  assert.equal(guest.error("cspace_copy_cap_from", 0n, doorbell, 0n, 0n), "CSPACE_INSUFFICIENT_RIGHTS");
  assert.equal(guest.error("cspace_copy_cap_from", 0n, doorbell, 0n, 0x10n), "CSPACE_INSUFFICIENT_RIGHTS");
  const sender = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, BigInt(DoorbellRight.Send | 0x10));
  const again = guest.one("cspace_copy_cap_from", 0n, sender, 0n, ALL);
  const [, capability] = [...guest.cspace.capabilities()].find(([id]) => BigInt(id) === again)!;
  assert.equal(capability.rights, DoorbellRight.Send);
});

Deno.test("only the master revokes copies", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, ALL);
  assert.equal(guest.error("cspace_revoke_caps_from", 0n, copy), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("a revoked slot stays until it is deleted; deleting an empty one gives CSPACE_CAP_NULL", () => {
  const { guest } = setup();
  const doorbell = guest.create("doorbell");
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, ALL);
  guest.ok("cspace_revoke_caps_from", 0n, doorbell);
  assert.notEqual(guest.create("doorbell"), copy);
  guest.ok("cspace_delete_cap_from", 0n, copy);
  assert.equal(guest.error("doorbell_send", copy, 1n), "CSPACE_CAP_NULL");
  assert.equal(guest.error("cspace_delete_cap_from", 0n, copy), "CSPACE_CAP_NULL");
});

Deno.test("copies outlive the master; the object goes with the last capability", () => {
  const { hypervisor, guest } = setup();
  const before = hypervisor.rootPartition.heapUsed;
  const doorbell = guest.create("doorbell");
  guest.ok("object_activate", doorbell);
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, ALL);
  guest.ok("cspace_delete_cap_from", 0n, doorbell);
  assert.equal(guest.one("doorbell_send", copy, 4n), 0n);
  assert.ok(hypervisor.rootPartition.heapUsed > before);
  guest.ok("cspace_delete_cap_from", 0n, copy);
  assert.equal(hypervisor.rootPartition.heapUsed, before);
});

Deno.test("a cspace that goes drops its capabilities, and their objects with them", () => {
  const { hypervisor, guest } = setup();
  const before = hypervisor.rootPartition.heapUsed;
  const cspace = newCspace(guest, 100n);
  for (let i = 0; i < 70; i++) guest.ok("partition_create_doorbell", 1n, cspace);
  guest.ok("cspace_delete_cap_from", 0n, cspace);
  assert.equal(hypervisor.rootPartition.heapUsed, before);
});

Deno.test("slots are filled from the lowest, 62 to a table", () => {
  const { guest } = setup();
  const cspace = newCspace(guest, 200n);
  const ids = Array.from({ length: 64 }, () => guest.one("partition_create_doorbell", 1n, cspace));
  assert.deepEqual(ids.slice(60), [60n, 61n, 0x100n, 0x101n]);
  guest.ok("cspace_delete_cap_from", cspace, 5n);
  assert.equal(guest.one("partition_create_doorbell", 1n, cspace), 5n);
  assert.equal(guest.one("partition_create_doorbell", 1n, cspace), 0x102n);
});

Deno.test("a thread is attached to a cspace while it can be configured", () => {
  const { hypervisor, guest } = setup();
  const thread = guest.create("thread");
  const first = newCspace(guest, 10n);
  const second = newCspace(guest, 10n);
  guest.ok("cspace_attach_thread", first, thread);
  guest.ok("cspace_attach_thread", second, thread);
  assert.equal(guest.error("cspace_attach_thread", thread, thread), "CSPACE_WRONG_OBJECT_TYPE");
  const used = hypervisor.rootPartition.heapUsed;
  guest.ok("cspace_delete_cap_from", 0n, first);
  assert.equal(hypervisor.rootPartition.heapUsed, used - Cspace.SIZE, "the first attachment has ended");
  guest.ok("cspace_delete_cap_from", 0n, second);
  assert.equal(hypervisor.rootPartition.heapUsed, used - Cspace.SIZE, "the second one holds the cspace");
  assert.equal(guest.error("object_activate", thread), "OBJECT_CONFIG");
  const third = newCspace(guest, 10n);
  assert.equal(guest.error("cspace_attach_thread", third, thread), "OBJECT_STATE");
});

Deno.test("a heap that is exhausted gives NOMEM", () => {
  const { hypervisor, guest } = setup();
  const { rootPartition } = hypervisor;
  assert.ok(rootPartition.allocate(rootPartition.heapSize - rootPartition.heapUsed - 10));
  assert.equal(guest.error("partition_create_vic", 1n, 0n), "NOMEM");
});

Deno.test("a refusal records the rule, the call and the values", () => {
  const { hypervisor, guest } = setup();
  const doorbell = guest.create("doorbell");
  const copy = guest.one("cspace_copy_cap_from", 0n, doorbell, 0n, BigInt(DoorbellRight.Send));
  guest.error("object_activate", copy);
  const reason = hypervisor.trace.reasons.last!;
  assert.equal(reason.section, "hypervisor 3.3");
  assert.deepEqual(reason.chain.map(({ name, result }) => [name, result.name]), [["object_activate", "CSPACE_INSUFFICIENT_RIGHTS"]]);
  assert.equal(reason.rule, "the capability lacks a right");
  assert.equal(reason.values.has, "Send");
  assert.equal(reason.values.needs, "Activate");
  assert.equal(reason.askedBy, hypervisor.names.vcpu(guest.vcpu));
});

Deno.test("all rights of the types are the recorded masks", () => {
  assert.equal(allRights("thread"), 0x8000_03ff);
  assert.equal(allRights("cspace"), 0x8000_001f);
  assert.equal(allRights("memextent"), 0x8000_001f);
  assert.equal(allRights("addrspace"), 0x8000_000f);
  assert.equal(allRights("hwirq"), 0x8000_0002);
  assert.equal(ACTIVATE, 0x8000_0000);
});

Deno.test("a capability knows the last call that looked it up and its answer, as long as that is remembered", () => {
  const { guest, hypervisor } = setup();
  const doorbell = guest.create("doorbell");
  const capability = guest.cspace.occupant(Number(doorbell))!;
  const use = () => hypervisor.capabilityUses.of(capability.lastCall);
  assert.equal(use(), undefined, "it was made, not looked up");
  guest.error("msgqueue_flush", doorbell);
  assert.deepEqual(use(), { call: "msgqueue_flush", time: 0, error: 52 });
  guest.ok("object_activate", doorbell);
  assert.deepEqual(use(), { call: "object_activate", time: 0, error: 0 });
  for (let count = 0; count < 20_000; count++) guest.raw(0x00, []);
  assert.equal(use(), undefined, "too long ago");
});

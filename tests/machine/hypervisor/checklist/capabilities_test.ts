// Checklist of the specification (docs/spec/hypervisor.md §10), lines 25 to 52: capabilities and
// the life of objects.

import assert from "node:assert/strict";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { ACTIVATE, allRights, CspaceRight, DoorbellRight, PartitionRight } from "../../../../src/machine/abi/rights.ts";
import type { Cspace } from "../../../../src/machine/hypervisor/capabilities/cspace.ts";
import type { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { NEVER } from "../errors/recipes.ts";
import { Rig } from "./rig.ts";

const ALL = 0xffff_ffffn;
const CREATING = Object.keys(HYPERCALLS).filter((name) => name.startsWith("partition_create_") && !NEVER.has(name as HypercallName));

Deno.test("H25: the id -1 names no capability, whatever the call", () => {
  const w = new Rig();
  for (const name of ["doorbell_send", "msgqueue_flush", "object_activate", "vcpu_kill"] as const) {
    const [argument] = Object.keys(HYPERCALLS[name].arguments);
    assert.ok(["ARGUMENT_INVALID", "CSPACE_CAP_NULL"].includes(w.error(name, { [argument]: 0xffff_ffff_ffff_ffffn })), name);
  }
});

Deno.test("H26: an id that cannot be decoded gives ARGUMENT_INVALID", () => {
  const w = new Rig();
  for (const doorbell of [62n, 0xffn, 1n << 16n, 1n << 32n, 1n << 63n]) {
    assert.equal(w.error("doorbell_send", { doorbell }), "ARGUMENT_INVALID", doorbell.toString(16));
  }
});

Deno.test("H27: the id of an empty slot gives CSPACE_CAP_NULL", () => {
  assert.equal(new Rig().error("doorbell_send", { doorbell: 61n }), "CSPACE_CAP_NULL");
});

Deno.test("H28: a revoked slot gives CSPACE_CAP_REVOKED even where the type is wrong", () => {
  const w = new Rig();
  assert.equal(w.error("msgqueue_flush", { msgqueue: w.revoked() }), "CSPACE_CAP_REVOKED");
});

Deno.test("H29: a doorbell is not a message queue", () => {
  const w = new Rig();
  assert.equal(w.error("msgqueue_send", { msgqueue: w.active("doorbell") }), "CSPACE_WRONG_OBJECT_TYPE");
});

Deno.test("H30: who may only receive cannot send", () => {
  const w = new Rig();
  const receiver = w.copy(w.active("doorbell"), DoorbellRight.Receive);
  assert.equal(w.error("doorbell_send", { doorbell: receiver }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H31: a doorbell in state INIT cannot be rung", () => {
  const w = new Rig();
  assert.equal(w.error("doorbell_send", { doorbell: w.fresh("doorbell") }), "OBJECT_STATE");
});

Deno.test("H32: ids of one cspace mean nothing, or something else, in another", () => {
  const w = new Rig();
  const doorbell = w.active("doorbell");
  const other = w.get<Cspace>(w.active("cspace"));
  const found = other.lookup(doorbell, { type: "doorbell", rights: 0, untyped: false, state: "any" });
  assert.notEqual(found, w.get(doorbell));
});

Deno.test("H33: partition_create_partition is not implemented and gives -1 for a capability", () => {
  const w = new Rig();
  const { error, results } = w.call("partition_create_partition", { src_partition: w.partition, cspace: w.self });
  assert.deepEqual([error, results[0]], [-1, 0xffff_ffff_ffff_ffffn]);
});

Deno.test("H34: creating needs the right to create in the partition", () => {
  const w = new Rig();
  const src_partition = w.copy(w.partition, PartitionRight.Donate);
  assert.equal(w.error("partition_create_doorbell", { src_partition, cspace: w.self }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H35: creating into a full cspace gives CSPACE_FULL and keeps nothing", () => {
  const w = new Rig();
  const cspace = w.active("cspace");
  while (typeof w.get<Cspace>(cspace).insertCopy(w.cspace, w.self, 1) === "bigint");
  for (const name of CREATING as HypercallName[]) {
    const before = w.dump();
    assert.equal(w.error(name, { src_partition: w.partition, cspace }), "CSPACE_FULL", name);
    const { random: _, ...rest } = w.dump();
    const { random: __, ...was } = before;
    assert.deepEqual(rest, was, name);
  }
});

Deno.test("H36: a new capability has all rights of its type", () => {
  const w = new Rig();
  for (const name of CREATING as HypercallName[]) {
    const id = w.ok(name, { src_partition: w.partition, cspace: w.self })[0];
    const { type, holders } = w.get(id);
    assert.deepEqual([holders[0].rights, holders[0].master], [allRights(type), true], name);
  }
});

Deno.test("H37: an object is activated once", () => {
  const w = new Rig();
  const cap = w.fresh("doorbell");
  assert.equal(w.error("object_activate", { cap }), "OK");
  assert.equal(w.error("object_activate", { cap }), "OBJECT_STATE");
});

Deno.test("H38: activation needs its right", () => {
  const w = new Rig();
  const cap = w.copy(w.fresh("doorbell"), allRights("doorbell") & ~ACTIVATE);
  assert.equal(w.error("object_activate", { cap }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H39: a failed activation is for good", () => {
  const w = new Rig();
  const cap = w.fresh("cspace");
  assert.equal(w.error("object_activate", { cap }), "OBJECT_CONFIG");
  assert.equal(w.error("cspace_configure", { cspace: cap, max_caps: 8n }), "OBJECT_STATE");
  assert.equal(w.error("object_activate", { cap }), "OBJECT_STATE");
});

Deno.test("H40: object_activate_from needs the right to create capabilities in the cspace", () => {
  const w = new Rig();
  const cap = w.fresh("doorbell");
  const without = w.copy(w.self, allRights("cspace") & ~CspaceRight.CapCreate);
  assert.equal(w.error("object_activate_from", { cspace: without, cap }), "CSPACE_INSUFFICIENT_RIGHTS");
  assert.equal(w.error("object_activate_from", { cspace: w.copy(w.self, CspaceRight.CapCreate), cap }), "OK");
});

Deno.test("H41: object_reset and object_reset_from are not implemented", () => {
  const w = new Rig();
  assert.equal(w.error("object_reset", { cap: w.active("doorbell") }), "UNIMPLEMENTED");
  assert.equal(w.error("object_reset_from", { cspace: w.self, cap: w.active("doorbell") }), "UNIMPLEMENTED");
});

Deno.test("H42: a copy without rights is refused", () => {
  const w = new Rig();
  const args = { src_cspace: w.self, src_cap: w.active("doorbell"), dest_cspace: w.self };
  assert.equal(w.error("cspace_copy_cap_from", { ...args, rights_mask: 0n }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H43: a copy has no right that its parent lacks", () => {
  const w = new Rig();
  const parent = w.copy(w.active("doorbell"), DoorbellRight.Send);
  const [copy] = w.ok("cspace_copy_cap_from", { src_cspace: w.self, src_cap: parent, dest_cspace: w.self, rights_mask: ALL });
  assert.equal(w.error("doorbell_send", { doorbell: copy }), "OK");
  assert.equal(w.error("doorbell_reset", { doorbell: copy }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H44: copies of copies are not masters", () => {
  const w = new Rig();
  const copy = w.copy(w.copy(w.active("doorbell"), 0xffff_ffff), 0xffff_ffff);
  assert.equal(w.error("cspace_revoke_caps_from", { src_cspace: w.self, master_cap: copy }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H45: cspace_revoke_cap_from is not implemented", () => {
  const w = new Rig();
  assert.equal(w.error("cspace_revoke_cap_from", { src_cspace: w.self, src_cap: w.active("doorbell") }), "UNIMPLEMENTED");
});

Deno.test("H46: only the master revokes", () => {
  const w = new Rig();
  const copy = w.copy(w.active("doorbell"), 0xffff_ffff);
  assert.equal(w.error("cspace_revoke_caps_from", { src_cspace: w.self, master_cap: copy }), "CSPACE_INSUFFICIENT_RIGHTS");
});

Deno.test("H47: after revocation every copy is revoked and the master works", () => {
  const w = new Rig();
  const master = w.active("doorbell");
  const copies = [w.copy(master, 0xffff_ffff), w.copy(master, DoorbellRight.Send)];
  copies.push(w.copy(copies[0], DoorbellRight.Send));
  w.ok("cspace_revoke_caps_from", { src_cspace: w.self, master_cap: master });
  for (const doorbell of copies) assert.equal(w.error("doorbell_send", { doorbell }), "CSPACE_CAP_REVOKED");
  assert.equal(w.error("doorbell_send", { doorbell: master }), "OK");
});

Deno.test("H48: a revoked slot is freed by deleting it", () => {
  const w = new Rig();
  const cap = w.revoked();
  assert.equal(w.error("cspace_delete_cap_from", { cspace: w.self, cap }), "OK");
  assert.equal(w.error("doorbell_send", { doorbell: cap }), "CSPACE_CAP_NULL");
});

Deno.test("H49: an empty slot cannot be deleted", () => {
  const w = new Rig();
  assert.equal(w.error("cspace_delete_cap_from", { cspace: w.self, cap: 61n }), "CSPACE_CAP_NULL");
});

Deno.test("H50: copies outlive the master", () => {
  const w = new Rig();
  const master = w.active("doorbell");
  const doorbell = w.copy(master, 0xffff_ffff);
  w.ok("cspace_delete_cap_from", { cspace: w.self, cap: master });
  assert.equal(w.error("doorbell_send", { doorbell }), "OK");
});

Deno.test("H51: a cspace for no capabilities can be configured and not activated", () => {
  const w = new Rig();
  const cspace = w.fresh("cspace");
  assert.equal(w.error("cspace_configure", { cspace, max_caps: 0n }), "OK");
  assert.equal(w.error("object_activate", { cap: cspace }), "OBJECT_CONFIG");
});

Deno.test("H52: an active thread stays with its cspace", () => {
  const w = new Rig();
  assert.equal(w.error("cspace_attach_thread", { cspace: w.active("cspace"), thread: w.me }), "OBJECT_STATE");
  assert.equal(w.get<Vcpu>(w.me).attachments.cspace, w.cspace);
});

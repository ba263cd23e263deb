// What people do to VMs that are gone, and who asked for what was refused.

import assert from "node:assert/strict";
import { RmError, rmErrorName } from "../../src/abi/rpc/errors.ts";
import { encodeRequest } from "../../src/abi/rpc/message.ts";
import { VM_CONFIG_IMAGE, VM_INIT } from "../../src/abi/rpc/messages/configuration.ts";
import { VM_ALLOCATE, VM_RESET, VM_START } from "../../src/abi/rpc/messages/lifecycle.ts";
import { MEM_LEND } from "../../src/abi/rpc/messages/memory.ts";
import type { GuestSystem } from "../../src/assembly/guest-system.ts";
import { demoSystem, rows, runUntil } from "./system.ts";

const BYTES = new TextEncoder().encode("o");

Deno.test("what is typed into a VM that was killed reaches nobody, and the others go on", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  assert.equal(rows(system, "vm.ls", { filter: "id=vm:ping" })[0].input_refused, null);
  system.inspector.act({ kind: "vm.stop", vm: "ping", force: true });
  // The host has not heard of either yet.
  system.consoles.type("ping", BYTES);
  runUntil(system, 6e8);
  const [ping] = rows(system, "vm.ls", { filter: "id=vm:ping" });
  assert.equal(ping.input_refused, "con:ping: the VM has stopped; el2 vm start ping starts it anew");
  system.consoles.type("ping", BYTES);
  assert.equal(system.inspector.act({ kind: "console.break", console: "ping" }), ping.input_refused);
  system.inspector.act({ kind: "vm.start", vm: "ping" });
  system.consoles.type("ping", BYTES);
  runUntil(system, 2e9);
  assert.equal(system.ended(), undefined);
  assert.equal(rows(system, "vm.ls", { filter: "id=vm:pong" })[0].state, "running");
});

/** Sends a request in the host's name and lets the resource manager answer. */
function send(system: GuestSystem, id: number, payload: Uint8Array): void {
  assert.equal(system.inspector.act({ kind: "rpc.send", id, payload }), undefined);
  runUntil(system, system.machine.time + 20e6);
}

/** 2 MiB of the host's memory lent to VMID 0x83. */
const LENT = Uint8Array.fromHex("00000000070000000100000083000700010000000000004200000000000020000000000000000000");

Deno.test("after a reset of a VM whose INIT failed, refusals of requests are their own, and the host's", async () => {
  const system = await demoSystem();
  runUntil(system, 5e8);
  send(system, VM_ALLOCATE.id, encodeRequest(VM_ALLOCATE, { vmid: 0 }));
  send(system, MEM_LEND.id, LENT);
  const image = { auth_type: 0, image_offset: 0n, image_size: 0n, dt_offset: 0x10_0000n, dt_size: 0x4000n };
  send(system, VM_CONFIG_IMAGE.id, encodeRequest(VM_CONFIG_IMAGE, { vmid: 0x83, handle: 3, ...image }));
  send(system, VM_INIT.id, encodeRequest(VM_INIT, { vmid: 0x83 }));
  const last = () => rows(system, "why", { limit: 1 })[0];
  assert.deepEqual([last().call, last().asked_by, last().vm], ["VM_INIT", "vm:host", "vm:host"]);
  send(system, VM_RESET.id, encodeRequest(VM_RESET, { vmid: 0x83 }));
  assert.equal(last().call, "VM_INIT", "the reset was not refused");
  send(system, VM_START.id, encodeRequest(VM_START, { vmid: 99 }));
  assert.deepEqual([last().call, last().err, last().failed], ["VM_START", rmErrorName(RmError.VMID_INVALID), true]);
  assert.equal((last().chain as unknown[]).length, 1);
  assert.equal(rows(system, "why", { filter: "vm=host", limit: 1 })[0].id, last().id);
});

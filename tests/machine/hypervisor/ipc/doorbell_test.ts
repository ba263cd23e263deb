// Doorbells through their hypercalls (docs/spec/hypervisor.md §4.2).

import assert from "node:assert/strict";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { Caller } from "../caller.ts";

function doorbell() {
  const caller = new Caller();
  const bell = caller.machine.create(Doorbell);
  bell.activate();
  const cap = caller.grant(bell);
  assert.equal(caller.error("doorbell_bind_virq", cap, caller.vic, 40n), "OK");
  return { caller, cap };
}

Deno.test("a doorbell keeps flags; a level vIRQ rings once for flags that are acknowledged automatically", () => {
  const { caller, cap } = doorbell();
  assert.equal(caller.error("doorbell_receive", cap, 0n), "ARGUMENT_INVALID");
  assert.equal(caller.error("doorbell_mask", cap, 3n, 1n), "OK");
  assert.deepEqual(caller.call("doorbell_send", cap, 4n), ["OK", 0n]);
  assert.ok(!caller.isPending(40), "a disabled flag raises no level vIRQ");
  assert.deepEqual(caller.call("doorbell_send", cap, 1n), ["OK", 4n]);
  assert.equal(caller.take(), 40);
  assert.ok(!caller.isPending(40));
  assert.deepEqual(caller.call("doorbell_receive", cap, 0xfn), ["OK", 4n]);
});

Deno.test("a level vIRQ stays until the enabled flags are taken", () => {
  const { caller, cap } = doorbell();
  caller.call("doorbell_send", cap, 2n);
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 40);
  caller.call("doorbell_receive", cap, 2n);
  assert.equal(caller.take(), 40, "the line drops at the next check");
  assert.equal(caller.take(), 1023);
});

Deno.test("an edge vIRQ sees every send, enabled or not", () => {
  const { caller, cap } = doorbell();
  caller.setEdge(40, true);
  caller.call("doorbell_mask", cap, 0n, 0n);
  caller.call("doorbell_send", cap, 1n);
  assert.equal(caller.take(), 40);
  caller.call("doorbell_send", cap, 0n);
  assert.equal(caller.take(), 40);
  assert.equal(caller.take(), 1023);
});

Deno.test("masks raise and lower the vIRQ; reset clears flags and masks", () => {
  const { caller, cap } = doorbell();
  caller.call("doorbell_mask", cap, 0n, 0n);
  caller.call("doorbell_send", cap, 8n);
  assert.ok(!caller.isPending(40));
  caller.call("doorbell_mask", cap, 8n, 0n);
  assert.ok(caller.isPending(40));
  caller.call("doorbell_mask", cap, 0n, 0n);
  assert.ok(!caller.isPending(40));
  assert.equal(caller.error("doorbell_reset", cap), "OK");
  assert.deepEqual(caller.call("doorbell_send", cap, 1n), ["OK", 0n]);
  assert.ok(caller.isPending(40));
});

Deno.test("a source is bound once, to a shared vIRQ that no other has", () => {
  const { caller, cap } = doorbell();
  const other = caller.machine.create(Doorbell);
  other.activate();
  const second = caller.grant(other);
  assert.equal(caller.error("doorbell_bind_virq", cap, caller.vic, 41n), "VIRQ_BOUND");
  assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, 40n), "BUSY");
  for (const virq of [0n, 31n, 32n + 64n, 1020n, 0xffff_ffffn]) {
    assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, virq), "ARGUMENT_INVALID");
  }
  assert.equal(
    caller.error("doorbell_bind_virq", second, caller.vic, 0xabcd_0000_0000n | 50n),
    "OK",
    "24: the upper half is not looked at",
  );
  assert.equal(caller.error("doorbell_unbind_virq", second), "OK");
  assert.equal(caller.error("doorbell_unbind_virq", second), "OK");
  caller.call("doorbell_send", cap, 1n);
  assert.equal(caller.error("doorbell_unbind_virq", cap), "OK");
  assert.ok(!caller.isPending(40), "an unbound source holds no line");
  assert.equal(caller.error("doorbell_bind_virq", second, caller.vic, 40n), "OK");
});

// The hypercall table: decoding, reserved arguments, results (docs/spec/hypervisor.md §1, §10 lines
// 4, 10, 19-26).

import assert from "node:assert/strict";
import { HYPERCALL_COUNT, hypercallName, HYPERCALLS, RECORDED_HYPERCALL_COUNT } from "../../../../src/machine/abi/hypercalls.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import { HypercallTable } from "../../../../src/machine/hypervisor/calls/hypercalls.ts";
import { DEFINITIONS } from "../../../../src/machine/hypervisor/calls/hypercall-list.ts";
import { Hypervisor } from "../../../../src/machine/hypervisor/hypervisor.ts";
import { createTestHypervisor, TestGuest } from "../fixture.ts";
import { callBy, nativeCall } from "../native-call.ts";

function setup() {
  const { machine, options } = createTestHypervisor();
  const hypervisor = new Hypervisor(machine, options);
  return { machine, hypervisor, guest: new TestGuest(hypervisor) };
}

Deno.test("the ABI has 93 numbered calls and 12 holes, the newer drop 8 calls more", () => {
  const recorded = Object.values(HYPERCALLS).filter(({ number }) => number < RECORDED_HYPERCALL_COUNT);
  assert.deepEqual([recorded.length, Object.keys(HYPERCALLS).length], [93, 101]);
  const holes = Array.from({ length: HYPERCALL_COUNT }, (_, n) => n).filter((n) => !hypercallName(n));
  assert.deepEqual(holes.filter((n) => n < RECORDED_HYPERCALL_COUNT), [
    ...[0x08, 0x16, 0x1e, 0x33, 0x35, 0x36, 0x37, 0x40, 0x41, 0x42, 0x58, 0x63],
  ]);
  assert.deepEqual(holes.filter((n) => n >= RECORDED_HYPERCALL_COUNT), [0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x76]);
});

Deno.test("the recorded build has no calls of the newer drop, by neither entrance", () => {
  const { machine, options } = createTestHypervisor();
  const newer = new Hypervisor(machine, { ...options, behaviour: { abi: "newer" } });
  const calls = Object.values(HYPERCALLS).filter(({ number }) => number >= RECORDED_HYPERCALL_COUNT);
  assert.equal(calls.length, 8);
  for (const { number } of calls) {
    for (const entrance of ["native", "smccc"] as const) {
      const { guest, hypervisor } = setup();
      assert.equal(callBy(entrance, hypervisor.hypercalls, guest.vcpu, number, []), undefined);
      assert.notEqual(callBy(entrance, newer.hypercalls, new TestGuest(newer).vcpu, number, []), undefined);
    }
  }
});

Deno.test("numbers that are not assigned have no answer of the table, nor has partition_create_watchdog", () => {
  const { guest, hypervisor } = setup();
  for (const number of [0x08, 0x16, 0x1e, 0x09, 0x63, 0x69, 0x1000]) {
    assert.equal(nativeCall(hypervisor.hypercalls, guest.vcpu, number, []), undefined, number.toString(16));
  }
});

Deno.test("every call but partition_create_watchdog is defined", () => {
  const defined = new Set(DEFINITIONS.map((definition) => definition.name));
  const missing = Object.keys(HYPERCALLS).filter((name) => !defined.has(name as keyof typeof HYPERCALLS));
  assert.deepEqual(missing, ["partition_create_watchdog"]);
});

Deno.test("capability arguments that a definition looks up are capability arguments of the call", () => {
  for (const { name, caps } of DEFINITIONS) {
    const kinds: Record<string, string> = HYPERCALLS[name].arguments;
    for (const [argument] of caps) assert.equal(kinds[argument], "cap", `${name} ${argument}`);
  }
});

Deno.test("a call cannot be defined twice", () => {
  assert.throws(() => new HypercallTable([DEFINITIONS[0], DEFINITIONS[0]]), /defined twice/);
});

Deno.test("reserved arguments are checked before capabilities by the native entrance, and not by the SMCCC wrapper", () => {
  const { guest } = setup();
  const invalid = [1n, 0n, 0n, 0n, 0n, 0n, 0n, 0n];
  for (const reserved of [1n, 1n << 32n, 0xffff_ffff_ffff_ffffn]) {
    assert.deepEqual(guest.raw(0x12, [9n, 0n, reserved]), invalid);
  }
  const doorbell = guest.create("doorbell");
  guest.ok("object_activate", doorbell);
  assert.deepEqual(guest.raw(0x12, [doorbell, 1n, 1n], "smccc"), [0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
});

Deno.test("arguments that must be all ones", () => {
  const { guest } = setup();
  assert.equal(guest.raw(0x1f, [9n, 0n, 0xffff_ffffn, 0n])[0], 1n);
  assert.equal(guest.raw(0x3d, [9n, 0n, 0xffff_ffffn])[0], 1n);
  assert.equal(guest.raw(0x3d, [9n, 0n, 0xffff_ffff_ffff_ffffn])[0], 50n);
});

Deno.test("bits above the width of an argument are ignored", () => {
  const { guest } = setup();
  const cspace = guest.create("cspace");
  guest.ok("cspace_configure", cspace, 0xabcd_0000_0000_0005n);
  const addrspace = guest.create("addrspace");
  guest.ok("addrspace_configure", addrspace, 0x5555_0007n);
});

Deno.test("results that a call does not define are zero, data results of an error as well", () => {
  const { guest } = setup();
  assert.deepEqual(guest.raw(0x02, [0x4000n, 0n, 0n]), [50n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
});

Deno.test("a negative error has 32 bits from the native entrance and 64 from the wrapper", () => {
  const { guest } = setup();
  assert.equal(guest.raw(0x0e, [])[0], 0xffff_ffffn);
  assert.equal(guest.raw(0x0e, [], "smccc")[0], 0xffff_ffff_ffff_ffffn);
});

Deno.test("the wrapper learns how many results there are", () => {
  const { guest, hypervisor } = setup();
  const results = hypervisor.hypercalls.dispatch(guest.vcpu, HYPERCALLS.hypervisor_identify.number, []);
  assert.ok(results !== undefined && results !== DEFERRED);
  assert.equal(results.count, 4);
  assert.deepEqual(results.values.slice(0, 4), [0x5100_0000_0000_8001n, 0x1000_0effn, 0n, 0n]);
});

Deno.test("a call that is not built makes its checks, then stops the machine and names itself", () => {
  const { machine, hypervisor, guest } = setup();
  const identify = DEFINITIONS.find((one) => one.name === "hypervisor_identify")!;
  const table = new HypercallTable([{ ...DEFINITIONS.find((one) => one.name === "doorbell_reset")!, handler: undefined }, identify]);
  const refused = nativeCall(table, guest.vcpu, HYPERCALLS.doorbell_reset.number, [9n]);
  assert.ok(typeof refused === "object" && refused.values[0] === 50n);
  assert.equal(machine.stopReason, undefined);
  const doorbell = guest.create("doorbell");
  guest.ok("object_activate", doorbell);
  assert.equal(nativeCall(table, guest.vcpu, HYPERCALLS.doorbell_reset.number, [doorbell]), DEFERRED);
  assert.match(JSON.stringify(machine.stopReason), /doorbell_reset \(0x14\) by thread#\d+ is not built yet/);
  assert.equal(hypervisor.machine.stopReason?.kind, "crash");
});

// vCPUs: activation, options, power, registers, attachment (docs/spec/hypervisor.md §3.6, §4.9,
// §5.6; section 10 lines 86 to 89, 133 to 146).

import assert from "node:assert/strict";
import { ErrorCode, errorName } from "../../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { CPU_INVALID, VcpuOption } from "../../../../src/machine/abi/words.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import type { HypervisorObject } from "../../../../src/machine/hypervisor/capabilities/object.ts";
import { Partition } from "../../../../src/machine/hypervisor/memory/partition.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { RandomGenerator } from "../../../../src/machine/hypervisor/random/random-generator.ts";
import { EntropyBudget } from "../../../../src/machine/hypervisor/random/entropy-budget.ts";
import { RESET_PSTATE, ScriptedMachine, ScriptedVm } from "../scripted.ts";
import { nativeCall } from "../native-call.ts";

function setup(cpus = 2) {
  const machine = new ScriptedMachine(cpus);
  const vm = new ScriptedVm(machine, 3, [function* () {}], { group: "aggregated" });
  const error = (name: HypercallName, ...args: (bigint | number)[]): string => {
    const kinds = Object.values(HYPERCALLS[name].arguments);
    const all = kinds.map((kind, index) => BigInt(args[index] ?? (kind === "res1" ? 0xffff_ffff_ffff_ffffn : 0)));
    const reply = nativeCall(machine.hypervisor.hypercalls, vm.vcpus[0], HYPERCALLS[name].number, all);
    return reply === DEFERRED ? "deferred" : errorName(reply!.values[0]);
  };
  /** A vCPU in state INIT with all it needs but for a free VIC index, and its capability. */
  const spare = (partition: Partition = machine.hypervisor.rootPartition) => {
    const vcpu = partition.create(Vcpu);
    assert.ok(typeof vcpu === "object");
    vcpu.attachments.attachCspace(vm.cspace);
    assert.equal(vm.addressSpace.attachThread(vcpu), ErrorCode.OK);
    return { vcpu, cap: vm.grant(vcpu as HypervisorObject) };
  };
  return { machine, vm, vcpu: vm.vcpus[0], cap: vm.grant(vm.vcpus[0]), error, spare };
}

Deno.test("what the activation of a vCPU needs", () => {
  const { vm, error, spare, machine } = setup();
  const vic = vm.grant(vm.vic);
  const { cap } = spare();
  assert.equal(error("vic_attach_vcpu", vic, cap, 1), "ARGUMENT_INVALID");
  assert.equal(error("object_activate", cap), "ARGUMENT_INVALID", "no VIC");
  assert.equal(error("object_activate", cap), "OBJECT_STATE", "a failed activation is for good");
  const second = spare();
  assert.equal(error("vic_attach_vcpu", vic, second.cap, 0), "OK");
  assert.equal(error("object_activate", second.cap), "BUSY", "the index is taken");
  const bare = machine.create(Vcpu);
  assert.equal(error("object_activate", vm.grant(bare)), "OBJECT_CONFIG", "no cspace");
});

Deno.test("options", () => {
  const { vm, error, spare, machine } = setup();
  const { cap } = spare();
  for (const bit of [6n, 7n, 10n, 62n]) assert.equal(error("vcpu_configure", cap, 1n << bit), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_configure", cap, VcpuOption.Pinned), "OK");
  const activation = (options: bigint, affinity: number, partition?: Partition) => {
    const { vcpu } = spare(partition);
    vcpu.attachments.attachVic(vm.vic, 0);
    vcpu.settings.setOptions(options);
    vcpu.settings.setAffinity(affinity);
    const error = errorName(vcpu.activate());
    // An attachment counts against the address space's limit.
    vcpu.holders[0].cspace.delete(vcpu.holders[0].cspace.idOf(vcpu.holders[0]));
    return error;
  };
  assert.equal(activation(VcpuOption.Pinned, CPU_INVALID), "OBJECT_CONFIG");
  assert.equal(activation(VcpuOption.SveAllowed, 0), "OBJECT_CONFIG");
  assert.equal(activation(0n, 7), "OBJECT_CONFIG", "there is no such CPU");
  const unprivileged = new Partition(machine.hypervisor, false, 1_000_000);
  assert.equal(activation(VcpuOption.Critical, 0, unprivileged), "OBJECT_CONFIG");
  assert.equal(activation(0n, 0), "BUSY", "the options are fine, the VIC index is taken");
});

Deno.test("one vCPU of the primary VM has a physical CPU", () => {
  const machine = new ScriptedMachine(2);
  const options = VcpuOption.HlosVm;
  const vm = new ScriptedVm(machine, 3, [function* () {}], { options });
  const other = machine.create(Vcpu);
  other.attachments.attachCspace(vm.cspace);
  vm.addressSpace.attachThread(other);
  other.attachments.attachVic(vm.vic, 0);
  other.settings.setOptions(options);
  other.settings.setAffinity(0);
  assert.equal(errorName(other.activate()), "OBJECT_CONFIG");
});

Deno.test("power-on sets PC and X0 unless they are preserved, and the reset state", () => {
  const { vm, vcpu, cap, error } = setup();
  const state = vm.state(vcpu);
  assert.equal(error("vcpu_register_write", cap, 0, 0, 0x11), "OK");
  assert.equal(error("vcpu_register_write", cap, 0, 30, 0x30), "OK");
  assert.equal(error("vcpu_register_write", cap, 1, 0, 0x4100_0000), "OK");
  assert.equal(error("vcpu_register_write", cap, 2, 1, 0x4200_0000), "OK");
  assert.equal(error("vcpu_poweron", cap, 1, 2, 4), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_poweron", cap, 0x4300_0000, 0x22, 3), "OK");
  assert.deepEqual([state.pc, state.getX(0), state.getX(30), state.getRegister("SP_EL1")], [0x4100_0000n, 0x11n, 0x30n, 0x4200_0000n]);
  assert.deepEqual([state.pstate, state.getRegister("SCTLR_EL1")], [RESET_PSTATE, 0x30d0_0800n]);
  assert.equal(error("vcpu_poweron", cap, 0, 0, 0), "BUSY");
  vcpu.powerOff();
  assert.equal(error("vcpu_poweron", cap, 0x4300_0000, 0x22, 0), "OK");
  assert.deepEqual([state.pc, state.getX(0)], [0x4300_0000n, 0x22n]);
});

Deno.test("registers that can be written while the vCPU is off", () => {
  const { cap, error, vm } = setup();
  for (const [set, index, value] of [[0, 31, 0], [1, 0, 2], [1, 1, 0], [2, 2, 0], [2, 0, 8], [3, 0, 0]]) {
    assert.equal(error("vcpu_register_write", cap, set, index, value), "ARGUMENT_INVALID", `${set} ${index} ${value}`);
  }
  vm.start();
  assert.equal(error("vcpu_register_write", cap, 0, 0, 0), "BUSY");
  vm.vcpus[0].kill();
  assert.equal(error("vcpu_register_write", cap, 0, 0, 0), "OBJECT_STATE");
});

Deno.test("priority, timeslice, affinity", () => {
  const { cap, error, spare, vm } = setup();
  const fresh = spare().cap;
  assert.equal(error("vcpu_set_priority", fresh, 63), "DENIED");
  assert.equal(error("vcpu_set_priority", fresh, 62), "OK");
  assert.equal(error("vcpu_set_priority", cap, 10), "OBJECT_STATE");
  assert.equal(error("vcpu_set_timeslice", fresh, 99_999), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_set_timeslice", fresh, 100_000), "OK");
  assert.equal(error("vcpu_set_timeslice", fresh, 100_000_001), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_set_affinity", fresh, 2), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_set_affinity", fresh, 1, 0), "ARGUMENT_INVALID", "the reserved argument is all ones");
  assert.equal(error("vcpu_set_affinity", fresh, 1), "OK");
  assert.equal(error("vcpu_set_affinity", fresh, CPU_INVALID), "OK");
  const weak = vm.cspace.insertCopy(vm.cspace, fresh, 2) as bigint;
  assert.equal(error("vcpu_set_affinity", weak, 0), "OK");
  assert.equal(error("vcpu_set_affinity", weak, CPU_INVALID), "CSPACE_INSUFFICIENT_RIGHTS", "that needs the right to disable");
});

Deno.test("a running vCPU moves to another CPU", () => {
  const { cap, error, vm, machine } = setup();
  vm.start();
  machine.run(50_000);
  assert.equal(error("vcpu_set_affinity", cap, 1), "OK");
  machine.run(50_000);
  assert.equal(vm.vcpus[0].usage.time, 100_000);
  assert.equal(machine.machine.cpus[0].idle, 50_000);
});

Deno.test("killing twice is fine", () => {
  const { cap, error, vm, machine, spare } = setup();
  assert.equal(error("vcpu_kill", cap), "deferred", "killing oneself does not return");
  assert.equal(error("vcpu_kill", cap), "deferred");
  machine.run(1_000);
  assert.equal(vm.vcpus[0].life.stage, "exited");
  assert.equal(error("vcpu_poweron", cap, 0, 0, 0), "FAILURE");
  assert.equal(error("vcpu_kill", spare().cap), "OBJECT_STATE", "it was never activated");
});

Deno.test("power-off is of oneself, and tells whether one is the last", () => {
  const machine = new ScriptedMachine(2);
  const vm = new ScriptedVm(machine, 3, [function* () {}, function* () {}], { group: "aggregated" });
  const [first, second] = vm.vcpus.map((vcpu) => vm.grant(vcpu));
  const poweroff = (cap: bigint, flags: bigint) => {
    const reply = nativeCall(machine.hypervisor.hypercalls, vm.vcpus[0], HYPERCALLS.vcpu_poweroff.number, [cap, flags]);
    return reply === DEFERRED ? "deferred" : errorName(reply!.values[0]);
  };
  vm.start(0);
  assert.equal(poweroff(second, 0n), "ARGUMENT_INVALID");
  assert.equal(poweroff(first, 2n), "ARGUMENT_INVALID");
  assert.equal(poweroff(first, 0n), "DENIED", "it is the last");
  vm.start(1);
  assert.equal(poweroff(first, 1n), "DENIED", "it is not");
  assert.equal(poweroff(first, 0n), "deferred");
  assert.ok(vm.vcpus[0].life.isPoweredOff);
});

Deno.test("vIRQs of a vCPU; a wakeup vIRQ makes it proxy-scheduled for good", () => {
  const { cap, error, vm, machine } = setup();
  const vic = vm.grant(vm.vic);
  assert.equal(error("vcpu_bind_virq", cap, vic, 41, 2), "ARGUMENT_INVALID");
  assert.equal(error("vcpu_bind_virq", cap, vic, 41, 0), "OK");
  assert.equal(error("vcpu_bind_virq", cap, vic, 42, 1), "OK");
  vm.start();
  machine.run(10_000);
  assert.equal(vm.vcpus[0].usage.time, 0);
  assert.ok(vm.vcpus[0].life.waits.includes("vcpu_run"));
  assert.equal(error("vcpu_unbind_virq", cap, 1), "OK");
  machine.run(10_000);
  assert.equal(vm.vcpus[0].usage.time, 0);
  const running = setup();
  running.vm.start();
  assert.equal(running.error("vcpu_bind_virq", running.cap, running.vm.grant(running.vm.vic), 42, 1), "BUSY");
});

Deno.test("a vCPU whose capabilities are gone runs on, and its memory comes back when it has exited", () => {
  const { cap, vm, machine } = setup();
  const partition = machine.hypervisor.rootPartition;
  vm.start();
  vm.cspace.delete(cap);
  const used = partition.heapUsed;
  machine.run(10_000);
  assert.equal(vm.vcpus[0].usage.time, 10_000);
  vm.vcpus[0].kill();
  machine.run(10_000);
  assert.equal(partition.heapUsed, used - Vcpu.SIZE - Vcpu.STACK_SIZE);
  assert.equal(machine.hypervisor.scheduler.vcpus.size, 0);
});

Deno.test("entropy is limited to four calls in 33 ms", () => {
  const budget = new EntropyBudget();
  assert.deepEqual([0, 1, 2, 3, 4].map((now) => budget.spend(now)), [true, true, true, true, false]);
  assert.ok(!budget.spend(32_999_999));
  assert.ok(budget.spend(33_000_000));
});

Deno.test("random numbers repeat with their seed, and differ without", () => {
  const draw = (seed: number) => {
    const random = new RandomGenerator(seed);
    return Array.from({ length: 8 }, () => random.next());
  };
  assert.deepEqual(draw(5), draw(5));
  assert.notDeepEqual(draw(5), draw(6));
  assert.ok(draw(1).every((word) => word >= 0 && word < 2 ** 32));
});

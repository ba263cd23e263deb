// The watchdog of a VM by SMCs, in virtual time (docs/spec/phones.md §D3).

import assert from "node:assert/strict";
import { VcpuOption, VcpuRunState, WATCHDOG_BITE } from "../../../../src/machine/abi/words.ts";
import { type Conduit, smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import { runState } from "../../../../src/machine/hypervisor/scheduling/vcpu-run.ts";
import type { Behaviour } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { ScriptedMachine, ScriptedVm, wfi } from "../scripted.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn, INVALID = ALL_ONES - 1n;
const CONTROL = 0x8600_0005n, STATUS = 0x8600_0006n, PING = 0x8600_0007n, SET_TIME = 0x8600_0008n;
const ON = 3n, OFF = 2n;
const MS = 1e6;

function vm(cpus = 1, behaviour: Partial<Behaviour> = {}, options = 0n, group: "aggregated" | "none" = "aggregated") {
  const machine = new ScriptedMachine(cpus, undefined, behaviour);
  const scripts = Array.from({ length: cpus }, () =>
    function* () {
      for (;;) yield wfi;
    });
  const guest = new ScriptedVm(machine, 3, scripts, { options, ...group !== "none" && { group } });
  guest.start();
  const [vcpu] = guest.vcpus;
  const call = (id: bigint, first = 0n, second = 0n, conduit: Conduit = "smc") => {
    const reply = smccc(vcpu, [id, first, second, 0n, 0n, 0n, 0n, 0n], conduit);
    assert.ok(Array.isArray(reply));
    return reply;
  };
  return { machine, guest, vcpu, call };
}

Deno.test("a watchdog that is pinged in time does nothing, and STATUS has the milliseconds since the last ping", () => {
  const { machine, vcpu, call } = vm();
  assert.deepEqual(call(SET_TIME, 40n, 50n), [0n]);
  assert.deepEqual(call(STATUS), [0n, 0n, 0n]);
  assert.deepEqual(call(CONTROL, ON), [0n]);
  for (let turn = 0; turn < 5; turn++) {
    machine.run(49 * MS);
    assert.deepEqual(call(STATUS), [0n, 1n, 49n]);
    assert.deepEqual(call(PING), [0n]);
    assert.deepEqual(call(STATUS), [0n, 1n, 0n]);
  }
  assert.deepEqual(call(CONTROL, OFF), [0n]);
  machine.run(1000 * MS);
  assert.ok(!vcpu.life.bitten);
});

Deno.test("a watchdog that is not pinged halts the first vCPU with its own fault, and kills the others", () => {
  const { machine, guest, vcpu, call } = vm(2);
  guest.vcpus[1].powerOn(0x4100_0000n, 0n);
  call(SET_TIME, 50n, 50n);
  call(CONTROL, ON);
  machine.run(49 * MS);
  assert.ok(!vcpu.life.bitten);
  machine.run(2 * MS);
  assert.deepEqual(runState(vcpu), { vcpu_state: VcpuRunState.Fault, state_data_0: WATCHDOG_BITE, state_data_1: 0n, state_data_2: 0n });
  assert.equal(guest.vcpus[1].life.stage, "exited");
  assert.deepEqual(call(STATUS), [0n, 0n, 0n], "it is off");
});

Deno.test("a restart by the watchdog is a time of 1 ms and a ping", () => {
  const { machine, vcpu, call } = vm();
  for (const [id, first, second] of [[CONTROL, ON, 0n], [SET_TIME, 1n, 1n], [PING, 0n, 0n]] as const) {
    assert.deepEqual(call(id, first, second), [0n]);
  }
  machine.run(2 * MS);
  assert.ok(vcpu.life.bitten);
});

Deno.test("times are at most 0x8000 ms, CONTROL is 2 or 3; the longest time holds where none was set", () => {
  const { machine, vcpu, call } = vm();
  assert.deepEqual([call(SET_TIME, 0x8001n, 1n), call(SET_TIME, 1n, 0x8001n), call(SET_TIME, 0x8000n, 0x8000n)], [[INVALID], [INVALID], [
    0n,
  ]]);
  for (const wrong of [0n, 1n, 4n]) assert.deepEqual(call(CONTROL, wrong), [INVALID]);
  call(CONTROL, ON);
  machine.run(32_767 * MS);
  assert.ok(!vcpu.life.bitten);
  machine.run(2 * MS);
  assert.ok(vcpu.life.bitten);
});

Deno.test("turning off a watchdog that is off is an error where the platform has it so", () => {
  assert.deepEqual(vm(1, {}).call(CONTROL, OFF), [0n]);
  const { call } = vm(1, { idleWatchdog: "refuse" });
  assert.deepEqual([call(CONTROL, OFF), call(CONTROL, ON), call(CONTROL, OFF), call(CONTROL, OFF)], [[INVALID], [0n], [0n], [INVALID]]);
});

Deno.test("HVC does not reach the watchdog, and a vCPU without a VPM group has none", () => {
  const { call } = vm();
  for (const id of [CONTROL, STATUS, PING, SET_TIME]) assert.deepEqual(call(id, ON, 0n, "hvc"), [ALL_ONES]);
  assert.deepEqual(vm(1, {}, 0n, "none").call(STATUS), [ALL_ONES]);
});

Deno.test("the primary VM's watchdog takes the machine with it", () => {
  const { machine, call } = vm(1, {}, VcpuOption.HlosVm | VcpuOption.Critical | VcpuOption.Pinned);
  call(SET_TIME, 50n, 50n);
  call(CONTROL, ON);
  const result = machine.run(100 * MS);
  assert.ok(result.kind === "stopped" && result.reason.kind === "crash");
  assert.match(result.reason.message, /its watchdog was not pinged for 50 ms/);
});

// PSCI, SMCCC and TRNG as guests call them (docs/spec/hypervisor.md §5.6, §6.5, §6.6;
// docs/spec/observed.md §4).

import assert from "node:assert/strict";
import { VcpuOption } from "../../../../src/machine/abi/words.ts";
import { smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import type { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { hvc, RESET_PSTATE, ScriptedMachine, type ScriptedState, ScriptedVm, smc, type Step, wfi } from "../scripted.ts";

const ALL_ONES = 0xffff_ffff_ffff_ffffn;
const PRIMARY = VcpuOption.HlosVm | VcpuOption.Critical | VcpuOption.Pinned;

function call(vcpu: Vcpu, ...x: bigint[]): readonly bigint[] {
  const reply = smccc(vcpu, [...x, ...new Array(8 - x.length).fill(0n)], "smc");
  assert.ok(Array.isArray(reply), "the call comes back");
  return reply;
}

function vm(cpus: number, group: "aggregated" | "independent" | "none" = "aggregated") {
  const machine = new ScriptedMachine(cpus);
  const scripts = Array.from({ length: cpus }, () =>
    function* () {
      for (;;) yield wfi;
    });
  const guest = new ScriptedVm(machine, 3, scripts, group === "none" ? {} : { group });
  guest.start();
  return { machine, guest, cpu: guest.vcpus[0] };
}

Deno.test("unknown functions answer -1 and change nothing else", () => {
  const { cpu } = vm(1);
  for (
    const id of [
      0x0400_0000n,
      0x8002_0000n,
      0x8300_0000n,
      0x8400_0005n,
      0xc400_0000n,
      0x8400_0080n,
      0x8600_8000n,
      0xc600_0001n,
      0xc600_bfffn,
    ]
  ) {
    assert.deepEqual(call(cpu, id), [ALL_ONES], id.toString(16));
  }
});

Deno.test("SMCCC and the hypervisor identify themselves", () => {
  const { cpu } = vm(1);
  assert.deepEqual(call(cpu, 0x8000_0000n), [0x1_0003n]);
  assert.deepEqual(call(cpu, 0x8000_0001n, 0x8000_0001n), [0n]);
  assert.deepEqual(call(cpu, 0x8000_0001n, 0x8400_0000n), [0xffff_ffffn]);
  const uid = [0xcd8fd5c1n, 0xdb5f53a4n, 0x36ce6592n, 0x145f3d67n];
  assert.deepEqual(call(cpu, 0x8600_ff01n), uid);
  assert.deepEqual(call(cpu, 0x8500_ff01n), uid);
  assert.deepEqual(call(cpu, 0x8600_ff03n), [0x5100_0000_0000_8001n]);
  assert.deepEqual(call(cpu, 0x8500_ff03n), [1n, 0n]);
});

Deno.test("a hypercall through SMCCC writes its own results only, errors extended to 64 bits", () => {
  const { cpu } = vm(1);
  assert.deepEqual(call(cpu, 0xc600_8000n), [0x5100_0000_0000_8001n, 0x1000_0effn, 0n, 0n]);
  assert.deepEqual(call(cpu, 0xc600_800en, 0n), [ALL_ONES], "object_reset is unimplemented");
});

Deno.test("HVC and SMC reach the same functions; other immediates answer -1", () => {
  const machine = new ScriptedMachine();
  const guest = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    for (const conduit of [hvc(0), smc(0)]) {
      registers.setX(0, 0x8000_0000n);
      registers.setX(1, 7n);
      yield conduit;
      assert.equal(registers.getX(0), 0x1_0003n);
      assert.equal(registers.getX(1), 7n);
    }
    for (const other of [hvc(1), smc(1), hvc(0x6069), hvc(0x61ff)]) {
      registers.setX(0, 0n);
      registers.setX(9, 9n);
      yield other;
      assert.equal(registers.getX(0), ALL_ONES);
      assert.equal(registers.getX(9), 9n);
    }
    registers.setX(5, 5n);
    yield hvc(0x6008);
    assert.equal(registers.getX(0), ALL_ONES);
    assert.equal(registers.getX(5), 0n, "an unassigned number clears the other results");
    assert.equal(registers.getX(9), 0n);
  }]);
  guest.start();
  machine.run(100_000);
  assert.equal(guest.state(guest.vcpus[0]).pc, 0x4000_0000n + 8n, "SMC is stepped over, HVC is behind itself already");
});

Deno.test("SMC 0xc6008012 rings a doorbell as doorbell_send by HVC does, and gives its flags", () => {
  const machine = new ScriptedMachine();
  const bell = machine.hypervisor.rootPartition.create(Doorbell) as Doorbell;
  assert.equal(bell.activate(), 0);
  let calls = 0;
  const guest = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    const send = function* (id: bigint, at: number, flags: bigint, conduit: Step) {
      registers.setX(0, id);
      registers.setX(at, cap);
      registers.setX(at + 1, flags);
      registers.setX(at + 2, 0n);
      yield conduit;
      calls++;
      return [registers.getX(0), registers.getX(1)];
    };
    assert.deepEqual(yield* send(0xc600_8012n, 1, 5n, smc(0)), [0n, 0n]);
    assert.deepEqual(yield* send(0xc600_8012n, 1, 2n, smc(0)), [0n, 5n]);
    assert.deepEqual(yield* send(0n, 0, 8n, hvc(0x6012)), [0n, 7n]);
    assert.deepEqual(yield* send(0xc600_8012n, 1, 0n, hvc(0)), [0n, 15n]);
  }]);
  const cap = guest.grant(bell);
  guest.start();
  machine.run(100_000);
  assert.equal(calls, 4);
});

Deno.test("PSCI_FEATURES knows what is implemented in which convention", () => {
  const { cpu } = vm(1);
  const features = (id: bigint) => call(cpu, 0x8400_000an, id)[0];
  for (
    const id of [
      0x84000000n,
      0x84000002n,
      0x84000003n,
      0xc4000003n,
      0xc4000004n,
      0x84000008n,
      0x8400000an,
      0xc400000cn,
      0x84000012n,
      0x80000000n,
    ]
  ) {
    assert.equal(features(id), 0n, id.toString(16));
  }
  assert.equal(features(0x84000001n), 2n);
  assert.equal(features(0xc4000001n), 2n);
  for (const id of [0x84000005n, 0xc4000000n, 0xc4000008n, 0x8400000bn, 0x8400000en, 0x80000001n, 0xc6008000n, 0x12345678n]) {
    assert.equal(features(id), 0xffff_ffffn, id.toString(16));
  }
});

Deno.test("without a VPM group there is no PSCI but PSCI_FEATURES of SMCCC_VERSION", () => {
  const { cpu } = vm(1, "none");
  assert.deepEqual(call(cpu, 0x8400_0000n), [ALL_ONES]);
  assert.equal(call(cpu, 0x8400_000an, 0x8000_0000n)[0], 0n);
  assert.equal(call(cpu, 0x8400_000an, 0x8400_0000n)[0], 0xffff_ffffn);
});

Deno.test("CPU_ON starts a vCPU with PC, X0 and the reset state; then it is on already", () => {
  const { machine, guest, cpu } = vm(2);
  assert.equal(call(cpu, 0xc400_0004n, 1n, 0n)[0], 1n);
  assert.equal(call(cpu, 0xc400_0003n, 1n, 0x4100_0000n, 0x77n)[0], 0n);
  const state = guest.state(guest.vcpus[1]);
  assert.deepEqual([state.pc, state.getX(0), state.pstate, state.getRegister("SCTLR_EL1")], [
    0x4100_0000n,
    0x77n,
    RESET_PSTATE,
    0x30d0_0800n,
  ]);
  assert.equal(call(cpu, 0xc400_0004n, 0x8000_0001n, 0n)[0], 0n);
  assert.equal(call(cpu, 0xc400_0003n, 1n, 0n, 0n)[0], BigInt.asUintN(64, -4n));
  assert.equal(call(cpu, 0x8400_0003n, 0n, 0n, 0n)[0], 0xffff_fffcn);
  machine.run(100_000);
});

Deno.test("CPU_ON and AFFINITY_INFO refuse affinities that no vCPU can have, or has not", () => {
  const { cpu } = vm(2);
  for (const mpidr of [8n, 0x100n, 0x1_0000n, 1n << 32n, ALL_ONES]) {
    assert.equal(call(cpu, 0xc400_0003n, mpidr, 0n, 0n)[0], BigInt.asUintN(64, -2n), mpidr.toString(16));
    assert.equal(call(cpu, 0xc400_0004n, mpidr, 0n)[0], BigInt.asUintN(64, -2n));
  }
  assert.equal(call(cpu, 0xc400_0003n, 5n, 0n, 0n)[0], BigInt.asUintN(64, -6n));
  assert.equal(call(cpu, 0xc400_0004n, 0n, 1n)[0], BigInt.asUintN(64, -2n));
});

Deno.test("AFFINITY_INFO and CPU_ON ignore bits of the MPIDR outside its affinity, and the upper half of the level", () => {
  const { cpu } = vm(2);
  for (const bits of [1n << 24n, 1n << 30n, 1n << 31n, 1n << 40n, 0xffff_ff00_4000_0000n]) {
    assert.equal(call(cpu, 0xc400_0004n, bits, 0n)[0], 0n, bits.toString(16));
    assert.equal(call(cpu, 0xc400_0004n, bits | 1n, 0n)[0], 1n);
  }
  assert.equal(call(cpu, 0xc400_0004n, 0n, 1n << 32n)[0], 0n);
  assert.equal(call(cpu, 0xc400_0003n, 1n << 40n, 0n, 0n)[0], BigInt.asUintN(64, -4n), "ALREADY_ON");
});

Deno.test("the 32-bit convention cuts arguments, and writes them back", () => {
  const { cpu } = vm(1);
  assert.deepEqual(call(cpu, 0x8400_0004n, 1n << 32n, 0n, 7n), [0n, 0n, 0n, 7n]);
});

Deno.test("CPU_OFF powers off; the last vCPU of an aggregated group may not", () => {
  const { machine, guest, cpu } = vm(2);
  assert.equal(call(cpu, 0x8400_0002n)[0], 0xffff_fffdn);
  call(cpu, 0xc400_0003n, 1n, 0x4100_0000n, 0n);
  assert.equal(typeof smccc(guest.vcpus[1], [0x8400_0002n, 0n, 0n, 0n, 0n, 0n, 0n, 0n], "smc"), "symbol");
  assert.ok(guest.vcpus[1].life.isPoweredOff);
  assert.equal(call(cpu, 0xc400_0003n, 1n, 0x4200_0000n, 0n)[0], 0n, "it can be powered on again");
  machine.run(10_000);
});

Deno.test("CPU_SUSPEND sleeps; a powered-down vCPU comes back at its entry", () => {
  const machine = new ScriptedMachine();
  let back = 0;
  const guest = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    if (back++ > 0) return;
    registers.setX(0, 0xc400_0001n);
    registers.setX(1, 0x1_0000n);
    registers.setX(2, 0x4300_0000n);
    registers.setX(3, 0x55n);
    yield smc(0);
    assert.fail("a powered-down vCPU does not return");
  }], { group: "aggregated" });
  guest.start();
  machine.run(10_000);
  assert.ok(guest.vcpus[0].life.waits.includes("suspended"));
  guest.vic.gic.setPending(guest.vcpus[0].gic, 40);
  machine.run(10_000);
  assert.equal(back, 2);
  const state = guest.state(guest.vcpus[0]);
  assert.deepEqual([state.pc, state.getX(0)], [0x4300_0000n, 0x55n]);
});

Deno.test("CPU_SUSPEND with an interrupt pending returns at once, even from power-down", () => {
  const { guest, cpu } = vm(1);
  guest.vic.gic.setPending(cpu.gic, 40);
  assert.equal(call(cpu, 0xc400_0001n, 0x1_0000n, 0n, 0n)[0], 0n);
  assert.ok(cpu.life.isAwake);
});

Deno.test("SYSTEM_OFF and SYSTEM_RESET of the primary VM end the machine", () => {
  for (const [id, kind] of [[0x8400_0008n, "system-off"], [0x8400_0009n, "system-reset"], [0xc400_0012n, "system-reset"]] as const) {
    const machine = new ScriptedMachine();
    const guest = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
      registers.setX(0, id);
      yield hvc(0);
    }], { group: "aggregated", options: PRIMARY });
    guest.start();
    const result = machine.run(10_000);
    assert.ok(result.kind === "stopped" && result.reason.kind === kind);
  }
});

Deno.test("SYSTEM_OFF of another VM kills its other vCPUs and halts the caller", () => {
  const { machine, guest, cpu } = vm(2, "independent");
  call(cpu, 0xc400_0003n, 1n, 0x4100_0000n, 0n);
  assert.equal(typeof smccc(cpu, [0x8400_0008n, 0n, 0n, 0n, 0n, 0n, 0n, 0n], "smc"), "symbol");
  machine.run(100_000);
  assert.ok(cpu.life.isPoweredOff && cpu.life.stage === "ready");
  assert.equal(guest.vcpus[1].life.stage, "exited");
});

Deno.test("TRNG gives the bits that are asked for, and no more", () => {
  const { cpu } = vm(1);
  assert.deepEqual(call(cpu, 0x8400_0050n), [0x1_0000n, 0n, 0n, 0n]);
  assert.deepEqual(call(cpu, 0x8400_0052n), [0x45546e21n, 0x92a1433dn, 0xa2ea5fe2n, 0x16397d4en]);
  assert.deepEqual(call(cpu, 0x8400_0051n, 0xc400_0053n), [0n]);
  assert.deepEqual(call(cpu, 0x8400_0051n, 0xc400_0051n), [ALL_ONES]);
  const [status, high, middle, low] = call(cpu, 0xc400_0053n, 100n);
  assert.equal(status, 0n);
  assert.equal(high, 0n);
  assert.ok(middle < 1n << 36n && low !== 0n);
  const refused = [BigInt.asUintN(64, -2n), 0n, 0n, 0n];
  for (const [id, bits] of [[0x8400_0053n, 97n], [0xc400_0053n, 193n], [0x8400_0053n, 0n]]) assert.deepEqual(call(cpu, id, bits), refused);
});

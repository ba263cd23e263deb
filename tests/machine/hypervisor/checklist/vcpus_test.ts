// Checklist of the specification (docs/spec/hypervisor.md §10), lines 133 to 171: vCPUs,
// scheduling, vcpu_run, PSCI, entropy.

import assert from "node:assert/strict";
import { ThreadRight } from "../../../../src/machine/abi/rights.ts";
import { CPU_INVALID, VcpuOption, VcpuRunState } from "../../../../src/machine/abi/words.ts";
import { Block, DEEPEST_POWER_STATE } from "../../../../src/machine/hypervisor/scheduling/vcpu-life.ts";
import type { Partition } from "../../../../src/machine/hypervisor/memory/partition.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import type { VpmGroup } from "../../../../src/machine/hypervisor/scheduling/vpm-group.ts";
import {
  dataAbort,
  hvc,
  RESET_PSTATE,
  type Script,
  ScriptedMachine,
  type ScriptedState,
  ScriptedVm,
  smc,
  type Step,
  wfi,
} from "../scripted.ts";
import { ALL_ONES, Rig } from "./rig.ts";
import { nativeCall } from "../native-call.ts";

const FAST_SLICE = 100_000;
const PSCI = { Version: 0x8400_0000n, Suspend: 0xc400_0001n, CpuOff: 0x8400_0002n, CpuOn: 0xc400_0003n, Affinity: 0xc400_0004n } as const;
const SYSTEM_OFF = 0x8400_0008n, SYSTEM_RESET = 0x8400_0009n, FEATURES = 0x8400_000an;

const off = (w: Rig) => w.cap(w.vcpu());

Deno.test("H133: vcpu_configure refuses options that it does not know", () => {
  const w = new Rig();
  for (const bit of [6n, 7n, 10n, 62n]) {
    assert.equal(w.error("vcpu_configure", { cap: w.fresh("thread"), vcpu_options: 1n << bit }), "ARGUMENT_INVALID");
  }
});

Deno.test("H134: critical vCPUs are a privileged partition's", () => {
  const w = new Rig();
  const vcpu = w.get<Partition>(w.poor(0x10_0000)).create(Vcpu) as Vcpu;
  w.equip(vcpu, { options: VcpuOption.Critical });
  assert.equal(w.error("object_activate", { cap: w.cap(vcpu) }), "OBJECT_CONFIG");
});

Deno.test("H135: a vCPU starts at its entry with X0, at EL1h with interrupts masked and the MMU off", () => {
  const w = new Rig();
  const vcpu = w.vcpu();
  vcpu.registers.setRegister("SCTLR_EL1", 1n);
  w.ok("vcpu_poweron", { cap: w.cap(vcpu), entry_point: 0x4008_0000n, context: 0x77n, flags: 0n });
  const { registers } = vcpu;
  assert.deepEqual([registers.pc, registers.getX(0), registers.pstate], [0x4008_0000n, 0x77n, RESET_PSTATE]);
  assert.equal(registers.getRegister("SCTLR_EL1") & 1n, 0n);
});

Deno.test("H136: a vCPU that runs cannot be powered on; flag bit 2 is none", () => {
  const w = new Rig();
  const cap = off(w);
  assert.equal(w.error("vcpu_poweron", { cap, flags: 4n }), "ARGUMENT_INVALID");
  assert.equal(w.error("vcpu_poweron", { cap, flags: 0n }), "OK");
  assert.equal(w.error("vcpu_poweron", { cap, flags: 0n }), "BUSY");
});

Deno.test("H137: power-on keeps the PC and X0 that vcpu_register_write has set, if asked to", () => {
  const w = new Rig();
  const vcpu = w.vcpu();
  const cap = w.cap(vcpu);
  w.ok("vcpu_register_write", { vcpu: cap, register_set: 1n, index: 0n, value: 0x4004_0000n });
  w.ok("vcpu_register_write", { vcpu: cap, register_set: 0n, index: 0n, value: 0x55n });
  w.ok("vcpu_poweron", { cap, entry_point: 0x1000n, context: 1n, flags: 3n });
  assert.deepEqual([vcpu.registers.pc, vcpu.registers.getX(0)], [0x4004_0000n, 0x55n]);
});

Deno.test("H138: vcpu_register_write refuses X31, a misaligned PC and a misaligned SP", () => {
  const w = new Rig();
  const vcpu = off(w);
  for (const [register_set, index, value] of [[0n, 31n, 0n], [1n, 0n, 2n], [2n, 0n, 8n], [2n, 2n, 0n]]) {
    assert.equal(w.error("vcpu_register_write", { vcpu, register_set, index, value }), "ARGUMENT_INVALID");
  }
});

Deno.test("H139: registers of a vCPU that is powered on are not written", () => {
  const w = new Rig();
  const vcpu = w.vcpu();
  vcpu.powerOn(0n, 0n);
  assert.equal(w.error("vcpu_register_write", { vcpu: w.cap(vcpu), register_set: 0n, index: 0n, value: 0n }), "BUSY");
});

Deno.test("H140: priority 63 is DENIED; an active vCPU's priority stays", () => {
  const w = new Rig();
  assert.equal(w.error("vcpu_set_priority", { cap: w.fresh("thread"), priority: 63n }), "DENIED");
  assert.equal(w.error("vcpu_set_priority", { cap: off(w), priority: 10n }), "OBJECT_STATE");
});

Deno.test("H141: a timeslice is at least 100 us", () => {
  const w = new Rig();
  const set = (timeslice: bigint) => w.error("vcpu_set_timeslice", { cap: w.fresh("thread"), timeslice });
  assert.deepEqual([set(99_999n), set(100_000n)], ["ARGUMENT_INVALID", "OK"]);
});

Deno.test("H142: taking a vCPU off every CPU needs the right to disable", () => {
  const w = new Rig();
  const cap = off(w);
  const limited = w.copy(cap, ThreadRight.Affinity);
  assert.equal(w.error("vcpu_set_affinity", { cap: limited, affinity: BigInt(CPU_INVALID) }), "CSPACE_INSUFFICIENT_RIGHTS");
  assert.equal(w.error("vcpu_set_affinity", { cap: limited, affinity: 1n }), "OK");
  assert.equal(w.error("vcpu_set_affinity", { cap, affinity: BigInt(CPU_INVALID) }), "OK");
});

Deno.test("H143: a vCPU can be killed twice", () => {
  const w = new Rig();
  const cap = off(w);
  assert.deepEqual([w.error("vcpu_kill", { cap }), w.error("vcpu_kill", { cap })], ["OK", "OK"]);
});

Deno.test("H144: a vCPU powers off itself only", () => {
  const w = new Rig();
  assert.equal(w.error("vcpu_poweroff", { cap: off(w), flags: 0n }), "ARGUMENT_INVALID");
});

Deno.test("H145: the last vCPU online says so to power off", () => {
  const w = new Rig();
  assert.equal(w.error("vcpu_poweroff", { cap: w.me, flags: 0n }), "DENIED");
  assert.equal(w.error("vcpu_poweroff", { cap: w.me, flags: 1n }), "no answer");
});

Deno.test("H146: a vCPU has vIRQs of types 0 and 1", () => {
  const w = new Rig();
  assert.equal(w.error("vcpu_bind_virq", { vcpu: off(w), vic: w.vic, virq: 40n, virq_type: 2n }), "ARGUMENT_INVALID");
});

// From here on vCPUs run.

const busy: Script = function* () {
  for (;;) yield { compute: 1_000 };
};

/** A host on CPU 0 whose script runs a guest by vcpu_run. `run` gives X0..X4. */
class Proxy {
  readonly machine = new ScriptedMachine();
  readonly guestVm: ScriptedVm;
  readonly hostVm: ScriptedVm;
  readonly guest: Vcpu;
  readonly #cap: bigint;
  finished = false;

  constructor(guest: Script, host: (test: Proxy) => Generator<Step, void, void>) {
    const options = VcpuOption.VcpuRunScheduled;
    this.guestVm = new ScriptedVm(this.machine, 0x80, [guest], {
      options,
      affinity: () => CPU_INVALID,
      timeslice: FAST_SLICE,
      group: "independent",
    });
    this.guestVm.addressSpace.configureVmmio(0x1000_0000n, 0x1000n, 0);
    this.guest = this.guestVm.vcpus[0];
    // deno-lint-ignore no-this-alias
    const test = this;
    this.hostVm = new ScriptedVm(this.machine, 3, [function* () {
      yield* host(test);
      test.finished = true;
    }]);
    this.#cap = this.hostVm.grant(this.guest);
  }

  /** vcpu_run with resume_data_0. */
  *run(resume = 0n): Generator<Step, readonly bigint[], void> {
    const registers = this.hostVm.state(this.hostVm.vcpus[0]);
    [this.#cap, resume, 0n, 0n, 0n].forEach((value, index) => registers.setX(index, value));
    yield hvc(0x6065);
    return registers.x.slice(0, 5);
  }

  /** Runs to the end of the host's script. */
  go(powerOn = true): void {
    if (powerOn) this.guestVm.start();
    this.hostVm.start();
    this.machine.run(3_000_000);
    assert.ok(this.finished, "the host's script has ended");
  }
}

const state = (value: number) => BigInt(value);

Deno.test("H147: a vCPU with a bound wakeup vIRQ runs inside vcpu_run only", () => {
  const machine = new ScriptedMachine();
  const host = new ScriptedVm(machine, 3, [wfiForEver]);
  const guest = new ScriptedVm(machine, 4, [busy]);
  const w = { vcpu: host.grant(guest.vcpus[0]), vic: host.grant(host.vic) };
  const reply = nativeCall(machine.hypervisor.hypercalls, host.vcpus[0], 0x5c, [w.vcpu, w.vic, 40n, 1n, 0n]);
  assert.ok(reply !== undefined && typeof reply === "object" && reply.values[0] === 0n);
  guest.start();
  machine.run(1_000_000);
  assert.equal(guest.vcpus[0].usage.instructions, 0);
});

Deno.test("H148: vcpu_run of a vCPU that is not proxy-scheduled is BUSY", () => {
  const w = new Rig();
  assert.equal(w.error("vcpu_run", { cap: off(w) }), "BUSY");
});

Deno.test("H149: vcpu_run of a vCPU in WFI: EXPECTS_WAKEUP, data0 0, data1 1", () => {
  new Proxy(wfiForEver, function* (test) {
    assert.deepEqual(yield* test.run(), [0n, state(VcpuRunState.ExpectsWakeup), 0n, 1n, 0n]);
  }).go();
});

Deno.test("H150: vcpu_run of a vCPU that is not powered on: POWERED_OFF, data0 0", () => {
  new Proxy(busy, function* (test) {
    assert.deepEqual(yield* test.run(), [0n, state(VcpuRunState.PoweredOff), 0n, 0n, 0n]);
  }).go(false);
});

Deno.test("H151: vcpu_run of a vCPU that has exited: POWERED_OFF, data0 1", () => {
  new Proxy(busy, function* (test) {
    test.guest.kill();
    yield* test.run();
    assert.deepEqual(yield* test.run(), [0n, state(VcpuRunState.PoweredOff), 1n, 0n, 0n]);
  }).go();
});

Deno.test("H152: a load from a VMMIO range leaves with IPA and size; the next resume data is its result", () => {
  const test = new Proxy(function* () {
    yield { ...dataAbort(false, 0x1000_0010, 2) };
    yield* busy(undefined as never);
  }, function* (test) {
    assert.deepEqual(yield* test.run(), [0n, state(VcpuRunState.AddrspaceVmmioRead), 0x1000_0010n, 4n, 0n]);
    yield* test.run(0x1234_5678n);
    assert.equal(test.guest.registers.getX(1), 0x1234_5678n);
  });
  test.go();
});

Deno.test("H153: a store to a VMMIO range leaves with the register", () => {
  new Proxy(function* (registers) {
    registers.setX(1, 0x1122_3344_5566_7788n);
    yield { ...dataAbort(true, 0x1000_0020, 0) };
  }, function* (test) {
    assert.deepEqual(yield* test.run(), [0n, state(VcpuRunState.AddrspaceVmmioWrite), 0x1000_0020n, 1n, 0x1122_3344_5566_7788n]);
  }).go();
});

Deno.test("H154: an interrupt for a sleeping proxy vCPU raises its wakeup vIRQ", () => {
  const test = new Proxy(wfiForEver, function* (test) {
    yield* test.run();
    test.guestVm.vic.gic.setPending(test.guest.gic, 40);
    assert.ok(test.hostVm.vic.gic.shared.isPending(41));
  });
  test.hostVm.vic.gic.update(test.hostVm.vcpus[0].gic, 41, Irq.Edge, 0);
  assert.equal(test.hostVm.vic.bindShared(test.guest.wakeupVirq, 41), 0);
  test.go();
});

Deno.test("H155: SYSTEM_RESET makes vcpu_run answer PSCI_SYSTEM_RESET with bit 63", () => {
  new Proxy(function* (registers) {
    registers.setX(0, SYSTEM_RESET);
    yield smc(0);
  }, function* (test) {
    assert.deepEqual((yield* test.run()).slice(0, 3), [0n, 0x100n, 1n << 63n]);
  }).go();
});

Deno.test("H156: vcpu_run_check of a vCPU that can run is BUSY", () => {
  const w = new Rig();
  const vcpu = w.vcpu();
  vcpu.powerOn(0n, 0n);
  assert.equal(w.error("vcpu_run_check", { cap: w.cap(vcpu) }), "BUSY");
});

Deno.test("H157: SYSTEM_OFF raises the halt vIRQ, CPU_OFF does not", () => {
  for (const [id, rings] of [[SYSTEM_OFF, true], [PSCI.CpuOff, false]] as const) {
    const w = new Rig();
    w.vcpu().powerOn(0n, 0n);
    w.ok("vcpu_bind_virq", { vcpu: w.me, vic: w.vic, virq: 40n, virq_type: 0n });
    w.hvc(0, id);
    assert.ok(w.caller.life.isPoweredOff);
    assert.equal(w.isPending(40), rings);
  }
});

Deno.test("H158: scheduler_yield knows hints 0 and 1; a yield to oneself is OK", () => {
  const w = new Rig();
  assert.equal(w.error("scheduler_yield", { control: 2n }), "ARGUMENT_INVALID");
  assert.equal(w.error("scheduler_yield", { control: 0x8000_0000n }), "ARGUMENT_INVALID");
  assert.equal(w.error("scheduler_yield", { control: 1n, arg1: w.me }), "OK");
});

Deno.test("H159: vCPUs of one priority on one CPU alternate every 5 ms", () => {
  const machine = new ScriptedMachine();
  const vms = [3, 4].map((vmid) => new ScriptedVm(machine, vmid, [busy]));
  for (const vm of vms) vm.start();
  for (const [first, second] of [[5, 0], [5, 5], [10, 5], [10, 10]]) {
    machine.run(5_000_000);
    assert.deepEqual(vms.map(({ vcpus }) => Math.round(vcpus[0].usage.time / 1e6)), [first, second]);
  }
});

Deno.test("H160: a vCPU of higher priority preempts as soon as it can run", () => {
  const machine = new ScriptedMachine();
  const low = new ScriptedVm(machine, 3, [busy], { priority: 10 });
  const high = new ScriptedVm(machine, 4, [busy], { priority: 11 });
  low.start();
  machine.run(1_000_000);
  high.start();
  machine.run(1_000_000);
  assert.deepEqual([low.vcpus[0].usage.time, high.vcpus[0].usage.time], [1_000_000, 1_000_000]);
});

/** A rig whose caller's group has a second vCPU, powered off. */
function pair(): { w: Rig; second: Vcpu } {
  const w = new Rig();
  return { w, second: w.vcpu() };
}

Deno.test("H161: without a VPM group there is no PSCI", () => {
  const w = new Rig();
  const alone = w.object("thread");
  w.equip(alone, { without: "group" });
  assert.equal(alone.activate(), 0);
  alone.powerOn(w.buffer, PSCI.Version);
  assert.equal(w.exit(hvc(0), alone).getX(0), ALL_ONES);
});

Deno.test("H162: PSCI 1.1, by HVC and by SMC", () => {
  const w = new Rig();
  assert.deepEqual([w.hvc(0, PSCI.Version)[0], w.smc(0, PSCI.Version)[0]], [0x1_0001n, 0x1_0001n]);
});

Deno.test("H163: CPU_ON: -4 where it is on, -6 where there is no vCPU, -2 where there can be none", () => {
  const { w } = pair();
  const on = (mpidr: bigint) => BigInt.asIntN(64, w.hvc(0, PSCI.CpuOn, mpidr, 0x4000_0000n, 0n)[0]);
  assert.deepEqual([on(0n), on(5n), on(0x100n)], [-4n, -6n, -2n]);
  assert.equal(on(1n), 0n);
});

Deno.test("H164: AFFINITY_INFO of level 1 is -2", () => {
  const { w } = pair();
  assert.equal(BigInt.asIntN(64, w.hvc(0, PSCI.Affinity, 0n, 1n)[0]), -2n);
});

Deno.test("H165: PSCI_FEATURES: CPU_SUSPEND has the extended state id, SYSTEM_SUSPEND is not there", () => {
  const w = new Rig();
  assert.deepEqual([w.hvc(0, FEATURES, 0x8400_0001n)[0], w.hvc(0, FEATURES, 0x8400_000en)[0]], [2n, 0xffff_ffffn]);
});

Deno.test("H166: CPU_SUSPEND with an interrupt pending returns at once", () => {
  const w = new Rig();
  w.enable(5);
  w.gic.setPending(w.cpu, 5);
  assert.equal(w.hvc(0, PSCI.Suspend, BigInt(DEEPEST_POWER_STATE), 0x1000n, 0n)[0], 0n);
  assert.ok(w.caller.life.isAwake);
});

Deno.test("H167: a power-down CPU_SUSPEND comes back at its entry with its context", () => {
  const w = new Rig();
  w.enable(5);
  w.hvc(0, PSCI.Suspend, BigInt(DEEPEST_POWER_STATE), 0x4000_1000n, 0x99n);
  assert.ok(w.caller.life.isBlockedBy(Block.Suspend));
  w.gic.setPending(w.cpu, 5);
  assert.ok(w.caller.life.isAwake);
  assert.deepEqual([w.registers.pc, w.registers.getX(0)], [0x4000_1000n, 0x99n]);
});

Deno.test("H168: vpm_group_get_state: 1 while a vCPU is awake, else 2", () => {
  const w = new Rig();
  const get = () => w.ok("vpm_group_get_state", { vpm_group: w.group })[0];
  assert.equal(get(), 1n);
  w.caller.waitForInterrupt();
  assert.equal(get(), 2n);
  assert.equal(w.get<VpmGroup>(w.group).vcpus.length, 1);
});

Deno.test("H169: vpm_group_configure knows flag bit 0", () => {
  const w = new Rig();
  const configure = (flags: bigint) => w.error("vpm_group_configure", { vpm_group: w.fresh("vpm_group"), flags });
  assert.deepEqual([configure(2n), configure(1n)], ["UNIMPLEMENTED", "OK"]);
});

Deno.test("H170: trace classes 0 and 4 do not change", () => {
  const w = new Rig();
  const update = (set_flags: bigint, clear_flags: bigint) => w.ok("trace_update_class_flags", { set_flags, clear_flags })[0];
  const before = update(0n, 0n);
  assert.equal(update(0n, ALL_ONES), before & 0x11n);
  assert.equal(update(before, 0n), before);
});

Deno.test("H171: entropy comes in 4 to 16 bytes, four times in 33 ms", () => {
  const w = new Rig();
  const get = (num_bytes: bigint) => w.error("prng_get_entropy", { num_bytes });
  assert.deepEqual([get(0n), get(17n), get(5n)], ["ARGUMENT_SIZE", "ARGUMENT_SIZE", "ARGUMENT_ALIGNMENT"]);
  assert.deepEqual([get(4n), get(8n), get(12n), get(16n), get(4n)], ["OK", "OK", "OK", "OK", "BUSY"]);
});

function* wfiForEver(_registers: ScriptedState): Generator<Step, void, void> {
  for (;;) yield wfi;
}

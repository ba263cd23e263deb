// Stolen time (Arm DEN0057A; docs/spec/hypervisor.md §6.6): what is counted, and what VMs read.

import assert from "node:assert/strict";
import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import { CPU_INVALID, VcpuOption } from "../../../../src/machine/abi/words.ts";
import { smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { EXIT_COST } from "../../../../src/machine/hypervisor/scheduling/execution.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import {
  dataAbort,
  hvc,
  INFO_IPA,
  type Script,
  ScriptedMachine,
  type ScriptedState,
  ScriptedVm,
  type Step,
  timerWritten,
  wfe,
  wfi,
} from "../scripted.ts";

const FEATURES = 0xc500_0020n, STOLEN_TIME = 0xc500_0021n, ARCH_FEATURES = 0x8000_0001n;
const NOT_SUPPORTED = 0xffff_ffff_ffff_ffffn;
const ALL_ON_CPU_0 = { affinity: () => 0, infoArea: RAM_BASE };

/** Computes in pieces, for ever. */
function* busy(): Generator<Step, void, void> {
  for (;;) yield { compute: 1000 };
}

const machineWith = (cpus = 1) => new ScriptedMachine(cpus, undefined, { pvTime: true });
function ask(vcpu: Vcpu, id: bigint, argument = 0n): bigint {
  const reply = smccc(vcpu, [id, argument, 0n, 0n, 0n, 0n, 0n, 0n], "hvc");
  assert.ok(Array.isArray(reply));
  return reply[0];
}
const stolen = ({ stolenTime }: Vcpu) => stolenTime!.total;

/** The record that a vCPU's VM sees. */
function recordOf({ owner: { machine } }: ScriptedVm, vcpu: Vcpu) {
  const ipa = ask(vcpu, STOLEN_TIME);
  const { buffer, byteOffset } = machine.ram.bytes(RAM_BASE + Number(ipa - INFO_IPA), 64);
  const view = new DataView(buffer, byteOffset);
  return { revision: view.getUint32(0, true), attributes: view.getUint32(4, true), stolen: Number(view.getBigUint64(8, true)) };
}

Deno.test("vCPUs that share a CPU lose the time that the other ones run, to the nanosecond", () => {
  const machine = machineWith();
  const vm = new ScriptedVm(machine, 3, [busy, busy], ALL_ON_CPU_0);
  const other = new ScriptedVm(machine, 4, [busy]);
  for (const index of [0, 1]) vm.start(index);
  other.start();
  machine.run(45_000_001);
  const [first, second] = vm.vcpus;
  // Slices of 5 ms: the first runs at 0, 15 and 30 ms, the second at 5, 20 and 35 ms.
  assert.deepEqual([first, second].map(stolen), [20_000_000 + 10_000_000, 25_000_000]);
  for (const vcpu of vm.vcpus) assert.deepEqual(recordOf(vm, vcpu), { revision: 0, attributes: 0, stolen: stolen(vcpu) });
  for (const vcpu of [first, second]) {
    assert.ok(vcpu.usage.time + stolen(vcpu) <= machine.machine.time);
    assert.equal(vcpu.usage.time + stolen(vcpu), vcpu.usage.ranUntil, "it ran, or it was robbed");
  }
});

Deno.test("sleep, and waits for another CPU by choice, are not stolen", () => {
  const machine = machineWith(2);
  const vm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setRegister("CNTV_CVAL_EL0", 62_500n);
    registers.setRegister("CNTV_CTL_EL0", 1n);
    yield timerWritten;
    yield wfi;
    assert.ok(machine.machine.time >= 1_000_000);
    registers.setRegister("CNTV_CTL_EL0", 0n);
    yield timerWritten;
    for (;;) yield wfe;
  }, busy], { infoArea: RAM_BASE });
  for (const index of [0, 1]) vm.start(index);
  machine.run(5_000_000);
  assert.deepEqual(vm.vcpus.map(stolen), [0, 0]);
  assert.equal(recordOf(vm, vm.vcpus[0]).stolen, 0);
});

/** A host that does `script`, and a guest that runs only inside its vcpu_run. */
function proxied(guest: (rob: () => Step) => Script, host: (run: () => Step) => Generator<Step, void, void>) {
  const machine = machineWith();
  const robber = new ScriptedVm(machine, 9, [function* () {
    yield { compute: 50_000 };
    robber.vcpus[0].powerOff();
    yield timerWritten;
  }], { priority: 60, affinity: () => 0 });
  const rob = () => {
    robber.start();
    return timerWritten;
  };
  const guestVm = new ScriptedVm(machine, 0x80, [guest(rob)], {
    options: VcpuOption.VcpuRunScheduled,
    affinity: () => CPU_INVALID,
    timeslice: 500_000,
    group: "independent",
    infoArea: RAM_BASE,
  });
  assert.equal(guestVm.addressSpace.configureVmmio(0n, 0x4000_0000n, 0), ErrorCode.OK);
  const hostVm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    yield* host(() => {
      [cap, 0n, 0n, 0n, 0n].forEach((value, index) => registers.setX(index, value));
      return hvc(0x6065);
    });
  }], { affinity: () => 0 });
  const cap = hostVm.grant(guestVm.vcpus[0]);
  guestVm.start();
  hostVm.start();
  machine.run(4_000_000);
  return { guest: guestVm.vcpus[0], host: hostVm.vcpus[0], robber: robber.vcpus[0] };
}

Deno.test("a host that does not call vcpu_run steals; what it lends is not stolen from it", () => {
  const { guest, host } = proxied(() => busy, function* (run) {
    yield { compute: 1_000_000 };
    yield run();
    yield { compute: 700_000 };
    yield run();
  });
  assert.equal(guest.usage.time, 1_000_000);
  // Each call takes the time of an exit.
  assert.equal(stolen(guest), 1_000_000 + 700_000 + 2 * EXIT_COST);
  assert.equal(stolen(host), 0);
});

Deno.test("time that a third one takes while one vCPU runs for another is stolen from both", () => {
  const { guest, host, robber } = proxied((rob) =>
    function* () {
      yield { compute: 100_000 };
      yield rob();
    }, function* (run) {
    yield run();
  });
  assert.ok(robber.usage.time >= 50_000);
  assert.deepEqual([stolen(guest), stolen(host)], [EXIT_COST + robber.usage.time, robber.usage.time]);
});

Deno.test("a vCPU that waits for its VMM in an access does not lose that time", () => {
  let answered = 0;
  const { guest } = proxied(() =>
    function* () {
      yield dataAbort(true, 0x900_0000, 2);
      answered++;
      yield* busy();
    }, function* (run) {
    yield run();
    yield { compute: 1_000_000 };
    yield run();
  });
  assert.equal(answered, 1);
  assert.equal(stolen(guest), EXIT_COST);
});

Deno.test("the calls of PV time answer a vCPU with a record, and no other", () => {
  const machine = machineWith();
  const [vcpu] = new ScriptedVm(machine, 3, [busy], ALL_ON_CPU_0).vcpus;
  const ids = [FEATURES, STOLEN_TIME];
  assert.equal(ask(vcpu, ARCH_FEATURES, FEATURES), 0n);
  assert.deepEqual(ids.map((id) => ask(vcpu, FEATURES, id)), [0n, 0n]);
  assert.equal(ask(vcpu, FEATURES, 0xc500_0022n), NOT_SUPPORTED);
  assert.equal(ask(vcpu, STOLEN_TIME), INFO_IPA + 4096n - 64n);
  assert.equal(ask(vcpu, 0xc500_0022n), NOT_SUPPORTED);
  const [without] = new ScriptedVm(machine, 4, [busy]).vcpus;
  const [off] = new ScriptedVm(new ScriptedMachine(), 3, [busy], ALL_ON_CPU_0).vcpus;
  for (const one of [without, off]) {
    assert.equal(ask(one, ARCH_FEATURES, FEATURES), 0xffff_ffffn);
    assert.deepEqual(ids.map((id) => ask(one, id, STOLEN_TIME)), [NOT_SUPPORTED, NOT_SUPPORTED]);
  }
});

Deno.test("entries and records share an info area: without space for its record, no vCPU becomes active", () => {
  const machine = machineWith();
  const vm = new ScriptedVm(machine, 3, [busy], ALL_ON_CPU_0);
  const area = vm.addressSpace.infoArea!;
  const type = 2 << 16, offset = area.placeFor(8, 8)!;
  assert.equal(offset, 4096 - 64 - 8);
  area.add(type, offset, new Uint8Array(8).fill(7));
  assert.deepEqual(area.find(type), new Uint8Array(8).fill(7));
  assert.equal(area.find(0), undefined, "records have no descriptor");
  assert.deepEqual([...new Uint32Array(machine.machine.ram.bytes(RAM_BASE, 20).slice().buffer)], [type, 8, offset, 0x8000_0000, 0]);
  area.add(type + 1, 128, new Uint8Array(offset - 128));
  const late = machine.create(Vcpu);
  late.attachments.attachCspace(vm.cspace);
  vm.addressSpace.attachThread(late);
  late.attachments.attachVic(vm.vic, 0);
  assert.equal(late.activate(), ErrorCode.OBJECT_CONFIG);
  assert.equal(late.stolenTime?.record, undefined);
});

Deno.test("an info area whose page has another owner is not written to", () => {
  const machine = machineWith();
  const vm = new ScriptedVm(machine, 3, [busy, busy], ALL_ON_CPU_0);
  for (const index of [0, 1]) vm.start(index);
  machine.run(12_000_000);
  const before = recordOf(vm, vm.vcpus[0]).stolen;
  assert.ok(before > 0);
  const taker = machine.create(Memextent);
  const { extent } = vm.addressSpace.infoArea!;
  assert.ok(Memextent.move(machine.hypervisor, extent, taker, extent.base, 4096));
  machine.run(20_000_000);
  assert.ok(stolen(vm.vcpus[0]) > before);
  assert.equal(recordOf(vm, vm.vcpus[0]).stolen, before);
});

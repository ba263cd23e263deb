// RUN of GenieZone's EL2: exits as the driver finds them in its shared pages, and what the next RUN
// answers (docs/spec/geniezone.md §4 to §6, §13).

import assert from "node:assert/strict";
import { GzvmError, GzvmException, GzvmGuestCall, packTuple } from "../../../../src/machine/abi/geniezone/calls.ts";
import { GZVM_RUN_HYPERCALL } from "../../../../src/machine/abi/geniezone/messages.ts";
import {
  GZVM_RUN_EXCEPTION,
  GZVM_RUN_MMIO,
  GZVM_RUN_SYSTEM_EVENT,
  GzvmCap,
  GzvmExit,
} from "../../../../src/machine/abi/ioctl/geniezone.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import { Icc } from "../../../../src/machine/hypervisor/gic/gic-registers.ts";
import { CNTFRQ } from "../../../../src/machine/hardware/clock.ts";
import { dataAbort, hvc, type ScriptedState, timerWritten, wfi } from "../scripted.ts";
import { ADDRESS_SPACE_SIZE, CONDUITS, GIVEN, GUEST, type GzResult, MESSAGE, PAGE, Primary, SHARED } from "./rig.ts";

const exitReason = (exit: number) => BigInt(0x9292_0000 + exit);
const SYSTEM_OFF = 0x8400_0008n, SYSTEM_RESET = 0x8400_0009n, CPU_ON = 0xc400_0003n, CPU_OFF = 0x8400_0002n;

/** Sets X0.. */
function set(registers: ScriptedState, ...x: bigint[]): void {
  for (const [index, value] of x.entries()) registers.setX(index, value);
}

for (const conduit of CONDUITS) {
  Deno.test(`RUN by ${conduit}: a store and a load outside memory leave as MMIO, and the load gets the driver's data`, () => {
    const loaded: bigint[] = [];
    const test = new Primary(
      function* (registers) {
        registers.setX(1, 0x1_2345_6789n);
        yield dataAbort(true, 0x900_0000, 2);
        yield dataAbort(false, 0x900_0018, 1);
        loaded.push(registers.getX(1));
        set(registers, SYSTEM_OFF);
        yield hvc(0);
      },
      1,
      conduit,
    );
    const tuple = packTuple(test.vmWith(), 0);
    test.drive(function* (run) {
      assert.deepEqual(yield* run(tuple), { error: 0, values: [exitReason(GzvmExit.Mmio)] });
      const store = GZVM_RUN_MMIO.decode(test.runStruct());
      assert.deepEqual([store.phys_addr, store.size, store.reg_nr, store.is_write], [0x900_0000n, 4n, 1, 1]);
      assert.deepEqual(store.data, [0x89, 0x67, 0x45, 0x23, 0, 0, 0, 0]);
      yield* run(tuple);
      const load = GZVM_RUN_MMIO.decode(test.runStruct());
      assert.deepEqual([load.phys_addr, load.size, load.is_write], [0x900_0018n, 2n, 0]);
      test.ram.write(SHARED + 16, Uint8Array.of(0x34, 0x12, 0xff, 0xff));
      assert.deepEqual(yield* run(tuple), { error: 0, values: [exitReason(GzvmExit.SystemEvent)] });
    });
    assert.deepEqual(loaded, [0x1234n], "cut to the access");
    assert.equal(GZVM_RUN_SYSTEM_EVENT.decode(test.runStruct()).type, 1);
  });

  Deno.test(`RUN by ${conduit} refuses what is not a vCPU, and pages that are the caller's no more`, () => {
    const test = new Primary(undefined, 1, conduit);
    const vm = test.vmWith();
    const results: GzResult[] = [];
    const other = test.createVm();
    test.drive(function* (run) {
      for (const tuple of [packTuple(vm, 1), packTuple(9, 0), packTuple(other, 0)]) results.push(yield* run(tuple));
    });
    assert.deepEqual(results.map(({ error }) => error), Array(3).fill(GzvmError.InvalidArguments));
    test.region(1, GUEST + 0x100_0000, [[SHARED, 1]]);
    test.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
    test.drive(function* (run) {
      results.push(yield* run(packTuple(vm, 0)));
    });
    assert.equal(results.at(-1)!.error, GzvmError.Fault);
  });
}

Deno.test("WFI is GZ, or IDLE with the timer's delay where the driver has enabled it; an injected interrupt ends it", () => {
  const test = new Primary(function* (registers) {
    for (;;) {
      yield wfi;
      registers.setX(9, registers.getX(9) + 1n);
    }
  });
  const vm = test.vmWith();
  const { vic } = test.zone.vms.get(vm)!.objects;
  const { vcpu } = test.zone.vms.get(vm)!.vcpus[0]!;
  const tuple = packTuple(vm, 0);
  vic.gic.groups = 2;
  vcpu.gic.writeRegister(Icc.PMR, 0xffn);
  vcpu.gic.writeRegister(Icc.IGRPEN1, 1n);
  vic.gic.update(vcpu.gic, 34, Irq.Enabled | Irq.Group1 | Irq.Edge, 0);
  test.drive(function* (run) {
    assert.deepEqual((yield* run(tuple)).values, [exitReason(GzvmExit.Gz)]);
  });
  test.must("ENABLE_CAP", vm, GzvmCap.EnableIdle);
  test.drive(function* (run) {
    assert.deepEqual((yield* run(tuple)).values, [exitReason(GzvmExit.Idle)]);
  });
  assert.equal(vcpu.registers.getX(9), 0n);
  test.must("IRQ_LINE", tuple, 2, 1);
  test.drive(function* (run) {
    yield* run(tuple);
  }, 100_000_000);
  const { nr_lrs, lr } = test.hwState();
  assert.deepEqual([nr_lrs, lr[0] & 0xffffn, lr[0] >> 62n, lr[0] >> 60n & 1n], [1, 34n, 1n, 1n], "pending, group 1");
  assert.ok(vcpu.registers.getX(9) > 0n);
});

Deno.test("the delay of a sleeping vCPU's timer is in its shared page, in ticks", () => {
  const test = new Primary(function* (registers) {
    registers.setRegister("CNTV_CVAL_EL0", BigInt(CNTFRQ));
    registers.setRegister("CNTV_CTL_EL0", 1n);
    yield timerWritten;
    yield wfi;
  });
  const vm = test.vmWith();
  test.must("ENABLE_CAP", vm, GzvmCap.EnableIdle);
  test.drive(function* (run) {
    assert.deepEqual((yield* run(packTuple(vm, 0))).values, [exitReason(GzvmExit.Idle)]);
  });
  const { vtimer_delay, vtimer_migrate, vtimer_offset } = test.hwState();
  assert.deepEqual([vtimer_migrate, vtimer_offset], [1, 0n]);
  assert.ok(vtimer_delay > BigInt(CNTFRQ) * 9n / 10n && vtimer_delay <= BigInt(CNTFRQ), String(vtimer_delay));
});

Deno.test("with demand paging a missing page is an EXCEPTION with its address; MAP_GUEST ends it; relinquished ones are zeros", () => {
  const PAGE_AT = GUEST + 3 * PAGE;
  const answers: bigint[] = [];
  const test = new Primary(function* (registers) {
    yield dataAbort(true, PAGE_AT + 8, 3);
    set(registers, BigInt(GzvmGuestCall.MemRelinquish), BigInt(PAGE_AT));
    yield hvc(0);
    answers.push(registers.getX(0));
    set(registers, BigInt(GzvmGuestCall.MemRelinquish), BigInt(PAGE_AT));
    yield hvc(0);
    answers.push(registers.getX(0));
    yield dataAbort(false, PAGE_AT + 8, 3);
    set(registers, SYSTEM_OFF);
    yield hvc(0);
  });
  const vm = test.createVm();
  test.must("ENABLE_CAP", vm, GzvmCap.EnableDemandPaging);
  test.must("MEMREGION_PURPOSE", vm, GUEST, 16 * PAGE, 1);
  test.must("CREATE_VCPU", packTuple(vm, 0), SHARED);
  test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
  const run1 = (expected: number) =>
    test.drive(function* (run) {
      assert.deepEqual((yield* run(packTuple(vm, 0))).values, [exitReason(expected)]);
    });
  const faulted = () => {
    const { exception, fault_gpa, reserved } = GZVM_RUN_EXCEPTION.decode(test.runStruct());
    assert.deepEqual([exception, fault_gpa], [GzvmException.PageFault, BigInt(PAGE_AT + 8)]);
    assert.ok(reserved.every((word) => word === 0n), "the driver's demand paging resolves it");
  };
  run1(GzvmExit.Exception);
  faulted();
  test.must("MAP_GUEST", vm, 0, GIVEN / PAGE, PAGE_AT / PAGE, 1);
  test.ram.write(GIVEN, Uint8Array.of(0x5e));
  run1(GzvmExit.Hypercall);
  const { args } = GZVM_RUN_HYPERCALL.decode(test.runStruct());
  assert.deepEqual(args.slice(0, 2), [BigInt(GzvmGuestCall.MemRelinquish), BigInt(PAGE_AT)]);
  assert.deepEqual([...test.ram.bytes(GIVEN, 1)], [0], "the driver gets a protected guest's page as zeros");
  assert.equal(test.vm.addressSpace.stage2.lookup(GIVEN)?.pa, GIVEN);
  test.ram.write(SHARED + 8, new Uint8Array(8));
  run1(GzvmExit.Exception);
  assert.deepEqual(answers, [0n, 0xffff_ffff_ffff_ffffn], "a page is given up once");
  faulted();
  test.ram.write(GIVEN + PAGE, Uint8Array.of(0x66));
  test.must("MAP_GUEST", vm, 0, GIVEN / PAGE + 1, PAGE_AT / PAGE, 1);
  assert.deepEqual([...test.ram.bytes(GIVEN + PAGE, 1)], [0], "and comes back as zeros");
  run1(GzvmExit.SystemEvent);
});

Deno.test("a guest's PTP is the driver's, whose answer it gets in X0 to X3", () => {
  const got: bigint[] = [];
  const test = new Primary(function* (registers) {
    set(registers, BigInt(GzvmGuestCall.Ptp), 1n, 0n, 0n, 4n);
    yield hvc(0);
    got.push(...[0, 1, 2, 3, 4].map((index) => registers.getX(index)));
    set(registers, SYSTEM_RESET);
    yield hvc(0);
  });
  const vm = test.vmWith();
  test.drive(function* (run) {
    assert.deepEqual((yield* run(packTuple(vm, 0))).values, [exitReason(GzvmExit.Hypercall)]);
    test.ram.write(SHARED, GZVM_RUN_HYPERCALL.encode({ args: [10n, 11n, 12n, 13n, 14n, 0n, 0n, 0n] }));
    assert.deepEqual((yield* run(packTuple(vm, 0))).values, [exitReason(GzvmExit.SystemEvent)]);
  });
  assert.deepEqual(got, [10n, 11n, 12n, 13n, 4n]);
  assert.equal(GZVM_RUN_SYSTEM_EVENT.decode(test.runStruct()).type, 2, "reset");
});

Deno.test("a second vCPU is IDLE until CPU_ON, which the first one's exit reports as IPI", () => {
  const started: bigint[] = [];
  const test = new Primary(function* (registers) {
    if (registers.pc === 0x4000n) {
      started.push(registers.getX(0));
      set(registers, CPU_OFF);
      yield hvc(0);
    }
    set(registers, CPU_ON, 1n, 0x4000n, 77n);
    yield hvc(0);
    yield wfi;
  });
  const vm = test.vmWith({ vcpus: 2 });
  test.must("ENABLE_CAP", vm, GzvmCap.EnableIdle);
  const reasons: bigint[] = [];
  test.drive(function* (run) {
    for (const vcpu of [1, 0, 1, 0]) reasons.push((yield* run(packTuple(vm, vcpu))).values[0]);
  });
  assert.deepEqual(reasons, [GzvmExit.Idle, GzvmExit.Idle, GzvmExit.Idle, GzvmExit.Idle].map(exitReason));
  assert.deepEqual(started, [77n]);
});

Deno.test("the VM's end while a vCPU runs on another CPU refuses that RUN, and leaves nothing", () => {
  const test = new Primary(function* () {}, 2);
  const before = [...test.hypervisor.objects].length;
  const vm = test.vmWith({ vcpus: 2 });
  const registers = test.vm.state(test.vm.vcpus[1]);
  const seen: bigint[] = [];
  registers.script = function* (own) {
    set(own, 0xfb00_1005n, BigInt(packTuple(vm, 0)));
    yield hvc(0);
    seen.push(own.getX(0));
  };
  test.vm.start(1);
  test.machine.run(100_000);
  assert.deepEqual(seen, []);
  test.must("DESTROY_VM", vm);
  test.machine.run(10_000_000);
  assert.deepEqual(seen, [BigInt.asUintN(64, -8n)]);
  assert.equal([...test.hypervisor.objects].length, before + 1, "EL2's own cspace");
  assert.deepEqual(test.hypervisor.checker!.sweep(), []);
});

Deno.test("GIC frames that overlap memory or each other are refused by the first RUN", () => {
  const test = new Primary();
  const overlapping = [[GUEST, 0x3ff0_0000], [0x3ff0_0000, 0x3ff0_0000], [0x3fff_0000, GUEST - 0x1_0000], [
    0xf_ffff_8000 - 0x8000,
    ADDRESS_SPACE_SIZE - PAGE,
  ]];
  for (const [index, [distributor, redistributor]] of overlapping.entries()) {
    const vm = test.vmWith({ given: GIVEN + index * 0x10_0000 });
    test.must("CREATE_DEVICE", vm, test.device(0, distributor, PAGE));
    test.must("CREATE_DEVICE", vm, test.device(1, redistributor, PAGE));
    test.drive(function* (run) {
      assert.equal((yield* run(packTuple(vm, 0))).error, GzvmError.InvalidArguments);
    });
    assert.match(test.rule!, /^the GIC's frames/);
  }
});

Deno.test("registers of a protected VM are not the driver's after its first RUN; those of another are", () => {
  const test = new Primary(function* (registers) {
    registers.setX(5, 0x55n);
    yield wfi;
  });
  const x5 = 0x6030_0000_0010_000an;
  for (const [index, isProtected] of [false, true].entries()) {
    const vm = test.vmWith({ given: GIVEN + index * 0x10_0000 });
    if (isProtected) test.must("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2);
    test.drive(function* (run) {
      yield* run(packTuple(vm, 0));
    });
    const { error, values } = test.call("GET_ONE_REG", packTuple(vm, 0), x5);
    assert.deepEqual([error, values], isProtected ? [GzvmError.InvalidArguments, []] : [0, [0x55n]]);
    assert.equal(test.call("ENABLE_CAP", vm, GzvmCap.ProtectedVm, 2).error, GzvmError.InvalidArguments, "too late");
    assert.equal(test.call("CREATE_VCPU", packTuple(vm, 1), SHARED).error, GzvmError.InvalidArguments, "too late");
  }
});

// Proxy scheduling: vcpu_run, its exits and resumptions, wakeup and halt vIRQs
// (docs/spec/hypervisor.md §5.4, docs/spec/observed.md §8).

import assert from "node:assert/strict";
import { HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { VcpuOption, VcpuResume, VcpuRunState, VmmioOperation } from "../../../../src/machine/abi/words.ts";
import { AbortSyndrome, ExceptionClass, syndrome } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { DEFERRED } from "../../../../src/machine/hypervisor/capabilities/hypercall-definition.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { Irq } from "../../../../src/machine/hypervisor/gic/irq-bank.ts";
import { EXIT_COST } from "../../../../src/machine/hypervisor/scheduling/execution.ts";
import type { Vcpu } from "../../../../src/machine/hypervisor/scheduling/vcpu.ts";
import { Block } from "../../../../src/machine/hypervisor/scheduling/vcpu-life.ts";
import { dataAbort, hvc, type Script, ScriptedMachine, type ScriptedState, ScriptedVm, smc, type Step, wfi } from "../scripted.ts";
import { nativeCall } from "../native-call.ts";

const RUN = 0x6065;
const CHECK = 0x6068;

/** X0..X4 of a vcpu_run. */
type RunResult = readonly bigint[];

/** A host whose only vCPU does `host`, and a proxy-scheduled guest, powered on. */
function pair(
  guestScript: Script,
  host: (run: (resume?: bigint, action?: bigint) => Generator<Step, RunResult, void>, guest: Vcpu) => Generator<Step, void, void>,
  hostSlice?: number,
) {
  const machine = new ScriptedMachine();
  const guestVm = new ScriptedVm(machine, 0x80, [guestScript], {
    options: VcpuOption.VcpuRunScheduled,
    affinity: () => 0xffff,
    timeslice: 100_000,
    group: "independent",
  });
  assert.equal(guestVm.addressSpace.configureVmmio(0n, 0x4000_0000n, 0), 0);
  const guest = guestVm.vcpus[0];
  let finished = false;
  const hostVm: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    const run = function* (resume = 0n, action = 0n): Generator<Step, RunResult, void> {
      [cap, resume, action, 0n, 0n].forEach((value, index) => registers.setX(index, value));
      yield hvc(RUN);
      return registers.x.slice(0, 5);
    };
    yield* host(run, guest);
    finished = true;
  }], { timeslice: hostSlice });
  const cap = hostVm.grant(guest);
  hostVm.vcpus[0].settings.setAffinity(0);
  return {
    machine,
    guestVm,
    hostVm,
    guest,
    /** Powers the guest on, starts the host and runs until its script has ended. */
    go() {
      guestVm.start();
      hostVm.start();
      machine.run(3_000_000);
      assert.ok(finished, "the host's script has ended");
    },
  };
}

Deno.test("a vCPU that is not powered on is powered off", () => {
  const test = pair(function* () {}, function* (run) {
    assert.deepEqual(yield* run(), [0n, 2n, 0n, 0n, 0n]);
  });
  test.hostVm.start();
  test.machine.run(10_000);
});

Deno.test("a proxy-scheduled vCPU runs inside vcpu_run only, for a slice", () => {
  const test = pair(function* () {}, function* (run, guest) {
    assert.equal(guest.usage.instructions, 0);
    yield { compute: 1_000_000 };
    assert.equal(guest.usage.instructions, 0);
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n]);
    assert.equal(guest.usage.instructions, 100_000);
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n]);
    assert.equal(guest.usage.instructions, 200_000);
  });
  test.go();
});

Deno.test("the caller's slice ends what is lent from it", () => {
  const test = pair(function* () {}, function* (run, guest) {
    yield { compute: 100_000 };
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n]);
    assert.ok(guest.usage.instructions > 0 && guest.usage.instructions <= 50_000, `${guest.usage.instructions}`);
  }, 150_000);
  test.go();
});

Deno.test("WFI expects a wakeup, and the wakeup vIRQ reports it when its interrupt is edge-triggered", () => {
  const test = pair(function* () {
    yield wfi;
    for (;;) yield { compute: 1000 };
  }, function* (run, guest) {
    assert.deepEqual(yield* run(), [0n, 1n, 0n, 1n, 0n]);
    assert.deepEqual(yield* run(), [0n, 1n, 0n, 1n, 0n], "nothing woke it");
    test.guestVm.vic.gic.setPending(guest.gic, 40);
    assert.ok(test.hostVm.vcpus[0].gic.irq);
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n], "the host's own interrupt comes first");
    assert.equal(guest.usage.instructions, 0);
  });
  test.hostVm.vic.gic.update(test.hostVm.vcpus[0].gic, 40, Irq.Edge, 0);
  assert.equal(test.hostVm.vic.bindShared(test.guest.wakeupVirq, 40), 0);
  test.guestVm.start();
  assert.ok(test.hostVm.vcpus[0].gic.irq, "power-on wakes, too");
  test.hostVm.vic.gic.clearPending(test.hostVm.vcpus[0].gic, 40);
  test.hostVm.start();
  test.machine.run(1_000_000);
});

Deno.test("a load in a VMM's range leaves with address and size, and completes with the resume value", () => {
  const test = pair(function* (registers: ScriptedState) {
    yield dataAbort(false, 0x900_0018, 2);
    assert.equal(registers.getX(1), 0x5566_7788n, "cut to the W register, not to the access");
    yield dataAbort(false, 0x900_0018, 0, 1 << 21);
    assert.equal(registers.getX(1), 0xffff_f0f2n, "the real hypervisor's way of a sign extension");
    yield dataAbort(false, 0x900_0018, 1, 1 << 21 | 1 << 15);
    assert.equal(registers.getX(1), 0xffff_ffff_ffff_8001n);
  }, function* (run) {
    assert.deepEqual(yield* run(), [0n, 4n, 0x900_0018n, 4n, 0n]);
    assert.deepEqual(yield* run(0x1122_3344_5566_7788n), [0n, 4n, 0x900_0018n, 1n, 0n]);
    assert.deepEqual(yield* run(0xffff_ffff_ffff_f1f2n), [0n, 4n, 0x900_0018n, 2n, 0n]);
    assert.deepEqual(yield* run(0x8001n), [0n, 0n, 0n, 0n, 0n]);
  });
  test.go();
  assert.equal(test.guestVm.state(test.guest).pc, 0x4000_0000n + 12n);
});

Deno.test("a store in a VMM's range leaves with the whole register", () => {
  const test = pair(function* (registers: ScriptedState) {
    registers.setX(1, 0xfedc_ba98_7654_3210n);
    yield dataAbort(true, 0x900_0000, 0);
  }, function* (run) {
    assert.deepEqual(yield* run(), [0n, 5n, 0x900_0000n, 1n, 0xfedc_ba98_7654_3210n]);
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n]);
  });
  test.go();
});

Deno.test("an access that the VMM does not want emulated is an abort of the guest's", () => {
  const test = pair(function* (registers: ScriptedState) {
    registers.setX(2, 9n);
    yield dataAbort(false, 0x900_0000, 2);
    yield dataAbort(true, 0x900_0004, 2);
    const aborts = [0x900_0000n, 0x900_0004n].map((far) => ({ esr: 0x9600_0010, far }));
    assert.deepEqual([registers.exceptions, registers.getX(2)], [aborts, 9n]);
    yield wfi;
  }, function* (run) {
    assert.equal((yield* run())[1], BigInt(VcpuRunState.AddrspaceVmmioRead));
    assert.equal((yield* run(5n, VcpuResume.Fault))[1], BigInt(VcpuRunState.AddrspaceVmmioWrite));
    assert.equal((yield* run(0n, VcpuResume.Fault))[1], BigInt(VcpuRunState.ExpectsWakeup));
  });
  test.go();
});

Deno.test("accesses of every kind to a missing page of a private range are page faults, and made again", () => {
  const at = 0x8000_0000;
  /** An abort without a description of its access, as of pairs, atomics and table walks. */
  const abort = (exceptionClass: number, iss: number): Step => ({
    reason: ExitReason.Trap,
    esr: syndrome(exceptionClass, iss | 7),
    ipa: at + 0x18,
    far: 0x1234n,
  });
  const { DataAbortLower, InstructionAbortLower } = ExceptionClass;
  const kinds: readonly [name: string, step: Step, write: bigint][] = [
    ["fetch", abort(InstructionAbortLower, 0), 0n],
    ["load", dataAbort(false, at + 0x18, 3), 0n],
    ["store", dataAbort(true, at + 0x18, 3), 1n],
    ["load of a pair", abort(DataAbortLower, 0), 0n],
    ["store of a pair", abort(DataAbortLower, AbortSyndrome.WnR), 1n],
    ["atomic", abort(DataAbortLower, AbortSyndrome.WnR), 1n],
    ["table walk", abort(DataAbortLower, AbortSyndrome.S1ptw), 0n],
    ["table walk of a fetch", abort(InstructionAbortLower, AbortSyndrome.S1ptw), 0n],
    ["cache maintenance", abort(DataAbortLower, AbortSyndrome.Cm | AbortSyndrome.WnR), 0n],
  ];
  for (const [name, step, write] of kinds) {
    let before = 0n;
    const test = pair(function* (registers: ScriptedState) {
      before = registers.pc;
      yield step;
      assert.equal(registers.pc, before, `${name}: the instruction is still to come`);
      yield step;
      assert.equal(registers.exceptions.length, 1, `${name}: an abort, where the host wants that`);
      yield wfi;
    }, function* (run) {
      const fault = [0n, BigInt(VcpuRunState.PageFault), BigInt(at + 0x18), write, 0n];
      assert.deepEqual(yield* run(), fault, name);
      assert.deepEqual(yield* run(VcpuResume.Retry), fault, name);
      assert.equal((yield* run(VcpuResume.Fault))[1], BigInt(VcpuRunState.ExpectsWakeup));
    });
    assert.equal(test.guestVm.addressSpace.configureVmmio(BigInt(at), 0x1000n, VmmioOperation.AddPrivate), 0);
    test.go();
  }
});

Deno.test("an access that the VMM wants made again is made again", () => {
  const test = pair(function* (registers: ScriptedState) {
    registers.setX(1, 9n);
    yield dataAbort(false, 0x900_0000, 2);
    assert.equal(registers.getX(1), 9n);
    yield dataAbort(false, 0x900_0000, 2);
    assert.equal(registers.getX(1), 5n);
    yield wfi;
  }, function* (run) {
    assert.equal((yield* run())[1], BigInt(VcpuRunState.AddrspaceVmmioRead));
    assert.equal((yield* run(4n, VcpuResume.Retry))[1], BigInt(VcpuRunState.AddrspaceVmmioRead));
    assert.equal((yield* run(5n))[1], BigInt(VcpuRunState.ExpectsWakeup));
  });
  test.go();
});

Deno.test("an access outside the VMM's ranges is the guest's own abort", () => {
  const test = pair(function* (registers: ScriptedState) {
    yield dataAbort(true, 0x4000_1000, 2);
    yield dataAbort(true, 0x3fff_fffe, 2);
    assert.deepEqual(registers.exceptions, [
      { esr: 0x9600_0010, far: 0x4000_1000n },
      { esr: 0x9600_0010, far: 0x3fff_fffen },
    ]);
    yield wfi;
  }, function* (run) {
    assert.equal((yield* run())[1], 1n);
  });
  test.go();
});

Deno.test("CPU_SUSPEND expects a wakeup with its power state", () => {
  const test = pair(function* (registers: ScriptedState) {
    registers.setX(0, 0xc400_0001n);
    registers.setX(1, 0x4000_0000n);
    yield smc(0);
  }, function* (run) {
    assert.deepEqual(yield* run(), [0n, 1n, 0x4000_0000n, 2n, 0n]);
  });
  test.go();
});

Deno.test("SYSTEM_OFF powers off and raises the halt vIRQ; once killed, the vCPU has exited", () => {
  const test = pair(function* (registers: ScriptedState) {
    registers.setX(0, 0x8400_0008n);
    yield smc(0);
  }, function* (run, guest) {
    assert.deepEqual(yield* run(), [0n, 2n, 0n, 0n, 0n]);
    assert.ok(test.hostVm.vcpus[0].gic.irq);
    test.hostVm.vic.gic.clearPending(test.hostVm.vcpus[0].gic, 40);
    guest.kill();
    assert.deepEqual(yield* run(), [0n, 2n, 1n, 0n, 0n]);
    assert.deepEqual(yield* run(), [0n, 2n, 1n, 0n, 0n]);
  });
  assert.equal(test.hostVm.vic.bindShared(test.guest.haltVirq, 40), 0);
  test.go();
});

Deno.test("SYSTEM_RESET and SYSTEM_RESET2 say so, with type and cookie", () => {
  for (
    const [id, type, cookie, data0] of [
      [0x8400_0009n, 0n, 0n, 1n << 63n],
      [0xc400_0012n, 0x8000_0001n, 0x1234n, 1n << 62n | 0x8000_0001n],
      [0x8400_0012n, 5n, 6n, 5n],
    ]
  ) {
    const test = pair(function* (registers: ScriptedState) {
      [id, type, cookie].forEach((value, index) => registers.setX(index, value));
      yield smc(0);
    }, function* (run) {
      assert.deepEqual(yield* run(), [0n, 0x100n, data0, cookie, 0n]);
    });
    test.go();
  }
});

Deno.test("an interrupt of the caller ends the run", () => {
  const test = pair(function* () {
    yield { compute: 5_000 };
    bell.send(1n);
    yield { compute: 1_000 };
    // An exit: the caller's interrupt is seen now.
    yield hvc(0x6000);
    assert.fail("the caller goes first");
  }, function* (run, guest) {
    assert.deepEqual(yield* run(), [0n, 0n, 0n, 0n, 0n]);
    assert.equal(guest.usage.instructions, 6_000);
  });
  const bell = test.machine.create(Doorbell);
  bell.activate();
  test.hostVm.vic.bindShared(bell.virq, 40);
  test.go();
});

Deno.test("vcpu_run refuses what it cannot run", () => {
  const machine = new ScriptedMachine();
  const other = new ScriptedVm(machine, 4, [function* () {}]);
  const host: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setX(0, cap);
    yield hvc(RUN);
    assert.equal(registers.getX(0), 31n, "not proxy-scheduled: BUSY");
    registers.setX(0, cap);
    registers.setX(4, 1n);
    yield hvc(RUN);
    assert.equal(registers.getX(0), 1n, "reserved argument: ARGUMENT_INVALID");
    registers.setX(0, cap);
    registers.setX(1, 0n);
    yield hvc(CHECK);
    assert.equal(registers.getX(0), 0n);
    assert.equal(registers.getX(1), 2n, "vcpu_run_check accepts any vCPU");
    done = true;
  }]);
  const cap = host.grant(other.vcpus[0]);
  let done = false;
  host.start();
  machine.run(100_000);
  assert.ok(done);
});

Deno.test("vcpu_run_check of a vCPU that can run is BUSY", () => {
  const machine = new ScriptedMachine();
  const guest = new ScriptedVm(machine, 4, [function* () {}], { options: VcpuOption.VcpuRunScheduled, affinity: () => 0xffff });
  const host: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setX(0, cap);
    registers.setX(1, 0n);
    yield hvc(CHECK);
    assert.equal(registers.getX(0), 31n);
  }]);
  const cap = host.grant(guest.vcpus[0]);
  guest.start();
  host.start();
  machine.run(100_000);
  assert.equal(host.vcpus[0].usage.exits, 1);
});

Deno.test("a pinned vCPU is not run on another CPU, and its access waits on", () => {
  const machine = new ScriptedMachine(2);
  const guestVm = new ScriptedVm(machine, 0x80, [function* () {}], {
    options: VcpuOption.VcpuRunScheduled | VcpuOption.Pinned,
    affinity: () => 1,
    group: "independent",
  });
  const hostVm = new ScriptedVm(machine, 3, [function* () {}]);
  const guest = guestVm.vcpus[0];
  guestVm.start();
  const access = { write: false, ipa: 0x1000, size: 4, value: 0n, esr: 0, far: 0x1000n };
  guest.leaveToVmm(access);
  const reply = nativeCall(machine.hypervisor.hypercalls, hostVm.vcpus[0], 0x65, [hostVm.grant(guest), 5n, 0n, 0n, 0n]);
  assert.ok(typeof reply === "object" && reply.values[0] === 30n, "DENIED");
  assert.equal(guest.life.vmmio, access);
  assert.ok(guest.life.isBlockedBy(Block.Vmmio) && guest.life.isBlockedBy(Block.Run));
});

Deno.test("a vCPU that sleeps while it runs instead of another becomes proxy-scheduled by its wakeup vIRQ, when that yield is over too", () => {
  const machine = new ScriptedMachine();
  const sleeper = new ScriptedVm(machine, 4, [function* () {
    yield wfi;
    for (;;) yield { compute: 1000 };
  }], { affinity: () => 0xffff, group: "aggregated" });
  const caller: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers) {
    registers.setX(0, 1n);
    registers.setX(1, cap);
    yield hvc(0x603b);
  }]);
  const vcpu = sleeper.vcpus[0];
  const cap = caller.grant(vcpu), vic = caller.grant(caller.vic);
  sleeper.start();
  caller.start();
  machine.run(EXIT_COST + 1);
  assert.ok(vcpu.life.isBlockedBy(Block.Wfi) && vcpu.turn.donor === caller.vcpus[0], "it sleeps, and the yield is not over");
  const { hypercalls, scheduler } = machine.hypervisor;
  const bound = nativeCall(hypercalls, caller.vcpus[0], HYPERCALLS.vcpu_bind_virq.number, [cap, vic, 42n, 1n, 0n]);
  assert.ok(bound !== undefined && bound !== DEFERRED && bound.values[0] === 0n);
  assert.equal(vcpu.turn.donor, undefined, "who calls vcpu_run finds it free");
  sleeper.vic.gic.setPending(vcpu.gic, 40);
  scheduler.migrate(vcpu, 0);
  machine.run(10_000_000);
  assert.equal(vcpu.usage.instructions, 0, "nobody called vcpu_run");
});

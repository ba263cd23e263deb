// Scheduling: priorities, slices, sleep and wake-up, timers, directed yields
// (docs/spec/hypervisor.md §5.1 to §5.5).

import assert from "node:assert/strict";
import { CPU_INVALID } from "../../../../src/machine/abi/words.ts";
import { Doorbell } from "../../../../src/machine/hypervisor/ipc/doorbell.ts";
import { EXIT_COST } from "../../../../src/machine/hypervisor/scheduling/execution.ts";
import { checkInvariants } from "../invariants.ts";
import { hvc, type Script, ScriptedMachine, type ScriptedState, ScriptedVm, type Step, timerWritten, wfe, wfi } from "../scripted.ts";

/** Computes in pieces, for ever. */
function* busy(): Generator<Step, void, void> {
  for (;;) yield { compute: 1000 };
}

Deno.test("vCPUs of one priority share a CPU slice by slice", () => {
  const machine = new ScriptedMachine();
  const a = new ScriptedVm(machine, 3, [busy]), b = new ScriptedVm(machine, 4, [busy]);
  a.start();
  b.start();
  machine.run(5_000_000);
  assert.equal(a.vcpus[0].usage.time, 5_000_000);
  assert.equal(b.vcpus[0].usage.time, 0);
  machine.run(35_000_000);
  assert.equal(a.vcpus[0].usage.time, 20_000_000);
  assert.equal(b.vcpus[0].usage.time, 20_000_000);
});

Deno.test("a slice is over when so little is left of it that no time would pass", () => {
  const machine = new ScriptedMachine();
  const a = new ScriptedVm(machine, 3, [busy]), b = new ScriptedVm(machine, 4, [busy]);
  a.start();
  b.start();
  machine.run(1_000_000);
  a.vcpus[0].turn.renew(2 ** -40);
  machine.run(1_000_000);
  assert.equal(a.vcpus[0].usage.time, 1_000_000);
  assert.equal(b.vcpus[0].usage.time, 1_000_000);
});

Deno.test("a higher priority preempts at once, and the lower one continues with the rest of its slice", () => {
  const machine = new ScriptedMachine();
  const low = new ScriptedVm(machine, 3, [busy], { priority: 10 });
  const peer = new ScriptedVm(machine, 5, [busy], { priority: 10 });
  const high = new ScriptedVm(machine, 4, [busy], { priority: 20 });
  low.start();
  peer.start();
  machine.run(2_000_000);
  high.start();
  machine.run(1_000_000);
  assert.equal(high.vcpus[0].usage.time, 1_000_000);
  high.vcpus[0].powerOff();
  machine.run(3_000_000);
  assert.equal(low.vcpus[0].usage.time, 5_000_000);
  machine.run(1_000_000);
  assert.equal(peer.vcpus[0].usage.time, 1_000_000);
});

Deno.test("WFI sleeps until an interrupt is signaled, and falls through when one is", () => {
  const machine = new ScriptedMachine();
  let woken = 0;
  const vm = new ScriptedVm(machine, 3, [function* () {
    for (;;) {
      yield wfi;
      woken++;
      yield { compute: 100 };
    }
  }], { group: "aggregated" });
  const bell = machine.create(Doorbell);
  bell.activate();
  assert.equal(vm.vic.bindShared(bell.virq, 40), 0);
  vm.start();
  assert.equal(machine.run(1_000_000).kind, "idle");
  assert.equal(woken, 0);
  assert.deepEqual(machine.hypervisor.scheduler.waits(), [{ vcpu: "vCPU 0 of VM 3", waits: ["wfi"] }]);
  bell.send(1n);
  machine.run(10 * EXIT_COST);
  assert.ok(woken > 1, "while the interrupt is signalled, WFI does not sleep");
});

Deno.test("a timer wakes its vCPU at its deadline, to the nanosecond of its tick", () => {
  const machine = new ScriptedMachine();
  let woken = -1;
  const vm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setRegister("CNTV_CVAL_EL0", 1_000n);
    registers.setRegister("CNTV_CTL_EL0", 1n);
    yield timerWritten;
    yield wfi;
    woken = machine.machine.time;
    assert.ok(vm.vcpus[0].gic.irq);
    registers.setRegister("CNTV_CTL_EL0", 0n);
    yield timerWritten;
    assert.ok(!vm.vcpus[0].gic.irq, "the line falls with the timer");
  }]);
  vm.start();
  machine.run(1_000_000);
  assert.equal(woken, 16_000);
});

Deno.test("a timer interrupts its vCPU in the middle of a turn", () => {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setRegister("CNTP_CVAL_EL0", 5n);
    registers.setRegister("CNTP_CTL_EL0", 1n);
    yield timerWritten;
    yield { compute: 70 };
    assert.ok(!registers.irq);
    yield { compute: 20 };
    assert.ok(registers.irq);
  }]);
  vm.start();
  assert.notEqual(machine.run(1_000).kind, "stopped");
});

Deno.test("WFE gives up the rest of the turn and no more", () => {
  const machine = new ScriptedMachine(2);
  let passes = 0;
  const vm = new ScriptedVm(machine, 3, [function* () {
    for (;;) {
      yield wfe;
      passes++;
    }
  }, busy]);
  vm.start(0);
  vm.start(1);
  machine.run(10 * machine.machine.quantum);
  assert.equal(passes, 10 - 1, "the tenth pass is in the next turn");
  assert.equal(vm.vcpus[1].usage.time, 10 * machine.machine.quantum);
});

Deno.test("a vCPU that waits for another CPU pays with its slice", () => {
  const machine = new ScriptedMachine();
  const spins = new ScriptedVm(machine, 3, [function* () {
    for (;;) yield wfe;
  }]);
  const works = new ScriptedVm(machine, 4, [busy]);
  spins.start();
  works.start();
  machine.run(10_000_000);
  assert.ok(works.vcpus[0].usage.time >= 4_900_000, `${works.vcpus[0].usage.time}`);
});

Deno.test("scheduler_yield gives the CPU to the next of the same priority", () => {
  const machine = new ScriptedMachine();
  const order: string[] = [];
  const yields = (name: string) =>
    function* () {
      for (;;) {
        order.push(name);
        yield { compute: 10 };
        yield hvc(0x603b);
      }
    };
  const a = new ScriptedVm(machine, 3, [yields("a")]), b = new ScriptedVm(machine, 4, [yields("b")]);
  a.start();
  b.start();
  machine.run(6 * EXIT_COST);
  assert.deepEqual(order.slice(0, 4), ["a", "b", "a", "b"]);
});

Deno.test("a directed yield runs its target instead of the caller until the target sleeps", () => {
  const machine = new ScriptedMachine();
  const log: string[] = [];
  const target = new ScriptedVm(machine, 4, [function* () {
    log.push("target");
    yield { compute: 50 };
    yield wfi;
  }], { affinity: () => 0xffff, group: "aggregated" });
  const caller = new ScriptedVm(machine, 3, [function* (registers: ScriptedState) {
    registers.setX(0, 1n);
    registers.setX(1, cap);
    log.push("caller");
    yield hvc(0x603b);
    assert.equal(registers.getX(0), 0n);
    log.push("back");
  }]);
  const cap = caller.grant(target.vcpus[0]);
  target.start();
  caller.start();
  machine.run(10 * EXIT_COST);
  assert.deepEqual(log, ["caller", "target", "back"]);
  assert.equal(target.vcpus[0].usage.instructions, 50);
});

Deno.test("a killed vCPU exits when it runs next, whatever it waited for", () => {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 3, [function* () {
    yield wfi;
  }], { group: "aggregated" });
  vm.start();
  machine.run(1_000);
  vm.vcpus[0].kill();
  assert.equal(vm.vcpus[0].life.stage, "killed");
  machine.run(1_000);
  assert.equal(vm.vcpus[0].life.stage, "exited");
});

Deno.test("a killed vCPU exits on a CPU that it would never get", () => {
  const machine = new ScriptedMachine();
  const low = new ScriptedVm(machine, 3, [busy], { priority: 10 });
  const asleep = new ScriptedVm(machine, 5, [function* () {
    yield wfi;
  }], { priority: 20 });
  const high = new ScriptedVm(machine, 4, [busy], { priority: 30 });
  for (const vm of [low, asleep, high]) vm.start();
  machine.run(1_000_000);
  for (const { vcpus: [vcpu] } of [low, asleep]) {
    vcpu.kill();
    checkInvariants(machine.hypervisor);
  }
  machine.run(1_000);
  assert.deepEqual([low, asleep].map(({ vcpus: [vcpu] }) => vcpu.life.stage), ["exited", "exited"]);
  assert.equal(high.vcpus[0].usage.time, 1_001_000, "it takes no time");
});

Deno.test("a loop of nothing but exits takes virtual time", () => {
  const machine = new ScriptedMachine();
  const vm = new ScriptedVm(machine, 3, [function* () {
    for (;;) yield hvc(0x6000);
  }]);
  vm.start();
  assert.equal(machine.run(100 * EXIT_COST).kind, "time");
  assert.equal(vm.vcpus[0].usage.exits, 100);
});

/** X0 and X1 of a yield to a thread, and the call. */
function* yieldTo(registers: ScriptedState, cap: bigint): Generator<Step, void, void> {
  registers.setX(0, 1n);
  registers.setX(1, cap);
  yield hvc(0x603b);
  assert.equal(registers.getX(0), 0n);
}

/**
 * Three VMs on one CPU; only the first is scheduled by itself, the others run where somebody yields
 * to them.
 */
function chain(scripts: readonly [first: Script, second: Script, third: Script]) {
  const machine = new ScriptedMachine();
  const vms = scripts.map((script, index) =>
    new ScriptedVm(machine, 3 + index, [script], { affinity: () => index === 0 ? 0 : 0xffff, group: "aggregated" })
  );
  return { machine, vms };
}

Deno.test("a yield from inside a yield redirects it: the place goes back to the first", () => {
  const log: string[] = [];
  const caps: bigint[] = [];
  const { machine, vms } = chain([
    function* (registers) {
      log.push("first");
      yield* yieldTo(registers, caps[0]);
      log.push("first again");
    },
    function* (registers) {
      log.push("second");
      yield* yieldTo(registers, caps[1]);
      log.push("second again");
    },
    function* () {
      log.push("third");
      yield { compute: 50 };
      yield wfi;
    },
  ]);
  caps.push(vms[0].grant(vms[1].vcpus[0]), vms[1].grant(vms[2].vcpus[0]));
  for (const vm of [vms[2], vms[1], vms[0]]) vm.start();
  machine.run(20 * EXIT_COST);
  assert.deepEqual(log, ["first", "second", "third", "first again"]);
});

Deno.test("a yield back to who yielded ends the yield", () => {
  const log: string[] = [];
  const caps: bigint[] = [];
  const { machine, vms } = chain([
    function* (registers) {
      yield* yieldTo(registers, caps[0]);
      log.push("first again");
    },
    function* (registers) {
      log.push("second");
      yield* yieldTo(registers, caps[1]);
      log.push("second again");
    },
    function* () {},
  ]);
  caps.push(vms[0].grant(vms[1].vcpus[0]), vms[1].grant(vms[0].vcpus[0]));
  for (const vm of [vms[1], vms[0]]) vm.start();
  machine.run(20 * EXIT_COST);
  assert.deepEqual(log, ["second", "first again"]);
});

Deno.test("a vCPU that is moved to another CPU leaves the place that it runs in", () => {
  const machine = new ScriptedMachine(2);
  const target = new ScriptedVm(machine, 4, [busy], { affinity: () => 0xffff, group: "aggregated" });
  let back = false;
  const caller: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers) {
    yield* yieldTo(registers, cap);
    back = true;
    for (;;) yield { compute: 1000 };
  }]);
  const cap = caller.grant(target.vcpus[0]);
  target.start();
  caller.start();
  machine.run(100_000);
  assert.ok(!back);
  machine.hypervisor.scheduler.migrate(target.vcpus[0], 1);
  machine.run(100_000);
  assert.ok(back);
  assert.equal(target.vcpus[0].turn.donor, undefined);
  const before = target.vcpus[0].usage.time;
  machine.run(100_000);
  assert.equal(target.vcpus[0].usage.time - before, 100_000, "it has the other CPU for itself");
});

Deno.test("a vCPU that somebody yielded to who is scheduled no more wakes by itself", () => {
  const machine = new ScriptedMachine();
  let woken = 0;
  const target = new ScriptedVm(machine, 4, [function* () {
    yield { compute: 100_000 };
    for (;;) {
      yield wfi;
      woken++;
    }
  }], { group: "aggregated" });
  const caller: ScriptedVm = new ScriptedVm(machine, 3, [function* (registers) {
    yield* yieldTo(registers, cap);
  }], { priority: 40 });
  const cap = caller.grant(target.vcpus[0]);
  target.start();
  caller.start();
  machine.run(10_000);
  assert.equal(target.vcpus[0].turn.donor, caller.vcpus[0]);
  machine.hypervisor.scheduler.migrate(caller.vcpus[0], CPU_INVALID);
  machine.run(200_000);
  assert.equal(woken, 0);
  target.vic.gic.setPending(target.vcpus[0].gic, 40);
  machine.run(10_000);
  assert.ok(woken > 0);
  machine.hypervisor.scheduler.migrate(caller.vcpus[0], 0);
  machine.run(10_000);
  checkInvariants(machine.hypervisor);
});

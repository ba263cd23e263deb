// Breakpoints of the core: they stop exactly where they should, change nothing else, and survive
// whatever happens to decoded instructions.

import assert from "node:assert/strict";
import { type ExitHandler, ExitReason } from "../../../../src/cpu/core/interface.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const at = (index: number) => BigInt(CODE + 4 * index);

/** Counts X0 up to X1; the comparison and the branch after it are a pair with one handler. */
const LOOP: readonly Line[] = [
  ["add x0, x0, #0x1", 0x91000400],
  ["subs xzr, x0, x1", 0xeb01001f],
  ["b.ne", 0x54ffffc1],
  ["b", 0x14000000],
];

function looping(): Machine {
  const machine = new Machine();
  machine.load(CODE, LOOP);
  machine.vcpu.setX(1, 1000n);
  machine.vcpu.pc = at(0);
  return machine;
}

Deno.test("a breakpoint stops before its instruction, with the exact count, on every instruction of a loop", () => {
  for (const [index, retired] of [[0, 0], [1, 1], [2, 2]]) {
    const machine = looping();
    machine.run(9); // the loop is decoded, its pair is made
    machine.core.stops.insertBreakpoint(machine.vcpu.stage2, at(index));
    const exit = machine.run(1000);
    assert.equal(exit.reason, ExitReason.Breakpoint);
    assert.equal(exit.retired, retired);
    assert.equal(machine.vcpu.pc, at(index));
  }
});

Deno.test("a breakpoint stops again and again; a step passes it", () => {
  const machine = looping();
  const { core, vcpu } = machine;
  core.stops.insertBreakpoint(vcpu.stage2, at(2));
  for (let round = 1n; round < 20n; round++) {
    const exit = machine.run(1000);
    assert.equal(exit.reason, ExitReason.Breakpoint);
    assert.equal(vcpu.getX(0), round);
    assert.equal(machine.run(1000).retired, 0, "it stops before the instruction");
    assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
    assert.equal(vcpu.pc, at(0));
  }
});

Deno.test("a removed breakpoint stops nobody, and may be set again", () => {
  const machine = looping();
  const { core, vcpu } = machine;
  core.stops.insertBreakpoint(vcpu.stage2, at(1));
  machine.run(1000);
  core.stops.removeBreakpoint(vcpu.stage2, at(1));
  assert.deepEqual([machine.run(299).reason, vcpu.getX(0)], [ExitReason.Budget, 100n]);
  core.stops.insertBreakpoint(vcpu.stage2, at(1));
  assert.equal(machine.run(1000).reason, ExitReason.Breakpoint);
  assert.equal(vcpu.getX(0), 101n);
});

Deno.test("a run that breakpoints interrupt is the same run", () => {
  const plain = looping();
  plain.run(2500);
  const stopped = looping();
  stopped.core.stops.insertBreakpoint(stopped.vcpu.stage2, at(1));
  stopped.core.stops.insertBreakpoint(stopped.vcpu.stage2, at(2));
  let left = 2500;
  while (left > 0) {
    const exit = stopped.run(Math.min(left, 7));
    left -= exit.retired;
    if (exit.reason === ExitReason.Breakpoint) left -= stopped.core.step(stopped.vcpu, stopped.now, stopped.now).retired;
  }
  assert.equal(stopped.registers(), plain.registers());
});

Deno.test("a breakpoint of another VM, or at another address of the same memory, does not stop", () => {
  const machine = looping();
  machine.core.stops.insertBreakpoint(machine.vcpu.stage2 + 1, at(1));
  assert.equal(machine.run(100).reason, ExitReason.Budget);
});

Deno.test("a breakpoint survives a rewrite of its instruction, by the guest or from outside", () => {
  const machine = looping();
  const { core, vcpu } = machine;
  core.stops.insertBreakpoint(vcpu.stage2, at(1));
  machine.run(1000);
  machine.load(CODE, [LOOP[0], ["subs xzr, x0, x2", 0xeb02001f]]);
  machine.run(1000);
  assert.equal(core.step(vcpu, machine.now, machine.now).retired, 1);
  assert.equal(vcpu.pc, at(2));
  assert.deepEqual([machine.run(1000).reason, vcpu.pc], [ExitReason.Breakpoint, at(1)]);

  // X3 is what to write, X4 where; the loop is at `CODE`.
  machine.load(CODE + 0x100, [["str w3, [x4]", 0xb9000083], ["b", 0x17ffffbf]]);
  vcpu.setX(3, 0xeb01001fn);
  vcpu.setX(4, at(1));
  vcpu.pc = BigInt(CODE + 0x100);
  for (let round = 0; round < 100; round++) {
    vcpu.pc = BigInt(CODE + 0x100);
    const exit = machine.run(1000);
    assert.deepEqual([exit.reason, exit.retired, vcpu.pc], [ExitReason.Breakpoint, 3, at(1)], `round ${round}`);
  }
});

Deno.test("inspecting an address through another vCPU leaves the exclusive monitor as it is", () => {
  const machine = new Machine();
  machine.load(CODE, [["ldxr x2, [x3]", 0xc85f7c62], ["stxr w4, x2, [x3]", 0xc8047c62]]);
  machine.vcpu.setX(3, BigInt(RAM_BASE + 0x2000));
  machine.vcpu.setX(4, 7n);
  machine.run(1, CODE);
  const other = machine.createVcpu();
  assert.deepEqual(machine.core.questions.inspect(other, BigInt(RAM_BASE + 8)), { ok: true, pa: RAM_BASE + 8, ipa: RAM_BASE + 8 });
  assert.equal(machine.core.questions.inspect(other, 0n).ok, false);
  machine.run(1);
  assert.equal(machine.vcpu.getX(4), 0n, "the store was done");
});

/** Looks at instructions of the loop: the address, X0, and the time at each of them. */
function observed(machine: Machine, ...indices: number[]): { seen: [pc: bigint, x0: bigint, time: number, retired: number][] } {
  const { core, vcpu } = machine, seen: [bigint, bigint, number, number][] = [];
  for (const index of indices) core.stops.observe(vcpu.stage2, at(index));
  core.stops.observer = ({ pc, getX }, time, retired) => {
    if (!indices.some((index) => at(index) === pc)) return undefined;
    seen.push([pc, getX.call(vcpu, 0), time, retired]);
    return false;
  };
  return { seen };
}

Deno.test("an observed instruction is seen each time before it is executed, at its time, and the run is the same run", () => {
  const plain = looping(), looked = looping();
  const { seen } = observed(looked, 1);
  const began = looked.now;
  assert.equal(plain.run(2500).reason, looked.run(2500).reason);
  assert.equal(looked.registers(), plain.registers());
  assert.equal(seen.length, 833);
  for (const [round, one] of seen.entries()) {
    const retired = 3 * round + 1;
    assert.deepEqual(one, [at(1), BigInt(round + 1), began + retired, retired]);
  }
});

Deno.test("exits after an observed instruction call EL2 in the middle of the run, as without an observer", () => {
  const machine = new Machine(), { core, vcpu } = machine;
  machine.load(CODE, [["add x0, x0, #0x1", 0x91000400], ["hvc #0x0", 0xd4000002], ["b", 0x17fffffe]]);
  vcpu.pc = at(0);
  const { seen } = observed(machine, 0);
  let left = 300, calls = 0;
  const el2: ExitHandler = {
    now: machine.now,
    exitCost: 0,
    repeats: false,
    handle(exit) {
      calls++;
      left -= exit.retired;
      Object.assign(el2, { now: el2.now + exit.retired });
      return left;
    },
    repeated() {},
    reached: () => 0,
  };
  const exit = core.run(vcpu, machine.now, left, machine.now, el2);
  assert.deepEqual([exit.reason, calls, seen.length, vcpu.getX(0)], [ExitReason.Budget, 100, 100, 100n]);
  // Each is seen at its time, which counts from the exit before it.
  assert.deepEqual(seen.map(([, , time]) => time - machine.now), Array.from({ length: 100 }, (_, round) => 3 * round));
});

Deno.test("an observer ends the run after the instruction that it saw", () => {
  const machine = looping(), { core, vcpu } = machine;
  core.stops.observe(vcpu.stage2, at(1));
  core.stops.observer = ({ pc }) => pc === at(1) && vcpu.getX(0) === 5n;
  const exit = machine.run(1000);
  assert.deepEqual([exit.reason, exit.retired, vcpu.pc, vcpu.getX(0)], [ExitReason.Budget, 14, at(2), 5n]);
});

Deno.test("an instruction with a breakpoint is seen once: as it is executed after the stop", () => {
  const machine = looping(), { core, vcpu } = machine;
  const { seen } = observed(machine, 1);
  core.stops.insertBreakpoint(vcpu.stage2, at(1));
  for (let round = 1; round < 10; round++) {
    assert.equal(machine.run(1000).reason, ExitReason.Breakpoint);
    assert.equal(seen.length, round - 1);
    core.step(vcpu, machine.now, machine.now);
    assert.equal(seen.length, round);
  }
  core.stops.removeBreakpoint(vcpu.stage2, at(1));
  machine.run(30);
  assert.equal(seen.length, 19);
});

Deno.test("an observed instruction that is replaced meanwhile is executed as it is then, and nobody looks after the end", () => {
  const machine = looping(), { core, vcpu } = machine;
  const { seen } = observed(machine, 0);
  machine.run(30);
  assert.deepEqual([seen.length, vcpu.getX(0)], [10, 10n]);
  machine.load(CODE, [["add x0, x0, #0x2", 0x91000800]]);
  core.memoryWritten(CODE, 4);
  machine.run(30);
  assert.deepEqual([seen.length, vcpu.getX(0)], [20, 30n]);
  core.stops.ignore(vcpu.stage2, at(0));
  core.stops.observer = undefined;
  machine.run(30);
  assert.deepEqual([seen.length, vcpu.getX(0)], [20, 50n]);
});

Deno.test("each ERET is observed while that is wanted, before it is executed, and the run is the same run", () => {
  /** EL1 returns to the instruction after its ERET, and begins again. */
  const returning = () => {
    const machine = new Machine(), { vcpu } = machine;
    machine.load(CODE, [["add x0, x0, #0x1", 0x91000400], ["eret", 0xd69f03e0], ["hint #0x0", 0xd503201f], ["b", 0x17fffffd]]);
    vcpu.setRegister("ELR_EL1", at(2));
    vcpu.setRegister("SPSR_EL1", BigInt(vcpu.pstate));
    vcpu.pc = at(0);
    return machine;
  };
  const plain = returning(), looked = returning(), { core: { stops }, vcpu } = looked;
  const seen: [pc: bigint, x0: bigint, time: number][] = [], began = looked.now;
  stops.observer = ({ pc }, time, _, returns) => {
    if (!returns) return undefined;
    seen.push([pc, vcpu.getX(0), time - began]);
    return false;
  };
  looked.run(400);
  assert.equal(seen.length, 0);
  stops.observesReturns = true;
  assert.equal(plain.run(400).reason, looked.run(400).reason);
  plain.run(400);
  assert.equal(looked.registers(), plain.registers());
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, round) => [at(1), BigInt(101 + round), 401 + 4 * round]));
  // Beside the writers of a register, which stop the run.
  stops.watchRegisters(["x0"]);
  assert.equal(looked.run(400).reason, ExitReason.Breakpoint);
  assert.equal(vcpu.pc, at(0));
  stops.watchRegisters([]);
  stops.observesReturns = false;
  looked.run(400);
  assert.equal(seen.length, 100);
});

// Loops that only wait for the counter: what a core leaves out of them nobody can tell from what it
// executes.

import assert from "node:assert/strict";
import { INSTRUCTIONS } from "../translator/executed-code.ts";
import { findCounterLoop, isAtLoop, spareTurns } from "../../../../src/cpu/core/waits/counter-loop.ts";
import type { CoreOptions } from "../../../../src/cpu/core/core.ts";
import { CPU } from "../../../../src/cpu/core/state/cpu-state.ts";
import { TIERS } from "../../../../src/cpu/core/tiers.ts";
import { DEFAULT_CPU, parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
/** The instruction of a loop once its wait is over. */
const END: Line = ["b", 0x14000000];
const READ: Line = ["mrs x0, cntvct_el0", 0xd53be040];

/** A loop, and the registers that it starts with. */
interface Wait {
  readonly program: readonly Line[];
  readonly registers?: Readonly<Record<number, bigint>>;
  /** Whether every instruction has to be executed. */
  readonly executed?: true;
  /** The CPU, if it needs another than the default one. */
  readonly cpu?: string;
}

const WAITS: Readonly<Record<string, Wait>> = {
  "up to a value of the counter": {
    program: [READ, ["subs xzr, x0, x19", 0xeb13001f], ["b.cc", 0x54ffffc3], END],
    registers: { 19: 90_000n },
  },
  "in a function, for a difference": {
    program: [
      ...[["bl", 0x94000005], ["sub x2, x0, x20", 0xcb140002], ["subs xzr, x2, x21", 0xeb15005f], ["b.ls", 0x54ffffa9], END] as Line[],
      ...[["isb", 0xd5033fdf], ["mrs x0, cntpct_el0", 0xd53be020], ["ret", 0xd65f03c0]] as Line[],
    ],
    registers: { 20: 0n, 21: 80_000n },
  },
  "for a number of microseconds": {
    program: [
      ...[READ, ["ubfm x1, x0, #2, #63", 0xd342fc01], ["madd x1, x1, x22, xzr", 0x9b167c21], ["subs x3, x1, x23", 0xeb170023]] as Line[],
      ...[["b.mi", 0x54ffff84], END] as Line[],
    ],
    registers: { 22: 7n, 23: 150_000n },
  },
  "for a sign": {
    program: [READ, ["sub x0, x0, x19", 0xcb130000], ["tbnz x0, #63, 0xfffffffffffffff8", 0xb7ffffc0], END],
    registers: { 19: 70_001n },
  },
  "with a condition as a value": {
    program: [
      ...[["mrs x4, cntvct_el0", 0xd53be044], ["subs xzr, x4, x19", 0xeb13009f], ["csinc w3, wzr, wzr, cs", 0x1a9f27e3]] as Line[],
      ...[["cbnz w3", 0x35ffffa3], END] as Line[],
    ],
    registers: { 19: 60_013n },
  },
  "in words": {
    program: [READ, ["sub w0, w0, w20", 0x4b140000], ["subs wzr, w0, w21", 0x6b15001f], ["b.cc", 0x54ffffa3], END],
    registers: { 20: 0n, 21: 50_021n },
  },
  "with a register that only turns before the last one set": {
    program: [READ, ["subs xzr, x0, x19", 0xeb13001f], ["b.cs", 0x54000062], ["add x7, x0, #0x1", 0x91000407], ["b", 0x17fffffc], END],
    registers: { 19: 66_666n },
  },
  "by the counter that is read in program order": {
    program: [["mrs x0, cntvctss_el0", 0xd53be0c0], ["subs xzr, x0, x19", 0xeb13001f], ["b.cc", 0x54ffffc3], END],
    registers: { 19: 90_000n },
    cpu: "v8.6",
  },
  "while a bit of the counter goes up and down": {
    program: [READ, ["tbz w0, #8, 0xfffffffffffffffc", 0x3647ffe0], READ, ["tbnz w0, #8, 0xfffffffffffffffc", 0x3747ffe0], [
      "b",
      0x17fffffc,
    ]],
  },
  "that counts its turns": {
    program: [["add x5, x5, #0x1", 0x910004a5], READ, ["subs xzr, x0, x19", 0xeb13001f], ["b.cc", 0x54ffffa3], END],
    registers: { 19: 30_000n },
    executed: true,
  },
  "that stores": {
    program: [READ, ["str x0, [x24]", 0xf9000300], ["subs xzr, x0, x19", 0xeb13001f], ["b.cc", 0x54ffffa3], END],
    registers: { 19: 30_000n, 24: BigInt(RAM_BASE) },
    executed: true,
  },
};

/** Budgets in turn: the scheduler's, short ones, and some that end in the middle of turns. */
const BUDGETS = [20_000, 20_000, 7, 1, 19_999, 333, 20_000, 100_000, 12_345, 2];
const RUNS = 60;
const TIER_OPTIONS: readonly CoreOptions[] = TIERS.map((tier) => ({
  tier,
  ...tier === "interp" ? {} : { hotness: { samples: 2, landings: 20, slice: 5_000 } },
}));

function machineOf({ program, registers = {}, cpu = DEFAULT_CPU }: Wait, options: CoreOptions): Machine {
  const machine = new Machine({ ...options, cpu: parseCpu(cpu) });
  machine.load(CODE, program);
  for (const [index, value] of Object.entries(registers)) machine.vcpu.setX(Number(index), value);
  machine.vcpu.pc = BigInt(CODE);
  return machine;
}

for (const [name, wait] of Object.entries(WAITS)) {
  Deno.test(`a wait ${name} leaves the same state whether it is executed or not`, () => {
    for (const options of TIER_OPTIONS) {
      const executed = machineOf(wait, { ...options, sparesWaits: false }), spared = machineOf(wait, options);
      for (let i = 0; i < RUNS; i++) {
        const budget = BUDGETS[i % BUDGETS.length];
        for (const machine of [executed, spared]) machine.run(budget);
        assert.equal(spared.registers(), executed.registers(), `after run ${i} in ${options.tier}`);
        assert.equal(spared.now, executed.now);
      }
      assert.equal(executed.core.counters.sparedInstructions, 0);
      const share = spared.core.counters.sparedInstructions / spared.now;
      if (wait.executed) assert.equal(share, 0);
      else assert.ok(share > 0.005, `${share} of ${spared.now} instructions in ${options.tier}`);
    }
  });
}

Deno.test("an interrupt that is taken ends a wait, and one that is masked does not", () => {
  for (const masked of [true, false]) {
    const states = [false, true].map((sparesWaits) => {
      const machine = machineOf(WAITS["up to a value of the counter"], { sparesWaits });
      machine.vcpu.setRegister("VBAR_EL1", BigInt(RAM_BASE + 0x8000));
      machine.load(RAM_BASE + 0x8280, [["add x9, x9, #0x1", 0x91000529], ["b", 0x17ffffff]]);
      if (!masked) machine.vcpu.pstate &= ~0x3c0;
      const seen: string[] = [];
      for (let i = 0; i < 12; i++) {
        machine.vcpu.irq = i >= 6;
        machine.run(20_000);
        seen.push(machine.registers());
      }
      return seen;
    });
    assert.deepEqual(states[1], states[0]);
  }
});

Deno.test("code that changes during a wait is executed as it is then", () => {
  const states = [false, true].map((sparesWaits) => {
    const machine = machineOf(WAITS["up to a value of the counter"], { sparesWaits });
    for (let i = 0; i < 4; i++) machine.run(20_000);
    machine.load(CODE + 4, [["subs xzr, x0, x18", 0xeb12001f]]);
    machine.run(20_000);
    return machine.registers();
  });
  assert.equal(states[1], states[0]);
});

Deno.test("a breakpoint in a wait is hit", () => {
  const machine = machineOf(WAITS["up to a value of the counter"], {});
  for (let i = 0; i < 4; i++) machine.run(20_000);
  assert.ok(machine.core.counters.sparedInstructions > 0);
  machine.core.stops.insertBreakpoint(machine.vcpu.stage2, BigInt(CODE + 4));
  const { retired } = machine.run(20_000);
  assert.ok(retired < 4, `${retired} instructions`);
  assert.equal(machine.vcpu.pc, BigInt(CODE + 4));
});

Deno.test("a loop that was thought to wait longer than it does would be noticed", () => {
  const machine = machineOf(WAITS["up to a value of the counter"], { sparesWaits: false });
  machine.run(20_000);
  const memory = {
    words: new Int32Array(machine.memory.buffer),
    halves: new Uint16Array(machine.memory.buffer),
    instructions: INSTRUCTIONS,
  };
  const loop = findCounterLoop(memory, machine.now)!;
  assert.ok(isAtLoop(memory, loop) && loop.until < 90_000n);
  assert.equal(loop.length, 3);
  // As many turns as there are before the deadline, and with a wrong end more than that.
  const left = 10_000_000, deadline = 90_000 * 16;
  const time = (wait: typeof loop) => machine.now + 3 * spareTurns(wait, machine.now, machine.now, left);
  assert.ok(time(loop) < deadline);
  assert.ok(time({ ...loop, until: 200_000n }) > deadline);
  assert.equal(spareTurns(loop, machine.now, deadline, left), 0);
  memory.words[CPU.PC >> 2] += 4;
  assert.ok(!isAtLoop(memory, loop));
});

// EL2 called in the middle of a run: the same exits, at the same times, with the same ends as when
// the caller of `run` handles them.

import assert from "node:assert/strict";
import type { Exit, ExitHandler } from "../../../../src/cpu/core/interface.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const COST = 100;
const CODE = RAM_BASE + 0x1000;
/** Adds up the times that it sees, and calls EL2 each time round. */
const LOOP: readonly Line[] = [
  ["mrs x1, cntvct_el0", 0xd53be041],
  ["add x2, x2, x1", 0x8b010042],
  ["hvc #0x1", 0xd4000022],
  ["add x0, x0, #0x1", 0x91000400],
  ["b", 0x17fffffc],
];
const INSTRUCTIONS = 5;
const MDSCR_SS = 1n;

function machineWithLoop(options?: ConstructorParameters<typeof Machine>[0]): Machine {
  const machine = new Machine(options);
  machine.load(CODE, LOOP);
  machine.vcpu.pc = BigInt(CODE);
  return machine;
}

/**
 * EL2 up to a virtual time: notes the exits. `visit` may do something in each; what it answers ends
 * the run.
 */
class Handler implements ExitHandler {
  readonly log: string[] = [];
  readonly exitCost = COST;
  readonly repeats: boolean = false;

  constructor(readonly machine: Machine, readonly limit: number, readonly visit: (exit: Exit) => boolean | void = () => {}) {}

  get now(): number {
    return this.machine.now;
  }

  handle(exit: Exit): number {
    this.machine.now += exit.retired + COST;
    this.log.push(`${exit.reason} ${exit.esr.toString(16)} ${this.now} ${this.machine.registers()}`);
    return this.visit(exit) ? 0 : Math.max(0, this.limit - this.now);
  }

  repeated(): void {
    assert.fail("no exit repeats");
  }

  reached(): number {
    return assert.fail("no instruction is reported");
  }

  /** Runs with this handler, or is the caller that handles exits itself. */
  run(called: boolean): void {
    const { machine, limit } = this;
    while (machine.now < limit) {
      const exit = machine.core.run(machine.vcpu, machine.now, limit - machine.now, 0, called ? this : undefined);
      if (exit.reason === ExitReason.Budget) machine.now += exit.retired;
      else if (this.handle(exit) === 0) return;
    }
  }
}

for (const tier of ["interp", "jit"] as const) {
  for (const limit of [1_000, 20_001, 60_000]) {
    Deno.test(`exits inside and outside of a run are the same: ${tier}, ${limit} ns`, () => {
      const [inside, outside] = [true, false].map((called) => {
        const machine = machineWithLoop({ tier, hotness: { samples: 1, landings: 2, slice: 777 } });
        const handler = new Handler(machine, limit);
        handler.run(called);
        return [...handler.log, machine.now, machine.registers()];
      });
      assert.ok(outside.length > limit / (COST + INSTRUCTIONS));
      assert.deepEqual(inside, outside);
    });
  }
}

Deno.test("a run that EL2 ends says so with its budget, and counts nothing twice", () => {
  const machine = machineWithLoop();
  const handler = new Handler(machine, 10_000, () => true);
  const exit = machine.core.run(machine.vcpu, 0, 10_000, 0, handler);
  assert.deepEqual([exit.reason, exit.retired, handler.log.length], [ExitReason.Budget, 0, 1]);
});

Deno.test("EL2 may look through the eyes of another vCPU in the middle of a run", () => {
  const machine = machineWithLoop();
  const other = machine.createVcpu();
  other.setX(0, 0xdeadn);
  const handler = new Handler(machine, 5_000, () => assert.ok(machine.core.translate(other, BigInt(CODE), "read", 1).ok) as undefined);
  handler.run(true);
  const alone = machineWithLoop();
  new Handler(alone, 5_000).run(true);
  assert.equal(machine.registers(), alone.registers());
  assert.equal(other.getX(0), 0xdeadn);
});

Deno.test("a run ends where EL2 sets debug registers, which the next one obeys from its start", () => {
  const machine = machineWithLoop();
  let count = 0;
  const handler = new Handler(machine, 5_000, () => void (++count === 3 && machine.vcpu.setRegister("MDSCR_EL1", MDSCR_SS)));
  const exit = machine.core.run(machine.vcpu, 0, 5_000, 0, handler);
  assert.deepEqual([exit.reason, exit.retired, count], [ExitReason.Budget, 0, 3]);
});

Deno.test("an error in EL2 ends the run, and the core continues after its exit", () => {
  const machine = machineWithLoop();
  const failing = new Handler(machine, 5_000, () => {
    throw new Error("a bug of EL2");
  });
  assert.throws(() => machine.core.run(machine.vcpu, 0, 5_000, 0, failing), /a bug of EL2/);
  new Handler(machine, 5_000).run(true);
  const alone = machineWithLoop();
  new Handler(alone, 5_000).run(true);
  assert.equal(machine.registers(), alone.registers());
});

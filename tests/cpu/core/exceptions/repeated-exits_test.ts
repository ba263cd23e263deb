// Exits that repeat: the answers that the core gives by itself are those of EL2, at the same times.

import assert from "node:assert/strict";
import { ExceptionClass, exceptionClass } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { type Exit, type ExitHandler, ExitReason } from "../../../../src/cpu/core/interface.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const COST = 100;
const CODE = RAM_BASE + 0x1000;
/** An IPA that stage 2 does not map. */
const DEVICE = 0x1000_0000;

/** A call whose argument changes each 64th time; it adds up counters and answers. */
const CALL: readonly Line[] = [
  ["mrs x19, cntvct_el0", 0xd53be053],
  ["add x20, x20, x19", 0x8b130294],
  ["add x26, x26, #0x1", 0x9100075a],
  ["ubfm x0, x26, #6, #63", 0xd346ff40],
  ["orr x1, xzr, x27", 0xaa1b03e1],
  ["hvc #0x1", 0xd4000022],
  ["add x22, x22, x0", 0x8b0002d6],
  ["add x28, x28, x9", 0x8b09039c],
  ["b", 0x17fffff8],
];
/** A load whose address changes each 64th time. */
const LOAD: readonly Line[] = [
  ["mrs x19, cntvct_el0", 0xd53be053],
  ["add x20, x20, x19", 0x8b130294],
  ["ldr w23, [x24]", 0xb9400317],
  ["add x25, x25, x23", 0x8b170339],
  ["add x26, x26, #0x1", 0x9100075a],
  ["and x27, x26, #0x3f", 0x9240175b],
  ["cbnz x27,", 0xb5ffff5b],
  ["add x24, x24, #0x4", 0x91001318],
  ["b", 0x17fffff8],
];
/** A load whose value nothing wants. */
const LOAD_NOTHING: readonly Line[] = [
  ["ldr wzr, [x24]", 0xb940031f],
  ["add x26, x26, #0x1", 0x9100075a],
  ["b", 0x17fffffe],
];
const PROGRAMS = { CALL, LOAD, LOAD_NOTHING };

/** EL2 with an answer for each exit; `repeats` says which the core may give by itself. */
class Handler implements ExitHandler {
  readonly exitCost = COST;
  repeats = false;
  handled = 0;
  /** Exits that the core answered, and the instructions before them. */
  answered = 0;
  retired = 0;

  constructor(readonly machine: Machine, readonly limit: number, readonly mayRepeat: (exit: Exit) => boolean) {}

  get now(): number {
    return this.machine.now;
  }

  answer(exit: Exit): void {
    const { vcpu, core } = this.machine;
    if (exceptionClass(exit.esr) === ExceptionClass.DataAbortLower) {
      return core.completeRead(vcpu, exit.esr, BigInt(exit.ipa) * 7n & 0xffff_ffffn);
    }
    assert.equal(exceptionClass(exit.esr), ExceptionClass.Hvc);
    const result = vcpu.getX(0) * 3n + vcpu.getX(1) + 1n;
    for (let index = 0; index < 18; index++) if (index !== 8) vcpu.setX(index, 0n);
    vcpu.setX(0, result);
    vcpu.setX(9, vcpu.pc);
  }

  handle(exit: Exit): number {
    this.machine.now += exit.retired + COST;
    this.retired += exit.retired;
    this.handled++;
    this.answer(exit);
    this.repeats = this.mayRepeat(exit);
    return Math.max(0, this.limit - this.now);
  }

  repeated(count: number, retired: number): void {
    assert.ok(count > 0);
    this.machine.now += retired + count * COST;
    this.retired += retired;
    this.answered += count;
  }

  reached(): number {
    return assert.fail("no instruction is reported");
  }

  /** Runs to the limit. Gives everything that must not depend on who answers. */
  run(): unknown[] {
    const { machine, limit } = this;
    while (machine.now < limit) {
      const exit = machine.core.run(machine.vcpu, machine.now, limit - machine.now, 0, this);
      assert.equal(exit.reason, ExitReason.Budget);
      machine.now += exit.retired;
      this.retired += exit.retired;
    }
    return [machine.now, this.retired, this.handled + this.answered, machine.registers()];
  }
}

function machineWith(program: readonly Line[], tier: "interp" | "jit"): Machine {
  const machine = new Machine({ tier, hotness: { samples: 1, landings: 2, slice: 777 } });
  machine.load(CODE, program);
  const { vcpu } = machine;
  vcpu.pc = BigInt(CODE);
  vcpu.setX(24, BigInt(DEVICE));
  vcpu.setX(27, 5n);
  return machine;
}

for (const tier of ["interp", "jit"] as const) {
  for (const name of ["CALL", "LOAD", "LOAD_NOTHING"] as const) {
    for (const limit of [1_000, 20_001, 60_000]) {
      Deno.test(`answers of the core are those of EL2: ${name}, ${tier}, ${limit} ns`, () => {
        const each = new Handler(machineWith(PROGRAMS[name], tier), limit, () => false);
        const repeating = new Handler(machineWith(PROGRAMS[name], tier), limit, () => true);
        const expected = each.run();
        assert.deepEqual(repeating.run(), expected);
        assert.equal(each.answered, 0);
        // Each streak begins with two exits that EL2 handles.
        if (limit > 20_000) assert.ok(repeating.answered > 0.9 * each.handled, `${repeating.answered} of ${each.handled}`);
      });
    }
  }
}

Deno.test("an exit that only claims to repeat is found", () => {
  for (const program of [CALL, LOAD]) {
    let count = 0;
    /** The answer depends on how often it was asked for. */
    class Counting extends Handler {
      override answer(exit: Exit): void {
        super.answer(exit);
        this.machine.vcpu.setX(exceptionClass(exit.esr) === ExceptionClass.Hvc ? 0 : 23, BigInt(count++));
      }
    }
    const each = new Counting(machineWith(program, "interp"), 20_000, () => false).run();
    count = 0;
    assert.notDeepEqual(new Counting(machineWith(program, "interp"), 20_000, () => true).run(), each);
  }
});

Deno.test("nothing is answered after another exit, or for another vCPU", () => {
  const machine = machineWith(CALL, "interp");
  const first = new Handler(machine, 5_000, () => true);
  first.run();
  assert.ok(first.answered > 0);
  // The same registers at the same place: EL2 is asked again, twice.
  const { handled } = first;
  const second = new Handler(machine, 5_250, () => true);
  second.run();
  assert.deepEqual([second.handled, second.answered], [2, 1]);
  assert.ok(handled > 0);

  const other = machine.createVcpu();
  for (let index = 0; index < 31; index++) other.setX(index, machine.vcpu.getX(index));
  other.pc = machine.vcpu.pc;
  let seen = 0;
  const exits: ExitHandler = {
    exitCost: COST,
    repeats: true,
    now: 0,
    handle: () => (seen++, 0),
    repeated: () => assert.fail("the answer was another vCPU's"),
    reached: () => assert.fail("no instruction is reported"),
  };
  machine.core.run(other, machine.now, 1_000, 0, exits);
  assert.equal(seen, 1);
});

Deno.test("an exit that does not repeat stops the answers to the one before", () => {
  const each = new Handler(machineWith(CALL, "interp"), 30_000, () => false);
  let count = 0;
  const some = new Handler(machineWith(CALL, "interp"), 30_000, () => ++count % 3 !== 0);
  assert.deepEqual(some.run(), each.run());
  assert.ok(some.answered > 0 && some.handled > 0);
});

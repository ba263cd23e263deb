// Random programs, exceptions, self-modifying stores and all: nothing throws, and the state after a
// number of instructions is the same however the run is cut into budgets, and by breakpoints, which
// stop wherever a step finds their addresses.

import assert from "node:assert/strict";
import { Random } from "../../support/random.ts";
import { Machine, RAM_BASE } from "./program.ts";
import { CODE, execute, INSTRUCTIONS, prepare, VECTORS } from "./random-program.ts";
import { checkNoted } from "./written-words.ts";

Deno.test("a random program's state after so many instructions does not depend on how its run is cut", () => {
  const whole = new Machine(), cut = new Machine();
  for (let seed = 1; seed <= 12; seed++) {
    prepare(whole, seed);
    const expected = execute(whole, () => INSTRUCTIONS);
    const random = new Random(seed);
    prepare(cut, seed);
    const budgetOf = seed % 3 === 0 ? () => 1 : seed % 3 === 1 ? () => 1 + random.word() % 9 : () => 1 + random.word() % 300;
    assert.equal(execute(cut, budgetOf), expected, `seed ${seed}`);
  }
});

Deno.test("what a random program changes is known to be written", () => {
  let changed = 0, noted = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const machine = new Machine(), { memory, view, core } = machine;
    prepare(machine, seed);
    core.forgetWritten(true);
    const ram = new Uint8Array(memory.buffer, view.byteOffset, 0x20_0000), before = ram.slice();
    execute(machine, () => INSTRUCTIONS);
    const words = checkNoted(core, RAM_BASE, before, ram, `seed ${seed}`);
    changed += words.changed;
    noted += words.noted;
  }
  assert.ok(changed > 30 && noted < 6 * changed, `${changed} words changed, ${noted} noted`);
});

Deno.test("breakpoints stop a random program at every instruction that has one, at the same counts, and change nothing", () => {
  const stepped = new Machine(), stopped = new Machine();
  let all = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const places = Array.from(
      { length: 40 },
      (_, i) => BigInt(i % 8 ? CODE + 4 + 4 * (random.word() % 200) : VECTORS + 4 * (random.word() % 512)),
    );
    const expected: string[] = [], found: string[] = [];
    const note = (stops: string[], { now, vcpu }: Machine) => void stops.push(`${now} ${vcpu.pc.toString(16)}`);
    prepare(stepped, seed);
    const end = execute(stepped, () => {
      if (places.includes(stepped.vcpu.pc)) note(expected, stepped);
      return 1;
    });
    prepare(stopped, seed);
    for (const place of places) stopped.core.stops.insertBreakpoint(stopped.vcpu.stage2, place);
    const budgetOf = seed % 2 ? () => INSTRUCTIONS : () => 1 + random.word() % 50;
    assert.equal(execute(stopped, budgetOf, () => note(found, stopped)), end, `seed ${seed}`);
    assert.deepEqual(found, expected, `seed ${seed}`);
    for (const place of places) stopped.core.stops.removeBreakpoint(stopped.vcpu.stage2, place);
    all += found.length;
  }
  assert.ok(all > 1000, `${all} stops`);
});

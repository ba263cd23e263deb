// Code that changes and changes back: regions come back with it, and only with all of it.

import assert from "node:assert/strict";
import { ChangedRegions, MOST_CHANGED } from "../../../../src/cpu/core/translator/changed-regions.ts";
import type { Region } from "../../../../src/cpu/core/translator/changed-regions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { Random } from "../../../support/random.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const EAGER = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } } as const;
const CODE = RAM_BASE + 0x1000;
/** The instruction that changes, in PATCHING. */
const CHANGED = CODE + 5 * 4;

const ADDS: readonly Line[] = [
  ["add x0, x0, #0x1", 0x91000400],
  ["add x0, x0, #0x3", 0x91000c00],
  ["sub x0, x0, #0x1", 0xd1000400],
];

/** A loop, with code around it that writes w4 into it, and w5 the next time. */
const PATCHING: Line[] = [
  ["str w4, [x3]", 0xb9000064],
  ["eor w4, w4, w5", 0x4a050084],
  ["eor w5, w5, w4", 0x4a0400a5],
  ["eor w4, w4, w5", 0x4a050084],
  ["movz x1, #0x32", 0xd2800641],
  ADDS[0],
  ["eor x0, x0, x1", 0xca010000],
  ["subs x1, x1, #0x1", 0xf1000421],
  ["b.ne", 0x54ffffa1],
  ["b", 0x17fffff7],
];

/** The loop alone. */
const LOOP: Line[] = [
  ["movz x1, #0x32", 0xd2800641],
  ADDS[0],
  ["eor x0, x0, x1", 0xca010000],
  ["subs x1, x1, #0x1", 0xf1000421],
  ["b.ne", 0x54ffffa1],
  ["b", 0x17fffffb],
];

const countersOf = (machine: Machine) => machine.core.counters.translator!;

Deno.test("a loop that patches itself back and forth reaches the same states in both tiers, wherever runs end", () => {
  const machines = [new Machine(), new Machine(EAGER)], random = new Random(3);
  for (const machine of machines) {
    machine.load(CODE, PATCHING);
    machine.vcpu.setX(3, BigInt(CHANGED));
    machine.vcpu.setX(4, BigInt(ADDS[0][1]));
    machine.vcpu.setX(5, BigInt(ADDS[1][1]));
    machine.run(1, CODE);
  }
  for (let i = 0; i < 400; i++) {
    const budget = 1 + random.word() % 700;
    for (const machine of machines) assert.equal(machine.run(budget).retired, budget);
    assert.equal(machines[1].registers(), machines[0].registers(), `run ${i}`);
  }
  assert.ok(countersOf(machines[1]).restored > 100, `${countersOf(machines[1]).restored} came back`);
});

Deno.test("a region does not come back while another of its instructions, its head or a breakpoint differs", () => {
  const machines = [new Machine(), new Machine(EAGER)], random = new Random(5);
  for (const machine of machines) {
    machine.load(CODE, LOOP);
    machine.run(2000, CODE);
  }
  // Each instruction of the loop has two or three forms, and any of them change between two runs.
  const forms: readonly (readonly [index: number, lines: readonly Line[]])[] = [
    [0, [LOOP[0], ["movz x1, #0x14", 0xd2800281]]],
    [1, ADDS],
    [2, [LOOP[2], ["add x0, x0, x1", 0x8b010000]]],
  ];
  let breakpoint = false;
  for (let i = 0; i < 600; i++) {
    for (let change = random.word() % 3; change >= 0; change--) {
      const [index, lines] = forms[random.word() % forms.length], line = lines[random.word() % lines.length];
      for (const machine of machines) machine.load(CODE + 4 * index, [line]);
    }
    if (random.word() % 8 === 0) {
      breakpoint = !breakpoint;
      for (const { core, vcpu } of machines) {
        if (breakpoint) core.stops.insertBreakpoint(vcpu.stage2, BigInt(CODE + 8));
        else core.stops.removeBreakpoint(vcpu.stage2, BigInt(CODE + 8));
      }
    }
    const budget = 1 + random.word() % 400,
      [plain, translated] = machines.map((machine) => {
        const { reason, retired } = machine.run(budget);
        // The run continues after the breakpoint.
        if (reason === ExitReason.Breakpoint) machine.core.step(machine.vcpu, machine.now, machine.now);
        return [reason, retired, machine.registers()];
      });
    assert.deepEqual(translated, plain, `run ${i}`);
  }
  assert.ok(countersOf(machines[1]).restored > 20, `${countersOf(machines[1]).restored} came back`);
});

Deno.test("regions that wait for their code have a bound, and free what they hold", () => {
  const released: Region[] = [], awaited = new Set<number>();
  const changed = new ChangedRegions((region) => void released.push(region), (decoded, change) => {
    assert.equal(awaited.has(decoded), change < 0);
    if (change > 0) awaited.add(decoded);
    else awaited.delete(decoded);
  });
  const region = (number: number, page: number): Region => ({
    number,
    head: 0,
    headHandler: 0,
    covers: new Map([[page, new Set([0])]]),
    decoded: new Int32Array(),
    words: new Int32Array(),
    bytes: 0,
    isLoop: false,
  });
  for (let i = 0; i < 2 * MOST_CHANGED; i++) changed.add(region(i, i % 2), [16 * i, 16 * i + 16]);
  assert.equal(released.length, MOST_CHANGED);
  assert.equal(changed.find(0, () => true), undefined);
  assert.equal(awaited.size, MOST_CHANGED + 1);
  const last = 2 * MOST_CHANGED - 1, found = changed.find(16 * last + 16, () => true)!;
  assert.equal(found.number, last);
  assert.equal(changed.find(16 * last, (other) => other.number !== last)!.number, last - 1);
  changed.remove(found);
  assert.ok(!released.includes(found));
  assert.equal(changed.find(16 * last + 16, () => true), undefined);
  changed.forget(0);
  changed.forget(1);
  assert.equal(released.length, 2 * MOST_CHANGED - 1);
  assert.equal(awaited.size, 0);
  for (let i = 0; i < 20; i++) changed.add(region(i, 0), [16]);
  assert.ok(released.length > 2 * MOST_CHANGED, "one instruction is waited for without a bound");
});

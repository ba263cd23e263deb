// The performance monitors (FEAT_PMUv3) beside plain counts of what a program executes, in both
// tiers, however the run is cut into slices.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { ExitReason, Pstate } from "../../../../src/cpu/core/interface.ts";
import { Machine, RAM_BASE } from "../program.ts";

const MAX = { cpu: parseCpu("max") };
const TIERS = [MAX, { ...MAX, tier: "jit", hotness: { samples: 1, landings: 1, slice: 100 } }] as const;
const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x2000, USER = RAM_BASE + 0x3000, DATA = RAM_BASE + 0x8000;

/** PMCR_EL0, masks of counters, and numbers of events. */
const E = 1n, LP = 1n << 7n, LC = 1n << 6n, FZO = 1n << 9n, CYCLES = 1n << 31n;
const Event = {
  SoftwareIncrement: 0n,
  Loads: 6n,
  Stores: 7n,
  Instructions: 8n,
  Exceptions: 9n,
  Returns: 0xan,
  PcWrites: 0xcn,
  Immediate: 0xdn,
  ProcedureReturns: 0xen,
  Cycles: 0x11n,
  Accesses: 0x13n,
  Chain: 0x1en,
  Branches: 0x21n,
} as const;
/** PMEVTYPER<n>_EL0: not at EL1; not at EL0. */
const NOT_EL1 = 1n << 31n, NOT_EL0 = 1n << 30n;

type Name = Parameters<Machine["vcpu"]["setRegister"]>[0];
const counter = (n: number) => `PMEVCNTR${n}_EL0` as Name, type = (n: number) => `PMEVTYPER${n}_EL0` as Name;

/** A machine whose event counters count these, from zero, and whose cycle counter counts all. */
function counting(options: typeof TIERS[number], events: readonly bigint[], more: { control?: bigint; interrupts?: bigint } = {}): Machine {
  const machine = new Machine(options), { vcpu } = machine;
  events.forEach((event, n) => vcpu.setRegister(type(n), event));
  vcpu.setRegister("PMCNTENSET_EL0", CYCLES | (1n << BigInt(events.length)) - 1n);
  vcpu.setRegister("PMINTENSET_EL1", more.interrupts ?? 0n);
  vcpu.setRegister("PMCR_EL0", E | LC | LP | (more.control ?? 0n));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  return machine;
}

/**
 * EL0: 100 rounds of a load, a store, a pair of each, an atomic addition, a call and its return, a
 * branch that is not taken, and SVC. EL1: the vector adds one to X20 and returns.
 */
function loadUser(machine: Machine): void {
  machine.load(USER, [
    ["movz x2, #0x64", 0xd2800c82],
    // loop:
    ["ldr x3, [x1]", 0xf9400023],
    ["str x3, [x1, #8]", 0xf9000423],
    ["ldp x4, x5, [x1]", 0xa9401424],
    ["stp x4, x5, [x1, #16]", 0xa9011424],
    ["ldadd x3, x6, [x1]", 0xf8230026],
    ["bl", 0x94000006],
    ["cbnz xzr", 0xb500001f],
    ["svc #0x0", 0xd4000001],
    ["subs x2, x2, #0x1", 0xf1000442],
    ["b.ne", 0x54fffee1],
    ["b", 0x14000000],
    // function:
    ["ret", 0xd65f03c0],
  ]);
  machine.load(VECTORS + 0x400, [["add x20, x20, #0x1", 0x91000694], ["eret", 0xd69f03e0]]);
  machine.vcpu.setX(1, BigInt(DATA));
  machine.vcpu.pstate = Pstate.EL0t;
}

const ROUNDS = 100;
/** Instructions of `loadUser` up to the branch to itself, at each level. */
const USER_INSTRUCTIONS = 1 + 11 * ROUNDS, KERNEL_INSTRUCTIONS = 2 * ROUNDS;
const ALL_INSTRUCTIONS = USER_INSTRUCTIONS + KERNEL_INSTRUCTIONS;

function values({ vcpu }: Machine, count: number): number[] {
  return Array.from({ length: count }, (_, n) => Number(vcpu.getRegister(counter(n))));
}

for (const options of TIERS) {
  const tier = "tier" in options ? options.tier : "interp";

  Deno.test(`instructions and cycles are counted by exception level (${tier})`, () => {
    for (const piece of [10_000, 1, 7, 100]) {
      const machine = counting(options, [Event.Instructions, Event.Instructions | NOT_EL1, Event.Cycles | NOT_EL0]);
      loadUser(machine);
      machine.vcpu.pc = BigInt(USER);
      for (let left = ALL_INSTRUCTIONS; left > 0;) left -= machine.run(Math.min(left, piece)).retired;
      assert.equal(machine.vcpu.pc, BigInt(USER + 44));
      assert.deepEqual(values(machine, 3), [ALL_INSTRUCTIONS, USER_INSTRUCTIONS, KERNEL_INSTRUCTIONS], `in pieces of ${piece}`);
      assert.equal(Number(machine.vcpu.getRegister("PMCCNTR_EL0")), ALL_INSTRUCTIONS);
    }
  });

  Deno.test(`loads, stores, branches and exceptions are counted (${tier})`, () => {
    const groups: [events: readonly bigint[], expected: readonly number[]][] = [
      [[Event.Loads, Event.Stores, Event.Branches, Event.Immediate, Event.ProcedureReturns, Event.Instructions], [
        ...[3 * ROUNDS, 3 * ROUNDS, 4 * ROUNDS, 3 * ROUNDS, ROUNDS, ALL_INSTRUCTIONS],
      ]],
      // Taken: BL, RET and ERET in each round, B.NE in all but the last.
      [[Event.PcWrites, Event.Exceptions, Event.Returns, Event.Cycles], [4 * ROUNDS - 1, ROUNDS, ROUNDS, ALL_INSTRUCTIONS]],
      [[Event.Accesses, Event.Accesses | NOT_EL1, Event.Accesses | NOT_EL0], [6 * ROUNDS, 6 * ROUNDS, 0]],
      // Exceptions are taken from EL0, and returned from at EL1.
      [[Event.Exceptions | NOT_EL1, Event.Exceptions | NOT_EL0, Event.Returns | NOT_EL0, Event.Branches | NOT_EL0], [ROUNDS, 0, ROUNDS, 0]],
    ];
    for (const [events, expected] of groups) {
      for (const piece of [10_000, 7]) {
        const machine = counting(options, events);
        loadUser(machine);
        machine.vcpu.pc = BigInt(USER);
        for (let left = ALL_INSTRUCTIONS; left > 0;) left -= machine.run(Math.min(left, piece)).retired;
        assert.equal(machine.vcpu.pc, BigInt(USER + 44));
        assert.deepEqual(values(machine, events.length), expected, `in pieces of ${piece}`);
      }
    }
  });

  Deno.test(`a run ends at the instruction whose count overflows (${tier})`, () => {
    const cases = [
      // 777 instructions of EL0 are 70 rounds and 6 more, with 70 visits to EL1: RET is the 7th of
      // a round.
      { event: Event.Instructions, wanted: 777, instructions: 777 + 2 * 70, pc: USER + 48 },
      // Of the stores of a round, two are in STR and STP, one is in LDADD. The 152nd is STP of the
      // 51st round, the 4th of its instructions.
      { event: Event.Stores, wanted: 3 * 50 + 2, instructions: 1 + 50 * 13 + 4, pc: USER + 4 + 16 },
      // The fifth and sixth access of a round are LDADD's.
      { event: Event.Accesses, wanted: 6 * 50 + 6, instructions: 1 + 50 * 13 + 5, pc: USER + 4 + 20 },
    ];
    for (const { event, wanted, instructions, pc } of cases) {
      const machine = counting(options, [event | NOT_EL1], { interrupts: 1n });
      loadUser(machine);
      const { vcpu } = machine;
      vcpu.setRegister(counter(0), BigInt.asUintN(64, -BigInt(wanted)));
      const { reason, retired } = machine.run(10_000, USER);
      assert.equal(reason, ExitReason.Pmu);
      assert.equal(vcpu.getRegister(counter(0)), 0n);
      assert.equal(vcpu.getRegister("PMOVSSET_EL0"), 1n);
      assert.ok(vcpu.pmuLine);
      assert.equal(retired, instructions);
      assert.equal(vcpu.pc, BigInt(pc));
      // The line stays until the overflow is cleared.
      assert.equal(machine.run(100).reason, ExitReason.Budget);
    }
  });
}

Deno.test("a guest sets the counters up, reads them, and clears an overflow", () => {
  const machine = new Machine(MAX), { vcpu } = machine;
  machine.load(CODE, [
    ["msr pmevtyper0_el0, x0", 0xd51bec00],
    ["msr pmevcntr0_el0, x1", 0xd51be801],
    ["msr pmintenset_el1, x2", 0xd5189e22],
    ["msr pmcntenset_el0, x2", 0xd51b9c22],
    ["msr pmcr_el0, x3", 0xd51b9c03],
    ["hint #0x0", 0xd503201f],
    ["mrs x4, pmevcntr0_el0", 0xd53be804],
    ["mrs x5, pmccntr_el0", 0xd53b9d05],
    ["hint #0x0", 0xd503201f],
    ["hint #0x0", 0xd503201f],
    ["mrs x6, pmovsset_el0", 0xd53b9e66],
    ["msr pmovsclr_el0, x6", 0xd51b9c66],
    ["mrs x7, pmovsset_el0", 0xd53b9e67],
    ["mrs x8, pmcr_el0", 0xd53b9c08],
    ["mrs x9, pmceid0_el0", 0xd53b9cc9],
    ["mrs x10, pmceid1_el0", 0xd53b9cea],
    ["b", 0x14000000],
  ]);
  vcpu.setX(0, Event.Instructions);
  vcpu.setX(1, BigInt.asUintN(64, -5n));
  vcpu.setX(2, CYCLES | 1n);
  vcpu.setX(3, E | LC | LP);
  // MSR PMCR, NOP, MRS, MRS, NOP: the fifth overflows.
  const first = machine.run(100, CODE);
  assert.deepEqual([first.reason, first.retired, vcpu.pmuLine], [ExitReason.Pmu, 9, true]);
  const second = machine.run(100);
  assert.deepEqual([second.reason, second.retired, vcpu.pmuLine], [ExitReason.Pmu, 3, false]);
  machine.run(10);
  const x = (n: number) => vcpu.getX(n);
  assert.deepEqual([x(4), x(5), x(6), x(7)], [BigInt.asUintN(64, -3n), 3n, 1n, 0n]);
  assert.deepEqual([x(8), x(9), x(10)], [0x4101_3000n | E | LC | LP, 0x500a_7fc1n, 0x1000_001an]);
});

Deno.test("an overflow increments a chained counter, and freezes the others with FZO", () => {
  const machine = counting(MAX, [Event.Instructions, Event.Chain, Event.Instructions]), { vcpu } = machine;
  vcpu.setRegister("PMCR_EL0", E | LC);
  vcpu.setRegister(counter(0), 0xffff_ffffn - 9n);
  machine.load(CODE, [["b", 0x14000000]]);
  machine.run(100, CODE);
  assert.deepEqual(values(machine, 3), [0x1_0000_005a, 1, 100]);
  assert.equal(vcpu.getRegister("PMOVSSET_EL0"), 1n);
  vcpu.setRegister("PMOVSSET_EL0", 0n);
  vcpu.setRegister(counter(0), 0xffff_ffffn - 9n);
  vcpu.setRegister("PMCR_EL0", E | LC | FZO);
  machine.run(100);
  assert.deepEqual(values(machine, 3), [0x1_0000_0000, 2, 110], "all stop where the first has overflowed");
  assert.equal(vcpu.getRegister("PMCCNTR_EL0"), 200n);
});

Deno.test("a counter of 64 bits that overflows increments no chained one, as one of 32 bits does", () => {
  for (const [control, chained] of [[E | LC, 1], [E | LC | LP, 0]] as const) {
    const machine = counting(MAX, [Event.Instructions, Event.Chain]), { vcpu } = machine;
    vcpu.setRegister("PMCR_EL0", control);
    vcpu.setRegister(counter(0), (1n << 64n) - 10n);
    machine.load(CODE, [["b", 0x14000000]]);
    machine.run(100, CODE);
    assert.deepEqual([vcpu.getRegister("PMOVSSET_EL0"), values(machine, 2)[1]], [1n, chained]);
  }
});

Deno.test("an increment by software that overflows a counter increments the chained one, which it does not name", () => {
  const machine = counting(MAX, [Event.SoftwareIncrement, Event.Chain]), { vcpu } = machine;
  vcpu.setRegister("PMCR_EL0", E | LC);
  vcpu.setRegister(counter(0), 0xffff_ffffn);
  vcpu.setX(0, 1n);
  machine.load(CODE, [["msr pmswinc_el0, x0", 0xd51b9c80]]);
  machine.run(1, CODE);
  assert.deepEqual(values(machine, 2), [0x1_0000_0000, 1]);
});

Deno.test("EL0 has the registers that PMUSERENR permits", () => {
  const machine = counting(MAX, [Event.SoftwareIncrement]), { vcpu } = machine;
  const tries: [word: number, permits: bigint][] = [
    [0xd53b9d00, 1n | 4n], // PMCCNTR_EL0
    [0xd51b9d00, 1n],
    [0xd53be800, 1n | 8n], // PMEVCNTR0_EL0
    [0xd53b9c00, 1n], // PMCR_EL0
    [0xd51b9c80, 1n | 2n], // PMSWINC_EL0
    [0xd51b9ca0, 1n | 8n], // PMSELR_EL0
    [0xd53b9e00, 15n], // PMUSERENR_EL0 itself reads as it is.
  ];
  for (const [word, permits] of tries) {
    for (let allowed = 0n; allowed < 16n; allowed = allowed === 0n ? 1n : allowed << 1n) {
      vcpu.setRegister("PMUSERENR_EL0", allowed);
      vcpu.pstate = Pstate.EL0t;
      vcpu.setX(0, 1n);
      machine.view.setUint32(CODE - RAM_BASE, word, true);
      machine.core.memoryWritten(CODE, 4);
      machine.run(1, CODE);
      const expected = word === 0xd53b9e00 || allowed & permits ? CODE + 4 : VECTORS + 0x400;
      assert.equal(Number(vcpu.pc), expected, `0x${word.toString(16)} with PMUSERENR ${allowed}`);
      if (expected !== CODE + 4) assert.equal(vcpu.getRegister("ESR_EL1") >> 26n, 0x18n);
    }
  }
  assert.equal(values(machine, 1)[0], 2, "PMSWINC counted where it was permitted");
});

Deno.test("counts continue in a vCPU that gets the registers of another, as of a snapshot", () => {
  const events = [Event.Instructions | NOT_EL1, Event.Stores, Event.Exceptions, Event.Cycles | NOT_EL0];
  const machine = counting(MAX, events, { interrupts: 1n }), { vcpu } = machine;
  loadUser(machine);
  vcpu.setRegister(counter(0), BigInt.asUintN(64, -100n));
  assert.equal(machine.run(10_000, USER).reason, ExitReason.Pmu);
  const other = machine.createVcpu();
  for (const name of vcpu.names) other.setRegister(name, vcpu.getRegister(name));
  for (let index = 0; index < 31; index++) other.setX(index, vcpu.getX(index));
  other.pc = vcpu.pc;
  other.pstate = vcpu.pstate;
  other.pmuLine = vcpu.pmuLine;
  const counts = [vcpu, other].map((one) => {
    // Between them, the other vCPU has the core.
    const exits = [300, 7, 200].map((budget) => machine.run(budget, undefined, one).reason);
    return [...exits, ...events.map((_, n) => one.getRegister(counter(n))), one.getRegister("PMCCNTR_EL0"), one.pc];
  });
  assert.deepEqual(counts[0], counts[1]);
  assert.equal(counts[0][0], ExitReason.Budget, "the line is known to be high");
});

// Counts of executed instructions: every tier counts as single steps do.

import assert from "node:assert/strict";
import { buildMark } from "../../../bench/suites/bare-metal.ts";
import type { WasmCore } from "../../../src/cpu/core/core.ts";
import { ExitReason, type VcpuState } from "../../../src/cpu/core/interface.ts";
import { TIERS } from "../../../src/cpu/core/tiers.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Random } from "../../support/random.ts";
import { MarkMachine } from "./mark-machine.ts";
import { type Line, Machine, RAM_BASE, RAM_SIZE } from "./program.ts";
import { execute, INSTRUCTIONS, prepare } from "./random-program.ts";

/** `b.eq` somewhere. */
const CONDITIONAL = 0x5400_0040;

const counts = { vmOf: () => "vm" };
/** Regions of nearly all code that is executed twice. */
const eager = { samples: 1, landings: 2, slice: 50 };

/** Executions by address, and for conditional branches also how often they were taken. */
class Counted {
  readonly executions = new Map<bigint, number>();
  readonly taken = new Map<bigint, number>();
  #branch: bigint | undefined;

  static of(core: WasmCore, word: (address: bigint) => number): Counted {
    const found = new Counted();
    for (const { address, counts, departures } of core.counters.executedPages()) {
      counts.forEach((count, index) => {
        const at = address + BigInt(4 * index);
        if (count) found.executions.set(at, count);
        if (count && departures[index] && isConditional(word(at))) found.taken.set(at, departures[index]);
      });
    }
    return found;
  }

  /** Notes where the last instruction has led. */
  end({ pc }: VcpuState): void {
    if (this.#branch !== undefined && pc !== this.#branch + 4n) add(this.taken, this.#branch);
    this.#branch = undefined;
  }

  /** Notes that the instruction at PC is executed next; a fetch that faults executes none. */
  note(core: WasmCore, { vcpu, word }: { readonly vcpu: VcpuState; word(address: bigint): number }): void {
    const { pc } = vcpu;
    this.end(vcpu);
    if (pc % 4n || !core.questions.inspect(vcpu, pc).ok) return;
    add(this.executions, pc);
    if (isConditional(word(pc))) this.#branch = pc;
  }

  get text(): string[] {
    const lines = (counts: Map<bigint, number>) =>
      [...counts].sort(([a], [b]) => a < b ? -1 : 1).map(([at, n]) => `${at.toString(16)} ${n}`);
    return [...lines(this.executions), "taken", ...lines(this.taken)];
  }
}

const add = (counts: Map<bigint, number>, at: bigint) => counts.set(at, (counts.get(at) ?? 0) + 1);

/** B.cond, CBZ, CBNZ, TBZ and TBNZ, but those to the next instruction. */
function isConditional(word: number): boolean {
  const wide = (word & 0xff00_0010) >>> 0 === 0x5400_0000 || (word & 0x7e00_0000) === 0x3400_0000;
  const [isBranch, offset] = (word & 0x7e00_0000) === 0x3600_0000 ? [true, word >>> 5 & 0x3fff] : [wide, word >>> 5 & 0x7_ffff];
  return isBranch && offset !== 1;
}

Deno.test("random programs are counted as single steps find them, however the run is cut", () => {
  const stepped = new Machine();
  let executed = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const expected = new Counted();
    const begin = (machine: Machine) => {
      prepare(machine, seed);
      machine.vcpu.irq = false;
    };
    begin(stepped);
    const end = execute(stepped, () => {
      expected.note(stepped.core, stepped);
      return 1;
    });
    expected.end(stepped.vcpu);
    for (const tier of TIERS) {
      const random = new Random(seed), machine = new Machine({ tier, counts, ...tier === "jit" && { hotness: eager } });
      begin(machine);
      const budgetOf = [() => INSTRUCTIONS, () => 1 + random.word() % 9, () => 1 + random.word() % 300][seed % 3];
      assert.equal(execute(machine, budgetOf), end, `${tier}, seed ${seed}`);
      // Words that the program has overwritten since may have been branches.
      const now = Counted.of(machine.core, (at) => expected.taken.has(at) ? CONDITIONAL : 0);
      assert.deepEqual(now.text, expected.text, `${tier}, seed ${seed}`);
    }
    executed += expected.executions.size;
  }
  assert.ok(executed > 500, `${executed} instructions`);
});

Deno.test("loops, calls and switches are counted as single steps find them, in regions as well", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-counts-" });
  try {
    const elf = await Deno.readFile(await buildMark(folder, 1));
    const stepped = new MarkMachine(elf, {}), expected = new Counted();
    const STEPS = 150_000, MORE = 30_000_000;
    for (let i = 0; i < STEPS; i++) {
      expected.note(stepped.core, stepped);
      stepped.run(1);
    }
    expected.end(stepped.vcpu);
    const machines = [{ tier: "interp" }, { tier: "auto" }, { tier: "jit", hotness: { ...eager, slice: 1000 } }] as const;
    const of = ({ core, word }: MarkMachine) => Counted.of(core, word);
    const all = machines.map((options) => new MarkMachine(elf, { ...options, counts }));
    for (const machine of all) {
      machine.run(STEPS);
      assert.deepEqual(of(machine).text, expected.text);
    }
    const random = new Random(3);
    for (const machine of all) while (machine.now < MORE) machine.run(Math.min(MORE - machine.now, 1 + random.below(300_000)));
    const [first, ...others] = all.map(of);
    assert.equal([...first.executions.values()].reduce((sum, count) => sum + count), MORE);
    for (const other of others) assert.deepEqual(other.text, first.text);
    assert.ok((all[2].core.counters.translator?.regions ?? 0) > 20, `${all[2].core.counters.translator?.regions} regions`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Executions and departures of the instructions from an address on, in one page. */
function countsFrom(core: WasmCore, address: number, size: number): number[][] {
  const first = address % PAGE_SIZE / 4,
    page = core.counters.executedPages().find((one) => one.address === BigInt(address - address % PAGE_SIZE));
  assert.ok(page);
  return Array.from({ length: size }, (_, at) => [page.counts[first + at], page.departures[first + at]]);
}

Deno.test("an instruction that replaces a branch, or is replaced by one, is counted as what it was", () => {
  const nop: Line = ["hint", 0xd503201f], forward: Line = ["b", 0x1400_0002], at = RAM_BASE + 0x1000;
  for (const tier of TIERS) {
    const machine = new Machine({ tier, counts, ...tier === "jit" && { hotness: eager } });
    for (const [first, length] of [[forward, 2], [nop, 3], [forward, 2]] as const) {
      machine.load(at, [first, nop, nop]);
      for (let i = 0; i < 5; i++) machine.run(length, at);
    }
    assert.deepEqual(countsFrom(machine.core, at, 3), [[15, 10], [5, 0], [15, 0]], tier);
  }
});

Deno.test("a conditional branch at the end of a page was not taken if the next page cannot be fetched", () => {
  const end = RAM_BASE + RAM_SIZE;
  for (const tier of TIERS) {
    const machine = new Machine({ tier, counts, ...tier === "jit" && { hotness: eager } });
    machine.load(end - 8, [["hint", 0xd503201f], ["cbnz x0", 0xb5ff_ffe0]]);
    for (let i = 0; i < 5; i++) assert.equal(machine.run(10, end - 8).reason, ExitReason.Trap);
    assert.deepEqual(countsFrom(machine.core, end - 8, 2), [[5, 0], [5, 0]], tier);
  }
});

Deno.test("counts that are taken are of what ran before, and what is there next counts from 0", () => {
  const nop: Line = ["hint", 0xd503201f], at = RAM_BASE + 0x1000, executed = (...each: number[]) => each.map((count) => [count, 0]);
  for (const tier of TIERS) {
    const machine = new Machine({ tier, counts, ...tier === "jit" && { hotness: eager } }), { counters } = machine.core;
    machine.load(at, [nop, nop, nop]);
    for (let i = 0; i < 5; i++) machine.run(3, at);
    const taken = counters.takeExecuted("vm", BigInt(at + 4), BigInt(at + 8));
    assert.deepEqual(taken.map(({ address, counts: [...each] }) => [Number(address), each]), [[at + 4, [5]]]);
    assert.deepEqual(counters.takeExecuted("another", BigInt(at), BigInt(at + PAGE_SIZE)), []);
    assert.deepEqual(countsFrom(machine.core, at, 3), executed(5, 0, 5), tier);
    for (let i = 0; i < 2; i++) machine.run(3, at);
    assert.deepEqual(countsFrom(machine.core, at, 3), executed(7, 2, 7), tier);
  }
});

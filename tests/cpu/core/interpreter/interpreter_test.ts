// The interpreter loop: exact budgets, decoded instructions and self-modifying code, virtual time,
// exclusives, what leaves the core.

import assert from "node:assert/strict";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { ExitReason, Stage2Flags } from "../../../../src/cpu/core/interface.ts";
import { Random } from "../../../support/random.ts";
import { type Line, Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const DATA = RAM_BASE + 0x10_0000;
const FAR = CODE + 0x4000;

/** A loop that crosses a page, calls into a third one, and loads and stores. X1 counts down. */
function loadLoop(machine: Machine): number {
  const start = CODE + 0x1000 - 16;
  machine.load(start, [
    ["add x0, x0, #0x1", 0x91000400],
    ["ldr x2, [x3], #8", 0xf8408462],
    ["madd x5, x5, x2, x0", 0x9b0200a5],
    ["hint #0x0", 0xd503201f],
    ["extr x6, x5, x5, #7", 0x93c51ca6],
    ["blr x9", 0xd63f0120],
    ["subs x1, x1, #0x1", 0xf1000421],
    ["b.ne", 0x54ffff21],
    ["b ", 0x14000000],
  ]);
  machine.load(FAR, [["str x6, [x4], #8", 0xf8008486], ["eor x5, x5, x6", 0xca0600a5], ["ret", 0xd65f03c0]]);
  const { vcpu } = machine;
  vcpu.setX(1, 1000n);
  vcpu.setX(3, BigInt(DATA));
  vcpu.setX(4, BigInt(DATA + 8));
  vcpu.setX(9, BigInt(FAR));
  machine.view.setBigUint64(DATA - RAM_BASE, 0x1234_5678_9abc_def1n, true);
  return start;
}

const ERET = 0xd69f_03e0;

Deno.test("a budget ends on the exact instruction, however it is cut", () => {
  const total = 9876;
  const states = [() => total, () => 1, (random: Random) => 1 + random.word() % 7, (random: Random) => 1 + random.word() % 2500].map(
    (cut) => {
      const machine = new Machine(), random = new Random(7);
      machine.vcpu.pc = BigInt(loadLoop(machine));
      while (machine.now < total) {
        const budget = Math.min(cut(random), total - machine.now);
        const exit = machine.run(budget);
        assert.equal(exit.reason, ExitReason.Budget);
        assert.equal(exit.retired, budget);
      }
      return machine.registers();
    },
  );
  for (const state of states) assert.equal(state, states[0]);
});

Deno.test("a branch to itself uses up its budget and stays there", () => {
  const machine = new Machine();
  machine.load(CODE, [["b ", 0x14000000]]);
  const exit = machine.run(12345, CODE);
  assert.deepEqual([exit.reason, exit.retired, machine.vcpu.pc], [ExitReason.Budget, 12345, BigInt(CODE)]);
});

Deno.test("a budget that ends with the last instruction of a page stops before the next page", () => {
  const machine = new Machine();
  machine.load(CODE + 0xffc, [["add x0, x0, #0x1", 0x91000400], ["add x0, x0, #0x2", 0x91000800]]);
  machine.run(1, CODE + 0xffc);
  assert.deepEqual([machine.vcpu.pc, machine.vcpu.getX(0)], [BigInt(CODE + 0x1000), 1n]);
  machine.run(1);
  assert.deepEqual([machine.vcpu.pc, machine.vcpu.getX(0)], [BigInt(CODE + 0x1004), 3n]);
});

Deno.test("a guest whose exception vectors cannot be fetched uses up its budget", () => {
  const machine = new Machine();
  machine.vcpu.setRegister("SCTLR_EL1", 0x30d00800n | 1n); // MMU on, without tables
  const exit = machine.run(1000, CODE);
  assert.equal(exit.reason, ExitReason.Trap);
  // Walks are off: translation faults of stage 1.
  machine.vcpu.setRegister("TCR_EL1", 1n << 7n | 1n << 23n);
  const looping = machine.run(1000, CODE);
  assert.deepEqual([looping.reason, looping.retired], [ExitReason.Budget, 1000]);
});

const NEW_INSTRUCTION: Line = ["add x0, x0, #0x2", 0x91000800];

Deno.test("an instruction that the program has just stored is what it executes, in the same straight line", () => {
  for (const distance of [1, 2, 5]) {
    const machine = new Machine();
    const lines: Line[] = [["str w7, [x8]", 0xb9000107]];
    for (let i = 0; i < 6; i++) lines.push(["add x0, x0, #0x1", 0x91000400]);
    machine.load(CODE, lines);
    machine.vcpu.setX(8, BigInt(DATA));
    machine.run(7, CODE);
    assert.equal(machine.vcpu.getX(0), 6n);
    machine.vcpu.setX(0, 0n);
    machine.vcpu.setX(7, BigInt(NEW_INSTRUCTION[1]));
    machine.vcpu.setX(8, BigInt(CODE + 4 * distance));
    machine.run(7, CODE);
    assert.equal(machine.vcpu.getX(0), 7n);
  }
});

Deno.test("code that another page's program rewrites a thousand times is always the newest", () => {
  const machine = new Machine();
  // Stores "movz x0, #n" at x8 and calls it, n times.
  machine.load(CODE, [
    ["str w7, [x8]", 0xb9000107],
    ["blr x8", 0xd63f0100],
    ["subs x0, x0, x10", 0xeb0a0000],
    ["orr x11, x11, x0", 0xaa00016b],
    ["add x10, x10, #0x1", 0x9100054a],
    ["add w7, w7, #0x20", 0x110080e7],
    ["subs x1, x1, #0x1", 0xf1000421],
    ["b.ne", 0x54ffff21],
    ["b ", 0x14000000],
  ]);
  machine.load(FAR, [["movz x0, #0x0", 0xd2800000], ["ret", 0xd65f03c0]]);
  const { vcpu } = machine;
  vcpu.setX(1, 1000n);
  vcpu.setX(7, 0xd2800000n);
  vcpu.setX(8, BigInt(FAR));
  machine.run(20_000, CODE);
  assert.deepEqual([vcpu.getX(1), vcpu.getX(10), vcpu.getX(11)], [0n, 1000n, 0n]);
});

Deno.test("instructions that the computer writes are seen after memoryWritten", () => {
  const machine = new Machine();
  machine.load(CODE, [["add x0, x0, #0x1", 0x91000400], ["b ", 0x14000000]]);
  machine.run(1, CODE);
  machine.load(CODE, [NEW_INSTRUCTION]);
  machine.run(1, CODE);
  assert.equal(machine.vcpu.getX(0), 3n);
});

Deno.test("more code pages than decoded pages are executed all the same", () => {
  const machine = new Machine({ decodedPages: 3 });
  const pages = 8;
  // Each page calls the next one; the last returns to the start.
  for (let page = 0; page < pages; page++) {
    machine.load(CODE + 0x1000 * page, [
      ["add x0, x0, #0x1", 0x91000400],
      page < pages - 1 ? ["b ", 0x140003ff] : ["ret", 0xd65f03c0],
    ]);
  }
  machine.vcpu.setX(30, BigInt(CODE));
  for (const budget of [5, 100, 3333]) machine.run(budget, CODE);
  assert.equal(machine.vcpu.getX(0), 3n + 50n + 1667n);
});

Deno.test("what the core has derived can be dropped at any time", () => {
  const machine = new Machine();
  const start = loadLoop(machine), cut = new Machine();
  cut.vcpu.pc = BigInt(loadLoop(cut));
  machine.run(500, start);
  for (let i = 0; i < 50; i++) {
    cut.run(10);
    cut.core.flush();
  }
  assert.equal(cut.registers(), machine.registers());
});

for (const tier of ["interp", "jit"] as const) {
  Deno.test(`whatever is UNDEFINED takes EC 0 and is named once, with its PC, in tier ${tier}`, () => {
    // No instruction; UDF; a shift of 40 in 32 bits; a hypervisor's instruction; at EL0, what is
    // EL1's.
    const words = [0x00ff_0000, 0x0000_0001, 0x0b00_a000, 0xd50c_87ff];
    const machine = new Machine({ tier, hotness: { samples: 1, landings: 2, slice: 50 } });
    machine.vcpu.setRegister("VBAR_EL1", BigInt(FAR));
    for (const offset of [0x200, 0x400]) machine.load(FAR + offset, [["b ", 0x14000000]]);
    const take = (word: number, vector: number) => {
      machine.view.setUint32(CODE - RAM_BASE, 0xd503201f, true); // nop
      machine.view.setUint32(CODE + 4 - RAM_BASE, word, true);
      machine.core.memoryWritten(CODE, 8);
      // The second time, what can be translated is.
      for (let i = 0; i < 2; i++) {
        machine.run(1, CODE);
        machine.run(3);
        assert.equal(machine.vcpu.pc, BigInt(FAR + vector));
        assert.equal(machine.vcpu.getRegister("ELR_EL1"), BigInt(CODE + 4));
        assert.equal(machine.vcpu.getRegister("ESR_EL1"), 0x2000000n);
      }
    };
    for (const word of words) take(word, 0x200);
    machine.vcpu.pstate = 0;
    machine.view.setUint32(CODE - RAM_BASE, 0xd503201f, true);
    machine.view.setUint32(CODE + 4 - RAM_BASE, ERET, true);
    machine.core.memoryWritten(CODE, 8);
    machine.run(2, CODE);
    assert.equal(machine.vcpu.pc, BigInt(FAR + 0x400));
    // The level that some of them need.
    const lacks = ["", "", "", "EL2", "EL1 (eret)"];
    const named = (word: number, i: number) => ({
      word,
      text: disassemble(word, BigInt(CODE + 4)),
      lack: lacks[i],
      pc: BigInt(CODE + 4),
      pa: CODE + 4,
    });
    assert.deepEqual(machine.undefinedWords, [...words, ERET].map(named));
  });
}

Deno.test("the counter advances by one for sixteen instructions, in the middle of a block as well", () => {
  const machine = new Machine();
  const lines: Line[] = [];
  for (let i = 0; i < 64; i++) lines.push(["mrs x10, cntvct_el0", 0xd53be04a]);
  machine.load(CODE, lines);
  machine.now = 1600;
  for (let i = 0; i < 64; i++) {
    machine.run(1, CODE + 4 * i);
    assert.equal(machine.vcpu.getX(10), BigInt(Math.floor((1600 + i) / 16)));
  }
  machine.now = 1600;
  machine.run(34, CODE);
  assert.equal(machine.vcpu.getX(10), BigInt(Math.floor((1600 + 33) / 16)));
  machine.core.run(machine.vcpu, 1600, 1, 3200);
  assert.equal(machine.vcpu.getX(10), 200n, "no counter read is below the floor");
});

Deno.test("HVC leaves behind the instruction, SMC and WFI at it, and each is counted", () => {
  const machine = new Machine();
  const cases: [Line, number, number][] = [
    [["hvc #0x1", 0xd4000022], 0x5a000001, 4],
    [["smc #0x2", 0xd4000043], 0x5e000002, 0],
    [["hint #0x3", 0xd503207f], 0x07e00000 | 0, 0],
  ];
  for (const [line, esr, step] of cases) {
    machine.load(CODE, [["add x0, x0, #0x1", 0x91000400], line]);
    const exit = machine.run(100, CODE);
    assert.deepEqual([exit.reason, exit.retired, exit.esr >>> 26], [ExitReason.Trap, 2, esr >>> 26]);
    assert.equal(machine.vcpu.pc, BigInt(CODE + 4 + step));
  }
});

Deno.test("YIELD ends the turn and is complete", () => {
  const machine = new Machine();
  machine.load(CODE, [["hint #0x1", 0xd503203f]]);
  const exit = machine.run(100, CODE);
  assert.deepEqual([exit.reason, exit.retired, machine.vcpu.pc], [ExitReason.Yield, 1, BigInt(CODE + 4)]);
});

const EXCLUSIVE: Line[] = [["ldxr x0, [x1]", 0xc85f7c20], ["stxr w2, x3, [x1]", 0xc8027c23]];

Deno.test("a store-exclusive succeeds once after its load-exclusive", () => {
  const machine = new Machine(), { vcpu } = machine;
  machine.load(CODE, [...EXCLUSIVE, ["stxr w2, x3, [x1]", 0xc8027c23]]);
  vcpu.setX(1, BigInt(DATA));
  vcpu.setX(3, 77n);
  machine.run(2, CODE);
  assert.deepEqual([vcpu.getX(2), machine.view.getBigUint64(DATA - RAM_BASE, true)], [0n, 77n]);
  machine.run(1);
  assert.equal(vcpu.getX(2), 1n);
});

Deno.test("a store-exclusive fails when the location has changed, and when another vCPU ran in between", () => {
  const machine = new Machine(), { vcpu } = machine;
  machine.load(CODE, EXCLUSIVE);
  vcpu.setX(1, BigInt(DATA));
  vcpu.setX(3, 77n);
  machine.run(1, CODE);
  machine.view.setBigUint64(DATA - RAM_BASE, 5n, true);
  machine.run(1);
  assert.deepEqual([vcpu.getX(2), machine.view.getBigUint64(DATA - RAM_BASE, true)], [1n, 5n]);

  machine.run(1, CODE);
  machine.run(1, FAR, machine.createVcpu());
  machine.run(1);
  assert.equal(vcpu.getX(2), 1n);
});

Deno.test("each vCPU has its own registers", () => {
  const machine = new Machine(), other = machine.createVcpu();
  machine.load(CODE, [["add x0, x0, #0x1", 0x91000400], ["b ", 0x17ffffff]]);
  machine.vcpu.pc = other.pc = BigInt(CODE);
  other.setX(0, 1000n);
  for (let i = 0; i < 3; i++) {
    machine.run(2);
    machine.run(4, undefined, other);
  }
  assert.deepEqual([machine.vcpu.getX(0), other.getX(0)], [3n, 1006n]);
  machine.core.releaseVcpu(other);
});

Deno.test("a misaligned stack pointer as a base faults when SCTLR_EL1.SA asks for it, in every form of access", () => {
  const forms: Line[] = [
    ["ldr x0, [sp, #8]", 0xf94007e0],
    ["ldr x0, [sp, x2]", 0xf8626be0],
    ["ldr q0, [sp]", 0x3dc003e0],
    ["stp x0, x1, [sp, #-16]!", 0xa9bf07e0],
    ["ldr x0, [sp], #16", 0xf84107e0],
    ["ldxr x0, [sp]", 0xc85f7fe0],
  ];
  for (const form of forms) {
    for (const checked of [true, false]) {
      const machine = new Machine(), { vcpu } = machine;
      machine.load(CODE, [form]);
      machine.load(FAR + 0x200, [["b ", 0x14000000]]);
      vcpu.setRegister("SCTLR_EL1", checked ? 0x30d0_0808n : 0x30d0_0800n);
      vcpu.setRegister("CPACR_EL1", 3n << 20n);
      vcpu.setRegister("VBAR_EL1", BigInt(FAR));
      vcpu.setRegister("SP_EL1", BigInt(DATA + 8));
      machine.run(1, CODE);
      // Without the check, Device memory (MMU off) still wants the 16 bytes of Q0 aligned.
      const fault = checked ? 0x9a00_0000n : form[0].startsWith("ldr q0") ? 0x9600_0021n : 0n;
      assert.equal(vcpu.getRegister("ESR_EL1"), fault, form[0]);
    }
  }
});

Deno.test("CPACR_EL1 decides at every execution whether a floating-point instruction traps", () => {
  const machine = new Machine(), { vcpu } = machine;
  machine.load(CODE, [["fadd d0, d1, d2", 0x1e622820], ["msr cpacr_el1, x1", 0xd5181041], ["b ", 0x17fffffe]]);
  machine.load(FAR + 0x200, [["b ", 0x14000000]]);
  vcpu.setRegister("VBAR_EL1", BigInt(FAR));
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  vcpu.setX(1, 0n);
  machine.run(3, CODE);
  assert.equal(vcpu.getRegister("ESR_EL1"), 0n);
  machine.run(1);
  assert.equal(vcpu.getRegister("ESR_EL1"), 0x1fe0_0000n);
  assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE));
});

Deno.test("a page that goes from stage 2 is no longer reached, and the translations of others stay", () => {
  const machine = new Machine(), { core, vcpu } = machine;
  const start = loadLoop(machine);
  machine.run(400, start);
  const stage2 = core.stage2Pool.tables(vcpu.stage2)!;
  const cached = () => new Set([...core.residency.cachedPages(vcpu.stage2)].map(({ pa }) => pa));
  assert.ok(cached().has(DATA), "the data's page is not cached");
  const before = cached().size;
  // Where nothing was mapped, nothing is cached.
  stage2.map(0x10_0000, DATA, 0x1000, Stage2Flags.Read);
  core.invalidateStage2(vcpu.stage2, 0x10_0000, 0x1000);
  assert.equal(cached().size, before);
  stage2.unmap(0x10_0000, 0x1000);
  core.invalidateStage2(vcpu.stage2, 0x10_0000, 0x1000);
  machine.run(400);
  stage2.unmap(FAR, 0x1000);
  core.invalidateStage2(vcpu.stage2, FAR, 0x1000);
  assert.ok(cached().has(DATA), "the data's page went with the code's");
  const { reason, esr } = machine.run(400);
  assert.equal(reason, ExitReason.Trap);
  assert.equal(esr >>> 26, 0x20, "an instruction abort");
  assert.equal(vcpu.pc & ~0xfffn, BigInt(FAR), "in the page that went");
});

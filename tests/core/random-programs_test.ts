// Random programs, exceptions, self-modifying stores and all: nothing throws, and the state after a
// number of instructions is the same however the run is cut into budgets, and by breakpoints, which
// stop wherever a step finds their addresses.

import assert from "node:assert/strict";
import { ExitReason, type RegisterName } from "../../src/core/interface.ts";
import { encodings } from "../../src/isa/table.ts";
import { Random } from "../support/random.ts";
import { Machine, RAM_BASE } from "./program.ts";

const CODE = RAM_BASE + 0x1000;
const CODE_WORDS = 2048;
const VECTORS = RAM_BASE + 0x8000;
const DATA = RAM_BASE + 0x10_0000;
const ERET = 0xd69f_03e0;
const EC_HVC = 0x16;
const INSTRUCTIONS = 2500;
const PAGE_SIZE = 4096;

const accesses = encodings().filter(({ instruction }) => /^(LD|ST|SWP|CAS|DC)/.test(instruction.name));
const branches = encodings().filter(({ instruction }) => /^(B\/BL|B.cond|CB|TB)/.test(instruction.name));
const rare = encodings().filter(({ instruction }) => /^(ERET|WF|HVC|SMC|YIELD|MSR \(r)/.test(instruction.name));
const common = encodings().filter((e) => !rare.includes(e));

/**
 * An instruction, or now and then any word. Many accesses have a base that points to data or to the
 * program itself.
 */
function randomWord(random: Random): number {
  const kind = random.word() % 32;
  if (kind === 0) return random.word();
  const list = kind === 1 ? rare : kind < 10 ? accesses : kind < 13 ? branches : common;
  const encoding = list[random.word() % list.length];
  let word = (random.word() & ~encoding.mask | encoding.value) >>> 0;
  const set = (name: string, value: number) => {
    const field = encoding.instruction.fields.get(name);
    if (field) word = (word & ~((2 ** field.width - 1) << field.position) | (value & 2 ** field.width - 1) << field.position) >>> 0;
  };
  for (const name of ["imm14", "imm19", "imm26"]) set(name, random.word() % 64 - 24);
  if (list === accesses && random.word() % 4) set("Rn", 20 + random.word() % 8);
  for (const name of ["Rd", "Rt"]) if (random.word() % 4) set(name, random.word() % 20);
  return word;
}

const CLEARED: readonly RegisterName[] = [
  ...["TCR_EL1", "TTBR0_EL1", "TTBR1_EL1", "MAIR_EL1", "ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "FPCR", "FPSR", "TPIDR_EL0"] as const,
  ...["TPIDR_EL1", "TPIDRRO_EL0", "PAR_EL1", "CNTKCTL_EL1", "CONTEXTIDR_EL1", "CSSELR_EL1", "CNTV_CTL_EL0", "CNTP_CTL_EL0"] as const,
];

/** Program, vectors and registers of a seed. */
function prepare(machine: Machine, seed: number): void {
  const random = new Random(seed), { vcpu, view } = machine;
  new Uint8Array(machine.memory.buffer, view.byteOffset, 0x20_0000).fill(0);
  const write = (address: number, word: number) => view.setUint32(address - RAM_BASE, word, true);
  for (let i = 0; i < CODE_WORDS; i++) write(CODE + 4 * i, randomWord(random));
  for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) {
    // mrs x9, elr_el1; add x9, x9, #4; msr elr_el1, x9; eret: continues after the instruction,
    // unless the vector has its own program.
    const handler = [0xd5384029, 0x91001129, 0xd5184029, ERET];
    for (let i = 0; i < 32; i++) write(at + 4 * i, i < 4 && random.word() % 8 ? handler[i] : i === 20 ? ERET : randomWord(random));
  }
  machine.core.flush();
  for (let i = 0; i < 31; i++) {
    const pointer = (random.word() % 8 ? DATA : CODE) + (random.word() & 0xff8);
    vcpu.setX(i, i >= 20 && i < 28 ? BigInt(pointer) : random.word() % 3 ? BigInt(random.word() % 64) : BigInt(random.word()) << 32n);
  }
  for (let i = 0; i < 32; i++) vcpu.setV(i, BigInt(random.word()) << 32n | BigInt(random.word()), BigInt(random.word()) << 20n);
  for (const name of CLEARED) vcpu.setRegister(name, 0n);
  vcpu.pstate = ((random.word() % 3 ? 0x3c5 : 0x3c0) | random.word() << 28) >>> 0;
  vcpu.setRegister("SP_EL0", BigInt(DATA + 0x4_0000));
  vcpu.setRegister("SP_EL1", BigInt(DATA + 0x8_0000));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("CPACR_EL1", random.word() % 4 ? 3n << 20n : 0n);
  vcpu.setRegister("SCTLR_EL1", random.word() % 2 ? 0x30d0_0818n : 0x30d0_0800n);
  vcpu.irq = random.word() % 4 === 0;
  vcpu.event = false;
  vcpu.pc = BigInt(CODE);
  machine.now = 0;
}

/**
 * Runs `INSTRUCTIONS` instructions, stepping over what leaves the core; state and exits as one
 * text.
 */
function execute(machine: Machine, budgetOf: () => number, onBreakpoint: () => void = () => assert.fail("there is no breakpoint")): string {
  const { vcpu, core } = machine, exits: string[] = [];
  while (machine.now < INSTRUCTIONS) {
    let budget = Math.min(budgetOf(), INSTRUCTIONS - machine.now);
    let exit = machine.run(budget);
    if (exit.reason === ExitReason.Breakpoint) {
      assert.ok(exit.retired < budget);
      onBreakpoint();
      budget = 1;
      exit = core.step(vcpu, machine.now, machine.now);
      machine.now += exit.retired;
    }
    const { reason, retired, esr } = exit;
    assert.ok(retired > 0 && retired <= budget, `${retired} of ${budget} instructions`);
    if (reason === ExitReason.Budget) assert.equal(retired, budget);
    if (reason !== ExitReason.Trap && reason !== ExitReason.Bus) continue;
    exits.push(`${machine.now} ${reason} ${esr.toString(16)}`);
    if (esr >>> 26 !== EC_HVC) core.skip(vcpu);
  }
  const vectors = Array.from({ length: 32 }, (_, i) => vcpu.getV(i).map((half) => half.toString(16)).join("_"));
  const system = CLEARED.map((name) => vcpu.getRegister(name).toString(16));
  let memory = 0;
  for (const word of new Int32Array(machine.memory.buffer, machine.view.byteOffset, 0x20_0000 / 4)) {
    memory = Math.imul(memory, 31) + word | 0;
  }
  return [machine.registers(), ...vectors, ...system, memory, ...exits].join("\n");
}

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
  let changed = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const machine = new Machine(), { memory, view, core } = machine;
    prepare(machine, seed);
    const ram = new Uint8Array(memory.buffer, view.byteOffset, 0x20_0000), before = ram.slice();
    execute(machine, () => INSTRUCTIONS);
    for (let at = 0; at < ram.length; at += PAGE_SIZE) {
      if (ram.subarray(at, at + PAGE_SIZE).every((byte, index) => byte === before[at + index])) continue;
      changed++;
      assert.ok(core.mayBeWritten(RAM_BASE + at), `seed ${seed}: page 0x${at.toString(16)}`);
    }
  }
  assert.ok(changed > 10, `${changed} pages`);
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
    for (const place of places) stopped.core.insertBreakpoint(stopped.vcpu.stage2, place);
    const budgetOf = seed % 2 ? () => INSTRUCTIONS : () => 1 + random.word() % 50;
    assert.equal(execute(stopped, budgetOf, () => note(found, stopped)), end, `seed ${seed}`);
    assert.deepEqual(found, expected, `seed ${seed}`);
    for (const place of places) stopped.core.removeBreakpoint(stopped.vcpu.stage2, place);
    all += found.length;
  }
  assert.ok(all > 1000, `${all} stops`);
});

// Random loops, call trees and threaded code in both tiers: bodies of any instructions, branches
// forwards and by tables, calls over pages, and accesses to two pages and to themselves, run long
// enough to be translated, and cut at random.

import assert from "node:assert/strict";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";

const CODE = RAM_BASE + 0x1000;
const VECTORS = RAM_BASE + 0x8000;
const DATA = RAM_BASE + 0x10_0000;
const INSTRUCTIONS = 6000;
/** The registers that count the loop, and the one that vectors use. */
const COUNTER = 28, SCRATCH = 29;

const computing = encodings().filter(({ instruction }) =>
  !/^(B\/BL|B.cond|CB|TB|BR|ERET|WF|HVC|SMC|SVC|BRK|HLT|UDF|YIELD|MSR|MRS|SYS|DC|LD|ST|SWP|CAS|PRFM)/.test(instruction.name)
);
const accesses = encodings().filter(({ instruction }) => /^(LD|ST|SWP|CAS|DC)/.test(instruction.name));
const setters = encodings().filter(({ instruction, shape }) =>
  /^(ADD\/ADDS|AND\/ORR|CCM|ADC)/.test(instruction.name) && (shape.S ?? 1) === 1
);

/**
 * An instruction that leaves the counter alone and whose base, if it accesses memory, points to
 * data.
 */
function randomWord(random: Random): number {
  const kind = random.word() % 16;
  const list = kind < 5 ? accesses : kind < 8 ? setters : computing;
  const encoding = list[random.word() % list.length];
  let word = (random.word() & ~encoding.mask | encoding.value) >>> 0;
  const set = (name: string, value: number) => {
    const field = encoding.instruction.fields.get(name);
    if (field) word = (word & ~((2 ** field.width - 1) << field.position) | (value & 2 ** field.width - 1) << field.position) >>> 0;
  };
  for (const name of ["Rd", "Rt", "Rt2", "Rs"]) set(name, random.word() % 20);
  if (list === accesses) {
    set("Rn", random.word() % 8 ? 20 + random.word() % 8 : 31);
    set("Rm", random.word() % 20);
  }
  return word;
}

/** A loop with a body of random instructions and forward branches in it. */
function loop(random: Random): number[] {
  const length = 3 + random.word() % 20;
  const body = Array.from({ length }, (_, i) => {
    const left = length - i;
    if (left < 2 || random.word() % 5) return randomWord(random);
    const offset = 1 + random.word() % (left - 1);
    // b.cond or cbnz, forwards inside of the body
    return random.word() % 2
      ? (0x54000000 | offset << 5 | random.word() % 14) >>> 0
      : (0x35000000 | offset << 5 | random.word() % 20) >>> 0;
  });
  // subs COUNTER, COUNTER, #1; b.ne to the start; or cbnz with the flags left alone.
  const back = -(length + 1) & 0x7ffff;
  const decrement = (random.word() % 2 ? 0xf1000400 : 0xd1000400) | COUNTER << 5 | COUNTER;
  return [...body, decrement >>> 0, (0xb5000000 | back << 5 | COUNTER) >>> 0];
}

/** Words by their numbers from the start of the code. */
type Program = Map<number, number>;

function loops(random: Random): Program {
  // movz COUNTER, #n before each loop; at the end back to the first.
  const words: number[] = [];
  for (let i = 0; i < 4; i++) words.push((0xd2800000 | (20 + random.word() % 200) << 5 | COUNTER) >>> 0, ...loop(random));
  words.push((0x14000000 | -words.length & 0x3ffffff) >>> 0);
  return new Map(words.map((word, i) => [i, word]));
}

const FUNCTIONS = 7;
/**
 * Instructions between the starts of functions, so that some of them reach over the end of a page.
 */
const FUNCTION_STRIDE = 330;

/**
 * Functions that call those after them, directly and by register, and jump by tables; the first one
 * loops.
 */
function callTree(random: Random): Program {
  const program: Program = new Map(), starts = Array.from({ length: FUNCTIONS }, (_, i) => i * FUNCTION_STRIDE + random.word() % 40);
  starts[0] = 0;
  starts.forEach((start, number) => {
    let at = start;
    const put = (...words: number[]) => words.forEach((word) => program.set(at++, word >>> 0));
    const branch = (opcode: number, to: number) => put(opcode | to - at & 0x3ffffff);
    // stp x29, x30, [sp, #-16]!
    put(0xa9bf7bfd);
    for (let i = 0; i < 24; i++) {
      const kind = random.word() % 10, later = starts[number + 1 + random.word() % 3];
      if (kind === 0 && later) branch(0x94000000, later);
      else if (kind === 1 && later) {
        // adr x19, later; blr x19
        put(0x10000013 | (later - at & 0x7ffff) << 5, 0xd63f0260);
      } else if (kind === 2) {
        // and w16, w16, #0xff; ldrb w18, [x20, w16, uxtw]; and x18, x18, #1; adr x19, #12; add x19,
        // x19, x18, lsl #2; br x19
        put(0x12001e10, 0x38704a92, 0x92400252, 0x10000073, 0x8b120a73, 0xd61f0260);
        // b +2; b +3; a word; b +2; a word
        put(0x14000002, 0x14000003, 0x91000400, 0x14000002, 0xd1000421);
      } else if (kind === 3) {
        // subs x17, x17, #1; b.cond over the next
        put(0xf1000631, 0x54000040 | random.word() % 14);
        put(tame(randomWord(random)));
      } else put(tame(randomWord(random)));
    }
    if (number === 0) {
      put(0xa8c17bfd);
      return branch(0x14000000, start);
    }
    // ldp x29, x30, [sp], #16; ret
    put(0xa8c17bfd, 0xd65f03c0);
  });
  return program;
}

/** Pieces of threaded code, and where its table is, in words from the start of the code. */
const PIECES = 8, TABLE = 0xe00;
/** The register with its address. */
const LINK = 30;
/** Instructions from the start to pieces that no other is near. */
const FAR = 0xc00;

/**
 * Pieces that each end in their own branch by the same table; some change the table, and some of it
 * leads far away.
 */
function threadedCode(random: Random): Program {
  const program: Program = new Map();
  let at = 0;
  const put = (...words: number[]) => words.forEach((word) => program.set(at++, word >>> 0));
  const branch = (to: number) => put(0x14000000 | to - at & 0x3ffffff);
  // adr LINK, table; movz COUNTER, #n
  put(0x10000000 | TABLE << 5 | LINK, 0xd2800000 | (random.word() & 0xffff) << 5 | COUNTER);
  const start = 960 + random.word() % 60, pieces: number[] = [];
  branch(start);
  at = start;
  for (let number = 0; number < PIECES; number++) {
    pieces.push(at);
    for (let i = random.word() % 6; i > 0; i--) {
      // b.cond or cbnz over the next.
      if (random.word() % 4 === 0) put(random.word() % 2 ? 0x54000040 | random.word() % 14 : 0x35000040 | random.word() % 20);
      put(tame(randomWord(random)));
    }
    const place = random.word() % PIECES;
    // ldr x16, [LINK, #8 * place]; ldr x17, [LINK]; stores that exchange them
    if (random.word() % 4 === 0) {
      put(...[0xf9400010 | place << 10, 0xf9400011, 0xf9000011 | place << 10, 0xf9000010].map((word) => word | LINK << 5));
    }
    // add COUNTER, COUNTER, COUNTER, lsl #2; add COUNTER, COUNTER, #1; ubfx x16, COUNTER, #20, #3
    put(0x8b000800 | COUNTER << 16 | COUNTER << 5 | COUNTER, 0x91000400 | COUNTER << 5 | COUNTER, 0xd3545810 | COUNTER << 5);
    // ldr x16, [LINK, x16, lsl #3]; br x16
    put(0xf8707810 | LINK << 5, 0xd61f0200);
    if (random.word() % 3 === 0) put(random.word());
  }
  const back = pieces[0];
  at = FAR;
  put(0x91000421);
  branch(back);
  pieces.forEach((piece, number) => {
    const address = CODE + 4 * (random.word() % 8 ? piece : FAR);
    program.set(TABLE + 2 * number, address).set(TABLE + 2 * number + 1, 0);
  });
  return program;
}

/** No access with SP as its base, which would lose the return addresses. */
function tame(word: number): number {
  return (word >>> 25 & 5) === 4 && (word >>> 5 & 31) === 31 ? 0xd503201f : word;
}

function prepare(machine: Machine, seed: number, generate: (random: Random) => Program): void {
  const random = new Random(seed), { vcpu, view } = machine;
  new Uint8Array(machine.memory.buffer, view.byteOffset, 0x20_0000).fill(0);
  const write = (address: number, word: number) => view.setUint32(address - RAM_BASE, word, true);
  for (const [at, word] of generate(random)) write(CODE + 4 * at, word);
  // mrs SCRATCH, elr_el1; add SCRATCH, SCRATCH, #4; msr elr_el1, SCRATCH; eret
  const handler = [0xd5384020 | SCRATCH, 0x91001000 | SCRATCH << 5 | SCRATCH, 0xd5184020 | SCRATCH, 0xd69f03e0];
  for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) handler.forEach((word, i) => write(at + 4 * i, word >>> 0));
  machine.core.flush();
  for (let i = 0; i < 31; i++) {
    const pointer = (random.word() % 12 ? DATA : CODE) + (random.word() & 0xff8);
    vcpu.setX(i, i >= 20 && i < 28 ? BigInt(pointer) : random.word() % 3 ? BigInt(random.word() % 64) : BigInt(random.word()) << 32n);
  }
  for (let i = 0; i < 32; i++) vcpu.setV(i, BigInt(random.word()) << 32n | BigInt(random.word()), BigInt(random.word()) << 20n);
  for (const name of ["ELR_EL1", "SPSR_EL1", "ESR_EL1", "FAR_EL1", "FPCR", "FPSR"] as const) vcpu.setRegister(name, 0n);
  vcpu.pstate = (0x3c5 | random.word() << 28) >>> 0;
  vcpu.setRegister("SP_EL1", BigInt(DATA + 0x8_0000 + (random.word() % 4 ? 0 : 8)));
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("CPACR_EL1", random.word() % 6 ? 3n << 20n : 0n);
  vcpu.setRegister("SCTLR_EL1", random.word() % 2 ? 0x30d0_0808n : 0x30d0_0800n);
  vcpu.pc = BigInt(CODE);
  machine.now = 0;
}

/** State after each stretch of a random length; exits of the core are stepped over. */
function execute(machine: Machine, seed: number): string[] {
  const random = new Random(seed), { vcpu, core } = machine, states: string[] = [];
  while (machine.now < INSTRUCTIONS) {
    const { reason } = machine.run(1 + random.word() % 900);
    if (reason === ExitReason.Trap || reason === ExitReason.Bus) core.skip(vcpu);
    const vectors = Array.from({ length: 32 }, (_, i) => vcpu.getV(i).map((half) => half.toString(16)).join("_"));
    let memory = 0;
    for (const word of new Int32Array(machine.memory.buffer, machine.view.byteOffset + 0x1000, 0x1000 / 4)) {
      memory = Math.imul(memory, 31) + word | 0;
    }
    for (const word of new Int32Array(machine.memory.buffer, machine.view.byteOffset + 0x0f_e000, 0x4000 / 4)) {
      memory = Math.imul(memory, 31) + word | 0;
    }
    states.push([machine.now, reason, machine.registers(), ...vectors, vcpu.getRegister("FPSR"), memory].join("\n"));
  }
  return states;
}

const SEEDS = Number(Deno.env.get("EL2_LOOP_SEEDS") ?? 40);

for (const [what, generate] of [["loops", loops], ["call trees", callTree], ["pieces of threaded code", threadedCode]] as const) {
  Deno.test(`random ${what} reach the same states at the same instructions in both tiers`, () => {
    const interpreter = new Machine();
    const translator = new Machine({ tier: "jit", hotness: { samples: 1, landings: 2, slice: 37 } });
    for (let seed = 1; seed <= SEEDS; seed++) {
      prepare(interpreter, seed, generate);
      prepare(translator, seed, generate);
      const expected = execute(interpreter, seed), actual = execute(translator, seed);
      expected.forEach((state, i) => assert.equal(actual[i], state, `seed ${seed}, stretch ${i}`));
    }
    const { regions, dropped } = translator.core.counters.translator!;
    assert.ok(regions > 2 * SEEDS, `${regions} regions were translated`);
    assert.ok(dropped > 0, "no region was dropped");
  });
}

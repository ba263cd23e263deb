// VMs that execute random instructions beside one that does not: whatever they do, the program goes on, and so does the other VM
// (DESIGN "Seven decisions", 7).

import assert from "node:assert/strict";
import type { VmPlan } from "../../src/host/plan.ts";
import { planDemo } from "../../src/workstation/config-plan.ts";
import { Stack, vmPlan } from "./stack.ts";

const MIB = 2 ** 20;
const LONG = Deno.env.get("EL2_LONG") !== undefined;
const SEEDS = LONG ? 40 : 2;
const HOSTILE_VMS = 8;
/** Virtual time of a run, ns. */
const DURATION = LONG ? 200e6 : 30e6;

/** A generator of 32-bit numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = seed + 0x6d2b_79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

/** Values that mean something to somebody: addresses, capabilities, sizes, PSCI and vendor functions. */
const VALUES = [
  ...[0, 1, 2, 3, 4, 5, 8, 16, 64, 240, 0xffff, 0x1000, 0x10_0000],
  ...[0x8000_0000, 0x8000_0ff8, 0x801f_f000, 0x8020_0000, 0x4000_0000, 0x3fff_ffff, 0x0900_0000, 0x0900_0038, 0x1234_5678],
  ...[0x0800_0000, 0x0800_0104, 0x0800_6108, 0x080a_0014, 0x080b_0100, 0x080c_0000],
  ...[0x8400_0000, 0x8400_0002, 0xc400_0001, 0xc400_0003, 0xc400_0004, 0x8400_0008, 0x8400_0009, 0xc400_0012, 0x8400_000a, 0x8400_0050],
  ...[0xc600_8000, 0xc600_8012, 0xc600_801b, 0xc600_8061, 0x8600_ff01, 0xffff_ffff],
];

const Word = {
  movz: (register: number, value: number, half: number) => 0xd280_0000 | half << 21 | value << 5 | register,
  movk: (register: number, value: number, half: number) => 0xf280_0000 | half << 21 | value << 5 | register,
  movn: (register: number) => 0x9280_0000 | register,
  adr: (register: number, offset: number) => 0x1000_0000 | (offset & 3) << 29 | offset >> 2 << 5 | register,
  branch: (words: number) => 0x1400_0000 | words & 0x3ff_ffff,
  addFour: (register: number) => 0x9100_1000 | register << 5 | register,
  eret: 0xd69f_03e0,
} as const;
const MRS_ELR = 0xd538_4020, MSR_ELR = 0xd518_4020, MSR_VBAR = 0xd518_c000, MRS_IAR1 = 0xd538_cc00, MSR_EOIR1 = 0xd518_cc20;
const HINTS = [0xd503_201f, 0xd503_203f, 0xd503_205f, 0xd503_207f, 0xd503_209f, 0xd503_3fdf, 0xd503_42ff, 0xd503_41ff];

/** One random instruction, or a few that give a register a value. */
function instructions(below: (limit: number) => number): number[] {
  const register = below(31);
  switch (below(12)) {
    case 0:
    case 1:
    case 2: {
      if (below(10) === 0) return [Word.movn(register)];
      const value = VALUES[below(VALUES.length)];
      const low = Word.movz(below(8), value & 0xffff, 0);
      return [low, Word.movk(low & 0x1f, value >>> 16, 1)];
    }
    case 3:
      return [0xd400_0002 | 0x6000 + below(0x6b) << 5]; // HVC
    case 4:
      return [(below(2) ? 0xd400_0002 : 0xd400_0003) | (below(4) ? 0 : below(0x1_0000)) << 5]; // HVC, SMC
    case 5:
      return [0xd500_0000 | (2 + below(2)) << 19 | below(2) << 21 | below(0x8_0000)]; // MRS, MSR
    case 6:
      return [0xd508_0000 | below(0x8_0000) & ~0x18_0000]; // SYS
    case 7:
    case 8:
      return [(below(4) << 30 | 0x3900_0000 | below(4) << 22 | below(16) << 10 | below(31) << 5 | register) >>> 0]; // LDR, STR
    case 9:
      return [HINTS[below(HINTS.length)]];
    case 10:
      return [below(8) ? Word.branch(1 + below(8)) : 0x5400_0000 | below(16) | below(64) << 5];
    default:
      return [below(2 ** 32)];
  }
}

/** An image: set-up, vectors that skip what faults and acknowledge what interrupts, then random code in a loop. */
function hostileImage(seed: number): Uint8Array {
  const below = random(seed);
  const words = new Uint32Array(0x4000 / 4);
  const VECTORS = 0x800 / 4, BODY = 0x1000 / 4;
  words.set([Word.adr(28, 0x800), MSR_VBAR | 28, Word.branch(BODY - 2)]);
  for (let vector = 0; vector < 16; vector++) {
    const interrupt = vector % 4 === 1 || vector % 4 === 2;
    const handler = interrupt ? [MRS_IAR1 | 29, MSR_EOIR1 | 29, Word.eret] : [MRS_ELR | 29, Word.addFour(29), MSR_ELR | 29, Word.eret];
    words.set(handler, VECTORS + vector * 0x20);
  }
  let at = BODY;
  while (at < words.length - 4) {
    for (const word of instructions(below)) words[at++] = word;
  }
  words[at] = Word.branch(BODY - at);
  return new Uint8Array(words.buffer);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  Deno.test(`random code in ${HOSTILE_VMS} VMs disturbs neither the program nor another VM (seed ${seed})`, async () => {
    const demo = await planDemo();
    assert.ok(demo.ok);
    const hello: VmPlan = { ...demo.run.host.vms[0], cmdline: "ms=2" };
    const hostile = Array.from({ length: HOSTILE_VMS }, (_, index) => {
      const bytes = hostileImage(seed * 1000 + index);
      return vmPlan(`hostile-${index}`, {
        image: { bytes, offset: 0, size: bytes.length, entry: 0 },
        onExit: "restart",
        console: index % 2 === 0,
      });
    });
    const stack = new Stack({ memory: 64 * MIB, vcpus: 2, vms: [hello, ...hostile] }, { cpus: 2, memory: 96 * MIB });
    const result = stack.run(DURATION);
    assert.equal(result.kind, "time", JSON.stringify(result));
    const ticks = Math.floor(DURATION / 2e6);
    assert.match(stack.console("hello"), new RegExp(`tick ${Math.floor(ticks * 0.7)}\r\n`), stack.log().slice(-20).join("\n"));
  });
}

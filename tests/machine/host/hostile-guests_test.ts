// VMs that execute random instructions beside one that does not: whatever they do, the program
// continues, and so does the other VM (docs/design/decisions.md §7).

import assert from "node:assert/strict";
import type { VmPlan } from "../../../src/machine/host/data/plan.ts";
import { planDemo } from "../../../src/app/configuration/plan-run.ts";
import { MIB, nativeHostOf, vmPlan } from "./plans.ts";
import { Stack } from "./stack.ts";
import { LONG } from "../../support/long.ts";

const SEEDS = LONG ? 40 : 2;
const HOSTILE_VMS = LONG ? 8 : 4;
/** Virtual time of a run, ns. */
const DURATION = LONG ? 200e6 : 20e6;

/** A generator of 32-bit numbers from a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = seed + 0x6d2b_79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % below;
  };
}

/**
 * Values that mean something to somebody: addresses, capabilities, sizes, PSCI and vendor
 * functions.
 */
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
  adr: (register: number, offset: number) => 0x1000_0000 | (offset & 3) << 29 | (offset >> 2 & 0x7_ffff) << 5 | register,
  branch: (words: number) => 0x1400_0000 | words & 0x3ff_ffff,
} as const;
const MRS_ELR_X29 = 0xd538_403d, MSR_ELR_X29 = 0xd518_403d, ERET = 0xd69f_03e0;
const MSR_VBAR_X28 = 0xd518_c01c, MRS_IAR1_X29 = 0xd538_cc1d, MSR_EOIR1_X29 = 0xd518_cc3d;

/** Bytes of an image, and where in it the vectors and the random code begin. */
const IMAGE = 0x4000, VECTORS = 0x800, BODY = 0x1000;

/**
 * Skips faults; a PC outside of the image is brought back, each time a little further into the
 * random code. `at` is the vector's offset.
 */
function skipFault(at: number): number[] {
  const rest = [
    // sub x30, x29, x30; lsr x30, x30, #14; cbnz x30, .+16
    ...[0xcb1e_03be, 0xd34e_ffde, 0xb500_009e],
    ...[0x9100_13bd, MSR_ELR_X29, ERET], // add x29, x29, #4
    // tpidr_el1 = (tpidr_el1 + 68) & 0x1ffc, by x30
    ...[0xd538_d09e, 0x9101_13de, 0x927e_2bde, 0xd518_d09e],
  ];
  const words = [MRS_ELR_X29, Word.adr(30, -(at + 4)), ...rest];
  // add x29, x29, x30
  return [...words, Word.adr(29, BODY - at - 4 * words.length), 0x8b1e_03bd, MSR_ELR_X29, ERET];
}
const HINTS = [0xd503_201f, 0xd503_203f, 0xd503_205f, 0xd503_209f, 0xd503_3fdf, 0xd503_42ff, 0xd503_41ff];
/** Rare: most often nothing ever ends it. */
const WFI = 0xd503_207f;

/**
 * MRS or MSR of any register; only rarely one that ends all of this VM's doings (SCTLR, VBAR, and
 * registers next to them).
 */
function systemRegister(below: (limit: number) => number): number {
  const word = 0xd500_0000 | (2 + below(2)) << 19 | below(2) << 21 | below(0x8_0000);
  const crn = word >>> 12 & 0xf;
  const deadly = (crn === 1 || crn === 2 || crn === 12) && (word >>> 21 & 1) === 0;
  return deadly && below(20) ? HINTS[0] : word;
}

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
      // HVC, SMC
      return [(below(2) ? 0xd400_0002 : 0xd400_0003) | (below(4) ? 0 : below(0x1_0000)) << 5];
    case 5:
      return [systemRegister(below)];
    case 6:
      return [0xd508_0000 | below(0x8_0000) & ~0x18_0000]; // SYS
    case 7:
    case 8:
      // LDR, STR
      return [(below(4) << 30 | 0x3900_0000 | below(4) << 22 | below(16) << 10 | below(31) << 5 | register) >>> 0];
    case 9:
      return [below(100) ? HINTS[below(HINTS.length)] : WFI];
    case 10:
      return [below(8) ? Word.branch(1 + below(8)) : 0x5400_0000 | below(16) | below(64) << 5];
    default:
      return [below(2 ** 32)];
  }
}

/**
 * An image: set-up, vectors that skip what faults and acknowledge what interrupts, then random code
 * in a loop.
 */
function hostileImage(seed: number): Uint8Array {
  const below = random(seed);
  const words = new Uint32Array(IMAGE / 4);
  words.set([Word.adr(28, VECTORS), MSR_VBAR_X28, Word.branch((BODY - 8) / 4)]);
  for (let at = VECTORS; at < BODY; at += 0x80) {
    const kind = at / 0x80 % 4; // synchronous, IRQ, FIQ, SError
    words.set(kind === 1 || kind === 2 ? [MRS_IAR1_X29, MSR_EOIR1_X29, ERET] : skipFault(at), at / 4);
  }
  let at = BODY / 4;
  while (at < words.length - 4) {
    for (const word of instructions(below)) words[at++] = word;
  }
  words[at] = Word.branch(BODY / 4 - at);
  return new Uint8Array(words.buffer);
}

for (let seed = 1; seed <= SEEDS; seed++) {
  Deno.test(`random code in ${HOSTILE_VMS} VMs disturbs neither the program nor another VM (seed ${seed})`, async () => {
    const demo = await planDemo();
    assert.ok(demo.ok);
    const hello: VmPlan = { ...nativeHostOf(demo.run).vms[0], cmdline: "ms=2" };
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

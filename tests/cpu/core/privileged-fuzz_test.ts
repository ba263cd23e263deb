// Random privileged code: system registers with any values, tables of any contents, maintenance,
// returns to anywhere. After any guest, `run` returns with its budget used up or an exit, and the
// same run gives the same state.

import assert from "node:assert/strict";
import { parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { ExitReason } from "../../../src/cpu/core/interface.ts";
import { systemRegisters } from "../../../src/cpu/core/registers/system-registers.ts";
import { Random } from "../../support/random.ts";
import { Machine, RAM_BASE } from "./program.ts";

const SYSTEM_REGISTERS = systemRegisters(parseCpu("max").features);

const RAM_SIZE = 0x40_0000;
const WORDS = 4096;
/** Offset in RAM of a table of level 1. */
const TABLE = 0x3_f000;
const RUNS = 60;
const BUDGET = 20_000;

const SYS = 0xd508_0000;
/** TLBI, AT, IC and DC by CRn and CRm. */
const MAINTENANCE = [[8, 7], [8, 3], [7, 8], [7, 5], [7, 6], [7, 10], [7, 11], [7, 14], [7, 4], [7, 1]];
const OTHERS = [
  0xd69f_03e0,
  0xd400_0001,
  0xd503_207f,
  0xd503_205f,
  0xd400_0002,
  0xd503_3fdf,
  0xd500_409f,
  0xd500_419f,
  0xd500_40bf,
  0xd500_41bf,
  0xd503_42ff,
];
const ACCESSES = [
  0xf940_0000,
  0xf900_0000,
  0x3940_0000,
  0x7900_0000,
  0xa940_0000,
  0xa900_0000,
  0x3dc0_0000,
  0xb840_0800,
  0xf820_0000,
  0xc85f_7c00,
  0xd61f_0000,
];

/**
 * One instruction of the kinds above, or a move of something that looks like an address, a register
 * or a table.
 */
function randomWord(random: Random): number {
  const pick = <T>(list: readonly T[]) => list[random.word() % list.length];
  const rt = random.word() & 15, rn = random.word() & 15;
  switch (random.word() % 8) {
    case 0:
    case 1: {
      const { encoding } = pick(SYSTEM_REGISTERS);
      return 0xd510_0000 + (random.word() & 1 ? 1 << 21 : 0) + ((encoding & 0x7fff) << 5) + rt;
    }
    case 2: {
      const [crn, crm] = pick(MAINTENANCE);
      return SYS + ((random.word() & 1) * 3 << 16) + (crn << 12) + (crm << 8) + ((random.word() & 7) << 5) + rt;
    }
    case 3:
      return random.word() % 4 ? pick(OTHERS) : random.word() | 0;
    case 4: // MOVZ, MOVK, MOVN
      return 0xd280_0000 + (random.word() % 3 << 29) % 0x6000_0000 + ((random.word() & 3) << 21) + ((random.word() & 0xffff) << 5) + rt;
    default:
      return pick(ACCESSES) + (rn << 5) + rt;
  }
}

/** Runs one random guest on a machine that had others before; a text of its state in the end. */
function fuzz(machine: Machine, seed: number): string {
  const random = new Random(seed);
  const { view } = machine;
  const vcpu = machine.createVcpu();
  new Uint8Array(view.buffer, view.byteOffset, RAM_SIZE).fill(0);
  machine.core.flush();
  machine.now = 0;
  for (let i = 0; i < WORDS; i++) view.setUint32(4 * i, randomWord(random), true);
  // Words that may be descriptors of tables, blocks and pages in RAM.
  for (let at = 4 * WORDS; at < 0x4_0000; at += 8) {
    const descriptor = (RAM_BASE + (random.word() % RAM_SIZE & ~0xfff)) + (random.word() & 0xfff);
    view.setBigUint64(at, BigInt(descriptor) | BigInt(random.word() & 0xf) << 59n | BigInt(random.word() & 3) << 53n, true);
  }
  // A flat block for the code, so that there is life after the MMU is turned on; the table's other
  // entries are as random as the rest.
  view.setBigUint64(TABLE + 8, BigInt(RAM_BASE) | 0x701n | BigInt(random.word() & 1) << 6n, true);
  vcpu.setRegister("TTBR0_EL1", BigInt(RAM_BASE + TABLE));
  vcpu.setRegister("TTBR1_EL1", BigInt(RAM_BASE + TABLE));
  vcpu.setRegister("TCR_EL1", 25n | 25n << 16n | 1n << 32n);
  vcpu.setRegister("MAIR_EL1", 0xffff_ffffn);
  vcpu.setRegister("SCTLR_EL1", BigInt(0x30d0_0800 + seed % 2));
  const values = [0n, 0x3c0n, 0x3c4n, 0x3c5n, 0x80_0000_0000n, 0x30d0_0801n, 0x30d8_1805n, BigInt(RAM_BASE + TABLE) | 5n << 48n];
  for (let i = 0; i < 16; i++) {
    const special = values[random.word() % 16];
    vcpu.setX(i, special ?? BigInt(RAM_BASE + (random.word() % 0x4_0000 & ~7)));
  }
  vcpu.setRegister("VBAR_EL1", BigInt(RAM_BASE + 0x800));
  vcpu.pc = BigInt(RAM_BASE);
  while (machine.now < BUDGET) {
    const before = machine.now;
    const exit = machine.run(BUDGET - machine.now, undefined, vcpu);
    if (exit.reason === ExitReason.Trap || exit.reason === ExitReason.Bus) {
      if (random.word() % 2) machine.core.skip(vcpu);
      else machine.core.takeException(vcpu, random.word() >>> 0, BigInt(random.word()));
    } else if (exit.reason === ExitReason.Budget) {
      assert.equal(machine.now, BUDGET);
    }
    vcpu.irq = random.word() % 2 === 0;
    // An exit takes an instruction, so that the budget comes to its end.
    assert.ok(machine.now > before || exit.reason !== ExitReason.Budget);
  }
  const state = `${machine.registers(vcpu)} ${vcpu.getRegister("ELR_EL1")} ${vcpu.getRegister("SPSR_EL1")}`;
  machine.core.releaseVcpu(vcpu);
  return state;
}

Deno.test("random privileged code neither stops the core nor behaves differently after other code", () => {
  const seeds = Array.from({ length: RUNS }, (_, i) => i + 1);
  const run = (order: number[]) => {
    const machine = new Machine();
    return new Map(order.map((seed) => [seed, fuzz(machine, seed)]));
  };
  const forward = run(seeds), backward = run(seeds.toReversed());
  for (const seed of seeds) assert.equal(forward.get(seed), backward.get(seed), `seed ${seed}`);
});

// Branch target identification: every type of indirect branch to every kind of target, from and to
// pages that are guarded or not, at EL0 and EL1, in one run, in parts, across an interrupt, and in
// regions of the translator.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Machine, RAM_BASE } from "../program.ts";

const TABLES = RAM_BASE + 0x10_0000, VECTORS = RAM_BASE + 0x6000;
/** Pages of branches and of targets: not guarded, guarded. */
const SOURCES = [RAM_BASE + 0x1000, RAM_BASE + 0x2000] as const, TARGETS = [RAM_BASE + 0x3000, RAM_BASE + 0x4000] as const;
const EL1 = 0x3c5, EL0 = 0x3c0, BTYPE_SHIFT = 10, UNMASKED = ~0x80;
const NOP = 0xd503_201f, HVC = 0xd400_0002, BRK = 0xd420_0000, ERET = 0xd69f_03e0;
/** A branch: what it leaves in BTYPE from a page that is not guarded, and from one that is. */
const BRANCHES = [
  ["br x0", 0xd61f_0000, [1, 3]],
  ["br x16", 0xd61f_0200, [1, 1]],
  ["br x17", 0xd61f_0220, [1, 1]],
  ["blr x0", 0xd63f_0000, [2, 2]],
  ["braaz x0", 0xd61f_081f, [1, 3]],
  ["blraaz x16", 0xd63f_0a1f, [2, 2]],
  ["ret x0", 0xd65f_0000, [0, 0]],
] as const;
/** Those of FEAT_PAuth. */
const AUTHENTICATING: readonly number[] = [0xd61f_081f, 0xd63f_0a1f];
/**
 * A target: its word, and the types that a guarded page permits with SCTLR_EL1.BT clear and set.
 */
const WORDS = [
  ["nop", NOP, [], []],
  ["bti", 0xd503_241f, [], []],
  ["bti c", 0xd503_245f, [1, 2], [1, 2]],
  ["bti j", 0xd503_249f, [1, 3], [1, 3]],
  ["bti jc", 0xd503_24df, [1, 2, 3], [1, 2, 3]],
  ["paciasp", 0xd503_233f, [1, 2, 3], [1, 2]],
  ["pacibsp", 0xd503_237f, [1, 2, 3], [1, 2]],
  ["add x5, x5, #1", 0x9100_04a5, [], []],
] as const;
/** SCTLR_EL1 with the MMU on and without keys; with BT0 and BT1. */
const SCTLR = 0x30d0_1805n, BT = 3n << 35n;

function machineOf(tier: "interp" | "jit", cpu = "max") {
  const machine = new Machine({ cpu: parseCpu(cpu), ...(tier === "jit" && { tier, hotness: { samples: 1, landings: 1, slice: 200 } }) });
  const { vcpu, view } = machine, at = (address: number) => address - RAM_BASE;
  view.setBigUint64(at(TABLES) + 8, BigInt(TABLES + 0x1000) | 3n, true);
  view.setBigUint64(at(TABLES + 0x1000), BigInt(TABLES + 0x2000) | 3n, true);
  for (let page = 0; page < 512; page++) {
    const address = RAM_BASE + 0x1000 * page, isGuarded = address === SOURCES[1] || address === TARGETS[1];
    // AF, inner shareable, read-only for both levels, attribute 1.
    view.setBigUint64(at(TABLES + 0x2000) + 8 * page, BigInt(address) | 0x7c7n | (isGuarded ? 1n << 50n : 0n), true);
  }
  vcpu.setRegister("MAIR_EL1", 0xff00n);
  vcpu.setRegister("TTBR0_EL1", BigInt(TABLES));
  vcpu.setRegister("TCR_EL1", 0x2_0080_3519n);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.setRegister("SCTLR_EL1", SCTLR);
  vcpu.setRegister("SP_EL1", BigInt(RAM_BASE + 0x8000));
  const place = (address: number, ...words: number[]) => {
    words.forEach((word, i) => view.setUint32(at(address) + 4 * i, word, true));
    machine.core.memoryWritten(address, 4 * words.length);
  };
  for (let vector = 0; vector < 0x800; vector += 0x80) place(VECTORS + vector, HVC);
  const state = () => ({
    pc: Number(vcpu.pc) & ~0x784,
    esr: Number(vcpu.getRegister("ESR_EL1")),
    elr: Number(vcpu.getRegister("ELR_EL1")),
    type: Number(vcpu.getRegister("SPSR_EL1")) >> BTYPE_SHIFT & 3,
  });
  return { machine, vcpu, place, state };
}

/** Calls with every combination of a branch, a target, pages, level and SCTLR_EL1.BT. */
function forEachCase(
  body: (
    one: { branch: number; word: number; from: 0 | 1; to: 0 | 1; el: number; bt: bigint; type: number; good: boolean; name: string },
  ) => void,
) {
  for (const [branchName, branch, types] of BRANCHES) {
    for (const [wordName, word, clear, set] of WORDS) {
      for (const from of [0, 1] as const) {
        for (const to of [0, 1] as const) {
          for (const [el, bt] of [[EL1, 0n], [EL1, BT], [EL0, 0n], [EL0, BT]] as const) {
            const type = types[from], permitted: readonly number[] = bt ? set : clear;
            const name = `${branchName} from ${from} to ${wordName} in ${to}, PSTATE ${el.toString(16)}, BT ${bt}`;
            body({ branch, word, from, to, el, bt, type, good: type === 0 || to === 0 || permitted.includes(type), name });
          }
        }
      }
    }
  }
}

Deno.test("an indirect branch is refused where a guarded page does not permit its type, however the run is parted", () => {
  for (const [cpu, least] of [["max", 300], ["recorded", 200]] as const) {
    const { machine, vcpu, place, state } = machineOf("interp", cpu);
    let refused = 0;
    forEachCase(({ branch, word, from, to, el, bt, type, good, name }) => {
      // Without FEAT_PAuth, PACIASP permits a branch all the same.
      if (cpu === "recorded" && AUTHENTICATING.includes(branch)) return;
      for (const parts of [[2], [1, 1]]) {
        place(SOURCES[from], branch);
        place(TARGETS[to], word, HVC);
        vcpu.setRegister("SCTLR_EL1", SCTLR | bt);
        vcpu.setRegister("ESR_EL1", 0n);
        vcpu.pstate = el;
        vcpu.setX(branch >> 5 & 31, BigInt(TARGETS[to]));
        vcpu.pc = BigInt(SOURCES[from]);
        for (const part of parts) {
          const { retired } = machine.run(part);
          assert.equal(retired, part, name);
          if (parts.length > 1 && vcpu.pc === BigInt(TARGETS[to])) assert.equal(vcpu.pstate >> BTYPE_SHIFT & 3, type, `${name}: between`);
        }
        if (good) {
          assert.equal(vcpu.pc, BigInt(TARGETS[to] + 4), name);
          assert.equal(vcpu.pstate >> BTYPE_SHIFT & 3, 0, name);
        } else {
          refused++;
          assert.deepEqual(state(), { pc: VECTORS, esr: (0x0d << 26 | 1 << 25 | type) >>> 0, elr: TARGETS[to], type }, name);
        }
      }
    });
    assert.ok(refused > least, `${refused} refused on ${cpu}`);
  }
});

Deno.test("an interrupt before the target keeps the type in SPSR_EL1, and the return is checked", () => {
  const { machine, vcpu, place, state } = machineOf("interp");
  forEachCase(({ branch, word, from, to, el, bt, type, good, name }) => {
    if (branch === 0xd61f_0220) return;
    place(SOURCES[from], branch);
    place(TARGETS[to], word, HVC);
    place(VECTORS + (el === EL1 ? 0x280 : 0x480), ERET);
    vcpu.setRegister("SCTLR_EL1", SCTLR | bt);
    vcpu.setRegister("ESR_EL1", 0n);
    vcpu.pstate = el & UNMASKED;
    vcpu.setX(branch >> 5 & 31, BigInt(TARGETS[to]));
    vcpu.pc = BigInt(SOURCES[from]);
    machine.run(1);
    vcpu.irq = true;
    machine.run(0);
    vcpu.irq = false;
    machine.run(1);
    assert.equal(Number(vcpu.getRegister("SPSR_EL1")) >> BTYPE_SHIFT & 3, type, name);
    machine.run(1);
    if (good) assert.equal(vcpu.pc, BigInt(TARGETS[to] + 4), name);
    else assert.deepEqual(state(), { pc: VECTORS, esr: (0x0d << 26 | 1 << 25 | type) >>> 0, elr: TARGETS[to], type }, name);
  });
});

Deno.test("faults of the target and BRK have the type in SPSR_EL1, guarded or not", () => {
  const { machine, vcpu, place, state } = machineOf("interp");
  for (const [branch, from, type] of [[0xd61f_0000, 0, 1], [0xd61f_0000, 1, 3], [0xd63f_0000, 1, 2], [0xd65f_0000, 1, 0]] as const) {
    const reached = (target: number) => {
      place(SOURCES[from], branch);
      vcpu.pstate = EL1;
      vcpu.setX(0, BigInt(target));
      machine.run(2, SOURCES[from]);
      return state();
    };
    for (const to of [0, 1]) {
      place(TARGETS[to], BRK);
      assert.deepEqual(reached(TARGETS[to]), { pc: VECTORS, esr: 0xf200_0000, elr: TARGETS[to], type });
    }
    const unmapped = RAM_BASE + 0x40_0000;
    assert.deepEqual(reached(unmapped), { pc: VECTORS, esr: 0x8600_0006, elr: unmapped, type });
    assert.deepEqual(reached(TARGETS[0] + 2), { pc: VECTORS, esr: 0x8a00_0000, elr: TARGETS[0] + 2, type });
  }
});

Deno.test("regions of the translator branch and are refused as the interpreter does", () => {
  // subs x19, x19, #1; b.eq out; adr x0, target; blr x0; b loop; out: br x1
  const loop = [0xf100_0673, 0x5400_0080, 0xaa02_03e0, 0xd63f_0000, 0x17ff_fffc, 0xd61f_0020];
  for (const [word, last] of [["bti c", 0xd503_245f], ["bti j", 0xd503_249f], ["nop", NOP]] as const) {
    const runs = (["interp", "jit"] as const).map((tier) => {
      const { machine, vcpu, place, state } = machineOf(tier);
      place(SOURCES[1], ...loop);
      // bti c; add x20, x20, #1; ret
      place(TARGETS[1], 0xd503_245f, 0x9100_0694, 0xd65f_03c0);
      place(TARGETS[1] + 0x40, last, 0x1400_0000);
      vcpu.pstate = EL1;
      vcpu.setX(19, 2000n);
      vcpu.setX(20, 0n);
      vcpu.setX(1, BigInt(TARGETS[1] + 0x40));
      vcpu.setX(2, BigInt(TARGETS[1]));
      vcpu.pc = BigInt(SOURCES[1]);

      // Budgets of all sizes end at all instructions, the target of a branch among them.
      for (let budget = 1; Number(vcpu.pc) < VECTORS && vcpu.pc !== BigInt(TARGETS[1] + 0x44); budget = budget % 97 + 1) {
        machine.run(budget);
      }
      assert.equal(vcpu.getX(20), 1999n, word);
      if (tier === "jit") assert.ok(machine.core.counters.translator!.regions > 0);
      return { ...state(), registers: machine.registers() };
    });
    const [interpreted, translated] = runs;
    assert.deepEqual(translated, interpreted);
    // br x1 from a guarded page has type 3.
    if (word === "bti j") assert.equal(interpreted.esr, 0);
    else assert.deepEqual([interpreted.esr, interpreted.type], [(0x0d << 26 | 1 << 25 | 3) >>> 0, 3]);
  }
});

Deno.test("a CPU without the feature has no guarded pages", () => {
  const machine = new Machine(), { vcpu } = machine;
  vcpu.setX(0, BigInt(RAM_BASE + 0x3000));
  machine.view.setUint32(0x1000, 0xd61f_0000, true);
  machine.run(1, RAM_BASE + 0x1000);
  assert.equal(vcpu.pstate >> BTYPE_SHIFT & 3, 0);
});

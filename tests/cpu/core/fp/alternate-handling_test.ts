// FEAT_AFP and FEAT_RPRES: FPCR.AH, FIZ and NEP, in both tiers. tests/differential/features_test.ts
// has all instructions beside QEMU.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Fpcr, Fpsr } from "../../../../src/cpu/core/fp/formats.ts";
import { Machine, RAM_BASE } from "../program.ts";

const MAX = { cpu: parseCpu("max") };
const CODE = RAM_BASE + 0x1000;
const machines = [MAX, { ...MAX, tier: "jit", hotness: { samples: 1, landings: 1, slice: 100 } }].map((options) =>
  new Machine(options as typeof MAX)
);
const MSR_FPCR = 0xd51b_4400, MRS_FPCR = 0xd53b_4401, BACK = 0x17ff_ffff;

function place(machine: Machine, ...words: number[]): void {
  words.forEach((word, index) => machine.view.setUint32(CODE - RAM_BASE + 4 * index, word, true));
  machine.core.memoryWritten(CODE, 4 * words.length);
  machine.vcpu.setRegister("CPACR_EL1", 3n << 20n);
}

interface Case {
  readonly word: number;
  readonly fpcr: number;
  /** V0 to V3: one number for both halves. */
  readonly operands: readonly bigint[];
  readonly low: bigint;
  readonly high?: bigint;
  readonly fpsr?: number;
}

/** Executes the word in a loop: its results do not depend on how often. */
function check({ word, fpcr, operands, low, high = 0n, fpsr = 0 }: Case): void {
  for (const machine of machines) {
    const { vcpu } = machine;
    place(machine, word, BACK);
    operands.forEach((value, index) => vcpu.setV(index, value, value));
    vcpu.setRegister("FPCR", BigInt(fpcr));
    vcpu.setRegister("FPSR", 0n);
    machine.run(300, CODE);
    const text = `${word.toString(16)} with FPCR ${fpcr.toString(16)}`;
    assert.deepEqual(vcpu.getV(0).map((half) => half.toString(16)), [low, high].map((half) => half.toString(16)), text);
    assert.equal(vcpu.getRegister("FPSR"), BigInt(fpsr), text);
  }
}

const { AH, FIZ, NEP, FZ } = Fpcr, { IOC, UFC, IXC, IDC } = Fpsr;
const FADD = 0x1e62_2820, FMUL = 0x1e62_0820, FMUL_S = 0x1e22_0820, FMAX = 0x1e62_4820, FMADD = 0x1f42_0c20;
const FNEG = 0x1e61_4020, FABS_S = 0x1e20_c020, FRECPE_S = 0x5ea1_d820, FRSQRTE_S = 0x7ea1_d820, FCMEQ = 0x5e62_e420;
const FABS_2D = 0x4ee0_f820, FNEG_2D = 0x6ee0_f820, FABS_8H = 0x4ef8_f820, FNEG_8H = 0x6ef8_f820;
const ONE = 0x3ff0n << 48n, INFINITY = 0x7ff0n << 48n, MINUS = 1n << 63n, QUIET = (0x7ff8n << 48n) + 1n, SIGNALING = (0xfff0n << 48n) + 2n;
const MINIMUM = 0x10n << 48n, SUBNORMAL = 5n, HALF = 0x3fe0n << 48n;

Deno.test("FPCR has FIZ, AH and NEP on CPUs with FEAT_AFP alone", () => {
  for (const [machine, expected] of [[machines[0], 0x07c8_0007n], [new Machine(), 0x07c0_0000n]] as const) {
    place(machine, MSR_FPCR, MRS_FPCR);
    machine.vcpu.setX(0, 0xffff_ffffn);
    machine.run(2, CODE);
    assert.equal(machine.vcpu.getX(1), expected);
  }
});

Deno.test("FPCR.AH chooses other NaNs and zeros", () => {
  check({ word: FADD, fpcr: AH, operands: [0n, INFINITY, INFINITY | MINUS], low: 0xfff8n << 48n, fpsr: IOC });
  check({ word: FADD, fpcr: 0, operands: [0n, QUIET, SIGNALING], low: SIGNALING | 8n << 48n, fpsr: IOC });
  check({ word: FADD, fpcr: AH, operands: [0n, QUIET, SIGNALING], low: QUIET, fpsr: IOC });
  check({ word: FMAX, fpcr: AH, operands: [0n, 0n, MINUS], low: MINUS });
  check({ word: FMAX, fpcr: AH, operands: [0n, MINUS, 0n], low: 0n });
  check({ word: FMAX, fpcr: AH, operands: [0n, QUIET, ONE], low: ONE, fpsr: IOC });
  check({ word: FNEG, fpcr: AH, operands: [0n, QUIET], low: QUIET });
  check({ word: FNEG, fpcr: AH, operands: [0n, ONE], low: ONE | MINUS });
  for (const word of [FABS_2D, FNEG_2D]) check({ word, fpcr: AH, operands: [0n, QUIET | MINUS], low: QUIET | MINUS, high: QUIET | MINUS });
  const halves = 0xfe01_bc00_7c00_0000n, negated = 0xfe01_3c00_fc00_8000n, positive = 0xfe01_3c00_7c00_0000n;
  check({ word: FNEG_8H, fpcr: AH, operands: [0n, halves], low: negated, high: negated });
  check({ word: FABS_8H, fpcr: AH, operands: [0n, halves], low: positive, high: positive });
  check({ word: FMADD, fpcr: AH, operands: [0n, INFINITY, 0n, QUIET], low: QUIET });
  check({ word: FMADD, fpcr: 0, operands: [0n, INFINITY, 0n, QUIET], low: 0x7ff8n << 48n, fpsr: IOC });
});

Deno.test("FPCR.AH and FIZ treat subnormal numbers apart, and find them after rounding", () => {
  check({ word: FADD, fpcr: FIZ, operands: [0n, SUBNORMAL, 0n], low: 0n });
  check({ word: FADD, fpcr: FZ, operands: [0n, SUBNORMAL, 0n], low: 0n, fpsr: IDC });
  check({ word: FADD, fpcr: AH, operands: [0n, SUBNORMAL, 0n], low: SUBNORMAL, fpsr: IDC });
  check({ word: FMADD, fpcr: AH, operands: [0n, INFINITY, SUBNORMAL, ONE], low: INFINITY, fpsr: IDC });
  check({ word: FMADD, fpcr: AH, operands: [0n, INFINITY, SUBNORMAL, INFINITY | MINUS], low: 0xfff8n << 48n, fpsr: IOC });
  check({ word: FMUL, fpcr: FZ, operands: [0n, MINIMUM, HALF], low: 0n, fpsr: UFC });
  check({ word: FMUL, fpcr: FZ | AH, operands: [0n, MINIMUM, HALF], low: 0n, fpsr: UFC | IXC });
  check({ word: FMUL, fpcr: AH, operands: [0n, MINIMUM, HALF], low: MINIMUM >> 1n });
  // (1 - 2^-23) * (1 + 2^-23) * 2^-126 rounds to the smallest normal number.
  const tiny = { word: FMUL_S, operands: [0n, 0x3f7f_fffen, 0x0080_0001n], low: 0x0080_0000n };
  check({ ...tiny, fpcr: 0, fpsr: UFC | IXC });
  check({ ...tiny, fpcr: AH, fpsr: IXC });
  check({ ...tiny, fpcr: AH | FZ, fpsr: IXC });
});

Deno.test("FPCR.NEP takes the other elements from a register that the instruction names", () => {
  const high = [0x1111n, 0x2222n, 0x3333n, 0x4444n];
  check({ word: FADD, fpcr: NEP, operands: [...high], low: 0x2222n + 0x3333n, high: 0x2222n });
  check({ word: FCMEQ, fpcr: NEP, operands: [...high], low: 0n, high: 0x3333n });
  check({ word: FMADD, fpcr: NEP, operands: [0n, 0n, ONE, ONE], low: ONE, high: ONE });
  check({
    word: FABS_S,
    fpcr: NEP,
    operands: [0x5555_6666_7777_8888n, 0xbf80_0000n],
    low: 0x5555_6666_3f80_0000n,
    high: 0x5555_6666_7777_8888n,
  });
});

Deno.test("estimates of singles have 12 bits while FPCR.AH is set (FEAT_RPRES), and set no flags", () => {
  check({ word: FRECPE_S, fpcr: 0, operands: [0n, 0x3f80_0000n], low: 0x3f7f_8000n });
  check({ word: FRECPE_S, fpcr: AH, operands: [0n, 0x3f80_0000n], low: 0x3f7f_f000n });
  check({ word: FRSQRTE_S, fpcr: 0, operands: [0n, 0x3f80_0000n], low: 0x3f7f_8000n });
  check({ word: FRSQRTE_S, fpcr: AH, operands: [0n, 0x3f80_0000n], low: 0x3f7f_f000n });
  check({ word: FRECPE_S, fpcr: AH, operands: [0n, SUBNORMAL], low: 0x7f80_0000n });
});

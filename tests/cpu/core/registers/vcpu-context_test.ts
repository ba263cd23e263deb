// The state of a vCPU, in its own context and in the hot one; completion of accesses that a
// hypervisor emulates.

import assert from "node:assert/strict";
import fc from "fast-check";
import { CONTEXT_SIZE, CPU_STATE } from "../../../../src/cpu/core/state/cpu-state.ts";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import type { RegisterName } from "../../../../src/cpu/core/interface.ts";
import { loadStoreSyndrome } from "../../../../src/cpu/core/architecture/load-store-syndrome.ts";
import { registerNames } from "../../../../src/cpu/core/registers/vcpu-state.ts";
import { addressKey } from "../../../../src/kit/support/values/address-key.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { completeRead, storeValue, VcpuContext } from "../../../../src/cpu/core/registers/vcpu-context.ts";

const CONTEXT = 0x8000;
const ROOT = 0x4_0000;

function vcpu(): { vcpu: VcpuContext; memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: 4 * MiB >>> 16 });
  return { vcpu: new VcpuContext(memory, CONTEXT, registerNames(new Set()), (id) => ROOT + id), memory };
}

const REGISTERS: RegisterName[] = ["SP_EL0", "SP_EL1", "ELR_EL1", "TTBR1_EL1", "CNTV_CVAL_EL0", "TPIDR_EL0", "MPIDR_EL1", "MDSCR_EL1"];

Deno.test("a new vCPU is at EL1h with DAIF masked and registers zero but SCTLR_EL1", () => {
  const { vcpu: cpu } = vcpu();
  assert.equal(cpu.pstate, 0x3c5);
  assert.deepEqual(Array.from({ length: 32 }, (_, i) => cpu.getX(i)), Array(32).fill(0n));
  assert.deepEqual(REGISTERS.map((name) => cpu.getRegister(name)), REGISTERS.map(() => 0n));
  assert.equal(cpu.getRegister("SCTLR_EL1"), 0x30d0_0800n);
});

Deno.test("what is written is read, X31 is zero, and moving to the CPU state keeps everything", () => {
  const { vcpu: cpu, memory } = vcpu();
  const value = (i: number) => 0xf000_0000_0000_0001n + BigInt(i);
  for (let i = 0; i < 32; i++) {
    cpu.setX(i, value(i));
    cpu.setV(i, value(i), value(100 + i));
  }
  REGISTERS.forEach((name, i) => cpu.setRegister(name, value(200 + i)));
  cpu.setRegister("FPCR", 0x1_0000_0001n);
  cpu.pc = -4n;
  cpu.irq = true;
  const check = () => {
    for (let i = 0; i < 31; i++) assert.equal(cpu.getX(i), value(i));
    assert.equal(cpu.getX(31), 0n);
    for (let i = 0; i < 32; i++) assert.deepEqual(cpu.getV(i), [value(i), value(100 + i)]);
    REGISTERS.forEach((name, i) => assert.equal(cpu.getRegister(name), value(200 + i), name));
    assert.equal(cpu.getRegister("FPCR"), 1n);
    assert.equal(cpu.pc, 0xffff_ffff_ffff_fffcn);
    assert.deepEqual([cpu.irq, cpu.fiq, cpu.event], [true, false, false]);
  };
  check();
  new Uint8Array(memory.buffer).copyWithin(CPU_STATE, CONTEXT, CONTEXT + CONTEXT_SIZE);
  new Uint8Array(memory.buffer).fill(0, CONTEXT, CONTEXT + CONTEXT_SIZE);
  cpu.resident = true;
  check();
});

Deno.test("PSTATE is what was written, and the stack pointers keep their banks", () => {
  const modes = [Pstate.EL0t, Pstate.EL1t, Pstate.EL1h];
  const bits = [Pstate.N, Pstate.Z, Pstate.C, Pstate.V, Pstate.PAN, Pstate.IL, Pstate.SS, Pstate.D, Pstate.I];
  fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(...modes), fc.subarray(bits))), (states) => {
    const { vcpu: cpu } = vcpu();
    cpu.setRegister("SP_EL0", 10n);
    cpu.setRegister("SP_EL1", 11n);
    for (const [mode, set] of states) {
      const pstate = set.reduce((sum, bit) => sum | bit, mode as number) >>> 0;
      cpu.pstate = pstate;
      assert.equal(cpu.pstate, pstate);
      assert.deepEqual([cpu.getRegister("SP_EL0"), cpu.getRegister("SP_EL1")], [10n, 11n]);
    }
  }));
});

Deno.test("a write that changes translation or regime says so", () => {
  const { vcpu: cpu } = vcpu();
  const clean = () => (cpu.derivedStale = cpu.translationsStale = false);
  clean();
  cpu.setRegister("TTBR0_EL1", 1n);
  assert.deepEqual([cpu.derivedStale, cpu.translationsStale], [false, true]);
  clean();
  for (const change of [() => cpu.stage2 = 3, () => cpu.pstate = 5, () => cpu.setRegister("CPACR_EL1", 0n)]) {
    clean();
    change();
    assert.equal(cpu.derivedStale, true);
  }
  assert.equal(cpu.stage2, 3);
});

/** A stage-2 data abort on this instruction. */
const abort = (word: number, write = false) => (0x9200_0006 | (write ? 0x40 : 0) | loadStoreSyndrome(word)) >>> 0;

Deno.test("syndromes name size, sign, register, width and order of single-register accesses", () => {
  const cases: [string, number, number][] = [
    ["ldrb w3, [x1]", 0x3940_0023, 0x0103_0000],
    ["ldrsb x3, [x1]", 0x3980_0023, 0x0123_8000],
    ["ldrsb w3, [x1]", 0x39c0_0023, 0x0123_0000],
    ["ldrh w3, [x1, x2]", 0x7862_6823, 0x0143_0000],
    ["str w31, [x1]", 0xb900_003f, 0x019f_0000],
    ["ldrsw x3, [x1, #4]", 0xb980_0423, 0x01a3_8000],
    ["ldr x3, [x1]", 0xf940_0023, 0x01c3_8000],
    ["ldur x3, [x1, #1]", 0xf840_1023, 0x01c3_8000],
    ["ldtr w3, [x1]", 0xb840_0823, 0x0183_0000],
    ["ldar w3, [x1]", 0x88df_fc23, 0x0183_4000],
    ["stlr x3, [x1]", 0xc89f_fc23, 0x01c3_c000],
    ["ldr w3, label", 0x1800_0043, 0x0183_0000],
    ["ldr x3, label", 0x5800_0043, 0x01c3_8000],
    ["ldrsw x3, label", 0x9800_0043, 0x01a3_8000],
  ];
  for (const [name, word, iss] of cases) assert.equal(loadStoreSyndrome(word).toString(16), iss.toString(16), name);
});

Deno.test("pairs, write-back, exclusives, atomics, vector registers and prefetches have no syndrome", () => {
  const words: [string, number][] = [
    ["ldp x1, x2, [x0]", 0xa940_0801],
    ["ldr x1, [x0], #8", 0xf840_8401],
    ["str x1, [x0, #8]!", 0xf800_8c01],
    ["ldxr x1, [x0]", 0xc85f_7c01],
    ["cas w1, w2, [x0]", 0x88a1_7c02],
    ["swp x1, x2, [x0]", 0xf821_8002],
    ["ldr q0, [x0]", 0x3dc0_0000],
    ["ldr s0, label", 0x1c00_0040],
    ["prfm pldl1keep, [x0]", 0xf980_0000],
    ["dc civac, x0", 0xd50b_7e20],
  ];
  for (const [name, word] of words) assert.equal(loadStoreSyndrome(word), 0, name);
});

Deno.test("a completed load extends the value as the instruction would, and steps over it", () => {
  const loads: [number, bigint, bigint][] = [
    [0x3940_0023, 0xfedcn, 0xdcn],
    [0x3980_0023, 0xffn, 0xffff_ffff_ffff_ffffn],
    [0x39c0_0023, 0xffn, 0xffff_ffffn],
    [0xb980_0423, 0x8000_0000n, 0xffff_ffff_8000_0000n],
    [0xf940_0023, -1n, 0xffff_ffff_ffff_ffffn],
  ];
  for (const [word, value, expected] of loads) {
    const { vcpu: cpu } = vcpu();
    cpu.pc = 0x1000n;
    completeRead(cpu, abort(word), value);
    assert.deepEqual([cpu.getX(3), cpu.pc], [expected, 0x1004n]);
  }
});

Deno.test("a stored value is cut to the access, and a trapped MSR or MRS names its register", () => {
  const { vcpu: cpu } = vcpu();
  cpu.setX(3, 0x1122_3344_5566_7788n);
  assert.equal(storeValue(cpu, abort(0x3900_0023, true)), 0x88n);
  assert.equal(storeValue(cpu, abort(0xf900_0023, true)), 0x1122_3344_5566_7788n);
  assert.equal(storeValue(cpu, abort(0xb900_003f, true)), 0n);
  assert.equal(storeValue(cpu, 0x6230_0000 + (3 << 5)), 0x1122_3344_5566_7788n);
  completeRead(cpu, 0x6230_0001 + (4 << 5), 0x99n);
  assert.equal(cpu.getX(4), 0x99n);
});

Deno.test("an access without a syndrome cannot be completed", () => {
  const { vcpu: cpu } = vcpu();
  assert.throws(() => completeRead(cpu, 0x9200_0006, 0n), RangeError);
  assert.throws(() => storeValue(cpu, 0x9200_0046), RangeError);
});

Deno.test("registers are read and written by halves, and their neighbors stay", () => {
  const { vcpu: cpu } = vcpu();
  for (let i = 0; i < 31; i++) cpu.setX(i, 0x1122_3344_f566_7788n + BigInt(i));
  assert.deepEqual([cpu.getLow(3), cpu.getHigh(3)], [0xf566_778b, 0x1122_3344]);
  assert.deepEqual([cpu.getLow(31), cpu.getHigh(31)], [0, 0]);
  cpu.setLow(5, -1);
  assert.equal(cpu.getX(5), 0xffff_ffffn, "as an unsigned number");
  cpu.setLow(31, 7);
  assert.equal(cpu.getX(31), 0n);
  cpu.clearX(9, 17);
  assert.deepEqual([8, 9, 17, 18].map((i) => cpu.getX(i)), [0x1122_3344_f566_7790n, 0n, 0n, 0x1122_3344_f566_779an]);
  cpu.setHalves(Int32Array.of(1, 2, -1, 0));
  assert.deepEqual([0, 1, 2].map((i) => cpu.getX(i)), [0x2_0000_0001n, 0xffff_ffffn, 0x1122_3344_f566_778an]);
});

Deno.test("PC and registers are keys of maps as their addresses are", () => {
  const { vcpu: cpu } = vcpu();
  for (const address of [0n, 0xffff_fffcn, 0xffff_8000_1234_5678n, 0x000f_ffff_ffff_fffcn, 0xffff_ffff_ffff_fffcn]) {
    cpu.pc = address;
    for (const name of ["SP_EL0", "SP_EL1", "ELR_EL1"] as const) {
      cpu.setRegister(name, address);
      assert.equal(cpu.keyOf(name), addressKey(address), name);
    }
    assert.equal(cpu.keyOf("PC"), addressKey(address));
  }
});

Deno.test("PC advances over the end of 32 and of 64 bits", () => {
  const { vcpu: cpu } = vcpu();
  for (const [before, after] of [[0n, 4n], [0xffff_fffcn, 0x1_0000_0000n], [0x8000_0000_ffff_fffcn, 0x8000_0001_0000_0000n], [-4n, 0n]]) {
    cpu.pc = before;
    cpu.advance();
    assert.equal(cpu.pc, after);
  }
});

import assert from "node:assert/strict";
import { Fpcr, Fpsr } from "../../../../src/cpu/core/fp/formats.ts";
import { disassemble } from "../../../../src/cpu/isa/disassemble.ts";
import { fpAndSimd } from "../../../../src/cpu/isa/vectors/fp-simd.ts";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { randomWord } from "../../../differential/random-words.ts";
import { Random } from "../../../support/random.ts";
import { CODE, DATA, EL0T, EL1H, Machine } from "./machine.ts";

/** fadd d0, d1, d2 and others with these registers. */
const Word = {
  FADD: 0x1e622820,
  FSUB: 0x1e623820,
  FDIV: 0x1e621820,
  FMADD: 0x1f420c20, // d0, d1, d2, d3
  FMINNM: 0x1e627820,
  FCVTZS_W: 0x1e780020, // w0, d1
  FCMP: 0x1e622020, // d1, d2
  FADD_2S: 0x0e22d420, // v0.2s, v1.2s, v2.2s
  SQADD_8H: 0x4e620c20, // v0.8h, v1.8h, v2.8h
  LD3_8B: 0x0c404020, // {v0.8b-v2.8b}, [x1]
  ST4_S1: 0x0d20b020, // {v0.s-v3.s}[1], [x1]
  MOVI_2D: 0x6f05e540, // v0.2d, #0xff00ff00ff00ff00
} as const;

const ONE = 0x3ff0_0000_0000_0000n, THREE = 0x4008_0000_0000_0000n;
const QUIET = 0x7ff8_0000_0000_1234n, SIGNALLING = 0xfff0_0000_0000_0001n, DEFAULT_NAN = 0x7ff8_0000_0000_0000n;
const INFINITY = 0x7ff0_0000_0000_0000n, SUBNORMAL = 1n;

const machine = new Machine();
const { vcpu } = machine;

/** The result in D0 of an instruction with these D1, D2, D3, and FPSR. */
function doubles(word: number, operands: bigint[], fpcr = 0): { result: bigint; flags: number } {
  operands.forEach((value, i) => vcpu.setV(i + 1, value, 0xdeadn));
  vcpu.setV(0, ~0n, ~0n);
  vcpu.setRegister("FPCR", BigInt(fpcr));
  vcpu.setRegister("FPSR", 0n);
  machine.execute(word);
  const [result, above] = vcpu.getV(0);
  assert.equal(above, 0n, "a scalar result has zeros above");
  return { result, flags: Number(vcpu.getRegister("FPSR")) };
}

Deno.test("arithmetic gives the first NaN operand, a signaling one before a quiet one, made quiet", () => {
  assert.deepEqual(doubles(Word.FADD, [QUIET, ONE]), { result: QUIET, flags: 0 });
  assert.deepEqual(doubles(Word.FADD, [ONE, QUIET]), { result: QUIET, flags: 0 });
  assert.deepEqual(doubles(Word.FADD, [QUIET, SIGNALLING]), { result: 0xfff8_0000_0000_0001n, flags: Fpsr.IOC });
  assert.deepEqual(doubles(Word.FSUB, [ONE, SIGNALLING]), { result: 0xfff8_0000_0000_0001n, flags: Fpsr.IOC });
});

Deno.test("invalid operations give the default NaN, and so do all NaNs with FPCR.DN", () => {
  assert.deepEqual(doubles(Word.FSUB, [INFINITY, INFINITY]), { result: DEFAULT_NAN, flags: Fpsr.IOC });
  assert.deepEqual(doubles(Word.FADD, [QUIET, ONE], Fpcr.DN), { result: DEFAULT_NAN, flags: 0 });
});

Deno.test("a quiet NaN addend does not hide infinity times zero", () => {
  assert.deepEqual(doubles(Word.FMADD, [INFINITY, 0n, QUIET]), { result: DEFAULT_NAN, flags: Fpsr.IOC });
  assert.deepEqual(doubles(Word.FMADD, [ONE, 0n, QUIET]), { result: QUIET, flags: 0 });
});

Deno.test("FMINNM takes the number where the other operand is a quiet NaN", () => {
  assert.deepEqual(doubles(Word.FMINNM, [QUIET, ONE]), { result: ONE, flags: 0 });
  assert.deepEqual(doubles(Word.FMINNM, [ONE, SIGNALLING]), { result: 0xfff8_0000_0000_0001n, flags: Fpsr.IOC });
});

Deno.test("exact results leave FPSR alone, inexact ones, divisions by zero and overflows are noted", () => {
  assert.equal(doubles(Word.FADD, [ONE, THREE]).flags, 0);
  assert.deepEqual(doubles(Word.FDIV, [ONE, THREE]), { result: 0x3fd5_5555_5555_5555n, flags: Fpsr.IXC });
  assert.deepEqual(doubles(Word.FDIV, [ONE, 0n]), { result: INFINITY, flags: Fpsr.DZC });
  const largest = INFINITY - 1n;
  assert.deepEqual(doubles(Word.FADD, [largest, largest]), { result: INFINITY, flags: Fpsr.OFC | Fpsr.IXC });
});

Deno.test("FPCR's rounding mode and flushing to zero hold", () => {
  assert.equal(doubles(Word.FDIV, [ONE, THREE], 1 << 22).result, 0x3fd5_5555_5555_5556n);
  assert.deepEqual(doubles(Word.FADD, [SUBNORMAL, 0n]), { result: SUBNORMAL, flags: 0 });
  assert.deepEqual(doubles(Word.FADD, [SUBNORMAL, 0n], Fpcr.FZ), { result: 0n, flags: Fpsr.IDC });
});

Deno.test("conversions to integers saturate, and a NaN is zero", () => {
  const convert = (value: bigint) => {
    vcpu.setV(1, value, 0n);
    vcpu.setRegister("FPCR", 0n);
    vcpu.setRegister("FPSR", 0n);
    machine.execute(Word.FCVTZS_W);
    return [vcpu.getX(0), Number(vcpu.getRegister("FPSR"))];
  };
  assert.deepEqual(convert(INFINITY), [0x7fff_ffffn, Fpsr.IOC]);
  assert.deepEqual(convert(0xc1e0_0000_0000_0000n), [0x8000_0000n, 0]);
  assert.deepEqual(convert(QUIET), [0n, Fpsr.IOC]);
  assert.deepEqual(convert(0x3ff8_0000_0000_0000n), [1n, Fpsr.IXC]);
});

Deno.test("a comparison with a NaN is unordered", () => {
  vcpu.setV(1, QUIET, 0n);
  vcpu.setV(2, ONE, 0n);
  machine.execute(Word.FCMP);
  assert.equal(vcpu.pstate >>> 28, 0b0011);
});

Deno.test("results of 64-bit vectors have zeros above, whatever the operands have there", () => {
  vcpu.setRegister("FPCR", 0n);
  vcpu.setRegister("FPSR", 0n);
  vcpu.setV(1, 0x3f80_0000_4000_0000n, 0x7f80_0001_7f80_0001n);
  vcpu.setV(2, 0x3f80_0000_3f80_0000n, 0x7f80_0001_7f80_0001n);
  machine.execute(Word.FADD_2S);
  assert.deepEqual(vcpu.getV(0), [0x4000_0000_4040_0000n, 0n]);
  assert.equal(vcpu.getRegister("FPSR"), 0n);
});

Deno.test("saturation sets FPSR.QC", () => {
  vcpu.setRegister("FPSR", 0n);
  vcpu.setV(1, 0x7fff_0001_8000_0001n, 0n);
  vcpu.setV(2, 0x0001_0001_8000_0001n, 0n);
  machine.execute(Word.SQADD_8H);
  assert.deepEqual(vcpu.getV(0), [0x7fff_0002_8000_0002n, 0n]);
  assert.equal(Number(vcpu.getRegister("FPSR")), Fpsr.QC);
});

Deno.test("structures are taken apart and put together", () => {
  const offset = DATA - CODE;
  for (let i = 0; i < 24; i++) machine.ram.setUint8(offset + i, i);
  vcpu.setX(1, BigInt(DATA));
  machine.execute(Word.LD3_8B);
  assert.deepEqual([0, 1, 2].map((i) => vcpu.getV(i)), [
    [0x15120f0c09060300n, 0n],
    [0x1613100d0a070401n, 0n],
    [0x1714110e0b080502n, 0n],
  ]);
  for (let i = 0; i < 4; i++) vcpu.setV(i, BigInt(i + 1) << 32n, ~0n);
  machine.execute(Word.ST4_S1);
  assert.deepEqual([0, 1, 2, 3, 4].map((i) => machine.ram.getUint32(offset + 4 * i, true)), [1, 2, 3, 4, 0x13121110]);
});

const fpNames = new Set(fpAndSimd().map(({ name }) => name));
const fpEncodings = encodings().filter(({ instruction }) => fpNames.has(instruction.name));

/** ESR_EL1 after an instruction; zero when it took no exception. */
function syndrome(word: number, pstate: number = EL1H): bigint {
  vcpu.setRegister("ESR_EL1", 0n);
  machine.execute(word, pstate);
  const esr = vcpu.getRegister("ESR_EL1");
  if (esr) assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE));
  return esr;
}

Deno.test("every floating-point and AdvSIMD instruction is trapped when CPACR_EL1.FPEN says so, and does nothing then", () => {
  vcpu.setRegister("CPACR_EL1", 0n);
  for (let i = 0; i < 31; i++) vcpu.setX(i, BigInt(DATA + i));
  for (let i = 0; i < 32; i++) vcpu.setV(i, BigInt(i), BigInt(i));
  const random = new Random(1);
  for (const encoding of fpEncodings) {
    const word = randomWord(encoding, random);
    assert(word !== undefined, encoding.instruction.name);
    assert.equal(syndrome(word) >> 26n, 7n, disassemble(word, BigInt(CODE)));
  }
  for (let i = 0; i < 31; i++) assert.equal(vcpu.getX(i), BigInt(DATA + i));
  for (let i = 0; i < 32; i++) assert.deepEqual(vcpu.getV(i), [BigInt(i), BigInt(i)]);
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
});

Deno.test("FPEN = 1 traps EL0 alone, FPEN = 3 nobody", () => {
  vcpu.setRegister("CPACR_EL1", 1n << 20n);
  assert.equal(syndrome(Word.MOVI_2D, EL0T) >> 26n, 7n);
  assert.equal(syndrome(Word.MOVI_2D), 0n);
  assert.deepEqual(vcpu.getV(0), [0xff00_ff00_ff00_ff00n, 0xff00_ff00_ff00_ff00n]);
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  assert.equal(syndrome(Word.MOVI_2D, EL0T), 0n);
});

// Every instruction of the table beside libunicorn: random words, random registers and memory;
// registers, vectors, flags, FPSR and memory must be the same afterwards.

import assert from "node:assert/strict";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import { allEncodings, type InstructionForm } from "../../src/cpu/isa/table.ts";
import { Random } from "../support/random.ts";
import { El2Processor } from "./el2-processor.ts";
import {
  type Case,
  exclusion,
  FILLER,
  isDisputed,
  Layout,
  NOT_COMPARED,
  PAC_KEYS,
  randomBlock,
  randomCase,
  randomState,
  TCR,
} from "./instruction-cases.ts";
import { encodingName } from "./random-words.ts";
import { Registers, Unicorn } from "./unicorn.ts";
import { LONG } from "../support/long.ts";

/** Words of each encoding (an entry with its shape fields filled in). */
const WORDS = LONG ? 100 : 4;
/** Words that each entry must have at least. */
const WORDS_PER_ENTRY = LONG ? 50 : 8;
/**
 * Register states in which each word is executed: unicorn translates a word in the time of fifty
 * executions.
 */
const STATES = LONG ? 48 : 5;
/** Words of each encoding of a feature: not every CPU has it, and fewer programs have met it. */
const FEATURE_WORDS = LONG ? 700 : WORDS;
/** Cases that there must be at least; and those of encodings of features among them. */
const CASES = LONG ? 20_000_000 : 30_000, FEATURE_CASES = LONG ? 10_000_000 : 6_000;
/** Blocks, how many are loaded at once, and the instructions of one. */
const BLOCKS = LONG ? 10_000 : 500;
const BLOCK_BATCH = 250;
const BLOCK_LENGTH = 24;
/** Instructions that one unicorn is given. */
const TRANSLATIONS = 20_000;
/** Cases that are loaded at once. */
const CASE_BATCH = 5_000;
/** Mismatches that are printed. */
const SHOWN = 25;

/** Both processors, with equal memory. */
class Bench implements Disposable {
  readonly random: Random;
  /** The registers before the latest case. */
  readonly #start = new BigUint64Array(Registers.WORDS);
  #at: number = Layout.code;
  #translated = 0;

  private constructor(
    private unicorn: Unicorn,
    readonly unicornMemory: Uint8Array<ArrayBuffer>,
    readonly el2: El2Processor,
    seed: number,
  ) {
    this.random = new Random(seed);
  }

  static async open(seed: number): Promise<Bench> {
    const unicorn = await Unicorn.open();
    const memory = new Uint8Array(Layout.size);
    const words = new Uint32Array(memory.buffer);
    words.fill(FILLER, (Layout.nops - Layout.base) / 4);
    const random = new Random(seed + 1);
    const data = (Layout.data - Layout.base) / 4;
    for (let index = data; index < data + Layout.dataSize / 4; index++) words[index] = random.word();
    const el2 = new El2Processor(memory);
    unicorn.map(Layout.base, memory);
    turnKeysOn(unicorn, memory);
    return new Bench(unicorn, memory, el2, seed);
  }

  /**
   * Replaces a unicorn that has translated much by a fresh one, as its buffer of translations does
   * not survive being full.
   */
  async renew(): Promise<void> {
    if (this.#translated < TRANSLATIONS) return;
    this.#translated = 0;
    this.unicorn[Symbol.dispose]();
    this.unicorn = await Unicorn.open();
    this.unicorn.map(Layout.base, this.unicornMemory);
    turnKeysOn(this.unicorn, this.unicornMemory);
    this.el2.forgetThreadRegisters();
  }

  /**
   * Gives cases addresses and puts their instructions there, all at once: writing code costs more
   * than executing it.
   */
  load(cases: readonly Case[]): void {
    const start = this.#at;
    const words: number[] = [];
    for (const instance of cases) {
      instance.address = this.#at;
      this.#at += 4 * instance.words.length;
      words.push(...instance.words);
    }
    assert.ok(this.#at <= Layout.codeEnd, "more cases than the layout has room for");
    new Uint32Array(this.unicornMemory.buffer).set(words, (start - Layout.base) / 4);
    this.#translated += words.length;
    this.unicorn.codeWritten(start, 4 * words.length);
    this.el2.writeCode(start, words);
  }

  /** Runs one case on both; undefined when they agree, else what differs. */
  run(instance: Case): string | undefined {
    const { unicorn, el2 } = this, { words, encoding, address } = instance;
    do randomState(unicorn.registers, this.random, address); while (isDisputed(instance, unicorn.registers));
    this.#start.set(unicorn.registers.words);
    el2.registers.words.set(unicorn.registers.words);

    const theirs = unicorn.run(words.length);
    const ours = el2.run(words.length);
    if (theirs === ours && unicorn.registers.equals(el2.registers)) return undefined;
    const start = this.#start;
    const differing: string[] = [];
    if (theirs !== ours) differing.push(`unicorn: ${theirs ?? "done"}; el2: ${ours ?? "done"}`);
    for (let index = 0; index < Registers.WORDS; index++) {
      const [a, b] = [unicorn.registers.words[index], el2.registers.words[index]];
      if (a !== b) differing.push(`${Registers.nameOf(index)} ${hex(start[index])} -> unicorn ${hex(a)}, el2 ${hex(b)}`);
    }
    const text = words.map((word, index) => `${word.toString(16).padStart(8, "0")} ${disassemble(word, BigInt(address + 4 * index))}`).join(
      "; ",
    );
    const inputs = [...encoding.instruction.fields].filter(([name]) => /^R[a-z]\d?$/.test(name)).map(([name, { position }]) => {
      const index = words[words.length - 1] >>> position & 31;
      return `${name}: X${index}=${hex(start[index] ?? 0n)} V${index}=${hex(start[Registers.V + 2 * index + 1])}:${
        hex(start[Registers.V + 2 * index])
      }`;
    });
    const flags = `NZCV=${hex(start[Registers.NZCV])} FPCR=${hex(start[Registers.FPCR])}`;
    return [`${encodingName(encoding)}: ${text}`, ...differing, ...inputs, flags].join("\n    ");
  }

  /** Address of the first word of the data that differs, or undefined. */
  differingData(): number | undefined {
    const [theirs, ours] = [dataOf(this.unicornMemory), dataOf(this.el2.memory)];
    for (let index = 0; index < theirs.length; index++) if (theirs[index] !== ours[index]) return Layout.data + 4 * index;
  }

  /** Makes our data equal to unicorn's again. */
  alignData(): void {
    dataOf(this.el2.memory).set(dataOf(this.unicornMemory));
  }

  [Symbol.dispose](): void {
    this.unicorn[Symbol.dispose]();
  }
}

/**
 * HCR_EL2 and SCR_EL3 whose API and APK let pointer authentication be, with RW and, as HCR_EL2
 * counts then alone, NS; SCTLR_EL1 with the keys on.
 */
const HCR = 3n << 40n | 1n << 31n, SCR = 3n << 16n | 1n << 10n | 1n, SCTLR_AND_KEYS = 0xf8d0_3804n, MSR_SCTLR_X0 = 0xd518_1000;

/** Gives unicorn the keys of `El2Processor`. */
function turnKeysOn(unicorn: Unicorn, memory: Uint8Array): void {
  unicorn.setSystemRegister([3, 6, 1, 1, 0], SCR);
  unicorn.setSystemRegister([3, 4, 1, 1, 0], HCR);
  unicorn.setSystemRegister([3, 0, 2, 0, 2], TCR);
  PAC_KEYS.forEach((half, index) => unicorn.setSystemRegister([3, 0, 2, 1 + (index >> 2), index & 3], half));
  // Only the instruction changes what unicorn derives from the register.
  const code = new Uint32Array(memory.buffer, Layout.nops - Layout.base, 1), before = code[0];
  unicorn.registers.words.set([SCTLR_AND_KEYS]);
  unicorn.registers.words[Registers.PC] = BigInt(Layout.nops);
  code[0] = MSR_SCTLR_X0;
  assert.equal(unicorn.run(1), undefined);
  code[0] = before;
  unicorn.codeWritten(Layout.nops, 4);
}

/** The data window of a memory. */
function dataOf(memory: Uint8Array): Uint32Array {
  return new Uint32Array(memory.buffer, memory.byteOffset + Layout.data - Layout.base, Layout.dataSize / 4);
}

const hex = (value: bigint): string => value.toString(16);

/** Entries of the table that are compared, with their encodings. */
function comparedEntries(): Map<string, InstructionForm[]> {
  const entries = new Map<string, InstructionForm[]>();
  for (const encoding of allEncodings()) {
    const { name } = encoding.instruction;
    if (exclusion(encoding) === undefined) entries.set(name, [...entries.get(name) ?? [], encoding]);
  }
  return entries;
}

Deno.test("every instruction does to registers, flags and memory what unicorn does", async () => {
  using bench = await Bench.open(20_26);
  const mismatches: string[] = [];
  const memoryMismatches: string[] = [];
  let total = 0, ofFeatures = 0;
  for (const [name, list] of comparedEntries()) {
    const { feature } = list[0].instruction;
    const cases: Case[] = [];
    for (const encoding of list) {
      const count = Math.max(feature ? FEATURE_WORDS : WORDS, Math.ceil(WORDS_PER_ENTRY / list.length));
      for (let index = 0; index < count; index++) {
        const instance = randomCase(encoding, bench.random);
        if (!instance) break;
        cases.push(instance);
      }
    }
    for (let from = 0; from < cases.length; from += CASE_BATCH) {
      const batch = cases.slice(from, from + CASE_BATCH);
      await bench.renew();
      bench.load(batch);
      for (const instance of batch) {
        for (let state = 0; state < STATES; state++) {
          const mismatch = bench.run(instance);
          if (mismatch) mismatches.push(mismatch);
        }
      }
    }
    total += cases.length * STATES;
    if (feature) ofFeatures += cases.length * STATES;
    assert.ok(cases.length >= WORDS_PER_ENTRY, `${name} had only ${cases.length} words`);
    // Once an entry, for reading all data takes longer than a case.
    const differing = bench.differingData();
    if (differing !== undefined) {
      memoryMismatches.push(`${name}: memory differs at 0x${differing.toString(16)}`);
      bench.alignData();
    }
  }
  const differing = `${mismatches.length + memoryMismatches.length} differ`;
  console.log(`${total} cases of ${comparedEntries().size} entries, ${ofFeatures} of them of features: ${differing}`);
  console.log(`${NOT_COMPARED.size} entries are not compared`);
  assert.ok(total >= CASES && ofFeatures >= FEATURE_CASES, `only ${total} cases, ${ofFeatures} of features`);
  const shown = [...memoryMismatches, ...mismatches.slice(0, SHOWN)].join("\n");
  assert.equal(mismatches.length + memoryMismatches.length, 0, `${mismatches.length} of ${total} cases differ\n${shown}`);
});

Deno.test("blocks of instructions leave what unicorn leaves", async () => {
  using bench = await Bench.open(7);
  const mismatches: string[] = [];
  for (let batch = 0; batch < BLOCKS / BLOCK_BATCH; batch++) {
    const blocks = Array.from({ length: BLOCK_BATCH }, () => randomBlock(bench.random, BLOCK_LENGTH));
    await bench.renew();
    bench.load(blocks);
    for (const block of blocks) {
      const mismatch = bench.run(block);
      if (mismatch) mismatches.push(mismatch);
    }
    const differing = bench.differingData();
    if (differing !== undefined) {
      mismatches.push(`memory differs at 0x${differing.toString(16)} in batch ${batch}`);
      bench.alignData();
    }
  }
  assert.equal(mismatches.length, 0, `${mismatches.length} of ${BLOCKS} blocks differ\n${mismatches.slice(0, 5).join("\n")}`);
});

Deno.test("LDSMAX, LDSMIN, LDUMAX and LDUMIN of less than 64 bits compare what has their size", () => {
  const memory = new Uint8Array(Layout.size);
  new Uint32Array(memory.buffer).fill(FILLER, (Layout.nops - Layout.base) / 4);
  const el2 = new El2Processor(memory);
  const random = new Random(1);
  const at = Layout.data + 0x1000;
  let code: number = Layout.code;
  for (let round = 0; round < 400; round++) {
    const [size, opc] = [random.below(3), 4 + random.below(4)];
    const bits = 8 << size;
    const [old, operand] = [random.word() % 2 ** bits, random.wide()];
    // LDxxx W1, W2, [X20]
    const word = (size << 30 | 0x3820_0000 | 1 << 16 | opc << 12 | 20 << 5 | 2) >>> 0;
    const view = new DataView(el2.memory.buffer, el2.memory.byteOffset + at - Layout.base);
    view.setUint32(0, old, true);
    el2.writeCode(code, [word]);
    const { words } = el2.registers;
    words[1] = operand;
    words[20] = BigInt(at);
    words[Registers.PC] = BigInt(code);
    assert.equal(el2.run(1), undefined);
    code += 4;

    const narrow = opc < 6 ? BigInt.asIntN : BigInt.asUintN;
    const [a, b] = [narrow(bits, BigInt(old)), narrow(bits, operand)];
    const expected = BigInt.asUintN(bits, (opc & 1) === 0 === a > b ? a : b);
    assert.equal(words[2], BigInt(old), "the old value is loaded");
    assert.equal(BigInt(view.getUint32(0, true)), expected, disassemble(word, 0n));
  }
});

Deno.test("entries that are not compared with unicorn are entries of the table", () => {
  const names = new Set(allEncodings().map(({ instruction }) => instruction.name));
  assert.deepEqual([...NOT_COMPARED.keys()].filter((name) => !names.has(name)), []);
});

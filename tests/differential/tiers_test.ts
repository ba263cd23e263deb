// The interpreter beside the translator, every encoding of the table: equal registers, vectors,
// flags, FPSR and memory from equal states; and no other registers change than those that the table
// has written. A case is NOP, the instruction and HVC, which neither tier can execute as a part of
// what is translated.

import assert from "node:assert/strict";
import { writersOf } from "../../src/cpu/core/register-writers.ts";
import { INSTRUCTIONS } from "../cpu/core/translator/executed-code.ts";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import { allEncodings } from "../../src/cpu/isa/table.ts";
import { Random } from "../support/random.ts";
import { El2Processor, HASH_CPU } from "./el2-processor.ts";
import { CODE_POINTER, FILLER, isOfEl2, Layout, NOT_COMPARED, randomBlock, randomCase, randomState } from "./instruction-cases.ts";
import { encodingName, randomWord } from "./random-words.ts";
import { Registers } from "./unicorn.ts";
import { LONG } from "../support/long.ts";

/** Words of each encoding, and the register states in which each is executed. */
const WORDS = LONG ? 20 : 1;
const STATES = LONG ? 50 : 20;
/** Blocks of this many instructions. */
const BLOCKS = LONG ? 10_000 : 200;
const BLOCK_LENGTH = 24;
/** Cases that are loaded at once. */
const BATCH = 60;

const PAGE = 4096;
const NOP = 0xd503201f;
const HVC = 0xd4000002;
const BRANCH_FIELDS = ["imm14", "imm19", "imm26"] as const;

/** By the index of an operand in `Registers`: whether a word may write it. */
const WRITERS = new Map(
  [
    ...Array.from({ length: 31 }, (_, number) => [number, `x${number}`] as const),
    [Registers.SP, "sp"] as const,
    ...Array.from({ length: 64 }, (_, half) => [Registers.V + half, `v${half >> 1}`] as const),
  ].map(([index, name]) => [index, { name, isWriter: writersOf([name], INSTRUCTIONS.set) }]),
);

/** Where a program lies. */
interface Place {
  readonly words: readonly number[];
  readonly start: number;
  /** Its second HVC, where branches go. */
  readonly end: number;
}

/** Both tiers, with equal memory. */
class Tiers {
  readonly interpreter: El2Processor;
  readonly translator: El2Processor;
  readonly #start = new Registers();
  /** Where the next programs go. */
  #next: number = Layout.code;

  constructor(readonly random: Random) {
    const memory = new Uint8Array(Layout.size);
    const words = new Uint32Array(memory.buffer);
    words.fill(FILLER, (Layout.nops - Layout.base) / 4);
    for (let index = 0; index < Layout.dataSize / 4; index++) words[(Layout.data - Layout.base) / 4 + index] = random.word();
    this.interpreter = new El2Processor(memory, { cpu: HASH_CPU });
    // The end of a slice is translated at once.
    this.translator = new El2Processor(memory, { cpu: HASH_CPU, tier: "jit", hotness: { samples: 1, landings: 2, slice: 100_000 } });
  }

  /** Places programs, and has the translator make a region of each. */
  load(programs: readonly (readonly number[])[]): Place[] {
    assert.equal(programs.length, BATCH);
    // On separate pages: frequently changed code is not translated.
    let at = this.#next;
    const places = programs.map((program) => {
      const start = at, words = [NOP, ...program, HVC, HVC];
      at += 4 * words.length;
      for (const processor of [this.interpreter, this.translator]) processor.writeCode(start, words);
      return { words: program, start, end: at - 4 };
    });
    this.#next = (at + PAGE - 1) & -PAGE;
    assert.ok(this.#next <= Layout.codeEnd, "more programs than the layout has room for");
    const made = this.translator.regions;
    for (const place of places) {
      // Once as a whole, so that all of it is known, and up to the instruction, which is where the
      // sample is taken.
      this.run(place);
      randomState(this.translator.registers, this.random, place.start);
      assert.equal(this.translator.run(1), undefined);
    }
    assert.ok(
      this.translator.regions >= made + BATCH,
      `${this.translator.regions - made} of ${BATCH} cases were translated; ${programs.map(text).join("; ")}`,
    );
    return places;
  }

  /** Runs one case from a random state in both; undefined if they agree, else what differs. */
  run({ words, start: pc, end }: Place): string | undefined {
    const { interpreter, translator } = this, start = this.#start;
    randomState(start, this.random, pc);
    // FPCR's FIZ, AH and NEP (FEAT_AFP), which unicorn does not know.
    if (this.random.below(2)) start.halves[2 * Registers.FPCR] |= this.random.below(8);
    start.words[CODE_POINTER] = BigInt(end);
    for (const processor of [interpreter, translator]) processor.registers.halves.set(start.halves);
    const [expected, actual] = [interpreter.runToHvc(), translator.runToHvc()];
    const differing = [...WRITERS].filter(([index, { isWriter }]) =>
      interpreter.registers.words[index] !== start.words[index] && !words.some((word) => isWriter(word | 0))
    ).map(([, { name }]) => `${name} changes, and no instruction writes it`);
    if (!differing.length && expected === actual && interpreter.registers.equals(translator.registers)) return undefined;
    if (expected !== actual) differing.push(`interpreter: ${expected}; translator: ${actual}`);
    for (let index = 0; index < Registers.WORDS; index++) {
      const [a, b] = [interpreter.registers.words[index], translator.registers.words[index]];
      const values = [start.words[index], a, b].map((value) => value.toString(16));
      if (a !== b) differing.push(`${Registers.nameOf(index)} ${values[0]} -> interpreter ${values[1]}, translator ${values[2]}`);
    }
    return differing.join("\n    ");
  }

  /** Whether the data of both is the same. */
  dataIsEqual(): boolean {
    const [a, b] = [this.interpreter, this.translator].map(({ memory }) =>
      new Uint32Array(memory.buffer, memory.byteOffset + Layout.data - Layout.base, Layout.dataSize / 4)
    );
    return a.every((word, index) => word === b[index]);
  }
}

const text = (words: readonly number[]) => words.map((word) => `${word.toString(16).padStart(8, "0")} ${disassemble(word, 0n)}`).join("; ");

/**
 * Whether the translator leaves an entry to the interpreter, which then executes it in both tiers.
 */
function leftToInterpreter(words: readonly number[]): boolean {
  return INSTRUCTIONS.translatable(words[words.length - 1]) === undefined;
}

/**
 * With random sizes they would write over the programs: their tiers are compared in
 * tests/cpu/core/translator/memory-operations_test.ts.
 */
const COMPARED_ELSEWHERE: ReadonlySet<string> = new Set(["CPY", "SET"]);

Deno.test("every encoding does in the translator what it does in the interpreter", () => {
  const tiers = new Tiers(new Random(31)), { random } = tiers;
  const mismatches: string[] = [], left = new Set<string>();
  let cases = 0;
  let programs: { name: string; words: number[] }[] = [];
  const flush = () => {
    if (programs.length === 0) return;
    while (programs.length < BATCH) programs.push(programs[0]);
    const places = tiers.load(programs.map(({ words }) => words));
    programs.forEach(({ name, words }, index) => {
      for (let state = 0; state < STATES; state++) {
        const mismatch = tiers.run(places[index]);
        if (mismatch) mismatches.push(`${name}: ${text(words)}\n    ${mismatch}`);
      }
      cases += STATES;
    });
    if (!tiers.dataIsEqual()) mismatches.push(`memory differs after one of ${programs.map(({ words }) => text(words)).join("; ")}`);
    programs = [];
  };
  for (const encoding of allEncodings()) {
    const { name } = encoding.instruction;
    if (COMPARED_ELSEWHERE.has(name) || isOfEl2(encoding)) continue;
    if (NOT_COMPARED.has(name) && name !== "DC ZVA") {
      const word = randomWord(encoding, random);
      assert.ok(word !== undefined && leftToInterpreter([word]), `${name} takes exceptions or leaves the core, and is translated`);
      left.add(name);
      continue;
    }
    for (let count = 0; count < WORDS; count++) {
      const found = randomCase(encoding, random);
      if (!found) break;
      const { words } = found;
      // Branches skip one HVC, or none.
      for (const field of BRANCH_FIELDS) {
        const place = encoding.instruction.fields.get(field);
        if (place && !/^LDR|PRFM/.test(name)) {
          const last = words.length - 1;
          words[last] = (words[last] & ~((2 ** place.width - 1) << place.position) | 2 << place.position) >>> 0;
        }
      }
      programs.push({ name: encodingName(encoding), words });
      if (programs.length === BATCH) flush();
    }
  }
  flush();
  console.log(`${cases} cases; the interpreter alone executes ${[...left].join(", ")}`);
  assert.ok(cases >= allEncodings().length * WORDS * STATES * 0.95, `only ${cases} cases`);
  assert.equal(mismatches.length, 0, `${mismatches.length} of ${cases} cases differ\n${mismatches.slice(0, 20).join("\n")}`);
});

Deno.test("blocks of instructions do in the translator what they do in the interpreter", () => {
  const tiers = new Tiers(new Random(32)), { random } = tiers;
  const mismatches: string[] = [];
  for (let batch = 0; batch < BLOCKS / BATCH; batch++) {
    const programs = Array.from({ length: BATCH }, () => randomBlock(random, BLOCK_LENGTH).words);
    tiers.load(programs).forEach((place, index) => {
      for (let state = 0; state < 3; state++) {
        const mismatch = tiers.run(place);
        if (mismatch) mismatches.push(`${text(programs[index])}\n    ${mismatch}`);
      }
    });
    if (!tiers.dataIsEqual()) mismatches.push(`memory differs in batch ${batch}`);
  }
  assert.equal(mismatches.length, 0, `${mismatches.length} blocks differ\n${mismatches.slice(0, 5).join("\n")}`);
});

// The decoder in Wasm fills decoded instructions as the one in TypeScript does, which evaluates the
// table's expressions itself, and asks it for nothing that it was told.

import assert from "node:assert/strict";
import { encodings } from "../../../../src/cpu/isa/table.ts";
import { DEFAULT_CPU, parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { instructionSetOf, LOWER_KEY_SHIFT, LOWER_KEYS, UPPER_KEY_SHIFT } from "../../../../src/cpu/isa/instruction-set.ts";
import { Candidate } from "../../../../src/cpu/core/decoded/candidates.ts";
import { DecodedPages } from "../../../../src/cpu/core/decoded/decoded-pages.ts";
import { Handler } from "../../../../src/cpu/core/decoded/handlers.ts";
import { DECODED_SIZE } from "../../../../src/cpu/core/decoded/operands.ts";
import { NO_FILL } from "../../../../src/cpu/core/decoded/variants.ts";
import { type CoreImports, generateCore, instantiateCore } from "../../../../src/cpu/core/core-module.ts";
import {
  COMPUTED_OPERANDS,
  CORE_SIZE,
  DECODER_CANDIDATES,
  DECODER_KEYS,
  INSTRUCTIONS_PER_PAGE,
} from "../../../../src/cpu/core/state/layout.ts";
import { WASM_PAGE_SIZE } from "../../../../src/kit/support/values/sizes.ts";
import { Random } from "../../../support/random.ts";

const WASM_SIZE = CORE_SIZE + WASM_PAGE_SIZE;
const core = generateCore({ base: 0x4000_0000, size: WASM_PAGE_SIZE, wasmAddress: CORE_SIZE }, WASM_SIZE);
const INSTRUCTIONS = instructionSetOf(parseCpu(DEFAULT_CPU));
/** UDF: no pair begins before it. */
const UNDEFINED = 0;

/** A decoder over a memory with one code page. */
class Rig {
  readonly memory = new WebAssembly.Memory({ initial: WASM_SIZE / WASM_PAGE_SIZE, maximum: WASM_SIZE / WASM_PAGE_SIZE });
  readonly words = new Int32Array(this.memory.buffer);
  readonly halves = new Uint16Array(this.memory.buffer);
  readonly pages: DecodedPages;
  readonly page: number;
  readonly #decode: (ip: number) => void;
  /** Words that TypeScript filled. */
  readonly filled: number[] = [];

  constructor() {
    const never = () => assert.fail("not while an instruction is decoded");
    const imports: CoreImports = {
      fillDecoded: (ip) => {
        this.filled.push(this.words[this.pages.wasmAddressOf(ip) >> 2]);
        return this.pages.fill(ip);
      },
      ...{ awaited: never, wordChanged: never, allocateDecoded: never, releaseDecoded: never, regionsWritten: never },
      ...{
        undefinedInstruction: never,
        watched: never,
        deviceAtomic: never,
        staleUsed: never,
        pageEntered: never,
        exited: never,
        retired: never,
        loadStoreSyndrome: never,
      },
    };
    const { functions, outlined } = instantiateCore(core, this.memory, imports);
    this.#decode = (functions as unknown as { decode(ip: number): void }).decode;
    this.pages = new DecodedPages(this.memory, core.dispatch, {
      forgetDecodedPage: never,
      regionsWritten: () => {},
      pageLeft: () => {},
      provideOutlined: (index) => outlined.provide(index),
    });
    this.page = this.pages.allocate(CORE_SIZE);
  }

  /** Words in the code page from `at` on, with their decoded instructions not decoded. */
  put(at: number, ...words: number[]): void {
    for (const [i, word] of words.entries()) {
      this.words[(CORE_SIZE >> 2) + at + i] = word;
      this.words.fill(0, (this.page + (at + i) * DECODED_SIZE) >> 2, (this.page + (at + i + 1) * DECODED_SIZE) >> 2);
    }
  }

  /** Decodes the instruction at a place. */
  decode(at: number): void {
    this.#decode(this.page + at * DECODED_SIZE);
  }

  /** A decoded instruction. */
  decoded(at: number): number[] {
    return [...this.words.subarray((this.page + at * DECODED_SIZE) >> 2, (this.page + (at + 1) * DECODED_SIZE) >> 2)];
  }

  handler(at: number): number {
    return this.halves[(this.page + at * DECODED_SIZE) >> 1];
  }

  /** Compares both decoders of one word at a place. */
  compare(at: number, word: number): void {
    this.put(at, word, UNDEFINED);
    this.decode(at);
    const decoded = this.decoded(at);
    this.put(at, word, UNDEFINED);
    this.pages.fill(this.page + at * DECODED_SIZE);
    assert.deepEqual(decoded, this.decoded(at), `${INSTRUCTIONS.decode(word)?.instruction.name} 0x${(word >>> 0).toString(16)} at ${at}`);
  }
}

const random = new Random(0xdec0de);

/** Words of each encoding, `count` of each variant; branches are short. */
function* someWords(count: number): Generator<number> {
  for (const encoding of encodings()) {
    const decoding = core.dispatch.decodings.of(encoding);
    for (const { mask, value } of [...decoding.specials, { mask: 0, value: 0 }]) {
      const fixed = encoding.mask | mask;
      for (let i = 0; i < count; i++) yield sometimesNear(random.word() & ~fixed | encoding.value | value);
    }
  }
}

/** The word; of B, BL and B.cond every second time one with a target near by. */
function sometimesNear(word: number): number {
  if (random.word() % 2) return word;
  if ((word & 0x7c00_0000) === 0x1400_0000) return word & ~0x3ff_ffff | 3;
  return (word >>> 24) === 0x54 ? word & ~0xff_ffe0 | 3 << 5 : word;
}

/** Places where branches lead to the same page and to others. */
const PLACES = [0, 1, 500, INSTRUCTIONS_PER_PAGE - 2];

Deno.test("words of all encodings are filled in Wasm as in TypeScript", () => {
  const rig = new Rig();
  let turn = 0;
  for (const word of someWords(12)) {
    for (let time = 0; time < 2; time++) rig.compare(PLACES[turn++ % PLACES.length], word);
  }
});

Deno.test("TypeScript fills what is cold, and of the rest nothing twice", () => {
  const rig = new Rig();
  let inWasm = 0;
  for (const word of someWords(4)) {
    rig.put(0, word, UNDEFINED);
    rig.decode(0);
    rig.filled.length = 0;
    rig.put(0, word);
    rig.decode(0);
    const encoding = INSTRUCTIONS.decode(word), handlers = encoding && core.dispatch.decodings.of(encoding).handlers;
    if (!handlers || rig.handler(0) === Handler.Outlined) assert.deepEqual(rig.filled, [word]);
    else if (!rig.filled.length) inWasm++;
  }
  const hot = encodings().filter((encoding) => core.dispatch.decodings.of(encoding).handlers).length;
  assert.ok(inWasm > 0.9 * 4 * hot, `${inWasm} of ${4 * hot}`);
});

Deno.test("pairs have the handler for both, wherever they begin", () => {
  const rig = new Rig(), { pairs } = core.dispatch.fused;
  /** A word for each handler. */
  const words = new Map<number, number>();
  for (const word of someWords(4)) {
    rig.put(0, word);
    words.set(rig.pages.fill(rig.page), word);
  }
  let found = 0;
  for (const [first, second, both] of pairs) {
    const one = words.get(first), other = words.get(second);
    if (one === undefined || other === undefined) continue;
    found++;
    for (const [at, branched] of [[0, false], [0, true], [INSTRUCTIONS_PER_PAGE - 8, false]] as const) {
      rig.put(at, one, other, UNDEFINED);
      // The second was reached by a branch before.
      if (branched) rig.decode(at + 1);
      rig.decode(at);
      assert.deepEqual([rig.handler(at), core.dispatch.fused.firstOf(rig.handler(at + 1))], [both, second]);
    }
    rig.put(0, one, UNDEFINED);
    rig.decode(0);
    assert.equal(rig.handler(0), first);
  }
  assert.ok(found > 0.9 * pairs.length, `${found} of ${pairs.length}`);
});

Deno.test("what TypeScript fills is left alone until it is executed", () => {
  const rig = new Rig(), hvc = 0xd400_0002 | 0, firsts = new Set(core.dispatch.fused.pairs.map(([first]) => first));
  let found = 0;
  for (const word of someWords(1)) {
    rig.put(0, word, hvc);
    rig.decode(0);
    if (!firsts.has(rig.handler(0))) continue;
    found++;
    assert.deepEqual([rig.handler(1), rig.filled.includes(hvc)], [Handler.Decode, false]);
  }
  assert.ok(found > 0);
  rig.decode(1);
  assert.deepEqual([rig.handler(1), rig.filled.at(-1)], [Handler.Outlined, hvc]);
});

Deno.test("the last instruction of a page begins no pair", () => {
  const rig = new Rig(), move = 0xaa0103e0 | 0, last = INSTRUCTIONS_PER_PAGE - 1;
  rig.put(last - 1, move, move);
  rig.decode(last - 1);
  assert.notEqual(rig.handler(last - 1), rig.handler(last));
  assert.equal(rig.handler(last + 1), Handler.PageEnd);
});

Deno.test("a marked instruction, and all others while there is one, are TypeScript's", () => {
  const rig = new Rig(), move = 0xaa0103e0 | 0;
  rig.put(0, move, move, UNDEFINED);
  rig.decode(0);
  rig.pages.mark(CORE_SIZE + 4);
  rig.decode(1);
  rig.decode(0);
  assert.equal(rig.handler(1), Handler.Breakpoint);
  assert.ok(rig.filled.includes(move));
  rig.pages.unmark(CORE_SIZE + 4);
  rig.decode(1);
  rig.compare(1, move);
});

Deno.test("a wrong candidate, a wrong fill and a wrong kept value are noticed", () => {
  const and = 0x92401c20 | 0, move = 0xaa0103e0 | 0;
  const candidate = (rig: Rig, word: number) => {
    const key = (word >>> UPPER_KEY_SHIFT) * LOWER_KEYS + (word >>> LOWER_KEY_SHIFT & LOWER_KEYS - 1);
    return DECODER_CANDIDATES.base + rig.halves[(DECODER_KEYS >> 1) + key] * Candidate.Size;
  };
  const spoils: ((rig: Rig) => void)[] = [
    (rig) => rig.halves[(candidate(rig, move) + Candidate.Handler) >> 1]++,
    (rig) => rig.words[(candidate(rig, move) + Candidate.Value) >> 2] ^= 1 << 5,
    (rig) => rig.halves[(candidate(rig, and) + Candidate.Fill) >> 1] = rig.halves[(candidate(rig, move) + Candidate.Fill) >> 1],
    (rig) => {
      const kept = new BigInt64Array(rig.memory.buffer, COMPUTED_OPERANDS.base, COMPUTED_OPERANDS.count);
      for (const [index, value] of kept.entries()) if (value) kept[index] ^= 2n;
    },
  ];
  for (const spoil of spoils) {
    const rig = new Rig(), both = () => [and, move].forEach((word) => rig.compare(0, word));
    both();
    both();
    assert.notEqual(rig.halves[(candidate(rig, and) + Candidate.Fill) >> 1], NO_FILL);
    spoil(rig);
    assert.throws(both, assert.AssertionError);
  }
});

// Modules of regions that another thread makes: whenever they come, and whether they do, the guest
// does the same.

import assert from "node:assert/strict";
import type { CoreOptions } from "../../../../../src/cpu/core/core.ts";
import { ThreadCompiler } from "../../../../../src/cpu/core/translator/compiler/compiler.ts";
import { compileModules } from "../../../../../src/cpu/core/compiling.ts";
import {
  type CompilerSetup,
  CompilerState,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
} from "../../../../../src/cpu/core/translator/compiler/messages.ts";
import type { CodeSignature } from "../../../../../src/cpu/core/translator/emission/code-signature.ts";
import { moduleMaker, type RegionModule } from "../../../../../src/cpu/core/translator/emission/region-module.ts";
import { RegionStore } from "../../../../../src/cpu/core/translator/region-store.ts";
import { WordRing } from "../../../../../src/kit/support/values/word-ring.ts";
import { LONG } from "../../../../support/long.ts";
import { Random } from "../../../../support/random.ts";
import { type Line, Machine, RAM_BASE } from "../../program.ts";
import { execute, INSTRUCTIONS, prepare } from "../../random-program.ts";
import { compiledCore, LateCompiler } from "./late-compiler.ts";

const EAGER: CoreOptions = { tier: "jit", hotness: { samples: 1, landings: 2, slice: 50 } };
const SEEDS = LONG ? 500 : 8;
const CODE = RAM_BASE + 0x1000;

/** Counters of all machines of a test. */
const sums = (machines: readonly Machine[]) => {
  const all = machines.map(({ core }) => core.counters.translator!);
  const sum = (name: "elsewhere" | "late" | "modules" | "instructions") => all.reduce((total, counts) => total + counts[name], 0);
  return { elsewhere: sum("elsewhere"), late: sum("late"), modules: sum("modules"), instructions: sum("instructions") };
};

Deno.test("random programs end in the same state whenever the modules of their regions come, and if they never do", () => {
  const core = compiledCore(), whole = new Machine(), machines: Machine[] = [];
  for (let seed = 1; seed <= SEEDS; seed++) {
    prepare(whole, seed);
    const expected = execute(whole, () => INSTRUCTIONS), random = new Random(seed);
    // Two cores ask one compiler.
    const compiler = new LateCompiler(core, random, 4), regions = new RegionStore();
    const pair = [0, 1].map(() => new Machine({ ...EAGER, regions, compiler }));
    for (const machine of pair) {
      prepare(machine, seed);
      assert.equal(execute(machine, seed % 2 ? () => INSTRUCTIONS : () => 1 + random.below(300)), expected, `seed ${seed}`);
    }
    machines.push(...pair);
  }
  const { elsewhere, modules } = sums(machines);
  assert.ok(elsewhere > SEEDS && modules > elsewhere, `${elsewhere} of ${modules} modules were made elsewhere`);
});

/** A loop whose third instruction changes. */
const SUM = [["movz x0, #0x0", 0xd2800000], ["movz x1, #0x3e8", 0xd2807d01], ["add x0, x0, x1", 0x8b010000]] as const;
const LOOP = [["subs x1, x1, #0x1", 0xf1000421], ["b.ne", 0x54ffffc1], ["b", 0x17fffffb]] as const;

Deno.test("a module whose code has changed before it comes is not used", () => {
  const random = new Random(7), compiler = new LateCompiler(compiledCore(), random, 4);
  const interpreter = new Machine(), translator = new Machine({ ...EAGER, regions: new RegionStore(), compiler });
  for (const machine of [interpreter, translator]) {
    for (let round = 0; round < 150; round++) {
      // In a page that has not changed often, and unlike all others.
      const place = CODE + round * 0x1000, add = (value: number): Line => ["add x0, x0, #", 0x91000000 | value << 10];
      machine.load(place, [...SUM.slice(0, 2), add(2 * round), ...LOOP]);
      machine.run(200, place);
      machine.load(place + 8, [add(2 * round + 1)]);
      machine.run(400);
    }
  }
  assert.equal(translator.registers(), interpreter.registers());
  const { elsewhere, late } = sums([translator]);
  assert.ok(elsewhere > 20 && late > 20, `${elsewhere} made, ${late} late`);
});

/** Loops of random additions in a row; all of it again and again. */
function loadLoops(machine: Machine, seed: number): void {
  const random = new Random(seed), lines: Line[] = [];
  for (let i = 0; i < 120; i++) {
    lines.push(["movz x1, #0x5a", 0xd2800001 | 0x5a << 5]);
    for (let j = 0; j < 30; j++) lines.push(["add x0, x0, #", 0x91000000 | random.below(4096) << 10]);
    lines.push(["subs x1, x1, #0x1", 0xf1000421], ["b.ne", 0x54000001 | (-31 & 0x7ffff) << 5]);
  }
  machine.load(CODE, [...lines, ["b", 0x14000000 | -lines.length & 0x3ffffff]]);
}

const PASS = 400_000;

Deno.test("a thread makes the modules of a core that has translated much, ends when it rests, and another is started", async () => {
  const threads: { readonly worker: Worker; readonly ended: Promise<void>; readonly state: Int32Array }[] = [];
  const compiler = new ThreadCompiler(compiledCore(), (setup) => {
    const worker = new Worker(new URL("./compiling-worker.ts", import.meta.url), { type: "module" });
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.onmessage = ({ data }) => data === "ready" ? worker.postMessage(setup) : resolve();
    threads.push({ worker, ended: promise, state: new Int32Array(setup.state) });
  });
  const interpreter = new Machine(), translator = new Machine({ ...EAGER, regions: new RegionStore(), compiler });
  let passes = 0;
  const passUntil = async (done: () => boolean) => {
    while (!done()) {
      loadLoops(translator, passes++);
      translator.run(PASS, CODE);
      // Its messages have to reach this thread.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  await passUntil(() => sums([translator]).elsewhere > 0);
  await threads[0].ended;
  await passUntil(() => threads.length > 1);
  for (const { worker, ended, state } of threads) {
    await ended;
    assert.equal(state[0], CompilerState.Gone);
    worker.terminate();
  }
  for (let pass = 0; pass < passes; pass++) {
    loadLoops(interpreter, pass);
    interpreter.run(PASS, CODE);
  }
  assert.equal(translator.registers(), interpreter.registers());
});

/** Signatures of modules of some instructions each. */
function signatures(): CodeSignature[] {
  const found: CodeSignature[] = [];
  const regions = new RegionStore({ load: () => undefined, keep: (signature) => void found.push(signature) });
  const machine = new Machine({ ...EAGER, regions });
  loadLoops(machine, 1);
  machine.run(PASS, CODE);
  return found;
}

const PLACES = [{ number: 5, head: 0x10_0000, pages: new Map([[0, 3], [1, 4], [-1, 2]]) }];

/** A compiler whose other thread is this one: it works when `work` is called, and then rests. */
function inThread(): { readonly compiler: ThreadCompiler; readonly setups: CompilerSetup[]; work(): void } {
  const setups: CompilerSetup[] = [];
  const compiler = new ThreadCompiler(compiledCore(), (setup) => void setups.push(setup));
  return { compiler, setups, work: () => compileModules(setups.at(-1)!, 0) };
}

Deno.test("what is asked of a thread that goes is made here; no more is asked than it can do soon", () => {
  const { compiler, setups } = inThread(), [signature] = signatures(), made: (RegionModule | undefined)[] = [];
  const request = (instructions: number) =>
    compiler.request({ signature, places: PLACES, instructions, made: (module) => void made.push(module) });
  assert.equal(request(2999), false);
  assert.equal(setups.length, 0, "a short program starts none");
  assert.equal(request(1), false);
  assert.equal(setups.length, 1);
  assert.equal(request(1), false, "it is not there yet");
  const state = new Int32Array(setups[0].state);
  state[0] = CompilerState.Ready;
  assert.deepEqual([request(3999), request(1), request(1)], [true, true, false]);
  compiler.poll();
  assert.deepEqual(made, []);
  state[0] = CompilerState.Gone;
  compiler.poll();
  assert.deepEqual(made, [undefined, undefined]);
  assert.equal(request(3000), false);
  assert.equal(setups.length, 2);
  new Int32Array(setups[1].lost)[0] = 1;
  compiler.poll();
  assert.equal(request(3000), false);
  assert.equal(setups.length, 2, "one that fails is not started again");
});

Deno.test("modules of another thread are those that this one makes, byte by byte, with their constants", () => {
  const { compiler, setups, work } = inThread(), all = signatures(), make = moduleMaker(compiledCore());
  const expected = all.map((signature) => make(signature, PLACES)), made: (RegionModule | undefined)[] = [];
  const ask = (signature: CodeSignature) =>
    compiler.request({ signature, places: PLACES, instructions: 33, made: (module) => void made.push(module) });
  for (let i = 0; !setups.length; i++) ask(all[i % all.length]);
  new Int32Array(setups[0].state)[0] = CompilerState.Ready;
  for (const signature of all.slice(0, 100)) assert.ok(ask(signature));
  work();
  compiler.poll();
  assert.deepEqual(made, expected.slice(0, 100));
});

Deno.test("a module that is longer than its ring is not made elsewhere", () => {
  const setup = { ...compiledCore(), ...{ requests: WordRing.bufferFor(0x1000), answers: WordRing.bufferFor(64) } };
  const [state, lost] = [0, 1].map(() => new SharedArrayBuffer(4));
  const requests = new WordRing(setup.requests), answers = new WordRing(setup.answers);
  const [signature] = signatures();
  assert.ok(requests.write(encodeRequest({ id: 9, places: PLACES, signature })));
  compileModules({ ...setup, state, lost }, 0);
  assert.deepEqual(decodeAnswer(answers.read()!), { id: 9, module: undefined });
});

Deno.test("requests and answers come back from their words", () => {
  const random = new Random(5);
  for (let round = 0; round < 50; round++) {
    const list = () => Array.from({ length: random.below(9) }, () => random.word() | 0);
    const places = list().map((number) => ({ number, head: random.word() | 0, pages: new Map(list().map((page) => [page, page >> 1])) }));
    const request = { id: random.word() | 0, places, signature: Int32Array.from(list()) };
    assert.deepEqual(decodeRequest(encodeRequest(request)), request);
    const module = { bytes: Uint8Array.from(random.bytes(1 + random.below(40))), sizes: list(), gaps: list() };
    assert.deepEqual(decodeAnswer(encodeAnswer({ id: round, module })), { id: round, module });
  }
});

// The thread that compiles beside a machine's worker, started as the program does it.

import assert from "node:assert/strict";
import { COMPILER_NAME, newWorker } from "../../../src/session/worker/client.ts";
import { CompilerThread } from "../../../src/session/worker/compiler-thread.ts";
import { WordRing } from "../../../src/kit/support/values/word-ring.ts";
import { type CompilerSetup, CompilerState, decodeAnswer, encodeRequest } from "../../../src/cpu/core/translator/compiler/messages.ts";
import { moduleMaker } from "../../../src/cpu/core/translator/emission/region-module.ts";
import { compiledCore } from "../../cpu/core/translator/compiler/late-compiler.ts";

const ENTRY = new URL("../../../main.ts", import.meta.url);
/** NOP and B to itself, as a region of one block. */
const SIGNATURE = [1, 1, 1, 0, 2, 0, 0xd503201f, 0x14000000, 0, 0];
const PLACES = [{ number: 3, head: 0x10_0000, pages: new Map([[0, 1]]) }];

function newSetup(): CompilerSetup {
  return {
    ...compiledCore(),
    requests: WordRing.bufferFor(256),
    answers: WordRing.bufferFor(4096),
    state: new SharedArrayBuffer(4),
    lost: new SharedArrayBuffer(4),
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

Deno.test("the worker that the program starts makes the modules of whoever wished for it, and ends when it is closed", async () => {
  const thread = new CompilerThread(() => newWorker(ENTRY, COMPILER_NAME));
  const setup = newSetup(),
    requests = new WordRing(setup.requests),
    answers = new WordRing(setup.answers),
    state = new Int32Array(setup.state),
    lost = new Int32Array(setup.lost);
  const signature = Int32Array.of(setup.memory.minimum, ...SIGNATURE);
  assert.ok(requests.write(encodeRequest({ id: 8, places: PLACES, signature })));
  try {
    thread.start({ kind: "compiler", setup, lost: setup.lost });
    let message = answers.read();
    for (; !message; message = answers.read()) {
      assert.equal(lost[0], 0, "it works");
      await turn();
    }
    assert.deepEqual(decodeAnswer(message), { id: 8, module: moduleMaker(setup)(signature, PLACES) });
    assert.deepEqual([state[0], lost[0]], [CompilerState.Ready, 0]);
  } finally {
    thread.close();
  }
});

Deno.test("a thread that fails is named in one line, and the machine's worker hears of it", async () => {
  const module = URL.createObjectURL(new Blob(["throw new Error('it does not load');"], { type: "text/javascript" }));
  const thread = new CompilerThread(() => new Worker(module, { type: "module" })), lines: string[] = [], { error } = console;
  console.error = (line: string) => void lines.push(line);
  try {
    const setup = newSetup(), lost = new Int32Array(setup.lost);
    thread.start({ kind: "compiler", setup, lost: setup.lost });
    while (!lost[0]) await turn();
    assert.equal(lines.length, 1);
    assert.match(lines[0], /^el2: regions are compiled in the machine's thread: .*it does not load$/);
  } finally {
    console.error = error;
    thread.close();
  }
});

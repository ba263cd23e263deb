// The core for a thread that has none: it makes modules of regions for another one's core, until
// nobody has asked for any in a while.

import { WordRing } from "../../kit/support/values/word-ring.ts";
import { type CompilerSetup, CompilerState, decodeRequest, encodeAnswer } from "./translator/compiler/messages.ts";
import { moduleMaker } from "./translator/emission/region-module.ts";

/** Milliseconds without a request after which the thread ends, and gives its memory back. */
const REST = 10_000;

/** A module whose bytes the other thread may not have compiled yet. */
interface UnreadModule {
  readonly module: WebAssembly.Module;
  /** A place in the ring after its answer. */
  readonly end: number;
}

/**
 * Modules that were read and are kept nevertheless: the other thread compiles them after it has
 * read them.
 */
const KEPT = 16;

/** Serves requests; returns when there were none for `rest` milliseconds. */
export function compileModules(setup: CompilerSetup, rest = REST): void {
  const requests = new WordRing(setup.requests), answers = new WordRing(setup.answers), state = new Int32Array(setup.state);
  const make = moduleMaker(setup);
  const unread: UnreadModule[] = [];
  let end = answers.readTo;
  Atomics.store(state, 0, CompilerState.Ready);
  do {
    for (let message = requests.read(); message; message = requests.read()) {
      const { id, places, signature } = decodeRequest(message), module = make(signature, places);
      let answer = encodeAnswer({ id, module });
      if (!answers.holds(answer.length)) answer = encodeAnswer({ id, module: undefined });
      // V8 has one machine code for equal bytes in all threads of a process, as long as one of them
      // has a module of it: the other thread finds it.
      end = end + 1 + answer.length | 0;
      unread.push({ module: new WebAssembly.Module(module.bytes), end });
      while (unread.length > KEPT && (unread[unread.length - KEPT].end - answers.readTo | 0) <= 0) unread.shift();
      answers.writeWaiting(answer);
    }
  } while (requests.waitForMessage(rest));
  Atomics.store(state, 0, CompilerState.Gone);
}

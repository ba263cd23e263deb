// Modules of regions that another thread makes beside the guest's, where the computer has a
// processor for it: the translator finds regions, and asks. When answers come differs from run to
// run; what the guest does never depends on which of its code is compiled.

import { WordRing } from "../../../../kit/support/values/word-ring.ts";
import type { CodeSignature } from "../emission/code-signature.ts";
import type { CompiledCore, PartPlace, RegionModule } from "../emission/region-module.ts";
import { type CompilerSetup, CompilerState, decodeAnswer, encodeRequest } from "./messages.ts";

/** A module that a translator wants. */
export interface WantedModule {
  readonly signature: CodeSignature;
  readonly places: readonly PartPlace[];
  readonly instructions: number;
  /** Takes the module, with its constants for these places; undefined: it was not made. */
  readonly made: (module: RegionModule | undefined) => void;
}

/** Makes modules later. */
export interface Compiler {
  /** Whether it will make a module. False: it does not work, or has enough to do. */
  request(wanted: WantedModule): boolean;
  /** Calls `made` for what is there by now. */
  poll(): void;
}

/** Starts the other thread, which calls `compileModules`. */
export type StartCompiler = (setup: CompilerSetup) => void;

/**
 * Instructions that are translated in place before the other thread is started: programs that end
 * soon are not worth it.
 */
const UNTIL_START = 3000;

/** Instructions that wait for answers at most: beyond this it is too slow to be of use. */
const MOST_WAITING = 4000;

/** The words of the rings. */
const REQUEST_WORDS = 0x1_0000, ANSWER_WORDS = 0x8_0000;

/** The connection to a thread that was started. */
interface Connection {
  readonly requests: WordRing;
  readonly answers: WordRing;
  readonly state: Int32Array;
  readonly lost: Int32Array;
}

/** A compiler in another thread, which is started when it is worth it. */
export class ThreadCompiler implements Compiler {
  #connection: Connection | undefined;
  #lost = false;
  /** Instructions that were wanted while no thread was there. */
  #missed = 0;
  #waiting = 0;
  #nextId = 0;
  readonly #wanted = new Map<number, WantedModule>();

  constructor(readonly core: CompiledCore, readonly start: StartCompiler) {}

  request(wanted: WantedModule): boolean {
    const { signature, places, instructions } = wanted, connection = this.#connection;
    if (!connection) {
      this.#missed += instructions;
      if (this.#missed >= UNTIL_START && !this.#lost) this.#connect();
      return false;
    }
    if (Atomics.load(connection.state, 0) !== CompilerState.Ready || this.#waiting >= MOST_WAITING) return false;
    const id = this.#nextId++;
    if (!connection.requests.write(encodeRequest({ id, places, signature }))) return false;
    this.#wanted.set(id, wanted);
    this.#waiting += instructions;
    return true;
  }

  poll(): void {
    const connection = this.#connection;
    if (!connection) return;
    for (let message = connection.answers.read(); message; message = connection.answers.read()) {
      const { id, module } = decodeAnswer(message), wanted = this.#wanted.get(id);
      if (!wanted) throw new Error(`nobody has asked for module ${id}`);
      this.#wanted.delete(id);
      this.#waiting -= wanted.instructions;
      wanted.made(module);
    }
    if (Atomics.load(connection.state, 0) === CompilerState.Gone) this.#disconnect();
    else if (Atomics.load(connection.lost, 0)) this.#disconnect(true);
  }

  #connect(): void {
    const requests = WordRing.bufferFor(REQUEST_WORDS), answers = WordRing.bufferFor(ANSWER_WORDS);
    const [state, lost] = [0, 1].map(() => new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.#connection = {
      requests: new WordRing(requests),
      answers: new WordRing(answers),
      state: new Int32Array(state),
      lost: new Int32Array(lost),
    };
    this.start({ ...this.core, requests, answers, state, lost });
  }

  /**
   * Requests that were not answered end without a module.
   * @param forever no other thread is started
   */
  #disconnect(forever = false): void {
    const wanted = [...this.#wanted.values()];
    this.#wanted.clear();
    this.#connection = undefined;
    this.#lost ||= forever;
    this.#waiting = this.#missed = 0;
    for (const { made } of wanted) made(undefined);
  }
}

// Calls of the worker that runs guests to the thread that has rights. The worker waits for each
// answer. Bytes go through memory that both share, as messages carry them slowly; objects of the
// other thread are numbers.

import { UnusableTarget } from "../../kit/support/files/open-target.ts";
import { NotOurs } from "../../kit/support/files/own-files.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { ShareError } from "../../machine/virtio/p9/folder.ts";
import { node } from "../../kit/support/node-modules.ts";

export interface Call {
  readonly kind: "call";
  /** The object; 0 is the computer itself. */
  readonly object: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export type Answer = { readonly value: unknown } | { readonly error: ErrorData };

/** Words at the start of the shared memory: answers so far; the last one's coding and size. */
const Word = { Answers: 0, Coding: 1, Size: 2 } as const;
const Coding = { Bytes: 0, Structured: 1 } as const;
const BYTES_AT = 16;
/** Bytes that go through the shared memory at a time. */
export const PIECE = MiB;
/** The method of the computer that gives the rest of an answer. */
export const REST = "rest";

/** Memory that both sides of the calls share. */
export function newMailbox(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES_AT + PIECE);
}

/** An error of the other thread as data. */
interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly errno?: string;
}

/** Errors for the user, by their names. */
const TOLD = { NotOurs, UnusableTarget } as const;

export function errorData(error: unknown): ErrorData {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message } = error;
  const told = Object.entries(TOLD).find(([, kind]) => error instanceof kind);
  if (told) return { name: told[0], message };
  if (error instanceof ShareError) return { name, message: message.slice(error.errno.length + 2), errno: error.errno };
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  return { name, message, ...code !== undefined && { code } };
}

/** The error again, of the class that callers look for. */
export function errorOf({ name, message, code, errno }: ErrorData): Error {
  if (errno !== undefined) return new ShareError(errno as ShareError["errno"], message);
  const Known = Object.entries({ ...Deno.errors, ...TOLD, RangeError, TypeError }).find(([known]) => known === name)?.[1] ?? Error;
  const error = new Known(message);
  return code === undefined ? error : Object.assign(error, { code });
}

/** The worker's end. */
export class Calls {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(readonly port: MessagePort, mailbox: SharedArrayBuffer) {
    this.#words = new Int32Array(mailbox, 0, BYTES_AT / 4);
    this.#bytes = new Uint8Array(mailbox, BYTES_AT);
  }

  /**
   * Calls a method of an object of the other thread, and waits for its result.
   * @param args at most one of them is bytes
   * @throws Error that the method threw
   */
  call(object: number, method: string, ...args: readonly unknown[]): unknown {
    const sent = args.map((value) => {
      if (!(value instanceof Uint8Array)) return value;
      // A message copies all memory that the bytes are a part of, such as a guest's.
      if (value.length > PIECE) return Uint8Array.from(value);
      this.#bytes.set(value);
      return { shared: value.length };
    });
    const answer = this.#answer({ kind: "call", object, method, args: sent });
    if ("error" in answer) throw errorOf(answer.error);
    return answer.value;
  }

  /** As `call`, for an answer that is bytes, which go to `into`. Returns how many there are. */
  read(into: Uint8Array, object: number, method: string, ...args: readonly unknown[]): number {
    const size = this.#wait({ kind: "call", object, method, args });
    if (this.#words[Word.Coding] === Coding.Bytes && size <= Math.min(into.length, PIECE)) {
      into.set(this.#bytes.subarray(0, size));
      return size;
    }
    const answer = this.#decoded(size);
    if ("error" in answer) throw errorOf(answer.error);
    throw new RangeError(`${size} bytes, more than the ${into.length} asked for`);
  }

  #answer(call: Call): Answer {
    return this.#decoded(this.#wait(call));
  }

  /** The answer that has come, with the pieces that follow. */
  #decoded(size: number): Answer {
    const bytes = new Uint8Array(size), coding = this.#words[Word.Coding];
    for (let at = 0;;) {
      const piece = Math.min(size - at, PIECE);
      bytes.set(this.#bytes.subarray(0, piece), at);
      at += piece;
      if (at >= size) break;
      this.#wait({ kind: "call", object: 0, method: REST, args: [at] });
    }
    return coding === Coding.Bytes ? { value: bytes } : node.v8.deserialize(bytes);
  }

  /** Sends a call; returns the size of its answer, of which the first piece has come. */
  #wait(call: Call): number {
    const before = Atomics.load(this.#words, Word.Answers);
    this.port.postMessage(call);
    while (Atomics.load(this.#words, Word.Answers) === before) Atomics.wait(this.#words, Word.Answers, before);
    return this.#words[Word.Size];
  }
}

/** The other end. */
export class AnsweringEnd {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  /** The answer in progress, whole. */
  #whole = new Uint8Array(0);

  constructor(mailbox: SharedArrayBuffer) {
    this.#words = new Int32Array(mailbox, 0, BYTES_AT / 4);
    this.#bytes = new Uint8Array(mailbox, BYTES_AT);
  }

  /** The arguments of a call, in memory of this thread alone. */
  args({ args }: Call): readonly unknown[] {
    return args.map((value) => {
      if (typeof value !== "object" || value === null || !("shared" in value)) return value;
      return Uint8Array.from(this.#bytes.subarray(0, Number(value.shared)));
    });
  }

  /** Answers a call. */
  send(answer: Answer): void {
    const bytes = "value" in answer && answer.value instanceof Uint8Array;
    this.#words[Word.Coding] = bytes ? Coding.Bytes : Coding.Structured;
    this.#whole = bytes ? answer.value as Uint8Array<ArrayBuffer> : Uint8Array.from(node.v8.serialize(answer));
    this.#words[Word.Size] = this.#whole.length;
    this.rest(0);
  }

  /** Sends the piece of the answer that begins there. */
  rest(at: number): void {
    const piece = this.#whole.subarray(at, at + PIECE);
    this.#bytes.set(piece);
    if (at + PIECE >= this.#whole.length) this.#whole = new Uint8Array(0);
    Atomics.add(this.#words, Word.Answers, 1);
    Atomics.notify(this.#words, Word.Answers);
  }
}

// The two threads of a compiler: the memory that they share, and their messages, as words.

import type { CodeSignature } from "../emission/code-signature.ts";
import type { CompiledCore, PartPlace, RegionModule } from "../emission/region-module.ts";

/** All that the other thread needs, and memory that both have. */
export interface CompilerSetup extends CompiledCore {
  /** Rings of requests and answers. */
  readonly requests: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
  /** One word, a `CompilerState`. */
  readonly state: SharedArrayBuffer;
  /** One word: not 0 once whoever was to start the other thread knows that it does not work. */
  readonly lost: SharedArrayBuffer;
}

/** States of the other thread: it loads, it works, it has ended or failed. */
export const CompilerState = { Starting: 0, Ready: 1, Gone: 2 } as const;

/** A module that is wanted. */
export interface ModuleRequest {
  /** The answer has it too. */
  readonly id: number;
  readonly places: readonly PartPlace[];
  readonly signature: CodeSignature;
}

/** The answer: no module, if that is too long for one. */
export interface ModuleAnswer {
  readonly id: number;
  readonly module: RegionModule | undefined;
}

export function encodeRequest({ id, places, signature }: ModuleRequest): Int32Array<ArrayBuffer> {
  const words = [id, places.length];
  for (const { number, head, pages } of places) {
    words.push(number, head, pages.size);
    for (const [offset, page] of pages) words.push(offset, page);
  }
  const message = new Int32Array(words.length + signature.length);
  message.set(words);
  message.set(signature, words.length);
  return message;
}

export function decodeRequest(message: Int32Array<ArrayBuffer>): ModuleRequest {
  let at = 0;
  const next = () => message[at++];
  const id = next();
  const places = Array.from({ length: next() }, (): PartPlace => {
    const number = next(), head = next();
    return { number, head, pages: new Map(Array.from({ length: next() }, () => [next(), next()])) };
  });
  return { id, places, signature: message.slice(at) };
}

const WORD = Int32Array.BYTES_PER_ELEMENT, LISTS_AT = 4;

export function encodeAnswer({ id, module }: ModuleAnswer): Int32Array<ArrayBuffer> {
  if (!module) return Int32Array.of(id, 0, 0, 0);
  const { bytes, sizes, gaps } = module, bytesAt = LISTS_AT + sizes.length + gaps.length;
  const message = new Int32Array(bytesAt + Math.ceil(bytes.length / WORD));
  message.set([id, bytes.length, sizes.length, gaps.length]);
  message.set(sizes, LISTS_AT);
  message.set(gaps, LISTS_AT + sizes.length);
  new Uint8Array(message.buffer).set(bytes, WORD * bytesAt);
  return message;
}

export function decodeAnswer(message: Int32Array<ArrayBuffer>): ModuleAnswer {
  const [id, length, sizes, gaps] = message;
  if (!length) return { id, module: undefined };
  const gapsAt = LISTS_AT + sizes, bytesAt = gapsAt + gaps;
  return {
    id,
    module: {
      bytes: new Uint8Array(message.buffer, WORD * bytesAt, length),
      sizes: Array.from(message.subarray(LISTS_AT, gapsAt)),
      gaps: Array.from(message.subarray(gapsAt, bytesAt)),
    },
  };
}

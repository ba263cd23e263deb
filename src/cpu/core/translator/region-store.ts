// Compiled regions by content: the modules of regions that were compiled in this process, and,
// where a cache folder keeps them, in others. A region whose code comes back (mapped anew, of a
// machine that starts again) gets its module without being translated.
//
// A guest sees no difference: the translator decides what is compiled before it looks here.

import { hashOfWords } from "../../../kit/support/values/word-hash.ts";
import type { CodeSignature } from "./emission/code-signature.ts";
import type { RegionModule } from "./emission/region-module.ts";

/** A store of modules that outlives the process. */
export interface CodeBacking {
  /** The module with this signature; undefined if there is none. */
  load(signature: CodeSignature): RegionModule | undefined;
  keep(signature: CodeSignature, module: RegionModule): void;
}

/**
 * A backing for the code of one CPU: other CPUs may have other meanings for the same words.
 * @param key of the CPU; empty for the one whose code has the signatures as they are
 */
export function backingFor(key: string, backing: CodeBacking | undefined): CodeBacking | undefined {
  if (!backing || !key) return backing;
  const suffix = Int32Array.from(key, (character) => character.charCodeAt(0));
  const whole = (signature: CodeSignature) => Int32Array.of(...signature, ...suffix);
  return { load: (signature) => backing.load(whole(signature)), keep: (signature, module) => backing.keep(whole(signature), module) };
}

interface StoredModule {
  readonly module: RegionModule;
  readonly signature: CodeSignature;
}

/** The origin of a module that need not be made: this process, or another one. */
export type Origin = "memory" | "cache";

/** Limit on the bytes of Wasm in modules that are found again. */
const BYTES_KEPT = 0x60_0000;

/** The modules of all cores with one library. */
export class RegionStore {
  /** By a hash of the signature; what was used last comes last. */
  readonly #entries = new Map<number, StoredModule>();
  #bytes = 0;

  /** @param capacity bytes of Wasm that are kept at most */
  constructor(readonly backing?: CodeBacking, readonly capacity: number = BYTES_KEPT) {}

  /** Bytes of Wasm in the modules. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The module with a signature; undefined where it has to be made. */
  find(signature: CodeSignature): { readonly module: RegionModule; readonly origin: Origin } | undefined {
    const key = hashOfWords(signature), known = this.#entries.get(key);
    if (known && equal(known.signature, signature)) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return { module: known.module, origin: "memory" };
    }
    const module = this.backing?.load(signature);
    if (!module) return undefined;
    this.#add(key, { module, signature });
    return { module, origin: "cache" };
  }

  /** Keeps a module that was made. */
  keep(signature: CodeSignature, module: RegionModule): void {
    this.#add(hashOfWords(signature), { module, signature });
    this.backing?.keep(signature, module);
  }

  #add(key: number, entry: StoredModule): void {
    const before = this.#entries.get(key);
    if (before) this.#remove(key, before);
    this.#entries.set(key, entry);
    this.#bytes += entry.module.bytes.length;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.capacity) break;
      this.#remove(oldest, entry);
    }
  }

  #remove(key: number, { module }: StoredModule): void {
    this.#entries.delete(key);
    this.#bytes -= module.bytes.length;
  }
}

/** Whether two signatures are the same. */
export function equal(a: CodeSignature, b: CodeSignature): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

// The module of a core over its memory, and the code that was decoded and compiled there. When a
// core is not used any more, another one over the same memory may continue with its code: of what
// stays in RAM, nothing is decoded or compiled again.

import { loadStoreSyndrome } from "./architecture/load-store-syndrome.ts";
import { type CoreExports, type CoreImports, type GeneratedCore, instantiateCore } from "./core-module.ts";
import { decodedPageIndex, DecodedPages } from "./decoded/decoded-pages.ts";
import type { Link } from "./interpreter/outlined.ts";
import { WrittenMemory } from "./memory/written-memory.ts";
import type { RamLayout } from "./memory/translation.ts";
import { Translator } from "./translator/translator.ts";

/** The functions of the module that only the core can answer, and what it hears of its code. */
type CoreServices =
  & Omit<CoreImports, "fillDecoded" | "awaited" | "allocateDecoded" | "releaseDecoded" | "regionsWritten" | "loadStoreSyndrome">
  & {
    /** The decoded page with this index no longer stands for its code page. */
    pageLeft(index: number): void;
  };

/** How the code of a core is made. */
interface CodeOptions {
  /** Pages of decoded instructions to keep. */
  readonly decodedPages: number | undefined;
  /** Makes the translator; undefined: the interpreter executes everything. */
  readonly translator: ((link: Link) => Translator) | undefined;
}

export class CoreCode {
  readonly functions: CoreExports;
  readonly decoded: DecodedPages;
  readonly translator: Translator | undefined;
  /** Pages that were written, also of cores before. */
  readonly written: WrittenMemory;
  /** Those of the core that has the code now. */
  #services: CoreServices | undefined;

  constructor(
    readonly core: GeneratedCore,
    readonly memory: WebAssembly.Memory,
    ram: RamLayout,
    { decodedPages, translator }: CodeOptions,
  ) {
    const { functions, link, outlined } = instantiateCore(core, memory, this.#imports());
    this.functions = functions;
    this.translator = translator?.(link);
    this.decoded = new DecodedPages(memory, core.dispatch, {
      forgetDecodedPage: (page) => functions.tlbForgetDecoded(page),
      regionsWritten: (index, first, end) => this.translator?.written(index, first, end),
      provideOutlined: (index) => outlined.provide(index),
      pageLeft: (index) => this.#owner.pageLeft(index),
    }, decodedPages);
    this.written = new WrittenMemory(memory, ram);
  }

  /** A core has the code from now on. */
  serve(services: CoreServices): void {
    this.#services = services;
    this.translator?.begin();
  }

  get #owner(): CoreServices {
    if (!this.#services) throw new Error("no core has this code");
    return this.#services;
  }

  #imports(): CoreImports {
    return {
      fillDecoded: (ip) => this.decoded.fill(ip),
      awaited: (ip) => this.translator?.decoded(ip),
      allocateDecoded: (wasmAddress) => this.decoded.allocate(wasmAddress >>> 0),
      releaseDecoded: (page) => this.decoded.release(page),
      regionsWritten: (page, first, end) => this.translator?.written(decodedPageIndex(page), first, end),
      wordChanged: (page) => this.#owner.wordChanged(page),
      undefinedInstruction: (pc, word) => this.#owner.undefinedInstruction(pc, word),
      watched: (va, access, wasmAddress, size) => this.#owner.watched(va, access, wasmAddress, size),
      pageEntered: (va, wasmAddress) => this.#owner.pageEntered(va, wasmAddress),
      deviceAtomic: () => this.#owner.deviceAtomic(),
      staleUsed: () => this.#owner.staleUsed(),
      exited: (left) => this.#owner.exited(left),
      retired: (word) => this.#owner.retired(word),
      loadStoreSyndrome,
    };
  }
}

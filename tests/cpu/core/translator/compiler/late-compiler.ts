// A compiler for tests: it makes the modules that are wanted after a random number of turns, or
// never, in any order, and refuses some requests and fails at others.

import { coreFor } from "../../../../../src/cpu/core/core-module.ts";
import { CORE_SIZE } from "../../../../../src/cpu/core/state/layout.ts";
import { type Cpu, DEFAULT_CPU, parseCpu } from "../../../../../src/cpu/isa/cpus/cpus.ts";
import type { Compiler, WantedModule } from "../../../../../src/cpu/core/translator/compiler/compiler.ts";
import { type CompiledCore, moduleMaker } from "../../../../../src/cpu/core/translator/emission/region-module.ts";
import { decodeAnswer, decodeRequest, encodeAnswer, encodeRequest } from "../../../../../src/cpu/core/translator/compiler/messages.ts";
import type { Random } from "../../../../support/random.ts";
import { RAM_BASE, RAM_SIZE } from "../../program.ts";

/** The core of machines of `program.ts`, for a compiler. */
export function compiledCore(cpu: Cpu = parseCpu(DEFAULT_CPU)): CompiledCore {
  const ram = { base: RAM_BASE, size: RAM_SIZE, wasmAddress: CORE_SIZE };
  const { library, importedMemory: memory } = coreFor(ram, CORE_SIZE + RAM_SIZE, { cpu, counts: false });
  const functions = Array.from(library.all, ({ name, index, parameters, results }) => ({ name, index, parameters, results }));
  return { functions, memory, cpu };
}

export class LateCompiler implements Compiler {
  readonly #make;
  readonly #wanted = new Map<number, WantedModule>();
  #nextId = 0;
  /** Modules that were made. */
  made = 0;

  /** @param patience turns that a module takes, roughly */
  constructor(core: CompiledCore, readonly random: Random, readonly patience: number) {
    this.#make = moduleMaker(core);
  }

  request(wanted: WantedModule): boolean {
    if (this.random.below(8) === 0) return false;
    const id = this.#nextId++;
    // One in sixteen is never answered.
    if (this.random.below(16)) this.#wanted.set(id, wanted);
    return true;
  }

  poll(): void {
    for (const [id, wanted] of this.#wanted) {
      if (this.random.below(this.patience)) continue;
      this.#wanted.delete(id);
      const { signature, places } = decodeRequest(encodeRequest({ id, ...wanted })), isMade = this.random.below(16) > 0;
      const { module } = decodeAnswer(encodeAnswer({ id, module: isMade ? this.#make(signature, places) : undefined }));
      if (module) this.made++;
      wanted.made(module);
    }
  }
}

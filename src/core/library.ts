// The functions of the core's Wasm module, by name, so that the parts of the core (records, MMU, exceptions, FP helpers, interpreter)
// can call each other whatever the order in which they are written.

import { FunctionBuilder, type ValueType, type WasmModule } from "./wasm/module.ts";

/** Functions that can be called. */
export interface Callees {
  /** The function of this name; it may get its body later. Throws when the signature is another one. */
  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder;
  /** The function of this name, known to be declared already. */
  named(name: string): FunctionBuilder;
}

/** A registry of functions: one part defines, any part calls. */
export class Library implements Callees {
  readonly #functions = new Map<string, { builder: FunctionBuilder; defined: boolean }>();

  constructor(readonly module: WasmModule) {}

  /** The function of this name, for `FunctionBuilder.call`; it may get its body later. Throws when the signature is another one. */
  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    return this.#entry(name, parameters, results).builder;
  }

  /** The function of this name, to be filled by the caller; `exported` makes it visible to TypeScript. Throws when it has a body already. */
  define(name: string, parameters: readonly ValueType[], results: readonly ValueType[], exported = false): FunctionBuilder {
    const entry = this.#entry(name, parameters, results);
    if (entry.defined) throw new Error(`function ${name} is defined twice`);
    entry.defined = true;
    if (exported) this.module.export(entry.builder);
    return entry.builder;
  }

  /** The function of this name, known to be declared already. */
  named(name: string): FunctionBuilder {
    const entry = this.#functions.get(name);
    if (!entry) throw new Error(`function ${name} is not declared`);
    return entry.builder;
  }

  /** Makes all functions visible to other modules, under their names. */
  exportAll(): void {
    for (const { builder } of this.#functions.values()) this.module.export(builder);
  }

  /** Throws when a function is called but not defined. */
  check(): void {
    const missing = [...this.#functions].filter(([, entry]) => !entry.defined).map(([name]) => name);
    if (missing.length) throw new Error(`functions without a body: ${missing.join(", ")}`);
  }

  #entry(name: string, parameters: readonly ValueType[], results: readonly ValueType[]) {
    let entry = this.#functions.get(name);
    if (!entry) {
      entry = { builder: this.module.function(name, parameters, results), defined: false };
      this.#functions.set(name, entry);
    }
    const { builder } = entry;
    if (builder.parameters.join() !== parameters.join() || builder.results.join() !== results.join()) {
      throw new Error(`function ${name} has the signature (${builder.parameters}) -> (${builder.results})`);
    }
    return entry;
  }
}

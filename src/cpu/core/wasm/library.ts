// The functions of the core's Wasm module, by name, so that the parts of the core (decoded
// instructions, MMU, exceptions, FP helpers, interpreter) can call each other whatever their order.

import { FunctionBuilder, type FunctionType, sameType, type ValueType, type WasmModule } from "./module.ts";

/** Functions that can be called. */
export interface Callees {
  /**
   * The function of this name; it may get its body later. Throws when the signature is another one.
   */
  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder;
  /** The function of this name, known to be declared already. */
  named(name: string): FunctionBuilder;
  /** Whether there is a function of this name, or will be. */
  has(name: string): boolean;
}

/** The signature of a function, for its callers. Plain data. */
export interface KnownFunction extends FunctionType {
  readonly name: string;
  /** In the module's function space. */
  readonly index: number;
}

/** The functions of a module that is complete. */
export class KnownFunctions implements Callees {
  readonly #functions: ReadonlyMap<string, FunctionBuilder>;

  constructor(functions: readonly KnownFunction[]) {
    this.#functions = new Map(
      functions.map(({ name, index, parameters, results }) => [name, new FunctionBuilder(index, name, parameters, results)]),
    );
  }

  get all(): Iterable<FunctionBuilder> {
    return this.#functions.values();
  }

  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    return withSignature(this.named(name), parameters, results);
  }

  named(name: string): FunctionBuilder {
    const f = this.#functions.get(name);
    if (!f) throw new Error(`the module has no function ${name}`);
    return f;
  }

  has(name: string): boolean {
    return this.#functions.has(name);
  }
}

/** A registry of functions: one part defines, any part calls. */
export class Library implements Callees {
  readonly #functions = new Map<string, { builder: FunctionBuilder; defined: boolean }>();

  constructor(readonly module: WasmModule) {}

  /**
   * The function of this name, for `FunctionBuilder.call`; it may get its body later. Throws when
   * the signature is another one.
   */
  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    return this.#entry(name, parameters, results).builder;
  }

  /**
   * The function of this name, to be filled by the caller; `exported` makes it visible to
   * TypeScript. Throws when it has a body already.
   */
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

  has(name: string): boolean {
    return this.#functions.has(name);
  }

  /** Makes all functions visible to other modules, under their names. */
  exportAll(): void {
    for (const { builder } of this.#functions.values()) this.module.export(builder);
  }

  /** All functions, in the order in which they were declared. */
  get known(): KnownFunction[] {
    return Array.from(
      this.#functions.values(),
      ({ builder: { name, index, parameters, results } }) => ({ name, index, parameters, results }),
    );
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
    withSignature(entry.builder, parameters, results);
    return entry;
  }
}

/** The function, which must have this signature. */
function withSignature(f: FunctionBuilder, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
  if (!sameType(f, parameters, results)) {
    throw new Error(`function ${f.name} has the signature (${f.parameters}) -> (${f.results})`);
  }
  return f;
}

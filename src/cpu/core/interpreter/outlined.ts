// Cold instructions: each is a separate Wasm function, generated when a decoder first meets it, and
// linked to each core that does. Most of the table's encodings never occur in a run; making all of
// them at start-up would take longer than a kernel's boot takes to need any.
//
// Each such function has a small module to itself, which imports the memory and its callees from
// the core, and goes into the core's table. Its parameter is the address of the decoded
// instruction; it returns nothing; its outcome is in `CPU.PENDING`.

import type { InstructionSet } from "../../isa/instruction-set.ts";
import type { InstructionForm } from "../../isa/table.ts";
import { Handler } from "../decoded/handlers.ts";
import { FIRST_OPERAND, OperandLayout, type StoredOperand } from "../decoded/operands.ts";
import type { Filling, Fixed } from "../decoded/variants.ts";
import { CPU, Pending } from "../state/cpu-state.ts";
import type { Callees, KnownFunctions } from "../wasm/library.ts";
import { FunctionBuilder, type ImportedMemory, type ValueType, WasmModule } from "../wasm/module.ts";
import { emitBranchTarget } from "./branch-targets.ts";
import { emitChecks } from "./checks.ts";
import { Emitter } from "./emitter.ts";
import { pushAtomicsTlb, type Surroundings } from "./surroundings.ts";

/** The core that the functions are linked to. */
export interface Link {
  readonly memory: WebAssembly.Memory;
  readonly table: WebAssembly.Table;
  /** The imports of functions of other modules. */
  readonly imports: WebAssembly.Imports;
}

/** Names of what they import: small modules consist of names to a good part. */
const CORE = "c", MEMORY = "M", TABLE = "T";
const importName = ({ index }: FunctionBuilder): string => index.toString(36);

/** The imports of modules that are linked to a core with these exports of these functions. */
export function importsOf(
  { memory, table }: Omit<Link, "imports">,
  exports: WebAssembly.Exports,
  { all }: KnownFunctions,
): WebAssembly.Imports {
  const core: WebAssembly.ModuleImports = { [MEMORY]: memory, [TABLE]: table };
  for (const f of all) core[importName(f)] = exports[f.name];
  return { [CORE]: core };
}

/** A module that is to be linked to a core; with its table, if that has a size. */
export function linkedModule(memory: ImportedMemory, tableSize?: number): WasmModule {
  const module = new WasmModule().importMemory({ ...memory, module: CORE, name: MEMORY });
  return tableSize === undefined ? module : module.importTable(CORE, TABLE, tableSize);
}

/** Functions of the core's module as imports of another one, declared as they are asked for. */
export class ImportedFunctions implements Callees {
  readonly #imported = new Map<string, FunctionBuilder>();

  constructor(readonly library: Callees, readonly module: WasmModule) {}

  named(name: string): FunctionBuilder {
    let f = this.#imported.get(name);
    if (!f) {
      const known = this.library.named(name), { parameters, results } = known;
      f = new FunctionBuilder(this.module.importFunction(CORE, importName(known), parameters, results), name, parameters, results);
      this.#imported.set(name, f);
    }
    return f;
  }

  has(name: string): boolean {
    return this.library.has(name);
  }

  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    const imported = this.#imported.get(name);
    if (imported) return imported;
    this.library.get(name, parameters, results);
    return this.named(name);
  }
}

/** The code of the cold instructions that were met, whichever core met them. */
export class OutlinedFunctions {
  /** By place in the cores' tables. */
  readonly #modules: WebAssembly.Module[] = [];
  /** Encodings with equal code share a function. */
  readonly #indices = new Map<string, number>();

  constructor(readonly library: Callees, readonly memory: ImportedMemory, readonly instructions: InstructionSet) {}

  /** The module of the function that belongs into this place of a core's table. */
  module(index: number): WebAssembly.Module {
    return this.#modules[index];
  }

  /**
   * Makes the function of an encoding with these operand fields fixed, and says what its decoded
   * instructions are filled with.
   */
  outline(encoding: InstructionForm, fixed: Fixed): Filling {
    const { name } = encoding.instruction, $ = this.instructions.meaningOf(encoding, fixed);
    const module = linkedModule(this.memory);
    const functions = new ImportedFunctions(this.library, module);
    const f = new FunctionBuilder(-1, name, ["i32"], []);
    const layout = new OperandLayout(name, FIRST_OPERAND + 2);
    const at: Surroundings = {
      f,
      library: functions,
      layout,
      ip: 0,
      decodedOffset: 0,
      local: (type) => f.local(type),
      tlb: () => void f.i32(0).memory("i32.load", CPU.TLB),
      atomicsTlb: () => pushAtomicsTlb(f, at.tlb),
      // The loop stored IP and END before the call.
      beforeCall: () => {},
      fault: () => void f.op("return"),
      branch: () => {
        throw new Error(`${name}: a direct branch cannot be cold`);
      },
      branchTo: (address, type) => {
        f.i32(0);
        emitBranchTarget(at, address, type);
        f.memory("i64.store", CPU.PC).i32(0).i32(Pending.Branch).memory("i32.store", CPU.PENDING).op("return");
      },
    };
    emitChecks($, encoding, at);
    new Emitter($, at).emit();
    const index = this.#place(module, f);
    const tableIndex: StoredOperand = { offset: FIRST_OPERAND, kind: "u16", evaluate: () => index };
    return { handler: Handler.Outlined, operands: [tableIndex, ...layout.operands] };
  }

  /** Compiles the module with this code as its function; the place in the cores' tables. */
  #place(module: WasmModule, code: FunctionBuilder): number {
    module.place(code, "execute");
    const bytes = module.encode();
    const key = bytes.join();
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.#modules.push(new WebAssembly.Module(bytes)) - 1;
      this.#indices.set(key, index);
    }
    return index;
  }
}

/** The cold instructions in one core's table. */
export class OutlinedTable {
  readonly #present = new Set<number>();

  constructor(readonly functions: OutlinedFunctions, readonly link: Link) {}

  /**
   * Puts the function into its slot, if that is empty. Called before a decoded instruction that
   * names it is executed.
   */
  provide(index: number): void {
    if (this.#present.has(index)) return;
    const { imports, table } = this.link;
    const { execute } = new WebAssembly.Instance(this.functions.module(index), imports).exports;
    if (typeof execute !== "function") throw new TypeError("an outlined instruction is not a function");
    table.set(index, execute);
    this.#present.add(index);
  }
}

// Cold instructions: each is a Wasm function of its own, generated and linked when the decoder first meets it. Most of the table's encodings
// never occur in a run; making all of them at start-up would take longer than a kernel's boot takes to need any.
//
// Such a function is the only one of a small module, which imports the memory and what it calls from the core's module, and goes into the
// core's table. Its parameter is the address of the record; it returns nothing, `CPU.PENDING` says the rest.

import { type Encoding, semanticsOf } from "../../isa/table.ts";
import { CPU, Pending } from "../cpu-record.ts";
import type { Callees, Library } from "../library.ts";
import { FunctionBuilder, type ImportedMemory, type ValueType, WasmModule } from "../wasm/module.ts";
import { Arm } from "./arms.ts";
import { Emitter, type Surroundings } from "./emitter.ts";
import { emitChecks, type Filling, type Fixed } from "./handlers.ts";
import { FIRST_OPERAND, OperandLayout, type RecordOperand } from "./operands.ts";

/** Where the functions go. */
export interface Link {
  readonly memory: WebAssembly.Memory;
  /** The functions of the core's module. */
  readonly exports: WebAssembly.Exports;
  readonly table: WebAssembly.Table;
}

/** Functions of the core's module as imports of another one, declared as they are asked for. */
export class ImportedFunctions implements Callees {
  readonly #imported = new Map<string, FunctionBuilder>();

  constructor(readonly library: Library, readonly module: WasmModule) {}

  named(name: string): FunctionBuilder {
    let f = this.#imported.get(name);
    if (!f) {
      const { parameters, results } = this.library.named(name);
      f = new FunctionBuilder(this.module.importFunction("core", name, parameters, results), name, parameters, results);
      this.#imported.set(name, f);
    }
    return f;
  }

  get(name: string, parameters: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    this.library.get(name, parameters, results);
    return this.named(name);
  }
}

/** The cold instructions of one core. */
export class OutlinedFunctions {
  #link: Link | undefined;
  #count = 0;
  /** Encodings with equal code share a function. */
  readonly #indices = new Map<string, number>();

  constructor(readonly library: Library, readonly memory: ImportedMemory) {}

  /** Says where the functions go. Before the first record is decoded. */
  link(link: Link): void {
    this.#link = link;
  }

  /** Makes the function of an encoding with these operand fields fixed, and says how its records are filled. */
  outline(encoding: Encoding, fixed: Fixed): Filling {
    const { name } = encoding.instruction, $ = semanticsOf(encoding, fixed);
    const module = new WasmModule().importMemory(this.memory);
    const functions = new ImportedFunctions(this.library, module);
    const f = new FunctionBuilder(-1, name, ["i32"], []);
    const layout = new OperandLayout(name, FIRST_OPERAND + 2);
    const at: Surroundings = {
      f,
      library: functions,
      layout,
      ip: 0,
      recordOffset: 0,
      local: (type) => f.local(type),
      tlb: () => void f.i32(0).memory("i32.load", CPU.TLB),
      // The loop stored IP and END before the call.
      beforeCall: () => {},
      fault: () => void f.op("return"),
      branch: () => {
        throw new Error(`${name}: a direct branch cannot be cold`);
      },
      branchTo: (address) => {
        f.i32(0);
        address();
        f.memory("i64.store", CPU.PC).i32(0).i32(Pending.Redirect).memory("i32.store", CPU.PENDING).op("return");
      },
    };
    emitChecks($, encoding, at);
    new Emitter($, at).emit();
    const index = this.#place(module, f);
    const tableIndex: RecordOperand = { key: "table", offset: FIRST_OPERAND, kind: "u16", evaluate: () => index };
    return { arm: Arm.Outlined, operands: [tableIndex, ...layout.operands] };
  }

  /** Instantiates the module with this code as its function; the place in the core's table. */
  #place(module: WasmModule, code: FunctionBuilder): number {
    const link = this.#link;
    if (!link) throw new Error("instructions are decoded before the core's module is linked");
    module.place(code, "execute");
    const bytes = module.encode();
    const key = bytes.join();
    let index = this.#indices.get(key);
    if (index === undefined) {
      const imports = { env: { memory: link.memory }, core: link.exports as WebAssembly.ModuleImports };
      const { execute } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports).exports;
      if (typeof execute !== "function") throw new TypeError("an outlined instruction is no function");
      index = this.#count++;
      link.table.set(index, execute);
      this.#indices.set(key, index);
    }
    return index;
  }
}

// Support: the floating-point functions alone in a Wasm module, exported, with FPCR and FPSR in
// reach.

import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { CPU, CPU_STATE_END } from "../../../../src/cpu/core/state/cpu-state.ts";
import { defineFloatingPoint } from "../../../../src/cpu/core/simd/functions.ts";
import { Library } from "../../../../src/cpu/core/wasm/library.ts";
import { WasmModule } from "../../../../src/cpu/core/wasm/module.ts";

/** The functions by name; f32 and f64 as numbers, i64 as bigint. */
export interface Functions {
  call<T extends number | bigint>(name: string, ...operands: (number | bigint)[]): T;
  fpcr: number;
  fpsr: number;
}

/** Builds the module with these functions exported. */
export function floatingPoint(names: readonly string[]): Functions {
  const module = new WasmModule();
  const pages = Math.ceil(CPU_STATE_END / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  module.importMemory({ module: "core", name: "memory", minimum: pages, maximum: pages, shared: false });
  const library = new Library(module);
  defineFloatingPoint(library, parseCpu("max").features);
  library.check();
  for (const name of names) module.export(library.named(name));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), { core: { memory } });
  const view = new DataView(memory.buffer);
  return {
    call<T extends number | bigint>(name: string, ...operands: (number | bigint)[]): T {
      return (exports[name] as (...operands: (number | bigint)[]) => T)(...operands);
    },
    get fpcr() {
      return view.getUint32(CPU.FPCR, true);
    },
    set fpcr(value) {
      view.setUint32(CPU.FPCR, value, true);
    },
    get fpsr() {
      return view.getUint32(CPU.FPSR, true);
    },
    set fpsr(value) {
      view.setUint32(CPU.FPSR, value, true);
    },
  };
}

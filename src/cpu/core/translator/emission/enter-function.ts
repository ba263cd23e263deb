// Chains one region to another: looks an address up as the interpreter does on a branch, and calls
// the region that begins there. Without such a region, or on a fetch TLB miss, it returns, and the
// interpreter continues. docs/design/core.md §T7.
//
// Calls remember the region that they found (`CPU.CALLED`), in a slot chosen by the instruction and
// shared with others. Neither regions nor translations change until the interpreter runs, which
// forgets them all before it calls a region.
//
// Each module of regions has these functions, as V8 inlines only what is in the same module. Two of
// them are short on purpose: V8 inlines regions that call each other only half as far where less
// than half of the functions of a module have less than 50 bytes (`InliningTree`).

import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import { FIRST_REGION_SLOT, REGION_PARAMETERS, REGION_RESULTS } from "../../interpreter/interpreter.ts";
import { CPU, FetchEntry, TlbSet } from "../../state/cpu-state.ts";
import { FIRST_REGION_HANDLER } from "../../state/layout.ts";
import type { FunctionBuilder, WasmModule } from "../../wasm/module.ts";
import { ADDRESS, ENTER, ENTER_KNOWN, LEFT, STACK } from "./region-options.ts";

/** Parameter of `ENTER_KNOWN` after those of a region: the known call, counted in doublewords. */
const CALL = 3;

/** Adds these functions to a module, and returns those that regions call by their names. */
export function defineEnter(module: WasmModule): Record<string, FunctionBuilder> {
  const find = module.function("", ["i64"], ["i32"]), enter = module.function(ENTER, REGION_PARAMETERS, REGION_RESULTS);
  const known = module.function(ENTER_KNOWN, [...REGION_PARAMETERS, "i32"], REGION_RESULTS);
  emitFind(find);
  emitEnter(module, enter, find, () => {});
  emitEnter(module, known, find, (slot) => {
    known.get(CALL).get(ADDRESS).memory("i64.store", CPU.CALLED);
    known.get(CALL).get(slot).memory("i32.store", CPU.CALLED_SLOTS);
  });
  return { [ENTER]: enter, [ENTER_KNOWN]: known };
}

/** Emits a function that ends in the region at its address, if there is one. */
function emitEnter(module: WasmModule, f: FunctionBuilder, find: FunctionBuilder, remember: (slot: number) => void): void {
  const slot = f.local("i32");
  f.get(ADDRESS).call(find).tee(slot).if(() => {
    remember(slot);
    f.get(ADDRESS).get(LEFT).get(STACK).get(slot);
    module.returnCallIndirect(f, REGION_PARAMETERS, REGION_RESULTS);
  });
  f.get(ADDRESS).get(LEFT);
}

/** (address) -> the place in the table of the region at the address, or 0. */
function emitFind(f: FunctionBuilder): void {
  const entry = f.local("i32"), handler = f.local("i32");
  f.get(ADDRESS).op("i32.wrap_i64").i32(8).op("i32.shr_u").i32((TlbSet.FetchEntries - 1) * FetchEntry.Size).op("i32.and");
  f.i32(0).memory("i32.load", CPU.TLB).op("i32.add").tee(entry).memory("i64.load", TlbSet.Fetch + FetchEntry.Tag);
  // A misaligned PC misses.
  f.get(ADDRESS).i64(-PAGE_SIZE | 3).op("i64.and").op("i64.eq");
  f.if(() => {
    f.get(entry).memory("i32.load", TlbSet.Fetch + FetchEntry.Decoded);
    f.get(ADDRESS).op("i32.wrap_i64").i32(0xffc).op("i32.and").i32(2).op("i32.shl").op("i32.add");
    f.memory("i32.load16_u").tee(handler).i32(FIRST_REGION_HANDLER).op("i32.ge_u");
    f.if(() => void f.get(handler).i32(1).op("i32.shl").i32(FIRST_REGION_SLOT - 2 * FIRST_REGION_HANDLER).op("i32.add").op("return"));
  });
  f.i32(0);
}

// How one region leads to another: looks an address up as the interpreter does on a branch, and ends in the region whose head is there; where
// there is none, or the fetch TLB does not know, it comes back, and the interpreter goes on. spec/core-jit.md section 7 (chaining).

import { CPU, FetchEntry, TlbSet } from "../cpu-record.ts";
import { FIRST_REGION_SLOT, REGION_PARAMETERS, REGION_RESULTS } from "../interpreter/interpreter.ts";
import { FIRST_REGION_ARM } from "../layout.ts";
import type { FunctionBuilder, WasmModule } from "../wasm/module.ts";

const ADDRESS = 0, LEFT = 1, DEPTH = 2;

/** Appends the function, which has the signature of regions. */
export function emitEnter(f: FunctionBuilder, module: WasmModule): void {
  const entry = f.local("i32"), arm = f.local("i32");
  f.get(ADDRESS).op("i32.wrap_i64").i32(8).op("i32.shr_u").i32((TlbSet.FetchEntries - 1) * FetchEntry.Size).op("i32.and");
  f.i32(0).memory("i32.load", CPU.TLB).op("i32.add").tee(entry).memory("i64.load", TlbSet.Fetch + FetchEntry.Tag);
  // A misaligned PC misses.
  f.get(ADDRESS).i64(-4096 | 3).op("i64.and").op("i64.eq");
  f.if(() => {
    f.get(entry).memory("i32.load", TlbSet.Fetch + FetchEntry.Records);
    f.get(ADDRESS).op("i32.wrap_i64").i32(0xffc).op("i32.and").i32(2).op("i32.shl").op("i32.add");
    f.memory("i32.load16_u").tee(arm).i32(FIRST_REGION_ARM).op("i32.ge_u");
    f.if(() => {
      f.get(ADDRESS).get(LEFT).get(DEPTH);
      f.get(arm).i32(1).op("i32.shl").i32(FIRST_REGION_SLOT - 2 * FIRST_REGION_ARM).op("i32.add");
      module.returnCallIndirect(f, REGION_PARAMETERS, REGION_RESULTS);
    });
  });
  f.get(ADDRESS).get(LEFT);
}

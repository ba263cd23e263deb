// Chains one region to another: looks an address up as the interpreter does on a branch, and calls
// the region that begins there. Without such a region, or on a fetch TLB miss, it returns, and the
// interpreter continues. docs/design/core.md §T7.
//
// Calls remember the region they found (`CPU.CALLED`), in a slot chosen by the instruction and
// shared with others. Neither regions nor translations change until the interpreter runs, which
// clears all slots before it calls a region.

import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import { FIRST_REGION_SLOT } from "../../interpreter/interpreter.ts";
import { CPU, FetchEntry, KNOWN_CALLS, TlbSet } from "../../state/cpu-state.ts";
import { FIRST_REGION_HANDLER } from "../../state/layout.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";

const ADDRESS = 0, LEFT = 1, STACK = 2;

/**
 * Name of the function that finds the region at an address, and its signature: (address) -> (its
 * place in the table, or 0).
 */
export const FIND = "find";
export const FIND_PARAMETERS = ["i64"] as const, FIND_RESULTS = ["i32"] as const;

export function emitFind(f: FunctionBuilder): void {
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

/**
 * Appends the function that ends in the region at an address, which has the signature of regions;
 * `tailCall` calls a place in the table.
 */
export function emitEnter(f: FunctionBuilder, find: FunctionBuilder, tailCall: (f: FunctionBuilder) => void): void {
  const slot = f.local("i32");
  f.get(ADDRESS).call(find).tee(slot).if(() => {
    f.get(ADDRESS).get(LEFT).get(STACK).get(slot);
    tailCall(f);
  });
  f.get(ADDRESS).get(LEFT);
}

/**
 * Appends code that puts the place in the table of the region at the address in a local into
 * `slot`, or 0; `site` is the calling instruction.
 */
export function emitFindAgain(f: FunctionBuilder, address: number, slot: number, site: number): void {
  const at = site & KNOWN_CALLS - 1, called = CPU.CALLED + 8 * at, calledSlot = CPU.CALLED_SLOTS + 4 * at;
  f.i32(0).memory("i64.load", called).get(address).op("i64.eq");
  f.ifLikely(true, () => void f.i32(0).memory("i32.load", calledSlot).set(slot), () => void f.i32(0).set(slot));
  f.get(slot).op("i32.eqz").ifLikely(false, () => {
    f.i32(0).get(address).memory("i64.store", called);
    f.i32(0).get(address).callLate(FIND).tee(slot).memory("i32.store", calledSlot);
  });
}

// Chains one region to another: looks an address up as the interpreter does on a branch, and calls
// the region that begins there. Without such a region, or on a fetch TLB miss, the caller goes back
// to the interpreter. docs/design/core.md §T7.
//
// Calls remember the region that they found (`CPU.CALLED`), in a slot chosen by the instruction and
// shared with others. Neither regions nor translations change until the interpreter runs, which
// clears all slots before it calls a region.

import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { CPU, FetchEntry, TlbSet } from "../state/cpu-state.ts";
import { define } from "../state/functions.ts";
import { FIRST_REGION_HANDLER } from "../state/layout.ts";
import { fetchEntryOffset } from "../state/tlb-layout.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { FIRST_REGION_SLOT, REGION_PARAMETERS, REGION_RESULTS } from "./interpreter.ts";

const INSTRUCTIONS = 0xffc;

/** Defines `enterRegion` and `findCalled`. */
export function defineRegionCalls(library: Library): void {
  {
    const c = new Code(define(library, "enterRegion"));
    const address = c.parameter(0), left = c.parameter(1), stack = c.parameter(2);
    findRegion(c, address, (slot) => {
      for (const operand of [address, left, stack, slot]) operand.emit(c.f);
      library.module.returnCallIndirect(c.f, REGION_PARAMETERS, REGION_RESULTS);
    });
    c.result(address, left);
  }
  {
    const c = new Code(define(library, "findCalled")), address = c.parameter(0), call = c.parameter(1);
    findRegion(c, address, (slot) => {
      c.store("i64.store", call.shl(3), address, CPU.CALLED);
      c.store("i32.store", call.shl(2), slot, CPU.CALLED_SLOTS);
      c.return(slot);
    });
    c.result(constant("i32", 0));
  }
}

/** Continues with the place in the table of the region at an address, if there is one. */
function findRegion(c: Code, address: Local, found: (slot: Value) => void): void {
  const entry = c.let(c.load("i32.load", CPU.TLB).add(fetchEntryOffset(address)));
  // A misaligned PC misses.
  c.if(c.load("i64.load", entry, TlbSet.Fetch + FetchEntry.Tag).eq(address.and(-PAGE_SIZE | 3)), () => {
    const decoded = c.load("i32.load", entry, TlbSet.Fetch + FetchEntry.Decoded).add(address.wrap().and(INSTRUCTIONS).shl(2));
    const handler = c.let(c.load("i32.load16_u", decoded));
    c.if(handler.geU(FIRST_REGION_HANDLER), () => found(handler.shl(1).add(FIRST_REGION_SLOT - 2 * FIRST_REGION_HANDLER)));
  });
}

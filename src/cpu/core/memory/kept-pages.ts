// The pages that regions keep (translator/regions/kept-pages.ts). Where that of the stack does not
// serve an access, functions look the access up, and keep the page that they find.

import { CPU, KeptPage, TlbSet } from "../state/cpu-state.ts";
import { callee, define, type FunctionName, groupBytes } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { type DataAccess, inPage, sizeOf } from "./data-access.ts";
import { misalignmentOf } from "./mmu.ts";
import { AccessKind } from "./translation.ts";
import { dataFlagsOffset, TlbFlags } from "../state/tlb-layout.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Defines the functions for kept pages. */
export function defineKeptPages(library: Library, data: DataAccess): void {
  defineKeepPagesFor(library);
  defineKeepPage(library, "keepReadPage", TlbSet.ReadFlags);
  defineKeepPage(library, "keepWrittenPage", TlbSet.WriteFlags);
  defineStackPage(library, data);
}

/** Defines `keepPagesFor`. */
function defineKeepPagesFor(library: Library): void {
  const c = new Code(define(library, "keepPagesFor")), handler = c.parameter(0), count = c.parameter(1);
  c.store("i32.store", CPU.KEPT_BY, handler);
  c.doWhile(() => {
    c.set(count, count.sub(1));
    c.store("i64.store", count.mul(KeptPage.Size), constant("i64", 0), CPU.KEPT_PAGES + KeptPage.Limit);
  }, () => count);
}

/** Defines `keepReadPage` or `keepWrittenPage`, by where the flags of TLB entries are in a set. */
function defineKeepPage(library: Library, name: "keepReadPage" | "keepWrittenPage", flags: number): void {
  const c = new Code(define(library, name)), va = c.parameter(0), kept = c.parameter(2), limit = c.parameter(3);
  c.store("i64.store", kept, va.and(-PAGE_SIZE), KeptPage.Page);
  c.store("i32.store", kept, c.parameter(1).sub(va.wrap()), KeptPage.Distance);
  const entry = c.load("i32.load8_u", c.load("i32.load", CPU.TLB).add(dataFlagsOffset(va)), flags);
  c.store("i64.store", kept, entry.and(TlbFlags.Aligned).select(constant("i32", 0), limit).wide(), KeptPage.Limit);
}

/** Defines `stackAt` and `stackGroupAt`. */
function defineStackPage(library: Library, data: DataAccess): void {
  /** Ends a function in the one that looks further. */
  const lookFurther = (c: Code, access: Local, read: FunctionName, write: FunctionName, ...operands: Value[]) => {
    c.if(access.and(AccessKind.Write), () => c.return(c.call(callee(library, write), ...operands)));
    c.result(c.call(callee(library, read), ...operands));
  };
  {
    const c = new Code(define(library, "stackAt")), va = c.parameter(0), access = c.parameter(1);
    serveAndKeep(c, data, va, access, sizeOf(access), (wasmAddress) => c.return(wasmAddress));
    lookFurther(c, access, "readableAt", "writableAt", va, access);
  }
  {
    const c = new Code(define(library, "stackGroupAt")), va = c.parameter(0), access = c.parameter(1);
    const seams = c.parameter(2), place = c.parameter(3);
    serveAndKeep(c, data, va, access, groupBytes(place), (wasmAddress) => c.return(wasmAddress, constant("i32", 1)));
    lookFurther(c, access, "readableGroupAt", "writableGroupAt", va, access, seams, place);
  }
}

/**
 * Keeps the page where its TLB entry for writes serves so many bytes, and continues with `found`:
 * such an entry serves reads as well.
 */
function serveAndKeep(c: Code, data: DataAccess, va: Value, access: Value, bytes: Value, found: (wasmAddress: Value) => void): void {
  c.if(inPage(va).add(bytes).leU(PAGE_SIZE), () => {
    const misaligned = c.let(misalignmentOf(va, access)), { serves, wasmAddress } = data.entryOf(c, va, access, "Write");
    c.if(serves(misaligned), () => {
      const distance = c.let(wasmAddress.sub(va.wrap()));
      c.store("i64.store", CPU.STACK_PAGE, va.and(-PAGE_SIZE));
      c.store("i32.store", CPU.STACK_DISTANCE, distance);
      found(va.wrap().add(distance));
    });
  });
}

// Where a region keeps the page of an access (translator/regions/kept-pages.ts) and that page does
// not serve it: these functions look the access up, and keep the page that they find.

import { CPU, KeptPage } from "../state/cpu-state.ts";
import { callee, define, type FunctionName, groupBytes } from "../state/functions.ts";
import { TlbFlags } from "../state/tlb-layout.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { type DataAccess, inPage, sizeOf } from "./data-access.ts";
import { AccessKind, misalignmentOf } from "./mmu.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Defines `keptAt`, `keptGroupAt` and `ownKeptPages`. */
export function defineKeptPages(library: Library, data: DataAccess): void {
  /** Ends a function in the one that looks further. */
  const lookFurther = (c: Code, access: Local, read: FunctionName, write: FunctionName, ...operands: Value[]) => {
    c.if(access.and(AccessKind.Write), () => c.return(c.call(callee(library, write), ...operands)));
    c.result(c.call(callee(library, read), ...operands));
  };
  {
    const c = new Code(define(library, "keptAt")), va = c.parameter(0), access = c.parameter(1), kept = c.parameter(2);
    serveAndKeep(c, data, { va, access, kept, bytes: sizeOf(access) }, (wasmAddress) => c.return(wasmAddress));
    lookFurther(c, access, "readableAt", "writableAt", va, access);
  }
  {
    const c = new Code(define(library, "keptGroupAt")), va = c.parameter(0), access = c.parameter(1);
    const seams = c.parameter(2), place = c.parameter(3), kept = c.parameter(4);
    const found = (wasmAddress: Value) => c.return(wasmAddress, constant("i32", 1));
    serveAndKeep(c, data, { va, access, kept, bytes: groupBytes(place) }, found);
    lookFurther(c, access, "readableGroupAt", "writableGroupAt", va, access, seams, place);
  }
  {
    const c = new Code(define(library, "ownKeptPages")), handler = c.parameter(0), end = c.parameter(1);
    c.store("i32.store", CPU.KEPT_BY, handler);
    c.doWhile(() => {
      c.set(end, end.sub(KeptPage.Size));
      c.store("i64.store", end, constant("i64", 0), KeptPage.Limit);
    }, () => end.gtU(CPU.KEPT_PAGES));
  }
}

/** Bytes from an address on, and the `KeptPage` that is for them, or 0 for that of the stack. */
interface Place {
  readonly va: Value;
  readonly access: Value;
  readonly kept: Value;
  readonly bytes: Value;
}

/**
 * Keeps the page where its TLB entry serves all of the bytes, and continues with `found`. The page
 * of the stack is for reads and writes: an entry for writes serves both.
 */
function serveAndKeep(c: Code, data: DataAccess, { va, access, kept, bytes }: Place, found: (wasmAddress: Value) => void): void {
  c.if(inPage(va).add(bytes).leU(PAGE_SIZE), () => {
    const misaligned = c.let(misalignmentOf(va, access)), page = va.and(-PAGE_SIZE);
    const serve = (table: "Read" | "Write", keep: (distance: Value, flags: Value) => void) => {
      const { serves, wasmAddress, flags } = data.entryOf(c, va, access, table);
      c.if(serves(misaligned), () => {
        const distance = c.let(wasmAddress.sub(va.wrap()));
        keep(distance, flags);
        found(va.wrap().add(distance));
      });
    };
    const keep = (distance: Value, flags: Value) => {
      c.store("i64.store", kept, page, KeptPage.Page);
      c.store("i32.store", kept, distance, KeptPage.Distance);
      // Not where unaligned accesses fault, as no later access would use it.
      const range = constant("i32", PAGE_SIZE + 1).sub(bytes);
      c.store("i64.store", kept, flags.and(TlbFlags.Aligned).not().mul(range).wide(), KeptPage.Limit);
    };
    c.if(
      kept,
      () => c.if(access.and(AccessKind.Write), () => serve("Write", keep), () => serve("Read", keep)),
      () =>
        serve("Write", (distance) => {
          c.store("i64.store", CPU.STACK_PAGE, page);
          c.store("i32.store", CPU.STACK_DISTANCE, distance);
        }),
    );
  });
}

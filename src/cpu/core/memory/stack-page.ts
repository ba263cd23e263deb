// Where the page of the stack that regions keep (translator/regions/kept-pages.ts) does not serve
// an access: these functions look the access up, and keep the page that they find.

import { CPU } from "../state/cpu-state.ts";
import { callee, define, type FunctionName, groupBytes } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { type DataAccess, inPage, sizeOf } from "./data-access.ts";
import { misalignmentOf } from "./mmu.ts";
import { AccessKind } from "./translation.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Defines `stackAt` and `stackGroupAt`. */
export function defineStackPage(library: Library, data: DataAccess): void {
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

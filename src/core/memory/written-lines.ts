// The lines of 64 bytes of each page that instructions have written since `Core.forgetWritten`. As
// long as not all lines of a page are noted, its write entries in the TLBs are slow: each write
// comes here. A page that is written again and again would never be quick, so that after some
// writes of known lines, in all pages together, the latest page counts as written as a whole.

import { WRITTEN_BY_LINE, WRITTEN_PAGES, WRITTEN_REPEATS } from "../state/layout.ts";
import { setPageBit } from "../state/page-bits.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { LINE_SHIFT, LINES_PER_PAGE } from "../../support/written-lines.ts";
import { PAGE_SHIFT } from "../../support/sizes.ts";

/** Writes of known lines after which a page counts as a whole. */
export const REPEATS = 512;

const ALL = -1;

/** The place of a page's lines among all. */
const placeOf = (wasmAddress: Value) => wasmAddress.shrU(PAGE_SHIFT).shl(3);

/** The bits of the lines of some bytes, which are in one page. */
function linesOf(wasmAddress: Value, size: Value): Value {
  const line = (at: Value) => at.shrU(LINE_SHIFT).and(LINES_PER_PAGE - 1).wide();
  const from = constant("i64", ALL).shl(line(wasmAddress));
  return from.and(constant("i64", ALL).shrU(constant("i64", LINES_PER_PAGE - 1).sub(line(wasmAddress.add(size).sub(1)))));
}

/**
 * Notes bytes in one page that are about to be written; whether the whole page is noted, so that
 * later writes need not be.
 */
export const noteWritten = (c: Code, library: Library, wasmAddress: Value, size: Value): Value =>
  c.call(noting(library), wasmAddress, size);

/** Notes more bytes in the page of a `noteWritten`. */
export const noteMore = (c: Code, library: Library, wasmAddress: Value, size: Value): void =>
  c.run(library.get("noteMore", ["i32", "i32"], []), wasmAddress, size);

/** (Wasm address, bytes) -> whether the whole page is noted. */
const noting = (library: Library) => library.get("noteWritten", ["i32", "i32"], ["i32"]);

/**
 * Gives these functions their bodies.
 * @param lines address of the lines of all pages
 */
export function defineWrittenLines(library: Library, lines: number): void {
  {
    const c = new Code(library.define("noteMore", ["i32", "i32"], []));
    const place = c.let(placeOf(c.parameter(0)));
    c.store("i64.store", place, c.load("i64.load", place, lines).or(linesOf(c.parameter(0), c.parameter(1))), lines);
  }
  const c = new Code(library.define("noteWritten", ["i32", "i32"], ["i32"]));
  const wasmAddress = c.parameter(0), size = c.parameter(1), origin = constant("i32", 0);
  const place = c.let(placeOf(wasmAddress)), before = c.let(c.load("i64.load", place, lines));
  c.if(before.eq(ALL), () => c.return(constant("i32", 1)));
  c.if(before.not(), () => setPageBit(c, wasmAddress, WRITTEN_PAGES));
  const after = c.let(before.or(linesOf(wasmAddress, size)));
  c.if(c.load("i32.load", origin, WRITTEN_BY_LINE).not(), () => c.set(after, ALL));
  c.if(after.eq(before), () => {
    const left = c.let(c.load("i32.load", origin, WRITTEN_REPEATS).sub(1));
    c.if(left.leS(0), () => {
      c.set(left, REPEATS);
      c.set(after, ALL);
    });
    c.store("i32.store", origin, left, WRITTEN_REPEATS);
  });
  c.store("i64.store", place, after, lines);
  c.result(after.eq(ALL));
}

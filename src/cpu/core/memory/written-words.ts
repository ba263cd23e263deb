// The words of 8 bytes of each page that instructions have written since `Core.forgetWritten`. As
// long as not all words of a page are noted, its write entries in the TLBs are slow: each write
// comes here. A page that is written again and again would never be quick, so that after some
// writes of known words it counts as written as a whole.

import { WRITTEN_BY_WORD, WRITTEN_PAGES, WRITTEN_REPEATS } from "../state/layout.ts";
import { setPageBit } from "../state/page-bits.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { LINE_SHIFT, LINE_SIZE, LINES_PER_PAGE, WORD_SHIFT } from "../../../kit/support/values/written-words.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** Writes of known words of a page after which it counts as a whole. */
export const REPEATS = 256;

const ALL = -1;

/** Addresses of the maps: a bit for each word, and a bit for each line that is noted as a whole. */
export interface WrittenMaps {
  readonly words: number;
  readonly lines: number;
}

/** The place of a page's whole lines among all. */
const placeOf = (wasmAddress: Value) => wasmAddress.shrU(PAGE_SHIFT).shl(3);

/** The bits of the lines of some bytes, which are in one page. */
function linesOf(wasmAddress: Value, size: Value): Value {
  const line = (at: Value) => at.shrU(LINE_SHIFT).and(LINES_PER_PAGE - 1).wide();
  const from = constant("i64", ALL).shl(line(wasmAddress));
  return from.and(constant("i64", ALL).shrU(constant("i64", LINES_PER_PAGE - 1).sub(line(wasmAddress.add(size).sub(1)))));
}

/**
 * Notes bytes in one page that are about to be written, at most a line's; whether the whole page is
 * noted, so that later writes need not be.
 */
export const noteWritten = (c: Code, library: Library, wasmAddress: Value, size: Value): Value =>
  c.call(noting(library), wasmAddress, size);

/** Notes any number of bytes more in the page of a `noteWritten`. */
export const noteMore = (c: Code, library: Library, wasmAddress: Value, size: Value): void =>
  c.run(library.get("noteMore", ["i32", "i32"], []), wasmAddress, size);

/** (Wasm address, bytes) -> whether the whole page is noted. */
const noting = (library: Library) => library.get("noteWritten", ["i32", "i32"], ["i32"]);

/** Gives these functions their bodies. */
export function defineWrittenWords(library: Library, { words, lines }: WrittenMaps): void {
  {
    const c = new Code(library.define("noteMore", ["i32", "i32"], []));
    const wasmAddress = c.parameter(0), size = c.parameter(1);
    c.if(size.leU(LINE_SIZE), () => {
      c.drop(noteWritten(c, library, wasmAddress, size));
      c.return();
    });
    // Of the first and the last line, words that are not among these bytes are noted, too.
    const first = c.let(wasmAddress.shrU(LINE_SHIFT)), end = c.let(wasmAddress.add(size).add(LINE_SIZE - 1).shrU(LINE_SHIFT));
    for (const part of [first.add(words), constant("i32", ALL), end.sub(first)]) part.emit(c.f);
    c.f.memoryFill();
    const place = c.let(placeOf(wasmAddress));
    c.store("i64.store", place, c.load("i64.load", place, lines).or(linesOf(wasmAddress, size)), lines);
  }
  const c = new Code(library.define("noteWritten", ["i32", "i32"], ["i32"]));
  const wasmAddress = c.parameter(0), size = c.parameter(1);
  const place = c.let(placeOf(wasmAddress)), whole = c.let(c.load("i64.load", place, lines));
  c.if(whole.eq(ALL), () => c.return(constant("i32", 1)));
  setPageBit(c, wasmAddress, WRITTEN_PAGES);
  c.if(c.load("i32.load", WRITTEN_BY_WORD).not(), () => {
    c.store("i64.store", place, constant("i64", ALL), lines);
    c.return(constant("i32", 1));
  });
  const line = c.let(wasmAddress.shrU(LINE_SHIFT)), before = c.let(c.load("i32.load16_u", line, words));
  const first = c.let(wasmAddress.shrU(WORD_SHIFT)), last = wasmAddress.add(size).sub(1).shrU(WORD_SHIFT);
  const mask = c.let(constant("i32", 2).shl(last.sub(first)).sub(1).shl(first.and(7))), after = c.let(before.or(mask));
  c.if(after.eq(before), () => {
    const { base, count } = WRITTEN_REPEATS, at = c.let(wasmAddress.shrU(PAGE_SHIFT).and(count - 1).shl(1));
    const repeats = c.let(c.load("i32.load16_u", at, base).add(1));
    c.if(repeats.geU(REPEATS), () => {
      c.set(repeats, 0);
      c.set(whole, ALL);
    });
    c.store("i32.store16", at, repeats, base);
  }, () => {
    c.store("i32.store16", line, after, words);
    const noteWhole = (lines: number) => c.set(whole, whole.or(constant("i64", lines).shl(line.wide())));
    c.if(after.and(0xff).eq(0xff), () => noteWhole(1));
    c.if(mask.gtU(0xff).and(after.geU(0xff00)), () => noteWhole(2));
  });
  c.store("i64.store", place, whole, lines);
  c.result(whole.eq(ALL));
}

// Places where translated code repeatedly hands over to the interpreter: after instructions that it
// does not translate, where a call went elsewhere, and code that had not run when the region was
// made. They are counted, and the translator begins regions there.

import { CPU } from "../state/cpu-state.ts";
import { FIRST_REGION_HANDLER, LANDINGS } from "../state/layout.ts";
import { Code, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** Offset in LANDINGS of the counter of a decoded instruction. */
export function landingCounter(decoded: Value): Value {
  return decoded.shrU(4).and(LANDINGS.count - 1).shl(1);
}

/**
 * Defines `landed` (address of a decoded instruction): the interpreter continues there; when it has
 * done so often, it sets `CPU.LANDING`.
 */
export function defineLandings(library: Library): void {
  const c = new Code(library.define("landed", ["i32"], []));
  const ip = c.parameter(0);
  c.if(c.load("i32.load16_u", ip).geU(FIRST_REGION_HANDLER), () => c.return());
  const counter = c.let(landingCounter(ip));
  const count = c.let(c.load("i32.load16_u", counter, LANDINGS.base).add(1));
  c.if(count.geU(c.load("i32.load", CPU.LANDING_LIMIT)), () => {
    // One at a time: another will come again.
    c.if(c.load("i32.load", CPU.LANDING), () => c.return());
    c.store("i32.store", CPU.LANDING, ip);
    c.store("i64.store", CPU.LANDING_PC, c.load("i64.load", CPU.PC_DELTA).add(ip.shrU(2).wide()));
    c.set(count, 0);
  });
  c.store("i32.store16", counter, count, LANDINGS.base);
}

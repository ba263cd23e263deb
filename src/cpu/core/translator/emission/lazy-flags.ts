// Flags of a comparison that have not been read yet: translated code keeps its operands instead.
// Outside of translated code the flags in the CPU state are always those of the architecture.
// docs/design/core.md §T2 (lazy flags).

import { CPU } from "../../state/cpu-state.ts";
import { Code, constant } from "../../wasm/expression.ts";
import type { Library } from "../../wasm/library.ts";

/** Values of `CPU.FLAGS_KIND`: which operation the flags follow from. */
export const FlagsKind = {
  /** N, Z, C and V hold them. */
  Known: 0,
  /** They are those of `FLAGS_A - FLAGS_B`, as words, the low halves alone; */
  Words: 1,
  Doublewords: 2,
  /** N and Z are those of `FLAGS_A`, a doubleword; C and V are zero. */
  Logical: 3,
} as const;

/**
 * Defines `unpackFlags` (): the flags in the CPU state are what `CPU.FLAGS_KIND` says, which is
 * `Known` afterwards.
 */
export function defineLazyFlags(library: Library): void {
  const c = new Code(library.define("unpackFlags", [], []));
  const kind = c.let(c.load("i32.load", CPU.FLAGS_KIND));
  c.if(kind.eq(FlagsKind.Known), () => c.return());
  const a = c.let(c.load("i64.load", CPU.FLAGS_A)), b = c.let(c.load("i64.load", CPU.FLAGS_B));
  c.store("i32.store", CPU.FLAGS_KIND, constant("i32", FlagsKind.Known));
  c.if(kind.eq(FlagsKind.Logical), () => {
    c.store("i64.store", CPU.N, a);
    c.store("i64.store", CPU.Z, a);
    c.store("i32.store", CPU.C, constant("i32", 0));
    c.store("i64.store", CPU.V, constant("i64", 0));
    c.return();
  });
  // Words move to the upper halves, where N and V are signs as well, the difference is zero when it
  // was, and what is above them is gone.
  c.if(kind.eq(FlagsKind.Words), () => {
    c.set(a, a.shl(32));
    c.set(b, b.shl(32));
  });
  c.store("i32.store", CPU.C, a.geU(b));
  const difference = c.let(a.sub(b));
  c.store("i64.store", CPU.N, difference);
  c.store("i64.store", CPU.Z, difference);
  c.store("i64.store", CPU.V, a.xor(b).and(a.xor(difference)));
}

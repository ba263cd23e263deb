// Flags that are known in locals, and conditions on them.

import type { Flag, Type } from "../../isa/notation/builder.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

/**
 * The flags as an instruction, or the one before it, has left them in locals, valid until something
 * else sets them.
 */
export interface KnownFlags {
  /** Puts the word of a flag on the stack, from a local. */
  readonly words: Readonly<Record<Flag, () => void>>;
  /** Puts the operands of the subtraction that the flags are of on the stack, and their type. */
  readonly compared?: { readonly type: Type; readonly operands: () => void; readonly a: () => void; readonly b: () => void };
  /** Puts the doubleword whose sign and zeroness N and Z are on the stack; C and V are clear. */
  readonly logical?: () => void;
  /** The locals that all of these read. */
  readonly locals?: readonly number[];
  /** The same flags, where what one of the locals held is in another one now. */
  readonly moved?: (from: number, to: number) => KnownFlags;
}

/**
 * Comparisons of `a` with `b` that hold when a condition does after `a - b`; the others use the
 * flags.
 */
const COMPARISONS: readonly (string | undefined)[] = [
  ...["eq", "ne", "ge_u", "lt_u", undefined, undefined, undefined, undefined],
  ...["gt_u", "le_u", "ge_s", "lt_s", "gt_s", "le_s"],
];

/**
 * ConditionHolds: puts 0 or 1 on the stack.
 * @param compared the operands, if the flags are those of their difference
 * @param flag puts the word of a flag on the stack
 */
export function pushCondition(f: FunctionBuilder, cond: number, compared: KnownFlags["compared"], flag: (name: Flag) => void): void {
  const comparison = COMPARISONS[cond];
  if (compared && comparison) {
    compared.operands();
    f.op(`${compared.type}.${comparison}`);
    return;
  }
  const zero = (op: "i64.eqz" | "i64.ne") => {
    flag("Z");
    if (op === "i64.ne") f.i64(0);
    f.op(op);
  };
  const signs = (op: "i64.ge_s" | "i64.lt_s") => {
    flag("N");
    flag("V");
    f.op("i64.xor").i64(0).op(op);
  };
  const sign = (name: Flag, op: "i64.ge_s" | "i64.lt_s") => {
    flag(name);
    f.i64(0).op(op);
  };
  switch (cond) {
    case 0:
      return zero("i64.eqz");
    case 1:
      return zero("i64.ne");
    case 2:
      return flag("C");
    case 4:
      return sign("N", "i64.lt_s");
    case 5:
      return sign("N", "i64.ge_s");
    case 6:
      return sign("V", "i64.lt_s");
    case 7:
      return sign("V", "i64.ge_s");
    case 8:
      flag("C");
      zero("i64.ne");
      f.op("i32.and");
      return;
    case 10:
      return signs("i64.ge_s");
    case 11:
      return signs("i64.lt_s");
    case 12:
      zero("i64.ne");
      signs("i64.ge_s");
      f.op("i32.and");
      return;
    case 3:
    case 9:
    case 13:
      pushCondition(f, cond - 1, compared, flag);
      f.op("i32.eqz");
      return;
    default:
      f.i32(1);
  }
}

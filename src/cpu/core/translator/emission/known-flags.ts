// The flags that an instruction of a region has left in locals, until something reads them.

import type { Type } from "../../../isa/notation/builder.ts";
import type { KnownFlags } from "../../interpreter/conditions.ts";
import { CPU } from "../../state/cpu-state.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { FlagsKind } from "./lazy-flags.ts";

/** The flags, and the types of their words. */
export const FLAGS = ["C", "V", "N", "Z"] as const;
export const FLAG_TYPES = { N: "i64", Z: "i64", V: "i64", C: "i32" } as const;

/** Flags as the operands of a comparison, `FLAGS_A` first, if they are those of one. */
export function comparisonOf({ compared, logical }: KnownFlags): { kind: number; type: Type; values: readonly (() => void)[] } | undefined {
  if (compared) {
    const { type, a, b } = compared;
    return { kind: type === "i32" ? FlagsKind.Words : FlagsKind.Doublewords, type, values: [a, b] };
  }
  return logical && { kind: FlagsKind.Logical, type: "i64", values: [logical] };
}

/**
 * Writes the known flags to the CPU state, at a merge point and where a region is left. The
 * operands alone are written where that is enough, as these flags are rarely read.
 */
export function settleFlags(f: FunctionBuilder, known: KnownFlags | undefined): void {
  if (!known) return;
  const comparison = comparisonOf(known);
  const store = (type: Type, address: number, value: () => void) => {
    f.i32(0);
    value();
    f.memory(`${type}.store`, address);
  };
  comparison?.values.forEach((value, i) => store(comparison.type, i ? CPU.FLAGS_B : CPU.FLAGS_A, value));
  if (!comparison) { for (const flag of FLAGS) store(FLAG_TYPES[flag], CPU[flag], known.words[flag]); }
  store("i32", CPU.FLAGS_KIND, () => void f.i32(comparison?.kind ?? FlagsKind.Known));
}

/** The local that holds a value, or what puts it on the stack. */
export type KeptValue = number | (() => void);

/** Flags that follow from values, of which each is given as what puts it on the stack. */
export function keptFlags(
  f: FunctionBuilder,
  values: readonly KeptValue[],
  flags: (values: readonly (() => void)[]) => KnownFlags,
): KnownFlags {
  return {
    ...flags(values.map((value) => typeof value === "number" ? () => void f.get(value) : value)),
    locals: values.filter((value) => typeof value === "number"),
    moved: (from, to) => keptFlags(f, values.map((value) => value === from ? to : value), flags),
  };
}

/** The flags of `a - b`, of which each puts an operand on the stack. */
export function flagsOfDifference(f: FunctionBuilder, type: Type, a: () => void, b: () => void): KnownFlags {
  const wide = () => void (type === "i32" && f.op("i64.extend_i32_s"));
  const difference = () => {
    a();
    b();
    f.op(`${type}.sub`);
  };
  const sign = () => {
    difference();
    wide();
  };
  return {
    words: {
      N: sign,
      Z: sign,
      C: () => {
        a();
        b();
        f.op(`${type}.ge_u`);
      },
      V: () => {
        a();
        b();
        f.op(`${type}.xor`);
        a();
        difference();
        f.op(`${type}.xor`).op(`${type}.and`);
        wide();
      },
    },
    compared: {
      type,
      a,
      b,
      operands: () => {
        a();
        b();
      },
    },
  };
}

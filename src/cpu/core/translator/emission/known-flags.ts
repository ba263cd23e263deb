// The flags that an instruction of a region has left in locals, until something reads them.

import type { Type } from "../../../isa/notation/builder.ts";
import type { KnownFlags } from "../../interpreter/conditions.ts";
import { CPU } from "../../state/cpu-state.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { FlagsKind } from "./lazy-flags.ts";

/** The flags, and the types of their words. */
export const FLAGS = ["C", "V", "N", "Z"] as const;
export const FLAG_TYPES = { N: "i64", Z: "i64", V: "i64", C: "i32" } as const;

/**
 * Writes the known flags to the CPU state, at a merge point and where a region is left. The
 * operands alone are written where that is enough, as these flags are rarely read.
 */
export function settleFlags(f: FunctionBuilder, known: KnownFlags | undefined): void {
  if (!known) return;
  const { compared, logical, words } = known;
  let kind: number = FlagsKind.Known;
  if (compared) {
    const operands = [[CPU.FLAGS_A, compared.a], [CPU.FLAGS_B, compared.b]] as const;
    for (const [address, operand] of operands) {
      f.i32(0);
      operand();
      if (compared.type === "i32") f.op("i64.extend_i32_u");
      f.memory("i64.store", address);
    }
    kind = compared.type === "i32" ? FlagsKind.Words : FlagsKind.Doublewords;
  } else if (logical) {
    f.i32(0);
    logical();
    f.memory("i64.store", CPU.FLAGS_A);
    kind = FlagsKind.Logical;
  } else {
    for (const flag of FLAGS) {
      f.i32(0);
      words[flag]();
      f.memory(`${FLAG_TYPES[flag]}.store`, CPU[flag]);
    }
  }
  f.i32(0).i32(kind).memory("i32.store", CPU.FLAGS_KIND);
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

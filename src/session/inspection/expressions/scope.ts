// Where the names of an expression come from: a call frame, its registers, the files of a VM, and
// its kernel.

import type { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import { gapOf } from "../../../inside/linux/kernel/reading.ts";
import { evaluate, type ExpressionScope, type Result, tried } from "../../../inside/expressions/evaluate.ts";
import { ExpressionError } from "../../../inside/expressions/syntax.ts";
import { type ReadGuest, Values } from "../../../inside/expressions/values.ts";
import type { DebugInfo } from "../../../inside/symbols/debug-info.ts";
import { debugNames } from "../../../inside/symbols/debug-names.ts";
import type { FrameValues } from "../../../inside/symbols/guest-values.ts";
import { placeText, type SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import { placeIn } from "../../../inside/symbols/vm-symbols.ts";
import { problemOf } from "../../../kit/support/problem.ts";
import { GAPS } from "../../../model/queries/facts/gap.ts";
import { QueryError } from "../readers/inspected.ts";

/** The surroundings of an expression. */
export interface Surroundings {
  readonly tables: readonly SymbolTable[];
  /** Debug information of files. */
  readonly infos: readonly DebugInfo[];
  readonly read: ReadGuest;
  /** Variables of the frame; undefined without a frame, or debug information of it. */
  readonly frame?: FrameValues | undefined;
  /** A register of the frame by its name without `$`. */
  readonly register: (name: string) => bigint | undefined;
  /** The names of the VM's kernel, found when they are needed; undefined without a kernel. */
  readonly kernel: () => KernelNames | undefined;
}

/** Symbols of code, whose functions have code up to the next one. */
const CODE: ReadonlySet<string> = new Set(["t", "T", "w", "W"]);

/**
 * The name of a pointer's target. Code has the name of its function; data after a symbol may be
 * anything.
 */
export function pointedAt(tables: readonly SymbolTable[], address: bigint): string | undefined {
  const place = placeIn(tables, address);
  return place && (place.offset === 0n || CODE.has(place.symbol.type)) ? placeText(place) : undefined;
}

/** The scope of expressions there. */
export function scopeOf({ tables, infos, read, frame, register, kernel }: Surroundings): ExpressionScope {
  const symbol = (name: string) => first(tables, (table) => table.resolve(name)) ?? kernel()?.symbol(name);
  return {
    values: frame ?? new Values(read, (address) => pointedAt(tables, address)),
    register,
    symbol,
    variable(name) {
      const known = frame?.find(name) ?? kernel()?.variable(name);
      if (known) return known;
      const type = first(infos, (info) => debugNames(info).variable(name)), address = type && symbol(name);
      return type && address !== undefined ? { type, where: { kind: "memory", address } } : undefined;
    },
    constant: (name) => kernel()?.constant(name) ?? first(infos, (info) => debugNames(info).constant(name)),
    type: (tag, name) => kernel()?.type(tag, name) ?? first(infos, (info) => debugNames(info).type(tag, name)),
    get collections() {
      return kernel()?.collections;
    },
  };
}

/** The first result of a look-up in several things. */
function first<T, F>(things: readonly T[], find: (thing: T) => F | undefined): F | undefined {
  for (const thing of things) {
    const found = find(thing);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The value of an expression. @throws QueryError */
export function valueOf(text: string, scope: ExpressionScope): Result {
  return asQuery(() => evaluate(text, scope));
}

/** Reads something of an expression. @throws QueryError where it has no value */
export function asQuery<T>(read: () => T): T {
  try {
    return tried(read);
  } catch (error) {
    if (error instanceof ExpressionError) throw new QueryError(problemOf(error));
    const gap = gapOf("the expression", error);
    if (gap) throw new QueryError(GAPS.text(gap), GAPS.wayOut(gap));
    throw error;
  }
}

// The ways out of a region. Those that store few registers do it in place; others share code, which
// comes after the body of the region. All that do not enter another region at once end in the same
// code, which computes where execution continues and what is left of the budget, and stores the
// operands of a comparison.

import { bitsOf } from "../../../../kit/support/values/bits.ts";
import type { KnownFlags } from "../../interpreter/conditions.ts";
import { CPU } from "../../state/cpu-state.ts";
import { INSTRUCTIONS_PER_PAGE } from "../../state/layout.ts";
import type { FunctionBuilder, Label } from "../../wasm/module.ts";
import { add, noRegisters, type RegisterSet, without } from "../code/register-use.ts";
import { comparisonOf, settleFlags } from "./known-flags.ts";
import { FlagsKind } from "./lazy-flags.ts";
import { ENTER, LEFT, STACK } from "./region-options.ts";
import type { StateLocals } from "./state-locals.ts";

/** A way out: the registers that it stores, and whether a region there is entered at once. */
interface WayOut {
  /** Of its label. */
  readonly name: string;
  readonly dirty: Readonly<RegisterSet>;
  readonly chains: boolean;
}

/**
 * Ways out of a region that stores at most this many registers share their stores. With more, the
 * values do not fit into the computer's registers, and where ways out meet they are moved between
 * memory and memory in the loops.
 */
const MOST_SHARED = 12;

/**
 * Ways out that store at most this many registers are not shared at all: where they meet, each
 * register is another value for TurboFan to place.
 */
const MOST_DIRECT = 4;

/** How many registers a set has. */
function sizeOf({ general, vector }: Readonly<RegisterSet>): number {
  return bitsOf(general) + bitsOf(vector);
}

/** Whether a set has all of another. */
const includes = (set: Readonly<RegisterSet>, part: Readonly<RegisterSet>): boolean =>
  (part.general & ~set.general) === 0 && (part.vector & ~set.vector) === 0;

/** Names of the labels of the code that ends ways out, and of what returns from calls that do. */
const END = "end", BACK = "back";

/**
 * Fields of the number that a way out ends with: `FlagsKind`; the instruction where execution
 * continues, counted from one page before that of the head; instructions that are still to be
 * counted, mostly few. Short numbers are short in LEB128.
 */
const Field = { Kind: 0, Index: 2, Spent: 14 } as const;
const KINDS = 1 << Field.Index, INDICES = 1 << Field.Spent - Field.Index;

/** The ways out that code shares. */
export class WaysOut {
  readonly #ways: WayOut[] = [];
  /** Local: the number. */
  readonly #number: number;
  /** Operands of the comparison. */
  readonly #a: number;
  readonly #b: number;
  #ends = false;
  #endsInFlags = false;
  #returns = false;

  /**
   * @param base local: the virtual address of instruction 0
   * @param answer local: the result of a call
   */
  constructor(readonly f: FunctionBuilder, readonly state: StateLocals, readonly base: number, readonly answer: number) {
    this.#number = f.local("i32");
    this.#a = f.local("i64");
    this.#b = f.local("i64");
  }

  /** Appends a way out at an instruction, before which some of its block are to be counted. */
  leave(index: number, spent: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined): void {
    const { f } = this, fromFirst = index + INSTRUCTIONS_PER_PAGE;
    if (fromFirst < 0 || fromFirst >= INDICES) throw new Error(`a region is left at its instruction ${index}`);
    const kind = this.#keep(flags), label = this.#labelFor(dirty, false);
    if (label === undefined) this.state.store(f, dirty);
    f.i32(kind << Field.Kind | fromFirst << Field.Index | spent << Field.Spent).brOuter(label ?? END);
    this.#ends = true;
  }

  /** Appends a way out that enters a region there at once. */
  chain(index: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined): void {
    const { f } = this;
    settleFlags(f, flags);
    const label = this.#labelFor(dirty, true);
    if (label !== undefined) return void f.i32(4 * index).brOuter(label);
    this.state.store(f, dirty);
    f.get(this.base).i64(4 * index).op("i64.add");
    this.enter(f);
  }

  /** Appends a return of what a call has returned, if the i32 on the stack is not zero. */
  returnIf(): void {
    this.#returns = true;
    this.f.brOuterUnlikely(BACK);
  }

  /** Ends in the region at the address on the stack. */
  enter(f: FunctionBuilder): void {
    f.get(LEFT).get(STACK).callLate(ENTER, true);
  }

  /** Has the end store the operands of a comparison; other flags are stored here. */
  #keep(flags: KnownFlags | undefined): number {
    const operands = flags && comparisonOf(flags), { f } = this;
    if (!operands) {
      settleFlags(f, flags);
      return FlagsKind.Known;
    }
    this.#endsInFlags = true;
    const { kind, type, values } = operands;
    values.forEach((value, i) => {
      value();
      if (type === "i32") f.op("i64.extend_i32_u");
      f.set(i ? this.#b : this.#a);
    });
    return kind;
  }

  /** The label of the way out that stores these registers; none if that is done in place. */
  #labelFor(dirty: Readonly<RegisterSet>, chains: boolean): string | undefined {
    if (sizeOf(dirty) <= MOST_DIRECT) return undefined;
    const { general, vector } = dirty, ways = this.#ways;
    // Neighbors leave by the same one.
    for (let i = ways.length - 1; i >= 0; i--) {
      const { dirty, name } = ways[i];
      if (dirty.general === general && dirty.vector === vector && ways[i].chains === chains) return name;
    }
    const name = `way${ways.length}`;
    ways.push({ name, dirty: { general, vector }, chains });
    return name;
  }

  /**
   * Appends the body and after it the ways out. The block of what is stored last is outermost. Its
   * result is the number, or how far the instruction is where another region is entered.
   */
  emit(f: FunctionBuilder): void {
    const ways = this.#ways.toSorted((a, b) => Number(b.chains) - Number(a.chains) || sizeOf(a.dirty) - sizeOf(b.dirty));
    const stored = noRegisters();
    for (const { dirty } of ways) add(stored, dirty);
    const shares = sizeOf(stored) <= MOST_SHARED, labels: Record<string, Label> = { [END]: f.openBlock("i32") };
    for (const { name } of ways) labels[name] = f.openBlock("i32");
    if (this.#returns) labels[BACK] = f.openBlock();
    f.append(this.f, labels).op("unreachable");
    if (this.#returns) f.closeBlock().get(this.answer).get(LEFT).op("return");
    for (let i = ways.length - 1; i >= 0; i--) {
      f.closeBlock();
      const rest = shares ? restOf(ways, i) : -1, { dirty, chains } = ways[i];
      this.state.store(f, rest >= 0 ? without(dirty, ways[rest].dirty) : dirty);
      if (chains) {
        f.op("i64.extend_i32_s").get(this.base).op("i64.add");
        this.enter(f);
      } else if (rest !== i - 1) f.br(labels[rest >= 0 ? ways[rest].name : END]);
    }
    f.closeBlock();
    if (this.#ends) this.#end(f);
    else f.op("unreachable");
  }

  /** The end that the number on the stack says. */
  #end(f: FunctionBuilder): void {
    f.set(this.#number);
    if (this.#endsInFlags) {
      f.get(this.#number).i32(KINDS - 1).op("i32.and").if(() => {
        f.i32(0).get(this.#number).i32(KINDS - 1).op("i32.and").memory("i32.store", CPU.FLAGS_KIND);
        f.i32(0).get(this.#a).memory("i64.store", CPU.FLAGS_A);
        f.i32(0).get(this.#b).memory("i64.store", CPU.FLAGS_B);
      });
    }
    f.get(this.base).get(this.#number).i32(INDICES - 1 << Field.Index).op("i32.and").op("i64.extend_i32_u").op("i64.add");
    f.i64(-4 * INSTRUCTIONS_PER_PAGE).op("i64.add");
    f.get(LEFT).get(this.#number).i32(Field.Spent).op("i32.shr_u").op("i32.sub");
  }
}

/**
 * The way out that stores the rest of what one stores, or -1. One that enters another region at
 * once does so without a detour, as loops over several regions go there in every turn.
 */
function restOf(ways: readonly WayOut[], index: number): number {
  const { dirty, chains } = ways[index];
  let rest = chains ? -1 : index - 1;
  while (rest >= 0 && (ways[rest].chains || !includes(dirty, ways[rest].dirty))) rest--;
  return rest;
}

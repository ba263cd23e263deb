// Binding times, the decoder's Wasm half: code that evaluates the operands of a decoded instruction
// for an instruction word and writes them, generated from the same static expressions that
// operands.ts evaluates in TypeScript. Functions of TypeScript in them (`computed`) are called
// once for each combination of their fields; their results are kept in the memory.

import type { Node } from "../../isa/notation/builder.ts";
import { COMPUTED_OPERANDS, DECODED_PAGE_SIZE, DECODED_PAGES, INSTRUCTIONS_PER_PAGE } from "../state/layout.ts";
import type { Library } from "../wasm/library.ts";
import { FunctionBuilder, type Label } from "../wasm/module.ts";
import { Candidate } from "./candidates.ts";
import { collectFields, DECODED_SIZE, DecodedOperand, evaluateBig, type OperandKind, staticKey, type StoredOperand } from "./operands.ts";
import { NO_FILL } from "./variants.ts";

/** Widest fields, in bits together, of an operand whose computed values are kept. */
const KEPT_WIDTH = 13;

/**
 * The function: (fill, word, address of the decoded instruction, address of its `Candidate`) -> its
 * handler, or 0 where TypeScript has to fill it.
 */
const FILL_FUNCTION = "fillOperands";
const PARAMETERS = ["i32", "i32", "i32", "i32"] as const;
const FILL = 0, WORD = 1, IP = 2, CANDIDATE = 3;
/** Locals for the computed operands of an instruction, from this one on. */
const COMPUTED = PARAMETERS.length, MOST_COMPUTED = 2;

const Way = { Slow: "slow", Filled: "filled", Near: "near" } as const;

const STORES: Record<OperandKind, string> = { u16: "i32.store16", i32: "i32.store", u32: "i32.store", i64: "i64.store" };

/** A direct branch: its offset in bytes, and the operands where the target is in the same page. */
interface BranchOperands {
  readonly offset: Node;
  readonly near: readonly DecodedOperand[];
}

type Computed = Node & { readonly kind: "computed" };

/** The computed parts of a static expression, the outermost where one is in another. */
function computedParts(node: Node): Computed[] {
  if (node.kind === "computed") return [node];
  return "operands" in node ? node.operands.flatMap(computedParts) : [];
}

/** Position and width of the fields that a computed operand depends on, the lowest first. */
function fieldsOf(node: Computed): [position: number, width: number][] {
  const fields = new Map<number, number>();
  collectFields(node, fields);
  return [...fields].sort(([a], [b]) => a - b);
}

/** A computed operand whose values are kept. */
export interface KeptOperand {
  /** The number of its value for a word in `COMPUTED_OPERANDS`. */
  readonly place: (word: number) => number;
  readonly value: (word: number) => bigint;
}

/** The computed parts of operands whose values are kept. @param computed `OperandFills.computed` */
export function keptOperands(operands: readonly StoredOperand[], computed: ReadonlyMap<string, number>): KeptOperand[] {
  return operands.filter((operand) => operand instanceof DecodedOperand).flatMap(({ node }) => computedParts(node)).flatMap((node) => {
    const first = computed.get(staticKey(node)), fields = fieldsOf(node);
    if (first === undefined) return [];
    const place = (word: number) => {
      let number = 0, shift = 0;
      for (const [position, width] of fields) {
        number |= (word >>> position & 2 ** width - 1) << shift;
        shift += width;
      }
      return first + number;
    };
    return [{ place, value: evaluateBig(node) }];
  });
}

/** The fills of all instructions, as they are generated. Equal ones are one. */
export class OperandFills {
  readonly #cases: FunctionBuilder[] = [];
  readonly #numbers = new Map<string, number>();
  /** The first kept value of a computed operand, by its key. */
  readonly computed = new Map<string, number>();
  #kept = 0;

  /** The number of the fill for these operands; `NO_FILL` if TypeScript must do it. */
  add(operands: readonly DecodedOperand[], branch: BranchOperands | undefined): number {
    const f = new FunctionBuilder(-1, "fill", [], []);
    // A near branch may not want what a far one does.
    if (branch && [...operands, ...branch.near].some(({ node }) => computedParts(node).length > 0)) return NO_FILL;
    const computed = new Map<string, number>();
    for (const node of operands.flatMap(({ node }) => computedParts(node))) {
      if (computed.has(staticKey(node))) continue;
      const local = COMPUTED + computed.size;
      if (computed.size === MOST_COMPUTED || !this.#loadComputed(f, node, local)) return NO_FILL;
      computed.set(staticKey(node), local);
    }
    if (branch) {
      // Decoded instructions are as far apart as words, times four.
      f.get(IP).i32(DECODED_PAGES.base).op("i32.sub").i32(DECODED_PAGE_SIZE).op("i32.rem_u");
      emitStatic(f, branch.offset, computed);
      f.i32(DECODED_SIZE / 4).op("i32.mul").op("i32.add").i32(INSTRUCTIONS_PER_PAGE * DECODED_SIZE).op("i32.lt_u");
      f.if(() => {
        for (const operand of branch.near) emitStore(f, operand, computed);
        f.brOuter(Way.Near);
      });
    }
    for (const operand of operands) emitStore(f, operand, computed);
    f.brOuter(Way.Filled);
    const key = f.fingerprint;
    let number = this.#numbers.get(key);
    if (number === undefined) this.#numbers.set(key, number = this.#cases.push(f));
    return number;
  }

  /** Defines the function of all fills. */
  define(library: Library): FunctionBuilder {
    const f = library.define(FILL_FUNCTION, PARAMETERS, ["i32"]);
    for (let i = 0; i < MOST_COMPUTED; i++) f.local("i64");
    const handler = f.local("i32");
    const end = (offset: number) => {
      f.get(CANDIDATE).memory("i32.load16_u", offset).set(handler);
      f.get(IP).get(handler).memory("i32.store16").get(handler).op("return");
    };
    f.block((slow) => {
      f.block((near) => {
        f.block((filled) => {
          const labels: Label[] = this.#cases.map(() => f.openBlock()).reverse();
          f.get(FILL).brTable([slow, ...labels], slow);
          for (const fill of this.#cases) f.closeBlock().append(fill, { [Way.Slow]: slow, [Way.Filled]: filled, [Way.Near]: near });
        });
        end(Candidate.Handler);
      });
      end(Candidate.Near);
    });
    return f.i32(0);
  }

  /**
   * Loads the kept value of a computed operand into a local; false if there is no room for its
   * values.
   */
  #loadComputed(f: FunctionBuilder, node: Computed, local: number): boolean {
    const fields = fieldsOf(node), bits = fields.reduce((sum, [, width]) => sum + width, 0), key = staticKey(node);
    let first = this.computed.get(key);
    if (first === undefined) {
      if (bits > KEPT_WIDTH || this.#kept + 2 ** bits > COMPUTED_OPERANDS.count) return false;
      this.computed.set(key, first = this.#kept);
      this.#kept += 2 ** bits;
    }
    let shift = 0;
    f.i32(0);
    for (const [position, width] of fields) {
      emitField(f, position, width);
      f.i32(shift).op("i32.shl").op("i32.or");
      shift += width;
    }
    f.i32(3).op("i32.shl").memory("i64.load", COMPUTED_OPERANDS.base + 8 * first).tee(local).op("i64.eqz").brOuter(Way.Slow, true);
    return true;
  }
}

function emitField(f: FunctionBuilder, position: number, width: number): void {
  f.get(WORD).i32(position).op("i32.shr_u").i32(2 ** width - 1).op("i32.and");
}

/** Puts the value of a static expression on the stack. */
function emitStatic(f: FunctionBuilder, node: Node, computed: ReadonlyMap<string, number>): void {
  switch (node.kind) {
    case "constant":
      if (node.type === "i32") f.i32(node.value);
      else f.i64(node.value);
      return;
    case "field":
      return emitField(f, node.position, node.width);
    case "computed":
      f.get(computed.get(staticKey(node))!);
      if (node.type === "i32") f.op("i32.wrap_i64");
      return;
    case "op":
      for (const operand of node.operands) emitStatic(f, operand, computed);
      f.op(node.name);
      return;
    default:
      throw new Error(`${node.kind} is not static`);
  }
}

function emitStore(f: FunctionBuilder, { node, offset, kind }: DecodedOperand, computed: ReadonlyMap<string, number>): void {
  f.get(IP);
  emitStatic(f, node, computed);
  if (node.type === "i64" && kind !== "i64") f.op("i32.wrap_i64");
  f.memory(STORES[kind], offset);
}

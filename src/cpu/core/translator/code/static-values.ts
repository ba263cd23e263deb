// Values of static expressions for an instruction word; the evaluator is made once per expression.

import type { Node } from "../../../isa/notation/builder.ts";
import { evaluateBig, evaluateNumber } from "../../decoded/operands.ts";

const numbers = new WeakMap<Node, (word: number) => number>();
const bigs = new WeakMap<Node, (word: number) => bigint>();

/** The value of a static i32, or of a static i64 with known bounds. */
export function numberOf(node: Node, word: number): number {
  let evaluate = numbers.get(node);
  if (!evaluate) numbers.set(node, evaluate = evaluateNumber(node));
  return evaluate(word);
}

/** The value of a static i64. */
export function bigOf(node: Node, word: number): bigint {
  let evaluate = bigs.get(node);
  if (!evaluate) bigs.set(node, evaluate = evaluateBig(node));
  return evaluate(word);
}

// C's arithmetic (ISO C, 6.3.1.8 and 6.5): operands become one type, and results wrap in it.

import { type CType, INT, LONG, UNSIGNED_INT, UNSIGNED_LONG } from "./c-types.ts";
import { ExpressionError } from "./syntax.ts";

/** A number with its type. */
export interface TypedNumber {
  readonly type: CType;
  readonly number: bigint;
}

const bitsOf = (type: CType) => 8 * (type.size() ?? 8);

/** A number as a type has it. */
export function wrapped(type: CType, number: bigint): bigint {
  if (type.plain.kind === "boolean") return BigInt(number !== 0n);
  return type.plain.isSigned ? BigInt.asIntN(bitsOf(type), number) : BigInt.asUintN(bitsOf(type), number);
}

export const truth = (is: boolean): TypedNumber => ({ type: INT, number: BigInt(is) });

/** The type of a number that is written: the first that has it. */
export function literal(number: bigint, unsigned: boolean, long: boolean): TypedNumber {
  const fits = (bits: bigint) => number < 1n << bits;
  if (!long && fits(unsigned ? 32n : 31n)) return { type: unsigned ? UNSIGNED_INT : INT, number };
  return { type: fits(63n) && !unsigned ? LONG : UNSIGNED_LONG, number };
}

/** Types narrower than `int` become `int`; names of equal types are one. */
function promoted(type: CType): CType {
  const { kind, isSigned } = type.plain, bits = bitsOf(type);
  if (bits < 32 || kind === "boolean") return INT;
  if (bits === 32) return isSigned ? INT : UNSIGNED_INT;
  return bits === 64 ? isSigned ? LONG : UNSIGNED_LONG : type.plain;
}

function common(left: CType, right: CType): CType {
  const a = promoted(left), b = promoted(right), [more, less] = [bitsOf(a), bitsOf(b)];
  if (more !== less) return more > less ? a : b;
  return a.isSigned ? b : a;
}

/** The result of a sign before a number. */
export function signed(operator: string, { type, number }: TypedNumber): TypedNumber {
  if (operator === "!") return truth(number === 0n);
  const result = promoted(type);
  return { type: result, number: wrapped(result, operator === "-" ? -number : operator === "~" ? ~number : number) };
}

/**
 * The result of a binary operator but for `&&` and `||`.
 * @throws ExpressionError
 */
export function calculated(operator: string, left: TypedNumber, right: TypedNumber): TypedNumber {
  if (operator === "<<" || operator === ">>") return shifted(operator, left, right.number);
  const type = common(left.type, right.type), a = wrapped(type, left.number), b = wrapped(type, right.number);
  switch (operator) {
    case "==":
      return truth(a === b);
    case "!=":
      return truth(a !== b);
    case "<":
      return truth(a < b);
    case "<=":
      return truth(a <= b);
    case ">":
      return truth(a > b);
    case ">=":
      return truth(a >= b);
  }
  return { type, number: wrapped(type, whole(operator, a, b)) };
}

function whole(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "&":
      return a & b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
    case "%":
      if (b === 0n) throw new ExpressionError("division by zero");
      return operator === "/" ? a / b : a % b;
    default:
      throw new Error(`the grammar has no operator ${operator}`);
  }
}

function shifted(operator: "<<" | ">>", { type, number }: TypedNumber, by: bigint): TypedNumber {
  const result = promoted(type), bits = BigInt(bitsOf(result));
  if (by < 0n || by >= bits) throw new ExpressionError(`a shift by ${by} of ${bits} bits`, `use 0..${bits - 1n}`);
  const from = wrapped(result, number);
  return { type: result, number: wrapped(result, operator === "<<" ? from << by : from >> by) };
}

// Expressions over a guest's variables, registers and symbols, in C's syntax, such as
// `shape->corners[1].x`, `$x0 == 3 && total > 7` and `*0x40200000`. They change nothing.

import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import type { FrameValues, GuestValue } from "./guest-values.ts";
import { problemOf, UserError } from "../../kit/support/problem.ts";

/** An expression that has no value: a syntax error, an unknown name, memory that is not mapped. */
export class ExpressionError extends UserError {}

/** The value of an expression: a typed place, or a number. */
type ExpressionValue = { readonly kind: "typed"; readonly value: GuestValue } | { readonly kind: "number"; readonly number: bigint };

/** Where names come from. */
export interface ExpressionScope {
  /** Variables of the frame; undefined without debug information. */
  readonly values: FrameValues | undefined;
  /** A register of the frame by its name without `$`. */
  register(name: string): bigint | undefined;
  symbol(name: string): bigint | undefined;
  /** A number of 8 bytes in guest memory. */
  memory(address: bigint): bigint | undefined;
}

const TOKEN = /\s*(?:0x[0-9a-f]+|\d+|\$\w+|[a-z_]\w*|\|\||&&|==|!=|<=|>=|<<|>>|->|[-+*\/%&|^~!<>()[\].])/iy;
/** Binary operators by how tightly they bind. */
const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
];
const DEPTH_MAX = 64;

/**
 * Evaluates an expression.
 * @throws ExpressionError
 */
export function evaluate(text: string, scope: ExpressionScope): ExpressionValue {
  try {
    const parser = new Parser(text, scope);
    const value = parser.binary(0);
    parser.end();
    return value;
  } catch (error) {
    if (error instanceof DwarfError) throw new ExpressionError(problemOf(error));
    throw error;
  }
}

class Parser {
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(readonly text: string, readonly scope: ExpressionScope) {
    const token = new RegExp(TOKEN);
    for (const trimmed = text.trimEnd(); token.lastIndex < trimmed.length;) {
      const { lastIndex } = token, match = token.exec(trimmed);
      if (!match) {
        throw new ExpressionError(`${JSON.stringify(text)}: cannot read ${JSON.stringify(trimmed.slice(lastIndex, lastIndex + 10))}`);
      }
      this.#tokens.push(match[0].trim());
    }
    if (!this.#tokens.length) throw new ExpressionError("the expression is empty");
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw new ExpressionError(`${JSON.stringify(this.text)}: unexpected ${this.#tokens[this.#at]}`);
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#takes(token)) throw new ExpressionError(`${JSON.stringify(this.text)}: ${token} is missing`);
  }

  binary(level: number): ExpressionValue {
    if (level === LEVELS.length) return this.#unary();
    let left = this.binary(level + 1);
    for (let operator = this.#tokens[this.#at]; LEVELS[level].includes(operator); operator = this.#tokens[this.#at]) {
      this.#at++;
      const right = this.binary(level + 1);
      left = { kind: "number", number: apply(operator, this.number(left), this.number(right)) };
    }
    return left;
  }

  #unary(): ExpressionValue {
    if (++this.#depth > DEPTH_MAX) throw new ExpressionError("the expression is nested too deeply");
    const token = this.#tokens[this.#at];
    let value: ExpressionValue;
    if (token === "-" || token === "!" || token === "~") {
      this.#at++;
      const operand = this.number(this.#unary());
      value = { kind: "number", number: token === "-" ? -operand : token === "~" ? ~operand : BigInt(operand === 0n) };
    } else if (token === "*") {
      this.#at++;
      value = this.#dereference(this.#unary());
    } else if (token === "&") {
      this.#at++;
      const operand = this.#unary();
      if (operand.kind !== "typed" || operand.value.where?.kind !== "memory") throw new ExpressionError("& needs a variable in memory");
      value = { kind: "number", number: operand.value.where.address };
    } else value = this.#postfix();
    this.#depth--;
    return value;
  }

  #dereference(operand: ExpressionValue): ExpressionValue {
    const { values } = this.scope;
    const target = operand.kind === "typed" ? values?.dereference(operand.value) : undefined;
    if (target && target.type.plain.size() !== undefined) return { kind: "typed", value: target };
    const address = BigInt.asUintN(64, this.number(operand)), number = this.scope.memory(address);
    if (number === undefined) throw new ExpressionError(`0x${address.toString(16)} is not mapped`);
    return { kind: "number", number };
  }

  #postfix(): ExpressionValue {
    let value = this.#primary();
    const { values } = this.scope;
    for (;;) {
      if (this.#takes(".") || this.#takes("->")) {
        const name = this.#tokens[this.#at++] ?? "";
        const member = value.kind === "typed" ? values?.member(value.value, name) : undefined;
        if (!member) throw new ExpressionError(`no member called ${JSON.stringify(name)}`);
        value = { kind: "typed", value: member };
      } else if (this.#takes("[")) {
        const index = this.number(this.binary(0));
        this.#expect("]");
        const element = value.kind === "typed" ? values?.element(value.value, Number(index), "") : undefined;
        if (!element) throw new ExpressionError(`${JSON.stringify(this.text)}: not an array or pointer`);
        value = { kind: "typed", value: element };
      } else return value;
    }
  }

  #primary(): ExpressionValue {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new ExpressionError(`${JSON.stringify(this.text)}: it ends too early`);
    if (token === "(") {
      const value = this.binary(0);
      this.#expect(")");
      return value;
    }
    if (/^\d/.test(token)) return { kind: "number", number: BigInt(token) };
    if (token.startsWith("$")) {
      const number = this.scope.register(token.slice(1));
      if (number === undefined) throw new ExpressionError(`no register ${token} here`);
      return { kind: "number", number };
    }
    if (!/^[A-Za-z_]/.test(token)) throw new ExpressionError(`${JSON.stringify(this.text)}: unexpected ${token}`);
    const variable = this.scope.values?.find(token);
    if (variable) return { kind: "typed", value: variable };
    const number = this.scope.symbol(token) ?? this.scope.register(token.toLowerCase());
    if (number === undefined) throw new ExpressionError(`no variable, symbol or register called ${JSON.stringify(token)}`);
    return { kind: "number", number };
  }

  number(value: ExpressionValue): bigint {
    if (value.kind === "number") return value.number;
    const number = this.scope.values?.number(value.value);
    if (number !== undefined) return number;
    // As in C, an array is its address.
    if (value.value.where?.kind === "memory" && !value.value.type.plain.isPointer) return value.value.where.address;
    throw new ExpressionError(`${JSON.stringify(this.text)} has no value here`);
  }
}

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case "||":
      return BigInt(a !== 0n || b !== 0n);
    case "&&":
      return BigInt(a !== 0n && b !== 0n);
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "&":
      return a & b;
    case "==":
      return BigInt(a === b);
    case "!=":
      return BigInt(a !== b);
    case "<":
      return BigInt(a < b);
    case "<=":
      return BigInt(a <= b);
    case ">":
      return BigInt(a > b);
    case ">=":
      return BigInt(a >= b);
    case "<<":
      return BigInt.asIntN(64, a << (b & 63n));
    case ">>":
      return a >> (b & 63n);
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return BigInt.asIntN(128, a * b);
    default:
      if (b === 0n) throw new ExpressionError("division by zero");
      return operator === "/" ? a / b : a % b;
  }
}

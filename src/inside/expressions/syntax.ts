// The grammar of expressions: C's, without what changes anything, and calls of a few helpers. An
// expression is read once, and evaluated as often as it is asked.

import { UserError } from "../../kit/support/problem.ts";
import { BASIC_WORDS } from "./c-types.ts";

/** An expression that has no value: a syntax error, an unknown name, memory that is not mapped. */
export class ExpressionError extends UserError {}

/** A type as it is written. */
export interface TypeText {
  /** `struct`, `union`, `enum`; undefined: a typedef, or a type of C. */
  readonly tag: string | undefined;
  /** Words of a type of C, or one name. */
  readonly words: readonly string[];
  readonly pointers: number;
  /** Elements of an array of these, by dimension. */
  readonly lengths: readonly number[];
}

export type Expression =
  | { readonly kind: "number"; readonly number: bigint; readonly unsigned: boolean; readonly long: boolean }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "name" | "register"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "member"; readonly of: Expression; readonly name: string }
  | { readonly kind: "element"; readonly of: Expression; readonly index: Expression }
  | { readonly kind: "cast"; readonly type: TypeText; readonly operand: Expression }
  | { readonly kind: "sizeof"; readonly of: Expression | TypeText }
  | { readonly kind: "call"; readonly helper: HelperName; readonly parts: readonly HelperPart[] };

/** An argument of a helper. */
export type HelperPart =
  | { readonly kind: "value"; readonly value: Expression }
  | { readonly kind: "type"; readonly type: TypeText }
  /** A member's path, such as `se.run_node`. */
  | { readonly kind: "member"; readonly path: string };

/** The arguments of the helpers, in order. */
const HELPERS = {
  list: ["value", "type", "member"],
  hlist: ["value", "type", "member"],
  rbtree: ["value", "type", "member"],
  xarray: ["value", "type"],
  per_cpu: ["value", "value"],
  container_of: ["value", "type", "member"],
} as const satisfies Readonly<Record<string, readonly HelperPart["kind"][]>>;
export type HelperName = keyof typeof HELPERS;

const isHelper = (name: string): name is HelperName => Object.hasOwn(HELPERS, name);

const TOKEN =
  /\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|0x[0-9a-f]+[ul]*|\d+[ul]*|\$\w+|[a-z_]\w*|\|\||&&|==|!=|<=|>=|<<|>>|->|[-+*/%&|^~!<>()[\].,])/iy;
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
const UNARY: ReadonlySet<string> = new Set(["-", "+", "!", "~", "*", "&"]);
const TAGS: ReadonlySet<string> = new Set(["struct", "union", "enum"]);
const QUALIFIERS: ReadonlySet<string> = new Set(["const", "volatile"]);
/** Characters and tokens of an expression, and expressions in each other. */
const TEXT_MAX = 4096, TOKENS_MAX = 512, DEPTH_MAX = 64;
/** Letters after a backslash. */
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0" };

/**
 * Reads an expression.
 * @param isType whether a name is a typedef
 * @throws ExpressionError
 */
export function parseExpression(text: string, isType: (name: string) => boolean): Expression {
  const parser = new Parser(text, isType), expression = parser.binary(0);
  parser.end();
  return expression;
}

/**
 * Reads a type.
 * @throws ExpressionError
 */
export function parseType(text: string): TypeText {
  const parser = new Parser(text, () => true), type = parser.type();
  parser.end();
  return type;
}

class Parser {
  readonly #tokens: string[] = [];
  #at = 0;
  #depth = 0;

  constructor(readonly text: string, readonly isType: (name: string) => boolean) {
    if (text.length > TEXT_MAX) throw new ExpressionError(`the expression is longer than ${TEXT_MAX} characters`);
    const token = new RegExp(TOKEN);
    for (const trimmed = text.trimEnd(); token.lastIndex < trimmed.length;) {
      const { lastIndex } = token, match = token.exec(trimmed);
      if (!match) this.#fail(`cannot read ${JSON.stringify(trimmed.slice(lastIndex, lastIndex + 10))}`);
      this.#tokens.push(match[1]);
    }
    if (!this.#tokens.length) throw new ExpressionError("the expression is empty");
    if (this.#tokens.length > TOKENS_MAX) throw new ExpressionError(`the expression has more than ${TOKENS_MAX} words and signs`);
  }

  #fail(what: string, wayOut?: string): never {
    throw new ExpressionError(`${JSON.stringify(this.text)}: ${what}`, wayOut);
  }

  get #next(): string {
    return this.#tokens[this.#at] ?? "";
  }

  end(): void {
    if (this.#at < this.#tokens.length) this.#fail(`unexpected ${this.#next}`);
  }

  #takes(token: string): boolean {
    if (this.#next !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#takes(token)) this.#fail(`${token} is missing`);
  }

  /** Reads what is inside of something. */
  #inner<T>(read: () => T): T {
    if (++this.#depth > DEPTH_MAX) this.#fail("it is nested too deeply");
    const found = read();
    this.#depth--;
    return found;
  }

  binary(level: number): Expression {
    if (level === LEVELS.length) return this.#inner(() => this.#unary());
    let left = this.binary(level + 1);
    for (let operator = this.#next; LEVELS[level].includes(operator); operator = this.#next) {
      this.#at++;
      left = { kind: "binary", operator, left, right: this.binary(level + 1) };
    }
    return left;
  }

  #unary(): Expression {
    const operator = this.#next;
    if (UNARY.has(operator)) {
      this.#at++;
      return { kind: "unary", operator, operand: this.#inner(() => this.#unary()) };
    }
    if (operator === "(" && this.#isTypeAt(this.#at + 1)) {
      this.#at++;
      const type = this.type();
      this.#expect(")");
      return { kind: "cast", type, operand: this.#inner(() => this.#unary()) };
    }
    return this.#postfix();
  }

  #postfix(): Expression {
    let of = this.#primary();
    for (;;) {
      // As a debugger, it knows what is a pointer.
      if (this.#takes(".") || this.#takes("->")) of = { kind: "member", of, name: this.#name() };
      else if (this.#takes("[")) {
        of = { kind: "element", of, index: this.binary(0) };
        this.#expect("]");
      } else return of;
    }
  }

  #primary(): Expression {
    const token = this.#next;
    if (token === "") this.#fail("it ends too early");
    this.#at++;
    if (token === "(") {
      const inner = this.binary(0);
      this.#expect(")");
      return inner;
    }
    if (/^\d/.test(token)) return numberOf(token);
    if (token.startsWith('"')) return { kind: "text", text: unescaped(token) };
    if (token.startsWith("'")) return { kind: "number", number: BigInt(unescaped(token).charCodeAt(0)), unsigned: false, long: false };
    if (token.startsWith("$")) return { kind: "register", name: token.slice(1) };
    if (!isName(token)) this.#fail(`unexpected ${token}`);
    if (token === "sizeof") return this.#sizeof();
    if (this.#next === "(" && isHelper(token)) return this.#call(token);
    if (this.#next === "(") this.#fail(`${token} is a function of the guest`, `call one of ${Object.keys(HELPERS).join(", ")}`);
    return { kind: "name", name: token };
  }

  #sizeof(): Expression {
    if (this.#next !== "(" || !this.#isTypeAt(this.#at + 1)) return { kind: "sizeof", of: this.#inner(() => this.#unary()) };
    this.#at++;
    const of = this.type();
    this.#expect(")");
    return { kind: "sizeof", of };
  }

  #call(helper: HelperName): Expression {
    this.#expect("(");
    const parts = HELPERS[helper].map((kind, index): HelperPart => {
      if (index > 0) this.#expect(",");
      if (kind === "type") return { kind, type: this.type() };
      return kind === "member" ? { kind, path: this.#path() } : { kind, value: this.binary(0) };
    });
    this.#expect(")");
    return { kind: "call", helper, parts };
  }

  #name(): string {
    const token = this.#next;
    if (!isName(token)) this.#fail(token === "" ? "a name is missing at its end" : `${token} is not a name`);
    this.#at++;
    return token;
  }

  #path(): string {
    let path = this.#name();
    for (;;) {
      if (this.#takes(".")) path += `.${this.#name()}`;
      else if (this.#takes("[")) path += `[${this.#count()}]`;
      else return path;
    }
  }

  /** A number up to a bracket. */
  #count(): number {
    const token = this.#next;
    if (!/^\d{1,9}$/.test(token)) this.#fail("a number of elements is missing");
    this.#at++;
    this.#expect("]");
    return Number(token);
  }

  #isTypeAt(at: number): boolean {
    const token = this.#tokens[at] ?? "";
    return TAGS.has(token) || QUALIFIERS.has(token) || BASIC_WORDS.has(token) || isName(token) && this.isType(token);
  }

  type(): TypeText {
    const words: string[] = [],
      more = () => {
        while (QUALIFIERS.has(this.#next)) this.#at++;
      };
    more();
    const tag = TAGS.has(this.#next) ? this.#name() : undefined;
    if (tag !== undefined || !BASIC_WORDS.has(this.#next)) words.push(this.#name());
    for (more(); tag === undefined && BASIC_WORDS.has(this.#next); more()) words.push(this.#name());
    let pointers = 0;
    for (; this.#takes("*"); more()) pointers++;
    const lengths: number[] = [];
    while (this.#takes("[")) lengths.push(this.#count());
    return { tag, words, pointers, lengths };
  }
}

const isName = (token: string) => /^[a-z_]/i.test(token);

function numberOf(token: string): Expression {
  const [, digits, suffix] = /^(0x[0-9a-f]+|\d+)([ul]*)$/i.exec(token) ?? ["", token, ""];
  const number = BigInt(digits);
  if (number !== BigInt.asUintN(64, number)) throw new ExpressionError(`${token} has more than 64 bits`);
  // Digits of base 16 may mean a type without a sign, those of base 10 a larger one.
  const isHigh = digits.startsWith("0x") && (number >> 31n === 1n || number >> 63n === 1n);
  return { kind: "number", number, unsigned: isHigh || /u/i.test(suffix), long: /l/i.test(suffix) };
}

/** The text in quotes. */
function unescaped(token: string): string {
  return token.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

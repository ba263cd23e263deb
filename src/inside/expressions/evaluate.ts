// The value of an expression: names become typed places in a guest, members and elements lead from
// one place to another, and numbers are calculated as C does. Nothing is changed.

import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import { problemOf } from "../../kit/support/problem.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { calculated, literal, signed, truth, type TypedNumber, wrapped } from "./arithmetic.ts";
import { arrayOf, basicType, type CType, fixedType, isArithmetic, isPointer, isRecord, LONG, pointerTo, UNSIGNED_LONG } from "./c-types.ts";
import { type Expression, ExpressionError, type HelperName, type HelperPart, parseExpression, type TypeText } from "./syntax.ts";
import type { TypedValue, Values } from "./values.ts";

/** A single value: a typed place, a number, or a text that was written. */
export type Single =
  | { readonly kind: "typed"; readonly value: TypedValue }
  /** `bare`: of an address, a register or a word in memory, whose type is not known. */
  | { readonly kind: "number"; readonly bare?: true } & TypedNumber
  | { readonly kind: "text"; readonly text: string }
  /** Of a member of a collection that does not have it. */
  | { readonly kind: "none"; readonly why: string };
/** `elements` are found as they are asked for, once. */
export type Result = Single | { readonly kind: "several"; readonly elements: Iterable<Single> };

/** Members of a kernel's collections by their addresses. */
export interface Collections {
  /** @param member path of the links in the structure */
  list(head: bigint, struct: string, member: string): Iterable<bigint>;
  hlist(head: bigint, struct: string, member: string): Iterable<bigint>;
  rbtree(root: bigint, struct: string, member: string): Iterable<bigint>;
  xarray(array: bigint): Iterable<bigint>;
  /** The address of a CPU's part of data that each CPU has. */
  perCpu(address: bigint, cpu: number): bigint;
}

/** Where names come from. */
export interface ExpressionScope {
  readonly values: Values;
  /** A variable with its type. */
  variable(name: string): TypedValue | undefined;
  /** A register by its name without `$`. */
  register(name: string): bigint | undefined;
  symbol(name: string): bigint | undefined;
  /** The value of an enumeration's name. */
  constant(name: string): TypedNumber | undefined;
  /** A type by its name: a structure, union or enumeration with its tag, or a typedef. */
  type(tag: string | undefined, name: string): CType | undefined;
  /** Undefined: nothing is known of a kernel. */
  readonly collections: Collections | undefined;
}

/** Characters of a text that is compared. */
const TEXT_MAX = 4096;

/**
 * Evaluates an expression.
 * @throws ExpressionError
 */
export function evaluate(text: string, scope: ExpressionScope): Result {
  const isType = (name: string) => (scope.type(undefined, name) ?? fixedType(name)) !== undefined;
  return new Evaluation(scope).of(parseExpression(text, isType));
}

/** @throws ExpressionError where debug information is damaged */
export function tried<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DwarfError) throw new ExpressionError(problemOf(error));
    throw error;
  }
}

/** The type that a text means, by names that somebody knows; undefined where nobody does. */
export function typeOfText({ tag, words, pointers, lengths }: TypeText, named: ExpressionScope["type"]): CType | undefined {
  const name = words.join(" ");
  let type = tag === undefined ? basicType(words) ?? named(tag, name) ?? fixedType(name) : named(tag, name);
  for (let left = pointers; type && left > 0; left--) type = pointerTo(type);
  for (const length of lengths.toReversed()) type &&= arrayOf(type, length);
  return type;
}

class Evaluation {
  constructor(readonly scope: ExpressionScope) {}

  of(expression: Expression): Result {
    switch (expression.kind) {
      case "number":
        return { kind: "number", ...literal(expression.number, expression.unsigned, expression.long) };
      case "text":
        return expression;
      case "name":
        return this.#named(expression.name);
      case "register":
        return this.#register(expression.name);
      case "sizeof":
        return this.#sizeof(expression.of);
      case "call":
        return this.#call(expression.helper, expression.parts);
      case "cast": {
        const type = this.#type(expression.type);
        return mapped(this.of(expression.operand), (one) => this.#cast(type, one));
      }
      case "member":
        return mapped(this.of(expression.of), (one) => this.#member(one, expression.name));
      case "element": {
        const index = this.#number(this.#single(expression.index)).number, of = this.of(expression.of);
        return of.kind === "several" ? nth(of.elements, index) : this.#element(of, index);
      }
      case "unary":
        return mapped(this.of(expression.operand), (one) => this.#unary(expression.operator, one));
      case "binary":
        return this.#binary(expression.operator, expression.left, expression.right);
    }
  }

  #single(expression: Expression): Single {
    const found = this.of(expression);
    if (found.kind === "several") throw new ExpressionError("a collection has many values", "choose one, as in list(…)[0]");
    return found;
  }

  #named(name: string): Single {
    const { scope } = this, variable = scope.variable(name);
    if (variable) return { kind: "typed", value: variable };
    const constant = scope.constant(name);
    if (constant) return { kind: "number", ...constant };
    const number = scope.symbol(name) ?? scope.register(name.toLowerCase());
    if (number === undefined) throw new ExpressionError(`no variable, symbol or register called ${JSON.stringify(name)}`);
    return bare(number);
  }

  #register(name: string): Single {
    const number = this.scope.register(name);
    if (number === undefined) throw new ExpressionError(`no register $${name} here`, "name a vCPU, as in VM/0:$sp");
    return bare(number);
  }

  /** @throws ExpressionError if nobody has it */
  #type(text: TypeText): CType {
    const type = typeOfText(text, (tag, name) => this.scope.type(tag, name));
    if (type) return type;
    throw new ExpressionError(`no type ${[text.tag, ...text.words].filter((word) => word !== undefined).join(" ")} is known`);
  }

  #sizeof(of: Expression | TypeText): Single {
    const type = "kind" in of ? typeOf(this.#single(of)) : this.#type(of), size = type.size();
    if (size === undefined) throw new ExpressionError(`the size of ${type.name} is not known`);
    return { kind: "number", type: UNSIGNED_LONG, number: BigInt(size) };
  }

  #cast(type: CType, one: Single): Single {
    const { plain } = type, { number } = this.#number(one);
    if (isPointer(plain)) return { kind: "number", type, number: BigInt.asUintN(64, number) };
    if (!isArithmetic(plain)) throw new ExpressionError(`a number does not become a ${type.name}`, `use *(${type.name} *)ADDRESS`);
    return { kind: "number", type, number: wrapped(type, number) };
  }

  #member(one: Single, name: string): Single {
    const { values } = this.scope, of = placeOf(one), plain = of.type.plain, record = isPointer(plain) ? plain.target.plain : plain;
    if (isPointer(plain) && isRecord(record)) this.#number(one);
    if (!isRecord(record)) throw new ExpressionError(`no member called ${JSON.stringify(name)}: ${of.type.name} is not a structure`);
    const member = values.member(of, name);
    if (member) return { kind: "typed", value: member };
    const names = values.parts({ type: record, where: { kind: "memory", address: 0n } }, "").map((part) => part.name);
    throw new ExpressionError(`${record.name} has no member called ${JSON.stringify(name)}`, didYouMean(name, names));
  }

  #element(one: Single, index: bigint): Single {
    const { type } = placeOf(one), isFar = index !== BigInt.asIntN(52, index);
    const element = isFar ? undefined : this.scope.values.element(placeOf(one), Number(index), "");
    if (element) return { kind: "typed", value: element };
    throw new ExpressionError(isFar ? `no element ${index}` : `${type.name} is not an array or pointer to something of a known size`);
  }

  #unary(operator: string, one: Single): Single {
    if (operator === "*") return this.#dereferenced(one);
    if (operator === "&") return addressOf(one);
    return { kind: "number", ...signed(operator, this.#number(one)) };
  }

  #dereferenced(one: Single): Single {
    const { values } = this.scope, of = placeOf(one), { plain } = of.type;
    if (isPointer(plain) || plain.kind === "array") {
      const target = plain.kind === "array" ? values.element(of, 0, "") : values.dereference(of);
      if (target && (target.type.plain.size() !== undefined || target.type.plain.kind === "function")) {
        return { kind: "typed", value: target };
      }
    }
    const { number } = this.#number(one), address = BigInt.asUintN(64, number), word = values.number(wordAt(address));
    if (word === undefined) throw new ExpressionError(`0x${address.toString(16)} is not mapped`);
    return bare(word);
  }

  #binary(operator: string, leftOf: Expression, rightOf: Expression): Single {
    const left = this.#single(leftOf);
    if (operator === "&&" || operator === "||") {
      const isLeft = this.#isTrue(left);
      return { kind: "number", ...truth(isLeft === (operator === "||") ? isLeft : this.#isTrue(this.#single(rightOf))) };
    }
    const right = this.#single(rightOf);
    if (left.kind === "text" || right.kind === "text") return { kind: "number", ...truth(this.#areSame(operator, left, right)) };
    const a = this.#number(left), b = this.#number(right);
    return {
      kind: "number",
      ...isPointer(a.type.plain) || isPointer(b.type.plain) ? ofPointers(operator, a, b) : calculated(operator, a, b),
    };
  }

  #isTrue(one: Single): boolean {
    return this.#number(one).number !== 0n;
  }

  /** Whether two texts are equal, or not. */
  #areSame(operator: string, left: Single, right: Single): boolean {
    if (operator !== "==" && operator !== "!=") throw new ExpressionError(`${operator} is not for texts`, "texts have == and !=");
    return this.#text(left) === this.#text(right) === (operator === "==");
  }

  #text(one: Single): string {
    const text = one.kind === "text" ? one.text : this.scope.values.string(placeOf(one), TEXT_MAX);
    if (text === undefined) throw new ExpressionError("this is not a text", "a text is an array of char or a pointer to char");
    return text;
  }

  /** @throws ExpressionError for what has none */
  #number(one: Single): TypedNumber {
    if (one.kind === "number") return one;
    if (one.kind === "text") throw new ExpressionError("a text has no number");
    if (one.kind === "none") throw new ExpressionError(one.why);
    const { value, value: { type, where } } = one, { plain } = type;
    // As in C, an array is the address of its first element, and a function its own.
    if (plain.kind === "array" && where?.kind === "memory") return { type: pointerTo(plain.target), number: where.address };
    if (plain.kind === "function" && where?.kind === "memory") return { type: pointerTo(type), number: where.address };
    const number = plain.kind === "floating" ? undefined : this.scope.values.number(value);
    if (number !== undefined) return { type, number };
    if (isRecord(plain)) throw new ExpressionError(`a ${type.name} is not a number`);
    if (plain.kind === "floating") throw new ExpressionError(`values of ${type.name} are printed, not calculated with`);
    throw new ExpressionError(where?.kind === "memory" ? `0x${where.address.toString(16)} is not mapped` : "it has no value here");
  }

  #call(helper: HelperName, parts: readonly HelperPart[]): Result {
    const valueAt = (index: number) => {
      const part = parts[index];
      if (part?.kind !== "value") throw new Error(`${helper} takes no value there`);
      return this.#single(part.value);
    };
    const [, second, third] = parts, path = third?.kind === "member" ? third.path : "";
    if (helper === "container_of") return this.#container(valueAt(0), second, path);
    const { collections } = this.scope;
    if (!collections) throw new ExpressionError(`${helper} is for Linux, and no kernel is known here`);
    if (helper === "per_cpu") {
      const place = valueAt(0), cpu = this.#number(valueAt(1)).number;
      const type = typeOf(place), { number: address } = addressOf(place);
      return { kind: "typed", value: { type, where: { kind: "memory", address: collections.perCpu(address, Number(cpu)) } } };
    }
    const type = this.#struct(second), head = this.#addressIn(valueAt(0));
    const addresses = helper === "xarray" ? collections.xarray(head) : collections[helper](head, type.own ?? "", path);
    return { kind: "several", elements: Iterator.from(addresses).map((address) => pointer(type, address)) };
  }

  #container(one: Single, part: HelperPart | undefined, path: string): Single {
    const type = this.#struct(part), offset = offsetOf(type, path, this.scope.values);
    return pointer(type, BigInt.asUintN(64, this.#number(one).number - BigInt(offset)));
  }

  /** @throws ExpressionError for what is not a structure with a name */
  #struct(part: HelperPart | undefined): CType {
    if (part?.kind !== "type") throw new Error("the grammar gives a type here");
    const type = this.#type(part.type), { plain } = type;
    if (!isRecord(plain) || plain.own === undefined) throw new ExpressionError(`${type.name} is not a structure with a name`);
    return plain;
  }

  /** The address of a head: of the head itself, or what a pointer to it has. */
  #addressIn(one: Single): bigint {
    if (one.kind === "number") return one.number;
    return isPointer(typeOf(one).plain) ? this.#number(one).number : addressOf(one).number;
  }
}

const bare = (number: bigint): Single => ({ kind: "number", type: UNSIGNED_LONG, number: BigInt.asUintN(64, number), bare: true });
const pointer = (type: CType, number: bigint): Single => ({ kind: "number", type: pointerTo(type), number });
const wordAt = (address: bigint): TypedValue => ({ type: UNSIGNED_LONG, where: { kind: "memory", address } });

function typeOf(one: Single): CType {
  if (one.kind === "text") throw new ExpressionError("a text that is written has no place");
  if (one.kind === "none") throw new ExpressionError(one.why);
  return one.kind === "typed" ? one.value.type : one.type;
}

/** A number as a value of its type. */
export function placeOf(one: Single): TypedValue {
  if (one.kind === "typed") return one.value;
  return { type: typeOf(one), where: one.kind === "number" ? { kind: "value", value: one.number } : undefined };
}

function addressOf(one: Single): Extract<Single, { kind: "number" }> {
  // A symbol without a type is its address.
  if (one.kind === "number" && one.bare) return one;
  const value = one.kind === "typed" ? one.value : undefined;
  if (value?.where?.kind !== "memory" || value.bits) throw new ExpressionError("& needs a variable in memory");
  return { kind: "number", type: pointerTo(value.type), number: value.where.address };
}

/** One member of a collection may lack what the others have. */
function mapped(of: Result, change: (one: Single) => Single): Result {
  if (of.kind !== "several") return change(of);
  const orNone = (one: Single): Single => {
    if (one.kind === "none") return one;
    try {
      return change(one);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      return { kind: "none", why: error.problem.what };
    }
  };
  return { kind: "several", elements: Iterator.from(of.elements).map(orNone) };
}

function nth(elements: Iterable<Single>, index: bigint): Single {
  let at = 0n;
  for (const one of elements) if (at++ === index) return one;
  throw new ExpressionError(`the collection has no element ${index}: it has ${at}`);
}

/** Pointers move by what they point to. */
function ofPointers(operator: string, left: TypedNumber, right: TypedNumber): TypedNumber {
  const isLeft = isPointer(left.type.plain), isRight = isPointer(right.type.plain);
  const type = isLeft ? left.type : right.type, size = BigInt(type.plain.target.plain.size() || 1);
  const a = BigInt.asUintN(64, left.number), b = BigInt.asUintN(64, right.number);
  if (operator === "+" && isLeft !== isRight) return { type, number: BigInt.asUintN(64, isLeft ? a + b * size : b + a * size) };
  if (operator === "-" && isLeft) {
    if (!isRight) return { type, number: BigInt.asUintN(64, a - b * size) };
    return { type: LONG, number: BigInt.asIntN(64, a - b) / size };
  }
  return calculated(operator, { type: UNSIGNED_LONG, number: a }, { type: UNSIGNED_LONG, number: b });
}

/** Bytes from the start of a structure to a member. */
function offsetOf(type: CType, path: string, values: Values): number {
  let place: TypedValue = { type, where: { kind: "memory", address: 0n } };
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    if (isPointer(place.type.plain)) throw new ExpressionError(`${path} leads out of ${type.name}`);
    const next = name === undefined ? values.element(place, Number(index), "") : values.member(place, name);
    if (!next) throw new ExpressionError(`${type.name} has no member called ${JSON.stringify(path)}`);
    place = next;
  }
  return place.where?.kind === "memory" ? Number(place.where.address) : 0;
}

// Expressions and statements over the WebAssembly assembler, so that a hand-written Wasm function
// reads like one. A `Value` is a tree that is emitted where it is used; whatever is used twice is
// bound to a local by `Code.let`.

import type { FunctionBuilder, Label, ValueType } from "./module.ts";

/** An operand: a tree of the same type, or a number that becomes a constant of that type. */
export type Operand = Value | number | bigint;

/** A constant of a scalar type. */
export function constant(type: ValueType, value: number | bigint): Value {
  if (type === "v128") throw new Error("a vector constant has two halves: use FunctionBuilder.v128");
  if (type === "i32" || type === "i64") return new Value(type, (f) => f[type](value));
  return new Value(type, (f) => f[type](Number(value)));
}

/**
 * A typed expression. Its methods are the WebAssembly instructions of its type, with this value as
 * the first operand; shift counts, masks and the like may be plain numbers.
 */
export class Value {
  constructor(readonly type: ValueType, readonly emit: (f: FunctionBuilder) => void) {}

  /**
   * Any instruction with this value as its first operand; `name` in full, such as `f64.copysign`.
   */
  op(name: string, result: ValueType, ...rest: Operand[]): Value {
    return new Value(result, (f) => {
      this.emit(f);
      for (const operand of rest) this.#lift(operand).emit(f);
      f.op(name);
    });
  }

  /** An arithmetic instruction of this value's type. */
  #binary(name: string, other: Operand): Value {
    return this.op(`${this.type}.${name}`, this.type, other);
  }

  #unary(name: string): Value {
    return this.op(`${this.type}.${name}`, this.type);
  }

  #compare(name: string, other: Operand): Value {
    return this.op(`${this.type}.${name}`, "i32", other);
  }

  #lift(operand: Operand): Value {
    return operand instanceof Value ? operand : constant(this.type, operand);
  }

  add(other: Operand): Value {
    return this.#binary("add", other);
  }
  sub(other: Operand): Value {
    return this.#binary("sub", other);
  }
  mul(other: Operand): Value {
    return this.#binary("mul", other);
  }
  /** Floating point only. */
  div(other: Operand): Value {
    return this.#binary("div", other);
  }
  divU(other: Operand): Value {
    return this.#binary("div_u", other);
  }
  and(other: Operand): Value {
    return this.#binary("and", other);
  }
  or(other: Operand): Value {
    return this.#binary("or", other);
  }
  xor(other: Operand): Value {
    return this.#binary("xor", other);
  }
  shl(count: Operand): Value {
    return this.#binary("shl", count);
  }
  shrU(count: Operand): Value {
    return this.#binary("shr_u", count);
  }
  shrS(count: Operand): Value {
    return this.#binary("shr_s", count);
  }
  min(other: Operand): Value {
    return this.#binary("min", other);
  }
  max(other: Operand): Value {
    return this.#binary("max", other);
  }
  copysign(other: Operand): Value {
    return this.#binary("copysign", other);
  }
  clz(): Value {
    return this.#unary("clz");
  }
  abs(): Value {
    return this.#unary("abs");
  }
  neg(): Value {
    return this.#unary("neg");
  }
  sqrt(): Value {
    return this.#unary("sqrt");
  }
  nearest(): Value {
    return this.#unary("nearest");
  }
  floor(): Value {
    return this.#unary("floor");
  }
  ceil(): Value {
    return this.#unary("ceil");
  }
  trunc(): Value {
    return this.#unary("trunc");
  }
  eq(other: Operand): Value {
    return this.#compare("eq", other);
  }
  ne(other: Operand): Value {
    return this.#compare("ne", other);
  }
  /** Floating point only, as `gt`, `le` and `ge`. */
  lt(other: Operand): Value {
    return this.#compare("lt", other);
  }
  gt(other: Operand): Value {
    return this.#compare("gt", other);
  }
  le(other: Operand): Value {
    return this.#compare("le", other);
  }
  ge(other: Operand): Value {
    return this.#compare("ge", other);
  }
  ltU(other: Operand): Value {
    return this.#compare("lt_u", other);
  }
  ltS(other: Operand): Value {
    return this.#compare("lt_s", other);
  }
  gtU(other: Operand): Value {
    return this.#compare("gt_u", other);
  }
  gtS(other: Operand): Value {
    return this.#compare("gt_s", other);
  }
  geU(other: Operand): Value {
    return this.#compare("ge_u", other);
  }
  geS(other: Operand): Value {
    return this.#compare("ge_s", other);
  }
  leU(other: Operand): Value {
    return this.#compare("le_u", other);
  }
  leS(other: Operand): Value {
    return this.#compare("le_s", other);
  }
  /** 1 when this integer is zero. */
  not(): Value {
    return this.op(`${this.type}.eqz`, "i32");
  }
  /** 1 when this integer is not zero. */
  nonZero(): Value {
    return this.ne(0);
  }

  /** i64 to i32. */
  wrap(): Value {
    return this.op("i32.wrap_i64", "i32");
  }
  /** i32 to i64 with zeros above. */
  wide(): Value {
    return this.op("i64.extend_i32_u", "i64");
  }
  /** i32 to i64 with the sign above. */
  wideSigned(): Value {
    return this.op("i64.extend_i32_s", "i64");
  }
  /** The bits of a float as an integer of its width, or the float that an integer's bits are. */
  reinterpret(): Value {
    const other = ({ i32: "f32", i64: "f64", f32: "i32", f64: "i64" } as const)[this.type as "i32" | "i64" | "f32" | "f64"];
    return this.op(`${other}.reinterpret_${this.type}`, other);
  }

  /** `this` (an i32) chooses `yes` when not zero; both are evaluated. */
  select(yes: Value, no: Operand): Value {
    return new Value(yes.type, (f) => {
      yes.emit(f);
      (no instanceof Value ? no : constant(yes.type, no)).emit(f);
      this.emit(f);
      f.op("select");
    });
  }
}

/** A local variable. */
export class Local extends Value {
  constructor(type: ValueType, readonly index: number) {
    super(type, (f) => f.get(index));
  }
}

/** The body of a function under construction, statement by statement. */
export class Code {
  constructor(readonly f: FunctionBuilder) {}

  /** Parameter `index` of the function. */
  parameter(index: number): Local {
    return new Local(this.f.parameters[index], index);
  }

  /** A new local with this value. */
  let(value: Value): Local {
    const local = this.local(value.type);
    this.set(local, value);
    return local;
  }

  /** A new local, zero at the function's entry only. */
  local(type: ValueType): Local {
    return new Local(type, this.f.local(type));
  }

  set(local: Local, value: Operand): void {
    (value instanceof Value ? value : constant(local.type, value)).emit(this.f);
    this.f.set(local.index);
  }

  if(condition: Value, then: () => void, otherwise?: () => void): void {
    condition.emit(this.f);
    this.f.if(then, otherwise);
  }

  /** Repeats `body` while the condition, evaluated after it, holds. */
  doWhile(body: () => void, condition: () => Value): void {
    this.f.loop((label: Label) => {
      body();
      condition().emit(this.f);
      this.f.brIf(label);
    });
  }

  /** Repeats `body` while the condition, evaluated before it, holds. */
  while(condition: () => Value, body: () => void): void {
    this.f.block((done) => {
      this.f.loop((again) => {
        condition().not().emit(this.f);
        this.f.brIf(done);
        body();
        this.f.br(again);
      });
    });
  }

  /** Runs the case with index `value` (an i32); none if no such case exists. */
  switch(value: Value, cases: readonly (() => void)[]): void {
    this.f.block((done) => {
      const labels = cases.map(() => this.f.openBlock()).reverse();
      value.emit(this.f);
      this.f.brTable(labels, done);
      for (const body of cases) {
        this.f.closeBlock();
        body();
        this.f.br(done);
      }
    });
  }

  return(...values: Value[]): void {
    for (const value of values) value.emit(this.f);
    this.f.op("return");
  }

  /** The function's result where control falls off its end. */
  result(...values: Value[]): void {
    for (const value of values) value.emit(this.f);
  }

  /** A call with one result. */
  call(target: FunctionBuilder, ...args: Operand[]): Value {
    return new Value(target.results[0], (f) => {
      args.forEach((arg, i) => (arg instanceof Value ? arg : constant(target.parameters[i], arg)).emit(f));
      f.call(target);
    });
  }

  /** A call without a result. */
  run(target: FunctionBuilder, ...args: Operand[]): void {
    args.forEach((arg, i) => (arg instanceof Value ? arg : constant(target.parameters[i], arg)).emit(this.f));
    this.f.call(target);
  }

  /** Evaluates a value for its effects. */
  drop(value: Value): void {
    value.emit(this.f);
    this.f.op("drop");
  }

  /** A load; `name` in full, such as `i32.load8_u`. */
  load(name: string, address: Operand, offset = 0): Value {
    return new Value(name.slice(0, name.indexOf(".")) as ValueType, (f) => {
      (address instanceof Value ? address : constant("i32", address)).emit(f);
      f.memory(name, offset);
    });
  }

  /** A store; `name` in full. */
  store(name: string, address: Operand, value: Value, offset = 0): void {
    (address instanceof Value ? address : constant("i32", address)).emit(this.f);
    value.emit(this.f);
    this.f.memory(name, offset);
  }
}

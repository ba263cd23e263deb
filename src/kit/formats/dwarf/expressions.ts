// DWARF expressions: where a variable is, or what it is (DWARF 5, sections 2.5 and 2.6).

import { Cursor, DwarfError } from "./cursor.ts";

/** Operations of one evaluation; branches could make it endless. */
const STEPS_MAX = 10_000;
const STACK_MAX = 256;

/** The guest's frame in which an expression is evaluated. */
export interface FrameState {
  /** A register by DWARF's number; undefined if its value is lost. */
  register(number: number): bigint | undefined;
  /** A little-endian number of 1, 2, 4 or 8 bytes; undefined if it cannot be read. */
  memory(address: bigint, size: number): bigint | undefined;
  /** Canonical frame address. */
  readonly cfa: bigint | undefined;
  /** The expression of the function's frame base. */
  readonly frameBase: Uint8Array | undefined;
  /** An address of .debug_addr. */
  addressAt(index: number): bigint;
  /** How far the program is from where it was linked. */
  readonly moved: bigint;
}

/** Where a variable is. */
export type Location =
  | { readonly kind: "memory"; readonly address: bigint }
  | { readonly kind: "register"; readonly register: number }
  /** Nowhere: it has this value. */
  | { readonly kind: "value"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** In parts, each with its size in bytes; undefined: lost. */
  | { readonly kind: "pieces"; readonly pieces: readonly { readonly size: number; readonly location: Location | undefined }[] };

const Op = {
  Address: 0x03,
  Dereference: 0x06,
  Const1u: 0x08,
  Const1s: 0x09,
  Const2u: 0x0a,
  Const2s: 0x0b,
  Const4u: 0x0c,
  Const4s: 0x0d,
  Const8u: 0x0e,
  Const8s: 0x0f,
  Constu: 0x10,
  Consts: 0x11,
  Dup: 0x12,
  Drop: 0x13,
  Over: 0x14,
  Pick: 0x15,
  Swap: 0x16,
  Rot: 0x17,
  Abs: 0x19,
  And: 0x1a,
  Div: 0x1b,
  Minus: 0x1c,
  Mod: 0x1d,
  Mul: 0x1e,
  Neg: 0x1f,
  Not: 0x20,
  Or: 0x21,
  Plus: 0x22,
  PlusConstant: 0x23,
  Shl: 0x24,
  Shr: 0x25,
  Shra: 0x26,
  Xor: 0x27,
  Branch: 0x28,
  Eq: 0x29,
  Ge: 0x2a,
  Gt: 0x2b,
  Le: 0x2c,
  Lt: 0x2d,
  Ne: 0x2e,
  Skip: 0x2f,
  Literal0: 0x30,
  Register0: 0x50,
  Base0: 0x70,
  RegisterX: 0x90,
  FrameBase: 0x91,
  BaseX: 0x92,
  Piece: 0x93,
  DereferenceSize: 0x94,
  Nop: 0x96,
  CallFrameCfa: 0x9c,
  ImplicitValue: 0x9e,
  StackValue: 0x9f,
  AddressIndex: 0xa1,
  ConstantIndex: 0xa2,
  Convert: 0xa8,
} as const;

const unsigned = (value: bigint) => BigInt.asUintN(64, value);
const signed = (value: bigint) => BigInt.asIntN(64, value);

/** The stack of an evaluation, with numbers of 64 bits. */
class ExpressionStack {
  constructor(readonly values: bigint[]) {}

  push(value: bigint): void {
    if (this.values.length >= STACK_MAX) throw new DwarfError("a DWARF expression needs too much stack");
    this.values.push(unsigned(value));
  }

  pop(): bigint {
    const value = this.values.pop();
    if (value === undefined) throw new DwarfError("a DWARF expression takes from an empty stack");
    return value;
  }

  /** Pushes the value at a depth again; 0 is the top. */
  pick(depth: number): void {
    const value = this.values.at(-1 - depth);
    if (value === undefined) throw new DwarfError("a DWARF expression picks from below the stack");
    this.push(value);
  }
}

/** Operations that push a number of the expression. */
const CONSTANTS: Readonly<Record<number, (cursor: Cursor) => bigint>> = {
  [Op.Const1u]: (cursor) => BigInt(cursor.u8()),
  [Op.Const1s]: (cursor) => BigInt(cursor.i8()),
  [Op.Const2u]: (cursor) => BigInt(cursor.u16()),
  [Op.Const2s]: (cursor) => BigInt.asIntN(16, BigInt(cursor.u16())),
  [Op.Const4u]: (cursor) => BigInt(cursor.u32()),
  [Op.Const4s]: (cursor) => BigInt.asIntN(32, BigInt(cursor.u32())),
  [Op.Const8u]: (cursor) => cursor.u64(),
  [Op.Const8s]: (cursor) => cursor.u64(),
  [Op.Constu]: (cursor) => cursor.uleb(),
  [Op.Consts]: (cursor) => cursor.sleb(),
};

/** Operations that rearrange the stack. */
const ARRANGEMENTS: Readonly<Record<number, (stack: ExpressionStack, cursor: Cursor) => void>> = {
  [Op.Dup]: (stack) => stack.pick(0),
  [Op.Drop]: (stack) => void stack.pop(),
  [Op.Over]: (stack) => stack.pick(1),
  [Op.Pick]: (stack, cursor) => stack.pick(cursor.u8()),
  [Op.Swap]: (stack) => {
    const b = stack.pop(), a = stack.pop();
    stack.push(b);
    stack.push(a);
  },
  [Op.Rot]: (stack) => {
    const c = stack.pop(), b = stack.pop(), a = stack.pop();
    stack.push(c);
    stack.push(a);
    stack.push(b);
  },
};

/** Operations that replace the top of the stack. */
const UNARY: Readonly<Record<number, (value: bigint, cursor: Cursor) => bigint>> = {
  [Op.Abs]: (value) => signed(value) < 0n ? -signed(value) : value,
  [Op.Neg]: (value) => -value,
  [Op.Not]: (value) => ~value,
  [Op.PlusConstant]: (value, cursor) => value + cursor.uleb(),
};

/** Operations that replace the two values at the top, of which `b` is the upper one. */
const BINARY: Readonly<Record<number, (a: bigint, b: bigint) => bigint>> = {
  [Op.And]: (a, b) => a & b,
  [Op.Div]: (a, b) => b === 0n ? missing() : signed(a) / signed(b),
  [Op.Mod]: (a, b) => b === 0n ? missing() : a % b,
  [Op.Minus]: (a, b) => a - b,
  [Op.Mul]: (a, b) => a * b,
  [Op.Or]: (a, b) => a | b,
  [Op.Plus]: (a, b) => a + b,
  [Op.Shl]: (a, b) => b > 63n ? 0n : a << b,
  [Op.Shr]: (a, b) => b > 63n ? 0n : a >> b,
  [Op.Shra]: (a, b) => signed(a) >> (b > 63n ? 63n : b),
  [Op.Xor]: (a, b) => a ^ b,
  [Op.Eq]: (a, b) => BigInt(a === b),
  [Op.Ne]: (a, b) => BigInt(a !== b),
  [Op.Ge]: (a, b) => BigInt(signed(a) >= signed(b)),
  [Op.Gt]: (a, b) => BigInt(signed(a) > signed(b)),
  [Op.Le]: (a, b) => BigInt(signed(a) <= signed(b)),
  [Op.Lt]: (a, b) => BigInt(signed(a) < signed(b)),
};

/** The evaluation of one expression. */
class Evaluation {
  readonly #cursor: Cursor;
  readonly #stack: ExpressionStack;
  readonly #pieces: { size: number; location: Location | undefined }[] = [];
  #location: Location | undefined;
  #isValue = false;
  #lost = false;

  constructor(readonly expression: Uint8Array, readonly frame: FrameState, stack: bigint[]) {
    this.#cursor = new Cursor(expression, "a DWARF expression");
    this.#stack = new ExpressionStack(stack);
  }

  /** Evaluates all operations; undefined if one is not supported, or the value is lost. */
  location(): Location | undefined {
    for (let steps = 0; this.#cursor.more; steps++) {
      if (steps >= STEPS_MAX) throw new DwarfError("a DWARF expression does not end");
      if (!this.#perform(this.#cursor.u8())) return undefined;
    }
    return this.#pieces.length ? { kind: "pieces", pieces: this.#pieces } : this.#result();
  }

  /** Performs one operation; false if it is not supported. */
  #perform(op: number): boolean {
    const cursor = this.#cursor, stack = this.#stack;
    const constant = CONSTANTS[op], arrangement = ARRANGEMENTS[op], unary = UNARY[op], binary = BINARY[op];
    if (op >= Op.Literal0 && op < Op.Register0) stack.push(BigInt(op - Op.Literal0));
    else if (op >= Op.Register0 && op < Op.Base0) this.#location = { kind: "register", register: op - Op.Register0 };
    else if (op >= Op.Base0 && op < Op.RegisterX) this.#pushFound(based(this.frame.register(op - Op.Base0), cursor.sleb()));
    else if (constant) stack.push(constant(cursor));
    else if (arrangement) arrangement(stack, cursor);
    else if (unary) stack.push(unary(stack.pop(), cursor));
    else if (binary) {
      const b = stack.pop(), a = stack.pop();
      stack.push(binary(a, b));
    } else return this.#performOther(op);
    return true;
  }

  /** Memory, registers, branches, and the operations that say what the result is. */
  #performOther(op: number): boolean {
    const cursor = this.#cursor, { frame } = this;
    switch (op) {
      case Op.Dereference:
        this.#dereference(8);
        return true;
      case Op.DereferenceSize:
        this.#dereference(cursor.u8());
        return true;
      case Op.Branch: {
        const by = cursor.u16() << 16 >> 16;
        if (this.#stack.pop() !== 0n) this.#branch(by);
        return true;
      }
      case Op.Skip:
        this.#branch(cursor.u16() << 16 >> 16);
        return true;
      case Op.RegisterX:
        this.#location = { kind: "register", register: cursor.count() };
        return true;
      case Op.BaseX:
        this.#pushFound(based(frame.register(cursor.count()), cursor.sleb()));
        return true;
      case Op.FrameBase:
        this.#pushFound(based(frameBase(frame), cursor.sleb()));
        return true;
      case Op.CallFrameCfa:
        this.#pushFound(frame.cfa);
        return true;
      case Op.Piece:
        this.#endPiece(cursor.count());
        return true;
      case Op.ImplicitValue:
        this.#location = { kind: "bytes", bytes: cursor.block(cursor.count()) };
        return true;
      case Op.StackValue:
        this.#isValue = true;
        return true;
      case Op.Address:
        this.#stack.push(cursor.u64() + frame.moved);
        return true;
      case Op.AddressIndex:
      case Op.ConstantIndex:
        this.#stack.push(frame.addressAt(cursor.count()));
        return true;
      case Op.Nop:
        return true;
      case Op.Convert:
        // Integers of 64 bits are all that the stack has here.
        cursor.count();
        return true;
      default:
        // Values of the caller, calls that a debugger would make, and vendors' operations.
        return false;
    }
  }

  #pushFound(value: bigint | undefined): void {
    this.#lost ||= value === undefined;
    this.#stack.push(value ?? 0n);
  }

  #dereference(size: number): void {
    if (![1, 2, 4, 8].includes(size)) throw new DwarfError(`a DWARF expression reads ${size} bytes`);
    const address = this.#stack.pop();
    this.#pushFound(this.#lost ? undefined : this.frame.memory(address, size));
  }

  #branch(by: number): void {
    const to = this.#cursor.at + by;
    if (!(to >= 0 && to <= this.expression.length)) throw new DwarfError("a DWARF expression branches out of itself");
    this.#cursor.at = to;
  }

  /** Ends a piece of `size` bytes; the operations after it describe the next one. */
  #endPiece(size: number): void {
    this.#pieces.push({ size, location: this.#result() });
    this.#location = undefined;
    this.#isValue = this.#lost = false;
    this.#stack.values.length = 0;
  }

  #result(): Location | undefined {
    if (this.#lost) return undefined;
    if (this.#location) return this.#location;
    if (!this.#stack.values.length) return undefined;
    return this.#isValue ? { kind: "value", value: this.#stack.pop() } : { kind: "memory", address: this.#stack.pop() };
  }
}

/**
 * Evaluates an expression; undefined if the value is lost: in a register that was overwritten,
 * in memory that cannot be read, or known to the caller alone.
 * @param first values on the stack before
 * @throws DwarfError
 */
export function locate(expression: Uint8Array, frame: FrameState, ...first: bigint[]): Location | undefined {
  return expression.length === 0 ? undefined : new Evaluation(expression, frame, [...first]).location();
}

function missing(): never {
  throw new DwarfError("a DWARF expression divides by zero");
}

const based = (base: bigint | undefined, offset: bigint) => base === undefined ? undefined : base + offset;

function frameBase(frame: FrameState): bigint | undefined {
  if (!frame.frameBase) return undefined;
  const base = locate(frame.frameBase, { ...frame, frameBase: undefined });
  if (base?.kind === "memory") return base.address;
  return base?.kind === "register" ? frame.register(base.register) : undefined;
}

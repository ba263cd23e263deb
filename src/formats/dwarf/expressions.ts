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

/**
 * Evaluates an expression; undefined if the value is lost: in a register that was overwritten,
 * in memory that cannot be read, or known to the caller alone.
 * @param first values on the stack before
 * @throws DwarfError
 */
export function locate(expression: Uint8Array, frame: FrameState, ...first: bigint[]): Location | undefined {
  if (expression.length === 0) return undefined;
  const cursor = new Cursor(expression, "a DWARF expression");
  const stack = [...first];
  const pieces: { size: number; location: Location | undefined }[] = [];
  let location: Location | undefined, isValue = false, lost = false;
  const push = (value: bigint) => {
    if (stack.length >= STACK_MAX) throw new DwarfError("a DWARF expression needs too much stack");
    stack.push(unsigned(value));
  };
  const pop = () => {
    const value = stack.pop();
    if (value === undefined) throw new DwarfError("a DWARF expression takes from an empty stack");
    return value;
  };
  const pushFound = (value: bigint | undefined) => {
    lost ||= value === undefined;
    push(value ?? 0n);
  };
  const pick = (depth: number) => {
    const value = stack.at(-1 - depth);
    if (value === undefined) throw new DwarfError("a DWARF expression picks from below the stack");
    push(value);
  };
  const dereference = (size: number) => {
    const address = pop();
    pushFound(lost ? undefined : frame.memory(address, size));
  };
  const branch = (by: number) => {
    const to = cursor.at + by;
    if (!(to >= 0 && to <= expression.length)) throw new DwarfError("a DWARF expression branches out of itself");
    cursor.at = to;
  };
  const two = (make: (a: bigint, b: bigint) => bigint) => {
    const b = pop(), a = pop();
    push(make(a, b));
  };
  const result = (): Location | undefined => {
    if (lost) return undefined;
    if (location) return location;
    if (!stack.length) return undefined;
    return isValue ? { kind: "value", value: pop() } : { kind: "memory", address: pop() };
  };
  for (let steps = 0; cursor.more; steps++) {
    if (steps >= STEPS_MAX) throw new DwarfError("a DWARF expression does not end");
    const op = cursor.u8();
    if (op >= Op.Literal0 && op < Op.Register0) push(BigInt(op - Op.Literal0));
    else if (op >= Op.Register0 && op < Op.Base0) location = { kind: "register", register: op - Op.Register0 };
    else if (op >= Op.Base0 && op < Op.RegisterX) pushFound(based(frame.register(op - Op.Base0), cursor.sleb()));
    else {
      switch (op) {
        case Op.Address:
          push(cursor.u64());
          break;
        case Op.Dereference:
          dereference(8);
          break;
        case Op.DereferenceSize: {
          const size = cursor.u8();
          if (![1, 2, 4, 8].includes(size)) throw new DwarfError(`a DWARF expression reads ${size} bytes`);
          dereference(size);
          break;
        }
        case Op.Const1u:
          push(BigInt(cursor.u8()));
          break;
        case Op.Const1s:
          push(BigInt(cursor.i8()));
          break;
        case Op.Const2u:
          push(BigInt(cursor.u16()));
          break;
        case Op.Const2s:
          push(BigInt.asIntN(16, BigInt(cursor.u16())));
          break;
        case Op.Const4u:
          push(BigInt(cursor.u32()));
          break;
        case Op.Const4s:
          push(BigInt.asIntN(32, BigInt(cursor.u32())));
          break;
        case Op.Const8u:
        case Op.Const8s:
          push(cursor.u64());
          break;
        case Op.Constu:
          push(cursor.uleb());
          break;
        case Op.Consts:
          push(cursor.sleb());
          break;
        case Op.Dup:
          pick(0);
          break;
        case Op.Drop:
          pop();
          break;
        case Op.Over:
          pick(1);
          break;
        case Op.Pick:
          pick(cursor.u8());
          break;
        case Op.Swap: {
          const b = pop(), a = pop();
          push(b);
          push(a);
          break;
        }
        case Op.Rot: {
          const c = pop(), b = pop(), a = pop();
          push(c);
          push(a);
          push(b);
          break;
        }
        case Op.Abs: {
          const value = signed(pop());
          push(value < 0n ? -value : value);
          break;
        }
        case Op.And:
          two((a, b) => a & b);
          break;
        case Op.Div:
          two((a, b) => b === 0n ? missing() : signed(a) / signed(b));
          break;
        case Op.Mod:
          two((a, b) => b === 0n ? missing() : a % b);
          break;
        case Op.Minus:
          two((a, b) => a - b);
          break;
        case Op.Mul:
          two((a, b) => a * b);
          break;
        case Op.Neg:
          push(-pop());
          break;
        case Op.Not:
          push(~pop());
          break;
        case Op.Or:
          two((a, b) => a | b);
          break;
        case Op.Plus:
          two((a, b) => a + b);
          break;
        case Op.PlusConstant:
          push(pop() + cursor.uleb());
          break;
        case Op.Shl:
          two((a, b) => b > 63n ? 0n : a << b);
          break;
        case Op.Shr:
          two((a, b) => b > 63n ? 0n : a >> b);
          break;
        case Op.Shra:
          two((a, b) => signed(a) >> (b > 63n ? 63n : b));
          break;
        case Op.Xor:
          two((a, b) => a ^ b);
          break;
        case Op.Eq:
          two((a, b) => BigInt(a === b));
          break;
        case Op.Ne:
          two((a, b) => BigInt(a !== b));
          break;
        case Op.Ge:
          two((a, b) => BigInt(signed(a) >= signed(b)));
          break;
        case Op.Gt:
          two((a, b) => BigInt(signed(a) > signed(b)));
          break;
        case Op.Le:
          two((a, b) => BigInt(signed(a) <= signed(b)));
          break;
        case Op.Lt:
          two((a, b) => BigInt(signed(a) < signed(b)));
          break;
        case Op.Branch: {
          const by = cursor.u16() << 16 >> 16;
          if (pop() !== 0n) branch(by);
          break;
        }
        case Op.Skip:
          branch(cursor.u16() << 16 >> 16);
          break;
        case Op.RegisterX:
          location = { kind: "register", register: cursor.count() };
          break;
        case Op.BaseX:
          pushFound(based(frame.register(cursor.count()), cursor.sleb()));
          break;
        case Op.FrameBase:
          pushFound(based(frameBase(frame), cursor.sleb()));
          break;
        case Op.CallFrameCfa:
          pushFound(frame.cfa);
          break;
        case Op.Piece: {
          const size = cursor.count();
          pieces.push({ size, location: result() });
          location = undefined;
          isValue = lost = false;
          stack.length = 0;
          break;
        }
        case Op.ImplicitValue:
          location = { kind: "bytes", bytes: cursor.block(cursor.count()) };
          break;
        case Op.StackValue:
          isValue = true;
          break;
        case Op.AddressIndex:
        case Op.ConstantIndex:
          push(frame.addressAt(cursor.count()));
          break;
        case Op.Nop:
          break;
        case Op.Convert:
          // Integers of 64 bits are all that the stack has here.
          cursor.count();
          break;
        default:
          // Values of the caller, calls that a debugger would make, and vendors' operations.
          return undefined;
      }
    }
  }
  return pieces.length ? { kind: "pieces", pieces } : result();
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

// Agent expressions: conditions of gdb's breakpoints as bytecode for a stack of 64-bit values (GDB
// manual, appendix F). Tracing is not built.

import { fromLittleEndian } from "../../../kit/support/values/bytes.ts";

/** Registers and memory for an expression. */
interface AgentReads {
  /** A register by gdb's number; undefined: there is none. */
  register(number: number): bigint | undefined;
  /** Memory at a virtual address; undefined: not all of it can be read. */
  memory(address: bigint, size: number): Uint8Array | undefined;
}

/** Instructions that an expression executes at most, and values on its stack. */
const MAXIMUM_STEPS = 10_000, MAXIMUM_STACK = 256;

/** An expression that cannot be evaluated. */
class Unanswerable extends Error {}

const signed = (value: bigint) => BigInt.asIntN(64, value);
const flag = (holds: boolean) => holds ? 1n : 0n;

function divided(left: bigint, right: bigint, work: (left: bigint, right: bigint) => bigint): bigint {
  if (right === 0n) throw new Unanswerable();
  return work(left, right);
}

/** Operations on the two values on top, `right` above `left`; both unsigned. */
const BINARY: Readonly<Record<number, (left: bigint, right: bigint) => bigint>> = {
  0x02: (left, right) => left + right,
  0x03: (left, right) => left - right,
  0x04: (left, right) => left * right,
  0x05: (left, right) => divided(signed(left), signed(right), (a, b) => a / b),
  0x06: (left, right) => divided(left, right, (a, b) => a / b),
  0x07: (left, right) => divided(signed(left), signed(right), (a, b) => a % b),
  0x08: (left, right) => divided(left, right, (a, b) => a % b),
  0x09: (left, right) => right < 64n ? left << right : 0n,
  0x0a: (left, right) => signed(left) >> (right < 64n ? right : 63n),
  0x0b: (left, right) => right < 64n ? left >> right : 0n,
  0x0f: (left, right) => left & right,
  0x10: (left, right) => left | right,
  0x11: (left, right) => left ^ right,
  0x13: (left, right) => flag(left === right),
  0x14: (left, right) => flag(signed(left) < signed(right)),
  0x15: (left, right) => flag(left < right),
};
const UNARY: Readonly<Record<number, (value: bigint) => bigint>> = {
  0x0e: (value) => flag(value === 0n),
  0x12: (value) => ~value,
};
/** Bytes that are read at the address on top. */
const REFERENCES: Readonly<Record<number, number>> = { 0x17: 1, 0x18: 2, 0x19: 4, 0x1a: 8 };
/** Bytes of a constant. */
const CONSTANTS: Readonly<Record<number, number>> = { 0x22: 1, 0x23: 2, 0x24: 4, 0x25: 8 };
const Op = {
  SignExtend: 0x16,
  IfGoto: 0x20,
  Goto: 0x21,
  Register: 0x26,
  End: 0x27,
  Dup: 0x28,
  Pop: 0x29,
  ZeroExtend: 0x2a,
  Swap: 0x2b,
} as const;
const PICK = 0x32, ROTATE = 0x33;

/** A program in execution: its stack, and its place in the code. */
class Evaluation {
  readonly #stack: bigint[] = [];
  #at = 0;

  constructor(readonly code: Uint8Array, readonly reads: AgentReads) {}

  /** The value on top at the end. */
  result(): bigint {
    for (let step = 0; step < MAXIMUM_STEPS; step++) {
      const op = this.#operand(1);
      if (op === Op.End) return this.#pop();
      this.#execute(op);
    }
    throw new Unanswerable();
  }

  #execute(op: number): void {
    const binary = BINARY[op], unary = UNARY[op], size = REFERENCES[op], constant = CONSTANTS[op];
    if (binary) {
      const right = this.#pop(), left = this.#pop();
      this.#push(binary(left, right));
    } else if (unary) this.#push(unary(this.#pop()));
    else if (size) this.#push(this.#read(this.#pop(), size));
    else if (constant) this.#push(this.#wide(constant));
    else this.#move(op);
  }

  /** Operations on the stack, the place in the code, and registers. */
  #move(op: number): void {
    switch (op) {
      case Op.SignExtend:
        return this.#push(BigInt.asIntN(this.#operand(1), this.#pop()));
      case Op.ZeroExtend:
        return this.#push(BigInt.asUintN(this.#operand(1), this.#pop()));
      case Op.IfGoto: {
        const to = this.#operand(2);
        if (this.#pop() !== 0n) this.#at = to;
        return;
      }
      case Op.Goto:
        return void (this.#at = this.#operand(2));
      case Op.Register: {
        const value = this.reads.register(this.#operand(2));
        if (value === undefined) throw new Unanswerable();
        return this.#push(value);
      }
      case Op.Dup:
        return this.#push(this.#from(0));
      case Op.Pop:
        return void this.#pop();
      case Op.Swap:
        return this.#rise(2);
      case PICK:
        return this.#push(this.#from(this.#operand(1)));
      case ROTATE:
        // The value on top goes below the two under it.
        this.#rise(3);
        return this.#rise(3);
      default:
        throw new Unanswerable();
    }
  }

  /** The `depth`th value from the top comes to the top. */
  #rise(depth: number): void {
    const value = this.#from(depth - 1);
    this.#stack.splice(-depth, 1);
    this.#push(value);
  }

  #from(depth: number): bigint {
    const value = this.#stack[this.#stack.length - 1 - depth];
    if (value === undefined) throw new Unanswerable();
    return value;
  }

  #push(value: bigint): void {
    if (this.#stack.length >= MAXIMUM_STACK) throw new Unanswerable();
    this.#stack.push(BigInt.asUintN(64, value));
  }

  #pop(): bigint {
    const value = this.#from(0);
    this.#stack.pop();
    return value;
  }

  /** An operand of the code, big-endian. */
  #operand(size: 1 | 2): number {
    return Number(this.#wide(size));
  }

  #wide(size: number): bigint {
    if (this.#at + size > this.code.length) throw new Unanswerable();
    let value = 0n;
    for (const byte of this.code.subarray(this.#at, this.#at += size)) value = value << 8n | BigInt(byte);
    return value;
  }

  #read(address: bigint, size: number): bigint {
    const bytes = this.reads.memory(address, size);
    if (bytes?.length !== size) throw new Unanswerable();
    return fromLittleEndian(bytes);
  }
}

/** The value of an expression, 64 bits; undefined if it has none here, or is damaged. */
export function agentValue(code: Uint8Array, reads: AgentReads): bigint | undefined {
  try {
    return new Evaluation(code, reads).result();
  } catch (error) {
    if (error instanceof Unanswerable) return undefined;
    throw error;
  }
}

// Binding times, the decoder's half: evaluates the static expressions of an encoding for an
// instruction word, and lays them out as operands of the 16-byte decoded instruction.
// docs/design/core.md §I6.

import type { Node } from "../../isa/notation/builder.ts";

/** Bytes of a decoded instruction. */
export const DECODED_SIZE = 16;

/** The start of the operands: after the number of the handler. */
export const FIRST_OPERAND = 2;

/** How an operand is stored in the decoded instruction. */
export type OperandKind = "u16" | "i32" | "u32" | "i64";

const OPERAND_BYTES: Record<OperandKind, number> = { u16: 2, i32: 4, u32: 4, i64: 8 };

/** An operand of a decoded instruction, as the decoder writes it. */
export interface StoredOperand {
  /** In the decoded instruction, in bytes. */
  readonly offset: number;
  readonly kind: OperandKind;
  /** Its value for an instruction word; a bigint only for the kind i64. */
  readonly evaluate: (word: number) => number | bigint;
}

/** An operand that is a static expression. */
export class DecodedOperand implements StoredOperand {
  #evaluate: StoredOperand["evaluate"] | undefined;

  /** @param key `staticKey` of the expression */
  constructor(readonly node: Node, readonly key: string, readonly offset: number, readonly kind: OperandKind) {}

  get evaluate(): StoredOperand["evaluate"] {
    return this.#evaluate ??= operandEvaluator(this.node, this.kind);
  }
}

/** A text that is equal for equal static expressions. */
export function staticKey(node: Node): string {
  switch (node.kind) {
    case "field":
      return `f${node.position}.${node.width}`;
    case "constant":
      return `${node.type}:${node.value}`;
    case "op":
      return `${node.name}(${node.operands.map(staticKey).join()})`;
    case "computed":
      return `${node.name}:${node.type}(${node.operands.map(staticKey).join()})`;
  }
  throw new Error(`${node.kind} is not static`);
}

/** The operands of the decoded instructions of one encoding, placed as they are asked for. */
export class OperandLayout {
  /** In the order in which they were asked for. */
  readonly operands: DecodedOperand[] = [];
  readonly #used = new Array<boolean>(DECODED_SIZE).fill(false);

  /** @param first first free byte. */
  constructor(readonly encoding: string, first = FIRST_OPERAND) {
    this.#used.fill(true, 0, first);
  }

  /**
   * The operand for a static expression. Throws when the decoded instruction is full: the entry
   * must be rephrased.
   */
  place(node: Node): DecodedOperand {
    const key = staticKey(node);
    const known = this.operands.find((operand) => operand.key === key);
    if (known) return known;
    const kind = operandKind(node);
    const bytes = OPERAND_BYTES[kind];
    let offset = 0;
    while (offset < DECODED_SIZE && this.#used.slice(offset, offset + bytes).some(Boolean)) offset += bytes;
    if (offset + bytes > DECODED_SIZE) throw new Error(`${this.encoding}: the operands do not fit into a decoded instruction (${key})`);
    this.#used.fill(true, offset, offset + bytes);
    const operand = new DecodedOperand(node, key, offset, kind);
    this.operands.push(operand);
    return operand;
  }
}

function operandKind(node: Node): OperandKind {
  const within = (low: number, high: number) => node.low !== undefined && node.high !== undefined && node.low >= low && node.high <= high;
  if (within(0, 0xffff)) return "u16";
  if (node.type === "i32" || within(-0x80000000, 0x7fffffff)) return "i32";
  return within(0, 0xffffffff) ? "u32" : "i64";
}

/** Widest field whose values are all evaluated in advance. */
const TABLE_WIDTH = 6;

/**
 * Values of operands that depend on one narrow field, by their keys: register numbers in most
 * cases.
 */
const tables = new Map<string, number[]>();

function operandEvaluator(node: Node, kind: OperandKind): StoredOperand["evaluate"] {
  if (kind === "i64" && node.low === undefined) {
    if (node.kind !== "computed") return evaluateBig(node);
    const { compute } = node, operands = node.operands.map(evaluateNumber);
    return (word) => compute(...operands.map((operand) => operand(word)));
  }
  const evaluate = evaluateNumber(node);
  const fields = new Map<number, number>();
  collectFields(node, fields);
  const [[position, width] = [0, 32], ...others] = fields;
  if (others.length || width > TABLE_WIDTH) return evaluate;
  const key = staticKey(node);
  let table = tables.get(key);
  if (!table) tables.set(key, table = Array.from({ length: 2 ** width }, (_, value) => evaluate((value << position) >>> 0)));
  const values = table, mask = 2 ** width - 1;
  return (word) => values[(word >>> position) & mask];
}

/** Adds the widths of the fields that a static expression depends on, by position. */
export function collectFields(node: Node, into: Map<number, number>): void {
  if (node.kind === "field") into.set(node.position, node.width);
  else if ("operands" in node) { for (const operand of node.operands) collectFields(operand, into); }
}

/** The memory as arrays of the sizes that operands have. */
export class OperandWriter {
  readonly #halves: Uint16Array;
  readonly #words: Int32Array;
  readonly #doublewords: BigInt64Array;

  constructor(memory: WebAssembly.Memory) {
    this.#halves = new Uint16Array(memory.buffer);
    this.#words = new Int32Array(memory.buffer);
    this.#doublewords = new BigInt64Array(memory.buffer);
  }

  /** Writes an operand's value into the decoded instruction at `address`. */
  store(address: number, operand: StoredOperand, word: number): void {
    const value = operand.evaluate(word);
    const at = address + operand.offset;
    if (typeof value === "bigint") this.#doublewords[at >>> 3] = value;
    else if (operand.kind === "u16") this.#halves[at >>> 1] = value;
    else {
      this.#words[at >>> 2] = value;
      if (operand.kind === "i64") this.#words[(at >>> 2) + 1] = Math.floor(value / 2 ** 32);
    }
  }
}

type Binary = (a: number, b: number) => number;

/** i32 arithmetic; results are int32. */
const INT32: Record<string, Binary> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: (a, b) => Math.imul(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_u: (a, b) => (a >>> b) | 0,
  shr_s: (a, b) => a >> b,
  rotr: (a, b) => (a >>> (b & 31) | a << (-b & 31)) | 0,
  eq: (a, b) => a === b ? 1 : 0,
  ne: (a, b) => a !== b ? 1 : 0,
  lt_s: (a, b) => a < b ? 1 : 0,
  gt_s: (a, b) => a > b ? 1 : 0,
  le_s: (a, b) => a <= b ? 1 : 0,
  ge_s: (a, b) => a >= b ? 1 : 0,
  lt_u: (a, b) => a >>> 0 < b >>> 0 ? 1 : 0,
  gt_u: (a, b) => a >>> 0 > b >>> 0 ? 1 : 0,
  le_u: (a, b) => a >>> 0 <= b >>> 0 ? 1 : 0,
  ge_u: (a, b) => a >>> 0 >= b >>> 0 ? 1 : 0,
  eqz: (a) => a === 0 ? 1 : 0,
  clz: (a) => Math.clz32(a),
  extend8_s: (a) => a << 24 >> 24,
  extend16_s: (a) => a << 16 >> 16,
};

/** i64 arithmetic whose exact results are known to be safe integers. */
const EXACT: Record<string, Binary> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  shl: (a, b) => a * 2 ** b,
};

/** The value of a static i32, as an int32, or of a static i64 with known bounds. */
export function evaluateNumber(node: Node): (word: number) => number {
  if (node.kind === "constant") {
    const value = node.type === "i32" ? Number(BigInt.asIntN(32, BigInt(node.value))) : Number(node.value);
    return () => value;
  }
  if (node.kind === "field") {
    const { position, width } = node;
    const mask = 2 ** width - 1;
    return (word) => (word >>> position) & mask;
  }
  if (node.kind === "computed") {
    const { compute } = node, operands = node.operands.map(evaluateNumber);
    const narrow = node.type === "i32";
    return (word) => {
      const value = compute(...operands.map((operand) => operand(word)));
      return typeof value === "bigint" ? Number(BigInt.asIntN(narrow ? 32 : 64, value)) : narrow ? value | 0 : value;
    };
  }
  if (node.kind !== "op") throw new Error(`${node.kind} is not static`);
  if (node.name === "select") {
    const [a, b, condition] = node.operands.map(evaluateNumber);
    return (word) => condition(word) ? a(word) : b(word);
  }
  const [, op] = node.name.split(".");
  const bounded = (operand: Node) => operand.type === "i32" || operand.low !== undefined;
  if (op === "extend_i32_s") return evaluateNumber(node.operands[0]);
  if (op === "extend_i32_u") {
    const operand = evaluateNumber(node.operands[0]);
    return (word) => operand(word) >>> 0;
  }
  if (op === "wrap_i64") {
    const [operand] = node.operands;
    if (!bounded(operand)) {
      const big = evaluateBig(operand);
      return (word) => Number(BigInt.asIntN(32, big(word)));
    }
    const value = evaluateNumber(operand);
    return (word) => Number(BigInt.asIntN(32, BigInt(value(word))));
  }
  const compute = (node.operands[0].type === "i32" ? INT32 : EXACT)[op];
  if (compute && node.operands.every(bounded)) {
    const [a, b] = node.operands.map(evaluateNumber);
    return b ? (word) => compute(a(word), b(word)) : (word) => compute(a(word), 0);
  }
  const big = evaluateBig(node);
  return (word) => Number(big(word));
}

/** i64 arithmetic on sign-extended values; results are cut by the caller. */
const INT64: Record<string, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << (b & 63n),
  shr_u: (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
  shr_s: (a, b) => a >> (b & 63n),
};

/** The value of any static expression as a sign-extended bigint. */
export function evaluateBig(node: Node): (word: number) => bigint {
  if (node.type === "i32" || node.low !== undefined && node.kind !== "op") {
    const value = evaluateNumber(node);
    return (word) => BigInt(value(word));
  }
  if (node.kind === "constant") {
    const value = BigInt.asIntN(64, BigInt(node.value));
    return () => value;
  }
  if (node.kind === "computed") {
    const { compute } = node, operands = node.operands.map(evaluateNumber);
    return (word) => BigInt.asIntN(64, BigInt(compute(...operands.map((operand) => operand(word)))));
  }
  if (node.kind !== "op") throw new Error(`${node.kind} is not static`);
  const [a, b, condition] = node.operands.map(evaluateBig);
  if (node.name === "select") return (word) => condition(word) ? a(word) : b(word);
  const [, op] = node.name.split(".");
  if (op === "extend_i32_s") return a;
  if (op === "extend_i32_u") return (word) => BigInt.asUintN(32, a(word));
  const compute = INT64[op];
  if (!compute) throw new Error(`${node.name} has no evaluation at decode time`);
  return (word) => BigInt.asIntN(64, compute(a(word), b ? b(word) : 0n));
}

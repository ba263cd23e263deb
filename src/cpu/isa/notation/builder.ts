// The builder in which the meaning of an instruction is written: typed expressions and statements,
// close to the pseudocode of the Arm Architecture Reference Manual. It knows nothing of WebAssembly
// modules or machines; `core/interpreter` turns the result into code. docs/design/core.md §I6.
//
// Binding times: an expression that depends on encoding fields alone is *static*. Maximal static
// subtrees of integer operations become operands in the decoded instruction, evaluated once by the
// decoder (`cpu/core/decoded/operands.ts`). Authors of semantics need not care.

/** Types of values, as WebAssembly has them. */
export type Type = "i32" | "i64" | "f32" | "f64" | "v128";

/**
 * An expression. `low` and `high` bound a static value where known; they choose how wide its
 * operand in the decoded instruction is.
 */
export type Node = { readonly type: Type; readonly isStatic: boolean; readonly low?: number; readonly high?: number } & Expression;

type Expression =
  | { readonly kind: "field"; readonly name: string; readonly position: number; readonly width: number }
  | { readonly kind: "constant"; readonly value: number | bigint }
  | { readonly kind: "vectorConstant"; readonly lowHalf: bigint; readonly highHalf: bigint }
  | { readonly kind: "op"; readonly name: string; readonly operands: readonly Node[] }
  | { readonly kind: "computed"; readonly name: string; readonly operands: readonly Node[]; readonly compute: Compute }
  | { readonly kind: "lane"; readonly name: string; readonly lane: number; readonly operands: readonly Node[] }
  | { readonly kind: "shuffle"; readonly lanes: readonly number[]; readonly operands: readonly Node[] }
  | { readonly kind: "register"; readonly bank: Bank; readonly index: Node }
  | { readonly kind: "vector"; readonly instruction: string; readonly index: Node; readonly offset: Node }
  | { readonly kind: "ramLoad"; readonly instruction: string; readonly place: Node; readonly offset: number }
  | { readonly kind: "flag"; readonly flag: Flag }
  | { readonly kind: "condition"; readonly cond: number }
  | { readonly kind: "state"; readonly name: StateName }
  | { readonly kind: "pc" }
  | { readonly kind: "local"; readonly id: number };

/**
 * Computes a static value from the values of its operands (sign-extended); the result is cut to the
 * node's type.
 */
export type Compute = (...operands: number[]) => number | bigint;

/**
 * The meaning of number 31: the zero register, the stack pointer, or (`update`) a register that is
 * only read to be written again.
 */
export type Bank = "zr" | "sp" | "update";

/**
 * A condition flag. N and V are the sign of an i64, Z is set when an i64 is zero, C is an i32 of 0
 * or 1.
 */
export type Flag = "N" | "Z" | "C" | "V";

/** State other than the register files that instructions read or write directly, and its types. */
const STATE_TYPES = {
  FPCR: "i32",
  FPSR: "i32",
  PSTATE: "i32",
  /** PSTATE, or with FEAT_EL2 its EL alone: 0 there where DC ZVA has to be checked. */
  ZERO_LEVEL: "i32",
  EVENT: "i32",
  SP_EL0: "i64",
  TPIDR_EL0: "i64",
  TPIDR_EL1: "i64",
  TPIDR_EL2: "i64",
  TPIDRRO_EL0: "i64",
  EXCLUSIVE: "i32",
  EXCLUSIVE_ADDRESS: "i64",
  EXCLUSIVE_VALUE: "i64",
  EXCLUSIVE_VALUE2: "i64",
  SCRATCH0: "i64",
  SCRATCH1: "i64",
  FETCHES_DROPPED: "i32",
} as const satisfies Record<string, Type>;

export type StateName = keyof typeof STATE_TYPES;

/** Properties of an access to guest memory other than its size. */
export interface AccessOptions {
  /** The loaded value is sign-extended. */
  signed?: boolean;
  /** Faults when the address is not a multiple of the size; FEAT_LSE2 permits more. */
  aligned?: boolean;
  /** An acquire or release that is neither exclusive nor atomic: SCTLR_EL1.nAA is about these. */
  ordered?: boolean;
  /** Checked as an EL0 access. */
  unprivileged?: boolean;
  /** One element of several: a stage-2 abort has no syndrome. */
  part?: boolean;
  /** log2 of the number of elements in it, a static i32, where alignment is that of an element. */
  elements?: Node;
}

/**
 * The operands of the subtraction that set the flags: the next instruction can compare them instead
 * of reading the flags.
 */
export type Compared = readonly [a: Node, b: Node];

/** A statement. Lists are executed in order; a fault ends the instruction at once. */
export type Statement =
  | { readonly kind: "let"; readonly id: number; readonly value: Node }
  | { readonly kind: "setRegister"; readonly bank: Bank; readonly index: Node; readonly value: Node }
  | { readonly kind: "setVector"; readonly instruction: string; readonly index: Node; readonly offset: Node; readonly value: Node }
  | { readonly kind: "setFlags"; readonly n: Node; readonly z: Node; readonly c: Node; readonly v: Node; readonly compared?: Compared }
  | { readonly kind: "setState"; readonly name: StateName; readonly value: Node }
  | { readonly kind: "load"; readonly id: number; readonly size: number; readonly address: Node; readonly options: AccessOptions }
  | {
    readonly kind: "loadPair";
    readonly ids: readonly [number, number];
    readonly size: number;
    readonly address: Node;
    readonly options: AccessOptions;
  }
  | { readonly kind: "store"; readonly size: number; readonly address: Node; readonly value: Node; readonly options: AccessOptions }
  | { readonly kind: "storePair"; readonly size: number; readonly address: Node; readonly values: readonly [Node, Node] }
  | { readonly kind: "ramAddress"; readonly id: number; readonly size: number; readonly address: Node; readonly zero: boolean }
  | { readonly kind: "ramStore"; readonly instruction: string; readonly place: Node; readonly offset: number; readonly value: Node }
  | {
    readonly kind: "call";
    readonly id: number | undefined;
    readonly name: string;
    readonly operands: readonly Node[];
    readonly faults: boolean;
    /** See `Builder.callTried`. */
    readonly attempt?: string;
  }
  | { readonly kind: "if"; readonly condition: Node; readonly then: readonly Statement[]; readonly otherwise: readonly Statement[] }
  | { readonly kind: "branch"; readonly offset: Node; readonly condition: Node | undefined }
  | { readonly kind: "branchTo"; readonly address: Node; readonly type?: Node };

/** An operand of a builder method: constants become nodes of the type of the other operand. */
export type NodeOperand = Node | number | bigint;

/** Operations that the decoder can evaluate, so that they keep an expression static. */
const STATIC_OPS = new Set(
  "add sub mul and or xor shl shr_u shr_s rotr eq ne lt_u lt_s ge_u ge_s gt_u gt_s le_u le_s eqz clz extend_i32_u extend_i32_s wrap_i64 extend8_s extend16_s extend32_s"
    .split(" ").flatMap((op) => [`i32.${op}`, `i64.${op}`]),
).add("select");

const SCALAR_COMPARISON = /^[if](32|64)\.(eqz|eq|ne|lt|gt|le|ge)(_[su])?$/;
const VECTOR_TEST = /\.(any_true|all_true|bitmask)$/;
const LANE_RESULT: Record<string, Type> = { i8x16: "i32", i16x8: "i32", i32x4: "i32", i64x2: "i64", f32x4: "f32", f64x2: "f64" };

/** Result types by instruction. */
const resultTypes = new Map<string, Type>();

function resultType(name: string): Type {
  let type = resultTypes.get(name);
  if (!type) resultTypes.set(name, type = computeResultType(name));
  return type;
}

function computeResultType(name: string): Type {
  if (SCALAR_COMPARISON.test(name) || VECTOR_TEST.test(name)) return "i32";
  const prefix = name.slice(0, name.indexOf("."));
  return prefix.length === 3 ? prefix as Type : "v128";
}

/**
 * The range of an i32 or i64 result, where interval arithmetic gives one that is exact (no
 * wrap-around).
 */
function resultRange(name: string, operands: readonly Node[]): { low: number; high: number } | undefined {
  const [a, b] = operands;
  if (a?.low === undefined || a.high === undefined) return SCALAR_COMPARISON.test(name) ? { low: 0, high: 1 } : undefined;
  if (SCALAR_COMPARISON.test(name)) return { low: 0, high: 1 };
  const [type, op] = name.split(".");
  const make = (low: number, high: number) =>
    type === "i32" && (low < -0x80000000 || high > 0x7fffffff) || !Number.isSafeInteger(low) || !Number.isSafeInteger(high)
      ? undefined
      : { low, high };
  if (op === "extend_i32_s" || (op === "extend_i32_u" || op === "wrap_i64") && a.low >= 0 && a.high <= 0x7fffffff) {
    return make(a.low, a.high);
  }
  if (b?.low === undefined || b.high === undefined) return undefined;
  if (op === "add") return make(a.low + b.low, a.high + b.high);
  if (op === "sub") return make(a.low - b.high, a.high - b.low);
  if (op === "and" && b.low >= 0) return make(0, b.high);
  if (op === "or" && a.low >= 0 && b.low >= 0) {
    return make(Math.max(a.low, b.low), 2 ** Math.ceil(Math.log2(Math.max(a.high, b.high) + 1)) - 1);
  }
  if (op === "shl" && b.low === b.high && b.low < 48) return make(a.low * 2 ** b.low, a.high * 2 ** b.low);
  if (op === "shr_u" && b.low === b.high && a.low >= 0) return make(Math.floor(a.low / 2 ** b.low), Math.floor(a.high / 2 ** b.low));
  return undefined;
}

/**
 * Collects the statements of one instruction. Its methods have the names of the Arm manual's
 * pseudocode or of Wasm instructions.
 */
export class Builder {
  readonly statements: Statement[] = [];
  /** Types of the local values, by id. */
  readonly locals: Type[] = [];
  #list: Statement[] = this.statements;

  /** @param alternate the CPU has FEAT_AFP: the meaning has the ways of FPCR.AH and FPCR.NEP */
  constructor(readonly alternate = false) {}

  // ---- Constants and static values ----

  i32(value: number | bigint): Node {
    return constant("i32", value);
  }
  i64(value: number | bigint): Node {
    return constant("i64", value);
  }
  f32(value: number): Node {
    return { kind: "constant", type: "f32", isStatic: false, value };
  }
  f64(value: number): Node {
    return { kind: "constant", type: "f64", isStatic: false, value };
  }
  /** A vector constant from its halves. */
  v128(lowHalf: bigint, highHalf: bigint): Node {
    return { kind: "vectorConstant", type: "v128", isStatic: false, lowHalf, highHalf };
  }
  /**
   * A static value that TypeScript computes at decode time from static i32 operands. `name` must be
   * unique to the function.
   */
  computed(type: "i32" | "i64", name: string, operands: readonly Node[], compute: Compute, low?: number, high?: number): Node {
    if (!operands.every((o) => o.isStatic)) throw new Error(`${name}: an operand depends on more than the encoding`);
    return { kind: "computed", type, isStatic: true, name, operands, compute, low, high };
  }
  /** The same static value with bounds that the author knows; both are inclusive. */
  range(node: Node, low: number, high: number): Node {
    return { ...node, low, high };
  }

  // ---- Operations ----

  /**
   * Any Wasm instruction without an immediate, by name. Number operands take the type of the first
   * node.
   */
  op(name: string, ...operands: NodeOperand[]): Node {
    const type = operands.find((o): o is Node => typeof o === "object")?.type;
    if (!type) throw new Error(`${name} without an operand of known type`);
    return this.#op(name, operands.map((o) => this.#lift(o, type)));
  }

  add = (a: Node, b: NodeOperand): Node => this.#scalar("add", a, b);
  sub = (a: Node, b: NodeOperand): Node => this.#scalar("sub", a, b);
  mul = (a: Node, b: NodeOperand): Node => this.#scalar("mul", a, b);
  and = (a: Node, b: NodeOperand): Node => a.type === "v128" ? this.op("v128.and", a, b) : this.#scalar("and", a, b);
  or = (a: Node, b: NodeOperand): Node => a.type === "v128" ? this.op("v128.or", a, b) : this.#scalar("or", a, b);
  eor = (a: Node, b: NodeOperand): Node => a.type === "v128" ? this.op("v128.xor", a, b) : this.#scalar("xor", a, b);
  not = (a: Node): Node => a.type === "v128" ? this.op("v128.not", a) : this.eor(a, -1);
  neg = (a: Node): Node => this.sub(constant(a.type, 0), a);
  /**
   * Shifts: the count is a number, or a node of either integer type; as in Wasm it counts modulo
   * the width.
   */
  lsl = (a: Node, count: NodeOperand): Node => this.#shift("shl", a, count);
  lsr = (a: Node, count: NodeOperand): Node => this.#shift("shr_u", a, count);
  asr = (a: Node, count: NodeOperand): Node => this.#shift("shr_s", a, count);
  ror = (a: Node, count: NodeOperand): Node => this.#shift("rotr", a, count);
  eq = (a: Node, b: NodeOperand): Node => this.#scalar("eq", a, b);
  ne = (a: Node, b: NodeOperand): Node => this.#scalar("ne", a, b);
  ltU = (a: Node, b: NodeOperand): Node => this.#scalar("lt_u", a, b);
  ltS = (a: Node, b: NodeOperand): Node => this.#scalar("lt_s", a, b);
  geU = (a: Node, b: NodeOperand): Node => this.#scalar("ge_u", a, b);
  geS = (a: Node, b: NodeOperand): Node => this.#scalar("ge_s", a, b);
  gtU = (a: Node, b: NodeOperand): Node => this.#scalar("gt_u", a, b);
  gtS = (a: Node, b: NodeOperand): Node => this.#scalar("gt_s", a, b);
  clz = (a: Node): Node => this.op(`${a.type}.clz`, a);
  /** 1 when `a` is zero. */
  isZero = (a: Node): Node => this.op(`${a.type}.eqz`, a);

  /** Zero-extension of an i32 to i64; an i64 stays. */
  zeroExtend64 = (a: Node): Node => a.type === "i64" ? a : this.op("i64.extend_i32_u", a);
  /** Sign-extension of an i32 to i64; an i64 stays. */
  signExtend64 = (a: Node): Node => a.type === "i64" ? a : this.op("i64.extend_i32_s", a);
  /** The low 32 bits. */
  wrap = (a: Node): Node => a.type === "i32" ? a : this.op("i32.wrap_i64", a);
  /** Sign-extends the low `width` bits in place. */
  signExtend(a: Node, width: number): Node {
    const bits = a.type === "i32" ? 32 : 64;
    if (width === bits) return a;
    const native = width === 8 || width === 16 || width === 32;
    const node = native ? this.op(`${a.type}.extend${width}_s`, a) : this.asr(this.lsl(a, bits - width), bits - width);
    return width <= 32 ? this.range(node, -(2 ** (width - 1)), 2 ** (width - 1) - 1) : node;
  }
  /** A node of the type that `sf` chooses: i64 for 1. Zero-extended. */
  sized = (sf: number, a: Node): Node => sf ? this.zeroExtend64(a) : this.wrap(a);

  /** `condition ? a : b`; both are evaluated. */
  select(condition: Node, a: Node, b: NodeOperand): Node {
    const other = this.#lift(b, a.type);
    const { low, high } = a, { low: otherLow, high: otherHigh } = other;
    const known = low !== undefined && high !== undefined && otherLow !== undefined && otherHigh !== undefined;
    const isStatic = a.isStatic && other.isStatic && condition.isStatic;
    return {
      kind: "op",
      type: a.type,
      isStatic,
      name: "select",
      operands: [a, other, condition],
      ...(known && { low: Math.min(low, otherLow), high: Math.max(high, otherHigh) }),
    };
  }

  /**
   * A lane instruction: extract (one operand) or replace (vector and scalar). The lane is a plain
   * number.
   */
  lane(name: string, lane: number, ...operands: Node[]): Node {
    const prefix = name.slice(0, name.indexOf("."));
    const type = name.includes("extract") ? LANE_RESULT[prefix] : "v128";
    return { kind: "lane", type, isStatic: false, name, lane, operands };
  }
  /** `i8x16.shuffle`: lanes 0 to 15 are of `a`, 16 to 31 of `b`. */
  shuffle(lanes: readonly number[], a: Node, b: Node): Node {
    return { kind: "shuffle", type: "v128", isStatic: false, lanes, operands: [a, b] };
  }

  /**
   * Binds a value to a local at this point of the statement order, so that it is evaluated once.
   */
  let(value: Node): Node {
    if (value.kind === "local" || value.kind === "constant" || value.isStatic) return value;
    const local = this.#local(value.type);
    this.#list.push({ kind: "let", id: local.id, value });
    return local;
  }
  /**
   * A static value as one operand of the decoded instruction, which stays small: expressions of it
   * are computed at run time.
   */
  atRunTime(value: Node): Node {
    return this.variable(value);
  }
  /** A local that is assigned again: loops are unrolled by the author, `if` needs these. */
  variable(initial: Node): Node {
    const local = this.#local(initial.type);
    this.#list.push({ kind: "let", id: local.id, value: initial });
    return local;
  }
  /** Assigns to what `variable` gave. */
  assign(variable: Node, value: Node): void {
    if (variable.kind !== "local") throw new Error("only a variable can be assigned to");
    this.#list.push({ kind: "let", id: variable.id, value });
  }

  // ---- General registers ----

  X = (index: Node | number): Node => this.let(this.#register("zr", index));
  W = (index: Node | number): Node => this.let(this.wrap(this.#register("zr", index)));
  /** X or W, as `sf` says. */
  R = (sf: number, index: Node | number): Node => sf ? this.X(index) : this.W(index);
  XSP = (index: Node | number): Node => this.let(this.#register("sp", index));
  RSP = (sf: number, index: Node | number): Node => sf ? this.XSP(index) : this.let(this.wrap(this.#register("sp", index)));
  /**
   * A register that this instruction changes in part. One operand serves the read and the
   * write; XZR reads as anything, as the result is dropped.
   */
  Rupdate = (sf: number, index: Node | number): Node => {
    const value = this.#register("update", index);
    return this.let(sf ? value : this.wrap(value));
  };
  /** Writes X; an i32 is zero-extended, as writes of W are. */
  setR(index: Node | number, value: Node): void {
    this.#list.push({ kind: "setRegister", bank: "zr", index: this.#lift(index, "i32"), value: this.zeroExtend64(value) });
  }
  setRSP(index: Node | number, value: Node): void {
    this.#list.push({ kind: "setRegister", bank: "sp", index: this.#lift(index, "i32"), value: this.zeroExtend64(value) });
  }

  // ---- Vector registers ----

  Q = (index: Node | number): Node => this.let(this.readV("v128.load", index));
  D = (index: Node | number): Node => this.let(this.readV("f64.load", index));
  S = (index: Node | number): Node => this.let(this.readV("f32.load", index));
  /** The low 64, 32, 16 or 8 bits as integers; the narrow ones zero-extended. */
  Dbits = (index: Node | number): Node => this.let(this.readV("i64.load", index));
  Sbits = (index: Node | number): Node => this.let(this.readV("i32.load", index));
  Hbits = (index: Node | number): Node => this.let(this.readV("i32.load16_u", index));
  Bbits = (index: Node | number): Node => this.let(this.readV("i32.load8_u", index));
  /** Any Wasm load from register `index` at a static byte offset: element access without shapes. */
  readV(instruction: string, index: Node | number, offset: Node | number = 0): Node {
    const type = instruction.slice(0, instruction.indexOf(".")) as Type;
    return { kind: "vector", type, isStatic: false, instruction, index: this.#lift(index, "i32"), offset: this.#lift(offset, "i32") };
  }
  /** Writes all 128 bits. */
  setQ(index: Node | number, value: Node): void {
    this.writeV("v128.store", index, 0, value);
  }
  /** Writes the low 64 bits (f64 or i64) and zeroes the rest. */
  setD(index: Node | number, value: Node): void {
    this.writeV(`${value.type}.store`, index, 0, value);
    this.writeV("i64.store", index, 8, this.i64(0));
  }
  /** Writes the low 32 bits (f32 or i32) and zeroes the rest. */
  setS(index: Node | number, value: Node): void {
    this.writeV("i64.store", index, 0, this.zeroExtend64(value.type === "f32" ? this.op("i32.reinterpret_f32", value) : value));
    this.writeV("i64.store", index, 8, this.i64(0));
  }
  /** Writes the low 16 bits of an i32 and zeroes the rest. */
  setH(index: Node | number, value: Node): void {
    this.setS(index, this.and(value, 0xffff));
  }
  /** Writes the low 8 bits of an i32 and zeroes the rest. */
  setB(index: Node | number, value: Node): void {
    this.setS(index, this.and(value, 0xff));
  }
  /** Writes the low 64 bits of a vector and zeroes the rest: results of 64-bit arrangements. */
  setQLow(index: Node | number, value: Node): void {
    this.setD(index, this.lane("i64x2.extract_lane", 0, value));
  }
  /** Any Wasm store into register `index` at a static byte offset; other bytes stay. */
  writeV(instruction: string, index: Node | number, offset: Node | number, value: Node): void {
    this.#list.push({ kind: "setVector", instruction, index: this.#lift(index, "i32"), offset: this.#lift(offset, "i32"), value });
  }

  // ---- Flags, PC and other state ----

  /** The raw word of a flag, see `Flag`. */
  flag(flag: Flag): Node {
    return { kind: "flag", type: flag === "C" ? "i32" : "i64", isStatic: false, flag };
  }
  /** Sets all four; operands as `Flag` says. They are evaluated before any is stored. */
  setFlags(n: Node, z: Node, c: Node, v: Node, compared?: Compared): void {
    this.#list.push({ kind: "setFlags", n, z, c, v, compared });
  }
  /** Sets the flags from N:Z:C:V in bits 3:0 of an i32. */
  setNZCV(nzcv: Node): void {
    const bits = this.let(nzcv);
    const sign = (bit: number) => this.lsl(this.zeroExtend64(bits), 63 - bit);
    this.setFlags(sign(3), this.zeroExtend64(this.eor(this.and(this.lsr(bits, 2), 1), 1)), this.and(this.lsr(bits, 1), 1), sign(0));
  }
  /** N:Z:C:V in bits 3:0 of an i32. */
  nzcv(): Node {
    const sign = (flag: Flag, bit: number) => this.lsl(this.wrap(this.lsr(this.flag(flag), 63)), bit);
    return this.or(this.or(sign("N", 3), this.lsl(this.isZero(this.flag("Z")), 2)), this.or(this.lsl(this.flag("C"), 1), sign("V", 0)));
  }
  /** ConditionHolds: an i32 of 0 or 1. `cond` is the number of the encoding. */
  condition(cond: number): Node {
    return { kind: "condition", type: "i32", isStatic: false, cond };
  }
  /** The address of this instruction, i64. */
  pc(): Node {
    return { kind: "pc", type: "i64", isStatic: false };
  }
  state(name: StateName): Node {
    return { kind: "state", type: STATE_TYPES[name], isStatic: false, name };
  }
  setState(name: StateName, value: NodeOperand): void {
    this.#list.push({ kind: "setState", name, value: this.#lift(value, STATE_TYPES[name]) });
  }

  // ---- Memory ----

  /**
   * Loads `size` bytes (1 to 8 as i32 or i64, 4 as f32, 8 as f64, 16 as v128) from an i64 virtual
   * address. May fault.
   */
  load(type: Type, size: number, address: Node, options: AccessOptions = {}): Node {
    const local = this.#local(type);
    this.#list.push({ kind: "load", id: local.id, size, address, options });
    return local;
  }
  /** Stores the low `size` bytes of `value`. May fault. */
  store(size: number, address: Node, value: Node, options: AccessOptions = {}): void {
    this.#list.push({ kind: "store", size, address, value, options });
  }
  /**
   * Loads two neighbors of `size` bytes each (4 or 8 as i32 or i64, 16 as v128). May fault; then
   * neither is loaded.
   */
  loadPair(type: Type, size: number, address: Node, options: AccessOptions = {}): [Node, Node] {
    const first = this.#local(type), second = this.#local(type);
    this.#list.push({ kind: "loadPair", ids: [first.id, second.id], size, address, options });
    return [first, second];
  }
  storePair(size: number, address: Node, first: Node, second: Node): void {
    this.#list.push({ kind: "storePair", size, address, values: [first, second] });
  }
  /**
   * The place of `size` aligned bytes of guest RAM after translation, writable, as an i32 for
   * `ramLoad` and `ramStore` in this instruction. May fault. With `zero` it is the block around the
   * address, as DC ZVA zeroes it.
   */
  ramAddress(size: number, address: Node, zero = false): Node {
    const local = this.#local("i32");
    this.#list.push({ kind: "ramAddress", id: local.id, size, address, zero });
    return local;
  }
  /** Any Wasm load at what `ramAddress` gave. */
  ramLoad(instruction: string, place: Node, offset = 0): Node {
    const type = instruction.slice(0, instruction.indexOf(".")) as Type;
    return this.let({ kind: "ramLoad", type, isStatic: false, instruction, place, offset });
  }
  /** Any Wasm store at what `ramAddress` gave. */
  ramStore(instruction: string, place: Node, value: Node, offset = 0): void {
    this.#list.push({ kind: "ramStore", instruction, place, offset, value });
  }

  // ---- Calls and control ----

  /** Calls a function of the core's library that cannot fault. */
  call(type: Type, name: string, ...operands: Node[]): Node {
    return this.#call(type, name, operands, false);
  }
  /** The same without a result. */
  do(name: string, ...operands: Node[]): void {
    this.#list.push({ kind: "call", id: undefined, name, operands, faults: false });
  }
  /**
   * Calls a function that may take an exception, redirect execution or leave the core
   * (`CPU.PENDING`); the instruction ends there then.
   */
  callFaulting(type: Type, name: string, ...operands: Node[]): Node {
    return this.#call(type, name, operands, true);
  }
  /** The same without a result. */
  doFaulting(name: string, ...operands: Node[]): void {
    this.#list.push({ kind: "call", id: undefined, name, operands, faults: true });
  }
  /**
   * The same as `callFaulting`, before the instruction has changed anything.
   * @param attempt a function for regions, of the same operands: it does the same, or nothing where
   * that takes an exception or concerns decoded instructions; its second result (i32) says whether
   */
  callTried(type: Type, name: string, attempt: string, ...operands: Node[]): Node {
    return this.#call(type, name, operands, true, attempt);
  }
  /** Executes one of two lists of statements. */
  if(condition: Node, then: () => void, otherwise: () => void = () => {}): void {
    this.#list.push({ kind: "if", condition, then: this.#collect(then), otherwise: this.#collect(otherwise) });
  }
  /**
   * Branches to PC plus a static offset in bytes; with a condition (i32), only when it is not zero.
   * Ends the instruction.
   */
  branch(offset: Node, condition?: Node): void {
    this.#list.push({ kind: "branch", offset, condition });
  }
  /**
   * Branches to an i64 address. Ends the instruction.
   * @param type what the branch leaves in PSTATE.BTYPE (FEAT_BTI), a static i32; 3 stands for 1
   * where the page is not guarded. Without it, zero.
   */
  branchTo(address: Node, type?: Node): void {
    this.#list.push({ kind: "branchTo", address, type });
  }

  #call(type: Type, name: string, operands: Node[], faults: boolean, attempt?: string): Node {
    const local = this.#local(type);
    this.#list.push({ kind: "call", id: local.id, name, operands, faults, attempt });
    return local;
  }

  #collect(body: () => void): Statement[] {
    const outer = this.#list;
    const list: Statement[] = [];
    this.#list = list;
    body();
    this.#list = outer;
    return list;
  }

  #local(type: Type): Node & { kind: "local" } {
    this.locals.push(type);
    return { kind: "local", type, isStatic: false, id: this.locals.length - 1 };
  }

  #register(bank: Bank, index: Node | number): Node {
    return { kind: "register", type: "i64", isStatic: false, bank, index: this.#lift(index, "i32") };
  }

  #scalar(op: string, a: Node, b: NodeOperand): Node {
    return this.#op(`${a.type}.${op}`, [a, this.#lift(b, a.type)]);
  }

  #shift(op: string, a: Node, count: NodeOperand): Node {
    if (typeof count === "object" ? count.kind === "constant" && count.value === 0 : count === 0) return a;
    const b = typeof count === "object" ? (a.type === "i64" ? this.zeroExtend64(count) : this.wrap(count)) : this.#lift(count, a.type);
    return this.#op(`${a.type}.${op}`, [a, b]);
  }

  #op(name: string, operands: Node[]): Node {
    const isStatic = STATIC_OPS.has(name) && operands.every((o) => o.isStatic);
    return { kind: "op", type: resultType(name), isStatic, name, operands, ...resultRange(name, operands) };
  }

  #lift(value: NodeOperand, type: Type): Node {
    return typeof value === "object" ? value : constant(type, value);
  }
}

function constant(type: Type, value: number | bigint): Node {
  const integer = type === "i32" || type === "i64";
  if (type === "v128") throw new Error("a vector constant needs both halves: use v128()");
  const small = integer && BigInt(value) >= -(1n << 52n) && BigInt(value) <= 1n << 52n;
  return { kind: "constant", type, isStatic: integer, value, ...(small && { low: Number(value), high: Number(value) }) };
}

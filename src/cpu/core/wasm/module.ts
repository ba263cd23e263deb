// A small WebAssembly assembler: modules, functions with structured control flow, and their binary
// encoding. WebAssembly Core Specification 2.0, chapter 5. Instructions have the names of the text
// format (`opcodes.ts`).

import { Bytes } from "../../../kit/support/values/bytes.ts";
import { LANE_OPCODES, MEMORY_OPCODES, PLAIN_OPCODES, signedLeb, unsignedLeb, VECTOR_BYTES } from "./opcodes.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

const VALUE_TYPES: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const NO_RESULT = 0x40;

/** Operands and results of a block: a type (`WasmModule.type`), or one result alone. */
type BlockType = ValueType | number;

/** The target of a branch: an open block, loop or if of one function. */
export interface Label {
  readonly depth: number;
}

/** A branch of a fragment to a label outside of it. */
interface OuterBranch {
  /** Position in the code after the opcode. */
  readonly at: number;
  readonly name: string;
  /** Blocks of the fragment that are open there. */
  readonly depth: number;
}

/** A call in a fragment of a function that has no index yet. */
interface LateCall {
  /** Position in the code after the opcode. */
  readonly at: number;
  readonly name: string;
}

/** Bytes of a constant that is put in later: any int32; one from -(2 ** 20) to 2 ** 20 - 1. */
export const GAP_BYTES = 5, SHORT_GAP_BYTES = 3;

/** A constant whose value is put into the code later. */
interface Gap {
  /** Position of its bytes, and how many these are. */
  readonly at: number;
  readonly bytes: number;
  /** The value that belongs there. */
  readonly tag: number;
}

/** Writes a number into a gap, as signed LEB128 of so many bytes. */
export function fillGap(code: Uint8Array, at: number, value: number, bytes: number): void {
  const last = bytes - 1;
  for (let i = 0; i < last; i++) code[at + i] = value >> 7 * i & 0x7f | 0x80;
  code[at + last] = value >> 7 * last & 0x7f;
}

/** A memory that the module imports; sizes in pages of 64 KiB. */
export interface ImportedMemory {
  readonly module: string;
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/**
 * The code of one function. Every method appends instructions and returns the builder, so that they
 * chain.
 */
export class FunctionBuilder {
  readonly locals: ValueType[] = [];
  /**
   * Branch hints: twice the position of an `if` or `br_if` in the code, and 1 more if it is likely
   * taken (metadata.code.branch_hint).
   */
  readonly hints: number[] = [];
  readonly gaps: Gap[] = [];
  /**
   * Bytes of the values that its instructions compute without reading memory, each counted by
   * itself, but not those of unlikely parts (`ifLikely`): see frame-bound.ts.
   */
  valueBytes = 0;
  readonly #outerBranches: OuterBranch[] = [];
  readonly #lateCalls: LateCall[] = [];
  #depth = 0;
  /** Inside of an unlikely part. */
  #isAside = false;
  /** The latest `local.set`: its local, and where it begins and ends. */
  #setLocal = -1;
  #setAt = 0;
  #setEnd = 0;

  constructor(
    /** Index in the module's function space, for `call`. */
    readonly index: number,
    readonly name: string,
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
    readonly code: Bytes = new Bytes(),
  ) {}

  /** A new local variable; its index counts after the parameters. */
  local(type: ValueType): number {
    this.locals.push(type);
    return this.parameters.length + this.locals.length - 1;
  }

  /** Appends raw bytes. */
  bytes(bytes: ArrayLike<number>): this {
    this.code.pushAll(bytes);
    return this;
  }

  /** An instruction without an immediate. */
  op(name: string): this {
    const found = PLAIN_OPCODES().get(name);
    if (!found) throw new Error(`no such WebAssembly instruction: ${name}`);
    const { code } = found;
    this.valueBytes += found.bytes;
    if (code.length === 1) this.code.push(code[0]);
    else this.code.pushAll(code);
    return this;
  }

  /**
   * A load or store. The address (and the value) is on the stack; `offset` in bytes is added to it.
   * Alignment is a hint: 0 is always right.
   */
  memory(name: string, offset = 0): this {
    const entry = MEMORY_OPCODES().get(name);
    if (!entry) throw new Error(`no such WebAssembly load or store: ${name}`);
    if (entry.code.length === 1) this.code.push(entry.code[0]);
    else this.code.pushAll(entry.code);
    this.code.push(0);
    return this.#unsigned(offset);
  }

  /** A lane instruction such as `i8x16.extract_lane_u`. */
  lane(name: string, lane: number): this {
    const found = LANE_OPCODES().get(name);
    if (!found) throw new Error(`no such WebAssembly lane instruction: ${name}`);
    this.valueBytes += found.bytes;
    return this.bytes(found.code).bytes([lane]);
  }

  /**
   * `i8x16.shuffle`; sixteen lane numbers, 0 to 15 of the first and 16 to 31 of the second operand.
   */
  shuffle(lanes: readonly number[]): this {
    if (lanes.length !== 16) throw new Error("a shuffle has sixteen lanes");
    this.valueBytes += VECTOR_BYTES;
    return this.bytes([0xfd, 13]).bytes(lanes);
  }

  i32(value: number | bigint): this {
    this.code.push(0x41);
    return typeof value === "number" ? this.#signed(value | 0) : this.bytes(signedLeb(BigInt.asIntN(32, value)));
  }

  /** An i32 that `fillGap` puts in. */
  i32Later(tag: number, bytes = GAP_BYTES): this {
    this.code.push(0x41);
    this.gaps.push({ at: this.code.length, bytes, tag });
    for (let i = 1; i < bytes; i++) this.code.push(0x80);
    this.code.push(0);
    return this;
  }

  /** Puts a value into the gaps with a tag, which are none afterwards. */
  fill(tag: number, value: number): this {
    const gaps = this.gaps.splice(0);
    for (const gap of gaps) {
      if (gap.tag === tag) fillGap(this.code.buffer, gap.at, value, gap.bytes);
      else this.gaps.push(gap);
    }
    return this;
  }

  i64(value: number | bigint): this {
    this.code.push(0x42);
    const small = Number(value);
    return small === (small | 0) ? this.#signed(small) : this.bytes(signedLeb(BigInt.asIntN(64, BigInt(value))));
  }

  f32(value: number): this {
    return this.bytes([0x43]).bytes(new Uint8Array(new Float32Array([value]).buffer));
  }

  f64(value: number): this {
    return this.bytes([0x44]).bytes(new Uint8Array(new Float64Array([value]).buffer));
  }

  /** A vector constant from two 64-bit halves, low lane first. */
  v128(low: bigint, high: bigint): this {
    this.valueBytes += VECTOR_BYTES;
    return this.bytes([0xfd, 12]).bytes(new Uint8Array(new BigInt64Array([BigInt.asIntN(64, low), BigInt.asIntN(64, high)]).buffer));
  }

  get(local: number): this {
    const { code } = this;
    // Nothing is between: the value is still on the stack where the local is set.
    if (this.#setLocal === local && this.#setEnd === code.length) {
      code.buffer[this.#setAt] = 0x22;
      this.#setLocal = -1;
      return this;
    }
    code.push(0x20);
    return this.#unsigned(local);
  }

  set(local: number): this {
    const { code } = this;
    this.#setAt = code.length;
    code.push(0x21);
    this.#unsigned(local);
    this.#setLocal = local;
    this.#setEnd = code.length;
    return this;
  }

  tee(local: number): this {
    this.code.push(0x22);
    return this.#unsigned(local);
  }

  call(target: number | FunctionBuilder): this {
    this.code.push(0x10);
    return this.#unsigned(typeof target === "number" ? target : target.index);
  }

  /** `memory.fill`: destination, byte value and length are on the stack. */
  memoryFill(): this {
    return this.bytes([0xfc, 11, 0]);
  }

  /** `memory.copy`: destination, source and length are on the stack. */
  memoryCopy(): this {
    return this.bytes([0xfc, 10, 0, 0]);
  }

  block(body: (label: Label) => void, result?: ValueType): this {
    return this.#structure(0x02, body, result);
  }

  loop(body: (label: Label) => void, result?: ValueType): this {
    return this.#structure(0x03, body, result);
  }

  /** The condition, an i32, is on the stack. */
  if(then: (label: Label) => void, otherwise?: (label: Label) => void, result?: BlockType): this {
    const label = this.#open(0x04, result);
    then(label);
    if (otherwise) {
      this.otherwise();
      otherwise(label);
    }
    return this.closeBlock();
  }

  /**
   * `if` whose condition V8 may take to hold (or not to hold) nearly always. Inside of an unlikely
   * part there are no hints: V8 takes all of it for unlikely.
   */
  ifLikely(likely: boolean, then: (label: Label) => void, otherwise?: (label: Label) => void, result?: BlockType): this {
    this.#hint(likely);
    if (!likely) return this.if((label) => this.#aside(then, label), otherwise, result);
    return this.if(then, otherwise && ((label) => this.#aside(otherwise, label)), result);
  }

  /** Values of an unlikely part are not used outside of it. */
  #aside(part: (label: Label) => void, label: Label): void {
    const { valueBytes } = this, isAside = this.#isAside;
    this.#isAside = true;
    part(label);
    this.#isAside = isAside;
    this.valueBytes = valueBytes;
  }

  #hint(likely: boolean): void {
    if (!this.#isAside) this.hints.push(2 * this.code.length + (likely ? 1 : 0));
  }

  /** A branch out of this fragment, to a label that `append` names. */
  brOuter(name: string, conditional = false): this {
    this.code.push(conditional ? 0x0d : 0x0c);
    this.#outerBranches.push({ at: this.code.length, name, depth: this.#depth });
    return this;
  }

  /** The same where the i32 on the stack is not zero, which it seldom is. */
  brOuterUnlikely(name: string): this {
    this.#hint(false);
    return this.brOuter(name, true);
  }

  /** A call of a function that `append` names; `tail` ends the function in it. */
  callLate(name: string, tail = false): this {
    this.code.push(tail ? 0x12 : 0x10);
    this.#lateCalls.push({ at: this.code.length, name });
    return this;
  }

  /**
   * Appends the code of a fragment; its locals are taken to be of this function already. Late calls
   * that are not named stay late.
   */
  append(
    fragment: FunctionBuilder,
    labels: Readonly<Record<string, Label>> = {},
    functions: Readonly<Record<string, FunctionBuilder>> = {},
  ): this {
    const { code } = this, { hints, gaps } = fragment;
    const open: (OuterBranch | LateCall)[] = fragment.#lateCalls.length
      ? [...fragment.#outerBranches, ...fragment.#lateCalls].sort((a, b) => a.at - b.at)
      : fragment.#outerBranches;
    this.valueBytes += fragment.valueBytes;
    let from = 0, hint = 0, gap = 0;
    for (let i = 0; i <= open.length; i++) {
      const to = i < open.length ? open[i].at : fragment.code.length, moved = code.length - from;
      for (; hint < hints.length && hints[hint] < 2 * to; hint++) this.hints.push(hints[hint] + 2 * moved);
      for (; gap < gaps.length && gaps[gap].at < to; gap++) this.gaps.push({ ...gaps[gap], at: gaps[gap].at + moved });
      code.copy(fragment.code, from, to);
      from = to;
      if (i === open.length) break;
      const place = open[i], { name } = place;
      if ("depth" in place) this.#unsigned(this.#depth - labels[name].depth + place.depth);
      else if (name in functions) this.#unsigned(functions[name].index);
      else this.#lateCalls.push({ at: code.length, name });
    }
    return this;
  }

  /** The identity of a fragment: its code, and where it branches to. */
  get fingerprint(): string {
    return `${String.fromCharCode(...this.code.view)}|${this.#outerBranches.map((b) => `${b.at}${b.name}${b.depth}`).join()}`;
  }

  br(label: Label): this {
    this.code.push(0x0c);
    return this.#unsigned(this.#depth - label.depth);
  }

  brIf(label: Label): this {
    this.code.push(0x0d);
    return this.#unsigned(this.#depth - label.depth);
  }

  /** `brIf` that V8 may take for a branch that is nearly never taken. */
  brIfUnlikely(label: Label): this {
    this.#hint(false);
    return this.brIf(label);
  }

  /** The index, an i32, is on the stack. */
  brTable(labels: readonly Label[], fallback: Label): this {
    this.bytes([0x0e]).bytes(unsignedLeb(labels.length));
    for (const label of [...labels, fallback]) this.#unsigned(this.#depth - label.depth);
    return this;
  }

  /**
   * Opens a block without closing it, for code whose blocks are closed one at a time (the cases of
   * a `br_table`). Each needs one `closeBlock`.
   */
  openBlock(result?: ValueType): Label {
    return this.#open(0x02, result);
  }

  /** The same with a loop, and with an `if`, whose condition is on the stack. */
  openLoop(): Label {
    return this.#open(0x03, undefined);
  }

  openIf(): Label {
    return this.#open(0x04, undefined);
  }

  /** The other part of the `if` that is open. */
  otherwise(): this {
    this.code.push(0x05);
    return this;
  }

  closeBlock(): this {
    this.#depth--;
    this.code.push(0x0b);
    return this;
  }

  /** Appends unsigned LEB128. */
  #unsigned(value: number): this {
    this.code.unsigned(value);
    return this;
  }

  /** Appends signed LEB128 of an int32. */
  #signed(value: number): this {
    this.code.signed(value);
    return this;
  }

  #structure(opcode: number, body: (label: Label) => void, result: ValueType | undefined): this {
    body(this.#open(opcode, result));
    return this.closeBlock();
  }

  #open(opcode: number, result: BlockType | undefined): Label {
    this.code.push(opcode);
    if (typeof result === "number") this.#signed(result);
    else this.code.push(result ? VALUE_TYPES[result] : NO_RESULT);
    return { depth: ++this.#depth };
  }
}

/** The type of a function: what it takes and gives. */
export interface FunctionType {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

interface Import {
  module: string;
  name: string;
  type: number;
}

interface Global {
  type: ValueType;
  value: bigint;
  name: string | undefined;
}

/**
 * A module under construction. Declare all imported functions before its own first function.
 */
export class WasmModule {
  readonly #types: FunctionType[] = [];
  readonly #imports: Import[] = [];
  readonly #functions: FunctionBuilder[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  readonly #globals: Global[] = [];
  #memory: ImportedMemory | undefined;
  #importedTable: { readonly module: string; readonly name: string; readonly size: number } | undefined;
  #table: { size: number; name: string } | undefined;

  importMemory(memory: ImportedMemory): this {
    this.#memory = memory;
    return this;
  }

  /** Declares an imported function; its index is for `FunctionBuilder.call`. */
  importFunction(module: string, name: string, parameters: readonly ValueType[], results: readonly ValueType[]): number {
    if (this.#functions.length) throw new Error(`import ${name} must come before the module's own functions`);
    this.#imports.push({ module, name, type: this.type(parameters, results) });
    return this.#imports.length - 1;
  }

  /**
   * Declares a function. Its code may be filled in later, so functions can call each other in any
   * order.
   * @param code holds it
   */
  function(
    name: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    exported = false,
    code?: Bytes,
  ): FunctionBuilder {
    const builder = new FunctionBuilder(this.#imports.length + this.#functions.length, name, parameters, results, code);
    this.#functions.push(builder);
    if (exported) this.export(builder);
    return builder;
  }

  /** Makes a function of a fragment that is complete, and exports it under this name. */
  place(fragment: FunctionBuilder, name = fragment.name, functions: Readonly<Record<string, FunctionBuilder>> = {}): FunctionBuilder {
    const f = this.function(name, fragment.parameters, fragment.results, true, new Bytes(fragment.code.length));
    f.locals.push(...fragment.locals);
    return f.append(fragment, {}, functions);
  }

  /** Exports a function of the module under its own name, once. */
  export(f: FunctionBuilder): this {
    if (!this.#exports.some(({ index }) => index === f.index)) this.#exports.push({ name: f.name, index: f.index });
    return this;
  }

  /** A mutable global; exported under `name` where given. */
  global(type: "i32" | "i64", value: bigint, name?: string): number {
    this.#globals.push({ type, value, name });
    return this.#globals.length - 1;
  }

  /**
   * Table 0, for `callIndirect`: empty, and exported under `name`, so that functions of other
   * modules can be put into it.
   */
  table(size: number, name: string): this {
    this.#table = { size, name };
    return this;
  }

  /** Imports table 0 instead. */
  importTable(module: string, name: string, size: number): this {
    this.#importedTable = { module, name, size };
    return this;
  }

  /** Appends `return_call_indirect` through table 0: the function ends in the call. */
  returnCallIndirect(code: FunctionBuilder, parameters: readonly ValueType[], results: readonly ValueType[]): void {
    code.bytes([0x13]).bytes(unsignedLeb(this.type(parameters, results))).bytes([0]);
  }

  /**
   * Appends `call_indirect` through table 0; the table index is on the stack above the arguments.
   */
  callIndirect(code: FunctionBuilder, parameters: readonly ValueType[], results: readonly ValueType[]): void {
    code.bytes([0x11]).bytes(unsignedLeb(this.type(parameters, results))).bytes([0]);
  }

  /** The binary module. */
  encode(): Uint8Array<ArrayBuffer> {
    return this.encodeWithGaps().bytes;
  }

  /**
   * The same, and where its gaps are.
   * @param out, body hold the module and one of its sections until this returns
   */
  encodeWithGaps(out = new Bytes(), body = new Bytes()): { readonly bytes: Uint8Array<ArrayBuffer>; readonly gaps: readonly Gap[] } {
    const gaps: Gap[] = [];
    out.clear();
    out.pushAll([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    /** Appends a section; `fill` appends its `count` items to `body`. */
    const section = (id: number, count: number, fill: () => void) => {
      body.clear();
      body.unsigned(count);
      fill();
      out.push(id);
      out.sized(body);
    };
    const functionTypes = this.#functions.map((f) => this.type(f.parameters, f.results));

    section(1, this.#types.length, () => {
      for (const { parameters, results } of this.#types) {
        body.push(0x60);
        for (const types of [parameters, results]) {
          body.unsigned(types.length);
          for (const type of types) body.push(VALUE_TYPES[type]);
        }
      }
    });
    const table = this.#importedTable;
    section(2, this.#imports.length + (this.#memory ? 1 : 0) + (table ? 1 : 0), () => {
      for (const { module, name, type } of this.#imports) {
        body.text(module).text(name).push(0);
        body.unsigned(type);
      }
      if (this.#memory) importMemory(body, this.#memory);
      if (table) {
        body.text(table.module).text(table.name).pushAll([1, 0x70, 0]);
        body.unsigned(table.size);
      }
    });
    section(3, functionTypes.length, () => functionTypes.forEach((type) => body.unsigned(type)));
    if (this.#table) {
      const { size } = this.#table;
      section(4, 1, () => {
        body.pushAll([0x70, 0]);
        body.unsigned(size);
      });
    }
    if (this.#globals.length) {
      section(6, this.#globals.length, () => {
        for (const { type, value } of this.#globals) {
          body.pushAll([VALUE_TYPES[type], 1, type === "i32" ? 0x41 : 0x42, ...signedLeb(value), 0x0b]);
        }
      });
    }
    const exports = this.#exports.map(({ name, index }) => ({ name, kind: 0, index }));
    this.#globals.forEach(({ name }, index) => name !== undefined && exports.push({ name, kind: 3, index }));
    if (this.#table) exports.push({ name: this.#table.name, kind: 1, index: 0 });
    section(7, exports.length, () => {
      for (const { name, kind, index } of exports) {
        body.text(name).push(kind);
        body.unsigned(index);
      }
    });

    const locals = this.#functions.map(localsVector);
    this.#branchHints(out, locals);
    section(10, this.#functions.length, () => {
      this.#functions.forEach((f, i) => {
        const { code } = f;
        body.unsigned(locals[i].length + code.length + 1);
        body.append(locals[i]);
        for (const gap of f.gaps) gaps.push({ ...gap, at: body.length + gap.at });
        body.append(code);
        body.push(0x0b);
      });
    });
    const codeAt = out.length - body.length;
    return { bytes: out.view.slice(), gaps: gaps.map((gap) => ({ ...gap, at: codeAt + gap.at })) };
  }

  /**
   * Appends the custom section with branch hints; it comes before the code. Offsets count from the
   * start of a function's locals.
   */
  #branchHints(out: Bytes, locals: readonly Bytes[]): void {
    const hinted = this.#functions.filter((f) => f.hints.length);
    if (!hinted.length) return;
    const body = new Bytes().text("metadata.code.branch_hint");
    body.unsigned(hinted.length);
    this.#functions.forEach(({ index, hints }, i) => {
      if (!hints.length) return;
      const start = locals[i].length;
      body.unsigned(index);
      body.unsigned(hints.length);
      for (const hint of hints) {
        body.unsigned(start + (hint >> 1));
        body.push(1);
        body.push(hint & 1);
      }
    });
    out.push(0);
    out.sized(body);
  }

  /** The number of a type. */
  type(parameters: readonly ValueType[], results: readonly ValueType[]): number {
    const types = this.#types;
    for (let i = 0; i < types.length; i++) if (sameType(types[i], parameters, results)) return i;
    types.push({ parameters, results });
    return types.length - 1;
  }
}

/** Whether a function is of this type. */
export function sameType(type: FunctionType, parameters: readonly ValueType[], results: readonly ValueType[]): boolean {
  return sameTypes(type.parameters, parameters) && sameTypes(type.results, results);
}

function sameTypes(a: readonly ValueType[], b: readonly ValueType[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** The locals of a function as its body encodes them: runs of one type. */
function localsVector({ locals }: FunctionBuilder): Bytes {
  const runs: { type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  const bytes = new Bytes();
  bytes.unsigned(runs.length);
  for (const { type, count } of runs) {
    bytes.unsigned(count);
    bytes.push(VALUE_TYPES[type]);
  }
  return bytes;
}

function importMemory(body: Bytes, { module, name, shared, minimum, maximum }: ImportedMemory): void {
  body.text(module).text(name).push(2);
  body.push(shared ? 3 : 1);
  body.unsigned(minimum);
  body.unsigned(maximum);
}

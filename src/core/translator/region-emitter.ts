// One instruction inside of a region: registers and flags are Wasm locals, fields are constants,
// and whatever the inline compare of an access does not serve leaves the region before the
// instruction, so that the interpreter executes it, fault and all.

import type { Bank, Builder, Compared, Flag, Node, Statement, Type } from "../../isa/builder.ts";
import { SP_ALIGNMENT } from "../architecture/exceptions.ts";
import { OperandLayout } from "../decoded/operands.ts";
import { type Behavior, constantSlot, Emitter, type KnownFlags, type Surroundings } from "../interpreter/emitter.ts";
import { CPU, DataEntry, KeptPage, Slot, SplitGroup, TlbSet, vAddress, xAddress } from "../state/cpu-state.ts";
import { TlbFlags } from "../state/tlb-layout.ts";
import type { Callees } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import type { GroupMember } from "./access-groups.ts";
import { inlineCall, type Operations } from "./inline-calls.ts";
import type { Instruction } from "./instruction.ts";
import { FlagsKind } from "./lazy-flags.ts";
import { generalSlots, isLogical, type RegisterSet, startsWhole, vectorIndices } from "./register-use.ts";
import { bigOf, numberOf } from "./static-values.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";

const FLAGS = ["C", "V", "N", "Z"] as const;
const FLAG_TYPES = { N: "i64", Z: "i64", V: "i64", C: "i32" } as const;

/** Instructions that do nothing where their second operand is zero. */
const SHIFTS: ReadonlySet<string> = new Set(
  ["i32", "i64", "i8x16", "i16x8", "i32x4", "i64x2"].flatMap((type) => ["shl", "shr_u", "shr_s", "rotr"].map((name) => `${type}.${name}`)),
);

/** An emitter for an instruction word: expressions of its fields alone become constants. */
export class ConstantEmitter extends Emitter {
  constructor($: Builder, at: Surroundings, readonly word: number) {
    super($, at);
  }

  protected override operand(node: Node): void {
    if (node.type === "i32") this.f.i32(numberOf(node, this.word));
    else if (node.low !== undefined) this.f.i64(numberOf(node, this.word));
    else this.f.i64(bigOf(node, this.word));
  }

  protected override value(node: Node): void {
    if (node.kind === "op" && !node.isStatic && node.operands[1]?.isStatic && SHIFTS.has(node.name)) {
      const [shifted, count] = node.operands;
      if (numberOf(count, this.word) === 0) return this.value(shifted);
    }
    super.value(node);
  }

  /** The slot of a register. */
  protected slot(bank: Bank, index: Node, write: boolean): number {
    return constantSlot(bank, numberOf(index, this.word), write);
  }

  /** A static number. */
  protected number(node: Node): number {
    return numberOf(node, this.word);
  }

  protected override vectorBase(index: Node, offset: Node): number {
    this.f.i32(0);
    return vAddress(this.number(index)) + this.number(offset);
  }

  protected override register(bank: Bank, index: Node): void {
    const slot = this.slot(bank, index, false);
    if (slot === Slot.Zero) this.f.i64(0);
    else this.f.i32(0).memory("i64.load", xAddress(slot));
  }

  protected override setRegister(bank: Bank, index: Node, value: Node): void {
    const slot = this.slot(bank, index, true);
    if (slot === Slot.Dump) return;
    this.f.i32(0);
    this.value(value);
    this.f.memory("i64.store", xAddress(slot));
  }
}

/** Vector registers. */
const VECTORS = 32;

/** The locals in which a region holds registers. */
export class StateLocals {
  readonly #general: (number | undefined)[] = new Array(Slot.Dump);
  readonly #vectors: (number | undefined)[] = new Array(VECTORS);

  constructor(readonly f: FunctionBuilder) {}

  /** The local of a general register, by its slot. */
  general(slot: number): number {
    return this.#general[slot] ??= this.f.local("i64");
  }

  vector(index: number): number {
    return this.#vectors[index] ??= this.f.local("v128");
  }

  /** Appends loads of registers from the CPU state to `f`. */
  load(f: FunctionBuilder, registers: Readonly<RegisterSet>): void {
    for (const slot of generalSlots(registers.general)) f.i32(0).memory("i64.load", xAddress(slot)).set(this.general(slot));
    for (const index of vectorIndices(registers.vector)) f.i32(0).memory("v128.load", vAddress(index)).set(this.vector(index));
  }

  /** Appends stores of registers to `f`. */
  store(f: FunctionBuilder, registers: Readonly<RegisterSet>): void {
    for (const slot of generalSlots(registers.general)) f.i32(0).get(this.general(slot)).memory("i64.store", xAddress(slot));
    for (const index of vectorIndices(registers.vector)) f.i32(0).get(this.vector(index)).memory("v128.store", vAddress(index));
  }
}

/**
 * Writes the known flags to the CPU state, at a merge point and where a region is left. The
 * operands alone are written where that is enough, as these flags are rarely read.
 */
export function settleFlags(f: FunctionBuilder, known: KnownFlags | undefined): void {
  if (!known) return;
  const { compared, logical, words } = known;
  let kind: number = FlagsKind.Known;
  if (compared) {
    const operands = [[CPU.FLAGS_A, compared.a], [CPU.FLAGS_B, compared.b]] as const;
    for (const [address, operand] of operands) {
      f.i32(0);
      operand();
      if (compared.type === "i32") f.op("i64.extend_i32_u");
      f.memory("i64.store", address);
    }
    kind = compared.type === "i32" ? FlagsKind.Words : FlagsKind.Doublewords;
  } else if (logical) {
    f.i32(0);
    logical();
    f.memory("i64.store", CPU.FLAGS_A);
    kind = FlagsKind.Logical;
  } else {
    for (const flag of FLAGS) {
      f.i32(0);
      words[flag]();
      f.memory(`${FLAG_TYPES[flag]}.store`, CPU[flag]);
    }
  }
  f.i32(0).i32(kind).memory("i32.store", CPU.FLAGS_KIND);
}

/**
 * Locals for the values inside of an instruction, which the next one uses again, and for those that
 * are kept longer.
 */
export class Temporaries {
  readonly #pools = new Map<ValueType, { readonly all: number[]; used: number }>();
  #kept: readonly number[] = [];

  constructor(readonly f: FunctionBuilder) {}

  take(type: ValueType): number {
    let pool = this.#pools.get(type);
    if (!pool) this.#pools.set(type, pool = { all: [], used: 0 });
    while (pool.used < pool.all.length) {
      const local = pool.all[pool.used++];
      if (!this.#kept.includes(local)) return local;
    }
    const local = this.f.local(type);
    pool.used = pool.all.push(local);
    return local;
  }

  /** All are free but `kept`. */
  releaseAll(kept: readonly number[] = []): void {
    for (const pool of this.#pools.values()) pool.used = 0;
    this.#kept = kept;
  }
}

/**
 * A part of a vector that Wasm's loads name: how it is taken from the whole, the bytes of a lane,
 * and how the lane is extended. The number of the lane is the offset in lanes.
 */
const LANES_OF_LOADS: Readonly<Record<string, readonly [instruction: string, bytes: number, extend?: string]>> = {
  "f64.load": ["f64x2.extract_lane", 8],
  "i64.load": ["i64x2.extract_lane", 8],
  "i64.load32_u": ["i32x4.extract_lane", 4, "i64.extend_i32_u"],
  "i64.load32_s": ["i32x4.extract_lane", 4, "i64.extend_i32_s"],
  "i64.load16_u": ["i16x8.extract_lane_u", 2, "i64.extend_i32_u"],
  "i64.load16_s": ["i16x8.extract_lane_s", 2, "i64.extend_i32_s"],
  "i64.load8_u": ["i8x16.extract_lane_u", 1, "i64.extend_i32_u"],
  "i64.load8_s": ["i8x16.extract_lane_s", 1, "i64.extend_i32_s"],
  "f32.load": ["f32x4.extract_lane", 4],
  "i32.load": ["i32x4.extract_lane", 4],
  "i32.load16_u": ["i16x8.extract_lane_u", 2],
  "i32.load16_s": ["i16x8.extract_lane_s", 2],
  "i32.load8_u": ["i8x16.extract_lane_u", 1],
  "i32.load8_s": ["i8x16.extract_lane_s", 1],
};

/** Loads that make a vector of a part: the part, and how it is widened. */
const VECTORS_OF_LOADS: Readonly<Record<string, readonly [part: string, splat: string]>> = {
  "v128.load8_splat": ["i32.load8_u", "i8x16.splat"],
  "v128.load16_splat": ["i32.load16_u", "i16x8.splat"],
  "v128.load32_splat": ["i32.load", "i32x4.splat"],
  "v128.load64_splat": ["i64.load", "i64x2.splat"],
};

const ZERO_LOADS: Readonly<Record<string, readonly [part: string, replace: string]>> = {
  "v128.load64_zero": ["i64.load", "i64x2.replace_lane"],
  "v128.load32_zero": ["i32.load", "i32x4.replace_lane"],
};

const LANES_OF_STORES: Readonly<Record<string, readonly [instruction: string, bytes: number]>> = {
  "f64.store": ["f64x2.replace_lane", 8],
  "i64.store": ["i64x2.replace_lane", 8],
  "f32.store": ["f32x4.replace_lane", 4],
  "i32.store": ["i32x4.replace_lane", 4],
  "i32.store16": ["i16x8.replace_lane", 2],
  "i32.store8": ["i8x16.replace_lane", 1],
};

function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T {
  const found = table[name];
  if (found === undefined) throw new Error(`${name} of a vector register has no form with locals`);
  return found;
}

/** State that the instructions of a region share. */
export interface RegionContext {
  readonly f: FunctionBuilder;
  readonly library: Callees;
  readonly state: StateLocals;
  readonly temporaries: Temporaries;
  /** Locals: the TLB set; the virtual address of instruction 0. */
  readonly tlb: number;
  readonly base: number;
  /**
   * Not zero where the computer's arithmetic is the architecture's (`isFast` of core/fp); and what
   * computes it again.
   */
  readonly fast: number;
  readonly refreshFast: (() => void) | undefined;
  readonly operations: Operations;
}

/** The slot of XN; undefined for XZR. */
const generalSlot = (index: number): number | undefined => index === Slot.Zero ? undefined : index;

/** 1 when one of these statements sets the flags. */
const setsFlags = (statements: readonly Statement[]): number => statements.some(({ kind }) => kind === "setFlags") ? 1 : 0;

const never = () => {
  throw new Error("an instruction of a region branches or faults by itself");
};

/** The surroundings of the emitter of a region's instructions. */
export function surroundings({ f, library, temporaries, tlb }: RegionContext): Surroundings {
  return {
    f,
    library,
    layout: new OperandLayout("region"),
    ip: -1,
    decodedOffset: 0,
    local: (type) => temporaries.take(type),
    tlb: () => void f.get(tlb),
    beforeCall: () => {},
    fault: never,
    branch: never,
    branchTo: never,
  };
}

/**
 * A member of a group of accesses, and the local for where the group's bytes are: zero where the
 * compare did not serve.
 */
export type LocatedMember = GroupMember & { readonly wasmAddress: number };

/** The place of an instruction in its block. */
export interface Site {
  /** Emits the way out of the region, at the instruction. */
  leave(flags: KnownFlags | undefined): void;
  /** Its access, if that is in a group. */
  readonly member: LocatedMember | undefined;
  /** Address of what its access, or the group of that, keeps of its page, if it does. */
  readonly kept: number | undefined;
  /** SP is known to be aligned. */
  readonly stackAligned: boolean;
}

/** Emits one instruction of a region. */
export class RegionEmitter extends ConstantEmitter {
  readonly state: StateLocals;
  /** The place for the flags inside of an `if`. */
  #choiceFlags: readonly { readonly flag: Flag; readonly local: number }[] | undefined;

  /**
   * @param flags known from the instructions before it
   * @param index of the instruction
   */
  constructor(
    readonly instruction: Instruction,
    at: Surroundings,
    readonly context: RegionContext,
    flags: KnownFlags | undefined,
    readonly index: number,
    readonly site: Site,
  ) {
    super(instruction.semantics, at, instruction.word);
    this.state = context.state;
    this.knownFlags = flags;
  }

  /** Knowledge of the flags after the instruction. */
  get flagsAfter(): KnownFlags | undefined {
    return this.knownFlags;
  }

  /** All statements but a branch at the end. */
  emitBody(): void {
    if (this.instruction.basedOnStack && !this.site.stackAligned) {
      this.f.get(this.state.general(Slot.SP)).op("i32.wrap_i64").i32(SP_ALIGNMENT - 1).op("i32.and");
      this.f.ifLikely(false, () => this.site.leave(this.knownFlags));
    }
    if (this.#isRotation) this.#rotate();
    else this.statements(this.$.statements);
  }

  /** EXTR of a register with itself: ROR (immediate). */
  get #isRotation(): boolean {
    return this.instruction.encoding.instruction.name === "EXTR" && (this.word >>> 16 & 31) === (this.word >>> 5 & 31);
  }

  #rotate(): void {
    const { f, state, word } = this, source = generalSlot(word >>> 5 & 31), target = generalSlot(word & 31);
    if (target === undefined) return;
    if (source === undefined) f.i64(0);
    else if (this.instruction.encoding.shape.sf) f.get(state.general(source)).i64(word >>> 10 & 63).op("i64.rotr");
    else f.get(state.general(source)).op("i32.wrap_i64").i32(word >>> 10 & 31).op("i32.rotr").op("i64.extend_i32_u");
    f.set(state.general(target));
  }

  /** Puts an expression of the instruction on the stack. */
  emitValue(node: Node): void {
    this.value(node);
  }

  protected override statements(statements: readonly Statement[]): boolean {
    for (let i = 0; i < statements.length; i++) {
      const s = statements[i];
      if (s.kind === "branch" || s.kind === "branchTo") continue;
      if (s.kind === "setVector" && startsWhole(statements, i)) {
        this.#setLow(s);
        i++;
      } else this.statement(s);
    }
    return false;
  }

  /** Writes the low half of a vector register and clears the other. */
  #setLow({ instruction, index, value }: Statement & { kind: "setVector" }): void {
    const f = this.f;
    f.v128(0n, 0n);
    this.value(value);
    f.lane(instruction === "f64.store" ? "f64x2.replace_lane" : "i64x2.replace_lane", 0);
    f.set(this.state.vector(this.number(index)));
  }

  protected override statement(s: Statement): boolean {
    if (s === this.instruction.guard) {
      this.value(s.condition);
      this.f.ifLikely(false, () => this.site.leave(this.knownFlags));
      return false;
    }
    if (s.kind === "call" && !s.faults && this.#inlined(s)) return false;
    const done = s.kind === "if" && setsFlags(s.then) + setsFlags(s.otherwise) ? this.#choice(s) : super.statement(s);
    // The computer's arithmetic may serve or not from now on.
    if (s.kind === "setState" && (s.name === "FPCR" || s.name === "FPSR")) this.context.refreshFast?.();
    return done;
  }

  /** An `if` that sets the flags, in one of its ways at least. */
  #choice(s: Statement & { kind: "if" }): boolean {
    const { f } = this;
    const flags = FLAGS.map((flag) => ({ flag, local: this.at.local(FLAG_TYPES[flag]) }));
    if (!setsFlags(s.then) || !setsFlags(s.otherwise)) {
      for (const { flag, local } of flags) {
        this.flag(flag);
        f.set(local);
      }
    }
    this.value(s.condition);
    this.nesting++;
    this.#choiceFlags = flags;
    f.if(() => void this.statements(s.then), () => void this.statements(s.otherwise));
    this.#choiceFlags = undefined;
    this.nesting--;
    const word = (name: Flag) => () => void f.get(flags.find(({ flag }) => flag === name)!.local);
    this.knownFlags = { words: { N: word("N"), Z: word("Z"), C: word("C"), V: word("V") }, locals: flags.map(({ local }) => local) };
    return false;
  }

  /** Expands a call of a function that is short enough. */
  #inlined({ name, operands, id }: Statement & { kind: "call" }): boolean {
    const expand = id === undefined ? undefined : inlineCall(name, this.context.operations);
    if (!expand || id === undefined) return false;
    const { f, context } = this;
    const locals = operands.map((operand) => this.bind(operand));
    expand({
      f,
      operands: locals,
      result: this.local(id),
      local: (type) => this.at.local(type),
      call: () => {
        for (const local of locals) f.get(local);
        f.call(this.at.library.named(name)).set(this.local(id));
        context.refreshFast?.();
      },
      fast: () => void f.get(context.fast),
    });
    return true;
  }

  protected override pc(): void {
    this.f.get(this.context.base).i64(4 * this.index).op("i64.add");
  }

  protected override register(bank: Bank, index: Node): void {
    const slot = this.slot(bank, index, false);
    if (slot === Slot.Zero || slot === Slot.Dump) this.f.i64(0);
    else this.f.get(this.state.general(slot));
  }

  protected override setRegister(bank: Bank, index: Node, value: Node): void {
    const slot = this.slot(bank, index, true);
    if (slot === Slot.Dump) return;
    this.value(value);
    this.f.set(this.state.general(slot));
  }

  protected override vector(instruction: string, index: Node, offset: Node): void {
    const f = this.f, local = this.state.vector(this.number(index)), at = this.number(offset);
    const part = (load: string) => {
      const [extract, bytes, extend] = lookUp(LANES_OF_LOADS, load);
      f.get(local).lane(extract, at / bytes);
      if (extend) f.op(extend);
    };
    const zeroed = ZERO_LOADS[instruction], splat = VECTORS_OF_LOADS[instruction];
    if (instruction === "v128.load") f.get(local);
    else if (zeroed) {
      f.v128(0n, 0n);
      part(zeroed[0]);
      f.lane(zeroed[1], 0);
    } else if (splat) {
      part(splat[0]);
      f.op(splat[1]);
    } else part(instruction);
  }

  protected override setVector(instruction: string, index: Node, offset: Node, value: Node): void {
    const f = this.f, local = this.state.vector(this.number(index)), at = this.number(offset);
    if (instruction === "v128.store") {
      this.value(value);
      f.set(local);
      return;
    }
    const [replace, bytes] = lookUp(LANES_OF_STORES, instruction);
    f.get(local);
    this.value(value);
    f.lane(replace, at / bytes).set(local);
  }

  /**
   * Nothing is stored before it is asked for: where the next instruction sets the flags again,
   * these cost nothing.
   */
  protected override setFlags(n: Node, z: Node, c: Node, v: Node, compared?: Compared): void {
    const values = { N: n, Z: z, C: c, V: v };
    if (this.#choiceFlags) {
      for (const { flag } of this.#choiceFlags) this.value(values[flag]);
      for (const { local } of this.#choiceFlags.toReversed()) this.f.set(local);
      return;
    }
    if (this.nesting) throw new Error("flags are set in an `if` inside of another");
    const locals: number[] = [], keep = (node: Node) => this.#keep(node, locals);
    if (compared) this.knownFlags = { ...this.#flagsOfDifference(compared[0].type, keep(compared[0]), keep(compared[1])), locals };
    else if (isLogical({ kind: "setFlags", n, z, c, v })) {
      const value = keep(n), zero64 = () => void this.f.i64(0);
      this.knownFlags = { words: { N: value, Z: value, C: () => void this.f.i32(0), V: zero64 }, logical: value, locals };
    } else {
      const sign = keep(n);
      this.knownFlags = { words: { N: sign, Z: n === z ? sign : keep(z), C: keep(c), V: keep(v) }, locals };
    }
  }

  /** The flags of `a - b`. */
  #flagsOfDifference(type: Type, a: () => void, b: () => void): KnownFlags {
    const f = this.f;
    const wide = () => void (type === "i32" && f.op("i64.extend_i32_s"));
    const difference = () => {
      a();
      b();
      f.op(`${type}.sub`);
    };
    const sign = () => {
      difference();
      wide();
    };
    return {
      words: {
        N: sign,
        Z: sign,
        C: () => {
          a();
          b();
          f.op(`${type}.ge_u`);
        },
        V: () => {
          a();
          b();
          f.op(`${type}.xor`);
          a();
          difference();
          f.op(`${type}.xor`).op(`${type}.and`);
          wide();
        },
      },
      compared: {
        type,
        a,
        b,
        operands: () => {
          a();
          b();
        },
      },
    };
  }

  protected override flag(flag: Flag): void {
    const f = this.f;
    if (this.knownFlags) return this.knownFlags.words[flag]();
    f.i32(0).memory("i32.load", CPU.FLAGS_KIND).if(() => void f.call(this.at.library.named("unpackFlags")));
    f.i32(0).memory(`${FLAG_TYPES[flag]}.load`, CPU[flag]);
  }

  /**
   * An access that misses the inline compare is tried again by a function; if that fails too, the
   * region is left. Each path contains the access itself: a Wasm address that may come from either
   * would have to be extended by an instruction before each use.
   */
  protected override access(
    address: Node,
    size: number,
    count: number,
    table: number,
    options: Behavior,
    hit: (wasmAddress: number, offset: number) => void,
  ): void {
    const f = this.f, wasmAddress = this.at.local("i32"), { member, kept } = this.site;
    if (member) {
      if (member.first) this.#locateGroup(member, address);
      f.get(member.wasmAddress).ifLikely(true, () => hit(member.wasmAddress, member.offset), () => {
        const split = CPU.SPLIT_GROUPS + SplitGroup.Size * member.group.split;
        f.i32(member.offset).i32(0).memory("i32.load", split + SplitGroup.Limit).op("i32.ge_u").i32(2).op("i32.shl");
        f.memory("i32.load", split + SplitGroup.First).set(wasmAddress);
        hit(wasmAddress, member.offset);
      });
      return;
    }
    const va = this.at.local("i64");
    this.value(address);
    f.set(va);
    const look = (found: () => void, missed: () => void) => {
      this.compareTlb(va, size, count, table, options);
      f.ifLikely(true, () => {
        this.wasmAddressOfHit(va);
        f.set(wasmAddress);
        found();
      }, () => {
        f.get(va);
        this.#tryAgain(wasmAddress, count * size, table, options);
        missed();
      });
    };
    const use = () => hit(wasmAddress, 0);
    const offset = this.#stackOffset;
    if (offset !== undefined && offset % size === 0) {
      return this.#serveFromStack(offset, count * size, va, wasmAddress, use, () => {
        look(() => table === TlbSet.Write && this.#keepStack(va, wasmAddress), () => {});
        use();
      });
    }
    if (!kept) return look(use, use);
    this.#serveFromPage(kept, va, wasmAddress, use, () => {
      look(() => this.#keepPage(kept, va, wasmAddress, count * size, table), () => {});
      use();
    });
  }

  /**
   * Computes the Wasm address where the page that was kept serves the access, and continues with
   * `use`; with `look` where not.
   */
  #serveFromPage(kept: number, va: number, wasmAddress: number, use: () => void, look: () => void): void {
    const f = this.f;
    f.get(va).i32(0).memory("i64.load", kept + KeptPage.Page).op("i64.sub");
    f.i32(0).memory("i64.load", kept + KeptPage.Limit).op("i64.lt_u").ifLikely(true, () => {
      f.get(va).op("i32.wrap_i64").i32(0).memory("i32.load", kept + KeptPage.Distance).op("i32.add").set(wasmAddress);
      use();
    }, look);
  }

  /** How far from SP, which is aligned, the access is. */
  get #stackOffset(): number | undefined {
    const { access } = this.instruction.addresses;
    return access?.slot === Slot.SP ? access.offset : undefined;
  }

  /**
   * The same for an aligned access of `bytes` at a distance from SP: the rest of a kept page is
   * counted in units of 16 bytes, so that one compare with a constant is enough.
   */
  #serveFromStack(offset: number, bytes: number, va: number, wasmAddress: number, use: () => void, look: () => void): void {
    const f = this.f, odd = offset & SP_ALIGNMENT - 1;
    f.get(va);
    if (odd) f.i64(odd).op("i64.sub");
    f.i32(0).memory("i64.load", CPU.STACK_PAGE).op("i64.sub").i64(4).op("i64.rotr");
    f.i64((PAGE_SIZE - bytes - odd) / SP_ALIGNMENT | 0).op("i64.le_u").ifLikely(true, () => {
      f.get(va).op("i32.wrap_i64").i32(0).memory("i32.load", CPU.STACK_DISTANCE).op("i32.add").set(wasmAddress);
      use();
    }, look);
  }

  /** Keeps the page of the stack, which an entry for writes serves: reads may go there as well. */
  #keepStack(va: number, wasmAddress: number): void {
    const f = this.f;
    f.i32(0).get(va).i64(-PAGE_SIZE).op("i64.and").memory("i64.store", CPU.STACK_PAGE);
    f.i32(0).get(wasmAddress).get(va).op("i32.wrap_i64").op("i32.sub").memory("i32.store", CPU.STACK_DISTANCE);
  }

  /**
   * Keeps the page of an access of `bytes` that its TLB entry serves; not where unaligned accesses
   * fault, as no later access would use it.
   */
  #keepPage(kept: number, va: number, wasmAddress: number, bytes: number, table: number): void {
    const f = this.f;
    f.i32(0).get(va).i64(-PAGE_SIZE).op("i64.and").memory("i64.store", kept + KeptPage.Page);
    f.i32(0).get(wasmAddress).get(va).op("i32.wrap_i64").op("i32.sub").memory("i32.store", kept + KeptPage.Distance).i32(0);
    this.entryFlags(va, table).i32(TlbFlags.Aligned).op("i32.and").op("i32.eqz").op("i64.extend_i32_u").i64(PAGE_SIZE - bytes + 1).op(
      "i64.mul",
    );
    f.memory("i64.store", kept + KeptPage.Limit);
  }

  /** Leaves the region where the function does not serve the address on the stack either. */
  #tryAgain(wasmAddress: number, bytes: number, table: number, options: Behavior): void {
    const f = this.f;
    this.descriptor(bytes, options);
    this.seam(table === TlbSet.Read ? "readableAt" : "writableAt");
    f.tee(wasmAddress).op("i32.eqz");
    f.ifLikely(false, () => this.site.leave(this.knownFlags));
  }

  /** Finds where the bytes of a group are, by the address of its first member. */
  #locateGroup(member: LocatedMember, address: Node): void {
    const f = this.f, low = this.at.local("i64"), { group: { span, alignment, write }, offset, wasmAddress } = member, { kept } = this.site;
    this.value(address);
    if (offset) f.i64(offset).op("i64.sub");
    f.set(low);
    const stack = this.#stackOffset;
    if (stack !== undefined && (stack - offset) % alignment === 0) {
      return this.#serveFromStack(stack - offset, span, low, wasmAddress, () => {}, () => {
        this.#compareGroup(member, low, () => write && this.#keepStack(low, wasmAddress));
      });
    }
    if (!kept) return this.#compareGroup(member, low, () => {});
    this.#serveFromPage(kept, low, wasmAddress, () => {}, () => {
      this.#compareGroup(member, low, () => this.#keepPage(kept, low, wasmAddress, span, write ? TlbSet.Write : TlbSet.Read));
    });
  }

  /**
   * Computes where the bytes of a group are by the TLB entry of its first byte, and continues with
   * `found`, or by a function: zero where they are in two pages. Leaves the region where that does
   * not serve all of the group.
   */
  #compareGroup({ group, wasmAddress }: LocatedMember, low: number, found: () => void): void {
    const { span, alignment, write, seams, split } = group;
    const f = this.f, entry = this.at.local("i64");
    f.get(low).op("i32.wrap_i64").i32(DataEntry.IndexShift).op("i32.shr_u").i32(DataEntry.IndexMask).op("i32.and");
    this.at.tlb();
    f.op("i32.add").memory("i64.load", write ? TlbSet.Write : TlbSet.Read).set(entry);
    f.get(low).get(entry).op("i64.xor").i64(DataEntry.TagMask | (alignment - 1)).op("i64.and");
    // The last byte is in the same page: else it changes the lowest bit of the page's number.
    f.get(low).i64(span - 1).op("i64.add").get(low).op("i64.xor").i64(PAGE_SIZE).op("i64.and").op("i64.or").op("i64.eqz");
    // A branch can be predicted: the accesses would have to wait for a selection.
    f.ifLikely(true, () => {
      f.get(low).op("i32.wrap_i64").get(entry).op("i32.wrap_i64").i32(DataEntry.DistanceShift).op("i32.shl").op("i32.add").set(wasmAddress);
      found();
    }, () => {
      f.get(low).i32(alignment).i32(span).i32(seams).i32(CPU.SPLIT_GROUPS + SplitGroup.Size * split);
      this.seam(write ? "writableGroupAt" : "readableGroupAt");
      f.tee(wasmAddress).op("i32.eqz").ifLikely(false, () => this.site.leave(this.knownFlags));
      f.i32(0).get(wasmAddress).get(wasmAddress).i32(1).op("i32.eq").op("select").set(wasmAddress);
    });
  }

  protected override ramAddress(id: number, size: number, address: Node, zero: boolean): void {
    const target = this.local(id);
    const block = zero ? this.$.and(address, -size) : address;
    this.access(block, size, 1, TlbSet.Write, { aligned: true, zero }, (wasmAddress) => void this.f.get(wasmAddress).set(target));
  }

  /**
   * Puts a value on the stack later than now: a constant, or what a local holds, which is added to
   * `locals`.
   */
  #keep(node: Node, locals: number[]): () => void {
    if (node.isStatic || node.kind === "constant") return () => this.value(node);
    const local = this.at.local(node.type);
    locals.push(local);
    this.value(node);
    this.f.set(local);
    return () => void this.f.get(local);
  }
}

// One instruction inside of a region: registers and flags are Wasm locals, fields are constants, and whatever the inline compare of an access
// does not serve leaves the region before the instruction, so that the interpreter executes it, fault and all.

import type { AccessOptions, Bank, Builder, Compared, Flag, Node, Statement } from "../../isa/builder.ts";
import { CPU, Slot, vAddress, xAddress } from "../cpu-record.ts";
import { constantSlot, Emitter, type KnownFlags, type Surroundings } from "../interpreter/emitter.ts";
import { hasStackPointerBase, statementsOf } from "../interpreter/handlers.ts";
import { evaluateBig, evaluateNumber } from "../interpreter/operands.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

const SP_ALIGNMENT = 16;
const FLAGS = ["C", "V", "N", "Z"] as const;
const FLAG_TYPES = { N: "i64", Z: "i64", V: "i64", C: "i32" } as const;

/** An emitter for an instruction whose fields are all known: what depends on them alone becomes constants. */
export class ConstantEmitter extends Emitter {
  protected override operand(node: Node): void {
    if (node.type === "i32") this.f.i32(evaluateNumber(node)(0));
    else this.f.i64(evaluateBig(node)(0));
  }
}

/** What a comparison that stands for the flags was of. */
const Comparison = { None: 0, Words: 1, Doublewords: 2 } as const;

/** The locals in which a region holds the state of the CPU. Those that are used are known when the body is complete. */
export class StateLocals {
  readonly #general = new Map<number, number>();
  readonly #vectors = new Map<number, number>();
  #flags: Record<Flag, number> | undefined;
  /** The flags are those of `a - b` where `kind`, one of `Comparison`, says so. */
  #comparisonLocals: { readonly kind: number; readonly a: number; readonly b: number } | undefined;
  readonly #written = new Set<number>();

  constructor(readonly f: FunctionBuilder) {}

  /** The local of a general register, by its slot. */
  general(slot: number): number {
    return this.#local(this.#general, slot, "i64");
  }

  vector(index: number): number {
    return this.#local(this.#vectors, index, "v128");
  }

  flag(flag: Flag): number {
    this.#flags ??= { N: this.f.local("i64"), Z: this.f.local("i64"), V: this.f.local("i64"), C: this.f.local("i32") };
    return this.#flags[flag];
  }

  /** Puts what is known of the flags into locals, for a place that several ways lead to. */
  settleFlags(known: KnownFlags | undefined): void {
    const f = this.f;
    if (!known) return;
    const { compared } = known;
    if (!compared) {
      for (const flag of FLAGS) known.words[flag]();
      return this.setFlags();
    }
    // The operands alone: in most cases nobody will ask for the flags.
    const { kind, a, b } = this.#comparison;
    for (const flag of FLAGS) this.written(this.flag(flag));
    compared.operands();
    for (const local of [b, a]) {
      if (compared.type === "i32") f.op("i64.extend_i32_u");
      f.set(local);
    }
    f.i32(compared.type === "i32" ? Comparison.Words : Comparison.Doublewords).set(kind);
  }

  /** Takes the flags from the stack, in the order of `FLAGS`. */
  setFlags(): void {
    for (const flag of FLAGS.toReversed()) this.f.set(this.written(this.flag(flag)));
    this.f.i32(Comparison.None).set(this.#comparison.kind);
  }

  /** Makes the flags of a comparison that has been settled. */
  unpackFlags(): void {
    const f = this.f, { kind, a, b } = this.#comparison;
    const [n, z, c, v] = (["N", "Z", "C", "V"] as const).map((flag) => this.written(this.flag(flag)));
    f.get(kind).if(() => {
      f.get(a).get(b).op("i64.ge_u").set(c);
      // Words move to the upper halves, where N and V are signs as well and the difference is zero when it was.
      f.get(kind).i32(Comparison.Words).op("i32.eq").if(() => {
        for (const operand of [a, b]) f.get(operand).i64(32).op("i64.shl").set(operand);
      });
      f.get(a).get(b).op("i64.sub").tee(n).set(z);
      f.get(a).get(b).op("i64.xor").get(a).get(n).op("i64.xor").op("i64.and").set(v);
      f.i32(Comparison.None).set(kind);
    });
  }

  get #comparison(): { readonly kind: number; readonly a: number; readonly b: number } {
    const { f } = this;
    return this.#comparisonLocals ??= { kind: f.local("i32"), a: f.local("i64"), b: f.local("i64") };
  }

  /** A local that is stored when the region is left. */
  written(local: number): number {
    this.#written.add(local);
    return local;
  }

  /** Appends the loads of all that is used. */
  load(f: FunctionBuilder): void {
    for (const [local, type, address] of this.#all()) f.i32(0).memory(`${type}.load`, address).set(local);
  }

  /** Appends the stores of all that is written. */
  store(f: FunctionBuilder): void {
    if (this.#comparisonLocals) this.unpackFlags();
    for (const [local, type, address] of this.#all()) {
      if (this.#written.has(local)) f.i32(0).get(local).memory(`${type}.store`, address);
    }
  }

  *#all(): Generator<[local: number, type: "i32" | "i64" | "v128", address: number]> {
    for (const [slot, local] of this.#general) yield [local, "i64", xAddress(slot)];
    for (const [index, local] of this.#vectors) yield [local, "v128", vAddress(index)];
    if (this.#flags) { for (const flag of FLAGS) yield [this.#flags[flag], FLAG_TYPES[flag], CPU[flag]]; }
  }

  #local(map: Map<number, number>, index: number, type: "i64" | "v128"): number {
    let local = map.get(index);
    if (local === undefined) map.set(index, local = this.f.local(type));
    return local;
  }
}

/**
 * A part of a vector that Wasm's loads name: how it is taken from the whole, the bytes of a lane, and how the lane is extended. The number of
 * the lane is the offset in lanes.
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

/** Emits one instruction of a region. */
export class RegionEmitter extends ConstantEmitter {
  readonly #reassigned: ReadonlySet<number>;

  /**
   * @param flags what the instructions before it know of the flags.
   * @param recordAddress of the instruction.
   * @param leave emits the way out of the region, at the instruction.
   */
  constructor(
    $: Builder,
    at: Surroundings,
    readonly state: StateLocals,
    flags: KnownFlags | undefined,
    readonly recordAddress: number,
    readonly leave: (flags: KnownFlags | undefined) => void,
  ) {
    super($, at);
    this.knownFlags = flags;
    this.#reassigned = reassignedLocals($);
  }

  /** What is known of the flags behind the instruction. */
  get flagsAfter(): KnownFlags | undefined {
    return this.knownFlags;
  }

  /** All statements but a branch at the end. */
  emitBody(): void {
    if (hasStackPointerBase(this.$)) {
      this.f.get(this.state.general(Slot.SP)).op("i32.wrap_i64").i32(SP_ALIGNMENT - 1).op("i32.and");
      this.f.ifLikely(false, () => this.leave(this.knownFlags));
    }
    for (const statement of this.$.statements) {
      if (statement.kind !== "branch" && statement.kind !== "branchTo") this.statement(statement);
    }
  }

  /** Puts an expression of the instruction on the stack. */
  emitValue(node: Node): void {
    this.value(node);
  }

  protected override statement(s: Statement): boolean {
    if (s.kind === "if" && statementsOf([s]).some(({ kind }) => kind === "setFlags")) {
      this.value(s.condition);
      this.state.settleFlags(this.knownFlags);
      this.knownFlags = undefined;
      this.nesting++;
      this.f.if(() => s.then.forEach((each) => this.statement(each)), () => s.otherwise.forEach((each) => this.statement(each)));
      this.nesting--;
      return false;
    }
    return super.statement(s);
  }

  protected override pc(): void {
    this.f.i32(0).memory("i64.load", CPU.PC_DELTA).i64(this.recordAddress / 4).op("i64.add");
  }

  protected override register(bank: Bank, index: Node): void {
    const slot = constantSlot(bank, evaluateNumber(index)(0), false);
    if (slot === Slot.Zero || slot === Slot.Dump) this.f.i64(0);
    else this.f.get(this.state.general(slot));
  }

  protected override setRegister(bank: Bank, index: Node, value: Node): void {
    const slot = constantSlot(bank, evaluateNumber(index)(0), true);
    if (slot === Slot.Dump) return;
    this.value(value);
    this.f.set(this.state.written(this.state.general(slot)));
  }

  protected override vector(instruction: string, index: Node, offset: Node): void {
    const f = this.f, local = this.state.vector(evaluateNumber(index)(0)), at = evaluateNumber(offset)(0);
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
    const f = this.f, local = this.state.written(this.state.vector(evaluateNumber(index)(0))), at = evaluateNumber(offset)(0);
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

  /** Nothing is stored before it is asked for: where the next instruction sets the flags again, these cost nothing. */
  protected override setFlags(n: Node, z: Node, c: Node, v: Node, compared?: Compared): void {
    const values = { N: n, Z: z, C: c, V: v };
    if (this.nesting) {
      for (const flag of FLAGS) this.value(values[flag]);
      this.state.setFlags();
      return;
    }
    const words = { C: this.#late(c), V: this.#late(v), N: this.#late(n), Z: this.#late(z) };
    const operands = compared?.map((node) => this.#late(node));
    this.knownFlags = {
      words,
      compared: operands && compared && { type: compared[0].type, operands: () => operands.forEach((operand) => operand()) },
    };
  }

  protected override flag(flag: Flag): void {
    if (this.knownFlags) return this.knownFlags.words[flag]();
    this.state.unpackFlags();
    this.f.get(this.state.flag(flag));
  }

  protected override access(
    address: Node,
    size: number,
    count: number,
    table: number,
    options: AccessOptions,
    hit: (host: number) => void,
  ): void {
    super.access(address, size, count, table, options, hit, () => this.leave(this.knownFlags));
  }

  /** Puts a value on the stack later than now: from the instruction's locals, or from a local that holds it. */
  #late(node: Node): () => void {
    if (this.#lasts(node)) return () => this.value(node);
    const local = this.bind(node);
    return () => void this.f.get(local);
  }

  /** Whether the value depends on nothing that may change behind the instruction. */
  #lasts(node: Node): boolean {
    if (node.isStatic || node.kind === "constant") return true;
    if (node.kind === "local") return !this.#reassigned.has(node.id);
    return node.kind === "op" && node.operands.every((operand) => this.#lasts(operand));
  }
}

/** Locals that are assigned more than once. */
function reassignedLocals($: Builder): Set<number> {
  const seen = new Set<number>(), again = new Set<number>();
  for (const s of statementsOf($.statements)) {
    if (s.kind !== "let") continue;
    if (seen.has(s.id)) again.add(s.id);
    seen.add(s.id);
  }
  return again;
}

// One instruction inside of a region: registers and flags are Wasm locals, fields are constants,
// and whatever the inline compare of an access does not serve leaves the region before the
// instruction, so that the interpreter executes it, fault and all.

import type { Bank, Compared, Flag, Node, Statement } from "../../../isa/notation/builder.ts";
import { SP_ALIGNMENT } from "../../architecture/exceptions.ts";
import { OperandLayout } from "../../decoded/operands.ts";
import { checksBranches } from "../../interpreter/branch-targets.ts";
import type { KnownFlags } from "../../interpreter/conditions.ts";
import type { Surroundings } from "../../interpreter/surroundings.ts";
import type { MemoryAccess } from "../../interpreter/memory-access.ts";
import { CPU, Slot } from "../../state/cpu-state.ts";
import type { Callees } from "../../wasm/library.ts";
import type { LocalPool } from "../../wasm/local-pool.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { ConstantEmitter } from "./constant-emitter.ts";
import { slotsWritten } from "../code/forwarded-values.ts";
import { inlineCall, type Operations } from "../code/inline-calls.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { FLAG_TYPES, FLAGS, flagsOfDifference, keptFlags, type KeptValue } from "./known-flags.ts";
import { type AccessSite, RegionAccesses } from "./region-access.ts";
import { isLogical, startsWhole } from "../code/register-use.ts";
import type { StateLocals } from "./state-locals.ts";
import { pushLanes, setLanes } from "./vector-lanes.ts";

/** State that the instructions of a region share. */
export interface RegionContext {
  readonly f: FunctionBuilder;
  readonly library: Callees;
  readonly state: StateLocals;
  readonly temporaries: LocalPool;
  /** Local: the TLB set. */
  readonly tlb: number;
  /** Local: the TLB set of exclusive and atomic accesses, if the region has any. */
  readonly atomicsTlb: number | undefined;
  /** Local: the virtual address of instruction 0. */
  readonly base: number;
  /**
   * Not zero where the computer's arithmetic is the architecture's (`isFast` of core/fp); and what
   * computes it again.
   */
  readonly fast: number;
  readonly refreshFast: (() => void) | undefined;
  readonly operations: Operations;
}

/** Operations that give one operand where the other is zero: of a difference, the second. */
const SUMS: ReadonlySet<string> = new Set(["add", "sub", "or", "xor"].flatMap((name) => [`i32.${name}`, `i64.${name}`]));

/** 1 when one of these statements sets the flags. */
const setsFlags = (statements: readonly Statement[]): number => statements.some(({ kind }) => kind === "setFlags") ? 1 : 0;

const never = () => {
  throw new Error("an instruction of a region branches or faults by itself");
};

/** The surroundings of the emitter of a region's instructions. */
export function surroundings({ f, library, temporaries, tlb, atomicsTlb }: RegionContext): Surroundings {
  return {
    f,
    library,
    layout: new OperandLayout("region"),
    ip: -1,
    decodedOffset: 0,
    local: (type) => temporaries.allocate(type),
    tlb: () => void f.get(tlb),
    atomicsTlb: () => {
      if (atomicsTlb === undefined) throw new Error("a region without atomic accesses has one");
      f.get(atomicsTlb);
    },
    beforeCall: () => {},
    fault: never,
    branch: never,
    branchTo: never,
  };
}

/** The place of an instruction in its block. */
export interface Site extends AccessSite {
  /** Emits the way out of the region, at the instruction. */
  leave(flags: KnownFlags | undefined): void;
  /** SP is known to be aligned. */
  readonly stackAligned: boolean;
}

/** Emits one instruction of a region. */
export class RegionEmitter extends ConstantEmitter {
  readonly state: StateLocals;
  #branchChecked = false;
  /** The place for the flags inside of an `if`. */
  #choiceFlags: Readonly<Record<Flag, number>> | undefined;

  /**
   * @param flags known from the instructions before it
   * @param index of the instruction
   */
  constructor(
    readonly instruction: RegionInstruction,
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
    this.statements(this.$.statements);
  }

  /** Puts an expression of the instruction on the stack. */
  emitValue(node: Node): void {
    this.value(node);
  }

  protected override statements(statements: readonly Statement[]): boolean {
    const forwards = statements === this.$.statements;
    for (let i = 0; i < statements.length; i++) {
      const s = statements[i];
      if (forwards && this.#forward(s)) continue;
      if (!this.#branchChecked && (s.kind === "setRegister" || s.kind === "branchTo")) this.#checkBranch();
      if (s.kind === "branch" || s.kind === "branchTo" || s === this.instruction.repetition) continue;
      if (s.kind === "setVector" && startsWhole(statements, i)) {
        this.#setLow(s);
        i++;
      } else this.statement(s);
    }
    return false;
  }

  /** Prepares the locals of a statement, other than one inside of an `if`; true if that is all. */
  #forward(s: Statement): boolean {
    switch (s.kind) {
      case "let": {
        const place = this.instruction.places[s.id];
        if (typeof place === "number") this.locals[s.id] = this.state.general(place);
        return place !== undefined;
      }
      case "load":
        this.#loadInto(s.id);
        break;
      case "loadPair":
        for (const id of s.ids) this.#loadInto(id);
        break;
      case "if":
        for (const slot of slotsWritten(s, this.word)) this.#keepFlagsOf(slot);
        break;
    }
    return false;
  }

  /** Loads into a register at once, where that is all that becomes of the value. */
  #loadInto(id: number): void {
    const slot = this.instruction.places[id];
    if (typeof slot !== "number") return;
    this.#keepFlagsOf(slot);
    this.locals[id] = this.state.general(slot);
  }

  /** Before a register is written: the flags that are known may be those of its value. */
  #keepFlagsOf(slot: number): void {
    const local = this.state.general(slot), { knownFlags } = this;
    if (!knownFlags?.locals?.includes(local)) return;
    const kept = this.at.local("i64");
    this.f.get(local).set(kept);
    this.knownFlags = knownFlags.moved?.(local, kept);
  }

  /** An indirect branch that must store its type leaves the region before it does anything. */
  #checkBranch(): void {
    const { f, site, instruction: { branch } } = this;
    this.#branchChecked = true;
    if (branch?.kind !== "branchTo" || !branch.type || !checksBranches(this.at.library)) return;
    this.value(branch.address);
    this.value(branch.type);
    this.pc();
    f.call(this.at.library.named("permitsBranch")).op("i32.eqz").ifLikely(false, () => site.leave(this.knownFlags));
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
    if (s.kind === "call" && s.attempt !== undefined) return this.#try(s, s.attempt);
    if (s.kind === "call" && !s.faults && this.#inlined(s)) return false;
    const done = s.kind === "if" && setsFlags(s.then) + setsFlags(s.otherwise) ? this.#choice(s) : super.statement(s);
    // The computer's arithmetic may serve or not from now on.
    if (s.kind === "setState" && (s.name === "FPCR" || s.name === "FPSR")) this.context.refreshFast?.();
    return done;
  }

  /** An `if` that sets the flags, in one of its ways at least. */
  #choice(s: Statement & { kind: "if" }): boolean {
    const { f } = this;
    const locals = { C: this.at.local("i32"), V: this.at.local("i64"), N: this.at.local("i64"), Z: this.at.local("i64") };
    if (!setsFlags(s.then) || !setsFlags(s.otherwise)) {
      for (const flag of FLAGS) {
        this.flag(flag);
        f.set(locals[flag]);
      }
    }
    this.value(s.condition);
    this.nesting++;
    this.#choiceFlags = locals;
    f.if(() => void this.statements(s.then), () => void this.statements(s.otherwise));
    this.#choiceFlags = undefined;
    this.nesting--;
    const word = (flag: Flag) => () => void f.get(locals[flag]);
    this.knownFlags = { words: { N: word("N"), Z: word("Z"), C: word("C"), V: word("V") }, locals: Object.values(locals) };
    return false;
  }

  /** Tries a call, which may fill entries of the TLB; leaves the region if nothing was done. */
  #try({ operands, id }: Statement & { kind: "call" }, attempt: string): boolean {
    const { f } = this, done = this.at.local("i32");
    for (const operand of operands) this.value(operand);
    f.call(this.at.library.named(attempt)).set(done);
    if (id === undefined) throw new Error(`${attempt} has no result`);
    this.set(id);
    f.get(done).op("i32.eqz").ifLikely(false, () => this.site.leave(this.knownFlags));
    this.site.filled();
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
    this.#pushAddress(0);
  }

  /** Puts an address at a distance from the instruction on the stack. */
  #pushAddress(distance: number): void {
    this.f.get(this.context.base).i64(4 * this.index + distance).op("i64.add");
  }

  protected override register(bank: Bank, index: Node): void {
    const slot = this.slot(bank, index, false);
    if (slot === Slot.Zero || slot === Slot.Dump) this.f.i64(0);
    else this.f.get(this.state.general(slot));
  }

  protected override setRegister(bank: Bank, index: Node, value: Node): void {
    const slot = this.slot(bank, index, true);
    if (slot === Slot.Dump) return;
    const local = this.state.general(slot);
    // The loaded value is there already.
    if (value.kind === "local" && this.locals[value.id] === local) return;
    this.value(value);
    this.#keepFlagsOf(slot);
    this.f.set(local);
  }

  /** The value that is emitted instead of a local. */
  #forwarded(node: Node): Node | undefined {
    const place = node.kind === "local" ? this.instruction.places[node.id] : undefined;
    return typeof place === "object" ? place : undefined;
  }

  protected override value(node: Node): void {
    const meant = this.#forwarded(node) ?? node;
    if (meant.kind !== "op" || meant.isStatic || !SUMS.has(meant.name)) return super.value(meant);
    const [a, b] = meant.operands;
    if (this.#isZero(b)) return this.value(a);
    if (this.#isZero(a) && !meant.name.endsWith("sub")) return this.value(b);
    if (a.kind === "pc" && b.isStatic && b.low !== undefined) return this.#pushAddress(this.number(b));
    super.value(meant);
  }

  /** Whether a value is zero in this instruction, as that of XZR and many an offset is. */
  #isZero(node: Node): boolean {
    if (node.isStatic) return node.low !== undefined && this.number(node) === 0;
    switch (node.kind) {
      case "register":
        return this.slot(node.bank, node.index, false) === Slot.Zero;
      case "local": {
        const meant = this.#forwarded(node);
        return meant !== undefined && this.#isZero(meant);
      }
      case "op":
        return node.name === "i32.wrap_i64" && this.#isZero(node.operands[0]);
    }
    return false;
  }

  protected override bind(node: Node): number {
    if (!this.#forwarded(node)) return super.bind(node);
    const local = this.at.local(node.type);
    this.value(node);
    this.f.set(local);
    return local;
  }

  protected override vector(instruction: string, index: Node, offset: Node): void {
    pushLanes(this.f, instruction, this.state.vector(this.number(index)), this.number(offset));
  }

  protected override setVector(instruction: string, index: Node, offset: Node, value: Node): void {
    setLanes(this.f, instruction, this.state.vector(this.number(index)), this.number(offset), () => this.value(value));
  }

  /**
   * Nothing is stored before it is asked for: where the next instruction sets the flags again,
   * these cost nothing.
   */
  protected override setFlags(n: Node, z: Node, c: Node, v: Node, compared?: Compared): void {
    const values = { N: n, Z: z, C: c, V: v };
    if (this.#choiceFlags) {
      for (const flag of FLAGS) this.value(values[flag]);
      for (const flag of FLAGS.toReversed()) this.f.set(this.#choiceFlags[flag]);
      return;
    }
    if (this.nesting) throw new Error("flags are set in an `if` inside of another");
    const keep = (node: Node) => this.#keep(node), { f } = this;
    if (compared) {
      const [{ type }] = compared;
      this.knownFlags = keptFlags(f, compared.map(keep), ([a, b]) => flagsOfDifference(f, type, a, b));
    } else if (isLogical({ kind: "setFlags", n, z, c, v })) {
      const none = () => void f.i32(0), none64 = () => void f.i64(0);
      this.knownFlags = keptFlags(f, [keep(n)], ([value]) => ({ words: { N: value, Z: value, C: none, V: none64 }, logical: value }));
    } else {
      const kept = n === z ? [n, c, v] : [n, c, v, z];
      this.knownFlags = keptFlags(f, kept.map(keep), ([N, C, V, Z = N]) => ({ words: { N, Z, C, V } }));
    }
  }

  protected override flag(flag: Flag): void {
    const f = this.f;
    if (this.knownFlags) return this.knownFlags.words[flag]();
    f.i32(0).memory("i32.load", CPU.FLAGS_KIND).if(() => void f.call(this.at.library.named("unpackFlags")));
    f.i32(0).memory(`${FLAG_TYPES[flag]}.load`, CPU[flag]);
  }

  #accesses: RegionAccesses | undefined;

  protected override access(access: MemoryAccess): void {
    const evaluate = (node: Node) => this.value(node), leave = () => this.site.leave(this.knownFlags);
    this.#accesses ??= new RegionAccesses(this.at, this.comparison, this.instruction, this.site, evaluate, leave);
    this.#accesses.emit(access);
  }

  /** A way to put a value on the stack later than now: a constant, or the local that holds it. */
  #keep(node: Node): KeptValue {
    if (node.isStatic || node.kind === "constant") return () => this.value(node);
    // Values that are used here are forwarded only if they are constant: zero from XZR is, too.
    return this.#forwarded(node) ? () => this.value(node) : this.bind(node);
  }
}

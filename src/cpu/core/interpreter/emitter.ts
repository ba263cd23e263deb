// Turns the statements of an instruction (cpu/isa/notation/builder.ts) into WebAssembly, for a
// handler of the interpreter loop or for a separate function. docs/design/core.md §I6.

import type { AccessOptions, Bank, Builder, Compared, Flag, Node, Statement, Type } from "../../isa/notation/builder.ts";
import type { OperandKind } from "../decoded/operands.ts";
import { CPU, Slot, vAddress, xAddress } from "../state/cpu-state.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { type KnownFlags, pushCondition } from "./conditions.ts";
import { callSeam, type MemoryAccess, pushDescriptor, TlbComparison } from "./memory-access.ts";
import { FLAG_ADDRESSES, stateAddress } from "./state-addresses.ts";
import type { Surroundings } from "./surroundings.ts";

const OPERAND_LOADS: Record<"i32" | "i64", Record<OperandKind, string>> = {
  i32: { u16: "i32.load16_u", i32: "i32.load", u32: "i32.load", i64: "i32.load" },
  i64: { u16: "i64.load16_u", i32: "i64.load32_s", u32: "i64.load32_u", i64: "i64.load" },
};

/** The Wasm load for `bytes` of guest memory. */
function loadInstruction(type: Type, bytes: number, isSigned: boolean): string {
  const full = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 }[type];
  return bytes === full ? `${type}.load` : `${type}.load${8 * bytes}_${isSigned ? "s" : "u"}`;
}

function storeInstruction(type: Type, bytes: number): string {
  const full = { i32: 4, i64: 8, f32: 4, f64: 8, v128: 16 }[type];
  return bytes === full ? `${type}.store` : `${type}.store${8 * bytes}`;
}

/** The slot of a register whose number is constant. */
export function constantSlot(bank: Bank, index: number, write: boolean): number {
  if (index !== 31) return index;
  return bank === "sp" ? Slot.SP : write || bank === "update" ? Slot.Dump : Slot.Zero;
}

/** The static byte offset of a register in its file; constants are known already. */
function registerOffset($: Builder, bank: Bank, index: Node, write: boolean): Node {
  const special = bank === "sp" ? Slot.SP : write || bank === "update" ? Slot.Dump : Slot.Zero;
  const slot = special === Slot.Zero ? index : $.select($.eq(index, 31), $.i32(special), index);
  return $.range($.lsl(slot, 3), 0, 8 * Slot.Dump);
}

export class Emitter {
  /** Wasm locals of the builder's local values; as many as there are, so that it does not grow. */
  protected readonly locals: (number | undefined)[];
  protected readonly f: FunctionBuilder;
  protected knownFlags: KnownFlags | undefined;
  /** Depth of nested `if` statements. */
  protected nesting = 0;

  /** @param before the first instruction of a fused pair, for the second, which uses its locals */
  constructor(readonly $: Builder, readonly at: Surroundings, before?: Emitter) {
    this.f = at.f;
    this.locals = new Array($.locals.length).fill(undefined);
    if (before) this.knownFlags = before.knownFlags;
  }

  /** Emits all statements. True when the last of them ended the instruction. */
  emit(): boolean {
    return this.statements(this.$.statements);
  }

  protected statements(statements: readonly Statement[]): boolean {
    let ended = false;
    for (const statement of statements) ended = this.statement(statement);
    return ended;
  }

  /** True when control does not continue after the statement. */
  protected statement(s: Statement): boolean {
    const f = this.f;
    switch (s.kind) {
      case "let":
        this.value(s.value);
        this.set(s.id);
        break;
      case "setRegister":
        this.setRegister(s.bank, s.index, s.value);
        break;
      case "setVector":
        this.setVector(s.instruction, s.index, s.offset, s.value);
        break;
      case "setFlags":
        this.setFlags(s.n, s.z, s.c, s.v, s.compared);
        break;
      case "setState":
        f.i32(0);
        this.value(s.value);
        f.memory(`${s.value.type}.store`, stateAddress(s.name, this.at.library));
        break;
      case "load":
        this.load(s.id, s.size, s.address, s.options);
        break;
      case "loadPair":
        this.loadPair(s.ids, s.size, s.address, s.options);
        break;
      case "store":
        this.store(s.size, s.address, s.value, s.options);
        break;
      case "storePair":
        this.storePair(s.size, s.address, s.values);
        break;
      case "ramAddress":
        this.ramAddress(s.id, s.size, s.address, s.zero);
        break;
      case "ramStore":
        this.value(s.place);
        this.value(s.value);
        f.memory(s.instruction, s.offset);
        break;
      case "call":
        if (s.faults) this.at.beforeCall(true);
        for (const operand of s.operands) this.value(operand);
        f.call(this.at.library.named(s.name));
        if (s.id !== undefined) this.set(s.id);
        if (s.faults) this.#checkPending();
        break;
      case "if":
        this.value(s.condition);
        this.nesting++;
        f.if(() => void this.statements(s.then), s.otherwise.length ? () => void this.statements(s.otherwise) : undefined);
        this.nesting--;
        break;
      case "branch":
        if (!s.condition) {
          this.at.branch(s.offset);
          return true;
        }
        this.value(s.condition);
        f.if(() => this.at.branch(s.offset));
        break;
      case "branchTo":
        this.at.branchTo(() => this.value(s.address), this.#later(s.type));
        return true;
    }
    return false;
  }

  #later(node: Node | undefined): (() => void) | undefined {
    return node && (() => this.value(node));
  }

  /** Puts the value of an expression on the stack. */
  protected value(node: Node): void {
    const f = this.f;
    if (node.isStatic && node.kind !== "constant") return this.operand(node);
    switch (node.kind) {
      case "constant":
        if (node.type === "i32" || node.type === "i64") f[node.type](node.value);
        else if (node.type !== "v128") f[node.type](Number(node.value));
        return;
      case "vectorConstant":
        f.v128(node.lowHalf, node.highHalf);
        return;
      case "op":
        for (const operand of node.operands) this.value(operand);
        f.op(node.name);
        return;
      case "lane":
        for (const operand of node.operands) this.value(operand);
        f.lane(node.name, node.lane);
        return;
      case "shuffle":
        for (const operand of node.operands) this.value(operand);
        f.shuffle(node.lanes);
        return;
      case "register":
        this.register(node.bank, node.index);
        return;
      case "vector":
        this.vector(node.instruction, node.index, node.offset);
        return;
      case "ramLoad":
        this.value(node.place);
        f.memory(node.instruction, node.offset);
        return;
      case "flag":
        this.flag(node.flag);
        return;
      case "condition":
        this.condition(node.cond);
        return;
      case "state":
        f.i32(0).memory(`${node.type}.load`, stateAddress(node.name, this.at.library));
        return;
      case "pc":
        this.pc();
        return;
      case "local":
        f.get(this.local(node.id));
        return;
    }
    throw new Error(`${node.kind} cannot be emitted`);
  }

  /** Reads an operand of the decoded instruction. */
  protected operand(node: Node): void {
    if (node.type !== "i32" && node.type !== "i64") throw new Error(`a static ${node.type}`);
    const operand = this.at.layout.place(node);
    this.f.get(this.at.ip).memory(OPERAND_LOADS[node.type][operand.kind], this.at.decodedOffset + operand.offset);
  }

  /**
   * Puts the address of a vector register's bytes on the stack, but for the constant offset that is
   * the result.
   */
  protected vectorBase(index: Node, offset: Node): number {
    if (index.kind === "constant" && offset.kind === "constant") {
      this.f.i32(0);
      return vAddress(Number(index.value)) + Number(offset.value);
    }
    const register = this.$.lsl(index, 4);
    if (offset.kind === "constant") {
      this.operand(this.$.range(register, 0, 496));
      return CPU.VECTOR + Number(offset.value);
    }
    this.operand(this.$.range(this.$.add(register, offset), 0, 511));
    return CPU.VECTOR;
  }

  /** Puts the address of the instruction on the stack. */
  protected pc(): void {
    const { f, at } = this;
    f.i32(0).memory("i64.load", CPU.PC_DELTA).get(at.ip);
    if (at.decodedOffset) f.i32(at.decodedOffset).op("i32.add");
    f.i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
  }

  /** Puts the value of a vector register, or of a part of it, on the stack. */
  protected vector(instruction: string, index: Node, offset: Node): void {
    this.f.memory(instruction, this.vectorBase(index, offset));
  }

  protected setVector(instruction: string, index: Node, offset: Node, value: Node): void {
    const base = this.vectorBase(index, offset);
    this.value(value);
    this.f.memory(instruction, base);
  }

  /** Puts the value of a general register on the stack. */
  protected register(bank: Bank, index: Node): void {
    const f = this.f;
    if (index.kind === "constant") {
      const slot = constantSlot(bank, Number(index.value), false);
      if (slot === Slot.Zero) f.i64(0);
      else f.i32(0).memory("i64.load", xAddress(slot));
    } else {
      this.operand(registerOffset(this.$, bank, index, false));
      f.memory("i64.load", CPU.X);
    }
  }

  protected setRegister(bank: Bank, index: Node, value: Node): void {
    const f = this.f;
    if (index.kind === "constant") {
      const slot = constantSlot(bank, Number(index.value), true);
      if (slot === Slot.Dump) return;
      f.i32(0);
      this.value(value);
      f.memory("i64.store", xAddress(slot));
      return;
    }
    this.operand(registerOffset(this.$, bank, index, true));
    this.value(value);
    f.memory("i64.store", CPU.X);
  }

  protected setFlags(n: Node, z: Node, c: Node, v: Node, compared?: Compared): void {
    const f = this.f;
    // Values that read flags are bound before any flag changes.
    const bound = (node: Node) => {
      if (node.kind === "local" || node.kind === "constant" || node.isStatic) return () => this.value(node);
      const local = this.at.local(node.type);
      this.value(node);
      f.set(local);
      return () => void f.get(local);
    };
    const words = { C: bound(c), V: bound(v), N: bound(n), Z: bound(z) };
    for (const flag of ["C", "V", "N", "Z"] as const) {
      f.i32(0);
      words[flag]();
      f.memory(flag === "C" ? "i32.store" : "i64.store", FLAG_ADDRESSES[flag]);
    }
    if (this.nesting) {
      this.knownFlags = undefined;
      return;
    }
    const operands = compared?.map(bound);
    this.knownFlags = {
      words,
      compared: operands && compared &&
        { type: compared[0].type, operands: () => operands.forEach((operand) => operand()), a: operands[0], b: operands[1] },
    };
  }

  /** Puts the word of a flag on the stack. */
  protected flag(flag: Flag): void {
    if (this.knownFlags) this.knownFlags.words[flag]();
    else this.f.i32(0).memory(flag === "C" ? "i32.load" : "i64.load", FLAG_ADDRESSES[flag]);
  }

  /** ConditionHolds: puts 0 or 1 on the stack. */
  protected condition(cond: number): void {
    pushCondition(this.f, cond, this.knownFlags?.compared, (flag) => this.flag(flag));
  }

  /** Evaluates the address, compares it with its TLB entry, and emits either way. */
  protected access(access: MemoryAccess): void {
    const f = this.f, comparison = this.comparison;
    const va = this.at.local("i64"), wasmAddress = this.at.local("i32");
    this.value(access.address);
    f.set(va);
    comparison.compare(va, access);
    f.ifLikely(true, () => {
      comparison.wasmAddress(va).set(wasmAddress);
      access.hit(wasmAddress, 0);
    }, () => access.miss(va));
  }

  #comparison: TlbComparison | undefined;

  protected get comparison(): TlbComparison {
    return this.#comparison ??= new TlbComparison(this.at);
  }

  protected load(id: number, size: number, address: Node, behavior: AccessOptions): void {
    const f = this.f, type = this.$.locals[id], target = this.local(id);
    this.access({
      address,
      size,
      count: 1,
      write: false,
      behavior,
      hit: (wasmAddress, offset) => {
        f.get(wasmAddress).memory(loadInstruction(type, size, behavior.signed ?? false), offset).set(target);
      },
      miss: (va) => {
        this.at.beforeCall(true);
        f.get(va);
        this.#slowLoad(type, size, behavior);
        f.set(target);
        this.#checkPending();
      },
    });
  }

  protected loadPair(ids: readonly [number, number], size: number, address: Node, behavior: AccessOptions): void {
    const f = this.f, type = this.$.locals[ids[0]];
    const targets = ids.map((id) => this.local(id));
    this.access({
      address,
      size,
      count: 2,
      write: false,
      behavior,
      hit: (wasmAddress, offset) => {
        const load = loadInstruction(type, size, behavior.signed ?? false);
        targets.forEach((target, i) => f.get(wasmAddress).memory(load, offset + i * size).set(target));
      },
      miss: (va) => {
        this.at.beforeCall(true);
        targets.forEach((target, i) => {
          f.get(va);
          if (i) f.i64(size).op("i64.add");
          this.#slowLoad(type, size, { ...behavior, part: true });
          f.set(target);
          this.#checkPending();
        });
      },
    });
  }

  /** Calls the slow load for the address on the stack; the value is left there. */
  #slowLoad(type: Type, size: number, behavior: AccessOptions): void {
    const f = this.f;
    pushDescriptor(f, size, behavior, (node) => this.value(node));
    callSeam(this.at, size === 16 ? "slowLoad16" : "slowLoad");
    if (type === "i64") {
      if (behavior.signed) f.op(`i64.extend${8 * size}_s`);
    } else if (type === "i32") {
      f.op("i32.wrap_i64");
      if (behavior.signed && size < 4) f.op(`i32.extend${8 * size}_s`);
    } else if (type === "f64") f.op("f64.reinterpret_i64");
    else if (type === "f32") f.op("i32.wrap_i64").op("f32.reinterpret_i32");
  }

  protected store(size: number, address: Node, value: Node, behavior: AccessOptions): void {
    const f = this.f, stored = this.bind(value);
    this.access({
      address,
      size,
      count: 1,
      write: true,
      behavior,
      hit: (wasmAddress, offset) => void f.get(wasmAddress).get(stored).memory(storeInstruction(value.type, size), offset),
      miss: (va) => {
        this.at.beforeCall(true);
        f.get(va);
        this.#slowStore(value.type, stored, size, behavior);
        this.#checkPending();
      },
    });
  }

  protected storePair(size: number, address: Node, values: readonly [Node, Node]): void {
    const f = this.f;
    const stored = values.map((value) => this.bind(value));
    this.access({
      address,
      size,
      count: 2,
      write: true,
      behavior: {},
      hit: (wasmAddress, offset) => {
        values.forEach((value, i) => f.get(wasmAddress).get(stored[i]).memory(storeInstruction(value.type, size), offset + i * size));
      },
      miss: (va) => {
        this.at.beforeCall(true);
        values.forEach((value, i) => {
          f.get(va);
          if (i) f.i64(size).op("i64.add");
          this.#slowStore(value.type, stored[i], size, { part: true });
          this.#checkPending();
        });
      },
    });
  }

  #slowStore(type: Type, stored: number, size: number, behavior: AccessOptions): void {
    const f = this.f;
    pushDescriptor(f, size, behavior, (node) => this.value(node));
    f.get(stored);
    if (type === "f64") f.op("i64.reinterpret_f64");
    if (type === "f32") f.op("i32.reinterpret_f32");
    if (type === "i32" || type === "f32") f.op("i64.extend_i32_u");
    callSeam(this.at, size === 16 ? "slowStore16" : "slowStore");
  }

  protected ramAddress(id: number, size: number, address: Node, zero: boolean): void {
    const f = this.f, target = this.local(id), behavior = { aligned: true, zero };
    this.access({
      address: zero ? this.$.and(address, -size) : address,
      size,
      count: 1,
      write: true,
      behavior,
      hit: (wasmAddress) => void f.get(wasmAddress).set(target),
      miss: (va) => {
        this.at.beforeCall(true);
        if (zero) this.value(address);
        else f.get(va);
        pushDescriptor(f, size, behavior, (node) => this.value(node));
        callSeam(this.at, "slowAddress").set(target);
        this.#checkPending();
      },
    });
  }

  #checkPending(): void {
    this.f.i32(0).memory("i32.load", CPU.PENDING);
    this.f.ifLikely(false, () => this.at.fault());
  }

  /** A Wasm local that holds the value. */
  protected bind(node: Node): number {
    if (node.kind === "local") return this.local(node.id);
    const local = this.at.local(node.type);
    this.value(node);
    this.f.set(local);
    return local;
  }

  protected local(id: number): number {
    return this.locals[id] ??= this.at.local(this.$.locals[id]);
  }

  protected set(id: number): void {
    this.f.set(this.local(id));
  }
}

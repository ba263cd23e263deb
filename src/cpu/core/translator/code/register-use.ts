// The registers that an instruction reads and writes, from its semantics: a region's loads and
// stores follow from them.

import type { Bank, Builder, Node, Statement } from "../../../isa/notation/builder.ts";
import { evaluateNumber, staticKey } from "../../decoded/operands.ts";
import { constantSlot } from "../../interpreter/emitter.ts";
import { Slot } from "../../state/cpu-state.ts";

/** A set of registers: bit N of `general` is XN, bit 31 SP; bit N of `vector` is VN. */
export interface RegisterSet {
  general: number;
  vector: number;
}

/**
 * Registers that an instruction reads, and those that it always writes. A register that it writes
 * in part or conditionally counts as read too.
 */
export interface RegisterUse {
  readonly read: Readonly<RegisterSet>;
  readonly written: Readonly<RegisterSet>;
  readonly readsFlags: boolean;
  /** It sets all flags, whatever happens. */
  readonly setsFlags: boolean;
}

export const noRegisters = (): RegisterSet => ({ general: 0, vector: 0 });

/** Bit of SP in `RegisterSet.general`. */
const SP_BIT = 31;

/** The bit of a slot of `CPU.X` in `RegisterSet.general`; zero for XZR. */
export function generalBit(slot: number): number {
  if (slot === Slot.Zero || slot === Slot.Dump) return 0;
  return 1 << (slot === Slot.SP ? SP_BIT : slot);
}

/** Slots of the general registers in a set. */
export function generalSlots(general: number): number[] {
  const slots: number[] = [];
  for (let rest = general; rest; rest &= rest - 1) {
    const bit = 31 - Math.clz32(rest & -rest);
    slots.push(bit === SP_BIT ? Slot.SP : bit);
  }
  return slots;
}

/** Numbers of the vector registers in a set. */
export function vectorIndices(vector: number): number[] {
  const indices: number[] = [];
  for (let rest = vector; rest; rest &= rest - 1) indices.push(31 - Math.clz32(rest & -rest));
  return indices;
}

/** Adds all of `more` to `set`; whether that changed it. */
export function add(set: RegisterSet, more: Readonly<RegisterSet>): boolean {
  const { general, vector } = set;
  set.general |= more.general;
  set.vector |= more.vector;
  return set.general !== general || set.vector !== vector;
}

/** Removes what is not in `others` from `set`. */
export function keepOnly(set: RegisterSet, others: Readonly<RegisterSet>): void {
  set.general &= others.general;
  set.vector &= others.vector;
}

/** The registers that are in `a` and not in `b`. */
export function without(a: Readonly<RegisterSet>, b: Readonly<RegisterSet>): RegisterSet {
  return { general: a.general & ~b.general, vector: a.vector & ~b.vector };
}

/**
 * A register that an encoding reads or writes: the set that it belongs to, and its bit for an
 * instruction word.
 */
interface UsedRegister {
  readonly set: "general" | "vector";
  readonly bit: (word: number) => number;
}

/** The registers that an encoding reads and writes, whatever its operands are. */
export class RegisterAccesses {
  readonly #read: UsedRegister[] = [];
  readonly #written: UsedRegister[] = [];
  #readsFlags = false;
  #setsFlags = false;

  constructor($: Builder) {
    this.#inStatements($.statements, true);
  }

  /** The registers of an instruction word. */
  of(word: number): RegisterUse {
    const read = noRegisters(), written = noRegisters();
    for (const { set, bit } of this.#read) read[set] |= bit(word);
    for (const { set, bit } of this.#written) written[set] |= bit(word);
    return { read, written, readsFlags: this.#readsFlags, setsFlags: this.#setsFlags };
  }

  #inNode(node: Node): void {
    switch (node.kind) {
      case "register":
        this.#read.push(general(node.bank, node.index, false));
        return;
      case "vector":
        this.#read.push(vector(node.index));
        return;
      case "flag":
      case "condition":
        this.#readsFlags = true;
        return;
      case "ramLoad":
        return this.#inNode(node.place);
      default:
        if ("operands" in node) { for (const operand of node.operands) this.#inNode(operand); }
    }
  }

  #inStatements(statements: readonly Statement[], certain: boolean): void {
    statements.forEach((s, i) => this.#inStatement(s, certain, startsWhole(statements, i) || startsWhole(statements, i - 1)));
  }

  /** @param whole the statement is one of two that write a vector register. */
  #inStatement(s: Statement, certain: boolean, whole: boolean): void {
    switch (s.kind) {
      case "setRegister": {
        const access = general(s.bank, s.index, true);
        if (!certain) this.#read.push(access);
        this.#written.push(access);
        return this.#inNode(s.value);
      }
      case "setVector": {
        const access = vector(s.index);
        if (!certain || s.instruction !== "v128.store" && !whole) this.#read.push(access);
        this.#written.push(access);
        return this.#inNode(s.value);
      }
      case "setFlags":
        if (certain) this.#setsFlags = true;
        else this.#readsFlags = true;
        for (const node of [s.n, s.z, s.c, s.v]) this.#inNode(node);
        return;
      case "if":
        this.#inNode(s.condition);
        this.#inStatements(s.then, false);
        return this.#inStatements(s.otherwise, false);
      case "storePair":
        this.#inNode(s.address);
        for (const value of s.values) this.#inNode(value);
        return;
      case "branch":
        if (s.condition) this.#inNode(s.condition);
        return;
      case "ramStore":
        this.#inNode(s.place);
        return this.#inNode(s.value);
      case "call":
        for (const operand of s.operands) this.#inNode(operand);
        return;
      default:
        if ("value" in s) this.#inNode(s.value);
        if ("address" in s) this.#inNode(s.address);
    }
  }
}

function general(bank: Bank, index: Node, write: boolean): UsedRegister {
  const number = evaluateNumber(index);
  return { set: "general", bit: (word) => generalBit(constantSlot(bank, number(word), write)) };
}

function vector(index: Node): UsedRegister {
  const number = evaluateNumber(index);
  return { set: "vector", bit: (word) => 1 << number(word) };
}

/** Whether C and V become zero, and N and Z are of the same value. */
export function isLogical({ n, z, c, v }: Statement & { kind: "setFlags" }): boolean {
  const isZero = (node: Node) => node.kind === "constant" && Number(node.value) === 0;
  return isZero(c) && isZero(v) && n === z;
}

/**
 * Whether the statement writes the low half of a vector register and the next one clears the other
 * half.
 */
export function startsWhole(statements: readonly Statement[], i: number): boolean {
  const low = statements[i], high = statements[i + 1];
  if (low?.kind !== "setVector" || high?.kind !== "setVector" || high.instruction !== "i64.store") return false;
  const { value } = high, isAt = (node: Node, offset: number) => node.kind === "constant" && Number(node.value) === offset;
  return (low.instruction === "i64.store" || low.instruction === "f64.store") && isAt(low.offset, 0) && isAt(high.offset, 8) &&
    value.kind === "constant" && Number(value.value) === 0 && staticKey(low.index) === staticKey(high.index);
}

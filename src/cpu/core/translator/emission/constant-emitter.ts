// An emitter for an instruction word: expressions of its fields alone become constants.

import type { Bank, Builder, Node } from "../../../isa/notation/builder.ts";
import { constantSlot, Emitter } from "../../interpreter/emitter.ts";
import type { Surroundings } from "../../interpreter/surroundings.ts";
import { Slot, vAddress, xAddress } from "../../state/cpu-state.ts";
import { bigOf, numberOf } from "../code/static-values.ts";

/** Instructions that do nothing where their second operand is zero. */
const SHIFTS: ReadonlySet<string> = new Set(
  ["i32", "i64", "i8x16", "i16x8", "i32x4", "i64x2"].flatMap((type) => ["shl", "shr_u", "shr_s", "rotr"].map((name) => `${type}.${name}`)),
);

/** Bits of the rotations of a word and of a doubleword. */
const ROTATIONS: Readonly<Record<string, { readonly type: "i32" | "i64"; readonly bits: number }>> = {
  "i32.or": { type: "i32", bits: 32 },
  "i64.or": { type: "i64", bits: 64 },
};

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
    if (node.kind === "op" && node.name in ROTATIONS && this.#rotation(node)) return;
    super.value(node);
  }

  /**
   * Emits `x >>> n | x << 1 << bits - 1 - n` of one register as a rotation: ROR (immediate) is the
   * EXTR of a register with itself.
   */
  #rotation({ name, operands: [low, high] }: Node & { kind: "op" }): boolean {
    const { type, bits } = ROTATIONS[name];
    const down = shiftBy(low, `${type}.shr_u`), up = shiftBy(high, `${type}.shl`), one = up && shiftBy(up.shifted, `${type}.shl`);
    if (!down || !up || !one || !this.#isSameRegister(this.#meant(down.shifted), this.#meant(one.shifted))) return false;
    const count = numberOf(down.count, this.word), others = numberOf(up.count, this.word) + numberOf(one.count, this.word);
    if (count + others !== bits) return false;
    this.value(down.shifted);
    this.f[type](count).op(`${type}.rotr`);
    return true;
  }

  /** The value of a local, in an instruction that reads registers first and then writes one. */
  #meant(node: Node): Node {
    const { statements } = this.$;
    if (node.kind !== "local" || !statements.every(({ kind }, i) => kind === (i < statements.length - 1 ? "let" : "setRegister"))) {
      return node;
    }
    for (const statement of statements) if (statement.kind === "let" && statement.id === node.id) return statement.value;
    return node;
  }

  #isSameRegister(a: Node, b: Node): boolean {
    if (a.kind === "op" && b.kind === "op") {
      return a.name === "i32.wrap_i64" && b.name === a.name && this.#isSameRegister(a.operands[0], b.operands[0]);
    }
    return a.kind === "register" && b.kind === "register" && a.bank === b.bank && this.number(a.index) === this.number(b.index);
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

/** The operands of a shift by a count that is known. */
function shiftBy(node: Node, name: string): { readonly shifted: Node; readonly count: Node } | undefined {
  if (node.kind !== "op" || node.name !== name || node.isStatic || !node.operands[1].isStatic) return undefined;
  return { shifted: node.operands[0], count: node.operands[1] };
}

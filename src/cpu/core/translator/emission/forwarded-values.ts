// Values that an instruction names and that need no local: registers that it does not
// write before their last use, values that are used once, and what it loads into a register.

import type { Builder, Node, Statement } from "../../../isa/notation/builder.ts";
import { type LocalUse, localUses } from "../code/local-uses.ts";
import { generalBit } from "../code/register-use.ts";
import { Slot } from "../../state/cpu-state.ts";

/** Bits for constants of up to two bytes: these are as short as a local. */
const SHORT = 6;

/** State other than general registers: any statement may change it. */
const ANY = -1;

/** The values of one instruction, as its statements are emitted one after the other. */
export class ForwardedValues {
  readonly #uses: readonly LocalUse[];
  /** By local: the value that takes its place, and the slot of the register that does. */
  readonly #values: Node[] = [];
  readonly #slots: number[] = [];

  /**
   * @param slotOf the slot that a `setRegister` writes, or that a node for a register reads
   */
  constructor(readonly $: Builder, readonly slotOf: (node: (Node | Statement) & { kind: "register" | "setRegister" }) => number) {
    this.#uses = localUses($);
  }

  /** The value that is emitted instead of a local. */
  valueOf(id: number): Node | undefined {
    return this.#values[id];
  }

  /**
   * The result of a `let`: nothing is emitted for it, or its local is that of a register, whose
   * slot is returned.
   */
  forward(index: number): "value" | number | undefined {
    const { statements } = this.$, s = statements[index];
    if (s.kind !== "let") return undefined;
    const { id, value } = s, use = this.#uses[id];
    if (use.values > 1) return undefined;
    if (value.kind === "register") {
      const slot = this.slotOf(value);
      if (slot !== Slot.Zero && slot !== Slot.Dump) return this.#isWritten(slot, index + 1, use.last) ? undefined : this.#slots[id] = slot;
    } else if (!isShort(value) && !(use.count < 2 && use.once && this.#commutes(this.#readBy(value), index + 1, use.last))) {
      return undefined;
    }
    this.#values[id] = value;
    return "value";
  }

  /**
   * The slot of the register that a load may write at once, as its value goes there and nowhere
   * else, and nothing that follows reads the register.
   */
  target(index: number, id: number): number | undefined {
    const { statements } = this.$, { count, last, values } = this.#uses[id], s = statements[last];
    if (count !== 1 || values > 1 || s.kind !== "setRegister" || s.value.kind !== "local" || s.value.id !== id) return undefined;
    const slot = this.slotOf(s);
    if (slot === Slot.Dump) return undefined;
    for (let i = index + 1; i < last; i++) {
      const between = statements[i];
      if (between.kind !== "setRegister" || this.slotOf(between) === slot || this.#readBy(between.value) & generalBit(slot)) {
        return undefined;
      }
    }
    return slot;
  }

  /** Slots of the registers that a statement writes, those inside of it included. */
  written(s: Statement): number[] {
    if (s.kind === "setRegister") return [this.slotOf(s)];
    return s.kind === "if" ? [...s.then, ...s.otherwise].flatMap((inner) => this.written(inner)) : [];
  }

  /** Whether a register is written by statements from one index on, before another one ends. */
  #isWritten(slot: number, from: number, last: number): boolean {
    const { statements } = this.$;
    for (let i = from; i <= last; i++) {
      const s = statements[i];
      if (i === last && s.kind === "setRegister") return false;
      if (this.written(s).includes(slot)) return true;
    }
    return false;
  }

  /** Whether a value that reads these registers is the same where another statement begins. */
  #commutes(read: number, from: number, last: number): boolean {
    for (let i = from; i < last; i++) {
      const s = this.$.statements[i];
      if (read === ANY && s.kind !== "let") return false;
      if (s.kind === "setRegister" ? read & generalBit(this.slotOf(s)) : s.kind !== "let" && s.kind !== "setFlags") return false;
    }
    return true;
  }

  /** Bits of the registers that a value reads. */
  #readBy(node: Node): number {
    if (node.isStatic) return 0;
    switch (node.kind) {
      case "constant":
      case "pc":
        return 0;
      case "register": {
        const slot = this.slotOf(node);
        return slot === Slot.Zero || slot === Slot.Dump ? 0 : generalBit(slot);
      }
      case "op":
        return node.operands.reduce((bits, operand) => bits | this.#readBy(operand), 0);
      case "local": {
        const slot = this.#slots[node.id], value = this.#values[node.id];
        return slot !== undefined ? generalBit(slot) : value ? this.#readBy(value) : 0;
      }
    }
    return ANY;
  }
}

/** Whether a value is a constant that takes no more bytes than a local. */
function isShort(node: Node): boolean {
  if (node.isStatic && node.low !== undefined && node.high !== undefined) return node.low >= -(1 << SHORT) && node.high < 1 << SHORT;
  return node.kind === "constant" && (node.type === "i32" || node.type === "i64") && Number(node.value) >= -(1 << SHORT) &&
    Number(node.value) < 1 << SHORT;
}

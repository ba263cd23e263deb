// Values that an instruction names and that need no local: registers that it does not write before
// their last use, values that are used once, and what it loads into a register.

import type { Builder, Node, Statement } from "../../../isa/notation/builder.ts";
import { constantSlot } from "../../interpreter/emitter.ts";
import { Slot } from "../../state/cpu-state.ts";
import type { LocalUse } from "./local-uses.ts";
import { generalBit } from "./register-use.ts";
import { numberOf } from "./static-values.ts";

/** Bits for constants of up to two bytes: these are as short as a local. */
const SHORT = 6;

/** State other than general registers: any statement may change it. */
const ANY = -1;

/**
 * By local: the value that is emitted in its place, or the slot of the register that is its place;
 * undefined for those that need a local.
 */
export type Places = readonly (Node | number | undefined)[];

const NONE: Places = [];

/** The places of the locals of an instruction word, from its meaning. */
export function placesOf($: Builder, uses: readonly LocalUse[], word: number): Places {
  return uses.length ? new Forwarding($, uses, word).places : NONE;
}

/** Slots of the general registers that a statement writes, those inside of it included. */
export function slotsWritten(s: Statement, word: number): number[] {
  if (s.kind === "setRegister") return [slotOf(s, word)];
  return s.kind === "if" ? [...s.then, ...s.otherwise].flatMap((inner) => slotsWritten(inner, word)) : [];
}

/** The slot that a `setRegister` writes, or that a node for a register reads. */
function slotOf(node: (Node | Statement) & { kind: "register" | "setRegister" }, word: number): number {
  return constantSlot(node.bank, numberOf(node.index, word), node.kind === "setRegister");
}

class Forwarding {
  readonly places: (Node | number | undefined)[];
  readonly #statements: readonly Statement[];

  constructor($: Builder, readonly uses: readonly LocalUse[], readonly word: number) {
    this.places = new Array(uses.length).fill(undefined);
    this.#statements = $.statements;
    this.#statements.forEach((s, i) => {
      if (s.kind === "let") this.places[s.id] = this.#forward(s, i);
      else if (s.kind === "load") this.places[s.id] = this.#target(i, s.id);
      else if (s.kind === "loadPair") { for (const id of s.ids) this.places[id] = this.#target(i, id); }
    });
  }

  /** The place of a `let`. */
  #forward({ id, value }: Statement & { kind: "let" }, index: number): Node | number | undefined {
    const use = this.uses[id];
    if (use.values > 1) return undefined;
    if (value.kind === "register") {
      const slot = slotOf(value, this.word);
      if (slot !== Slot.Zero && slot !== Slot.Dump) return this.#isWritten(slot, index + 1, use.last) ? undefined : slot;
    } else if (!isShort(value) && !(use.count < 2 && use.once && this.#commutes(this.#readBy(value), index + 1, use.last))) {
      return undefined;
    }
    return value;
  }

  /**
   * The slot of the register that a load may write at once, as its value goes there and nowhere
   * else, and nothing that follows reads the register.
   */
  #target(index: number, id: number): number | undefined {
    const { count, last, values } = this.uses[id], s = this.#statements[last];
    if (count !== 1 || values > 1 || s.kind !== "setRegister" || s.value.kind !== "local" || s.value.id !== id) return undefined;
    const slot = slotOf(s, this.word);
    if (slot === Slot.Dump) return undefined;
    for (let i = index + 1; i < last; i++) {
      const between = this.#statements[i];
      if (between.kind !== "setRegister" || slotOf(between, this.word) === slot || this.#readBy(between.value) & generalBit(slot)) {
        return undefined;
      }
    }
    return slot;
  }

  /** Whether a register is written by statements from one index on, before another one ends. */
  #isWritten(slot: number, from: number, last: number): boolean {
    for (let i = from; i <= last; i++) {
      const s = this.#statements[i];
      if (i === last && s.kind === "setRegister") return false;
      if (slotsWritten(s, this.word).includes(slot)) return true;
    }
    return false;
  }

  /** Whether a value that reads these registers is the same where another statement begins. */
  #commutes(read: number, from: number, last: number): boolean {
    for (let i = from; i < last; i++) {
      const s = this.#statements[i];
      if (read === ANY && s.kind !== "let") return false;
      if (s.kind === "setRegister" ? read & generalBit(slotOf(s, this.word)) : s.kind !== "let" && s.kind !== "setFlags") return false;
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
      case "register":
        return generalBit(slotOf(node, this.word));
      case "op":
        return node.operands.reduce((bits, operand) => bits | this.#readBy(operand), 0);
      case "local": {
        const place = this.places[node.id];
        return typeof place === "number" ? generalBit(place) : place ? this.#readBy(place) : 0;
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

// Effects of an instruction on addresses that are known up to a constant: its access, and the
// registers that are a sum after it.

import type { AccessOptions, Builder, Node, Statement } from "../../../isa/notation/builder.ts";
import { constantSlot } from "../../interpreter/emitter.ts";
import { Slot } from "../../state/cpu-state.ts";
import { generalBit } from "./register-use.ts";
import { bigOf, numberOf } from "./static-values.ts";

/** The value of a register as it was before the instruction, and what was added to it. */
interface Sum {
  readonly slot: number;
  readonly offset: number;
}

/** A general register that an instruction writes. */
interface RegisterUpdate {
  readonly slot: number;
  /** Its new value, where that is a sum. */
  readonly sum: Sum | undefined;
}

/** The effects of an instruction on addresses that are known up to a constant. */
export interface AddressEffects {
  /** Its only access: `count` neighbors of `size` bytes. */
  readonly access: Sum & { readonly size: number; readonly count: number; readonly write: boolean } | undefined;
  /**
   * The general registers that the address of its only access is computed from, as in
   * `RegisterSet`; 0 where there is none.
   */
  readonly bases: number;
  /** The general registers that it writes, each once. */
  readonly updates: readonly RegisterUpdate[];
}

/** The effects of an instruction that has no access, and whose results are not sums. */
export const NO_ADDRESSES: AddressEffects = { access: undefined, bases: 0, updates: [] };

/** Whether instructions with this meaning have others than `NO_ADDRESSES`. */
export function hasAddresses({ statements }: Builder): boolean {
  return statements.some((s) =>
    s.kind.startsWith("load") || s.kind.startsWith("store") ||
    s.kind === "setRegister" && (s.value.kind === "local" || s.value.kind === "op" && /^i64.(add|sub)$/.test(s.value.name))
  );
}

const isPlain = ({ aligned, unprivileged, part }: AccessOptions) => !aligned && !unprivileged && !part;

/** The effects of an instruction word, from its meaning. */
export function addressEffects({ statements, locals }: Builder, word: number): AddressEffects {
  return new Effects(locals.length, word).of(statements);
}

class Effects {
  /** By local: its value, and what that is where it is a sum. */
  readonly #values: (Node | undefined)[];
  readonly #sums: (Sum | undefined)[];
  readonly #updates: RegisterUpdate[] = [];
  #accesses = 0;
  #access: AddressEffects["access"];
  #bases = 0;

  constructor(locals: number, readonly word: number) {
    this.#values = new Array(locals).fill(undefined);
    this.#sums = new Array(locals).fill(undefined);
  }

  of(statements: readonly Statement[]): AddressEffects {
    for (const s of statements) {
      switch (s.kind) {
        case "let":
          this.#values[s.id] = s.value;
          this.#sums[s.id] = this.#sum(s.value);
          break;
        case "load":
        case "loadPair":
        case "store":
          this.#found(s.address, s.size, s.kind === "loadPair" ? 2 : 1, s.kind === "store", isPlain(s.options));
          break;
        case "storePair":
          this.#found(s.address, s.size, 2, true, true);
          break;
        case "ramAddress":
        case "if":
          this.#accesses = Infinity;
          break;
        case "setRegister":
          this.#update(constantSlot(s.bank, numberOf(s.index, this.word), true), this.#sum(s.value));
          break;
      }
    }
    const isOnly = this.#accesses === 1;
    return { access: isOnly ? this.#access : undefined, bases: isOnly ? this.#bases : 0, updates: this.#updates };
  }

  #found(address: Node, size: number, count: number, write: boolean, plain: boolean): void {
    this.#accesses++;
    if (!plain) return;
    const at = this.#sum(address);
    this.#bases = this.#registersOf(address);
    this.#access = at && { slot: at.slot, offset: at.offset, size, count, write };
  }

  #update(slot: number, sum: Sum | undefined): void {
    const updates = this.#updates, before = updates.findIndex((update) => update.slot === slot);
    updates[before < 0 ? updates.length : before] = { slot, sum };
  }

  /** A value as a sum, unless it is of a register that is written before. */
  #sum(node: Node): Sum | undefined {
    if (node.kind === "local") return this.#sums[node.id];
    if (node.kind === "register") {
      const slot = constantSlot(node.bank, numberOf(node.index, this.word), false);
      return slot === Slot.Zero || slot === Slot.Dump || this.#updates.some((update) => update.slot === slot)
        ? undefined
        : { slot, offset: 0 };
    }
    if (node.kind !== "op" || node.name !== "i64.add" && node.name !== "i64.sub" || !node.operands[1].isStatic) return undefined;
    const before = this.#sum(node.operands[0]);
    if (!before) return undefined;
    const added = Number(bigOf(node.operands[1], this.word));
    return { slot: before.slot, offset: before.offset + (node.name === "i64.add" ? added : -added) };
  }

  /** Bits of the registers that a value is computed from. */
  #registersOf(node: Node): number {
    if (node.kind === "local") {
      const value = this.#values[node.id];
      return value ? this.#registersOf(value) : 0;
    }
    if (node.kind === "register") return generalBit(constantSlot(node.bank, numberOf(node.index, this.word), false));
    if (node.kind !== "op") return 0;
    let all = 0;
    for (const operand of node.operands) all |= this.#registersOf(operand);
    return all;
  }
}

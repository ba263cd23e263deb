// Effects of an instruction on addresses that are known up to a constant: its access, and the
// registers that are a sum after it.

import type { AccessOptions, Builder, Node } from "../../../isa/notation/builder.ts";
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
export function addressEffects({ statements }: Builder, word: number): AddressEffects {
  const locals = new Map<number, Sum | undefined>(), updates = new Map<number, Sum | undefined>(), sources = new Map<number, number>();
  const accesses: AddressEffects["access"][] = [];
  let bases = 0;
  const sum = (node: Node): Sum | undefined => {
    if (node.kind === "local") return locals.get(node.id);
    if (node.kind === "register") {
      const slot = constantSlot(node.bank, numberOf(node.index, word), false);
      return slot === Slot.Zero || slot === Slot.Dump || updates.has(slot) ? undefined : { slot, offset: 0 };
    }
    if (node.kind !== "op" || node.name !== "i64.add" && node.name !== "i64.sub" || !node.operands[1].isStatic) return undefined;
    const before = sum(node.operands[0]), added = before && Number(bigOf(node.operands[1], word));
    return before && added !== undefined
      ? { slot: before.slot, offset: before.offset + (node.name === "i64.add" ? added : -added) }
      : undefined;
  };
  const registersOf = (node: Node): number => {
    if (node.kind === "local") return sources.get(node.id) ?? 0;
    if (node.kind === "register") return generalBit(constantSlot(node.bank, numberOf(node.index, word), false));
    return node.kind === "op" ? node.operands.reduce((all, operand) => all | registersOf(operand), 0) : 0;
  };
  const access = (address: Node, size: number, count: number, write: boolean, plain: boolean) => {
    const at = plain ? sum(address) : undefined;
    if (plain) bases = registersOf(address);
    accesses.push(at && { ...at, size, count, write });
  };
  for (const s of statements) {
    switch (s.kind) {
      case "let":
        locals.set(s.id, sum(s.value));
        sources.set(s.id, registersOf(s.value));
        break;
      case "load":
      case "loadPair":
      case "store":
        access(s.address, s.size, s.kind === "loadPair" ? 2 : 1, s.kind === "store", isPlain(s.options));
        break;
      case "storePair":
        access(s.address, s.size, 2, true, true);
        break;
      case "ramAddress":
      case "if":
        accesses.push(undefined, undefined);
        break;
      case "setRegister": {
        const value = sum(s.value);
        updates.set(constantSlot(s.bank, numberOf(s.index, word), true), value);
        break;
      }
    }
  }
  const list = Array.from(updates, ([slot, sum]): RegisterUpdate => ({ slot, sum }));
  return accesses.length === 1 ? { access: accesses[0], bases, updates: list } : { access: undefined, bases: 0, updates: list };
}

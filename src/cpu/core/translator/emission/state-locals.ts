// The locals in which a region holds registers.

import { Slot, vAddress, xAddress } from "../../state/cpu-state.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import { generalSlots, type RegisterSet, vectorIndices } from "../code/register-use.ts";

/** Vector registers. */
const VECTORS = 32;

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

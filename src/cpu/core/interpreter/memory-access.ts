// Accesses of instructions to memory, and the comparison with the TLB that most of them need alone.

import type { AccessOptions, Node } from "../../isa/notation/builder.ts";
import { CPU, DataEntry, TlbSet } from "../state/cpu-state.ts";
import { Access, callee, type FunctionName } from "../state/functions.ts";
import { TlbFlags } from "../state/tlb-layout.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { PAGE_SHIFT, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { Surroundings } from "./surroundings.ts";

/** How an access behaves, DC ZVA's included. */
export interface Behavior extends AccessOptions {
  readonly zero?: boolean;
}

/** Whether an access is exclusive or atomic. */
export const isAtomic = ({ aligned, ordered, zero }: Behavior): boolean => aligned === true && ordered !== true && zero !== true;

/** An access of `count` neighbors of `size` bytes. */
export interface MemoryAccess {
  readonly address: Node;
  readonly size: number;
  readonly count: number;
  readonly write: boolean;
  readonly behavior: Behavior;
  /** Emits it, given a local and the distance of the Wasm address from what is in that. */
  hit(wasmAddress: number, offset: number): void;
  /**
   * Emits it where the TLB does not serve it, given a local with its virtual address. Regions of
   * the translator do that in another way.
   */
  miss(va: number): void;
}

/** The offset in a TLB set of the entries that serve an access. */
export const entriesFor = (write: boolean): number => write ? TlbSet.Write : TlbSet.Read;

/**
 * The comparison of the accesses of an instruction with their TLB entries: see `TlbSet`. A group of
 * neighbors is checked at its last element.
 */
export class TlbComparison {
  /** The local with the entry of the latest access. */
  #entry: number | undefined;

  constructor(readonly at: Surroundings) {}

  /** Puts 1 on the stack when the entry of the address in `va` serves the access. */
  compare(va: number, { size, count, write, behavior }: MemoryAccess): void {
    const { f } = this.at;
    f.get(va).get(va).op("i32.wrap_i64").i32(DataEntry.IndexShift).op("i32.shr_u").i32(DataEntry.IndexMask).op("i32.and");
    if (behavior.unprivileged) f.i32(0).memory("i32.load", CPU.TLB_UNPRIVILEGED);
    else if (isAtomic(behavior)) this.at.atomicsTlb();
    else this.at.tlb();
    f.op("i32.add").memory("i64.load", entriesFor(write)).tee(this.#entry ??= this.at.local("i64"));
    f.op("i64.xor").i64(DataEntry.TagMask | (size - 1)).op("i64.and");
    // The last element is in the same page: else it changes the lowest bit of the page's number.
    if (count > 1) f.get(va).i64((count - 1) * size).op("i64.add").get(va).op("i64.xor").i64(PAGE_SIZE).op("i64.and").op("i64.or");
    f.op("i64.eqz");
    // Device memory is among what wants alignment, and refuses DC ZVA.
    if (behavior.zero) this.flags(va, write).i32(TlbFlags.Aligned).op("i32.and").op("i32.eqz").op("i32.and");
  }

  /** Puts the flags of the entry of the address in `va` on the stack. */
  flags(va: number, write: boolean): FunctionBuilder {
    const { f } = this.at;
    f.get(va).op("i32.wrap_i64").i32(PAGE_SHIFT).op("i32.shr_u").i32(TlbSet.Entries - 1).op("i32.and");
    this.at.tlb();
    return f.op("i32.add").memory("i32.load8_u", write ? TlbSet.WriteFlags : TlbSet.ReadFlags);
  }

  /** Puts the Wasm address of `va` on the stack, after `compare`. */
  wasmAddress(va: number): FunctionBuilder {
    if (this.#entry === undefined) throw new Error("an access was not compared");
    return this.at.f.get(va).op("i32.wrap_i64").get(this.#entry).op("i32.wrap_i64").i32(DataEntry.DistanceShift).op("i32.shl").op(
      "i32.add",
    );
  }
}

/**
 * Puts the access descriptor of `state/functions.ts` on the stack; `evaluate` puts the value of an
 * expression there.
 * @param kind other bits of it
 */
export function pushDescriptor(f: FunctionBuilder, bytes: number, behavior: Behavior, evaluate: (node: Node) => void, kind = 0): void {
  const { aligned, ordered, unprivileged, part, zero, elements } = behavior;
  const flags = (aligned ? Access.Aligned : 0) | (unprivileged ? Access.Unprivileged : 0) | (part ? Access.Part : 0);
  f.i32(kind | bytes | flags | (zero ? Access.Zero : 0) | (ordered ? Access.Ordered : 0));
  if (!elements) return;
  evaluate(elements);
  f.i32(Access.ElementsShift).op("i32.shl").op("i32.or");
}

/** Calls a function of `state/functions.ts`. */
export function callSeam({ f, library }: Surroundings, name: FunctionName): FunctionBuilder {
  return f.call(callee(library, name));
}

// The surroundings of an instruction's code: a handler of the interpreter loop, a separate
// function, or a region.

import type { Node, Type } from "../../isa/notation/builder.ts";
import type { OperandLayout } from "../decoded/operands.ts";
import { CPU } from "../state/cpu-state.ts";
import type { Callees } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

/** `Surroundings.atomicsTlb` of code that reads it each time, where `tlb` is `Surroundings.tlb`. */
export function pushAtomicsTlb(f: FunctionBuilder, tlb: () => void): void {
  f.i32(0).memory("i32.load", CPU.ATOMICS_TLB);
  tlb();
  f.i32(0).memory("i32.load", CPU.ATOMICS_TLB).op("select");
}

/** The surroundings of the emitted code. */
export interface Surroundings {
  readonly f: FunctionBuilder;
  readonly library: Callees;
  readonly layout: OperandLayout;
  /**
   * Local with the address of the decoded instruction; of the first one, for the second instruction
   * of a fused pair.
   */
  readonly ip: number;
  /** Bytes from there to the decoded instruction. */
  readonly decodedOffset: number;
  /** A local for values of this type, free until the end of the instruction. */
  local(type: Type): number;
  /** Puts the address of the current TLB set on the stack. */
  tlb(): void;
  /** The same for exclusive and atomic accesses: see `CPU.ATOMICS_TLB`. */
  atomicsTlb(): void;
  /** Stores the CPU state that callees read: IP and, where they ask for the time, END. */
  beforeCall(end: boolean): void;
  /** Ends the instruction after a callee that has set `CPU.PENDING`. */
  fault(): void;
  /** Ends the instruction at PC + `offset`, a static i32. */
  branch(offset: Node): void;
  /**
   * Ends the instruction at an address that `address` puts on the stack as i64; `type` puts what it
   * leaves in PSTATE.BTYPE there, as i32.
   */
  branchTo(address: () => void, type: (() => void) | undefined): void;
}

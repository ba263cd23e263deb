// The surroundings of a region: its parameters, and its module.

import type { FunctionBuilder } from "../../wasm/module.ts";
import type { Operations } from "../code/inline-calls.ts";

/**
 * Names of the functions that a region calls to continue at an address, also as one of the known
 * calls, which are remembered (enter-function.ts).
 */
export const ENTER = "enter", ENTER_KNOWN = "known";

/** The parameters of a region as locals (region-function.ts). */
export const ADDRESS = 0, LEFT = 1, STACK = 2;

/**
 * A page of the region other than the head's: it must follow in virtual memory when the region
 * runs.
 */
export interface NeighborPage {
  /** Pages from the head's. */
  readonly offset: number;
  /** Tag of the address of its decoded page (`FunctionBuilder.i32Later`). */
  readonly decoded: number;
}

/** Another region of the same module. */
export interface Callee {
  /** Its name for a late call. */
  readonly name: string;
  /**
   * Tags of the address of its head's decoded instruction, and of the handler that this has as long
   * as the region is in use, a short gap.
   */
  readonly decoded: number;
  readonly handler: number;
}

/**
 * The parameters of a region. Differences between regions with the same code are constants that are
 * put in later, so that the code serves for all of them.
 */
export interface RegionOptions {
  /** Tag of the number of its handler, a short gap. */
  readonly handler: number;
  readonly neighbors: readonly NeighborPage[];
  /**
   * Tag of the shifted address of a decoded page, pages from the head's: for counters of
   * instructions (decoded/execution-counters.ts).
   */
  readonly counters: (offset: number) => number;
  /** Regions of the module in pages of this one, by the number of their heads here. */
  readonly callees: ReadonlyMap<number, Callee>;
  /** Appends a call of a region at a place in the table. */
  readonly callIndirect: (f: FunctionBuilder) => void;
  /** The type of regions in the module. */
  readonly type: number;
  readonly operations: Operations;
}

// Modes of floating point: when the computer's arithmetic is the architecture's, and the alternate
// handling of FEAT_AFP (FPCR.AH and FPCR.FIZ), which the functions of a CPU with it look for.

import { CPU } from "../state/cpu-state.ts";
import type { Code, Value } from "../wasm/expression.ts";
import type { Callees } from "../wasm/library.ts";
import { Fpcr, Fpsr } from "./formats.ts";

/** FPCR fields under which the computer's arithmetic is not the architecture's. */
export const slowModes = (alternate: boolean): number => Fpcr.RMode | flushModes(alternate);

/** Those of them that are about subnormal numbers, zeros and NaNs. */
export const flushModes = (alternate: boolean): number => Fpcr.FZ | (alternate ? Fpcr.AH | Fpcr.FIZ : 0);

/** FPSR:FPCR is fast when it differs from `FAST_MODES` in no bit of `fastMask`. */
export const FAST_MODES = BigInt(Fpsr.IXC) << 32n;
export const fastMask = (alternate: boolean): bigint => FAST_MODES | BigInt(slowModes(alternate));

/**
 * 1 when FPCR asks for nothing that the computer's arithmetic does not do, and FPSR.IXC is set. One
 * load: FPSR lies after FPCR.
 */
export function isFast(code: Code, alternate: boolean): Value {
  return code.load("i64.load", CPU.FPCR).xor(FAST_MODES).and(fastMask(alternate)).not();
}

/** The function by which a core with FEAT_AFP is known. */
export const ALTERNATE_FUNCTION = "denormalUsed64";

/** Whether a core has FEAT_AFP. */
export const isAlternate = (library: Callees): boolean => library.has(ALTERNATE_FUNCTION);

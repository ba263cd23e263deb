// How much of the computer's stack a function takes at most. docs/design/core.md §T12.

import type { FunctionBuilder } from "./module.ts";
import { SCALAR_BYTES, VECTOR_BYTES } from "./opcodes.ts";

/** Bytes of a frame besides its values: return address, saved registers, arguments of calls. */
const FRAME = 256;
/** Bytes of the operands that are on the stack at a time, and of what an unlikely part computes. */
const OPERANDS = 512;

/**
 * Bytes that a frame of the function takes at most. V8's baseline compiler gives each local and
 * each operand its own place; on some computers it aligns vectors. Its optimizing compiler
 * gives one to each value that is in use at a time: those of locals and operands, and values that
 * it computes once for several instructions with the same operands, at most all that are computed.
 */
export function frameBound({ parameters, locals, valueBytes }: FunctionBuilder): number {
  let bytes = FRAME + OPERANDS + valueBytes;
  for (const types of [parameters, locals]) for (const type of types) bytes += type === "v128" ? VECTOR_BYTES + SCALAR_BYTES : SCALAR_BYTES;
  return bytes;
}

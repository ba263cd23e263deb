// Instructions as the decoder sees them: an encoding has variants, and each defines how its
// instructions are decoded.

import type { FieldValues } from "../../isa/insn.ts";
import type { Encoding } from "../../isa/table.ts";
import type { FusedHandlers } from "./fused-handlers.ts";
import type { DecodedOperand } from "./operands.ts";

/** The contents of a decoded instruction. */
export interface Filling {
  /** Number of the handler, which the decoded instruction begins with. */
  readonly handler: number;
  /** The operands that follow it. */
  readonly operands: readonly DecodedOperand[];
}

/** The decoder's knowledge of an encoding, or of one with certain operand fields. */
export interface Variant {
  readonly filling: Filling;
  /**
   * For direct branches: the offset in bytes, and what it is filled with when the
   * target is in the same page.
   */
  readonly branch?: { readonly offset: (word: number) => number; readonly near: Filling };
}

/** The variants of an encoding: the first special one whose fields match, else the general one. */
export interface Decoding extends Variant {
  readonly encoding: Encoding;
  /** With the bits of the instruction word that choose them. */
  readonly specials: readonly { readonly mask: number; readonly value: number; readonly variant: Variant }[];
}

/** Operand fields with fixed values. */
export type Fixed = Partial<FieldValues>;

/** How the decoder fills decoded instructions. */
export interface Dispatch {
  /** By index of the encoding. */
  readonly decodings: readonly Decoding[];
  /** Handlers for pairs. */
  readonly fused: FusedHandlers;
}

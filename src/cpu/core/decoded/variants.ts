// Instructions as the decoder sees them: an encoding has variants, and each defines how its
// instructions are decoded.

import type { FieldValues } from "../../isa/notation/insn.ts";
import type { InstructionSet } from "../../isa/instruction-set.ts";
import type { InstructionForm } from "../../isa/table.ts";
import type { FusedHandlers } from "./fused-handlers.ts";
import type { VariantHandlers } from "./handlers.ts";
import type { StoredOperand } from "./operands.ts";

/** The fill (`Variant.fill`) of instructions that TypeScript fills alone. */
export const NO_FILL = 0;

/** The contents of a decoded instruction. */
export interface Filling {
  /** Number of the handler, which the decoded instruction begins with. */
  readonly handler: number;
  /** The operands that follow it. */
  readonly operands: readonly StoredOperand[];
}

/** The decoder's knowledge of an encoding, or of one with certain operand fields. */
export interface Variant {
  readonly filling: Filling;
  /** Its handlers in the interpreter loop; undefined for a cold one. */
  readonly handlers: VariantHandlers | undefined;
  /** The fill of its decoded instructions in Wasm (operand-fills.ts), or `NO_FILL`. */
  readonly fill: number;
  /**
   * For direct branches: the offset in bytes, and what it is filled with when the
   * target is in the same page.
   */
  readonly branch?: { readonly offset: (word: number) => number; readonly near: Filling };
}

/** The variants of an encoding: the first special one whose fields match, else the general one. */
export interface Decoding extends Variant {
  readonly encoding: InstructionForm;
  /** With the bits of the instruction word that choose them. */
  readonly specials: readonly { readonly mask: number; readonly value: number; readonly variant: Variant }[];
}

/** The decodings of all encodings, each made when it is first asked for. */
export interface Decodings {
  of(encoding: InstructionForm): Decoding;
}

/** Operand fields with fixed values. */
export type Fixed = Partial<FieldValues>;

/** How the decoder fills decoded instructions. */
export interface Dispatch {
  /** The instructions of the core's CPU. */
  readonly instructions: InstructionSet;
  readonly decodings: Decodings;
  /** Handlers for pairs. */
  readonly fused: FusedHandlers;
  /** Where operands that TypeScript computes are kept, by the keys of their expressions. */
  readonly computed: ReadonlyMap<string, number>;
}

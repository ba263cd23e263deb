// The handlers of the interpreter loop: those that belong to no instruction, and which of the
// others are whose.

/** Numbers of handlers, as the first 16 bits of a decoded instruction hold them. */
export const Handler = {
  /** The instruction is not decoded yet. Must be 0: fresh decoded pages are zero. */
  Decode: 0,
  /** The sentinel after the last decoded instruction of a page. */
  PageEnd: 1,
  /** The budget ends here. */
  Stop: 2,
  /** No instruction of this core. */
  Undefined: 3,
  /**
   * The instruction is a separate function: its index in the table is the decoded instruction's
   * first operand.
   */
  Outlined: 4,
  /** A debugger may want to stop before this instruction. */
  Breakpoint: 5,
  FirstInstruction: 6,
} as const;

/**
 * Numbers of the handlers of one variant of an encoding: for direct branches one more, for targets
 * in the same page.
 */
export type VariantHandlers = readonly [handler: number, near?: number];

/** A handler for two instructions in a row, and the handlers of each of them alone. */
export type FusedHandler = readonly [first: number, second: number, fused: number];

/** Which handlers a generated loop has for what. Plain data. */
export interface HandlerTable {
  /**
   * By index of the encoding: the handlers of its special variants in their order, then those of
   * the general one. Empty where it is cold.
   */
  readonly variants: readonly (readonly VariantHandlers[])[];
  /** The fills of the decoded instructions of these variants in Wasm (operand-fills.ts). */
  readonly fills: readonly (readonly number[])[];
  /**
   * The numbers of the first kept values (`COMPUTED_OPERANDS`) of operands that TypeScript
   * computes, by the keys of their expressions.
   */
  readonly computed: readonly (readonly [key: string, first: number])[];
  readonly fused: readonly FusedHandler[];
}

// The handlers of the interpreter loop, as they are generated: one for each variant of each
// encoding that is not cold, and those for pairs. Handlers with equal code are one.
// docs/design/core.md §I2 and §I3 (why one function, and why it must stay small).

import type { InstructionSet } from "../../isa/instruction-set.ts";
import type { InstructionForm } from "../../isa/table.ts";
import { Handler, type VariantHandlers } from "../decoded/handlers.ts";
import type { OperandFills } from "../decoded/operand-fills.ts";
import type { DecodedOperand } from "../decoded/operands.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { HandlerEmitter, HandlerPart } from "./handler-emitter.ts";
import { directBranch } from "./meaning.ts";

/** Emits and numbers the handlers of all encodings. */
export class HandlerSet {
  /** See `HandlerTable.variants`. */
  readonly variants: readonly (readonly VariantHandlers[])[];
  /** See `HandlerTable.fills`. */
  readonly fills: number[][] = [];
  /** Code of the handlers from `Handler.FirstInstruction` on. */
  readonly handlers: FunctionBuilder[] = [];
  /** The instructions that the handlers of single instructions execute, by number. */
  readonly parts = new Map<number, HandlerPart>();
  readonly #numbers = new Map<string, number>();

  /** @param operandFills gets what fills the decoded instructions of these handlers */
  constructor(readonly emitter: HandlerEmitter, readonly operandFills: OperandFills, readonly instructions: InstructionSet) {
    this.variants = instructions.encodings.map((encoding) => this.#variants(encoding));
  }

  /** A handler for two instructions, one after the other; the number of the handler. */
  fuse(first: HandlerPart, second: HandlerPart): number {
    return this.#add([first, second]).number;
  }

  #variants(encoding: InstructionForm | undefined): VariantHandlers[] {
    const fills: number[] = [];
    this.fills.push(fills);
    if (!encoding) return [];
    const { instruction, shape } = encoding;
    if (instruction.cold(shape)) return [];
    return [...instruction.special(shape), {}].map((fixed) => {
      const part = { encoding, fixed, semantics: this.instructions.meaningOf(encoding, fixed), near: false };
      const { number, operands } = this.#add([part]), branch = directBranch(part.semantics);
      const near = branch && this.#add([{ ...part, near: true }]);
      fills.push(this.operandFills.add(operands, near && { offset: branch.offset, near: near.operands }));
      return near ? [number, near.number] : [number];
    });
  }

  /** The handler for these instructions: its number, and the operands of the first. */
  #add(parts: readonly HandlerPart[]): { readonly number: number; readonly operands: readonly DecodedOperand[] } {
    const { f, layouts: [{ operands }] } = this.emitter.emit(parts);
    const key = f.fingerprint;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = Handler.FirstInstruction + this.handlers.push(f) - 1;
      this.#numbers.set(key, number);
      if (parts.length === 1) this.parts.set(number, parts[0]);
    }
    return { number, operands };
  }
}

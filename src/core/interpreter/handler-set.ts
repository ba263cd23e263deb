// The handlers of the interpreter loop, as they are generated: one for each variant of each
// encoding that is not cold, and those for pairs. Handlers with equal code are one.
// docs/design/core.md §I2 and §I3 (why one function, and why it must stay small).

import { type Encoding, encodings, semanticsOf } from "../../isa/table.ts";
import { Handler, type VariantHandlers } from "../decoded/handlers.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { HandlerEmitter, Part } from "./handler-emitter.ts";
import { directBranch } from "./meaning.ts";

/** Emits and numbers the handlers of all encodings. */
export class HandlerSet {
  /** See `HandlerTable.variants`. */
  readonly variants: readonly (readonly VariantHandlers[])[];
  /** Code of the handlers from `Handler.FirstInstruction` on. */
  readonly handlers: FunctionBuilder[] = [];
  /** The instructions that the handlers of single instructions execute, by number. */
  readonly parts = new Map<number, Part>();
  readonly #numbers = new Map<string, number>();

  constructor(readonly emitter: HandlerEmitter) {
    this.variants = encodings.map((encoding) => this.#variants(encoding));
  }

  /** A handler for two instructions, one after the other; the number of the handler. */
  fuse(first: Part, second: Part): number {
    return this.#add([first, second]);
  }

  #variants(encoding: Encoding): VariantHandlers[] {
    const { instruction, shape } = encoding;
    if (instruction.cold(shape)) return [];
    return [...instruction.special(shape), {}].map((fixed) => {
      const part = { encoding, fixed, semantics: semanticsOf(encoding, fixed), near: false };
      const handler = this.#add([part]);
      return directBranch(part.semantics) ? [handler, this.#add([{ ...part, near: true }])] : [handler];
    });
  }

  /** The number of the handler for these instructions. */
  #add(parts: readonly Part[]): number {
    const { f } = this.emitter.emit(parts);
    const key = f.fingerprint;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = Handler.FirstInstruction + this.handlers.push(f) - 1;
      this.#numbers.set(key, number);
      if (parts.length === 1) this.parts.set(number, parts[0]);
    }
    return number;
  }
}

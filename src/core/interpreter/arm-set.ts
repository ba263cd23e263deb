// The arms of the interpreter loop, as they are generated: one for each variant of each encoding
// that is not cold, and those for pairs. Arms with equal code are one. docs/design/core.md §2 and
// §3 (why one function, and why it must stay small).

import { type Encoding, encodings, semanticsOf } from "../../isa/table.ts";
import { Arm, type VariantArms } from "../decoded/arms.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { ArmEmitter, Part } from "./arm-emitter.ts";
import { directBranch } from "./meaning.ts";

/** Emits and numbers the arms of all encodings. */
export class ArmSet {
  /** See `ArmTable.variants`. */
  readonly variants: readonly (readonly VariantArms[])[];
  /** Code of the arms from `Arm.FirstInstruction` on. */
  readonly arms: FunctionBuilder[] = [];
  /** What the arms of single instructions execute, by number. */
  readonly parts = new Map<number, Part>();
  readonly #numbers = new Map<string, number>();

  constructor(readonly emitter: ArmEmitter) {
    this.variants = encodings.map((encoding) => this.#variants(encoding));
  }

  /** An arm for two instructions, one behind the other; the number of the arm. */
  fuse(first: Part, second: Part): number {
    return this.#add([first, second]);
  }

  #variants(encoding: Encoding): VariantArms[] {
    const { instruction, shape } = encoding;
    if (instruction.cold(shape)) return [];
    return [...instruction.special(shape), {}].map((fixed) => {
      const part = { encoding, fixed, semantics: semanticsOf(encoding, fixed), near: false };
      const arm = this.#add([part]);
      return directBranch(part.semantics) ? [arm, this.#add([{ ...part, near: true }])] : [arm];
    });
  }

  /** The number of the arm for these instructions. */
  #add(parts: readonly Part[]): number {
    const { f } = this.emitter.emit(parts);
    const key = f.fingerprint;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = Arm.FirstInstruction + this.arms.push(f) - 1;
      this.#numbers.set(key, number);
      if (parts.length === 1) this.parts.set(number, parts[0]);
    }
    return number;
  }
}

// Decodes the instructions of each encoding of the table. A decoding is made when the decoder first
// asks for it, as a run meets few of the encodings: a cold one gets its own function then
// (outlined.ts), the others have their handlers in the interpreter loop, and their operands are
// laid out by emitting the handler once more.

import type { InstructionSet } from "../../isa/instruction-set.ts";
import type { InstructionForm } from "../../isa/table.ts";
import type { HandlerTable, VariantHandlers } from "../decoded/handlers.ts";
import { evaluateNumber } from "../decoded/operands.ts";
import { type Decoding, type Decodings, type Filling, type Fixed, NO_FILL, type Variant } from "../decoded/variants.ts";
import type { Callees } from "../wasm/library.ts";
import { FunctionBuilder } from "../wasm/module.ts";
import { HandlerEmitter } from "./handler-emitter.ts";
import { baseField, directBranch, STACK_POINTER } from "./meaning.ts";
import type { OutlinedFunctions } from "./outlined.ts";

/** A variant whose function is made when the decoder asks for it. */
class ColdVariant implements Variant {
  readonly handlers = undefined;
  readonly fill = NO_FILL;
  #filling: Filling | undefined;

  constructor(readonly encoding: InstructionForm, readonly fixed: Fixed, readonly functions: OutlinedFunctions) {}

  get filling(): Filling {
    return this.#filling ??= this.functions.outline(this.encoding, this.fixed);
  }
}

/** Makes the decodings of a core. */
interface Maker {
  readonly instructions: InstructionSet;
  /** Its code is discarded; only the layout of operands is used. */
  readonly emitter: HandlerEmitter;
  readonly functions: OutlinedFunctions;
}

/** A variant with a handler in the interpreter loop, described when the decoder asks for it. */
class HotVariant implements Variant {
  #filling: Filling | undefined;
  #branch: Variant["branch"];

  constructor(
    readonly encoding: InstructionForm,
    readonly fixed: Fixed,
    readonly handlers: VariantHandlers,
    readonly fill: number,
    readonly maker: Maker,
  ) {}

  get filling(): Filling {
    return this.#filling ??= this.#describe(this.handlers[0], false);
  }

  get branch(): Variant["branch"] {
    const [, near] = this.handlers;
    if (near === undefined) return undefined;
    return this.#branch ??= { offset: this.#offset(), near: this.#describe(near, true) };
  }

  #describe(handler: number, near: boolean): Filling {
    const { encoding, fixed, maker: { emitter, instructions } } = this;
    const { layouts } = emitter.emit([{ encoding, fixed, semantics: instructions.meaningOf(encoding, fixed), near }]);
    return { handler, operands: layouts[0].operands };
  }

  #offset(): (word: number) => number {
    const branch = directBranch(this.maker.instructions.meaningOf(this.encoding, this.fixed));
    if (!branch) throw new Error(`${this.encoding.instruction.name}: a handler for near targets, but no direct branch`);
    return evaluateNumber(branch.offset);
  }
}

/** The decoding of an encoding with handlers. */
class HotDecoding extends HotVariant implements Decoding {
  #specials: Decoding["specials"] | undefined;

  constructor(
    encoding: InstructionForm,
    readonly variants: readonly VariantHandlers[],
    readonly fills: readonly number[],
    maker: Maker,
  ) {
    super(encoding, {}, variants[variants.length - 1], fills[variants.length - 1], maker);
  }

  get specials(): Decoding["specials"] {
    return this.#specials ??= this.#makeSpecials();
  }

  #makeSpecials(): Decoding["specials"] {
    const { encoding, variants, fills, maker } = this;
    const fixedFields = encoding.instruction.special(encoding.shape);
    if (fixedFields.length !== variants.length - 1) throw new Error(`${encoding.instruction.name}: not the variants that have handlers`);
    const specials = fixedFields.map((fixed, index) => special(new HotVariant(encoding, fixed, variants[index], fills[index], maker)));
    const base = baseField(maker.instructions.meaningOf(encoding));
    if (base && fixedFields.some((fixed) => fixed[base] === STACK_POINTER)) return specials;
    return [...specials, ...onStack(encoding, base, maker.functions)];
  }
}

/** The decoding of a cold encoding. */
class ColdDecoding extends ColdVariant implements Decoding {
  #specials: Decoding["specials"] | undefined;

  constructor(encoding: InstructionForm, functions: OutlinedFunctions) {
    super(encoding, {}, functions);
  }

  get specials(): Decoding["specials"] {
    return this.#specials ??= onStack(this.encoding, baseField(this.functions.instructions.meaningOf(this.encoding)), this.functions);
  }
}

/** The variant for SP as the base, where the encoding has a field for that. */
function onStack(encoding: InstructionForm, base: string | undefined, functions: OutlinedFunctions): Decoding["specials"] {
  return base ? [special(new ColdVariant(encoding, { [base]: STACK_POINTER }, functions))] : [];
}

/** A variant with what chooses it. */
function special<V extends Variant & { readonly encoding: InstructionForm; readonly fixed: Fixed }>(
  variant: V,
): Decoding["specials"][number] {
  return { ...match(variant.encoding, variant.fixed), variant };
}

/** Mask and value of fixed fields in the instruction word. */
function match(encoding: InstructionForm, fixed: Fixed): { mask: number; value: number } {
  let mask = 0, value = 0;
  for (const [name, number] of Object.entries(fixed)) {
    const field = encoding.instruction.fields.get(name);
    if (!field || number === undefined) throw new Error(`${encoding.instruction.name} has no field ${name}`);
    mask |= (2 ** field.width - 1) << field.position;
    value |= number << field.position;
  }
  return { mask, value };
}

/** The decodings for a core with these handlers. */
export class CoreDecodings implements Decodings {
  readonly #maker: Maker;
  /** By index of the encoding. */
  readonly #decodings: Decoding[] = [];

  constructor(readonly handlers: HandlerTable, library: Callees, functions: OutlinedFunctions) {
    const emitter = new HandlerEmitter(library, new FunctionBuilder(-1, "operands", ["i32"], ["i32"]));
    this.#maker = { instructions: functions.instructions, emitter, functions };
  }

  of(encoding: InstructionForm): Decoding {
    return this.#decodings[encoding.index] ??= this.#make(encoding);
  }

  #make(encoding: InstructionForm): Decoding {
    const { handlers } = this, variants = handlers.variants[encoding.index];
    if (!variants.length) return new ColdDecoding(encoding, this.#maker.functions);
    return new HotDecoding(encoding, variants, handlers.fills[encoding.index], this.#maker);
  }
}

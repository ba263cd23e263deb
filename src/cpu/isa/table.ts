// The whole table of A64 as this core knows it, expanded by shape into encodings: the source of
// decoder, disassembler, interpreter and of the generator of random instructions. Encodings that
// are not in it are UNDEFINED.
//
// Its three parts are built when they are first asked for: a machine that starts from a stored
// blueprint needs them later, or never. The instructions that only some CPUs have are the last one,
// so that the others have the same numbers everywhere.

import { atomics } from "./general/atomics.ts";
import { branches } from "./general/branches.ts";
import { Builder, type Node } from "./notation/builder.ts";
import { dataProcessingImmediate } from "./general/data-processing-immediate.ts";
import { dataProcessingRegister } from "./general/data-processing-register.ts";
import { extensions } from "./extensions.ts";
import { fpAndSimd } from "./vectors/fp-simd.ts";
import { ALWAYS, type FieldValues, type Instruction } from "./notation/insn.ts";
import { loadsAndStores } from "./general/loads-stores.ts";
import { once } from "../../kit/support/values/once.ts";
import { system } from "./general/system.ts";

/** The part without floating point and AdvSIMD. */
const general = once(() => [
  ...dataProcessingImmediate(),
  ...dataProcessingRegister(),
  ...branches(),
  ...loadsAndStores(),
  ...atomics(),
  ...system(),
]);
const vector = once(fpAndSimd);

const extension = once(extensions);

export const instructions: () => readonly Instruction[] = once(() => [...general(), ...vector(), ...extension()]);

/**
 * One combination of shape fields of an entry: the unit that a handler of the interpreter executes.
 */
export interface InstructionForm {
  readonly instruction: Instruction;
  /** Values of the shape fields. */
  readonly shape: FieldValues;
  /** The fixed bits of the instruction and of the shape fields, and their values; unsigned. */
  readonly mask: number;
  readonly value: number;
  /** Index in `allEncodings`. */
  readonly index: number;
}

/**
 * Adds the combinations that exist, the first field varying slowest. Each thread with a machine may
 * wait for this.
 * @param first index of the first encoding in `into`
 */
function expand(instruction: Instruction, into: InstructionForm[], first: number): void {
  const { shape: names, when } = instruction;
  if (names.length === 0 && when === ALWAYS) {
    const { mask, value } = instruction;
    into.push({ instruction, shape: {}, mask, value, index: first + into.length });
    return;
  }
  const places = names.map((name) => {
    const field = instruction.fields.get(name);
    if (!field) throw new Error(`${instruction.name} has no field ${name}`);
    return field;
  });
  const mask = places.reduce((bits, { position, width }) => bits | 2 ** width - 1 << position, instruction.mask) >>> 0;
  const bits = places.reduce((sum, { width }) => sum + width, 0);
  for (let combination = 0; combination < 2 ** bits; combination++) {
    const shape: Record<string, number> = {};
    let value = instruction.value;
    for (let i = 0, below = bits; i < names.length; i++) {
      const { position, width } = places[i];
      below -= width;
      const number = combination >>> below & 2 ** width - 1;
      shape[names[i]] = number;
      value |= number << position;
    }
    if (when === ALWAYS || when(shape)) into.push({ instruction, shape, mask, value: value >>> 0, index: first + into.length });
  }
}

/** Most encodings, for what has a size by it before the table is built. */
export const MOST_ENCODINGS = 4500;

/** Bits 27:26 of a word: both are set in all of floating point and AdvSIMD alone (Arm ARM C4.1). */
const VECTOR = 0xc00_0000;

const generalEncodings = once(() => expandAll(general(), false));
const vectorEncodings = once(() => expandAll(vector(), true));

/** The encodings that every CPU has. */
export const encodings: () => readonly InstructionForm[] = once(() => [...generalEncodings(), ...vectorEncodings()]);

/** Those that not every CPU has; their indices follow. */
export const extensionEncodings: () => readonly InstructionForm[] = once(() => {
  const list: InstructionForm[] = [], first = encodings().length;
  for (const instruction of extension()) {
    if (!instruction.feature) throw new Error(`${instruction.name} belongs to no feature`);
    expand(instruction, list, first);
  }
  if (first + list.length > MOST_ENCODINGS) throw new Error(`${first + list.length} encodings are more than ${MOST_ENCODINGS}`);
  return list;
});

/** All encodings, in the order of `instructions`. */
export const allEncodings: () => readonly InstructionForm[] = once(() => [...encodings(), ...extensionEncodings()]);

/** The encodings that every CPU has, of the part of the table that a word belongs to. */
export const encodingsFor = (word: number): readonly InstructionForm[] =>
  (word & VECTOR) === VECTOR ? vectorEncodings() : generalEncodings();

/**
 * The encodings of a part.
 * @throws Error if an instruction belongs to the other part, or if there are too many
 */
function expandAll(part: readonly Instruction[], isVector: boolean): InstructionForm[] {
  const list: InstructionForm[] = [], first = isVector ? generalEncodings().length : 0;
  for (const instruction of part) {
    const { name, mask, value } = instruction;
    if (((mask & value & VECTOR) === VECTOR) !== isVector) throw new Error(`${name} is in the wrong part of the table`);
    expand(instruction, list, first);
  }
  if (first + list.length > MOST_ENCODINGS) throw new Error(`${first + list.length} encodings are more than ${MOST_ENCODINGS}`);
  return list;
}

/**
 * Meanings without fixed fields, by the index of the encoding: each is asked for several times. On
 * CPUs with FEAT_AFP they are others.
 */
const meanings: Builder[] = [], alternateMeanings: Builder[] = [];

/**
 * The meaning of an encoding: statements with the shape fields filled in, and `fixed` operand
 * fields as constants. It belongs to all who ask.
 * @param alternate on a CPU with FEAT_AFP (`InstructionSet.meaningOf`)
 */
export function semanticsOf(encoding: InstructionForm, fixed: Partial<FieldValues> = {}, alternate = false): Builder {
  if (Object.keys(fixed).length > 0) return build(encoding, fixed, alternate);
  return (alternate ? alternateMeanings : meanings)[encoding.index] ??= build(encoding, fixed, alternate);
}

function build(encoding: InstructionForm, fixed: Partial<FieldValues>, alternate: boolean): Builder {
  const builder = new Builder(alternate);
  const fields: Record<string, number | Node> = {};
  for (const [name, { position, width }] of encoding.instruction.fields) {
    const constant = fixed[name];
    fields[name] = encoding.shape[name] ??
      (constant !== undefined
        ? builder.i32(constant)
        : { kind: "field", type: "i32", isStatic: true, name, position, width, low: 0, high: 2 ** width - 1 } satisfies Node);
  }
  encoding.instruction.semantics(fields, builder);
  return builder;
}

// The instructions of a CPU: those of the table that its features have, found by word. The most
// specific match wins; words that match nothing, or that their entry calls unallocated, have none.

import type { Cpu } from "./cpus/cpus.ts";
import type { FeatureName } from "./cpus/features.ts";
import type { Builder } from "./notation/builder.ts";
import { ALWAYS_ALLOCATED, type FieldValues, fieldValues } from "./notation/insn.ts";
import { encodings, encodingsFor, extensionEncodings, type InstructionForm, semanticsOf } from "./table.ts";

/**
 * The parts of a word's key for the decoder, bits 31:21 and 15:10: where they are in the word, and
 * how many values each has.
 */
export const UPPER_KEY_SHIFT = 21, LOWER_KEY_SHIFT = 10, UPPER_KEYS = 1 << 11, LOWER_KEYS = 1 << 6;
/** The bits of a word that are in its key, and those in the key's upper part. */
export const KEY_MASK = 0xffe0fc00, UPPER_KEY_MASK = 0xffe00000;

const GROUP_MASK = 0x1e000000;

/** The instructions of a set of features. */
export class InstructionSet {
  readonly #hasExtensions: boolean;
  /**
   * Candidates by op0, bits 28:25, which name the group (Arm ARM C4.1); by the upper part of the
   * key; and by that, then the lower part. Each is found among those before, when first asked for.
   */
  readonly #groups: (InstructionForm[] | undefined)[] = new Array(1 << 4);
  readonly #coarse: (InstructionForm[] | undefined)[] = new Array(UPPER_KEYS);
  readonly #fine: ((InstructionForm[] | undefined)[] | undefined)[] = new Array(UPPER_KEYS);
  #extensions: readonly InstructionForm[] | undefined;

  /**
   * @param key equal for sets of the same instructions
   * @param has whether it has a feature that not every CPU has
   */
  constructor(readonly key: string, readonly has: (feature: FeatureName) => boolean) {
    this.#hasExtensions = key !== "";
  }

  /** All encodings, by index; undefined for those that it does not have. */
  get encodings(): readonly (InstructionForm | undefined)[] {
    return this.#hasExtensions
      ? [
        ...encodings().map((one) => this.#lacks(one) ? undefined : one),
        ...extensionEncodings().map((one) => this.#includes(one) ? one : undefined),
      ]
      : encodings();
  }

  /**
   * The encodings of words that agree with this one in `known` bits, `KEY_MASK` or
   * `UPPER_KEY_MASK`: the most specific first.
   */
  candidates(word: number, known: number): readonly InstructionForm[] {
    const upperKey = word >>> UPPER_KEY_SHIFT, upper = this.#coarse[upperKey] ??= matching(this.#groupOf(word), word, UPPER_KEY_MASK);
    if (known === UPPER_KEY_MASK) return upper;
    const lists = this.#fine[upperKey] ??= new Array(LOWER_KEYS);
    return lists[word >>> LOWER_KEY_SHIFT & LOWER_KEYS - 1] ??= matching(upper, word, KEY_MASK);
  }

  /** The encoding of an instruction word (unsigned or signed 32 bits), or undefined. */
  decode(word: number): InstructionForm | undefined {
    for (const encoding of this.candidates(word, KEY_MASK)) {
      if (((encoding.value ^ word) & encoding.mask) !== 0) continue;
      const { unallocated } = encoding.instruction;
      return unallocated !== ALWAYS_ALLOCATED && unallocated(fieldValues(encoding.instruction, word)) ? undefined : encoding;
    }
    return undefined;
  }

  /** The meaning that an encoding has on this CPU (`semanticsOf`). */
  meaningOf(encoding: InstructionForm, fixed?: Partial<FieldValues>): Builder {
    return semanticsOf(encoding, fixed, this.has("FEAT_AFP"));
  }

  #groupOf(word: number): InstructionForm[] {
    return this.#groups[word >>> 25 & 15] ??= bySpecificity(matching(this.#encodingsFor(word), word, GROUP_MASK));
  }

  #encodingsFor(word: number): readonly InstructionForm[] {
    const base = encodingsFor(word);
    if (!this.#hasExtensions) return base;
    return [...base.filter((one) => !this.#lacks(one)), ...this.#extensions ??= extensionEncodings().filter((one) => this.#includes(one))];
  }

  #lacks({ instruction: { unless } }: InstructionForm): boolean {
    return unless.length > 0 && unless.every(this.has);
  }

  #includes(form: InstructionForm): boolean {
    const { feature, also } = form.instruction;
    return (feature === undefined || this.has(feature)) && (also === undefined || this.has(also)) && !this.#lacks(form);
  }
}

function matching(list: readonly InstructionForm[], word: number, mask: number): InstructionForm[] {
  return list.filter((e) => ((e.value ^ word) & e.mask & mask) === 0);
}

/**
 * Encodings in the order of matching: more fixed bits first; those that have equally many keep the
 * order of the table.
 */
function bySpecificity(encodings: readonly InstructionForm[]): InstructionForm[] {
  const byBits: InstructionForm[][] = Array.from({ length: 33 }, () => []);
  let bits = 0, counted = 0;
  for (const encoding of encodings) {
    // The encodings of an instruction are adjacent, with the same mask.
    if (encoding.mask !== counted) {
      bits = 0;
      for (let rest = counted = encoding.mask; rest; rest &= rest - 1) bits++;
    }
    byBits[32 - bits].push(encoding);
  }
  return byBits.flat();
}

const sets = new Map<string, InstructionSet>();

/** The instructions of a CPU: the same object for the same features. */
export function instructionSetOf({ key, features }: Cpu): InstructionSet {
  let set = sets.get(key);
  if (!set) sets.set(key, set = new InstructionSet(key, (feature) => features.has(feature)));
  return set;
}

/** All instructions of the table, whichever CPU has them, with those that EL2 may trap. */
export const ALL_INSTRUCTIONS = new InstructionSet("all", (feature) => feature !== "FEAT_EL2");

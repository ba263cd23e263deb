// The names that debug information declares for a whole program: types, variables, and values of
// enumerations. Those of functions are in their frames.

import { Attribute, Tag } from "../../kit/formats/dwarf/constants.ts";
import type { DebugEntry } from "../../kit/formats/dwarf/entries.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { Work } from "../../kit/support/values/work.ts";
import type { TypedNumber } from "../expressions/arithmetic.ts";
import type { CType } from "../expressions/c-types.ts";
import type { DebugInfo } from "./debug-info.ts";
import { enumeratorValue, GuestType } from "./guest-types.ts";

/** Bytes of units that are read for names: more than a driver's; a kernel's has BTF. */
const UNITS_MAX = 16 * MiB;

/** Tags of entries by the words of C. */
const TAGS: Readonly<Record<string, number>> = {
  struct: Tag.StructureType,
  union: Tag.UnionType,
  enum: Tag.EnumerationType,
  typedef: Tag.Typedef,
};

/** The end of the units that are read. */
class Enough extends Error {}

class DebugNames {
  /** Entries by tag and name. */
  readonly #entries = new Map<string, DebugEntry>();
  readonly #constants = new Map<string, TypedNumber>();

  constructor(readonly info: DebugInfo) {
    try {
      for (const entry of info.declarations(new Work(UNITS_MAX, () => new Enough()))) info.tried(() => this.#add(entry));
    } catch (error) {
      if (!(error instanceof Enough)) throw error;
    }
  }

  #add(entry: DebugEntry): void {
    // A declaration has no members; another unit may have the type.
    if (entry.values.get(Attribute.Declaration)) return;
    const { info } = this, name = info.nameOf(entry), key = `${entry.tag} ${name}`;
    if (name !== undefined && !this.#entries.has(key)) this.#entries.set(key, entry);
    if (entry.tag !== Tag.EnumerationType) return;
    const type = new GuestType(info, entry);
    for (const one of entry.children) {
      const word = one.tag === Tag.Enumerator ? info.nameOf(one) : undefined, number = enumeratorValue(one);
      if (word !== undefined && number !== undefined && !this.#constants.has(word)) this.#constants.set(word, { type, number });
    }
  }

  type(tag: string | undefined, name: string): CType | undefined {
    const entry = this.#entries.get(`${TAGS[tag ?? "typedef"]} ${name}`);
    return entry && new GuestType(this.info, entry);
  }

  /** The type of a variable. */
  variable(name: string): CType | undefined {
    const entry = this.#entries.get(`${Tag.Variable} ${name}`);
    return entry && this.info.tried(() => GuestType.of(this.info, entry));
  }

  constant(name: string): TypedNumber | undefined {
    return this.#constants.get(name);
  }
}

/** The names of files, as long as they are kept. */
const NAMES = new WeakMap<DebugInfo, DebugNames>();

export function debugNames(info: DebugInfo): DebugNames {
  let names = NAMES.get(info);
  if (!names) NAMES.set(info, names = new DebugNames(info));
  return names;
}

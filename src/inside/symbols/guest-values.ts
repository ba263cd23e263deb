// The variables of a call frame, by debug information: where each is, with its type.

import { Attribute, Tag } from "../../kit/formats/dwarf/constants.ts";
import type { DebugEntry } from "../../kit/formats/dwarf/entries.ts";
import { type FrameState, locate } from "../../kit/formats/dwarf/expressions.ts";
import { expressionAt } from "../../kit/formats/dwarf/lists.ts";
import type { Work } from "../../kit/support/values/work.ts";
import { type NamedValue, type ReadGuest, Values } from "../expressions/values.ts";
import { type DebugInfo, rangesBudget } from "./debug-info.ts";
import { GuestType } from "./guest-types.ts";
import { isNowhere } from "./module-file.ts";
import { type GuestFrame, readNumber } from "./unwind.ts";

/** Variables of a frame. */
const VARIABLES_MAX = 4096;

export class FrameValues extends Values {
  /** An expression looks for each of its names in all of them. */
  #variables: readonly NamedValue[] | undefined;

  /**
   * @param depth how many of the functions inlined at the address are inner frames
   */
  constructor(
    readonly info: DebugInfo,
    readonly frame: GuestFrame,
    readonly depth: number,
    read: ReadGuest,
    nameOf: (address: bigint) => string | undefined,
  ) {
    super(read, nameOf, frame.registers);
  }

  /** Arguments and local variables that are in scope, the innermost first, and the unit's own. */
  variables(): readonly NamedValue[] {
    return this.#variables ??= this.#readVariables();
  }

  #readVariables(): NamedValue[] {
    const { info, frame: { at } } = this, scope = info.scopeAt(at);
    if (!scope) return [];
    const chain = [scope.function, ...scope.inlined], shown = chain.length - 1 - this.depth;
    const owner = chain[Math.max(0, shown)];
    const blocks = this.depth === 0 ? [...scope.blocks].reverse() : [];
    const found: NamedValue[] = [];
    const seen = new Set<string>(), work = rangesBudget();
    const take = (entries: readonly DebugEntry[], isStatic = false) => {
      for (const entry of entries) {
        if (entry.tag !== Tag.Variable && entry.tag !== Tag.FormalParameter) continue;
        if (found.length === VARIABLES_MAX) return;
        const value = this.info.tried(() => this.#variable(entry, scope.function, isStatic, work));
        // An inner variable hides an outer one of the same name.
        if (!value || seen.has(value.name)) continue;
        seen.add(value.name);
        found.push(value);
      }
    };
    for (const block of blocks) take(block.children);
    take(owner.children);
    const unit = info.tried(() => info.entriesOf(scope.function.unit));
    if (unit) take(unit.children, true);
    return found;
  }

  find(name: string): NamedValue | undefined {
    return this.variables().find((one) => one.name === name);
  }

  #variable(entry: DebugEntry, owner: DebugEntry, isStatic: boolean, work: Work): NamedValue | undefined {
    const { info } = this, name = info.nameOf(entry);
    if (name === undefined) return undefined;
    const location = info.attribute(entry, Attribute.Location), constant = info.attribute(entry, Attribute.ConstantValue);
    // A declaration of what another unit has.
    if (isStatic && !location) return undefined;
    const kind = isStatic ? "static" : entry.tag === Tag.FormalParameter ? "argument" : "local";
    const type = GuestType.of(info, entry);
    if (!location && constant?.value?.kind === "constant") {
      return { name, kind, path: name, type, where: { kind: "value", value: BigInt.asUintN(64, constant.value.value) } };
    }
    const expression = location && expressionAt(location.entry.unit, location.value, this.frame.at, work);
    const where = expression && locate(expression, this.#state(owner, work));
    // One in a section of a module that is not loaded.
    if (isStatic && where?.kind === "memory" && isNowhere(where.address)) return undefined;
    return { name, kind, path: name, type, where };
  }

  #state(owner: DebugEntry, work: Work): FrameState {
    const { frame, read } = this;
    const base = expressionAt(owner.unit, owner.values.get(Attribute.FrameBase), frame.at, work);
    return {
      register: (number) => frame.registers[number],
      memory: (address, size) => readNumber(read, address, size),
      cfa: frame.cfa,
      frameBase: base,
      addressAt: (index) => owner.unit.addressAt(index),
      moved: owner.unit.sections.moved,
    };
  }
}

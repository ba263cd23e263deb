// Debug information made by hand: one unit of version 5, with any abbreviations and entries.

import { Attribute, Form, Tag } from "../../../src/kit/formats/dwarf/constants.ts";
import type { DebugSection, DwarfSections } from "../../../src/kit/formats/dwarf/sections.ts";

/** An unsigned LEB128 number. */
export function uleb(value: number): number[] {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push(value % 0x80 | 0x80);
  return [...bytes, value];
}

/** Bytes of a number, little-endian. */
export function little(value: number | bigint, size: number): number[] {
  return Array.from({ length: size }, (_, index) => Number(BigInt(value) >> BigInt(8 * index) & 0xffn));
}

/** An abbreviation: tag, whether it has children, and attributes with their forms. */
export type Kind = readonly [tag: number, children: boolean, ...attributes: (readonly [attribute: number, form: number])[]];

/** Code of the unit. */
export const CODE = { start: 0x1000n, size: 0x100 } as const;
/** The unit's own entry: kind 1. */
const UNIT: Kind = [Tag.CompileUnit, true, [Attribute.LowPc, Form.Address], [Attribute.HighPc, Form.Data4]];
const UNIT_VALUES = [...little(CODE.start, 8), ...little(CODE.size, 4)];
/** Where the entries after it begin, in .debug_info. */
export const FIRST_ENTRY = 12 + 1 + UNIT_VALUES.length;

/**
 * Sections of a unit.
 * @param kinds from number 2 on
 * @param entries bytes after the unit's own entry, without the end of its children
 */
export function dwarf(
  kinds: readonly Kind[],
  entries: readonly number[],
  others: Partial<Record<DebugSection, Uint8Array>> = {},
): DwarfSections {
  const abbreviations = [UNIT, ...kinds].flatMap(([tag, children, ...attributes], index) => [
    ...[...uleb(index + 1), ...uleb(tag), Number(children)],
    ...[...attributes, [0, 0] as const].flatMap(([attribute, form]) => [...uleb(attribute), ...uleb(form)]),
  ]);
  const content = [...little(5, 2), 1, 8, ...little(0, 4), 1, ...UNIT_VALUES];
  const info = new Uint8Array(4 + content.length + entries.length + 1);
  info.set(little(info.length - 4, 4));
  info.set(content, 4);
  info.set(entries, 4 + content.length);
  const all: Partial<Record<DebugSection, Uint8Array>> = {
    ".debug_info": info,
    ".debug_abbrev": Uint8Array.from([...abbreviations, 0]),
    ...others,
  };
  return { bytes: (name) => all[name] ?? new Uint8Array(), address: () => 0n, moved: 0n };
}

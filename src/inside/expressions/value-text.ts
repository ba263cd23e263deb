// A value with all of its parts, in lines, as C programmers write it. A guest decides how large it
// is: parts are counted, and the text says how many it leaves out.

import { isRecord } from "./c-types.ts";
import type { TypedValue, Values } from "./values.ts";

/** Parts of a text, and structures in each other. */
const PARTS_MAX = 2000, DEPTH_MAX = 12;
/** Elements of an array, and characters of a text. */
const ELEMENTS_MAX = 200, CHARACTERS_MAX = 4096;
/** Equal elements in a row that are written once. */
const REPEATS = 4;

/** The text of a value; of a structure or an array a line per part. */
export function valueText(values: Values, value: TypedValue): string {
  return new ValueText(values).of(value, 0);
}

class ValueText {
  #left = PARTS_MAX;

  constructor(readonly values: Values) {}

  of(value: TypedValue, depth: number): string {
    const { plain } = value.type;
    this.#left--;
    if (plain.kind === "array") return this.#array(value, depth);
    return isRecord(plain) ? this.#record(value, depth) : this.values.text(value);
  }

  #record(value: TypedValue, depth: number): string {
    const all = depth === DEPTH_MAX || this.#left <= 0 ? [] : this.values.parts(value, ""), lines: string[] = [];
    if (!all.length) return this.values.count(value) ? "{…}" : "{}";
    for (const part of all) {
      if (this.#left <= 0) {
        lines.push(`… ${all.length - lines.length} more members`);
        break;
      }
      lines.push(`${part.name} = ${this.of(part, depth + 1)}`);
    }
    return inBraces(lines, depth);
  }

  #array(value: TypedValue, depth: number): string {
    const text = this.values.string(value, CHARACTERS_MAX), { length } = value.type.plain;
    if (text !== undefined) return JSON.stringify(text);
    const parts = depth === DEPTH_MAX ? [] : this.values.parts(value, "", ELEMENTS_MAX), texts: string[] = [];
    let shown = 0;
    for (const part of parts) {
      if (this.#left <= 0) break;
      texts.push(this.of(part, depth + 1));
      shown++;
    }
    const left = Math.max(0, (length ?? 0) - shown),
      more = left ? [shown ? `… ${left} more` : "…"] : [],
      all = [...repeated(texts), ...more];
    return texts.some((one) => one.includes("\n")) ? inBraces(all, depth) : `{${all.join(", ")}}`;
  }
}

const inBraces = (lines: readonly string[], depth: number) => {
  const indent = "  ".repeat(depth + 1);
  return `{\n${lines.map((line) => `${indent}${line},\n`).join("")}${"  ".repeat(depth)}}`;
};

/** Texts, of which equal ones in a row are one. */
function repeated(texts: readonly string[]): string[] {
  const rows: { readonly text: string; times: number }[] = [];
  for (const text of texts) {
    const last = rows.at(-1);
    if (last?.text === text) last.times++;
    else rows.push({ text, times: 1 });
  }
  return rows.flatMap(({ text, times }) => times < REPEATS ? Array.from({ length: times }, () => text) : [`${text} <${times} times>`]);
}

// Arguments of the form `key=value,key=value`, as crosvm and QEMU write them. The first part may be
// a value alone; a part without a value is a flag.

import { UserError } from "../../../kit/support/problem.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { parseSize } from "../../../kit/support/text/units.ts";

/** The parts of an argument. */
export class KeyValues {
  readonly #values = new Map<string, string>();
  readonly #read = new Set<string>();

  /**
   * @param first key of a first part without one
   * @param parts as the program's syntax separates them
   */
  constructor(first: string, parts: readonly string[]) {
    for (const [index, part] of parts.entries()) {
      const equals = part.indexOf("=");
      if (equals >= 0) this.#values.set(part.slice(0, equals).trim(), part.slice(equals + 1));
      else if (index === 0) this.#values.set(first, part);
      else if (part !== "") this.#values.set(part, "on");
    }
  }

  get(...keys: readonly string[]): string | undefined {
    for (const key of keys) this.#read.add(key);
    const key = keys.find((key) => this.#values.has(key));
    return key === undefined ? undefined : this.#values.get(key);
  }

  /** Whether a flag is set: by its name, or with `on`, `true` or `yes`. */
  has(...keys: readonly string[]): boolean {
    return ["on", "true", "yes"].includes(this.get(...keys) ?? "");
  }

  /** Parts that nobody has asked for. */
  unread(): string[] {
    return [...this.#values].filter(([key]) => !this.#read.has(key)).map(([key, value]) => value === "on" ? key : `${key}=${value}`);
  }
}

/** Parts of crosvm's arguments: commas in brackets and quotes do not separate. */
export function crosvmValues(text: string, first: string): KeyValues {
  const parts: string[] = [];
  let part = "", depth = 0, quote = "";
  for (const char of text) {
    if (quote === "" && depth === 0 && char === ",") {
      parts.push(part);
      part = "";
      continue;
    }
    if (char === quote) quote = "";
    else if (quote === "" && (char === '"' || char === "'")) quote = char;
    else {
      if (quote === "") depth += char === "[" ? 1 : char === "]" ? -1 : 0;
      part += char;
    }
  }
  return new KeyValues(first, [...parts, part]);
}

/** Parts of QEMU's arguments: two commas in a row stand for a comma in a value. */
export function qemuValues(text: string, first: string): KeyValues {
  const parts: string[] = [];
  let part = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ",") part += text[at];
    else if (text[at + 1] === ",") {
      part += ",";
      at++;
    } else {
      parts.push(part);
      part = "";
    }
  }
  return new KeyValues(first, [...parts, part]);
}

/**
 * A whole number of an option's argument.
 * @throws UserError that names the option
 */
export function numberOf(option: string, text: string, least = 0): number {
  const value = /^(?:0x[0-9a-f]{1,12}|\d{1,15})$/i.test(text) ? Number(text) : NaN;
  if (!(value >= least)) {
    throw new UserError(`${option}: "${terminalWord(text)}" is not a whole number${least > 0 ? ` from ${least} up` : ""}`);
  }
  return value;
}

/**
 * Memory of an option's argument: MiB without a unit.
 * @param parse a size with a unit, as the program writes it
 * @throws UserError that names the option
 */
export function memoryOf(option: string, text: string, parse = parseSize): number {
  const size = /^\d+$/.test(text) ? Number(text) * MiB : parse(text);
  if (size === undefined || !(size > 0)) {
    throw new UserError(`${option}: "${terminalWord(text)}" is not a size`, "use for example 512 or 2G");
  }
  return size;
}

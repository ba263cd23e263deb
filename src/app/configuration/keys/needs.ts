// Other keys of a VM with which alone a key means something. The checks of a file, its JSON Schema
// and the texts of the keys follow from the needs in the keys' entries.

import type { ConfigFact } from "../../../model/plans/config-fact.ts";

/** Values that keys of the same VM may have; true: it is given. */
export type Conditions =
  & Readonly<Partial<Record<"platform" | "hypervisor" | "schedule" | "type", readonly string[]>>>
  & {
    readonly [given in "bios" | "kernel" | "firmware"]?: true;
  };

/** Other keys that a key needs. */
export interface Need {
  /** Only if it has this value; the error is then at the value. */
  readonly value?: string;
  /** Only if these hold. */
  readonly when?: Conditions;
  readonly keys: Conditions;
  /** The end of the error; "remove it" by default. */
  readonly wayOut?: string;
}

/** The needs of a key that it always has, in words. */
export function needsText(needs: readonly Need[]): string[] {
  const always = needs.filter(({ value, when }) => value === undefined && when === undefined);
  return always.map(({ keys }) => `needs ${conditionsText(keys)}`);
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `"${value}"`).join(" or ");
}

/** Keys that are given, in words. */
const GIVEN: Readonly<Record<string, string>> = { bios: "a bios", kernel: "a kernel", firmware: "firmware = PATH" };

/** Conditions in words: `platform = "crosvm" and type = "protected"`. */
function conditionsText(conditions: Conditions): string {
  return Object.entries(conditions).map(([key, values]) => values === true ? GIVEN[key] : `${key} = ${quoted(values)}`).join(" and ");
}

/** The error of a key whose need is not met. */
export function needFact(key: string, { value, keys, wayOut = "remove it" }: Need): ConfigFact {
  return { code: "needs", what: value === undefined ? key : `${key} "${value}"`, needs: conditionsText(keys), wayOut };
}

/** Whether keys of a VM have such values. */
export function meets(vm: object, conditions: Conditions): boolean {
  const keys: Readonly<Record<string, unknown>> = { ...vm };
  return Object.entries(conditions).every(([key, values]) =>
    values === true ? keys[key] !== undefined : values.includes(keys[key] as string)
  );
}

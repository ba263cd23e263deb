// Forms of saved states, for those that come from a file: anyone can make a file whose checksums
// are correct.

import * as v from "valibot";

/** A schema of exactly this type. */
export type Form<T> = v.GenericSchema<unknown, T>;

/** Whether a value is a whole number from 0 on; an address or size in bytes may have 64 bits. */
export const isSize = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;
export const count: Form<number> = v.custom<number>(isSize, "it is not a whole number from 0 on");
export const bytes: Form<Uint8Array> = v.custom<Uint8Array>((value) => value instanceof Uint8Array, "it is not bytes");
export const list = <T>(one: Form<T>) => v.array(one) as v.GenericSchema<unknown, T[]>;
/** A field that is there and may be undefined. */
export const maybe = <T>(one: Form<T>) => v.undefinedable(one) as v.GenericSchema<unknown, T | undefined>;
/** A whole number of this many bits. */
export const ofBits = (bits: number): Form<number> =>
  v.custom<number>((value) => isSize(value) && Number(value) < 2 ** bits, `it is not a number of ${bits} bits`);
/** For an object none of whose fields must be there: a list and a map would be one, too. */
export const object: Form<object> = v.custom<object>(
  (value) => Object.prototype.toString.call(value) === "[object Object]",
  "it is not an object",
);
/** Counters with the names of these, which are zero. */
export const countersLike = <T extends Readonly<Record<string, number>>>(zero: T): Form<Record<keyof T, number>> =>
  v.strictObject(Object.fromEntries(Object.keys(zero).map((name) => [name, count]))) as unknown as Form<Record<keyof T, number>>;

/**
 * The same value, of a form: objects that two fields share stay one.
 * @throws Error that names the field and its defect
 */
export function inForm<T>(form: Form<T>, value: unknown): T {
  const result = v.safeParse(form, value, { abortEarly: true });
  if (result.success) return value as T;
  const [issue] = result.issues;
  throw new Error(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

/** @throws Error that names the field and its defect */
export function demand(holds: boolean, place: string, rule: string): void {
  if (!holds) throw new Error(`${place}: ${rule}`);
}

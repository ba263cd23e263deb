// Schemas of plain values in a configuration, and their errors.

import * as v from "valibot";
import { told } from "../../../model/plans/config-fact.ts";

/** The error for a value of another type. */
export function mustBe(a: string, example?: string): string {
  return told({ code: "not-a", a, example });
}

export const boolean = v.boolean(mustBe("true or false"));
export const text = v.string(mustBe("a string"));

/** The errors of what is not a list of names, or not a table. */
export const nameList = mustBe("a list of names");
export const table = mustBe("a table");

/** A whole number from `min` to `max`; `outside` is the error for others. */
export function whole(min: number, max: number, outside = outsideOf(`${min}..${max}`)) {
  const number = mustBe("a whole number");
  return v.pipe(v.number(number), v.integer(number), v.minValue(min, outside), v.maxValue(max, outside));
}

/** The error of a value that is outside of a range; `note`: why it ends there. */
export function outsideOf(range: string, note?: string): string {
  return told({ code: "outside", range, note });
}

/** One of these words. */
export function oneOf<const T extends readonly string[]>(known: T) {
  return v.picklist(known, notKnown(...known));
}

/** The error for an unknown word. */
export function notKnown(...words: readonly string[]): string {
  return told({ code: "not-known", words });
}

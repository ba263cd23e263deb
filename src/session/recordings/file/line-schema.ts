// The lines of a recording: its file is untrusted, and all input and comparisons have these shapes.

import * as v from "valibot";
import { anyAction } from "../../../model/commands/actions.ts";
import { count } from "../../../model/queries/fields.ts";
import type { Check, EndState, Input } from "../../../model/plans/recorded-run.ts";

const bytes = v.instance(Uint8Array);

/** An input. The handler of an outside source checks its data. */
export const INPUT: v.GenericSchema<unknown, Input> = v.variant("kind", [
  v.strictObject({ kind: v.literal("console"), console: v.string(), bytes }),
  v.strictObject({ kind: v.literal("outside"), source: count(), data: v.unknown() }),
  v.strictObject({ kind: v.literal("act"), action: anyAction }),
]);

const check = { instructions: count(), registers: v.string() };

/** Registers at a place. */
export const CHECK: v.GenericSchema<unknown, Check> = v.strictObject(check);

/** How it ended. */
export const END: v.GenericSchema<unknown, EndState> = v.strictObject({
  ...check,
  own: v.boolean(),
  code: count(255),
  message: v.string(),
  memory: v.string(),
  console: v.string(),
});

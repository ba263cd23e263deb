// The form of the rules for injected faults in a snapshot, which may come from anyone.

import * as v from "valibot";
import { FAULT_KINDS } from "../../../machine/abi/faults.ts";
import type { FaultsState } from "../../../machine/hypervisor/boot.ts";
import { formatId, parseId } from "../../../model/queries/ids.ts";

const COUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const PLACE = v.pipe(COUNT, v.minValue(1));

const EFFECT = v.variant("kind", [
  v.strictObject({ kind: v.literal("error"), name: v.string(), code: v.pipe(v.number(), v.safeInteger()) }),
  v.strictObject({ kind: v.literal("delay"), ns: v.pipe(v.number(), v.finite(), v.minValue(0)) }),
  v.strictObject({ kind: v.literal("lose") }),
  v.strictObject({ kind: v.literal("double") }),
  v.strictObject({ kind: v.literal("die") }),
]);

function isRuleId(text: string): boolean {
  const id = parseId(text);
  return id?.kind === "inject" && id.number > 0 && formatId(id) === text;
}

/** The result of `Faults.save`. */
export const SAVED_FAULTS: v.GenericSchema<unknown, FaultsState> = v.strictObject({
  next: PLACE,
  injected: COUNT,
  entries: v.array(v.strictObject({
    id: v.pipe(v.string(), v.check(isRuleId)),
    rule: v.strictObject({
      text: v.string(),
      kind: v.picklist(FAULT_KINDS),
      conditions: v.array(v.strictObject({ field: v.string(), negated: v.boolean(), words: v.array(v.string()) })),
      first: PLACE,
      last: v.union([PLACE, v.literal(Infinity)]),
      step: PLACE,
      effect: EFFECT,
    }),
    seen: COUNT,
    hits: COUNT,
  })),
});

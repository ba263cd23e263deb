// The lines of a recording: its file is untrusted, and all input and comparisons have these shapes.

import * as v from "valibot";
import type { Action } from "../../../model/queries/action.ts";
import { MARK_NAME } from "../../../model/queries/fields.ts";
import type { Check, EndState, Input, Mark } from "../../../model/plans/recorded-run.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const bytes = v.instance(Uint8Array);
const ofVm = <K extends Action["kind"]>(kind: K) => v.strictObject({ kind: v.literal(kind), vm: v.string() });
const inputEvent = v.strictObject({ type: count, code: count, value: v.pipe(v.number(), v.safeInteger()) });

const ACTION = v.variant("kind", [
  v.strictObject({ kind: v.literal("vm.stop"), vm: v.string(), force: v.boolean() }),
  ofVm("vm.start"),
  ofVm("vm.create"),
  ofVm("vm.reset"),
  v.strictObject({ kind: v.literal("console.break"), console: v.string() }),
  v.strictObject({ kind: v.literal("rpc.send"), id: count, payload: bytes }),
  v.strictObject({ kind: v.literal("queue.send"), queue: v.string(), bytes }),
  v.strictObject({ kind: v.literal("queue.flush"), queue: v.string() }),
  v.strictObject({ kind: v.literal("doorbell.ring"), doorbell: v.string(), flags: v.bigint() }),
  v.strictObject({ kind: v.literal("irq.raise"), irq: v.string() }),
  v.strictObject({ kind: v.literal("irq.clear"), irq: v.string() }),
  v.strictObject({ kind: v.literal("mem.write"), at: v.string(), bytes }),
  v.strictObject({ kind: v.literal("vcpu.set"), vcpu: v.string(), register: v.string(), value: v.bigint() }),
  v.strictObject({ kind: v.literal("balloon.set"), vm: v.string(), bytes: count }),
  v.strictObject({ kind: v.literal("input.send"), vm: v.string(), events: v.array(v.array(inputEvent)) }),
  v.strictObject({ kind: v.literal("inject.add"), rule: v.string() }),
  v.strictObject({ kind: v.literal("inject.remove"), rule: v.string() }),
  v.strictObject({ kind: v.literal("vcpu.kill"), vcpu: v.string() }),
]) satisfies v.GenericSchema<unknown, Action>;

/** An input. The handler of an outside source checks its data. */
export const INPUT: v.GenericSchema<unknown, Input> = v.variant("kind", [
  v.strictObject({ kind: v.literal("console"), console: v.string(), bytes }),
  v.strictObject({ kind: v.literal("outside"), source: count, data: v.unknown() }),
  v.strictObject({ kind: v.literal("act"), action: ACTION }),
]);

const check = { instructions: count, registers: v.string() };

/** A place with a name. */
export const MARK: v.GenericSchema<unknown, Mark> = v.strictObject({
  name: v.pipe(v.string(), v.regex(MARK_NAME)),
  instructions: count,
  time: v.pipe(v.number(), v.finite(), v.minValue(0)),
});

/** Registers at a place. */
export const CHECK: v.GenericSchema<unknown, Check> = v.strictObject(check);

/** How it ended. */
export const END: v.GenericSchema<unknown, EndState> = v.strictObject({
  ...check,
  own: v.boolean(),
  code: v.pipe(count, v.maxValue(255)),
  message: v.string(),
  memory: v.string(),
  console: v.string(),
});

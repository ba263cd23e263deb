// The plan that a recording or a snapshot keeps, which anybody may have written. Its table is
// checked as a configuration is, and makes the plan in the same way; nothing is read but what the
// file has.

import * as v from "valibot";
import { bytes, count, firstIssue, listOf, name, text } from "../../model/queries/fields.ts";
import { debuggedVms } from "../../model/queries/debugged-vms.ts";
import { parseFaultRule } from "../../model/queries/fault-rule.ts";
import { TABLES } from "../../model/queries/tables.ts";
import { parseEventFilter } from "../../model/queries/filters/temporal-filter.ts";
import { type SessionPlan, TIERS } from "../../model/plans/plan.ts";
import type { SavedRun } from "../../model/plans/saved-plan.ts";
import { SYMBOL_FILES } from "../../inside/symbols/elf-symbols.ts";
import { KiB } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";
import { planOf } from "./plan-run.ts";

/** Rules of faults, places of hashes, and characters of the keys. */
const FAULTS_MAX = 1024, HASHES_MAX = 1_000_000, KEYS_MAX = 1024 * KiB;
/** Tables and lists in each other. */
const DEPTH_MAX = 16;

const flag = v.boolean();
const ascending = (list: readonly number[]) => list.every((value, index) => index === 0 || value > list[index - 1]);

/** A text that `read` takes without an error, whose message is what is wrong. */
function readBy(read: (given: string) => unknown) {
  return v.pipe(
    text(),
    v.rawCheck<string>(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        read(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : String(error) });
      }
    }),
  );
}

const runSchema = () =>
  v.strictObject({
    turbo: v.optional(flag),
    seed: v.optional(count()),
    tier: v.optional(v.picklist(TIERS)),
    inject: v.optional(listOf(readBy(parseFaultRule), FAULTS_MAX)),
    duration: v.optional(v.pipe(v.number(), v.minValue(0))),
    until: v.optional(readBy((filter) => parseEventFilter(filter, TABLES.events))),
    hashAt: v.optional(v.pipe(listOf(count(), HASHES_MAX), v.check(ascending))),
    debug: v.optional(debuggedVms),
    symbols: v.optional(v.record(name, listOf(bytes(), SYMBOL_FILES))),
    history: v.optional(flag),
    endsOnFailure: v.optional(flag),
    memoryBudget: v.optional(count()),
    historyMemory: v.optional(count()),
    diskBudget: v.optional(count()),
    startsAt: v.optional(count(2 ** 32 - 1)),
  }) satisfies v.GenericSchema<unknown, SavedRun>;

const savedSchema = () =>
  v.strictObject({
    table: v.strictObject({
      keys: v.custom<Record<string, unknown>>(isTable, "is not a table"),
      files: v.record(v.string(), bytes()),
      variables: v.record(v.string(), bytes()),
      disks: v.optional(v.record(v.string(), bytes()), {}),
    }),
    run: runSchema(),
  });

let built: ReturnType<typeof savedSchema> | undefined;

/**
 * The plan, whose uses of this computer need consent yet.
 * @throws UserError that names the first field that is wrong, or the first rule that is broken
 */
export async function planOfSaved(saved: unknown): Promise<SessionPlan> {
  const parsed = v.safeParse(built ??= savedSchema(), saved, { abortEarly: true });
  if (!parsed.success) throw new UserError(firstIssue(parsed.issues));
  const { table: { keys, files, variables, disks }, run: { startsAt, ...run } } = parsed.output;
  if (JSON.stringify(keys).length > KEYS_MAX) throw new UserError(`its keys have more than ${KEYS_MAX} characters`);
  const result = await planOf(keys, undefined, { folder: ".", given: { ...files, ...variables }, disks, closed: true });
  if (!result.ok) throw new UserError(result.problems[0]);
  const { ui: _ui, recordTo: _recordTo, logs: _logs, places: _places, symbols, what: made, ...planned } = result.run;
  const what = made.kind === "boot" && made.startsNow ? { ...made, clock: startsAt, startsNow: startsAt !== undefined } : made;
  const all = { ...symbols, ...run.symbols }, named = Object.keys(all).length > 0 && { symbols: all };
  return { ...planned, what, ...run, ...named };
}

/** Whether a value is a table of plain values, as TOML has them, that lie not too deep. */
function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isPlain(value, DEPTH_MAX);
}

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return ["string", "number", "boolean"].includes(typeof value);
  if (depth === 0) return false;
  const isInstance = !Array.isArray(value) && ![Object.prototype, null].includes(Object.getPrototypeOf(value));
  return !isInstance && Object.values(value).every((part) => isPlain(part, depth - 1));
}

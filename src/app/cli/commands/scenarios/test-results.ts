// The results of one part of a test run as a file, shard.json, for `el2 test merge`.

import * as v from "valibot";
import { Failure } from "../../common/failure.ts";
import { writing } from "../../common/named-file.ts";
import type { ScenarioResult } from "../../../scenarios/run-terms.ts";
import { cannotRead, readToEnd } from "../../../../kit/support/files/named-file.ts";
import { removeIfThere } from "../../../../kit/support/files/own-files.ts";
import { checkWritable, writeWhole } from "../../../../kit/support/files/whole-file.ts";

/** Changes with the meaning of the file. */
const SCHEMA = "el2.shard/1";
const FILE = "shard.json";

/** Parts of a run, as `--shard` takes them. */
const PARTS_MAX = 99_999;

const PART = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PARTS_MAX));
/** Names of recordings: each becomes the name of a file, on any system. */
const RECORDING = /(?:^|[\\/])[^\\/\0:]+\.rec$/;

const RESULT = v.picklist(["ok", "failed", "skipped"]);

const CASE = v.object({
  path: v.array(v.string()),
  result: RESULT,
  message: v.optional(v.string()),
  details: v.optional(v.array(v.string())),
});

const FACT = v.looseObject({ code: v.string() });
const VERDICT = v.object({
  id: v.string(),
  verdict: v.string(),
  text: v.string(),
  way_out: v.nullable(v.string()),
  fact: FACT,
  because: v.array(FACT),
});

const STEP = v.object({
  step: v.object({ line: v.number() }),
  text: v.string(),
  result: RESULT,
  at: v.number(),
  message: v.optional(v.string()),
  details: v.optional(v.array(v.string())),
  verdicts: v.optional(v.array(VERDICT)),
  cases: v.optional(v.pipe(v.array(CASE), v.minLength(1))),
});

const SCENARIO = v.object({
  scenario: v.object({ name: v.string(), file: v.string() }),
  seed: v.number(),
  ok: v.boolean(),
  elapsed: v.number(),
  recording: v.optional(v.pipe(v.string(), v.regex(RECORDING))),
  steps: v.array(STEP),
});

const SHARD = v.pipe(
  v.object({
    schema: v.literal(SCHEMA),
    index: PART,
    count: PART,
    files: v.array(v.string()),
    results: v.array(SCENARIO),
  }),
  v.check(({ index, count }) => index <= count),
  v.check(({ files, results }) => {
    const known = new Set(files);
    return results.every(({ scenario }) => known.has(scenario.file));
  }),
  // Whether all is well is what the steps say.
  v.check(({ results }) => results.every(({ ok, steps }) => ok === steps.every(({ result }) => result === "ok"))),
  v.check(({ results }) => results.every(({ steps }) => steps.every(agreesWithCases))),
);

/** A step that passed has no test that failed. */
function agreesWithCases({ result, cases = [] }: v.InferOutput<typeof STEP>): boolean {
  return result !== "ok" || cases.every((one) => one.result !== "failed");
}

/** A verdict on a VM at the end of a step. */
export type ReportedVerdict = v.InferOutput<typeof VERDICT>;

/** A test of a report that a step has read. */
export type ReportedCase = v.InferOutput<typeof CASE>;

/** The part of a step for reports. */
export type ReportedStep = v.InferOutput<typeof STEP>;

/** The part of a scenario for reports. */
export type ReportedScenario = v.InferOutput<typeof SCENARIO>;

/** A part of a run: the files of the whole run, and the results of this part. */
export type Shard = Omit<v.InferOutput<typeof SHARD>, "schema">;

/** A result with what a report of another computer needs. @param recording path of its recording */
export function reported(
  { scenario: { name, file }, seed, ok, elapsed, steps }: ScenarioResult,
  recording: string | undefined,
): ReportedScenario {
  return {
    scenario: { name, file },
    seed,
    ok,
    elapsed,
    recording,
    steps: steps.map(({ step, text, result, at, message, details, verdicts, cases }) => ({
      step: { line: step.line },
      text,
      result,
      at,
      message,
      details: details && [...details],
      verdicts: verdicts?.map(({ fact, because, ...row }) => ({ ...row, fact: { ...fact }, because: because.map((one) => ({ ...one })) })),
      cases: cases?.map(({ path, result, message, details }) => ({ path: [...path], result, message, details: details && [...details] })),
    })),
  };
}

/**
 * Removes the file of an earlier run, so that a part that dies has no results, and checks that one
 * can be written.
 * @throws Failure
 */
export function beginShard(folder: string): void {
  const file = `${folder}/${FILE}`;
  writing(`--results ${folder}`, () => {
    removeIfThere(file);
    Deno.mkdirSync(folder, { recursive: true });
    checkWritable(file);
  });
}

/**
 * Writes the file in one step, when all scenarios have run.
 * @throws Failure
 */
export function writeShard(folder: string, shard: Shard): void {
  writing(`--results ${folder}`, () => writeWhole(`${folder}/${FILE}`, JSON.stringify({ schema: SCHEMA, ...shard })));
}

/**
 * Reads it; undefined for a folder without one.
 * @throws Failure
 */
export function readShard(folder: string): Shard | undefined {
  const path = `${folder}/${FILE}`;
  let text: string;
  try {
    text = new TextDecoder().decode(readToEnd(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Failure(cannotRead(error, path));
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const checked = v.safeParse(SHARD, value);
  if (checked.success) return checked.output;
  throw new Failure(`${path}: not results of this version of test --results`, "run this part again");
}

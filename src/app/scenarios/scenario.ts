// A scenario: a run with expectations, for `el2 test FILE` (docs/scenarios.md). TOML; each [[step]]
// is a table with one key that says what the step is, and the keys that belong to it. All errors
// come at once, with line and column.

import * as v from "valibot";
import { ConfigErrors, readToml } from "../configuration/config.ts";
import { configProblem, factIn, ruled, told, wrong } from "../../model/plans/config-fact.ts";
import { mustBe, outsideOf } from "../configuration/keys/values.ts";
import { TomlPositions } from "../configuration/positions.ts";
import { described, facts } from "../../kit/support/values/described.ts";
import { LinearRegex } from "../../kit/support/text/linear-regex.ts";
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from "../../kit/support/text/units.ts";
import { didYouMean, didYouMeanOneOf } from "../../kit/support/text/did-you-mean.ts";
import { FaultRuleError, readFaultRule } from "../../model/queries/fault-rule.ts";
import { idPattern } from "../../model/queries/ids.ts";
import { type Problem, problemOf, problemOfAll, UserError } from "../../kit/support/problem.ts";
import { FilterError, parseFilter } from "../../model/queries/filters/filter.ts";
import { checkFilter } from "../../model/queries/filters/temporal-filter.ts";
import { listTables, readQuery } from "../../model/queries/query.ts";
import { isTableName, type TableName, TABLES } from "../../model/queries/tables.ts";
import { VERDICTS } from "../../model/queries/facts/verdict-words.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

/** Virtual time (ns) that a step waits where it does not say. */
const DEFAULT_WITHIN = 10e9;

/** The error of a filter, in one line. */
function placed({ problem: { what, wayOut }, at }: FilterError): Problem {
  const place = `, at character ${at + 1}`;
  return wayOut === undefined ? { what: what + place } : { what, wayOut: way`${wayOut}${place}` };
}

/** A refinement whose message is an error that `check` throws, of these classes. */
function checked(check: (text: string) => void) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      check(dataset.value);
    } catch (error) {
      if (!(error instanceof FilterError || error instanceof FaultRuleError || error instanceof SyntaxError)) throw error;
      addIssue({ message: told({ code: "rule", ...error instanceof FilterError ? placed(error) : problemOf(error) }) });
    }
  });
}

const text = v.string("is not a string");
const name = v.pipe(text, v.nonEmpty("is empty"));
const regex = v.pipe(text, facts({ format: "regex" }), checked((source) => void new LinearRegex(source, "m")));
const rule = v.pipe(text, checked((source) => void readFaultRule(source)));
/** "broken" is the machine's verdict, never a VM's. */
const VM_VERDICTS: readonly string[] = VERDICTS.filter((one) => one !== "broken");
const verdict = v.pipe(
  text,
  facts({ enum: VM_VERDICTS }),
  v.check(
    (word) => VM_VERDICTS.includes(word),
    ({ input }) => wrong("is not a verdict", didYouMeanOneOf(String(input), VM_VERDICTS)),
  ),
);
const filterOf = (table: TableName) => v.pipe(text, checked((source) => checkFilter(source, TABLES[table])));
const duration = v.pipe(
  v.string(mustBe("a duration", '"2s"')),
  facts({ pattern: DURATION_PATTERN }),
  v.transform((source) => parseDuration(source) ?? NaN),
  v.check((ns) => ns >= 0, mustBe("a duration", '"2s"')),
);
const within = v.optional(duration, `${DEFAULT_WITHIN}ns`);
const whole = v.pipe(v.number("is not a number"), v.integer("is not a whole number"), v.minValue(0, "is negative"));
const size = v.pipe(
  v.string(mustBe("a size", '"64MiB"')),
  facts({ pattern: SIZE_PATTERN }),
  v.transform((source) => parseSize(source) ?? NaN),
  v.check((bytes) => bytes > 0, mustBe("a size", '"64MiB"')),
);
const tableName = v.picklist(listTables(), ({ input }) => {
  const name = typeof input === "string" ? input : "", query = isTableName(name) ? readQuery(name, {}) : undefined;
  if (query && "issue" in query) return wrong(`cannot be expected: ${query.issue}`, "use a table whose rows need no argument");
  return wrong("is not a table", didYouMean(name, listTables(), `list them with ${hintText(hint("reference schema"))}`));
});

/** A path of the guest. */
const place = v.pipe(text, v.regex(/^\/[^\0]*$/, mustBe("an absolute path", '"/opt/tests"')));

/** The values of `boot` other than a name that `el2 run` takes: an image as the primary VM. */
const primary = v.strictObject(described({
  image: v.optional(name),
  initrd: v.optional(name),
  root: v.optional(name),
  overlay: v.optional(v.union([v.array(name), v.record(place, name)], "is neither a list of folders nor a table of them"), []),
  append: v.optional(text),
  memory: v.optional(size, "256MiB"),
  cpus: v.optional(v.pipe(whole, v.minValue(1, outsideOf("1..8")), v.maxValue(8, outsideOf("1..8"))), 1),
}, {
  image: "a kernel or a bare-metal image, which runs as the primary VM; by default the kernel of root",
  initrd: "initial ramdisk",
  root: "root file system instead: debian or another Debian of the catalog, or a folder, which becomes the initial ramdisk",
  overlay: "folders that are laid over the root at each start: a list, or a table with the place of each in the guest",
  append: "kernel command line",
  memory: "RAM of the primary VM",
  cpus: "physical CPUs",
}));

/** Bytes of a line that shells of initial ramdisks take. */
const COMMAND_LINE = 900;
const command = v.pipe(
  name,
  // deno-lint-ignore no-control-regex
  v.regex(/^[^\0-\x09\x0b-\x1f\x7f]*$/, wrong("has a control character", "use spaces and newlines")),
  v.check(
    (source) => source.split("\n").every((line) => line.length <= COMMAND_LINE),
    wrong(`has a line of more than ${COMMAND_LINE} characters`, "put it into a script in a folder of overlay"),
  ),
);
const kselftest = v.strictObject(described({
  kselftest: v.pipe(v.array(v.pipe(text, v.regex(/^[\w./-]+$/, "is not the name of a target"))), v.minLength(1, "names no target")),
}, { kselftest: "targets (collections) of run_kselftest.sh, which a folder of overlay or root has" }));

const OF = "name of the VM", CONSOLE = "name of the console's VM; without it, the machine's only console";
/** Instead of a name, which has no spaces: the machine has one console. */
export const ONLY_CONSOLE = "the only one";
const ofConsole = v.optional(name, ONLY_CONSOLE);
const WITHIN = "virtual time from the start of the step";

/** The kinds of steps, by the key that makes one. */
export const STEPS = {
  boot: v.strictObject(described({
    boot: v.union([name, primary], "is neither a name nor a table with an image"),
    set: v.optional(v.array(name), []),
    from: v.optional(v.literal("prompt", wrong("is not a prepared state", 'use "prompt", or leave it out'))),
  }, {
    boot: "creates the machine: demo, a configuration next to this file, a guest of the catalog, or a table with an image",
    set: "changes of the configuration: KEY=VALUE",
    from: 'begin at the first "prompt" of the only console: scenarios that boot the same machine boot it once',
  })),
  at: v.strictObject(described({ at: duration }, { at: "runs the machine until this virtual time" })),
  send: v.strictObject(described({ send: text, to: ofConsole }, { send: "types this into a console", to: CONSOLE })),
  expect_console: v.strictObject(described({ expect_console: regex, of: ofConsole, within }, {
    expect_console: "waits until a console shows a match after the previous match",
    of: CONSOLE,
    within: WITHIN,
  })),
  expect_ktap: v.strictObject(described({ expect_ktap: name, within }, {
    expect_ktap: "name of the VM whose console shows a KTAP or TAP report; waits for its end, and fails if a test of it does",
    within: WITHIN,
  })),
  expect_event: v.strictObject(described({ expect_event: filterOf("events"), within }, {
    expect_event: "filter; waits for an event after the one that the previous such step matched",
    within: WITHIN,
  })),
  expect_why: v.strictObject(described({ expect_why: filterOf("why"), within }, {
    expect_why: "filter; waits for a reason after the one that was matched last",
    within: WITHIN,
  })),
  expect_rows: v.strictObject(described({
    expect_rows: tableName,
    filter: v.optional(text, ""),
    count: v.optional(whole),
    within: v.optional(duration, "0s"),
  }, {
    expect_rows: "checks the rows of this table",
    filter: "only these rows",
    count: "how many rows there are; at least one if it is left out",
    within: WITHIN,
  })),
  expect_print: v.strictObject(described({ expect_print: name, is: text, within }, {
    expect_print: `waits until this expression has the value (${hintText(hint("print"))})`,
    is: "the value as it is printed, a text without its quotes, or a number",
    within: WITHIN,
  })),
  expect_no_console: v.strictObject(described({ expect_no_console: regex, of: ofConsole, within }, {
    expect_no_console: "fails if a console shows a match within this time",
    of: CONSOLE,
    within: WITHIN,
  })),
  expect_no_why: v.strictObject(described({ expect_no_why: filterOf("why"), within }, {
    expect_no_why: "filter; fails if there is such a reason within this time",
    within: WITHIN,
  })),
  expect_diagnosis: v.strictObject(described({ expect_diagnosis: verdict, of: name, within }, {
    expect_diagnosis: `waits for this verdict of ${hintText(hint("diagnose"))}`,
    of: OF,
    within: WITHIN,
  })),
  expect_vm_end: v.strictObject(described({ expect_vm_end: regex, of: name, within }, {
    expect_vm_end: "waits for the end of a VM; its result and reason match",
    of: OF,
    within: WITHIN,
  })),
  expect_end: v.strictObject(described({ expect_end: whole, message: v.optional(regex), within }, {
    expect_end: "waits for the end of the run, with this exit code",
    message: "what the run says at its end matches",
    within: WITHIN,
  })),
  run: v.strictObject(
    described({ run: v.union([command, kselftest], "is neither a command nor a table with kselftest"), of: ofConsole, within }, {
      run: "runs a command, or targets of kselftest, at the prompt of a shell; fails by its exit status, or by a test that it reports",
      of: CONSOLE,
      within: WITHIN,
    }),
  ),
  inject: v.strictObject(described({ inject: rule }, { inject: "adds a fault rule" })),
  remove: v.strictObject(
    described({ remove: v.pipe(text, v.regex(new RegExp(`^(all|${idPattern("inject")})$`), 'is neither "all" nor inject:NUMBER')) }, {
      remove: "removes a fault rule, or all of them",
    }),
  ),
} as const;

export type StepKind = keyof typeof STEPS;
/** A step: its kind, its values, and its line. */
export type Step = { [K in StepKind]: { readonly kind: K; readonly line: number } & v.InferOutput<typeof STEPS[K]> }[StepKind];

/** A scenario without what its steps have inside, which `STEPS` checks. */
export const Head = v.object(described({
  el2_test: v.literal(
    1,
    ({ received }) =>
      received === "undefined" ? "is missing; begin the file with el2_test = 1" : "is not a version that this el2 reads; use 1",
  ),
  name: v.optional(name),
  seed: v.optional(whole),
  inject: v.optional(v.array(rule, "is not a list of rules"), []),
  step: v.pipe(v.array(v.record(v.string(), v.unknown()), "is not a list of [[step]] tables"), v.minLength(1, "has no steps")),
}, {
  el2_test: "version of this format: 1",
  name: "name of the scenario; by default that of the file",
  seed: "seed of the machine; by default the configuration's",
  inject: "fault rules that apply from the start",
  step: "the steps, in order",
}));

/** A scenario, checked. */
export interface Scenario {
  readonly file: string;
  /** Its text. */
  readonly source: string;
  readonly name: string;
  /** Seed of the machine, where the scenario says one. */
  readonly seed: number | undefined;
  /** Rules of injected faults that hold from the start. */
  readonly inject: readonly string[];
  readonly steps: readonly Step[];
}

/** A scenario that cannot be run: the user's to fix. */
export class ScenarioError extends UserError {}

/**
 * Reads a scenario.
 * @throws ScenarioError with a line `FILE:LINE:COLUMN: what; way out` for each error
 */
export function readScenario(file: string, source: string): Scenario {
  const read = readToml(source);
  if ("error" in read) throw new ScenarioError(configProblem(file, read.error));
  const { raw } = read;
  const errors = new ConfigErrors(new TomlPositions(source));
  for (const key of Object.keys(raw)) {
    if (!Object.hasOwn(Head.entries, key)) {
      errors.atKey([key], { code: "unknown-key", key, where: "", known: Object.keys(Head.entries) });
    }
  }
  const head = v.safeParse(Head, raw, { abortPipeEarly: true });
  for (const issue of head.issues ?? []) addIssue(errors, [], issue);
  const steps = (Array.isArray(raw.step) ? raw.step : []).map((step, index) => readStep(step, index, errors));
  if (errors.found.length === 0) checkOrder(steps as Step[], errors);
  if (errors.found.length > 0 || !head.success) {
    throw new ScenarioError(problemOfAll(errors.sorted().map((error) => configProblem(file, error))));
  }
  const { output } = head;
  const fallback = file.split("/").at(-1)!.replace(/(\.test)?\.toml$/, "");
  return { file, source, name: output.name ?? fallback, seed: output.seed, inject: output.inject, steps: steps as Step[] };
}

function readStep(raw: unknown, index: number, errors: ConfigErrors): Step | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const path = ["step", index];
  const kinds = Object.keys(raw).filter((key): key is StepKind => Object.hasOwn(STEPS, key));
  if (kinds.length !== 1) {
    const [key] = Object.keys(raw);
    const what = kinds.length > 1 ? `a step has one kind, not ${kinds.join(" and ")}` : `this step has no kind`;
    const names = Object.keys(STEPS);
    errors.atKey(path, ruled(what, didYouMeanOneOf(kinds.length > 1 ? "" : key ?? "", names)));
    return undefined;
  }
  const [kind] = kinds;
  const result = v.safeParse(STEPS[kind], raw, { abortPipeEarly: true });
  if (!result.success) {
    // The issue of a union is that nothing fits; in a table it is known what does not.
    const table = tableIssues(kind, raw), where = table.length > 0 ? [...path, kind] : path;
    for (const issue of table.length > 0 ? table : result.issues) addIssue(errors, where, issue, kind);
    return undefined;
  }
  return { kind, line: errors.positions.key([...path, kind])?.line ?? 0, ...result.output } as Step;
}

/** The issues of a value that may be a name or a table, and is a table. */
function tableIssues(kind: StepKind, raw: object): readonly v.BaseIssue<unknown>[] {
  const value = Object.entries(raw).find(([key]) => key === kind)?.[1];
  const isTable = typeof value === "object" && value !== null && !Array.isArray(value);
  const table = kind === "boot" ? primary : kind === "run" ? kselftest : undefined;
  return isTable && table ? v.safeParse(table, value, { abortPipeEarly: true }).issues ?? [] : [];
}

/** @param kind of a step: a key that is missing is reported there */
function addIssue(errors: ConfigErrors, before: readonly (string | number)[], issue: v.BaseIssue<unknown>, kind?: StepKind): void {
  const path = [...before, ...(issue.path ?? []).map(({ key }) => key as string | number)];
  const key = path.findLast((part) => typeof part === "string") ?? "";
  if (issue.expected === "never") errors.atKey(path, { code: "unknown-key", key, where: " in this step", known: [] });
  else if (issue.received === "undefined") {
    errors.atKey(kind === undefined ? path : [...before, kind], {
      code: "missing",
      key,
      where: kind === undefined ? "" : ` in this step, ${kind}`,
    });
  } else errors.atValue(path, { code: "value", key, shown: "", fact: factIn(issue.message) });
}

/** Rules between steps: the machine is made first, and once; a filter fits its table. */
function checkOrder(steps: readonly Step[], errors: ConfigErrors): void {
  steps.forEach((step, index) => {
    const path = ["step", index, step.kind];
    if ((step.kind === "boot") !== (index === 0)) {
      errors.atKey(
        path,
        ruled(index === 0 ? 'the first step must boot the machine: boot = "demo", a configuration or an image' : "a scenario boots once"),
      );
    }
    if (step.kind !== "expect_rows") return;
    try {
      parseFilter(step.filter, TABLES[step.expect_rows]);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      errors.atValue(["step", index, "filter"], { code: "value", key: "filter", shown: "", fact: { code: "rule", ...placed(error) } });
    }
  });
}

/** A scenario whose steps that name no console have the machine's only one. */
export function withConsole(scenario: Scenario, [console]: readonly string[]): Scenario {
  const steps = scenario.steps.map((step): Step => {
    if (step.kind === "run") return step.of === ONLY_CONSOLE ? { ...step, of: console } : step;
    if (step.kind === "send") return step.to === ONLY_CONSOLE ? { ...step, to: console } : step;
    if (step.kind !== "expect_console" && step.kind !== "expect_no_console") return step;
    return step.of === ONLY_CONSOLE ? { ...step, of: console } : step;
  });
  return { ...scenario, steps };
}

/** A step in one line, for display. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case "boot":
      return `boot ${typeof step.boot === "string" ? step.boot : step.boot.image ?? step.boot.root}`;
    case "at":
      return `at ${step.at / 1e9} s`;
    case "send":
      return `send ${JSON.stringify(step.send)} to ${step.to}`;
    case "expect_console":
      return `console ${step.of} shows /${step.expect_console}/`;
    case "expect_ktap":
      return `tests of ${step.expect_ktap}`;
    case "expect_event":
      return `event ${step.expect_event}`;
    case "expect_why":
      return `reason ${step.expect_why}`;
    case "expect_rows":
      return `${step.expect_rows}${step.filter && ` ${step.filter}`}: ${step.count === undefined ? "some" : step.count} rows`;
    case "expect_print":
      return `${step.expect_print} is ${step.is}`;
    case "expect_no_console":
      return `console ${step.of} does not show /${step.expect_no_console}/`;
    case "expect_no_why":
      return `no reason ${step.expect_no_why}`;
    case "expect_diagnosis":
      return `diagnosis of ${step.of}: ${step.expect_diagnosis}`;
    case "expect_vm_end":
      return `${step.of} ends: /${step.expect_vm_end}/`;
    case "expect_end":
      return `ends with ${step.expect_end}`;
    case "run":
      return `run ${typeof step.run === "string" ? step.run : `kselftest ${step.run.kselftest.join(" ")}`}`;
    case "inject":
      return `inject ${step.inject}`;
    case "remove":
      return `remove ${step.remove}`;
  }
}

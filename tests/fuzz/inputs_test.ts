// Scenarios, options and saved states, from grammars with damage: each is accepted, or refused with
// a message; none ends in another exception, takes a second, or memory beyond its plan. EL2_LONG=1
// has 50,000 of each kind, and 10,000 saved states of each machine. Files: readers_test.ts.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assembleEmpty } from "../../src/session/assembly/assemble.ts";
import { BadArgument } from "../../src/app/cli/common/values.ts";
import { ArgumentError } from "../../src/model/commands/argument.ts";
import { netOption } from "../../src/app/cli/options/devices.ts";
import { FaultRuleError, parseFaultRule } from "../../src/model/queries/fault-rule.ts";
import { FilterError, parseFilter } from "../../src/model/queries/filters/filter.ts";
import { TABLE_NAMES, TABLES } from "../../src/model/queries/tables.ts";
import { ArchiveError } from "../../src/machine/hardware/archive.ts";
import { readScenario, ScenarioError, STEPS } from "../../src/app/scenarios/scenario.ts";
import type { SessionPlan } from "../../src/model/plans/plan.ts";
import { SAVED_MACHINES } from "../session/snapshots/furnished.ts";
import { phrase, toml } from "./grammars.ts";
import { LONG } from "../support/long.ts";
import { fuzzTest, type Kind } from "./run.ts";
import { SavedFields } from "./saved-fields.ts";
import { isTold } from "../../src/kit/support/problem.ts";

/** Saved states of a machine: each is loaded into another one, which runs. */
const STATES = LONG ? 10_000 : 40;

/** A refusal: an error with one of el2's messages. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  (isTold(error) ||
    [ScenarioError, ArchiveError, FilterError, FaultRuleError].some((kind) => error instanceof kind) ||
    error.name === "CommanderError" || error instanceof ArgumentError || error instanceof BadArgument ||
    error.name === "InvalidArgumentError");

const SCENARIO = [
  ...["el2_test = 1", 'name = "a"', "seed = 1", "[[step]]", 'boot = "demo"', "[[step]]", 'expect_console = "a"', 'of = "rt"'],
  ...['within = "1s"', "[[step]]", 'expect_rows = "vm.ls"', 'filter = "state=running"', "count = 3"],
];

const KINDS: Readonly<Record<string, Kind>> = {
  scenario: (random) =>
    readScenario("a.test.toml", toml(random, SCENARIO, ["step"], ["boot", ...Object.keys(STEPS), "within", "of", "count"])),
  "capture options": (random) => {
    const options = [
      "user",
      "none",
      "host",
      "lan",
      "internet",
      "allow",
      "deny",
      "capture",
      "yes",
      "no",
      "10.0.0.0/8",
      "::1",
      "kind",
      "rpc",
      "vm",
    ];
    const readers = [
      () => netOption().parseArg!(phrase(random, options), undefined),
      () => parseFilter(phrase(random, ["kind", "name", "state", "vm", "t", ...options]), TABLES[random.pick(TABLE_NAMES)]),
      () => parseFaultRule(phrase(random, ["rpc", "virq", "msg", "nth", "lose", "NOMEM", "vm", "call", "hvc", "delay", "1ms"])),
    ];
    random.pick(readers)();
  },
};

for (const [name, read] of Object.entries(KINDS)) {
  fuzzTest(name, read, isRefusal);
}

for (const [what, machine] of Object.entries(SAVED_MACHINES)) {
  let plan: SessionPlan, saved: SavedFields;
  fuzzTest(
    `saved state of ${what}`,
    (random) => {
      const state = saved.changed(random), copy = assembleEmpty(plan);
      copy.load(state, false);
      assert.equal(Buffer.compare(copy.save().fields, state.fields), 0, "a state is accepted, and another one saved");
      // An accepted state is that of a machine that runs: no bug of el2 ends it, or a part of it.
      copy.machine.run(copy.machine.time + 1e6, 100);
      const [bug] = copy.takeBugs();
      if (bug) throw new TypeError(`${bug.where}: ${bug.error instanceof Error ? bug.error.stack : bug.error}`);
    },
    isRefusal,
    STATES,
    async () => {
      plan = { ...await machine.plan(), tier: "interp" };
      saved = new SavedFields(plan, machine.system(plan).save());
    },
  );
}

// TOML of strangers: keys that would cost the square of the file are refused before their positions
// are sought.

import assert from "node:assert/strict";
import { readConfig } from "../../../src/app/configuration/config.ts";
import { readScenario, ScenarioError } from "../../../src/app/scenarios/scenario.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { configProblem } from "../../../src/model/plans/config-fact.ts";
import { problemText } from "../../../src/kit/support/problem.ts";

/** Why a text is refused, as a configuration and as a scenario, with little heap. */
function refusals(text: string): string[] {
  const before = Deno.memoryUsage().heapUsed;
  const config = readConfig(text);
  assert.ok(!config.ok);
  const messages = [problemText(configProblem(undefined, config.errors[0]))];
  assert.throws(() => readScenario("a", text), (error) => error instanceof ScenarioError && messages.push(error.message) > 0);
  const grown = (Deno.memoryUsage().heapUsed - before) / MiB;
  assert.ok(grown < 128, `${Math.round(grown)} MiB for ${text.length} characters`);
  return messages;
}

Deno.test("a key of 100,000 parts, and one of 100,000 characters, are refused", () => {
  const deep = "tables and lists are nested deeper than 16", long = "a key has more than 128 characters";
  assert.deepEqual(refusals(`el2 = 1\n${"a.".repeat(100_000)}b = 1\n`), [deep, `a:1:1: ${deep}`]);
  const keys = Array.from({ length: 10_000 }, (_, index) => `k${index} = 1\n`).join("");
  assert.deepEqual(refusals(`el2 = 1\n[${"a".repeat(100_000)}]\n${keys}`), [long, `a:1:1: ${long}`]);
});

Deno.test("a scenario has as many characters as a configuration", () => {
  assert.throws(
    () => readScenario("a", `el2_test = 1\n#${"a".repeat(300_000)}`),
    /a:1:1: the file has 300014 characters; it may have 262144$/,
  );
});

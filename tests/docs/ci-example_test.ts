// The workflow of the example repository. tests/dist/debian.ts does its work with the build.

import assert from "node:assert/strict";
import { parse } from "yaml";

const ROOT = new URL("../..", import.meta.url).pathname;
const EXAMPLE = `${ROOT}examples/ci`;

Deno.test("the workflow of the example calls the action with inputs that it has", async () => {
  const { inputs } = parse(await Deno.readTextFile(`${ROOT}action.yml`));
  const { jobs } = parse(await Deno.readTextFile(`${EXAMPLE}/.github/workflows/test.yml`));
  const step = jobs.test.steps.find(({ uses }: { uses?: string }) => uses?.includes("/el2@"));
  for (const name of Object.keys(step.with)) assert.ok(name in inputs, name);
  for (const [name, { required }] of Object.entries<{ required?: boolean }>(inputs)) assert.ok(!required || name in step.with, name);
});

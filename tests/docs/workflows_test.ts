// The workflow files of the project call what exists, on each platform that el2 is built for.

import assert from "node:assert/strict";
import { parse } from "yaml";
import { TARGETS } from "../../scripts/dist/targets.ts";
import { ROOT } from "../support/files.ts";

interface Job {
  readonly "runs-on": string;
  readonly strategy?: { readonly matrix: { readonly os: readonly string[] } };
  readonly steps: readonly { readonly run?: string }[];
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
const jobsOf = (path: string): Job[] => Object.values((parse(read(path)) as { jobs: Record<string, Job> }).jobs);

/** The platform of a runner, as npm's packages of Deno name it. */
const RUNNERS: Readonly<Record<string, string>> = {
  "ubuntu-24.04": "linux-x64-glibc",
  "ubuntu-24.04-arm": "linux-arm64-glibc",
  "macos-15": "darwin-arm64",
  "macos-15-intel": "darwin-x64",
  "windows-2025": "win32-x64",
};

Deno.test("workflows call tasks and files that exist, with the deno of .ci/run", () => {
  const { tasks } = JSON.parse(read("deno.json")) as { tasks: Record<string, unknown> };
  const [, version] = /deno@([\d.]+)/.exec(read(".ci/run"))!;
  for (const file of ["ci.yml", "release.yml"]) {
    for (const { steps } of jobsOf(`.github/workflows/${file}`)) {
      for (const { run } of steps) {
        if (run === undefined || run.startsWith("gh ")) continue;
        if (run === "bash .ci/run") continue;
        const [, deno, task] = /^npx -y deno@([\d.]+) task (\S+)/.exec(run) ?? [];
        assert.equal(deno, version, run);
        assert.ok(task in tasks, run);
      }
    }
  }
});

Deno.test("CI runs on each platform that el2 is built for and that a runner has", () => {
  const jobs = jobsOf(".github/workflows/ci.yml");
  const runners = jobs.flatMap(({ strategy }) => strategy!.matrix.os);
  const without = "win32-arm64";
  assert.deepEqual(runners.map((name) => RUNNERS[name]).sort(), TARGETS.map(({ npm }) => npm).filter((npm) => npm !== without).sort());
  assert.deepEqual(jobs.map((job) => job["runs-on"]), jobs.map(() => "${{ matrix.os }}"));
});

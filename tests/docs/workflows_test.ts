// The workflow files of the project call what exists, on each platform that el2 is built for.

import assert from "node:assert/strict";
import { parse } from "yaml";
import { PASSED } from "../../scripts/test.ts";
import { TARGETS } from "../../scripts/dist/targets.ts";
import { ROOT } from "../support/files.ts";

/** The script of the job that signs. */
const RELEASE = ".ci/release";

interface Job {
  readonly "runs-on": string;
  readonly strategy?: { readonly matrix: { readonly os: readonly string[] } };
  readonly steps?: readonly { readonly run?: string }[];
  /** Another workflow, whose jobs are this one. */
  readonly uses?: string;
}

interface PartJob {
  readonly needs?: string;
  readonly if?: string;
  readonly with: { readonly part: number };
}

interface CacheStep {
  readonly uses?: string;
  readonly if?: string;
  readonly with: { readonly path: string; readonly key: string };
}

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
const git = (...args: string[]) =>
  new TextDecoder().decode(new Deno.Command("git", { args, cwd: ROOT }).outputSync().stdout).trim().split("\n");
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
  const calls = (line: string) => {
    const [, deno, task] = /npx -y deno@([\d.]+) task ([\w:]+)/.exec(line) ?? [];
    assert.equal(deno, version, line);
    assert.ok(task in tasks, line);
  };
  for (const { name } of Deno.readDirSync(new URL(".github/workflows", ROOT))) {
    for (const { steps = [], uses } of jobsOf(`.github/workflows/${name}`)) {
      if (uses !== undefined) read(uses);
      for (const { run } of steps) {
        if (run === undefined || run.startsWith("gh ") || run === "exit 1") continue;
        const [, script] = /^bash (\.ci\/\w+)$/.exec(run) ?? [];
        if (script === RELEASE) assert.match(read(script), new RegExp(`^version=${version.replaceAll(".", "\\.")}$`, "m"));
        else for (const line of script ? read(script).match(/^.*npx .* task .*$/gm)! : [run]) calls(line);
      }
    }
  }
});

Deno.test("actions are named by the digest of a commit, and the job that has the signing key runs a Deno of one digest", () => {
  const files = ["action.yml", "docs/ci.md", "examples/ci/.github/workflows/test.yml"];
  for (const { name } of Deno.readDirSync(new URL(".github/workflows", ROOT))) files.push(`.github/workflows/${name}`);
  const used = files.flatMap((file) => Array.from(read(file).matchAll(/uses: (.*)/g), ([, uses]) => uses));
  const own = /^(\.\/|OWNER\/el2@v\d+\.\d+\.\d+$)/, pinned = /^[\w-]+\/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
  assert.ok(used.length > 10);
  for (const uses of used) assert.ok(own.test(uses) || pinned.test(uses), uses);
  const release = read(RELEASE);
  assert.ok(read(".github/workflows/release.yml").includes(`- run: bash ${RELEASE}\n        env:\n          EL2_RELEASE_KEY:`));
  assert.ok(/^sha512=[0-9a-f]{128}$/m.test(release) && release.indexOf("sha512sum -c") < release.indexOf("/package/deno"));
  assert.ok(!/\bnp[xm] /.test(release));
});

Deno.test("a pattern of a command line that is to be copied begins with a folder: names that it stands for are no options", () => {
  const texts = git("ls-files", "docs", "README.md", "examples", "scripts", ".ci", "src/app/cli").filter((name) =>
    /\.(md|sh|yml|ts|toml)$|ci\//.test(name)
  );
  assert.ok(texts.length > 100);
  const found = texts.flatMap((name) =>
    Array.from(read(name).matchAll(/\bel2 [a-z][^`\n|]* \*\.[^`\s]+/g), ([line]) => `${name}: ${line}`)
  );
  assert.deepEqual(found, []);
});

Deno.test("the full numbers run every week, each part with the state of the one before it", () => {
  const { on, jobs } = parse(read(".github/workflows/long.yml")) as { on: Record<string, unknown>; jobs: Record<string, PartJob> };
  assert.ok("schedule" in on);
  const parts = Object.entries(jobs);
  parts.forEach(([, { needs, if: condition, with: { part } }], index) => {
    const before = parts[index - 1]?.[0];
    assert.deepEqual([part, needs, condition], [index + 1, before, before && `needs.${before}.outputs.continues == 'yes'`]);
  });
  const [{ steps }] = Object.values(parse(read(".github/workflows/long-part.yml")).jobs) as { steps: CacheStep[] }[];
  const [restored, saved] = ["restore", "save"].map((verb) => steps.find(({ uses }) => uses?.startsWith(`actions/cache/${verb}@`))!);
  assert.deepEqual([saved.with.path, saved.with.key, saved.if], [restored.with.path, restored.with.key, "always()"]);
  assert.ok(PASSED.startsWith(`${saved.with.path.split("\n")[0]}/`), "what has passed is kept");
});

Deno.test("CI runs on each platform that el2 is built for and that a runner has", () => {
  const jobs = jobsOf(".github/workflows/ci.yml");
  const runners = jobs.flatMap(({ strategy }) => strategy!.matrix.os);
  const without = "win32-arm64";
  assert.deepEqual(runners.map((name) => RUNNERS[name]).sort(), TARGETS.map(({ npm }) => npm).filter((npm) => npm !== without).sort());
  assert.deepEqual(jobs.map((job) => job["runs-on"]), jobs.map(() => "${{ matrix.os }}"));
});

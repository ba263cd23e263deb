// Replays the conformance transcripts (README.md beside this file) against `el2 boot`. The public
// groups run always, all groups with EL2_LONG=1.

import assert from "node:assert/strict";
import { DEFAULT_CPU } from "../../src/cpu/isa/cpus/cpus.ts";
import { once } from "../../src/kit/support/values/once.ts";
import { el2Command } from "../support/el2.ts";
import { LONG } from "../support/long.ts";
import { DIFFERENCES } from "./differences.ts";
import { buildProbe } from "./probe/build.ts";

const FOLDER = new URL(".", import.meta.url).pathname;

/** Groups that every change must pass whole. */
const PUBLIC = ["identify-prng", "psci-smccc", "psci-cpus", "hypercall-zero", "smccc-hypercalls", "aborts"];

/** The same as on another CPU: each starts a machine, with EL2_LONG=1. */
const SAME_ON_OTHER_CPU = /^CPU [2-7]: |^virtual timer of CPU [37] |reaches CPU 3$|routed to CPU 3 |to CPU [13] and back$/;

/** Writes the cases of a group that this run replays into a folder. */
async function writeCases(group: string, folder: string): Promise<void> {
  const whole: { cases: { name: string }[] } = JSON.parse(await Deno.readTextFile(`${FOLDER}cases/${group}.json`));
  const cases = whole.cases.filter(({ name }) => LONG || !SAME_ON_OTHER_CPU.test(name));
  await Deno.writeTextFile(`${folder}/${group}.json`, JSON.stringify({ ...whole, cases }));
}

/** One case as `run.ts --json` reports it. */
interface CaseReport {
  group: string;
  name: string;
  ok: boolean;
  why: string;
}

/**
 * Runs groups against el2 and returns their cases. With `asRecorded` el2 has the quirks of the
 * recorded hypervisor, and steps inside guests take time, as there: what a timer does by the next
 * step depends on both.
 */
async function replay(groups: readonly string[], asRecorded = false, cpu = DEFAULT_CPU): Promise<CaseReport[]> {
  const folder = await Deno.makeTempDir({ prefix: "el2-conformance-" });
  try {
    await Deno.mkdir(`${folder}/cases`);
    for (const group of groups) await writeCases(group, `${folder}/cases`);
    const probe = await buildProbe(folder);
    const [quirks, pace] = asRecorded ? [["--set", "machine.quirks=as-observed"], ["--step-ms", "20"]] : [[], []];
    const machine = el2Command("boot", probe, "--cpus", "8", "--memory", "1GiB", "--stdio", "--turbo", "--cpu", cpu, ...quirks);
    const files = ["--cases", `${folder}/cases`, "--json", `${folder}/report.json`];
    const runner = [`${FOLDER}run.ts`, ...pace, ...files, "--", ...machine];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-read", "--allow-write", "--allow-run", ...runner],
    }).output();
    const output = () => new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    return JSON.parse(await Deno.readTextFile(`${folder}/report.json`).catch((error) => assert.fail(`${error}\n${output()}`)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const number = DIFFERENCES.reduce((sum, { cases }) => sum + cases.length, 0);

Deno.test("each difference that is not the CPU's has a quirk", () => {
  assert.deepEqual(DIFFERENCES.filter(({ kind, quirk }) => (kind === "defect") !== (quirk === true)), []);
});

Deno.test(`${number} recorded cases differ on purpose; each is a case that there is, and is listed once`, async () => {
  const named = DIFFERENCES.flatMap(({ group, cases }) => cases.map((name) => `${group}: ${name}`));
  assert.deepEqual(named.filter((name, index) => named.indexOf(name) !== index), []);
  for (const group of await allGroups()) {
    const { cases }: { cases: { name: string }[] } = JSON.parse(await Deno.readTextFile(`${FOLDER}cases/${group}.json`));
    const present = new Set(cases.map(({ name }) => `${group}: ${name}`));
    assert.deepEqual(named.filter((name) => name.startsWith(`${group}: `) && !present.has(name)), [], "no such case");
  }
});

async function allGroups(): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(`${FOLDER}cases`), ({ name }) => name.replace(/\.json$/, ""));
  return names.sort();
}

/** The public groups by one runner. */
const publicCases = once(() => replay(PUBLIC));

for (const group of LONG ? await allGroups() : PUBLIC) {
  Deno.test(`the conformance group ${group} gives what the real hypervisor gave`, async (t) => {
    const cases = LONG ? await replay([group]) : (await publicCases()).filter((one) => one.group === group);
    assert.ok(cases.length > 0, "the group has no cases");
    const differences = DIFFERENCES.filter((difference) => difference.group === group).flatMap((difference) => difference.cases);
    for (const { name, ok, why } of cases) {
      await t.step(name, () => {
        if (differences.includes(name)) assert.ok(!ok, "passes now: take it out of differences.ts");
        else assert.ok(ok, why);
      });
    }
  });
}

if (LONG) {
  for (const group of new Set(DIFFERENCES.filter(({ kind }) => kind === "cpu").map(({ group }) => group))) {
    Deno.test(`on the CPU of the recordings ${group} differs in what that CPU lacks alone`, async () => {
      const reports = await replay([group], false, "recorded");
      const expected = DIFFERENCES.filter((one) => one.group === group && !one.onRecorded).flatMap(({ cases }) => cases);
      assert.deepEqual(reports.filter(({ ok }) => !ok).map(({ name }) => name).sort(), expected.sort());
    });
  }
  for (const group of new Set(DIFFERENCES.filter(({ quirk }) => quirk).map(({ group }) => group))) {
    Deno.test(`with quirks as observed ${group} differs in features of the CPU alone`, async () => {
      const reports = await replay([group], true);
      const expected = DIFFERENCES.filter((one) => one.group === group && !one.quirk).flatMap(({ cases }) => cases);
      assert.deepEqual(reports.filter(({ ok }) => !ok).map(({ name }) => name).sort(), [...expected].sort());
      assert.ok(reports.length > expected.length, "the group has no cases");
    });
  }
}

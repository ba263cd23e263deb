// Test runs in parts: the division, and `el2 test merge`.

import assert from "node:assert/strict";
import fc from "fast-check";
import { inProcess } from "../../in-process.ts";
import { el2 } from "../../program.ts";
import { durationsOf } from "../../../../../src/app/cli/commands/scenarios/test-junit.ts";
import { shardOf } from "../../../../../src/app/cli/commands/scenarios/test-shard.ts";
import { el2Command } from "../../../../support/el2.ts";
import { cpuTime } from "../../../../support/cpu-time.ts";

const BUG = `el2_test = 1\n[[step]]\nboot = "demo"\n[[step]]\nexpect_console = "never"\nof = "ping"\nwithin = "1ms"\n`;
const GOOD = BUG.replace('"never"', '"."').replace("1ms", "1s");

Deno.test("the parts of a run are all its files, once each, and none has more than the mean and the longest file", () => {
  const names = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 40 });
  fc.assert(
    fc.property(
      names,
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 40, maxLength: 40 }),
      (files, count, times) => {
        const durations = new Map(files.map((file, place) => [file, times[place]]));
        const parts = Array.from({ length: count }, (_, index) => shardOf(files, index + 1, count, durations));
        assert.deepEqual(parts.flat().sort(), [...files].sort());
        const loads = parts.map((part) => part.reduce((sum, file) => sum + durations.get(file)!, 0));
        const total = loads.reduce((sum, load) => sum + load, 0);
        assert.ok(Math.max(...loads) <= total / count + Math.max(0, ...durations.values()), `${loads}`);
        for (const part of parts) assert.deepEqual(part, files.filter((file) => part.includes(file)), "in the order given");
      },
    ),
    { seed: 19, numRuns: 200 },
  );
});

Deno.test("files without a duration count as the mean, and without any the parts have equal numbers of files", () => {
  const files = ["a", "b", "c", "d", "e", "f"];
  assert.deepEqual([1, 2, 3].map((index) => shardOf(files, index, 3, new Map()).length), [2, 2, 2]);
  const durations = new Map([["a", 90], ["b", 30]]);
  assert.deepEqual(shardOf(["a", "b", "new"], 1, 2, durations), ["a"]);
  assert.deepEqual(shardOf(["a", "b", "new"], 2, 2, durations), ["b", "new"]);
});

Deno.test("three parts, one of which is killed and run again, merge into one report with its recordings", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const files = ["bug", "good", "slow"].map((name) => `${folder}/${name}.test.toml`);
    const [bug, good, slow] = files;
    await Deno.writeTextFile(bug, BUG);
    await Deno.writeTextFile(good, GOOD);
    await Deno.writeTextFile(slow, GOOD.replace('"."', '"never"').replace("1s", "3600s"));
    const part = (index: number) => ["test", ...files, "--shard", `${index}/3`, "--results", `${folder}/${index}`];
    const merge = (...more: string[]) => el2("test", "merge", ...[3, 1, 2].map((index) => `${folder}/${index}`), ...more);

    // The third part has a run of an hour, and results of a run before.
    await Deno.mkdir(`${folder}/3`);
    await Deno.writeTextFile(`${folder}/3/shard.json`, "{}");
    const [program, ...args] = el2Command(...part(3));
    const killed = new Deno.Command(program, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
    const reader = killed.stdout.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /^TAP version 14/);
    const results = await Promise.all([el2(...part(1)), el2(...part(2))]);
    assert.deepEqual(results.map(({ code }) => code), [1, 0], results[0].stderr + results[1].stderr);
    killed.kill("SIGKILL");
    await killed.status;
    await reader.cancel();

    const incomplete = await merge();
    assert.equal(incomplete.code, 1);
    assert.match(incomplete.stderr, /^el2: no results of part 3\/3; run it again with --shard 3\/3 and the same files$/m);
    assert.match(incomplete.stdout, /^1\.\.4$/m);

    await Deno.writeTextFile(slow, GOOD);
    const again = await el2(...part(3));
    assert.equal(again.code, 0, again.stderr);
    const whole = await merge("--junit", `${folder}/all.xml`, "--recordings", `${folder}/failed`);
    assert.equal(whole.code, 1, "a step failed");
    assert.equal(whole.stderr, "");
    const lines = whole.stdout.split("\n").filter((line) => /^(not )?ok/.test(line)).map((line) => line.replace(/:.*/, ""));
    assert.deepEqual(lines, ["ok 1 - bug", "not ok 2 - bug", "ok 3 - good", "ok 4 - good", "ok 5 - slow", "ok 6 - slow"]);
    assert.ok(whole.stdout.includes(`replay: "el2 replay ${folder}/failed/bug.rec --verify"`), whole.stdout);
    assert.match(
      (await el2("replay", `${folder}/failed/bug.rec`, "--verify")).stderr,
      /identical to the recording \(state hashes compared: \d+\)/,
    );
    const junit = await Deno.readTextFile(`${folder}/all.xml`);
    assert.equal(junit.match(/<testsuite /g)?.length, 3);

    // The next run is balanced by this report.
    const next = await el2("test", ...files, "--shard", "1/3", "--durations", `${folder}/all.xml`, "--json", "--recordings", folder);
    assert.equal(next.stdout.trim().split("\n").length, 1, next.stderr);
    // A part of another run does not mix with these.
    await el2("test", good, "--results", `${folder}/other`);
    const mixed = await merge(`${folder}/other`);
    assert.equal(mixed.code, 2);
    assert.match(mixed.stderr, /other: a part of another run: it has other files, or another number of parts/);
    const twice = await merge(`${folder}/1`);
    assert.match(twice.stderr, /part 1\/3 is there twice/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a file that is not a part, report or result is refused by name", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const shard of ["0/3", "4/3", "x", "1/0"]) {
      const { code, stderr } = await el2("test", "x.toml", "--shard", shard);
      assert.equal(code, 2);
      assert.match(stderr, /is not a part; use I\/N with I from 1 to N, such as 2\/3/);
    }
    await Deno.writeTextFile(`${folder}/shard.json`, "{}");
    assert.match((await el2("test", "x.toml", "--durations", `${folder}/shard.json`)).stderr, /not a report of test --junit/);
    assert.match((await el2("test", "merge", folder)).stderr, /not results of this version of test --results; run this part again/);
    assert.match(
      (await el2("test", "merge", `${folder}/none`)).stderr,
      /^el2: no results in .*none; el2 test '\*\.test\.toml' --results .* writes them/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Results as an attacker writes them: of one part, in which a step of `a.test.toml` failed. */
const SHARD = {
  schema: "el2.shard/1",
  index: 1,
  count: 1,
  files: ["a.test.toml"],
  results: [{
    scenario: { name: "a", file: "a.test.toml" },
    seed: 1,
    ok: false,
    elapsed: 1,
    recording: "r/a.rec",
    steps: [{ step: { line: 2 }, text: "boot", result: "failed", at: 1, message: "m", details: ["d"] }],
  }],
};

Deno.test("results of others: a link instead of a recording is not followed, and numbers and names are those of a run", async () => {
  const root = await Deno.makeTempDir();
  try {
    const part = `${root}/part`, copied = `${root}/copied`;
    await Deno.mkdir(part);
    await Deno.writeTextFile(`${root}/secret`, "secret");
    const merge = async (shard: unknown) => {
      await Deno.writeTextFile(`${part}/shard.json`, typeof shard === "string" ? shard : JSON.stringify(shard));
      return await inProcess(["test", "merge", part, "--recordings", copied], {});
    };
    await Deno.symlink(`${root}/secret`, `${part}/a.rec`);
    const linked = await merge(SHARD);
    assert.equal(linked.code, 1);
    assert.match(linked.stderr, /a\.rec: is not a regular file/);
    await assert.rejects(Deno.stat(copied), Deno.errors.NotFound);
    await Deno.remove(`${part}/a.rec`);
    await Deno.writeTextFile(`${part}/a.rec`, "recording");
    assert.match((await merge(SHARD)).stdout, /^not ok 1 - a: boot$/m);
    assert.equal(await Deno.readTextFile(`${copied}/a.rec`), "recording");

    const [result] = SHARD.results;
    const refused: Readonly<Record<string, unknown>> = {
      "parts without end": { ...SHARD, count: 2 ** 40 },
      "a part after the last one": { ...SHARD, index: 2 },
      "a scenario of no file": { ...SHARD, files: ["b.test.toml"] },
      "a scenario that is well though a step failed": { ...SHARD, results: [{ ...result, ok: true }] },
      "a recording in another folder, on Windows": { ...SHARD, results: [{ ...result, recording: "..\\..\\" }] },
      "a recording without a name": { ...SHARD, results: [{ ...result, recording: "r/.." }] },
      "deep JSON": "[".repeat(100_000) + "]".repeat(100_000),
    };
    for (const [what, shard] of Object.entries(refused)) {
      const { code, stderr } = await merge(shard);
      assert.equal(code, 2, `${what}: ${stderr}`);
      assert.match(stderr, /not results of this version of test --results/, what);
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("a report gives its durations in linear time, whoever wrote it, and only numbers", () => {
  const report = (suite: string) => `<testsuites>\n${suite}</testsuites>\n`;
  const suite = (time: string) =>
    `<testsuite name="a" tests="1" time="${time}">\n<testcase classname="a" file="a&quot;.toml" line="1" time="0.5"/>\n</testsuite>\n`;
  assert.deepEqual(durationsOf(report(suite("2.500"))), new Map([['a".toml', 2.5]]));
  for (const time of ["1.2.3", "1e999", "-1", "", "NaN"]) assert.deepEqual(durationsOf(report(suite(time))), new Map(), time);
  const begun = cpuTime();
  assert.deepEqual(durationsOf(report('<testsuite time="1">'.repeat(200_000))), new Map());
  assert.deepEqual(durationsOf(report("<testsuite ".repeat(200_000))), new Map());
  assert.deepEqual(durationsOf(report(`<testsuite ${" time=".repeat(200_000)}`)), new Map());
  const took = cpuTime() - begun;
  assert.ok(took < 5000, `${took} ms of CPU time`);
});

Deno.test("a report is XML whatever a guest has printed", async () => {
  const root = await Deno.makeTempDir();
  try {
    const [result] = SHARD.results;
    const message = "\0\x1b\ufffe\uffff\ud800]]><&\"'";
    const results = [{ ...result, recording: undefined, steps: [{ ...result.steps[0], message, details: [message] }] }];
    await Deno.writeTextFile(`${root}/shard.json`, JSON.stringify({ ...SHARD, results }));
    await inProcess(["test", "merge", root, "--junit", `${root}/all.xml`], {});
    const text = await Deno.readTextFile(`${root}/all.xml`);
    // The characters of XML 1.0 (section 2.2), and no markup but ours.
    assert.match(text, /^[\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u);
    assert.equal(text.match(/</g)!.length, 12);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

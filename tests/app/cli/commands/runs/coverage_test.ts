import assert from "node:assert/strict";
import { inFolder } from "../../../../support/temporary-folder.ts";
import { el2 } from "../../program.ts";
import { Place } from "../../place.ts";
import { DEMO } from "../recordings.ts";
import { job as stacks } from "../../../../../src/session/batch/stacks.ts";
import { plannedRecording } from "../../../../../src/app/cli/start/plans/saved-plans.ts";

const rowsOf = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

Deno.test("el2 coverage and el2 profile count a recording, the same each time, and add up several", () =>
  inFolder(async (folder) => {
    const [a, b] = [`${folder}/a.rec`, `${folder}/b.rec`];
    for (const [file, time] of [[a, "20ms"], [b, "40ms"]]) {
      assert.equal((await el2("run", "--record", file, DEMO, "--headless", "--turbo", "--for", time)).code, 0);
    }
    const coverage = async (...args: string[]) => {
      const { code, stdout, stderr } = await el2("coverage", ...args, "--json");
      assert.equal(code, 0, stderr);
      return rowsOf(stdout);
    };
    const drcov = `${folder}/a.drcov`;
    const one = await coverage(a), two = await coverage(b), both = await coverage(a, b, "--drcov", drcov);
    assert.deepEqual(
      one.map(({ schema, vm, file }) => [schema, vm, file]),
      ["hello", "ping", "pong"].map((vm) => ["el2.coverage/1", vm, null]),
    );
    for (const [index, { insn, functions, functions_hit: hit }] of both.entries()) {
      assert.equal(Number(insn), Number(one[index].insn) + Number(two[index].insn));
      assert.equal(hit, Math.max(one[index].functions_hit, two[index].functions_hit));
      assert.ok(hit > 10 && hit < functions, `${hit} of ${functions}`);
    }
    assert.match(
      new TextDecoder("latin1").decode(await Deno.readFile(drcov)),
      /^DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: .*, pong\nBB Table: \d+ bbs\n/s,
    );

    const profile = async (...args: string[]) => {
      const { code, stdout, stderr } = await el2("profile", ...args);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    const functions = await profile(a, "--json", "--limit", "1000");
    assert.equal(await profile(a, "--json", "--limit", "1000"), functions);
    const rows = rowsOf(functions), sum = rows.reduce((all, { insn }) => all + Number(insn), 0);
    assert.equal(sum, one.reduce((all, { insn }) => all + Number(insn), 0));
    assert.ok(rows.some(({ vm, name, calls }) => vm === "ping" && name === "ball_send" && Number(calls) > 0), functions);
    const named = rows.filter(({ name }) => name !== "?").reduce((all, { insn }) => all + Number(insn), 0);
    assert.equal(named, sum, "every instruction of the demo is in a function");

    const lines = await el2("profile", "--by", "line", a), lacks = "no VM has debug information, so there are no lines; give an ELF file";
    assert.ok(lines.code === 0 && lines.stderr.startsWith(`el2: profile: ${lacks}`), lines.stderr);

    // A short run is sampled more often, unless that is given.
    const counts = [[], ["--every", "1ms"]].map(async (every) =>
      Number(/^el2: (\d+) samples/m.exec((await el2("profile", a, "--stacks", `${folder}/short.txt`, ...every)).stderr)?.[1])
    );
    const [chosen, given] = await Promise.all(counts);
    assert.ok(chosen >= 100 && given < 100, `${chosen} and ${given}`);
    const graph = `${folder}/a.svg`, sampled = await el2("profile", a, "--stacks", graph, "--every", "1us");
    assert.match(sampled.stderr, /^el2: \d+ samples of \d+ call stacks in .*a\.svg$/m);
    assert.match(await Deno.readTextFile(graph), /<title>guest_main: \d+ samples, /);

    const recording = await plannedRecording(b), told: number[] = [];
    stacks({ recordings: [recording, recording], every: 1000 }, { say: (instructions) => void told.push(instructions) });
    const end = recording.end?.end.instructions ?? 0, last = told.at(-1) ?? 0;
    assert.deepEqual(told, told.toSorted((one, other) => one - other), "the progress of all recordings together");
    assert.ok(last > end && last <= 2 * end, `${last} of 2 * ${end}`);

    for (const words of [["coverage"], ["profile", "--by", "vm"], ["profile", "--stacks", `${folder}/b.svg`]]) {
      const wrong = await el2(...words, a, "--vm", "pig");
      assert.equal(wrong.code, 1);
      assert.equal(
        wrong.stderr,
        'el2: no VM called "pig"; did you mean "ping"? Use one of hello, ping, pong\n',
        "before anything is counted",
      );
    }
    const idle = await el2("coverage", a, "--vm", "host");
    assert.match(idle.stderr, /no VM called "host" executed anything that counts; use one of/);
    assert.equal((await el2("profile", a, "--session", "x")).code, 2);
  }));

Deno.test("el2 coverage and el2 profile count the run of a session so far, and the session runs on", async () => {
  await using place = new Place();
  await place.up("one");
  for (const [least, ...words] of [[1000, "coverage"], [10, "profile", "--by", "hypercall"]] as const) {
    const { code, stdout, stderr } = await place.el2(...words, "--session", "one", "--json");
    assert.equal(code, 0, stderr);
    assert.ok(rowsOf(stdout).some(({ vm, insn, count }) => vm === "ping" && Number(insn ?? count) > least), stdout);
  }
  assert.equal((await place.el2("profile", "--by", "wait", "--stacks", "x.svg")).code, 2);
  assert.ok((await place.json("vm", "ls")).data.some(({ id }) => id === "vm:ping"));
});

// How the tests are spread over processes (scripts/test.ts), and the summary of them all.

import assert from "node:assert/strict";
import { PassedBatches, treeOf } from "../../scripts/passed-batches.ts";
import { batches, fullBatches, hasFullNumbers, run, testFiles } from "../../scripts/test.ts";
import { readSummary, summaryLine } from "../../scripts/test-summary.ts";
import { inFolder } from "../support/temporary-folder.ts";

Deno.test("batches: every file once, as many as a process takes, the longest folders first", () => {
  const files = Array.from({ length: 40 }, (_, i) => `tests/core/${i}_test.ts`);
  files.push("tests/layers_test.ts", "tests/cli/commands/diagnose_test.ts", "tests/cli/soak_test.ts");
  const all = batches(files, 20);
  assert.deepEqual(all.flat().toSorted(), files.toSorted());
  assert.deepEqual(all[0].slice(0, 2), ["tests/cli/commands/diagnose_test.ts", "tests/cli/soak_test.ts"]);
  assert.deepEqual(all.map(({ length }) => length), [20, 20, 3]);
});

Deno.test("files with full numbers start before all others, each in its own process", () => {
  const files = testFiles("tests"), all = fullBatches(files);
  assert.deepEqual(all.flat().toSorted(), files.toSorted());
  const full = all.filter((batch) => batch.some(hasFullNumbers));
  assert.deepEqual(all.slice(0, full.length), full);
  assert.ok(full.length > 0 && full.every((batch) => batch.length === 1));
  assert.match(full[0][0], /^tests\/suites\//);
});

Deno.test("an interrupted run with the full numbers continues on the same tree; after a whole run the next starts from the beginning", async () => {
  await inFolder(async (folder) => {
    const git = async (...args: string[]) => {
      const identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
      const { success } = await new Deno.Command("git", { args: ["-C", folder, ...identity, ...args], stdout: "null", stderr: "null" })
        .output();
      assert.ok(success, args.join(" "));
    };
    assert.equal(await treeOf(folder), undefined);
    await git("init", "-q");
    Deno.writeTextFileSync(`${folder}/.gitignore`, "passed.json\n");
    await git("add", ".");
    await git("commit", "-q", "-m", "a");
    const tree = await treeOf(folder), path = `${folder}/passed.json`;
    assert.ok(tree);
    const counts = { passed: 3, steps: 1, failed: 0, ignored: 2 };
    new PassedBatches(path, tree).add(["a_test.ts", "b_test.ts"], counts);
    assert.equal(await treeOf(folder), tree);
    const again = new PassedBatches(path, tree);
    assert.deepEqual([again.size, again.of(["a_test.ts", "b_test.ts"]), again.of(["a_test.ts"])], [1, counts, undefined]);
    again.clear();
    assert.equal(new PassedBatches(path, tree).size, 0);
    again.add(["a_test.ts"], counts);
    Deno.writeTextFileSync(`${folder}/new`, "");
    assert.equal(await treeOf(folder), undefined);
    await git("add", ".");
    await git("commit", "-q", "-m", "b");
    const other = await treeOf(folder);
    assert.ok(other && other !== tree);
    assert.equal(new PassedBatches(path, other).size, 0);
  });
});

Deno.test("summaries of several processes become one line of the form that deno test prints", () => {
  const first = readSummary("running 1 test\nok | 12 passed (3 steps) | 0 failed (57s)\n");
  const second = readSummary("FAILED | 1 passed | 2 failed | 3 ignored (1m2s)\n");
  assert.deepEqual(first, { passed: 12, steps: 3, failed: 0, ignored: 0 });
  assert.deepEqual(second, { passed: 1, steps: 0, failed: 2, ignored: 3 });
  assert.ok(first && second);
  const line = summaryLine([first, second], false, 61.6);
  assert.equal(line, "FAILED | 13 passed (3 steps) | 2 failed | 3 ignored (1m2s)");
  assert.deepEqual(readSummary(line), { passed: 13, steps: 3, failed: 2, ignored: 3 });
  assert.equal(readSummary("running 1 test\n"), undefined);
});

Deno.test("a process that prints nothing any more is ended with those it started, and its list says so", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const file = `${folder}/stuck_test.ts`;
    await Deno.writeTextFile(
      file,
      `Deno.test("stuck", async () => void await new Deno.Command("tail", { args: ["-f", ${JSON.stringify(file)}] }).output());`,
    );
    // On a busy computer the process may be ended before its test begins.
    let seconds = 2, outcome = await run([file], seconds * 1000);
    for (; seconds < 200 && !/stuck \.\.\./.test(outcome.errors); outcome = await run([file], seconds * 1000)) seconds *= 2;
    const { failed, succeeded, errors, stuck } = outcome;
    assert.deepEqual([failed, succeeded, stuck], [1, false, true]);
    assert.match(
      errors,
      /: printed nothing for \d+ s while these ran:\n(.*main\.ts .*\n)*.* test .*stuck_test\.ts(\n.*)*\nIts last lines:\n.*(\n.*)?stuck \.\.\./,
    );
    // A process that was killed is listed until it is gone.
    const isListed = async () => {
      const { stdout } = await new Deno.Command("ps", { args: ["-eww", "-o", "args"] }).output();
      return /tail -f .*stuck_test\.ts/.test(new TextDecoder().decode(stdout));
    };
    for (const end = performance.now() + 60_000; await isListed();) assert.ok(performance.now() < end, "tail is left");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a process is ended although Deno prints now and then that a test still runs", async () => {
  await inFolder(async (folder) => {
    const file = `${folder}/slow_test.ts`;
    // As Deno does, but more often, and only for a while.
    await Deno.writeTextFile(
      file,
      `Deno.test("slow", async () => {
        const timer = setInterval(() => console.log("'slow' has been running for over (1m0s)"), 200);
        await new Promise((resolve) => setTimeout(resolve, 20_000));
        clearInterval(timer);
      });`,
    );
    assert.ok((await run([file], 4000)).stuck);
  });
});

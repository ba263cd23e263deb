// How the tests are spread over processes (scripts/test.ts): none is left out.

import assert from "node:assert/strict";
import { PassedBatches, treeOf } from "../../scripts/passed-batches.ts";
import { batches, fullBatches, hasFullNumbers, testFiles } from "../../scripts/test.ts";
import { inFolder } from "../support/temporary-folder.ts";

Deno.test("batches: every file once, as many as a process takes, the longest folders first", () => {
  const files = Array.from({ length: 40 }, (_, i) => `tests/cpu/core/${i}_test.ts`);
  files.push("tests/layers_test.ts", "tests/app/cli/commands/session/diagnose_test.ts", "tests/app/cli/soak_test.ts");
  const all = batches(files, 20);
  assert.deepEqual(all.flat().toSorted(), files.toSorted());
  assert.deepEqual(all[0].slice(0, 2), ["tests/app/cli/commands/session/diagnose_test.ts", "tests/app/cli/soak_test.ts"]);
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

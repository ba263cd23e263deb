import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { keepChapter, keptChapter } from "../../../../../src/app/cli/start/screens/tour-progress.ts";
import { CHAPTERS } from "../../../../../src/app/tui/app/guide/guide-chapters.ts";

Deno.test("tour --list prints the chapters", async () => {
  const { code, stdout } = await el2("tour", "--list");
  assert.equal(code, 0);
  assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]), CHAPTERS.map(({ name }) => name));
  assert.equal((await el2("tour", "past", "--list")).stdout.split("\n").length, 2);
});

Deno.test("tour without a terminal, and of a chapter that is none, says what there is", async () => {
  const refused = await el2("tour");
  assert.equal(refused.code, 2);
  assert.equal(refused.stderr, "el2: tour needs a terminal; without one: el2 tour --list, and docs/tutorials\n");
  const unknown = await el2("tour", "pats");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no chapter called "pats"; did you mean "?past"?/);
});

Deno.test("the chapter that was left is kept; at the end of the tour none is", async () => {
  const folder = await Deno.makeTempDir(), before = Deno.env.get("XDG_STATE_HOME");
  try {
    Deno.env.set("XDG_STATE_HOME", folder);
    assert.equal(keptChapter(), undefined);
    keepChapter("memory");
    assert.equal(keptChapter(), "memory");
    keepChapter(undefined);
    assert.equal(keptChapter(), undefined);
    // A folder that others can write to says nothing.
    keepChapter("memory");
    await Deno.chmod(`${folder}/el2/ui`, 0o777);
    assert.equal(keptChapter(), undefined);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
    await Deno.remove(folder, { recursive: true });
  }
});

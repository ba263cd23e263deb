// docs/promises.md, and the sentences of docs/architecture.md about what is absent: each names an
// existing test or command.

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);
const PAGE = Deno.readTextFileSync(new URL("docs/promises.md", ROOT));
const ARCHITECTURE = Deno.readTextFileSync(new URL("docs/architecture.md", ROOT));

/** The third cell of each row: what holds the promise. */
const HOLDERS = PAGE.split("\n").filter((line) => /^\| (?!Promise|-)/.test(line)).map((line) =>
  line.split(" | ").slice(2, -1).join(" | ").trim()
);
/** The last cell of each sentence about what is absent. */
const ABSENT = [...ARCHITECTURE.matchAll(/^\| (?:No|Nothing|Nobody)\b.*\| (`tests\/.*?) +\|$/gm)].map(([, holder]) => holder);

/**
 * The names of a file's tests; a part that varies is `…`. Those of build products, and of the full
 * numbers, have helpers.
 */
function testNames(source: string): string[] {
  return [...source.matchAll(/(?:Deno\.test|longTest|artefact|longArtefact)\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`)/g)]
    .map((
      [, double, single, template],
    ) => template === undefined ? (double ?? single).replaceAll(/\\(.)/g, "$1") : template.replaceAll(/\$\{[^}]*\}/g, "…"));
}

Deno.test("the names of a file's tests are found, with an ellipsis for what varies", () => {
  const source = ['Deno.test("a \\"b\\"", () => {});', "Deno.test(`of ${what} c`, () => {});", 'Deno.test(\n  "d",\n);', 'test("e")'].join(
    "\n",
  );
  assert.deepEqual(testNames(source), ['a "b"', "of … c", "d"]);
});

Deno.test("every promise, and each of the ten sentences about what is absent, names a test that exists, or a command of the repository", async () => {
  const tasks = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))).tasks as Record<string, unknown>;
  const bench = await Deno.readTextFile(new URL("bench/main.ts", ROOT));
  assert.ok(HOLDERS.length > 0);
  assert.equal(ABSENT.length, 10);
  const missing: string[] = [];
  for (const holder of [...HOLDERS, ...ABSENT]) {
    const command = /^`deno task (\w+) (\w+)`$/.exec(holder);
    if (command) {
      assert.ok(tasks[command[1]], holder);
      assert.match(bench, new RegExp(`^  "?${command[2]}"?: `, "m"), holder);
      continue;
    }
    const test = /^`(tests\/[\w./-]+)`: (.*)$/.exec(holder);
    assert.ok(test, `neither test nor command: ${holder}`);
    const names = testNames(await Deno.readTextFile(new URL(test[1], ROOT)));
    if (!names.includes(test[2])) missing.push(`${test[1]} has no test ${JSON.stringify(test[2])}`);
  }
  assert.deepEqual(missing, []);
});

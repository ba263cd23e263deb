// The wording of what people read: no document has a phrase of tests/support/wording.ts.

import assert from "node:assert/strict";
import { PATTERNS, proseOf, wordingFindings } from "../support/wording.ts";

const ROOT = new URL("../../", import.meta.url);

function* documents(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* documents(`${folder}${name}/`);
    else if (name.endsWith(".md")) yield folder + name;
  }
}

/** The pages of docs/reference are generated: their texts are those of the help and the tables. */
const ELSEWHERE = ["docs/reference/", "docs/spec/", "docs/design/"];

const PAGES = ["README.md", "CONTRIBUTING.md", ...["docs/", "assets/", "tests/conformance/"].flatMap((folder) => [...documents(folder)])]
  .filter((path) => !ELSEWHERE.some((folder) => path.startsWith(folder)));

Deno.test("no document has a phrase that its readers should not have to read", () => {
  const findings: string[] = [];
  for (const page of PAGES) {
    for (const { text, line } of proseOf(Deno.readTextFileSync(new URL(page, ROOT)))) {
      // The cells of promises that name a test have its name, letter for letter.
      if (page === "docs/promises.md" && text.startsWith("`code`: ")) continue;
      for (const { phrase, advice } of wordingFindings(text)) findings.push(`${page}:${line}: "${phrase}": write: ${advice}`);
    }
  }
  assert.deepEqual(findings, []);
});

Deno.test("each pattern of wording finds its phrase, and nothing in a text that comes close", () => {
  for (const { pattern, bad, good } of PATTERNS) {
    assert.match(bad, pattern);
    assert.doesNotMatch(good, pattern);
  }
});

Deno.test("the prose of a document is its paragraphs, list items, headings and cells in one line each", () => {
  const text = [
    "# Title",
    "",
    "A line",
    "and `code` of [it](target.md).",
    "- item",
    "  continued",
    "",
    "| a | b |",
    "",
    "```sh",
    "no prose",
    "```",
    "",
    "    code",
  ].join("\n");
  assert.deepEqual(proseOf(text).filter(({ text }) => text !== ""), [
    { text: "Title", line: 1 },
    { text: "A line and `code` of it.", line: 3 },
    { text: "item continued", line: 5 },
    { text: "a", line: 8 },
    { text: "b", line: 8 },
  ]);
});

// The wording of what people read: no document has a phrase of tests/support/wording.ts.

import assert from "node:assert/strict";
import { makeProgram } from "../../src/cli/main.ts";
import { DOCUMENTS } from "../../src/queries/documents.ts";
import type { Table } from "../../src/queries/table.ts";
import { TABLES } from "../../src/queries/tables.ts";
import { PATTERNS, proseOf, wordingFindings } from "../support/wording.ts";

const ROOT = new URL("../../", import.meta.url);

function* documents(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    if (isDirectory) yield* documents(`${folder}${name}/`);
    else if (name.endsWith(".md")) yield folder + name;
  }
}

/** The pages of docs/reference are generated: their texts are those of the help and the tables. */
const GENERATED = "docs/reference/";

const PAGES = ["README.md", "CONTRIBUTING.md", ...["docs/", "assets/", "tests/conformance/"].flatMap((folder) => [...documents(folder)])]
  .filter((path) => !path.startsWith(GENERATED));

Deno.test("no document has a phrase that its readers should not have to read", () => {
  const findings: string[] = [];
  for (const page of PAGES) {
    for (const { text, line } of proseOf(Deno.readTextFileSync(new URL(page, ROOT)))) {
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

/** What is used of a command, whatever its types. */
interface Helped {
  readonly commands: readonly Helped[];
  name(): string;
  configureOutput(to: { writeOut(text: string): void }): void;
  outputHelp(): void;
}

/** The help of a command and of those below it, paragraph by paragraph in one line each. */
function* helpTexts(command: Helped, path: readonly string[]): Generator<{ from: string; text: string }> {
  let text = "";
  command.configureOutput({ writeOut: (part) => text += part });
  command.outputHelp();
  // A line that is indented by more than an option's name continues the description before it.
  for (const line of text.replaceAll(/\n {10,}/g, " ").split("\n")) yield { from: `el2 ${path.join(" ")} --help`, text: line.trim() };
  for (const child of command.commands) yield* helpTexts(child, [...path, child.name()]);
}

Deno.test("no help of a command has a phrase that its readers should not have to read", () => {
  const program = makeProgram(new URL(import.meta.url), () => {}) as unknown as Helped;
  const findings = [...helpTexts(program, [])].flatMap(({ from, text }) =>
    wordingFindings(text).map(({ phrase, advice }) => `${from}: ${text}: "${phrase}": write: ${advice}`)
  );
  assert.deepEqual(findings, []);
});

Deno.test("no description of a row, a document or their fields has a phrase that its readers should not have to read", () => {
  const tables = (Object.values(TABLES) as Table[]).flatMap((table) => [
    table.doc,
    table.empty,
    ...Object.values(table.columns).map(({ doc }) => doc),
  ]);
  const documents = DOCUMENTS.flatMap(({ doc, fields }) => [doc, ...Object.values(fields).map((field) => field.doc)]);
  const findings = [...tables, ...documents].flatMap((text) => wordingFindings(text).map(({ phrase }) => `${text}: "${phrase}"`));
  assert.deepEqual(findings, []);
});

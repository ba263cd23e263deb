// The wording of all prose: documents, help, tables, comments, and every text of
// the program have no phrase of tests/support/wording.ts.

import assert from "node:assert/strict";
import { makeProgram } from "../../src/app/cli/main.ts";
import { DOCUMENTS } from "../../src/model/queries/documents.ts";
import type { Table } from "../../src/model/queries/table.ts";
import { TABLES } from "../../src/model/queries/tables.ts";
import { repositoryFiles, ROOT } from "../support/files.ts";
import { comments, stringLiterals } from "../../scripts/structure/source-texts.ts";
import { COMMENT_PATTERNS, PATTERNS, proseOf, withoutCode, wordingFindings } from "../support/wording.ts";

/** The pages of docs/reference are generated: their texts are those of the help and the tables. */
const GENERATED = "docs/reference/";

const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...["docs/", "assets/", "bench/", "examples/", "tests/"].flatMap((folder) => [...repositoryFiles(folder, ".md")]),
]
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
  for (const { pattern, bad, good } of [...PATTERNS, ...COMMENT_PATTERNS]) {
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

Deno.test("no default in --help is a number of nanoseconds, a list or an object", () => {
  const program = makeProgram(new URL(import.meta.url), () => {}) as unknown as Helped;
  const wrong = [...helpTexts(program, [])].filter(({ text }) => /default: (?:\d{5,}|\[|\{|false)/.test(text));
  assert.deepEqual(wrong, []);
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

/** Programs in other languages, which are text here. */
const OTHER_LANGUAGES: ReadonlySet<string> = new Set(["src/session/export/dissector.ts"]);

Deno.test("no message, label, description or reason in src/ has a phrase that its readers should not have to read", () => {
  const findings: string[] = [], otherwise = new Set<string>();
  let count = 0;
  for (const file of repositoryFiles("src/", ".ts")) {
    for (const { text, line } of stringLiterals(Deno.readTextFileSync(new URL(file, ROOT)))) {
      // One word is a name or a key, not a phrase.
      if (!text.trim().includes(" ")) continue;
      count++;
      for (const part of text.split("\n")) {
        for (const { phrase, advice } of wordingFindings(part.trim())) {
          if (OTHER_LANGUAGES.has(file)) otherwise.add(file);
          else findings.push(`${file}:${line}: "${phrase}": write: ${advice}`);
        }
      }
    }
  }
  assert.ok(count > 0);
  assert.deepEqual(findings, []);
  assert.deepEqual([...OTHER_LANGUAGES].filter((file) => !otherwise.has(file)), [], "no longer needed");
});

/** Sources whose comments are read. */
const COMMENTED = [
  "main.ts",
  "mod.ts",
  ...["src/", "bench/", "scripts/", "tests/"].flatMap((folder) => [...repositoryFiles(folder, ".ts")]),
];

/** Paragraphs that quote phrases, in the patterns and their tests. */
const QUOTING: ReadonlySet<string> = new Set(["tests/support/wording.ts", "tests/house/wording_test.ts"]);

Deno.test("no comment has a phrase that its readers should not have to read", () => {
  const findings: string[] = [], quoting = new Set<string>();
  let count = 0;
  for (const file of COMMENTED) {
    for (const { paragraphs, line } of comments(Deno.readTextFileSync(new URL(file, ROOT)))) {
      count++;
      for (
        const { phrase, advice } of paragraphs.flatMap((text) => wordingFindings(withoutCode(text), [...PATTERNS, ...COMMENT_PATTERNS]))
      ) {
        if (QUOTING.has(file)) quoting.add(file);
        else findings.push(`${file}:${line}: "${phrase}": write: ${advice}`);
      }
    }
  }
  assert.ok(count > 0);
  assert.deepEqual(findings, []);
  assert.deepEqual([...QUOTING].filter((file) => !quoting.has(file)), [], "no longer needed");
});

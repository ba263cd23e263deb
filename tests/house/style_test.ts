// The style that the formatter does not hold: comments have at most 100 columns, docstrings say
// more than names do, and files are named in one way.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";

const FOLDERS = ["assets", "bench", "docs", "examples", "scripts", "src", "tests"];
/** Programs; data and documents of tests are recordings of others. */
const SOURCE = /\.(?:ts|js|c|h|S|sh)$|^(?:assets|examples)\/.*\.toml$/;
const COLUMNS = 100;

const FILES = FOLDERS.flatMap((folder) => [...repositoryFiles(`${folder}/`)]);

/** Whether a line is a comment, or ends in one. Text in quotes does not count. */
function hasComment(line: string, hash: boolean): boolean {
  if (hash) return /^\s*#/.test(line);
  const code = line.replaceAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`/g, "");
  return /^\s*(?:\/\/|\/\*|\* |\*\/)/.test(code) || /\s\/\/\s|\s\/\*/.test(code);
}

Deno.test("comments, and lines that end in one, have at most 100 columns", () => {
  const long: string[] = [];
  for (const file of [...FILES, "main.ts", "mod.ts"].filter((file) => SOURCE.test(file))) {
    for (const [index, line] of Deno.readTextFileSync(new URL(file, ROOT)).split("\n").entries()) {
      if (line.length > COLUMNS && hasComment(line, /\.(?:sh|toml)$/.test(file))) long.push(`${file}:${index + 1}: ${line.length} columns`);
    }
  }
  assert.deepEqual(long, []);
});

Deno.test("a comment is found at the start and at the end of a line, and not in a text", () => {
  for (const line of ["// a", "  /** a */", " * a", "  a(); // b", "a(); /* b */"]) assert.ok(hasComment(line, false), line);
  for (const line of ['a("https://b // c");', "`// a`;", "  *a() {", "#a() {"]) assert.ok(!hasComment(line, false), line);
  assert.ok(hasComment("# a", true) && !hasComment("a # b", true));
});

/** A docstring of one line with the declaration below it. */
const DOCSTRING = new RegExp(
  "^ *\\/\\*\\* ([^`@\\n]{1,40}) \\*\\/\\n *" +
    "(?:(?:export|readonly|static|abstract|protected|private|get|set|async|function|class|interface|type|const) )*#?([A-Za-z]\\w*)",
  "gm",
);
const SMALL_WORDS = new Set("a all an each every is it its of one the this".split(" "));

/** The words of a text or an identifier in lower case, without plurals. */
function wordsOf(text: string): string[] {
  const apart = text.replaceAll("vCPU", "vcpu").replaceAll("vIRQ", "virq").replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(
    /([A-Z])([A-Z][a-z])/g,
    "$1 $2",
  );
  return [...apart.toLowerCase().matchAll(/[a-z]+|\d+/g)].map(([word]) => word.replace(/(?<=..)s$/, ""));
}

/** Docstrings that have only words of the name below them, with their lines. */
function repetitions(text: string): string[] {
  return [...text.matchAll(DOCSTRING)].flatMap(({ 1: docstring, 2: name, index }) => {
    const known = new Set(wordsOf(name)), said = wordsOf(docstring).filter((word) => !SMALL_WORDS.has(word));
    // MSR and vm_state are names of documents; the code spells them in another way.
    if (said.length === 0 || /^[A-Z0-9., ]+$|_/.test(docstring) || said.some((word) => !known.has(word))) return [];
    return [`${text.slice(0, index).split("\n").length}: ${docstring} ${name}`];
  });
}

Deno.test("no docstring only repeats the name below it", () => {
  const found = FILES.filter((file) => file.startsWith("src/") && file.endsWith(".ts")).flatMap((file) =>
    repetitions(Deno.readTextFileSync(new URL(file, ROOT))).map((one) => `${file}:${one}`)
  );
  assert.deepEqual(found, []);
});

Deno.test("a docstring with nothing but the words of its name is found; units, widths and conditions are more", () => {
  const text = `/** A column. */
export interface Column {
  /** The names of all columns. */
  readonly columnNames: readonly string[];
  /** Bytes. */
  readonly size: number;
  /** The last one. */
  get #last(): number {
  /** MSR. */
  readonly msr: 1;
}
/** The vCPU's attachments, by index. */
class VcpuAttachments {}
/** The attachments of one vCPU. */
class VcpuAttachments {}`;
  assert.deepEqual(repetitions(text), [
    ...[
      "1: A column. Column",
      "3: The names of all columns. columnNames",
      "7: The last one. last",
      "14: The attachments of one vCPU. VcpuAttachments",
    ],
  ]);
});

/** Names of files and folders: words in lower case joined by hyphens, then extensions. */
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:_test)?(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
/** Names that tools and readers expect, and the extension of assembly text that is preprocessed. */
const EXPECTED = [
  ...[/^README\.md$/, /^subjfloat_config\.h$/, /^Makefile$/, /^\.github$/, /^\.gitignore$/, /^__snapshots__$/],
  ...[/^code-probe-x86_64$/, /^[a-z0-9-]+\.S$/],
];

Deno.test("files and folders are named by words in lower case, joined by hyphens", () => {
  const names = new Set(FILES.flatMap((file) => file.split("/")));
  const others = [...names].filter((name) => !NAME.test(name));
  assert.deepEqual(others.filter((name) => !EXPECTED.some((pattern) => pattern.test(name))), []);
  assert.deepEqual(EXPECTED.filter((pattern) => !others.some((name) => pattern.test(name))), [], "no longer needed");
});

Deno.test("tests are in tests/, in files that end in _test.ts", () => {
  const wrong = FILES.filter((file) => {
    if (!file.endsWith(".ts")) return false;
    if (file.endsWith("_test.ts")) return !file.startsWith("tests/");
    return /^Deno\.test\(/m.test(Deno.readTextFileSync(new URL(file, ROOT)));
  });
  assert.deepEqual(wrong, []);
});

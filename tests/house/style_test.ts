// The style that the formatter does not hold: comments have at most 100 columns, and files are
// named in one way.

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

/** Names of files and folders: words in lower case joined by hyphens, then extensions. */
const NAME = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:_test)?(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
/** Names that tools and readers expect, and the extension of assembly text that is preprocessed. */
const EXPECTED = /^(?:README\.md|Makefile|\.github|\.gitignore|__snapshots__|.*_test\.ts\.snap|[a-z0-9-]+\.S)$/;

Deno.test("files and folders are named by words in lower case, joined by hyphens", () => {
  const names = new Set(FILES.flatMap((file) => file.split("/")));
  assert.deepEqual([...names].filter((name) => !NAME.test(name) && !EXPECTED.test(name)), []);
});

Deno.test("tests are in tests/, in files that end in _test.ts", () => {
  const wrong = FILES.filter((file) => {
    if (!file.endsWith(".ts")) return false;
    if (file.endsWith("_test.ts")) return !file.startsWith("tests/");
    return /^Deno\.test\(/m.test(Deno.readTextFileSync(new URL(file, ROOT)));
  });
  assert.deepEqual(wrong, []);
});

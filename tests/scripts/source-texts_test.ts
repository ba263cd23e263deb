import assert from "node:assert/strict";
import { comments, type Literal, regexLiterals, stringLiterals } from "../../scripts/structure/source-texts.ts";

Deno.test("string literals are found in code, in values of templates and after regular expressions, not in comments", () => {
  const source = [
    'import a from "./a.ts"; // "comment"',
    "const b = `one ${c ? 'two' : `three ${d}`} four`;",
    "/* 'comment' */ const e = /[\"/']/.test(f) ? 'it\\'s' : g / 2 / h;",
    'say("a\\nb", { i: "j" });',
    'return /"/g.exec("k")!;',
  ].join("\n");
  const shown = (found: readonly Literal[]) => found.map(({ text, line }) => ({ text, line }));
  assert.deepEqual(shown(stringLiterals(source)), [
    { text: "./a.ts", line: 1 },
    { text: "one … four", line: 2 },
    { text: "two", line: 2 },
    { text: "three …", line: 2 },
    { text: "it's", line: 3 },
    { text: "a\nb", line: 4 },
    { text: "j", line: 4 },
    { text: "k", line: 5 },
  ]);
  assert.deepEqual(shown(regexLiterals(source)), [{ text: "[\"/']", line: 3 }, { text: '"', line: 5 }]);
  const places = stringLiterals(source).map(({ from, to }) => source.slice(from, to));
  assert.deepEqual(places.slice(0, 3), ['"./a.ts"', "`one ${c ? 'two' : `three ${d}`} four`", "'two'"]);
});

Deno.test("comments are found outside of texts, lines that follow each other as one, paragraph by paragraph", () => {
  const source = [
    "// One",
    "// two.",
    "//",
    "// Three",
    'const a = "// no"; // four',
    "// five",
    "/**",
    " * Six",
    " * seven.",
    " * @param b eight",
    " *   nine",
    " */",
    "const b = /\\/\\* no/.test(`// ${1 /* ten */}`);",
  ].join("\n");
  assert.deepEqual(comments(source), [
    { line: 1, paragraphs: ["One two.", "Three"] },
    { line: 5, paragraphs: ["four"] },
    { line: 6, paragraphs: ["five"] },
    { line: 7, paragraphs: ["Six seven.", "@param b eight", "nine"] },
    { line: 13, paragraphs: ["ten"] },
  ]);
});

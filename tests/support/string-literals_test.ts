import assert from "node:assert/strict";
import { stringLiterals } from "./string-literals.ts";

Deno.test("string literals are found in code, in values of templates and after regular expressions, not in comments", () => {
  const source = [
    'import a from "./a.ts"; // "comment"',
    "const b = `one ${c ? 'two' : `three ${d}`} four`;",
    "/* 'comment' */ const e = /[\"/']/.test(f) ? 'it\\'s' : g / 2 / h;",
    'say("a\\nb", { i: "j" });',
    'return /"/g.exec("k")!;',
  ].join("\n");
  assert.deepEqual(stringLiterals(source), [
    { text: "./a.ts", line: 1 },
    { text: "one … four", line: 2 },
    { text: "two", line: 2 },
    { text: "three …", line: 2 },
    { text: "it's", line: 3 },
    { text: "a\nb", line: 4 },
    { text: "j", line: 4 },
    { text: "k", line: 5 },
  ]);
});

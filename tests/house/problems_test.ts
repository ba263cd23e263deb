// An error has its way out and its place as values from where it arises
// (src/kit/support/problem.ts): no error's text brings its way out after a semicolon, and no room
// looks for one there.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";

/** Makers of errors, and the start of a text. */
const MAKER =
  /\b(?:new (?:[A-Z]\w*Error|Failure|BadArgument|Refused|RefusedRedirect|JobRefused|NotOurs|NotSigned|NoPlace|NoCacheFolder|NoSession|WriteFailure|EndlessFile|WrongAnswer|Error)|failed|ruled|told|wrong|fail)\(\s*/
    .source;
const TEXT_WITH_WAY_OUT = new RegExp(`${MAKER}(?:"[^"\\n]*; |'[^'\\n]*; |\`[^\`\\n]*; )`, "g");
/** A semicolon that is looked for in a text. */
const LOOKED_FOR = /\.(?:lastIndexOf|indexOf|split|includes|search|match|replace)\((?:"; "|\/[^/\n]*; )/g;

/** Texts with a semicolon that has no way out after it. */
const OTHERS: readonly string[] = [
  'new Failure(`${wantedBook} has no section "${wanted}"; ',
  'new Error(`ELF entry ${hex(entry)} lies outside its segments (${shown.join("; ',
];

function found(source: string): string[] {
  return [...source.matchAll(TEXT_WITH_WAY_OUT), ...source.matchAll(LOOKED_FOR)].map(([text]) => text);
}

Deno.test("no error has its way out in its text, and none is looked for in a text", () => {
  const all = [...repositoryFiles("src/", ".ts")].flatMap((path) =>
    found(Deno.readTextFileSync(new URL(path, ROOT))).map((text) => ({ path, text }))
  );
  assert.deepEqual(all.filter(({ text }) => !OTHERS.includes(text)), []);
  const texts = new Set(all.map(({ text }) => text));
  assert.deepEqual(OTHERS.filter((text) => !texts.has(text)), [], "no longer needed");
});

Deno.test("a way out in the text of an error is found in each form, and one that is a value is not", () => {
  for (
    const line of [
      'throw new Failure("no session is running; start one with el2 up demo");',
      "throw new PlanError(`memory ${size} is too small; use ${enough}`);",
      "throw failed(\n  `no VM called ${name}; there are ${all}`,\n);",
      'errors.atKey(path, ruled("image and kernel are mutually exclusive; use one"));',
      'const wayOut = text.slice(text.lastIndexOf("; "));',
      'const [what] = message.split("; ");',
      "const what = message.replace(/; .*$/, '');",
    ]
  ) assert.equal(found(line).length, 1, line);
  for (
    const line of [
      'throw new Failure("no session is running", "start one with el2 up demo");',
      'throw failed(within(path, error), "give one; or none");',
      'all.join("; ");',
      "for (let i = 0; i < text.length; i++) {}",
    ]
  ) assert.deepEqual(found(line), [], line);
});

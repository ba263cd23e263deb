// A field that is a double from the start (`DOUBLE`, or NaN below the machine) is one only if its
// class has no parameter properties: with them the compiler moves all initial values into the
// constructor, the field is undefined before that, and V8 keeps it as a pointer. Every number that
// does not fit a small integer is then allocated.

import assert from "node:assert/strict";
import { filesBelow } from "../support/files.ts";

const FOLDER = new URL("../../src/", import.meta.url);

const FIELD = /^ {2}(#?\w+) = (?:DOUBLE|NaN);$/m;
const PARAMETER_PROPERTY = /^ {2}constructor\((?:[^)]*?[\s(])?(?:readonly|public|private|protected) \w/m;

/** Classes of a file that have both, by name. */
function classesOf(text: string): string[] {
  return text.split(/^(?=(?:export )?(?:abstract )?class )/m)
    .filter((part) => FIELD.test(part) && PARAMETER_PROPERTY.test(part))
    .map((part) => /class (\w+)/.exec(part)![1]);
}

Deno.test("no class with a field that is a double from the start has parameter properties", () => {
  const found = [...filesBelow(FOLDER)].filter((path) => path.endsWith(".ts"))
    .flatMap((path) => classesOf(Deno.readTextFileSync(new URL(path, FOLDER))).map((name) => `${path}: ${name}`));
  assert.deepEqual(found, []);
});

Deno.test("a parameter property is found on one line and on several, next to a double only", () => {
  const field = "  #time = DOUBLE;\n";
  for (
    const constructor of [
      "constructor(readonly a: A) {",
      "constructor(a: A, private b: B) {",
      "constructor(\n    a: A,\n    readonly b: B,\n  ) {",
    ]
  ) {
    assert.deepEqual(classesOf(`export class Clock {\n${field}  ${constructor}\n  }\n}\n`), ["Clock"]);
    assert.deepEqual(classesOf(`class Clock {\n  #time = 0;\n  ${constructor}\n  }\n}\nclass Other {\n${field}}\n`), []);
  }
  assert.deepEqual(classesOf(`class Clock {\n${field}  readonly a: A;\n  constructor(a: A) {\n  }\n}\n`), []);
});

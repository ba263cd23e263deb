// Hints hold a command and its arguments (src/kit/support/text/hint.ts): each names a command of
// the program, so that nobody searches for texts when one gets another name; and no text has a
// command line beside them.

import assert from "node:assert/strict";
import { type Source, sourcesBelow } from "../../scripts/structure/sources.ts";
import { stringLiterals } from "../../scripts/structure/source-texts.ts";
import { firstWords, noCommands } from "../app/cli/command-names.ts";
import { ROOT } from "../support/files.ts";
import { commandLines } from "./command-lines.ts";

const SOURCES = sourcesBelow(new URL("src", ROOT).pathname);

Deno.test("each hint names a command of the program", () => {
  const named = SOURCES.flatMap((source) =>
    source.literals.filter(({ from }) => /\bhint\(\s*$/.test(source.before(from))).map(({ text }) => text)
  );
  assert.ok(named.length > 0);
  assert.deepEqual(noCommands(named), []);
});

Deno.test("no text has a command line, but in prose of help", () => {
  const found = SOURCES.flatMap((source) => commandLines(source, firstWords).map((text) => `${source.path}: ${text}`));
  assert.deepEqual(found, [], "write a hint");
});

/** A source of this text. */
const source = (text: string): Pick<Source, "text" | "literals"> => ({ text, literals: stringLiterals(text) });

Deno.test("a command line in a text is found in each form, and what is none, or prose of help, is not", () => {
  for (
    const text of [
      'const next = "el2 irq show irq:ping/27";',
      "next: `el2 irq show ${id}`,",
      "const wayOut = `list them: \\`el2 irq ls\\``;",
      'throw new QueryError("no queue", "list them with el2 queue ls");',
      "throw failed(`no VM (el2 vm ls)`);",
    ]
  ) assert.equal(commandLines(source(text), firstWords).length, 1, text);
  for (
    const text of [
      'const wayOut = way`list them with ${hint("queue ls")}`;',
      'throw new Error("not an el2 snapshot");',
      'const title = "what el2 does by default";',
      'id: { kind: "text", doc: "the verdict of el2 diagnose" },',
      'program.command("irq").description("as el2 vm ls lists them");',
      'examples: ["pause && el2 vcpu ls", "el2 resume"],',
      "// el2 irq ls",
    ]
  ) assert.deepEqual(commandLines(source(text), firstWords), [], text);
});

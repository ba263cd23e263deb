// Pages about how el2 is built are read a paragraph at a time: none has more than 150 words, and no
// sentence of docs/architecture more than 45.

import assert from "node:assert/strict";
import { repositoryFiles, ROOT } from "../support/files.ts";
import { proseOf } from "../support/wording.ts";

const PARAGRAPH_WORDS = 150, SENTENCE_WORDS = 45;
const ARCHITECTURE = ["docs/architecture.md", ...repositoryFiles("docs/architecture/", ".md")];
const PAGES = [...ARCHITECTURE, "docs/threat-model.md"];

const wordsOf = (text: string) => text.split(/\s+/).filter((word) => /\w/.test(word)).length;

/** A sentence ends at a full stop before a capital letter, code, a parenthesis or el2. */
const sentencesOf = (text: string) => text.split(/(?<=[.?!]\)?)\s+(?=[A-Z`(]|el2\b)/);

/** The parts of the pages that have more words than `most`. */
function tooLong(pages: readonly string[], most: number, partsOf: (text: string) => readonly string[]): string[] {
  return pages.flatMap((page) =>
    proseOf(Deno.readTextFileSync(new URL(page, ROOT))).flatMap(({ text, line }) =>
      partsOf(text).filter((part) => wordsOf(part) > most).map((part) => `${page}:${line}: ${wordsOf(part)} words: ${part.slice(0, 60)} …`)
    )
  );
}

Deno.test("no paragraph of the architecture and of the threat model has more than 150 words", () => {
  assert.deepEqual(tooLong(PAGES, PARAGRAPH_WORDS, (text) => [text]), []);
});

Deno.test("no sentence of the architecture has more than 45 words", () => {
  assert.deepEqual(tooLong(ARCHITECTURE, SENTENCE_WORDS, sentencesOf), []);
});

Deno.test("a text is cut into its sentences at full stops, and not in names or numbers", () => {
  assert.deepEqual(sentencesOf("A file, `core.ts`, has 3.5 parts (one is old.) The next is new: e.g. this. `x` too. el2 ends."), [
    "A file, `core.ts`, has 3.5 parts (one is old.)",
    "The next is new: e.g. this.",
    "`x` too.",
    "el2 ends.",
  ]);
  assert.equal(wordsOf("one, two – 3"), 3);
});

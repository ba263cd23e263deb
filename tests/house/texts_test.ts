// Nobody reads a text back: screens, commands and debuggers take facts and values of rows, never
// their sentences apart.

import assert from "node:assert/strict";
import type { Table } from "../../src/model/queries/table.ts";
import { TABLES } from "../../src/model/queries/tables.ts";

/** Rooms that show rows. */
const READERS = ["app/tui", "app/cli", "session/debug"];
/** Variables that hold a row. */
const ROWS = "row|reason|diagnosis|event|frame|vcpu|irq|queue|parcel|slice|first|selected\\.row";
/** Columns of text that have these names for nothing else in those rooms. */
const DISTINCT = ["finding", "doing", "evidence", "wakes", "way_out", "input_refused", "reach", "res", "symbol", "mnemonic", "operands"];

const columns = Object.values<Table>(TABLES).flatMap((table) => Object.entries(table.columns));
const texts = [...new Set(columns.filter(([, { kind }]) => kind === "text" || kind === "list").map(([name]) => name))];
const TEXT = `(?:\\b(?:${ROWS})[?!]?\\.(?:${texts.join("|")})|(?<![\\w.])(?:${DISTINCT.join("|")}))\\b`;
/** A regular expression in the code. */
const REGEX = "/(?![/*])(?:\\\\.|\\[(?:\\\\.|[^\\]\\n])*\\]|[^/\\\\\\n[])+/[dgimsuvy]*";
const PATTERNS = [
  new RegExp(`(?:${REGEX}|\\b[A-Z_]+)\\.(?:test|exec)\\([^\\n]*?${TEXT}`),
  new RegExp(`${TEXT}\\)?[^\\n,;(]{0,20}\\.(?:match|matchAll|replace|replaceAll|split|search)\\(${REGEX}`),
];

/** The lines of a source that apply a regular expression to a text of a row. */
function readingTexts(source: string): string[] {
  return source.split("\n").filter((line) => PATTERNS.some((pattern) => pattern.test(line)));
}

/** The phrase of a rule that is compared, or looked into. */
const PHRASE = /\.rule\b[?!]?(?: [!=]==? (?!undefined|null)|\??\.(?:startsWith|endsWith|includes|indexOf|match|replace|slice|split)\()/;
/** Rooms that get the reasons of refusals. A stop rule has an id in `rule`. */
const REASON_READERS = [
  ...READERS,
  ...["session/inspection", "model/queries", "session/assembly", "app/scenarios", "session/export", "app/library"],
  ...["app/jobs", "session/batch"],
];

function* sources(folder: URL): Generator<URL> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sources(new URL(`${name}/`, folder));
    else if (name.endsWith(".ts")) yield new URL(name, folder);
  }
}

Deno.test("no regular expression in screens, commands and debuggers is applied to a text of a row", () => {
  const found: string[] = [];
  for (const room of READERS) {
    for (const file of sources(new URL(`../../src/${room}/`, import.meta.url))) {
      found.push(...readingTexts(Deno.readTextFileSync(file)).map((line) => `${file.pathname.split("/src/")[1]}: ${line.trim()}`));
    }
  }
  assert.deepEqual(found, []);
});

Deno.test("nobody compares the phrase of a rule that was broken: a rule that is looked for has a code", () => {
  const found = REASON_READERS.flatMap((room) => [...sources(new URL(`../../src/${room}/`, import.meta.url))])
    .flatMap((file) => Deno.readTextFileSync(file).split("\n").filter((line) => PHRASE.test(line)));
  assert.deepEqual(found, []);
  for (const line of ["if (end.rule !== LACKS_BUFFER) return;", 'reason.rule.startsWith("the")', "row.rule === text"]) {
    assert.match(line, PHRASE);
  }
  for (const line of ["how: reason?.rule ?? null", 'end.code !== "buffer-not-lent"', "rule: refused.rule }"]) {
    assert.doesNotMatch(line, PHRASE);
  }
});

Deno.test("a text that is read back is found in each form, and an id or a value is not", () => {
  for (
    const line of [
      "const match = /^storm: (\\d+)/.exec(row.finding);",
      'if (/VMM/.test(String(row.reason))) return "vmm";',
      "const [section] = /^[^:]*(?=: )/.exec(reason.rule) ?? [];",
      "return row.text.replace(/ -> .*$/, '');",
      "const [base, offset] = String(symbol ?? '-').split(/(?=\\+0x)/);",
      "for (const one of wakes.match(/irq:/g)) found.push(one);",
      "const [event] = ACCESS.test(row.text) ? [] : whole;",
      'return [{ text: res.replace(/^0x[0-9a-f]+ /, "") }];',
    ]
  ) {
    assert.equal(readingTexts(line).length, 1, line);
  }
  for (
    const line of [
      "const name = nameOf(row.id);",
      "return text.replace(/\\s+/g, ' ');",
      "/^\\d+$/.test(options.port)",
      "row.text.length / 2 / 3",
    ]
  ) {
    assert.deepEqual(readingTexts(line), []);
  }
});

// Answers to agents whatever the names of guests are: bounded after they are marked, and without a
// character that could reorder or hide them.

import assert from "node:assert/strict";
import { ANSWER_MAX, pageText, rowsText, toolAnswer } from "../../../../src/app/cli/mcp/answers.ts";
import type { Row } from "../../../../src/model/queries/table.ts";

/** A name that eight times as many characters mark. */
const NAME = "\u202e\u009b".repeat(1950);
const ROWS = Array.from({ length: 30 }, (_, index) => ({ id: `fn:${index}`, name: NAME })) as unknown as Row[];
const NOTE = 100;

function checked(text: string): string {
  assert.ok(text.length <= ANSWER_MAX + NOTE, `${text.length}`);
  assert.ok(!/[\u0080-\u009f\u202a-\u202e]/.test(text));
  return text;
}

Deno.test("an answer of any kind is bounded after it is marked", () => {
  const answer = { table: "who", at: 0, rows: ROWS, dropped: 0 } as never;
  const some = JSON.parse(checked(toolAnswer(rowsText("s", answer, { limit: 50 })).text));
  assert.equal(some.rows.length + some.left_out.rows, ROWS.length);
  for (let after = 0, pages = 0;; pages++) {
    const page = JSON.parse(checked(toolAnswer(pageText(ROWS, { after, limit: 50 })).text));
    assert.ok(page.rows.length > 0 && page.all === ROWS.length);
    assert.ok(pages < 30, "the pages have no end");
    if (page.next === null) break;
    after = page.next;
  }
  checked(toolAnswer(JSON.stringify(ROWS)).text);
});

Deno.test("a failure and what follows an answer are bounded too", () => {
  const { text, failed } = toolAnswer(NAME.repeat(9), { failed: true, hint: "look elsewhere", end: "\nexit code 1" });
  assert.ok(failed && /\[\d+ characters left out; look elsewhere\]/.test(checked(text)) && text.endsWith("\nexit code 1"));
});

Deno.test("an answer says what its rows lack, bounded: memory that was not read, times that were not recorded", () => {
  const events = Array.from({ length: 40 }, (_, index) => ({ id: `ev:${index}`, end: String(index) }));
  const unrecorded = events.map((_, index) => ({ from: index - 1, to: index, kind: "hvc", some: false }));
  const gaps = [{ code: "type", of: NAME, name: NAME }];
  const said = (answer: object) => {
    const text = rowsText("s", { table: "events", at: 0, rows: events, dropped: 0, ...answer } as never, { limit: 50 });
    return JSON.parse(checked(toolAnswer(text).text));
  };
  assert.ok(!("incomplete" in said({})));
  assert.deepEqual(said({ unrecorded: unrecorded.slice(0, 3) }).incomplete, [
    "not recorded: hvc, before ev:1",
    "not recorded: hvc, before ev:2",
  ]);
  assert.equal(said({ gaps, unrecorded }).incomplete.length, 11);
  assert.equal(said({ gaps, unrecorded }).incomplete.at(-1), "and 30 more");
  assert.match(
    said({ gaps: [{ code: "type", of: "tasks", name: "mm_struct" }] }).incomplete[0],
    /^tasks: the kernel's types have no mm_struct/,
  );
});

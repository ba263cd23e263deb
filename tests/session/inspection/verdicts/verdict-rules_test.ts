// The tables of verdicts and of evidence.

import assert from "node:assert/strict";
import { EVIDENCE } from "../../../../src/model/queries/facts/evidence.ts";
import { VERDICT_FACTS } from "../../../../src/model/queries/facts/verdict.ts";
import { EVIDENCE_RULES, VERDICT_RULES } from "../../../../src/session/inspection/verdicts/verdict-rules.ts";

Deno.test("each verdict on a VM has a rule, and each rule verdicts", () => {
  const judged: readonly string[] = VERDICT_RULES.flatMap(({ codes }) => codes);
  // That is of the machine.
  const expected = Object.keys(VERDICT_FACTS.texts).filter((code) => code !== "broken");
  assert.deepEqual([...new Set(judged)].sort(), expected.sort());
  assert.ok(VERDICT_RULES.every(({ codes }) => codes.length > 0));
});

Deno.test("each reader of evidence has facts with words", () => {
  const read = EVIDENCE_RULES.flatMap(({ codes }) => codes);
  assert.ok(read.length > 0);
  for (const code of read) assert.ok(Object.hasOwn(EVIDENCE.texts, code), code);
});

// The cause of each reported log comes first, without a hint.

import assert from "node:assert/strict";
import { explain } from "../../../src/app/explain/explain.ts";
import { explanationText } from "../../../src/app/explain/text.ts";
import type { LogFile } from "../../../src/app/explain/read.ts";
import { REPORTED } from "./logs.ts";

const encoder = new TextEncoder();

export function logFiles(files: Readonly<Record<string, string>>): LogFile[] {
  return Object.entries(files).map(([name, text]) => ({ name, bytes: encoder.encode(text) }));
}

for (const { report, files, first } of REPORTED) {
  Deno.test(`the cause of ${report} comes first`, async () => {
    const explanation = await explain(logFiles(files));
    assert.deepEqual(
      [explanation.causes[0]?.cause.id, explanation.causes[0]?.points > (explanation.causes[1]?.points ?? 0)],
      [first, true],
      explanationText(explanation),
    );
  });
}

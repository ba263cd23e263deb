// Recordings of others: lines that are JSON, and nothing that a recording has.

import assert from "node:assert/strict";
import { readRecording, RecordingError } from "../../src/recordings/recording.ts";
import { VERSION } from "../../src/support/version.ts";
import { inFolder } from "../support/temporary-folder.ts";

Deno.test("a header with values that have no text, or without an end of nesting, is refused by its line", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.rec`;
    const header = (version: string, plan: string) => `{"schema":"el2.recording/1","version":${version},"plan":${plan}}\n`;
    const version = JSON.stringify(VERSION);
    const nested = (levels: number, open: string, close: string) => open.repeat(levels) + "1" + close.repeat(levels);
    const refused = [
      header('{"toString":1}', "{}"),
      header('{"toString":{},"valueOf":{}}', "{}"),
      header('{"$bigint":"1"}', "{}"),
      header("[[[]]]", "{}"),
      ...[300, 3000, 8000, 30_000, 200_000].flatMap((levels) => [
        header(version, nested(levels, "[", "]")),
        header(version, nested(levels, '{"a":', "}")),
        `${header(version, "{}")}{"at":1,"settled":true,"input":${nested(levels, "[", "]")}}\n`,
      ]),
    ];
    for (const text of refused) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(readRecording(path), RecordingError, text.slice(0, 100));
    }
  });
});

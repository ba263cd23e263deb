// Recordings of others: lines that are JSON, and nothing that a recording has.

import assert from "node:assert/strict";
import { RecordingError } from "../../src/recordings/recording.ts";
import { readRecording } from "../../src/recordings/recording-reader.ts";
import { VERSION } from "../../src/support/version.ts";
import { inCache, inFolder } from "../support/temporary-folder.ts";
import { recordingHeader } from "../../src/recordings/recording-writer.ts";
import type { SessionPlan } from "../../src/plans/plan.ts";

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

Deno.test("a file that a plan names many times is read once, and stored once", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`, image = new Uint8Array(100_000).fill(1), part = { image };
    const plan = { cpus: 1, what: { kind: "run", host: { vms: [] }, images: Array.from({ length: 5000 }, () => part) } };
    const header = await recordingHeader(plan as unknown as SessionPlan);
    await Deno.writeTextFile(path, header);
    const { what } = (await readRecording(path)).plan as unknown as typeof plan;
    assert.deepEqual(what.images[0].image, image);
    assert.equal(new Set(what.images.map(({ image }) => image)).size, 1, "each has a copy");
    assert.equal([...Deno.readDirSync(`${folder}/cache/recorded`)].length, 1);
  });
});

// Marks that get into a complete recording: every other line stays, and so does the file where they
// cannot be kept.

import assert from "node:assert/strict";
import { MARKS_MAX } from "../../../../src/model/plans/recorded-run.ts";
import { keepMarks, mergeMarks } from "../../../../src/session/recordings/file/marks.ts";
import { RecordingError } from "../../../../src/session/recordings/file/recording.ts";
import { readRecording } from "../../../../src/session/recordings/file/recording-reader.ts";
import { recordingHeader } from "../../../../src/session/recordings/file/recording-writer.ts";
import { saveRecording } from "../../../../src/session/recordings/file/save.ts";
import { encodePlain } from "../../../../src/kit/support/values/plain-json.ts";
import { inCache } from "../../../support/temporary-folder.ts";
import { bootPlan } from "../../snapshots/systems.ts";

const END = { instructions: 9, registers: "aa", own: false, code: 0, message: "ended", memory: "bb", console: "cc" };
const INPUT = { kind: "console", console: "host", bytes: Uint8Array.of(1) } as const;
const mark = (name: string, text?: string, by?: string) => ({ name, instructions: 5, time: 5, ...text && { text }, ...by && { by } });

const read = (path: string) => ({ path, bytes: Deno.readFileSync(path) });

async function saved(path: string, at = 3): Promise<void> {
  saveRecording(path, await recordingHeader(await bootPlan()), { inputs: [{ at, settled: true, input: INPUT }] }, 9, END);
}

Deno.test("a recording gets marks with text and author, the last of a name, and keeps its other lines", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`;
    await saved(path);
    const before = Deno.readTextFileSync(path).split("\n").slice(0, -2);
    keepMarks(path, [mark("lost", "here it is lost", "Ann"), mark("late")]);
    keepMarks(path, [mark("late", "später – ✓")]);
    const lines = Deno.readTextFileSync(path).split("\n").slice(0, -2);
    assert.deepEqual(lines.filter((line) => !line.includes('"mark"')), before);
    assert.deepEqual((await readRecording(path)).marks, [mark("lost", "here it is lost", "Ann"), mark("late", "später – ✓")]);
  });
});

Deno.test("marks of copies are merged, and a file with another run is refused", async () => {
  await inCache(async (folder) => {
    const [own, copy, other] = ["own", "copy", "other"].map((name) => `${folder}/${name}.rec`);
    await saved(own);
    Deno.copyFileSync(own, copy);
    await saved(other, 4);
    keepMarks(own, [mark("a"), mark("b")]);
    keepMarks(copy, [mark("b", "mine", "Bo"), mark("c")]);
    assert.equal(mergeMarks(read(own), [copy, copy].map(read)), 3);
    assert.deepEqual((await readRecording(own)).marks, [mark("a"), mark("b", "mine", "Bo"), mark("c")]);
    const before = Deno.readTextFileSync(own);
    assert.throws(
      () => mergeMarks(read(own), [copy, other].map(read)),
      (error) => error instanceof RecordingError && / is not a copy of /.test(error.message),
    );
    assert.equal(Deno.readTextFileSync(own), before);
  });
});

Deno.test("a recording that takes no marks stays as it is: cut off, changed, or with too many", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`;
    await saved(path);
    const whole = Deno.readTextFileSync(path);
    const refused = (text: string, names: readonly string[], message: RegExp) => {
      Deno.writeTextFileSync(path, text);
      assert.throws(
        () => keepMarks(path, names.map((name) => mark(name))),
        (error) => error instanceof RecordingError && message.test(error.message),
      );
      assert.equal(Deno.readTextFileSync(path), text);
    };
    refused(whole.split("\n").slice(0, 2).join("\n") + "\n", ["a"], /was cut off, or is being written, takes no marks/);
    refused(whole.replace('"code":0', '"code":1'), ["a"], /the checksum is wrong/);
    refused(whole, Array.from({ length: MARKS_MAX + 1 }, (_, index) => `m${index}`), /a run has at most 1024 marks/);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["a.rec"]);
  });
});

Deno.test("a stranger's mark has one line of bounded text, and is no input besides", async () => {
  await inCache(async (folder) => {
    const path = `${folder}/a.rec`, header = await recordingHeader(await bootPlan());
    const refused = async (line: object, message: RegExp) => {
      Deno.writeTextFileSync(path, `${header}${encodePlain(line)}\n`);
      await assert.rejects(readRecording(path), message);
    };
    for (const text of ["a\x1b[2J", "a\nb", "\x9b", "x".repeat(201), ""]) {
      await refused({ at: 1, mark: { ...mark("a"), text } }, /a\.rec:2: text: /);
    }
    await refused({ at: 1, mark: { ...mark("a"), by: "x".repeat(65) } }, /a\.rec:2: by: /);
    await refused({ at: 1, mark: { ...mark("a"), color: "red" } }, /a\.rec:2: /);
    await refused({ at: 1, mark: mark("a"), settled: true, input: INPUT }, /a\.rec:2: a mark with other parts/);
  });
});

import assert from "node:assert/strict";
import { withMarksKept } from "../../../../src/app/cli/start/kept-marks.ts";
import type { Request, SessionEvent } from "../../../../src/model/protocol/protocol.ts";
import { problemText } from "../../../../src/kit/support/problem.ts";
import { readRecording } from "../../../../src/session/recordings/file/recording-reader.ts";
import { el2 } from "../program.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

Deno.test("a mark of a replay is in the recording before its maker hears of it, or the maker hears why it is not", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.rec`, sent: Request[] = [], heard: SessionEvent[] = [];
    assert.equal((await el2("run", "demo", "--headless", "--turbo", "--for", "1ms", "--record", file)).code, 0);
    const machine = { send: (request: Request) => void sent.push(request), onEvent: (_: SessionEvent) => {}, close() {} };
    const client = withMarksKept(machine, file), mark = { name: "lost", instructions: 5, time: 5, text: "here it is lost", by: "Ann" };
    client.onEvent = (event) => heard.push(event);
    client.send({ kind: "pause" });
    machine.onEvent({ kind: "acted", id: 1 });
    machine.onEvent({ kind: "acted", id: 2, mark });
    assert.deepEqual([sent, heard], [[{ kind: "pause" }], [{ kind: "acted", id: 1 }, { kind: "acted", id: 2, mark, error: undefined }]]);
    assert.deepEqual((await readRecording(file)).marks, [mark]);
    await Deno.writeTextFile(file, "other");
    machine.onEvent({ kind: "acted", id: 3, mark });
    const last = heard.at(-1);
    assert.ok(last?.kind === "acted" && last.error);
    assert.equal(problemText(last.error), `the mark is not kept: ${file} is not an el2 recording (line 1)`);
    assert.equal(await Deno.readTextFile(file), "other");
  }));

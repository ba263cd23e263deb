// `el2 cast` by a script; tests/tui/pictures_test.ts makes a whole one, and
// tests/terminal/sessions_test.ts one of a terminal.

import assert from "node:assert/strict";
import { inFolder } from "../../support/temporary-folder.ts";
import { inProcess } from "../in-process.ts";
import { el2Refused } from "../program.ts";

type CastEvent = [time: number, kind: string, data: string];

Deno.test("cast plays a script: waits take the cast's time and not the user's, marks name places", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.cast`, script = `${folder}/steps`;
    await Deno.writeTextFile(script, "wait 60s\nmark later\nkeys 5\nwait 30s\n");
    const began = performance.now();
    const { code, stderr } = await inProcess(["cast", file, "--run", "demo", "--script", script, "--size", "60x16"], { NO_COLOR: "1" });
    assert.equal(code, 0, stderr);
    assert.ok(performance.now() - began < 30_000, "90 s of a paused machine");
    const [header, ...events] = (await Deno.readTextFile(file)).trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([header.version, header.width, header.height, header.timestamp], [2, 60, 16, undefined]);
    const marks = (events as CastEvent[]).filter(([, kind]) => kind === "m");
    assert.equal(marks.length, 1);
    assert.ok(marks[0][0] >= 60 && marks[0][0] < 90 && marks[0][2] === "later");
    assert.ok((events as CastEvent[]).some(([time, kind]) => kind === "o" && time >= marks[0][0]), "the key has drawn something");
  }));

Deno.test("cast without a terminal needs a script; a script that fails leaves no file", () =>
  inFolder(async (folder) => {
    const file = `${folder}/a.cast`, script = `${folder}/steps`;
    const refused = async (message: RegExp, ...args: string[]) => {
      const outcome = await el2Refused(["cast", file, ...args]);
      assert.match(outcome.stderr, message);
      assert.notEqual(outcome.code, 0);
      assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "steps"), []);
    };
    await refused(/cast needs a terminal; without one, use --script FILE/);
    await refused(/--size: only with --script/, "--size", "80x24");
    await Deno.writeTextFile(script, "wait\n");
    await refused(/steps:1: /, "--script", script, "--run", "demo");
    await Deno.writeTextFile(script, "reach nothing:here\n");
    await refused(/nothing/, "--script", script, "--run", "demo");
  }));

// `el2 trace export --recording` of runs that fail.

import assert from "node:assert/strict";
import { ExitCode, Failure } from "../../../../../src/app/cli/common/failure.ts";
import { makeProgram } from "../../../../../src/app/cli/main.ts";
import { el2 } from "../../program.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

const DEMO = new URL("../../../../../assets/demo.toml", import.meta.url).pathname;

Deno.test("trace export of a run that fails is exit code 1 with the recording and the reason, and no file", () =>
  inFolder(async (folder) => {
    const recording = `${folder}/a.rec`, file = `${folder}/a.ndjson`;
    assert.equal((await el2("run", "--record", recording, DEMO, "--headless", "--turbo", "--for", "1ms")).code, 0);
    const program = makeProgram(new URL("../failing-worker.ts", import.meta.url), () => {});
    await assert.rejects(program.parseAsync(["trace", "export", file, "--recording", recording], { from: "user" }), (error: Failure) => {
      assert.ok(error instanceof Failure);
      assert.equal(error.message, `trace export: ${recording}: bug: Error: the machine is broken`);
      assert.equal(error.code, ExitCode.Failed);
      return true;
    });
    await assert.rejects(Deno.stat(file), Deno.errors.NotFound);
  }));

Deno.test("trace export of a recording whose snapshot is none ends with its reason", () =>
  inFolder(async (folder) => {
    const recording = `${folder}/a.rec`;
    assert.equal((await el2("run", "--record", recording, DEMO, "--headless", "--turbo", "--for", "1ms")).code, 0);
    const [header] = (await Deno.readTextFile(recording)).split("\n");
    const changed = JSON.parse(header);
    changed.plan.from = { path: "x", spare: false, bytes: { $bytes: btoa("no snapshot") } };
    await Deno.writeTextFile(recording, `${JSON.stringify(changed)}\n`);
    const outcome = await el2("trace", "export", `${folder}/a.ndjson`, "--recording", recording);
    assert.equal(outcome.code, 2, outcome.stderr);
    assert.match(outcome.stderr, /its snapshot: at byte 0: not an el2 snapshot/);
  }));

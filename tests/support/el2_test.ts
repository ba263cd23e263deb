// The programs that tests start leave nothing with the user.

import assert from "node:assert/strict";
import { failureRecording } from "../../src/session/recordings/file/kept-recordings.ts";
import { el2Command } from "./el2.ts";

Deno.test("a run that fails in a test keeps its recording in a folder of that test", async () => {
  const temporary = await Deno.makeTempDir();
  await Deno.remove(temporary);
  const file = failureRecording("x", undefined);
  assert.equal(file?.slice(0, temporary.lastIndexOf("/")), temporary.slice(0, temporary.lastIndexOf("/")));
  assert.ok(el2Command("run").includes("run"));
});

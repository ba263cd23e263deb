// A bug of ours in the engine becomes a report, with a recording that leads to it.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { SessionEvent } from "../../../src/model/protocol/protocol.ts";
import { plannedRecording } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { type BrokenRun, writeBugReport } from "../../../src/session/engine/bug-report.ts";
import { MachineServer } from "../../../src/session/worker/machine-server.ts";
import { Outbox } from "../../../src/session/worker/outbox.ts";
import { WriteFailure } from "../../../src/kit/support/files/write-all.ts";
import { demoPlan } from "../snapshots/systems.ts";

Deno.test("an exception in the engine leaves a report and a recording, and the client hears where", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const heard = Promise.withResolvers<Extract<SessionEvent, { kind: "failed" }>>();
    const outbox = new Outbox((events) => events.forEach((event) => event.kind === "failed" && heard.resolve(event)));
    const server = new MachineServer(outbox, () => false, (run) => writeBugReport(run, folder));
    const plan = await demoPlan();
    server.receive([{ kind: "start", plan }], () => {});
    server.receive([{ kind: "act", id: 2, action: { kind: "inject.add", rule: "rpc msg=MEM_LEND nth=9 -> NOMEM" } }], () => {});
    // No request has this shape: the engine takes it as a bug.
    server.receive([{ kind: "query", id: 1, query: undefined! }], () => {});
    const { message } = await heard.promise;
    const [, path] = /^TypeError: .* \(report: (.*)\)\n/.exec(message)!;
    const text = await Deno.readTextFile(path);
    assert.match(text, /^el2 \S+ failed at t=\d[^\n]*\nIt happens again with: el2 replay (\S+\.rec)\n\nTypeError: /);
    const { inputs, end, plan: recorded } = await plannedRecording(path.replace(/\.txt$/, ".rec"));
    assert.deepEqual(inputs.map(({ input }) => input.kind), ["act"]);
    assert.deepEqual([end?.end.code, end?.end.own], [1, true]);
    assert.ok(assemble(recorded));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A client's message about a bug whose report goes to this folder. */
async function failure(report: (run: BrokenRun) => Promise<string | undefined>): Promise<string> {
  const heard = Promise.withResolvers<Extract<SessionEvent, { kind: "failed" }>>();
  const outbox = new Outbox((events) => events.forEach((event) => event.kind === "failed" && heard.resolve(event)));
  const server = new MachineServer(outbox, () => false, report);
  server.receive([{ kind: "start", plan: await demoPlan() }], () => {});
  server.receive([{ kind: "query", id: 1, query: undefined! }], () => {});
  return (await heard.promise).message;
}

Deno.test("a report that cannot be written does not hide the bug: the client hears both", async () => {
  const file = await Deno.makeTempFile({ prefix: "el2-test-" });
  try {
    const noFolder = await failure((run) => writeBugReport(run, `${file}/bugs`));
    assert.match(noFolder, /^TypeError: [^\n]* \(no report: Not a directory[^\n]*\)\n {4}at /);
    // A full disk: it comes as the failure of a write.
    const full = await failure(() => Promise.reject(new WriteFailure("bug.rec: No space left on device")));
    assert.match(full, /^TypeError: [^\n]* \(no report: bug\.rec: No space left on device\)\n {4}at /);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a recording that cannot be written leaves the report, which says so", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const plan = await demoPlan();
    const now = new Date(), name = `${folder}/bug-${now.toISOString().replaceAll(/[:.]/g, "-")}`;
    await Deno.mkdir(`${name}.rec`);
    const path = await writeBugReport({ error: new Error("the bug"), plan, inputs: [], instructions: 7, time: 8 }, folder, now);
    assert.equal(path, `${name}.txt`);
    assert.match(await Deno.readTextFile(path!), /^el2 [^\n]*\nThe run cannot be recorded: [^\n]*Is a directory[^\n]*\n\nError: the bug\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

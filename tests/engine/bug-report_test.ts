// A bug of ours in the engine becomes a report, with a recording that leads to it.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { SessionEvent } from "../../src/protocol/protocol.ts";
import { readRecording } from "../../src/recordings/recording.ts";
import { writeBugReport } from "../../src/engine/bug-report.ts";
import { MachineServer } from "../../src/session/machine-server.ts";
import { Outbox } from "../../src/session/outbox.ts";
import { demoPlan } from "../snapshots/systems.ts";

Deno.test("an exception in the engine leaves a report and a recording, and the client hears where", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    const heard = Promise.withResolvers<Extract<SessionEvent, { kind: "failed" }>>();
    const outbox = new Outbox((events) => events.forEach((event) => event.kind === "failed" && heard.resolve(event)));
    const server = new MachineServer(outbox, () => false, (run) => writeBugReport(run, folder));
    const plan = await demoPlan();
    server.take([{ kind: "start", plan }], () => {});
    server.take([{ kind: "act", id: 2, action: { kind: "inject.add", rule: "rpc msg=MEM_LEND nth=9 -> NOMEM" } }], () => {});
    // No request has this shape: the engine takes it as a bug.
    server.take([{ kind: "query", id: 1, query: undefined! }], () => {});
    const { message } = await heard.promise;
    const [, path] = /^TypeError: .* \(report: (.*)\)\n/.exec(message)!;
    const text = await Deno.readTextFile(path);
    assert.match(text, /^el2 \S+ failed at t=\d[^\n]*\nIt happens again with: el2 replay (\S+\.rec)\n\nTypeError: /);
    const { inputs, end, plan: recorded } = await readRecording(path.replace(/\.txt$/, ".rec"));
    assert.deepEqual(inputs.map(({ input }) => input.kind), ["act"]);
    assert.equal(end, undefined);
    assert.ok(assemble(recorded));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

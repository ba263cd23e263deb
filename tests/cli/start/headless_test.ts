import assert from "node:assert/strict";
import { runHeadless } from "../../../src/cli/start/headless.ts";
import type { Request } from "../../../src/protocol/protocol.ts";
import type { SessionClient } from "../../../src/session/client.ts";

Deno.test("a session ends once: another end while its output drains is ignored", async () => {
  const client: SessionClient = { send() {}, onEvent() {}, close() {} };
  const lines: unknown[] = [];
  const original = console.error;
  console.error = (line) => lines.push(line);
  try {
    const code = runHeadless(client, { stdio: false, console: undefined, names: false, timeout: undefined, interactive: false });
    client.onEvent({ kind: "ended", end: { code: 0, message: "SYSTEM_OFF" } });
    client.onEvent({ kind: "ended", end: { code: 1, message: "stopped" } });
    assert.equal(await code, 0);
  } finally {
    console.error = original;
  }
  assert.deepEqual(lines, ["el2: SYSTEM_OFF"]);
});

Deno.test("a failed run that is being explained is not a run that timed out", async () => {
  const lines: unknown[] = [], held: Request[] = [];
  const answer = (request: Request | undefined) => {
    assert.ok(request?.kind === "query");
    const { id, query: { table } } = request;
    client.onEvent({ kind: "answer", id, answer: { table, at: { ns: "0", insn: "0" }, rows: [], dropped: 0 } });
  };
  const client: SessionClient = {
    send: (request) => {
      if (request.kind === "query") held.push(request);
      if (request.kind === "stop") client.onEvent({ kind: "ended", end: { code: 0, message: "stopped" } });
    },
    onEvent() {},
    close() {},
  };
  const original = console.error;
  console.error = (line) => lines.push(line);
  try {
    const code = runHeadless(client, { stdio: false, console: undefined, names: false, timeout: 1, interactive: false });
    client.onEvent({ kind: "ended", end: { code: 1, message: "VM a failed" } });
    // The time is over before the questions are answered.
    for (const limit = Date.now() + 10_000; held.length < 3; await new Promise((resolve) => setTimeout(resolve, 1))) {
      assert.ok(Date.now() < limit);
    }
    answer(held[2]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const request of held.slice(0, 2)) answer(request);
    assert.equal(await code, 1);
  } finally {
    console.error = original;
  }
  assert.deepEqual(lines, ["el2: VM a failed"]);
});

import assert from "node:assert/strict";
import { runHeadless } from "../../../src/cli/start/headless.ts";
import type { SessionClient } from "../../../src/session/client.ts";

Deno.test("a session ends once: what comes while its output drains is no second end", async () => {
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

// Hot calls of native guests allocate next to nothing.

import assert from "node:assert/strict";

/**
 * Bytes: a number that V8 boxes, and of doorbell_send its flags, which are 64 bits wide, and its
 * results. With lists of bigints each call took 750.
 */
const LIMITS = { msgqueue_receive: 64, doorbell_send: 256 } as const;

Deno.test("a receive of an empty queue and a doorbell's send allocate next to nothing", async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--allow-read", "--v8-flags=--expose-gc,--min-semi-space-size=64,--max-semi-space-size=64"],
      new URL("native-calls.ts", import.meta.url).pathname,
    ],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const spent: Record<string, number> = JSON.parse(new TextDecoder().decode(stdout));
  for (const [name, limit] of Object.entries(LIMITS)) {
    assert.ok(spent[name] <= limit && spent[name] >= 0, `${name}: ${spent[name]} bytes a call, at most ${limit}`);
  }
});

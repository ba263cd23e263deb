// The start of a session's process, next to others that own its name.

import assert from "node:assert/strict";
import { Beginning, startSession } from "../../../../../src/app/cli/start/screens/start-session.ts";
import { takeLock } from "../../../../../src/kit/support/files/own-files.ts";

const ENTRY = new URL("../../../../../main.ts", import.meta.url);

Deno.test("a name whose owner is about to end is waited for", async () => {
  const runtime = Deno.makeTempDirSync({ prefix: "el2-start-" }), before = Deno.env.get("XDG_RUNTIME_DIR");
  Deno.env.set("XDG_RUNTIME_DIR", runtime);
  try {
    Deno.mkdirSync(`${runtime}/el2`, { mode: 0o700 });
    const lock = takeLock(`${runtime}/el2/k.lock`)!;
    lock.writeSync(new TextEncoder().encode("12345\n"));
    // A session that ends has removed its socket, and still has its lock.
    const released = new Promise<void>((resolve) => setTimeout(() => resolve(lock.close()), 100));
    await assert.rejects(startSession(ENTRY, "k", ["--name", "k", "--", "missing.toml"]), /missing\.toml/);
    await released;
  } finally {
    if (before === undefined) Deno.env.delete("XDG_RUNTIME_DIR");
    else Deno.env.set("XDG_RUNTIME_DIR", before);
    Deno.removeSync(runtime, { recursive: true });
  }
});

Deno.test("a session's first VM is awaited as long as its machine has not begun, or gets on", () => {
  const beginning = new Beginning();
  for (let look = 0; look < 1000; look++) assert.equal(beginning.isOver(0n), false, `look ${look}`);
  for (let now = 1n; now < 400n; now++) assert.equal(beginning.isOver(now * 1_000_000n), false, `${now} ms`);
  assert.equal(beginning.isOver(500_000_000n), true);
});

Deno.test("the first VM of a machine that rests is not awaited", () => {
  const beginning = new Beginning(), looks = Array.from({ length: 30 }, () => beginning.isOver(1_000_000n));
  assert.equal(looks[0], false);
  assert.equal(looks.at(-1), true);
});

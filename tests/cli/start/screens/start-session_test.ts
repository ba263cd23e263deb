// The start of a session's process, next to others that own its name.

import assert from "node:assert/strict";
import { startSession } from "../../../../src/cli/start/screens/start-session.ts";
import { takeLock } from "../../../../src/support/own-files.ts";

const ENTRY = new URL("../../../../main.ts", import.meta.url);

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

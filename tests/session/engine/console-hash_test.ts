import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ConsoleHash } from "../../../src/session/engine/console-hash.ts";

Deno.test("the hash of a console is that of all it has shown, however often it is asked", () => {
  const ours = new ConsoleHash(), all = createHash("sha256");
  assert.equal(ours.digest, all.copy().digest("hex"));
  // More than waits, in pieces.
  for (let i = 0; i < 200; i++) {
    const piece = new Uint8Array(i * 31).fill(i);
    ours.update(piece);
    all.update(piece);
    if (i % 50 === 7) assert.equal(ours.digest, all.copy().digest("hex"));
  }
  assert.equal(ours.digest, all.digest("hex"));
});

// Files of a run as a page unpacks them: Node's own zlib is the oracle.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { unpacked } from "../../../../src/app/web/engine/unpacked.ts";
import { UserError } from "../../../../src/kit/support/problem.ts";
import { KiB, MiB } from "../../../../src/kit/support/values/sizes.ts";

const packed = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));

Deno.test("a page unpacks a file of a run that is as large as it may be", async () => {
  for (const bytes of [new Uint8Array(0), crypto.getRandomValues(new Uint8Array(50_000)), new Uint8Array(MiB).fill(7)]) {
    assert.deepEqual(await unpacked("a", packed(bytes), bytes.length), bytes);
  }
});

Deno.test("a file of a run that is damaged, cut off or larger than it may be is named, and its rest not unpacked", async () => {
  const whole = packed(crypto.getRandomValues(new Uint8Array(64 * KiB)));
  const refused = (bytes: Uint8Array<ArrayBuffer>, says: RegExp) =>
    assert.rejects(unpacked("images/a", bytes, MiB), (error) => error instanceof UserError && says.test(error.message));
  await refused(whole.subarray(0, 1000), /^images\/a is damaged after \d+ bytes; load the page again$/);
  await refused(whole.slice().fill(7, 0, 2), /^images\/a is damaged after 0 bytes/);
  await refused(packed(new Uint8Array(64 * MiB)), /^images\/a has more than 1MiB$/);
});

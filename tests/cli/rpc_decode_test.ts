// `el2 rpc decode`: bytes in any spelling become the fields of a message, without a session.

import assert from "node:assert/strict";
import { el2 } from "./program.ts";

Deno.test("el2 rpc decode tells a reply field by field, however its bytes are spelled", async () => {
  const { code, stdout } = await el2("rpc", "decode", "21", "02", "0700", "0x04000056", "03_00_00_00");
  assert.equal(stdout, "reply VM_START 0x56000004 #0x7, 12 bytes\n    0 u32        error                    DENIED\n");
  assert.equal(code, 0);
});

Deno.test("el2 rpc decode of what are no bytes is a usage error", async () => {
  const { code, stdout, stderr } = await el2("rpc", "decode", "packet");
  assert.match(stderr, /^el2: .*"packet" are no bytes; write them like/);
  assert.deepEqual([code, stdout], [2, ""]);
});

// A buffer of bytes that grows.

import assert from "node:assert/strict";
import { Bytes } from "../../../../src/kit/support/values/bytes.ts";

Deno.test("what is written before a buffer grows is there afterwards, and fields lie where they were given room", () => {
  const bytes = new Bytes(2);
  bytes.push(1);
  const before = bytes.fields;
  before.setUint8(0, 7);
  const at = bytes.room(8);
  bytes.fields.setBigUint64(at, 0x0102_0304_0506_0708n);
  bytes.pushAll([9, 10]);
  assert.deepEqual([...bytes.view], [7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(at, 1);
  const other = new Bytes();
  other.sized(bytes);
  assert.deepEqual([...other.view], [11, ...bytes.view]);
  other.clear();
  assert.equal(other.length, 0);
});

Deno.test("a name is written after the number of its bytes in UTF-8, whatever its letters", () => {
  for (const name of ["", "region0", "prüfen", "a".repeat(200)]) {
    const bytes = new Bytes(), encoded = new TextEncoder().encode(name);
    bytes.unsigned(encoded.length);
    bytes.pushAll(encoded);
    assert.deepEqual([...new Bytes().text(name).view], [...bytes.view]);
  }
});

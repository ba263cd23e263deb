import assert from "node:assert/strict";
import { hashOfBytes } from "../../../../src/kit/support/values/word-hash.ts";

Deno.test("a hash of bytes changes with each bit, with their number, and with their order", () => {
  for (const length of [0, 1, 3, 4, 7, 64]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 37), hashes = new Set([hashOfBytes(bytes)]);
    for (let bit = 0; bit < 8 * length; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      hashes.add(hashOfBytes(bytes));
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    assert.equal(hashes.size, 8 * length + 1);
    assert.notEqual(hashOfBytes(new Uint8Array(length)), hashOfBytes(new Uint8Array(length + 1)));
  }
  assert.notEqual(hashOfBytes(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0)), hashOfBytes(Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0)));
});

Deno.test("a hash of bytes is the same wherever in a buffer they are", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, i) => i), hash = hashOfBytes(bytes.slice(3, 21));
  assert.equal(hashOfBytes(bytes.subarray(3, 21)), hash);
});

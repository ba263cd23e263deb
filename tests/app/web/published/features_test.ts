// The features that a published page looks for, in a browser that has them and in one without.

import assert from "node:assert/strict";
import { missingFeatures } from "../../../../src/app/web/published/features.ts";

Deno.test("a browser with all features lacks none, and each is missed by its name", () => {
  assert.deepEqual(missingFeatures(WebAssembly.validate), []);
  assert.deepEqual(missingFeatures(undefined), ["WebAssembly"]);
  const without = (bytes: readonly number[]) =>
    missingFeatures((code) => WebAssembly.validate(code) && !String([...new Uint8Array(code as ArrayBuffer)]).includes(String(bytes)));
  assert.deepEqual(without([0xfd, 12]), ["fixed-width SIMD of WebAssembly"]);
  assert.deepEqual(without([0xfc, 11]), ["bulk memory of WebAssembly"]);
  assert.deepEqual(without([0x12, 0, 0x0b]), ["tail calls of WebAssembly"]);
  const { toHex } = Uint8Array.prototype;
  try {
    Reflect.deleteProperty(Uint8Array.prototype, "toHex");
    assert.deepEqual(missingFeatures(WebAssembly.validate), ["Uint8Array.prototype.toHex"]);
  } finally {
    Object.defineProperty(Uint8Array.prototype, "toHex", { value: toHex, configurable: true, writable: true });
  }
});

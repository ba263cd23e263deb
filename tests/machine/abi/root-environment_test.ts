// The root VM's environment block and the CBOR in it.

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../../src/machine/abi/cbor.ts";
import {
  decodeRootEnvironment,
  encodeRootEnvironment,
  ROOT_ENVIRONMENT_SIZE,
  type RootEnvironment,
} from "../../../src/machine/abi/root-environment.ts";
import { recordedEnvironment } from "../../support/recorded-environment.ts";

const environment = recordedEnvironment();

Deno.test("the environment block has the observed headers and decodes to what was encoded", () => {
  const bytes = encodeRootEnvironment(environment);
  const view = new DataView(bytes.buffer);
  assert.equal(bytes.length, ROOT_ENVIRONMENT_SIZE);
  assert.equal(new TextDecoder().decode(bytes.subarray(0, 4)), "RVME");
  assert.equal(view.getBigUint64(72, true), 0x58n);
  assert.equal(view.getBigUint64(80, true), 0x3fa8n);
  assert.equal(new TextDecoder().decode(bytes.subarray(0x58, 0x5c)), "DEMR");
  const decoded = decodeRootEnvironment(bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.environment, environment);
});

Deno.test("a block without signature or with a missing key is refused by name", () => {
  const blank = decodeRootEnvironment(new Uint8Array(ROOT_ENVIRONMENT_SIZE));
  assert.ok(!blank.ok && /RVME/.test(blank.problem));
  const { vic: _, ...rest } = environment.resources;
  const lacking = decodeRootEnvironment(encodeRootEnvironment({ ...environment, resources: rest as RootEnvironment["resources"] }));
  assert.ok(!lacking.ok && /key vic /.test(lacking.problem));
});

Deno.test("CBOR items decode to what was encoded", () => {
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const item = fc.oneof(u64, fc.string(), fc.boolean(), fc.array(u64), fc.dictionary(fc.string(), u64, { noNullPrototype: false }));
  fc.assert(fc.property(item, (value) => {
    const decoded = decodeCbor(encodeCbor(value));
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.value, typeof value === "object" && !Array.isArray(value) ? { __proto__: null, ...value } : value);
  }));
});

Deno.test("CBOR of any other form is refused without throwing", () => {
  for (
    const bytes of [[0x9f, 0xff], [0x20], [0x41, 0], [0xa1, 1, 1], [0x1b, 1], [0xf6], [1, 1], [
      0x9b,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
      255,
    ]]
  ) {
    assert.ok(!decodeCbor(Uint8Array.from(bytes)).ok);
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeCbor(bytes)));
});

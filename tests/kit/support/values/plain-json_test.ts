import assert from "node:assert/strict";
import { decodePlain, encodePlain, NestedTooDeep } from "../../../../src/kit/support/values/plain-json.ts";

Deno.test("bytes and 64-bit numbers come back from wherever they are; other data is JSON's", () => {
  const bytes = new Uint8Array([0, 255, 7]);
  for (
    const value of [
      ...[1n, bytes, [1n], { a: bytes }, { a: [{ b: [null, -(2n ** 63n)] }] }, [bytes, 2n]],
      ...[null, true, 0, "", "$bytes", { $b: 1 }, { $bytes: 5 }, { a: { $bigint: null } }, [[], {}, [[{}]]], { a: undefined }],
    ]
  ) {
    const back = decodePlain(encodePlain(value));
    assert.deepEqual(back, typeof value === "object" && value !== null && "a" in value && value.a === undefined ? {} : value);
  }
  assert.equal(encodePlain({ a: [1, "x"], b: null }), '{"a":[1,"x"],"b":null}');
});

Deno.test("a mark may be written in every way that JSON has", () => {
  for (const name of ["$bigint", "\\u0024bigint", "$bi\\u0067int", "$\\u0062igint"]) {
    assert.deepEqual(decodePlain(`{"a":[{"${name}":"12"}]}`), { a: [12n] });
  }
  for (const text of ['{"$bigint":"x"}', `{"$bigint":"${"1".repeat(65)}"}`]) assert.throws(() => decodePlain(text), SyntaxError);
});

Deno.test("levels are counted outside of strings, whatever they are made of", () => {
  assert.deepEqual(decodePlain('[{"a":["[[[{{{","\\\\"]}]', 3), [{ a: ["[[[{{{", "\\"] }]);
  for (const text of ["[[[[]]]]", '[{"a":[{}]}]', '["\\"",[[[1]]]]']) assert.throws(() => decodePlain(text, 3), NestedTooDeep);
});

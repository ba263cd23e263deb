import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isSame } from "../../../../src/kit/support/values/same.ts";

const leaf = fc.oneof(fc.constantFrom(null, undefined, true, false, 0, 1, "", "a", 1n), fc.double());
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie("data"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom("a", "b", "c"), tie("data")),
  ),
}));

Deno.test("plain data is the same where node's comparison says so: a copy, and a copy with one change", () => {
  fc.assert(fc.property(data, data, (one, other) => {
    assert.equal(isSame(one, structuredClone(one)), true);
    const plain = structuredClone([one, other]);
    assert.equal(isSame(plain[0], plain[1]), isDeepStrictEqual(plain[0], plain[1]));
  }));
});

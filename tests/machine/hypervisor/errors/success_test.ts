// Every hypercall succeeds in a `World` with the arguments of its recipe, and the dump of the
// hypervisor's state shows that it did: so what the tests of errors change is all that is wrong
// with a call, and what they compare would show a change.

import assert from "node:assert/strict";
import { ErrorCode, errorName } from "../../../../src/machine/abi/errors.ts";
import { type HypercallName, HYPERCALLS } from "../../../../src/machine/abi/hypercalls.ts";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { NEVER, READ_ONLY, RECIPES } from "./recipes.ts";
import { World } from "./world.ts";

for (const name of Object.keys(HYPERCALLS) as HypercallName[]) {
  if (NEVER.has(name)) continue;
  Deno.test(`${name} succeeds, and ${READ_ONLY.has(name) ? "changes nothing" : "its change shows"}`, () => {
    const w = new World();
    const args = RECIPES[name](w);
    const checker = new Checker(w.hypervisor);
    const before = w.dump();
    const { error } = w.call(name, args);
    // hypervisor_identify has no error; a call without an answer has put its caller to sleep.
    if (name !== "hypervisor_identify" && error !== undefined) assert.equal(errorName(error), errorName(ErrorCode.OK));
    if (READ_ONLY.has(name)) assert.deepEqual(w.dump(), before);
    else assert.notDeepEqual(w.dump(), before);
    assert.deepEqual(checker.sweep(), [], "no invariant is broken");
  });
}

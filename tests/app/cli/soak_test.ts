// Memory of a session that runs for long (scripts/soak.ts): ten minutes with EL2_LONG=1; otherwise
// a few seconds, which show that it is measured.

import assert from "node:assert/strict";
import { growthOf, soak } from "../../../scripts/soak.ts";
import { LONG } from "../../support/long.ts";

Deno.test("growth is that of the last half: a start that takes memory is none, a leak is", () => {
  const start = Array.from({ length: 100 }, (_, i) => i < 40 ? 100 + i : 140);
  assert.equal(growthOf(start), 0);
  assert.equal(growthOf(start.map((bytes, i) => i % 10 ? bytes : bytes * 2)), 0, "one sample does not decide");
  const leak = Array.from({ length: 100 }, (_, i) => 100 + i);
  assert.ok(growthOf(leak) > 0.1);
});

Deno.test("a session that is asked all the time does not grow", async () => {
  const seen = await soak({ time: LONG ? 600_000 : 1000, what: "demo", samples: LONG ? 120 : 2 });
  assert.ok(seen.every((bytes) => bytes > 50 << 20 && bytes < 2 ** 30), seen.join());
  if (LONG) assert.ok(growthOf(seen) <= 0.02, `${growthOf(seen)}: ${seen.join()}`);
});

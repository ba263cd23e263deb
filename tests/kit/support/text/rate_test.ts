// How fast long work goes.

import assert from "node:assert/strict";
import { Rate } from "../../../../src/kit/support/text/rate.ts";

Deno.test("work that goes back to an earlier part has a rate and an end again, never negative ones", () => {
  const { now } = performance;
  let time = 0;
  performance.now = () => time;
  try {
    assert.equal(new Rate("ns").of(160_000, 1_000_000), "0.2ms of 1.0ms");
    const rate = new Rate("instructions");
    const at = (ms: number, done: number) => {
      time = ms;
      return rate.of(done, 1000);
    };
    assert.equal(at(0, 400), "400 of 1000 instructions");
    assert.equal(at(1000, 600), "600 of 1000 instructions, 200/s, 2 s left");
    assert.equal(at(1100, 100), "100 of 1000 instructions");
    assert.equal(at(2100, 400), "400 of 1000 instructions, 300/s, 2 s left");
  } finally {
    performance.now = now;
  }
});

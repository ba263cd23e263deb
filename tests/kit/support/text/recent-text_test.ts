// The text of `--expect` and of a scenario's expectations, of a guest that prints without end.

import assert from "node:assert/strict";
import { LinearRegex } from "../../../../src/kit/support/text/linear-regex.ts";
import { RecentText } from "../../../../src/kit/support/text/recent-text.ts";
import { KiB, MiB } from "../../../../src/kit/support/values/sizes.ts";
import { cpuTime } from "../../../support/cpu-time.ts";

Deno.test("a pattern is found over the borders of parts, once, and text before it is gone", () => {
  const text = new RecentText(8), o = new LinearRegex("o+", "m");
  text.add("lo");
  text.add("ok to");
  assert.deepEqual([text.take(o), text.take(o)], ["oo", "o"]);
  text.add("gin foo ");
  assert.deepEqual([text.take(new LinearRegex("gin", "m")), text.take(o), text.take(o)], ["gin", "oo", undefined]);
  assert.equal(text.tail(3), " ");
});

Deno.test("text without end takes the memory of its last part, and each character is copied a few times", () => {
  const text = new RecentText(64 * KiB), part = "y".repeat(1000), begun = cpuTime();
  const before = Deno.memoryUsage().heapUsed;
  // The least of the second half: what is held throughout, whenever garbage was last collected.
  let held = Infinity;
  for (let length = 0; length < 256 * MiB; length += part.length) {
    text.add(part);
    if (length > 128 * MiB) held = Math.min(held, Deno.memoryUsage().heapUsed - before);
  }
  const took = cpuTime() - begun;
  assert.ok(held < 64 * MiB, `${held} bytes of heap`);
  assert.ok(took < 5000, `${took} ms of CPU time`);
  assert.equal(text.tail(1 << 20).length <= 128 * KiB, true);
  text.add("z".repeat(4 * MiB));
  assert.equal(text.tail(1 << 20), "z".repeat(64 * KiB));
});

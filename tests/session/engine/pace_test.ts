import assert from "node:assert/strict";
import { Pace } from "../../../src/session/engine/pace.ts";

Deno.test("idle time adds up until it is worth a sleep", () => {
  const pace = new Pace();
  pace.idle(1.5e6);
  assert.equal(pace.nextSleep(), 0);
  pace.idle(1e6);
  assert.equal(pace.nextSleep(), 2.5e6);
  assert.equal(pace.nextSleep(), 0);
});

Deno.test("a wait that is left out lasts as long as on the host's clock, whatever sleeps and runs last", () => {
  const pace = new Pace();
  let now = 500, spared = 0, slept = 0;
  pace.ran(0, 1e6, now);
  const began = now;
  // 400 ms in runs of 1 ms of virtual time; a run takes 0.1 ms, a sleep 1.3 ms more than it should.
  for (let run = 0; run < 400; run++) {
    pace.ran(spared += 1e6, 1e6, now += 0.1);
    const sleep = pace.nextSleep() / 1e6;
    if (sleep) slept++;
    now += sleep && sleep + 1.3;
  }
  assert.ok(Math.abs(now - began - 400) < 5, `${now - began} ms`);
  assert.ok(slept > 50);
});

Deno.test("two CPUs that wait at once wait for the same time", () => {
  const pace = new Pace();
  pace.ran(0, 0, 7);
  pace.ran(30e6, 10e6, 8);
  assert.equal(pace.nextSleep(), 10e6);
});

Deno.test("nothing is owed by a machine that executes all, is in a hurry, or is another one", () => {
  const pace = new Pace();
  pace.ran(0, 50e6, 3);
  assert.equal(pace.nextSleep(), 0);
  pace.hurried(90e6);
  pace.ran(95e6, 50e6, 3);
  assert.equal(pace.nextSleep(), 5e6);
  pace.ran(4e6, 50e6, 8);
  assert.equal(pace.nextSleep(), 0, "the core of a past");
  pace.ran(8e6, 50e6, 100);
  assert.equal(pace.nextSleep(), 4e6, "what it has lost before a wait it does not make up for");
});

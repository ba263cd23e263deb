import assert from "node:assert/strict";
import fc from "fast-check";
import { EventQueue } from "../../../src/machine/hardware/events.ts";

Deno.test("events happen in order of time, and those of one time in the order they were made", () => {
  fc.assert(fc.property(fc.array(fc.nat(20)), (times) => {
    const queue = new EventQueue();
    const happened: [number, number][] = [];
    times.forEach((at, made) => queue.schedule(at, () => happened.push([at, made])));
    queue.runDue(20);
    const expected = times.map((at, made): [number, number] => [at, made]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    assert.deepEqual(happened, expected);
    assert.equal(queue.next, Infinity);
  }));
});

Deno.test("an event that is not due waits", () => {
  const queue = new EventQueue();
  let happened = 0;
  queue.schedule(10, () => happened++);
  queue.runDue(9);
  assert.equal(happened, 0);
  assert.equal(queue.next, 10);
  queue.runDue(10);
  assert.equal(happened, 1);
});

Deno.test("a cancelled event neither happens nor counts as the next one", () => {
  const queue = new EventQueue();
  const first = queue.schedule(5, () => assert.fail("it was cancelled"));
  queue.schedule(7, () => {});
  first.cancel();
  assert.equal(queue.next, 7);
  queue.runDue(100);
});

Deno.test("an event may schedule another for the same time", () => {
  const queue = new EventQueue();
  const happened: string[] = [];
  queue.schedule(3, () => {
    happened.push("first");
    queue.schedule(3, () => happened.push("second"));
  });
  queue.runDue(3);
  assert.deepEqual(happened, ["first", "second"]);
});

Deno.test("events that are cancelled again and again do not pile up", () => {
  const queue = new EventQueue();
  let done = 0;
  queue.schedule(2_000_000, () => done++);
  for (let at = 1_000_000; at > 0; at--) queue.schedule(at, () => done++).cancel();
  assert.ok(queue.length < 1_000);
  assert.equal(queue.next, 2_000_000);
  queue.runDue(2_000_000);
  assert.equal(done, 1);
});

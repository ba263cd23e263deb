// Times in which a log did not record events that it recorded later.

import assert from "node:assert/strict";
import { type RunPoint, TRACE_KINDS } from "../../../../src/machine/abi/trace.ts";
import { TraceHub } from "../../../../src/machine/hypervisor/trace/trace-hub.ts";
import { EventLog } from "../../../../src/session/inspection/trace/event-log.ts";

const ALL = new Set(TRACE_KINDS);

/** A machine whose clock the test sets. */
function machine() {
  const clock = { time: 0 };
  const point = (): RunPoint => ({ boundary: clock.time, stage: "turn", retired: clock.time, steps: clock.time });
  return { clock, point, log: new EventLog(new TraceHub(() => clock.time, point)) };
}

Deno.test("a log says since when a kind was not recorded once it is, and when only some of its events were", () => {
  const { clock, log } = machine();
  clock.time = 100;
  log.watch(["hvc", "virq"], 8);
  assert.deepEqual(log.unrecorded(ALL), (["hvc", "virq"] as const).map((kind) => ({ from: 0, to: 100, kind, some: false })));
  clock.time = 250;
  log.watch(["hvc", "sched"]);
  assert.deepEqual(log.unrecorded(ALL).slice(2), [
    { from: 100, to: 250, kind: "hvc", some: true },
    { from: 0, to: 250, kind: "sched", some: false },
  ]);
  assert.deepEqual(log.unrecorded(new Set(["virq", "mem"] as const)), [{ from: 0, to: 100, kind: "virq", some: false }]);
  const known = log.unrecorded(ALL);
  clock.time = 300;
  log.watch(["hvc", "sched"], 8);
  log.watch(["hvc", "sched"]);
  assert.deepEqual(log.unrecorded(ALL), known, "no time was between");
  log.watch([]);
  clock.time = 400;
  assert.deepEqual(log.unrecorded(ALL), known, "what is not recorded now is not between two events");
  log.watch(["hvc"]);
  assert.deepEqual(log.unrecorded(ALL).at(-1), { from: 300, to: 400, kind: "hvc", some: false });
  for (let visit = 0; visit < 300; visit++) {
    log.watch([]);
    clock.time++;
    log.watch(["hvc"]);
  }
  assert.equal(log.unrecorded(ALL).length, 200, "the newest are kept");
});

Deno.test("the log of a place in the past lacks what the first run's log lacks until there", () => {
  const first = machine(), again = machine();
  for (const [time, kinds] of [[100, ["hvc"]], [200, []], [300, ["hvc"]], [400, []], [500, ["hvc"]]] as const) {
    first.clock.time = time;
    first.log.watch(kinds);
  }
  const began = first.log.remember();
  again.clock.time = 50;
  again.log.recall(began);
  again.clock.time = 350;
  again.log.follow(first.log, began, again.point());
  again.log.watch(["hvc"]);
  assert.deepEqual(again.log.unrecorded(ALL).map(({ from, to }) => [from, to]), [[0, 100], [200, 300]]);
  again.log.watch([]);
  again.clock.time = 450;
  again.log.follow(first.log, began, again.point());
  again.clock.time = 470;
  again.log.watch(["hvc"]);
  assert.deepEqual(again.log.unrecorded(ALL).map(({ from, to }) => [from, to]), [[0, 100], [200, 300], [400, 470]], "one is under way");
});

Deno.test("the log of another machine at this place lacks what this one's lacks, and says so once it records", () => {
  const first = machine(), second = machine();
  first.clock.time = 100;
  first.log.watch(["hvc"]);
  first.log.watch(["hvc", "virq"], 8);
  first.clock.time = 300;
  first.log.watch(["virq"]);
  second.clock.time = first.clock.time = 500;
  second.log.recall(first.log.remember());
  assert.deepEqual(second.log.unrecorded(ALL), first.log.unrecorded(ALL));
  second.clock.time = 600;
  second.log.watch(["hvc", "virq", "sched"]);
  assert.deepEqual(second.log.unrecorded(ALL).slice(-3), [
    { from: 300, to: 600, kind: "hvc", some: false },
    { from: 500, to: 600, kind: "virq", some: false },
    { from: 0, to: 600, kind: "sched", some: false },
  ]);
});

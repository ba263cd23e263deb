// The events that a session keeps while its machine goes back and repeats its run.

import assert from "node:assert/strict";
import type { RunPoint } from "../../../../src/machine/abi/trace.ts";
import { TraceHub } from "../../../../src/machine/hypervisor/trace/trace-hub.ts";
import { EventLog } from "../../../../src/session/inspection/trace/event-log.ts";

/** A machine that only emits `dev` events, one per nanosecond. */
function machine() {
  let time = 0;
  const point = (): RunPoint => ({ boundary: time, stage: "turn", retired: time, steps: time });
  const hub = new TraceHub(() => time, point);
  return {
    log: new EventLog(hub),
    point,
    runTo(end: number) {
      while (time < end) hub.event("dev", `event ${++time}`, {});
    },
    goTo: (place: number) => void (time = place),
  };
}

const quiet = new Set(["dev"] as const);

for (const way of [50, 25_000]) {
  Deno.test(`a way of ${way} events that is run again has the events of the first time`, () => {
    const first = machine();
    first.runTo(100);
    const began = first.log.remember();
    first.runTo(100 + way);
    const again = machine();
    again.goTo(100);
    again.log.recall(began);
    again.runTo(90 + way);
    again.log.follow(first.log, began, again.point());
    const names = [...again.log.newest(quiet)].map(({ name }) => name);
    assert.equal(names.length, Math.min(20_000, 90 + way));
    assert.equal(names[0], `event ${90 + way}`);
    assert.equal(names.at(-1), `event ${Math.max(1, 91 + way - 20_000)}`);
  });
}

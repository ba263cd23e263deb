// How far a replay goes, with and without an end.

import assert from "node:assert/strict";
import type { RecordedRun } from "../../../../src/model/plans/recorded-run.ts";
import { Replay } from "../../../../src/session/recordings/runs/replay.ts";

const INPUT = { at: 100, settled: false, input: { kind: "console", console: "hello", bytes: new Uint8Array(1) } } as const;
const check = (at: number) => ({ at, check: { instructions: at, registers: "00" } });

/** The virtual time at which a replay that nothing else ends is finished. */
function endOf(recording: Pick<RecordedRun, "inputs" | "checks">, verify: boolean): number {
  const replay = new Replay({ recording: { ...recording, end: undefined } as RecordedRun, verify, to: undefined });
  for (let now = 0;; now = replay.next) {
    assert.ok(Number.isFinite(now), "it runs on");
    while (replay.takeInput(now)) { /* it enters */ }
    while (replay.compare(now, () => recording.checks.find(({ at }) => at === now)!.check)) assert.fail("it differs");
    if (replay.finished(now)) return now;
  }
}

for (const verify of [false, true]) {
  Deno.test(`a recording that was cut off is replayed up to its last line${verify ? ", and compared there" : ""}`, () => {
    assert.equal(endOf({ inputs: [INPUT], checks: [check(50), check(700)] }, verify), 700);
    assert.equal(endOf({ inputs: [INPUT], checks: [check(50)] }, verify), 100);
    assert.equal(endOf({ inputs: [], checks: [check(30)] }, verify), 30);
    assert.equal(endOf({ inputs: [], checks: [] }, verify), 0);
  });
}

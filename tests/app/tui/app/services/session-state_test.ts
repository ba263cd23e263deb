// Row 1 of a session.

import assert from "node:assert/strict";
import { SessionState } from "../../../../../src/app/tui/app/services/session-state.ts";

Deno.test("the speed of an idle session is 1 from its first two pictures on, however old the first was when it was heard", () => {
  let heard = 5000;
  const state = new SessionState(() => heard, () => {});
  const sample = (seconds: number) => ({
    ...{ time: seconds * 1e9, wall: 1000 * seconds, instructions: 0, reasons: 0, mips: 0, physicalCpus: 1, translator: undefined, vms: [] },
  });
  // The first was made 4 s before a client attached.
  state.apply({ kind: "sample", sample: sample(1) });
  heard += 100;
  state.apply({ kind: "sample", sample: sample(5.1) });
  assert.equal(state.speed?.toFixed(2), "1.00");
});

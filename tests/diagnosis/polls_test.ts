// Guests that poll a register: of a serial port, a clock, fw_cfg, the GIC, a timer. A poll that
// nothing can end any more is told soon, and the same at each later instant. One that something may
// end is a wait: a timer that is due later, a message, input from outside.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { fits } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { BROKEN_POLLS, HEALTHY_POLLS, type Poll, pollText } from "./polls.ts";
import { saidSoon } from "./soon.ts";
import { casesOfRun, LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 2;
/** Virtual time (ns) for which healthy ones are asked, and between two questions. */
const HEALTHY_FOR = LONG ? 2e9 : 5e7, ASKED = LONG ? 1.3e5 : 2.6e6;

const folder = await Deno.makeTempDir({ prefix: "el2-polls-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function system(poll: Poll): Promise<GuestSystem> {
  await assembleGuest(folder, "x", poll.source);
  return demoSystem(pollText("x", poll), undefined, folder);
}

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];

const BROKEN = casesOfRun(BROKEN_POLLS, [
  "the busy flag of a serial port to rise",
  "the byte after the last one of an item",
  "the alarm of a clock that it has not set",
  "the condition of a timer that is off",
  "an interrupt of a timer that is masked",
  "a shared interrupt that nothing raises",
  "an interrupt to acknowledge, of which none is enabled",
]);
const HEALTHY = casesOfRun(HEALTHY_POLLS, [
  "a serial port for input",
  "the alarm of a clock that is to ring",
  "a timer in turns",
  "interrupts, which it acknowledges with PSTATE.I set",
  "an SGI that another CPU sends later",
]);

for (const [name, poll] of BROKEN) {
  Deno.test(`told: a guest that polls for ${name}`, async () => {
    const machine = await saidSoon(() => system(poll), "x"), row = verdictOf(machine);
    assert.ok(!row.healthy && row.fact.code === poll.code, `${row.text}\n${row.evidence.join("\n")}`);
    const found = row.because.find(({ code }) => code === "reads-register");
    assert.ok(fits(found, { register: poll.register, ...poll.of ? { of: poll.of } : {} }), row.evidence.join("\n"));
    const [, bit] = /\ntbz \w+, #(\d+), 1b/.exec(poll.source) ?? [];
    if (bit !== undefined) assert.ok(fits(found, { until: { is: "bit", bit: Number(bit), value: 1 } }), row.evidence.join("\n"));
    assert.ok(row.way_out !== null, `${row.text} has no way out`);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOf(now).fact, INSTANTS);
  });
}

for (const [name, poll] of HEALTHY) {
  Deno.test(`healthy: a guest that polls ${name}`, async () => {
    const machine = await system(poll);
    for (let time = 1e7; time < HEALTHY_FOR; time += ASKED) {
      runUntil(machine, time);
      assertHealthy(machine);
    }
    assert.deepEqual([machine.broken(), machine.ended()], [[], undefined]);
    assert.ok(verdictOf(machine).because.every(({ code }) => code !== "unanswered"), verdictOf(machine).evidence.join("\n"));
  });
}

// Guests that poll a register: of a serial port, a clock, fw_cfg, the GIC, a timer. A poll that
// nothing can end any more is told soon, and the same at each later instant. One that something may
// end is a wait: a timer that is due later, a message, input from outside.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { fits } from "./class-guests.ts";
import { assertHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { BROKEN_POLLS, HEALTHY_POLLS, type Poll, pollText } from "./polls.ts";
import { saidSoon } from "./soon.ts";
import { LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 4;
/** Virtual time (ns) for which healthy ones are asked, and between two questions. */
const HEALTHY_FOR = LONG ? 2e9 : 8e7, ASKED = LONG ? 1.3e5 : 1.3e6;

const folder = await Deno.makeTempDir({ prefix: "el2-polls-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function system(poll: Poll): Promise<GuestSystem> {
  await assembleGuest(folder, "x", poll.source);
  return demoSystem(pollText("x", poll), undefined, folder);
}

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];

for (const [name, poll] of Object.entries(BROKEN_POLLS)) {
  Deno.test(`told: a guest that polls for ${name}`, async () => {
    const machine = await saidSoon(() => system(poll), "x"), row = verdictOf(machine);
    assert.ok(!row.healthy && row.fact.code === poll.code, `${row.text}\n${row.evidence.join("\n")}`);
    const found = row.because.find(({ code }) => code === "reads-register");
    assert.ok(fits(found, { register: poll.register, ...poll.of ? { of: poll.of } : {} }), row.evidence.join("\n"));
    assert.ok(row.way_out !== null, `${row.text} has no way out`);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOf(now).fact, INSTANTS);
  });
}

for (const [name, poll] of Object.entries(HEALTHY_POLLS)) {
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

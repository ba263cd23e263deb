// Mistakes of bare-metal guests that are none of the classes are reported soon, and the same at
// each later instant; guests that look like them and make no mistake are healthy.

import assert from "node:assert/strict";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { fits } from "./class-guests.ts";
import { runHealthy } from "./healthy.ts";
import { assertLasting } from "./lasting.ts";
import { saidSoon } from "./soon.ts";
import { BROKEN_STRANGE, HEALTHY_STRANGE, type Strange, strangeText } from "./strange-guests.ts";
import { casesOfRun, LONG } from "../support/long.ts";

const INSTANTS = LONG ? 1000 : 2;
/** Virtual time (ns) for which healthy ones are looked at. */
const HEALTHY_FOR = LONG ? 2e9 : 5e7;

const folder = await Deno.makeTempDir({ prefix: "el2-strange-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

async function system(strange: Pick<Strange, "source" | "keys">): Promise<GuestSystem> {
  await assembleGuest(folder, "x", strange.source);
  return demoSystem(strangeText("x", strange), undefined, folder);
}

const verdictOf = (system: GuestSystem) => rows(system, "diagnose", { filter: "id=vm:x" })[0];

const BROKEN = casesOfRun(BROKEN_STRANGE, [
  "acknowledges an interrupt and never ends it",
  "drops the priority and never deactivates",
  "sets its timer to a time that never comes",
  "sends its SGI as one of group 0",
  "starts a CPU that it does not have, again and again",
  "waits for a CPU that has powered itself off",
  "returns to EL0 where no memory is, each time",
  "drives a GICv2's CPU interface",
]);
const HEALTHY = casesOfRun(HEALTHY_STRANGE, [
  "ends what it acknowledges",
  "polls its timer",
  "was refused a CPU, and does without",
  "sends its SGI as one of group 1",
]);

for (const [name, strange] of BROKEN) {
  Deno.test(`told: a guest that ${name}`, async () => {
    const machine = await saidSoon(() => system(strange), "x"), row = verdictOf(machine);
    assert.ok(!row.healthy && fits(row.fact, strange.fact), `${row.text}\n${JSON.stringify(row.fact)}`);
    for (const line of strange.because ?? []) {
      assert.ok(row.because.some((one) => fits(one, line)), JSON.stringify({ line, of: row.because }));
    }
    if (row.fact.code === "lost" && row.fact.finding.code === "unended") {
      const [irq] = rows(machine, "irq.ls", { filter: `id=${row.fact.irq}` });
      assert.deepEqual(irq.fact, row.fact.finding, "el2 show has the same finding");
    }
    assert.ok(row.way_out !== null, `${row.text} has no way out`);
    assert.ok(machine.broken().some((text) => text.startsWith("x: ")), "a run would not fail");
    assertLasting(machine, (now) => verdictOf(now).fact, INSTANTS);
  });
}

for (const [name, strange] of HEALTHY) {
  Deno.test(`healthy: a guest that ${name}`, async () => {
    const machine = await system(strange);
    runHealthy(machine, HEALTHY_FOR);
    assert.deepEqual(machine.broken(), []);
  });
}

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { savedPlan, savedStart } from "../../../src/model/plans/saved-plan.ts";
import { beginSystem } from "../../../src/session/snapshots/begin.ts";
import { writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { staleClock } from "../../../src/session/snapshots/stale-clock.ts";
import { bootPlan } from "./systems.ts";

const at = async (clock: number | undefined, startsNow?: boolean): Promise<SessionPlan> => {
  const plan = await bootPlan();
  return { ...plan, what: { ...plan.what, clock, startsNow } as SessionPlan["what"] };
};

Deno.test("a clock that started with the computer's time says how far it is behind, any other says nothing", async () => {
  const start = Date.parse("2026-11-21T15:25:18Z") / 1000, after = (seconds: number) => 1000 * (start + seconds);
  const behind = (plan: SessionPlan, time: number, now: number) => staleClock(savedStart(savedPlan(plan, "machine")), time, now);
  const plan = await at(start, true), minute = 60e9, days = behind(plan, minute, after(5 * 86_400 + 7200));
  assert.equal(days, "the guest's clock is 5 days behind: it continues at 2026-11-21T15:26:18Z; set it in the guest with date -s");
  assert.match(behind(plan, 0, after(3600))!, /is 1 hour behind/);
  assert.match(behind(plan, 0, after(180))!, /is 3 minutes behind/);
  assert.equal(behind(plan, minute, after(119)), undefined);
  assert.equal(behind(plan, 10 * minute, after(0)), undefined, "ahead of the computer");
  assert.equal(behind(await at(start), 0, after(86_400)), undefined, "a time that the user chose");
  assert.equal(behind(await at(undefined), 0, after(86_400)), undefined, "no clock");
});

Deno.test("a machine that begins with a snapshot of yesterday says so once on stderr", async () => {
  const plan = await at(Math.floor(Date.now() / 1000) - 86_400, true), path = await Deno.makeTempFile({ prefix: "el2-clock-" });
  const said: string[] = [], error = console.error;
  console.error = (line: string) => said.push(line);
  try {
    for (const _part of writeSnapshot(path, snapshotOf(assemble(plan) as GuestSystem, plan, "x")));
    assert.ok("system" in beginSystem({ ...plan, from: { path, spare: false, bytes: Deno.readFileSync(path) } }));
  } finally {
    console.error = error;
    await Deno.remove(path);
  }
  assert.equal(said.length, 1);
  assert.match(said[0], /^el2: the guest's clock is 1 day behind: /);
});

// The cost of the screens of what happens while nearly nothing does: process CPU of the demo at
// rest, its session and a client together, while one of them is shown.

import { setTimeout as sleep } from "node:timers/promises";
import { cpuUsage } from "node:process";
import { planDemo } from "../src/app/configuration/plan-run.ts";
import { CountingTerminal, openSession, sessionPlan, showOn } from "./busy-demo.ts";

/** The keys of the screens that record most. */
export const RECORDING_SCREENS = ["8", "9"] as const;
/** Wall time before a measurement, ms: the first log of events grows. */
const WARM_UP = 20_000;
/**
 * Wall time of one: that between two looks at garbage (kit/support/computer/garbage.ts), each of
 * which may cost as much as seconds of a screen. Half of it would have all of a look, or none.
 */
const MEASURED = 60_000;

/** Shares of a core, by screen. */
export type IdleCost = Readonly<Record<(typeof RECORDING_SCREENS)[number], number>>;

export async function measureIdle(): Promise<IdleCost> {
  const { client, hub } = openSession(), terminal = new CountingTerminal(120, 40);
  const shown = showOn(terminal, hub.connect());
  client.send({ kind: "start", plan: sessionPlan(await planDemo()) });
  const cost = { 8: 0, 9: 0 };
  for (const key of RECORDING_SCREENS) {
    terminal.type(key);
    await sleep(WARM_UP);
    const before = cpuUsage(), began = performance.now();
    await sleep(MEASURED);
    const { user, system } = cpuUsage(before);
    cost[key] = (user + system) / 1e3 / (performance.now() - began);
  }
  terminal.end();
  await shown;
  hub.close();
  return cost;
}

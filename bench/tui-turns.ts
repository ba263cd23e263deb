// Cost of the TUI in the machine's own thread: guest instructions per CPU second with a screen and
// without one, in turns on one machine. Two machines would differ by more than the screen costs:
// each has its own luck with what V8 compiles when, and where it lies.
//
// A busy demo sleeps 97 % of the time, and the ratios of pairs differ by 0.17 (a cold cache, a
// faster clock): one says little, the median of fifty is good to 3 %. Drift while a machine warms
// up favors neither kind: in every other pair the turn with the screen comes first.

import { setTimeout as sleep } from "node:timers/promises";
import { busyPlan, CountingTerminal, grown, openSession, showOn, workerTimes } from "./busy-demo.ts";

/**
 * Wall time (ms): until the machine runs steadily, until a screen that came or went has settled,
 * and of one turn.
 */
const WARM_UP = 10_000;
const SETTLED = 1500;
const TURN = 6000;

/**
 * Turns of one machine: how many times as many instructions a CPU second it retires with a screen
 * as without, for each pair of turns.
 * @param computing an image that computes, as one more VM
 */
export async function measureTurns(pairs: number, computing?: string): Promise<number[]> {
  const { client, hub, asker } = openSession();
  const look = async () => ({ instructions: Number((await asker.ask({ table: "vcpu.ls", args: {} })).at.insn), workers: workerTimes() });
  const turn = async () => {
    await sleep(SETTLED);
    const before = await look();
    await sleep(TURN);
    const after = await look();
    return (after.instructions - before.instructions) / grown(before.workers, after.workers);
  };
  client.send({ kind: "start", plan: await busyPlan(computing) });
  await sleep(WARM_UP);
  const shownTurn = async () => {
    const terminal = new CountingTerminal(), connection = hub.connect();
    const shown = showOn(terminal, connection);
    const rate = await turn();
    terminal.end();
    await shown;
    connection.close();
    return rate;
  };
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const before = pair % 2 ? await shownTurn() : undefined;
    const bare = await turn();
    ratios.push((before ?? await shownTurn()) / bare);
  }
  hub.close();
  return ratios;
}

// What the TUI costs the machine's own thread: guest instructions a CPU second with a screen beside those without one, in turns on one
// machine. Two machines would differ by more than the screen costs: each has its own luck with what V8 compiles when, and where it lies.

import { setTimeout as sleep } from "node:timers/promises";
import { busyPlan, CountingTerminal, grown, openSession, showOn, workerTimes } from "./busy-demo.ts";

/** Wall time (ms): until the machine runs as it goes on, until a screen that came or went has settled, and of one turn. */
const WARM_UP = 4000;
const SETTLED = 1000;
const TURN = 3000;

/**
 * Turns of one machine: how many times as many instructions a CPU second it retires with a screen as without, for each pair of turns.
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
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const bare = await turn();
    const terminal = new CountingTerminal(), connection = hub.connect();
    const shown = showOn(terminal, connection);
    const tui = await turn();
    terminal.end();
    await shown;
    connection.close();
    ratios.push(tui / bare);
  }
  hub.close();
  return ratios;
}

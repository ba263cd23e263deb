// Cost of the TUI in the machine's own thread: guest instructions per CPU second with a screen and
// without one. Two equal machines run in the same seconds, one with a screen: what slows the
// computer for a moment slows both. Then the screen changes to the other, so that the luck of one
// machine with what V8 compiles, and where it lies, counts once for the screen and once against it.

import { setTimeout as sleep } from "node:timers/promises";
import { busyPlan, CountingTerminal, grown, openSession, showOn, workerTimes } from "./busy-demo.ts";

/**
 * Wall time (ms): until the machines run steadily, until a screen that came or went has settled,
 * and of one turn.
 */
const WARM_UP = 10_000;
const SETTLED = 1500;
const TURN = 6000;
/** The machine with a screen, and the one without. */
export const MACHINES_PER_TURN = 2;

/** A busy machine and its threads. */
interface Machine {
  readonly session: ReturnType<typeof openSession>;
  /** Ids of its threads. */
  readonly threads: ReadonlySet<string>;
}

/** Starts a machine, and waits until it has answered: its thread exists then. */
async function startMachine(computing: string | undefined): Promise<Machine> {
  const before = workerTimes();
  const session = openSession();
  session.client.send({ kind: "start", plan: await busyPlan(computing) });
  await instructionsOf(session);
  return { session, threads: new Set([...workerTimes().keys()].filter((id) => !before.has(id))) };
}

/** Guest instructions retired so far. */
async function instructionsOf({ asker }: Machine["session"]): Promise<number> {
  return Number((await asker.ask({ table: "vcpu.ls", args: {} })).at.insn);
}

/** The instructions and CPU seconds of a machine so far. */
async function look({ session, threads }: Machine) {
  const instructions = await instructionsOf(session);
  return { instructions, times: new Map([...workerTimes()].filter(([id]) => threads.has(id))) };
}

/** How many times as many instructions per CPU second a machine retires in a turn as the other. */
async function turn(shown: Machine, bare: Machine): Promise<number> {
  const terminal = new CountingTerminal(), connection = shown.session.hub.connect();
  const left = showOn(terminal, connection);
  await sleep(SETTLED);
  const before = [await look(shown), await look(bare)];
  await sleep(TURN);
  const after = [await look(shown), await look(bare)];
  terminal.end();
  await left;
  connection.close();
  const [first, second] = after.map(({ instructions, times }, index) =>
    (instructions - before[index].instructions) / grown(before[index].times, times)
  );
  return first / second;
}

/**
 * Pairs of turns, with the screen on one machine and then on the other: for each pair how many
 * times as many instructions per CPU second a machine retires with a screen as without.
 * @param computing an image that computes, as one more VM
 */
export async function measureTurns(pairs: number, computing?: string): Promise<number[]> {
  const first = await startMachine(computing), second = await startMachine(computing);
  await sleep(WARM_UP);
  const ratios: number[] = [];
  for (let pair = 0; pair < pairs; pair++) ratios.push(Math.sqrt(await turn(first, second) * await turn(second, first)));
  first.session.hub.close();
  second.session.hub.close();
  return ratios;
}

// Cost of the overview of the busy machine on a link: bytes per frame at three sizes of the
// terminal, in direct color (docs/design/look.md §7). One more VM computes without end: each
// picture of the machine differs from the one before.

import { setTimeout as sleep } from "node:timers/promises";
import { busyPlan, CountingTerminal, openSession, showOn } from "./busy-demo.ts";

/** Sizes of terminals. The goals are 200, 700 and 1,600 bytes per frame. */
const SIZES = [[80, 24], [120, 36], [200, 60]] as const;

/** Wall time (ms): until what is drawn once is drawn, and of a measurement. */
const SETTLED = 5000;
const MEASURED = 20_000;

/** Most frames per second for a slow link. */
const FRAMES_A_SECOND = 10;

/** Output at a size. */
export interface FrameBytes {
  readonly columns: number;
  readonly rows: number;
  /** Of ten frames per second: one in which nothing changes has none. */
  readonly bytesPerFrame: number;
  /** Of the frames that were written. */
  readonly bytesPerWrittenFrame: number;
  /** Bytes of 1.5 s in which the machine was paused. */
  readonly paused: number;
}

/**
 * Shows one busy machine in terminals of all sizes at once, in direct color.
 * @param computing an image that computes
 */
export async function measureBytes(computing: string): Promise<FrameBytes[]> {
  const { client, hub } = openSession();
  const shown = SIZES.map(([columns, rows]) => {
    const terminal = new CountingTerminal(columns, rows);
    return { columns, rows, terminal, left: showOn(terminal, hub.connect(), { depth: "direct", slowLink: true }) };
  });
  client.send({ kind: "start", plan: await busyPlan(computing) });
  await sleep(SETTLED);
  const counts = () => shown.map(({ terminal: { bytes, frames } }) => ({ bytes, frames }));
  const before = counts();
  await sleep(MEASURED);
  const after = counts();
  client.send({ kind: "pause" });
  await sleep(1000);
  const paused = counts();
  await sleep(1500);
  const still = counts();
  for (const { terminal, left } of shown) {
    terminal.end();
    await left;
  }
  hub.close();
  return shown.map(({ columns, rows }, index) => {
    const bytes = after[index].bytes - before[index].bytes, frames = after[index].frames - before[index].frames;
    return {
      ...{ columns, rows },
      bytesPerFrame: bytes / (MEASURED / 1000 * FRAMES_A_SECOND),
      bytesPerWrittenFrame: bytes / Math.max(frames, 1),
      paused: still[index].bytes - paused[index].bytes,
    };
  });
}

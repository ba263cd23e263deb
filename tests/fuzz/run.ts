// Inputs of a kind, one after the other in one process: each is accepted, or refused with a
// message; none ends in another exception, takes a second, or memory beyond its plan. A failure
// names kind and seed: EL2_FUZZ=KIND:SEED runs that one alone.

import assert from "node:assert/strict";
import { MiB } from "../../src/support/sizes.ts";
import { cpuTime } from "../support/cpu-time.ts";
import { Random } from "../support/random.ts";

export const LONG = Deno.env.get("EL2_LONG") !== undefined;
/** Gives an input to what reads it: returns where that takes it, throws where it refuses. */
export type Kind = (random: Random) => unknown;

/** Inputs of a kind. */
const ROUNDS = LONG ? 50_000 : 500;
const MOST_CPU_MS = 1000;
const MOST_MEMORY = 256 * MiB;

const memory = () => Deno.memoryUsage().rss;

/**
 * A test of a kind of input.
 * @param isRefusal an error with one of el2's messages
 * @param prepare work that no input counts
 */
export function fuzzTest(
  name: string,
  read: Kind,
  isRefusal: (error: unknown) => boolean,
  rounds = ROUNDS,
  prepare: () => Promise<unknown> = () => Promise.resolve(),
): void {
  Deno.test(`fuzz: ${name}: accepted, or refused with a message`, async () => {
    const wanted = Deno.env.get("EL2_FUZZ");
    const [, only] = new RegExp(`^${name}:(\\d+)$`).exec(wanted ?? "") ?? [];
    if (wanted !== undefined && only === undefined) return;
    await prepare();
    let accepted = 0;
    for (let seed = Number(only ?? 0); seed < (only ? Number(only) + 1 : rounds); seed++) {
      const random = new Random(seed), begun = cpuTime(), before = memory();
      try {
        await read(random);
        accepted++;
      } catch (error) {
        if (!isRefusal(error)) throw new Error(`EL2_FUZZ="${name}:${seed}": ${error instanceof Error ? error.stack : error}`);
        assert.ok((error as Error).message.length > 0);
      }
      const took = cpuTime() - begun;
      assert.ok(took < MOST_CPU_MS, `EL2_FUZZ="${name}:${seed}": ${took} ms of CPU time`);
      const grown = memory() - before;
      assert.ok(grown < MOST_MEMORY, `EL2_FUZZ="${name}:${seed}": ${Math.round(grown / MiB)} MiB more`);
    }
    if (only === undefined) assert.ok(accepted > 0 && accepted < rounds, `${accepted} of ${rounds} accepted`);
  });
}

// `deno task bench code`: kernels whose code changes as it runs, on el2 and on QEMU: a JIT compiler
// in a guest, code that patches itself, and data in the page of the code that writes to it. An
// emulator that throws a page's code away at each store falls far behind here.

import { type Figure, printDocument } from "./documents.ts";
import type { Contest } from "./ab.ts";
import { guestMips } from "./core-stats.ts";
import { buildGuest, measure, measureKernels, printKernels, printRounds, timesOf } from "./kernels.ts";
import { MACHINES } from "./machines.ts";

/** The ratio that is wanted of each kernel. */
const GOALS: Readonly<Record<string, number>> = { patch: 1.3, jit: 0.6, beside: 11 };

/** For `--ab`: milliseconds of each kernel. */
export const codeContest: Contest = async (folder) => {
  const kernel = await buildGuest("code", folder);
  return async () => timesOf((await measure("el2", kernel, false)).kernels);
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchCode(rounds: number, json: boolean): Promise<void> {
  const measured = await measureKernels("code", rounds);
  const { kernels, results, repeated, doubtful } = measured;
  if (json) {
    const { core, milliseconds } = results[rounds - 1].el2;
    const table = kernels.map(({ name, ratios }): Figure => ({ what: name, unit: "times", values: ratios, least: GOALS[name] }));
    const summary = { table, guest_mips: guestMips(core, milliseconds), core };
    printDocument({ schema: "el2.bench.code/1", rounds, repeated, doubtful, machines: MACHINES, kernels, ...summary });
    return;
  }
  printKernels(measured);
  printRounds(measured);
}

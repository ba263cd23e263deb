// `deno task bench core`: 18 bare-metal kernels, integer code, vectors and floating point, on el2
// and on QEMU.

import { type Figure, printDocument } from "./documents.ts";
import type { Contest } from "./ab.ts";
import { guestMips } from "./core-stats.ts";
import { buildGuest, measure, measureKernels, printKernels, printRounds, timesOf } from "./kernels.ts";
import { MACHINES, preferredTier } from "./machines.ts";
import { DEFAULT_TIER, type Tier } from "../src/cpu/core/tiers.ts";
import { geometricMean, median, withSpread } from "./statistics.ts";

/** The nine kernels that the bar of the integer core is set for. */
const CORE_KERNELS = ["matrix", "list", "state", "crc", "sha", "memcpy", "interp", "fib", "hash"] as const;

/** Those of AdvSIMD and floating point. */
const VECTOR_KERNELS = ["ncpy", "nxor", "narx", "fpmm"] as const;

/** Goals of the nine kernels together, of the worst of them, and of all, by the tier. */
const GOALS: Readonly<Partial<Record<Tier, { readonly core9: number; readonly worst?: number; readonly all18: number }>>> = {
  auto: { core9: 1.5, worst: 1, all18: 2.1 },
  interp: { core9: 0.36, all18: 0.5 },
};

/** For `--ab`: milliseconds of each kernel. */
export const coreContest: Contest = async (folder) => {
  const kernel = await buildGuest("core", folder);
  return async () => timesOf((await measure("el2", kernel, false)).kernels);
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchCore(rounds: number, json: boolean): Promise<void> {
  const measured = await measureKernels("core", rounds);
  const { kernels, results, repeated, doubtful } = measured;
  // One geomean per round, for its own spread.
  const overall = (names?: readonly string[]) => {
    const chosen = kernels.filter(({ name }) => names?.includes(name) ?? true);
    return results.map((_, round) => geometricMean(chosen.map(({ ratios }) => ratios[round])));
  };
  const core9 = overall(CORE_KERNELS), vector4 = overall(VECTOR_KERNELS), all18 = overall();
  const worst = kernels.filter(({ name }) => (CORE_KERNELS as readonly string[]).includes(name))
    .toSorted((a, b) => median(a.ratios) - median(b.ratios))[0];
  if (json) {
    const { core, milliseconds } = results[rounds - 1].el2;
    const goals = GOALS[preferredTier() ?? DEFAULT_TIER];
    const table: Figure[] = [
      { what: "nine kernels, geomean", unit: "times", values: core9, least: goals?.core9 },
      { what: `worst of the nine kernels (${worst.name})`, unit: "times", values: worst.ratios, least: goals?.worst },
      { what: `all ${kernels.length} kernels, geomean`, unit: "times", values: all18, least: goals?.all18 },
    ];
    const summary = { table, core9, vector4, all18, worst: worst.name, guest_mips: guestMips(core, milliseconds), core };
    printDocument({ schema: "el2.bench.core/2", rounds, repeated, doubtful, machines: MACHINES, kernels, ...summary });
    return;
  }
  printKernels(measured);
  console.log(`geomean of the 9 core kernels  ${withSpread(core9)}`);
  console.log(`geomean of the 4 vector ones   ${withSpread(vector4)}`);
  console.log(`geomean of all ${kernels.length}             ${withSpread(all18)}`);
  console.log(`worst of the core kernels      ${withSpread(worst.ratios)} ${worst.name}`);
  printRounds(measured);
}

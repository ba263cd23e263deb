// The suites' bare-metal programs on `el2 boot`: `mark` beside QEMU, and random instructions beside
// recorded digests; with EL2_LONG in each tier.

import assert from "node:assert/strict";
import { buildMark, buildRandomProgram } from "../../bench/suites/bare-metal.ts";
import { type Guest, type Machine, stopwatch } from "../../bench/machines.ts";
import { RANDOM_PROGRAM_DIGESTS } from "../../bench/suites/random-program.ts";
import { TIERS } from "../../src/cpu/core/tiers.ts";
import { inFolder } from "../support/temporary-folder.ts";
import { LONG } from "../support/long.ts";

/** How often `mark` does its work. */
const SCALE = LONG ? 8 : 1;
const SEEDS = LONG ? [...RANDOM_PROGRAM_DIGESTS.keys()] : [1];
/** Programs of phones sign pointers, and their pages are guarded. */
const PHONE = ["-march=armv8.6-a", "-mbranch-protection=standard"];
/** Architectures with these features, a core whose pointers QARMA5 signs, and a phone. */
const PHONE_CPUS = ["v8.6", "max", "a710", "sm8750"];
/** Seconds. */
const TIMEOUT = 900;
/** MiB. */
const MEMORY = 128;

async function output(machine: Machine, guest: Guest): Promise<string[]> {
  return (await stopwatch(machine, guest, TIMEOUT)).lines.map(({ text }) => text);
}

const checksums = (lines: string[]) => lines.filter((line) => line.startsWith("MARK ")).map((line) => line.replace(/us=\d+ /, ""));

if (LONG) {
  Deno.test("mark for Armv8.6 with branch protection computes the same checksums on CPUs that have it, in each tier", () =>
    inFolder(async (folder) => {
      const expected = checksums(await output("qemu", { kernel: await buildMark(folder, 1), memory: MEMORY }));
      assert.equal(expected.length, 13, expected.join("\n"));
      const kernel = await buildMark(folder, 1, PHONE);
      for (const cpu of PHONE_CPUS) {
        for (const tier of TIERS) {
          assert.deepEqual(checksums(await output("el2", { kernel, memory: MEMORY, tier, cpu })), expected, `${cpu}, ${tier}`);
        }
      }
    }));
}

Deno.test(`mark at scale ${SCALE} computes QEMU's checksums`, () =>
  inFolder(async (folder) => {
    const kernel = await buildMark(folder, SCALE);
    const expected = checksums(await output("qemu", { kernel, memory: MEMORY }));
    assert.equal(expected.length, 13, expected.join("\n"));
    // The interpreter would take minutes for the large scale, and shows nothing more by it.
    for (const tier of LONG ? TIERS.filter((tier) => tier !== "interp") : ["auto"] as const) {
      assert.deepEqual(checksums(await output("el2", { kernel, memory: MEMORY, tier })), expected, tier);
    }
  }));

Deno.test("random data-processing instructions leave the digests that QEMU's CPUs leave", () =>
  inFolder(async (folder) => {
    for (const seed of SEEDS) {
      const kernel = await buildRandomProgram(folder, seed);
      for (const tier of LONG ? TIERS : ["jit"] as const) {
        const lines = await output("el2", { kernel, memory: MEMORY, tier });
        const last = lines.filter((line) => line.startsWith("R ")).at(-1);
        assert.equal(last, `R 000000000000018f ${RANDOM_PROGRAM_DIGESTS.get(seed)}`, `seed ${seed}, ${tier}`);
      }
    }
  }));

// Suites that others wrote, as processes of a Debian guest, with EL2_LONG=1: Debian's programs
// beside QEMU, Berkeley TestFloat, QEMU's tests/tcg, and stress-ng with --verify.

import assert from "node:assert/strict";
import { stopwatch } from "../../bench/machines.ts";
import { runSet, suiteGuest, USERLAND_SETS } from "../../bench/userland.ts";
import type { Suite } from "../../scripts/suites.ts";
import { type Tier, TIERS } from "../../src/cpu/core/tiers.ts";
import { LONG } from "../support/long.ts";

/** Seconds for a suite. */
const TIMEOUT = 3600;

for (const set of LONG ? USERLAND_SETS : []) {
  // The interpreter alone would need an hour for the wide set.
  const tiers: readonly Tier[] = set === "wide" ? ["auto"] : TIERS;
  Deno.test(`programs of Debian's set ${set} print what they print on QEMU, in ${tiers.join(", ")}`, async () => {
    const guest = await suiteGuest(set, set);
    const outcomes = ({ programs }: Awaited<ReturnType<typeof runSet>>) =>
      Object.fromEntries([...programs].map(([name, { outcome }]) => [name, outcome]));
    const expected = outcomes(await runSet("qemu", guest));
    assert.ok(Object.values(expected).every((outcome) => outcome.startsWith("rc=0 ")), JSON.stringify(expected));
    for (const tier of tiers) assert.deepEqual(outcomes(await runSet("el2", { ...guest, tier })), expected, tier);
  });
}

interface Verdicts {
  readonly suite: Suite;
  /** The script, and the word that begins its lines. */
  readonly script: string;
  readonly word: string;
  /** How many tests there are; QEMU passes all. */
  readonly tests: number;
  /** Tiers other than the interpreter, which would take too long for some. */
  readonly tiers: readonly Tier[];
  /** The CPU, if the programs need another than the default. */
  readonly cpu?: string;
}

const SUITES: readonly Verdicts[] = [
  { suite: "conformance", script: "tcg", word: "TCG", tests: 15, tiers: TIERS },
  { suite: "conformance", script: "testfloat", word: "TESTFLOAT", tests: 144, tiers: ["jit"] },
  { suite: "conformance", script: "testfloat16", word: "TESTFLOAT", tests: 4 * 26 + 5, tiers: ["jit"], cpu: "v8.2" },
  { suite: "stress", script: "stress", word: "STRESS", tests: 71 + 69, tiers: ["jit"] },
];

for (const { suite, script, word, tests, tiers, cpu } of LONG ? SUITES : []) {
  for (const tier of tiers) {
    Deno.test(`${script} passes whole in tier ${tier}`, async () => {
      const { lines } = await stopwatch("el2", { ...await suiteGuest(suite, script), tier, cpu }, TIMEOUT);
      const verdicts = lines.map(({ text }) => text).filter((text) => text.startsWith(`${word} `));
      assert.deepEqual(verdicts.filter((text) => !text.startsWith(`${word} pass `)), []);
      assert.equal(verdicts.length, tests);
    });
  }
}

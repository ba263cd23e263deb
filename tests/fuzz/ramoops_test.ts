// Regions of ramoops that a phone's user sends: each mutant is read, or its records are gaps with
// their addresses (run.ts). EL2_LONG=1 has 100,000.

import { Dump } from "../../src/inside/dumps/dump.ts";
import { STEPS_MAX, TooMuch } from "../../src/inside/linux/kernel/memory.ts";
import { readRegion } from "../../src/inside/linux/pstore/earlier-log.ts";
import { KiB } from "../../src/kit/support/values/sizes.ts";
import { Work } from "../../src/kit/support/values/work.ts";
import { dumpOf } from "../inside/dumps/foreign.ts";
import { RECORDS } from "../inside/linux/pstore/packed-records.ts";
import { consoleZone, dumpZone, packedZone, writtenRegion } from "../inside/linux/pstore/written-region.ts";
import type { Random } from "../support/random.ts";
import { chance, damaged, patched } from "./grammars.ts";
import { readerTest, refuseUnless } from "./run.ts";

const ZONE = 4 * KiB;
const REGION = writtenRegion(
  dumpZone(ZONE, 900, "Panic#1 Part1\n<2>[    7.000200] Kernel panic - not syncing: lost\n<0>[    7.000300][    T1] the end\n"),
  dumpZone(ZONE, 901, "Oops#2 Part3\n<7>[    6.500000] quiet\n", false),
  ...Object.values(RECORDS).map((record, index) => packedZone(ZONE, index, record)),
  consoleZone(ZONE, "[    6.600000] systemd: hello\n".repeat(200)),
);
/** Where headers of zones and of records are. */
const HEADERS = 40;

/** Half of the changes are in headers: most of the rest is text, or is compressed. */
function region(random: Random): Uint8Array {
  if (chance(random, 50)) return REGION;
  const bytes = chance(random, 2) ? damaged(random, patched(random, REGION)) : REGION.slice();
  for (let change = random.below(16); change > 0 && bytes.length > ZONE; change--) {
    bytes[ZONE * random.below(bytes.length / ZONE | 0) + 4 + random.below(HEADERS)] = random.below(256);
  }
  return bytes;
}

readerTest("regions of ramoops", {
  steps: () => 2 * STEPS_MAX,
  input: region,
  read(bytes: Uint8Array) {
    const { memory } = Dump.open([dumpOf(bytes, 0)]);
    let gaps = 0;
    readRegion("dump", { base: 0, size: bytes.length }, { memory, work: new Work(STEPS_MAX, () => new TooMuch()), failed: () => gaps++ });
    refuseUnless(gaps === 0);
  },
}, (error) => error instanceof TooMuch || error instanceof Error && error.message === "refused");

// Command lines of crosvm, QEMU and kvmtool that somebody pasted, changed at random places.
// EL2_LONG=1 has 100,000.

import { machineOfLine } from "../../src/app/configuration/from/command-line.ts";
import { UserError } from "../../src/kit/support/problem.ts";
import { makePublicFiles, PUBLIC_LINES } from "../app/configuration/from/public-lines.ts";
import type { Random } from "../support/random.ts";
import { damagedText } from "./grammars.ts";
import { fuzzTest } from "./run.ts";
import { LONG } from "../support/long.ts";

const WORDS = PUBLIC_LINES.flatMap(({ line }) => line.split(/\s+/)), ROUNDS = LONG ? 100_000 : 1000;

const folder = Deno.makeTempDirSync({ prefix: "el2-fuzz-" });
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** A line with words of others in it, and then with characters that are damaged. */
function line(random: Random): string {
  const words = random.pick(PUBLIC_LINES).line.split(" ");
  for (let count = random.below(4); count > 0; count--) words.splice(random.below(words.length), random.below(2), random.pick(WORDS));
  return damagedText(random, words.join(" ")).replaceAll("@/", `${folder}/`);
}

fuzzTest(
  "command line of another program",
  (random) => {
    const machine = machineOfLine(line(random));
    machine.text(machine.table());
  },
  (error) => error instanceof UserError,
  ROUNDS,
  () => makePublicFiles(folder),
);

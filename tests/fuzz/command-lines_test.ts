// Command lines of crosvm, QEMU and kvmtool that somebody pasted, and files of phones, changed at
// random places.
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

/** The folder is shared by both kinds. */
const prepare = () => prepared ??= makePublicFiles(folder);
let prepared: Promise<void> | undefined;

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
  prepare,
);

/** A file of a phone with all kinds of keys. */
const CONFIGURATION = JSON.stringify({
  name: "debian",
  kernel: "Image",
  initrd: "$PAYLOAD_DIR/initrd",
  params: "console=hvc0",
  disks: [{ image: "root.img", writable: true }, { image: "/data/local/tmp/disk.img", partitions: [] }],
  protected: true,
  memory_mib: 512,
  cpu_topology: "match_host",
  network: true,
  input: { keyboard: true, mouse: true },
  sharedPath: [{ sharedPath: "$APP_DATA_DIR/shared" }],
  gpu: { backend: "2d" },
});

fuzzTest(
  "vm_config.json",
  (random) => {
    const values = ["1", "-1", "null", "true", '""', "[]", "{}", "[[]]", '"\\u0000"', "1e400"];
    const replaced = CONFIGURATION.replaceAll(
      /true|\d+|"[^":]*"(?=[,}\]])/g,
      (value) => random.below(12) === 0 ? random.pick(values) : value,
    );
    Deno.writeTextFileSync(`${folder}/vm_config.json`, damagedText(random, replaced));
    const machine = machineOfLine(`${folder}/vm_config.json`);
    machine.text(machine.table());
  },
  (error) => error instanceof UserError,
  ROUNDS,
  prepare,
);

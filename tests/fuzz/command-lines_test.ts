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

const VALUES = ["1", "-1", "null", "true", '""', "[]", "{}", "[[]]", '"\\u0000"', "1e400"];

/** A file of such a text with other values, damaged, and its machine. */
function readDamaged(random: Random, text: string, line: string): void {
  const replaced = text.replaceAll(/true|\d+|"[^":]*"(?=[,}\]])/g, (value) => random.below(12) === 0 ? random.pick(VALUES) : value);
  Deno.writeTextFileSync(`${folder}/vm_config.json`, damagedText(random, replaced));
  const machine = machineOfLine(line);
  machine.text(machine.table());
}

const isRefusal = (error: unknown) => error instanceof UserError;

fuzzTest("vm_config.json", (random) => readDamaged(random, CONFIGURATION, `${folder}/vm_config.json`), isRefusal, ROUNDS, prepare);

/** A file of crosvm. */
const CROSVM = JSON.stringify({
  cpus: { "num-cores": 2 },
  mem: { size: 512 },
  params: ["a=b"],
  block: [{ path: "/dev/null", ro: true, "block-size": 512 }],
  serial: [{ type: "stdout", num: 1, console: true }],
  "shared-dir": ["/tmp:tag"],
  "no-rng": true,
});

fuzzTest(
  "configuration file of crosvm",
  (random) => readDamaged(random, CROSVM, `crosvm run ${folder}/Image --cfg ${folder}/vm_config.json`),
  isRefusal,
  ROUNDS,
  prepare,
);

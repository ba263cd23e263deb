// Command lines of crosvm, QEMU and kvmtool that somebody pasted, and files of phones, changed at
// random places.
// EL2_LONG=1 has 100,000.

import { machineOfLine } from "../../src/app/configuration/from/command-line.ts";
import { UserError } from "../../src/kit/support/problem.ts";
import { makePublicFiles, PUBLIC_LINES } from "../app/configuration/from/public-lines.ts";
import type { Random } from "../support/random.ts";
import { compositeDisk } from "../support/composite-disk.ts";
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
  disks: [{ image: "root.img", writable: true }, { image: "/data/local/tmp/disk.img", partitions: [] }, {
    partitions: [{ label: "a", path: "root.img", writable: true, guid: "0fc63daf-8483-4772-8e79-3d69d8477de4" }, {
      label: "b",
      path: "disk.img",
    }],
  }],
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

/** Composite disks of crosvm, whole. */
const COMPOSITES = [
  [{ path: "root.img", offset: 0, writable: true }, { path: "disk.img", offset: 1 << 20 }, { path: "root.img", offset: 2 ** 40 }],
  [{ path: "../none", offset: 0 }, { path: "sd.img", offset: 512, fileOffset: 4096 }],
  [{ path: "composite.img", offset: 0 }, { path: "/proc/self/fd/3", offset: 20_480 }],
].map((components) => compositeDisk({ version: 2, length: 2 ** 41, components }));

/** Bytes that a change of a field may have. */
const BYTES = [0, 1, 2, 8, 0x0a, 0x12, 0x7f, 0x80, 0xff];

fuzzTest(
  "composite disk of crosvm",
  (random) => {
    const whole = random.pick(COMPOSITES), bytes = whole.slice(0, random.below(4) === 0 ? random.below(whole.length + 1) : whole.length);
    for (let count = random.below(6); count > 0 && bytes.length > 0; count--) {
      // Its beginning is what makes it one.
      bytes[Math.min(bytes.length - 1, 15 + random.below(whole.length - 15))] = random.below(2) ? random.pick(BYTES) : random.below(256);
    }
    Deno.writeFileSync(`${folder}/composite.img`, bytes);
    const machine = machineOfLine(`crosvm run --block ${folder}/composite.img ${folder}/Image`);
    machine.text(machine.table());
  },
  isRefusal,
  ROUNDS,
  prepare,
);

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

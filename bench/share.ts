// `deno task bench share`: how long a guest takes to look through a source tree on a shared folder:
// the names of 12,000 files, the sizes of 111 folders, the contents of nine. Both machines mount
// the folder over 9p with the same options; the host takes the times, as the guest's clock does not
// count waits for the host.

import { type Figure, printDocument } from "./documents.ts";
import type { Contest } from "./ab.ts";
import { type JobGuest, jobRounds, jobTimes, printJobs, writeJobGuest } from "./jobs.ts";
import { el2, type Machine, qemu, watch } from "./machines.ts";

/** Seconds for a machine. */
const TIMEOUT = 600;
/** MiB of RAM. */
const MEMORY = 512;
const COMMAND_LINE = "console=ttyAMA0 quiet el2=run:share";
const MODULES = ["virtio_mmio", "virtio_pci", "9pnet_virtio", "9p"];
/** Folders of the tree, and files in each. */
const FOLDERS = 200, FILES = 60;
/** Required share of QEMU's speed. */
const GOAL = 0.8;

/** The runs of bench/suites/guest/share.sh. */
const JOBS = [
  { name: "find", what: "find: all names" },
  { name: "du", what: "du of 111 folders" },
  { name: "tar", what: "tar of 9 folders" },
] as const;
type Job = typeof JOBS[number]["name"];

interface Guest extends JobGuest {
  readonly tree: string;
}

async function prepare(folder: string): Promise<Guest> {
  const guest = { ...await writeJobGuest(folder, MODULES), tree: `${folder}/tree` };
  for (let number = 1; number <= FOLDERS; number++) {
    await Deno.mkdir(`${guest.tree}/d${number}`, { recursive: true });
    for (let file = 1; file <= FILES; file++) await Deno.writeTextFile(`${guest.tree}/d${number}/f${file}.c`, `int x${number}_${file};\n`);
  }
  return guest;
}

/** Milliseconds of each job. */
async function measure(machine: Machine, { kernel, initrd, tree }: Guest): Promise<Record<Job, number>> {
  const command = machine === "el2"
    ? el2("boot", kernel, "--initrd", initrd, "--append", COMMAND_LINE, "--share", tree, "--memory", `${MEMORY}MiB`, "--stdio")
    : [
      ...await qemu(MEMORY),
      ...["-kernel", kernel, "-initrd", initrd, "-append", COMMAND_LINE, "-nic", "none"],
      ...["-virtfs", `local,path=${tree},mount_tag=share,security_model=none`],
    ];
  return jobTimes(machine, await watch(machine, command, TIMEOUT), JOBS.map(({ name }) => name));
}

/** For `--ab`: milliseconds of each job. */
export const shareContest: Contest = async (folder) => {
  const guest = await prepare(folder);
  return async () => new Map(Object.entries(await measure("el2", guest)));
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchShare(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-share-" });
  try {
    const guest = await prepare(folder);
    const { jobs, repeated, doubtful } = await jobRounds(JOBS, rounds, (machine) => measure(machine, guest), (el2, qemu) => qemu / el2);
    if (json) {
      const table = jobs.map(({ what, ratios }): Figure => ({ what, unit: "times", values: ratios, least: GOAL }));
      printDocument({ schema: "el2.bench.share/1", rounds, repeated, doubtful, table, milliseconds: jobs });
      return;
    }
    console.log(`a tree of ${FOLDERS * FILES} files over 9p; ms of el2 and QEMU, and QEMU / el2: median (least-greatest) of ${rounds}`);
    printJobs(jobs, GOAL);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

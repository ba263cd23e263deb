// `deno task bench disk`: what 4 KiB reads and writes of a guest take. Debian's fio runs on ext4
// over virtio-blk, past the guest's page cache; each write is followed by an fsync. Both machines
// use a raw file through the host's page cache, and write it back at the guest's flushes; the host
// takes the times.

import { type Figure, printDocument } from "./documents.ts";
import { DISK_MODULES } from "../src/app/catalog/kernel-modules.ts";
import { nativeProgram } from "../scripts/native-tools.ts";
import type { Contest } from "./ab.ts";
import { type JobGuest, jobRounds, jobTimes, printJobs, writeJobGuest } from "./jobs.ts";
import { el2, type Machine, qemu, type Run, watch } from "./machines.ts";

/** Seconds for a machine. */
const TIMEOUT = 600;
/** MiB of RAM, and of the disk. */
const MEMORY = 512, SIZE = 128;
const COMMAND_LINE = "console=ttyAMA0 quiet el2=run:disk";
/** QEMU's cache mode in the words of its manual; el2's `rw` does the same. */
const CACHE = "writeback";
/** Required share of QEMU's throughput. */
const GOAL = 1;

/** The runs of bench/suites/guest/disk.sh, with the MiB that each moves. */
const JOBS = [
  { name: "read", what: "sequential reads", size: 48 },
  { name: "randread", what: "random reads", size: 48 },
  { name: "write", what: "sequential writes, an fsync each", size: 8 },
  { name: "randwrite", what: "random writes, an fsync each", size: 8 },
] as const;
type Job = typeof JOBS[number]["name"];

interface Files extends JobGuest {
  /** An empty file system; each run has a copy. */
  readonly disk: string;
  readonly folder: string;
}

async function prepare(folder: string): Promise<Files> {
  const files = { ...await writeJobGuest(folder, DISK_MODULES), disk: `${folder}/disk`, folder };
  const { success, stderr } = await new Deno.Command(await nativeProgram("mke2fs"), {
    args: ["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", files.disk, `${SIZE}m`],
  }).output();
  if (!success) throw new Error(`mke2fs failed: ${new TextDecoder().decode(stderr)}`);
  return files;
}

/** Runs all jobs on a new copy of the disk: MiB/s by job. */
async function measure(machine: Machine, { kernel, initrd, disk, folder }: Files): Promise<Record<Job, number>> {
  const copy = `${folder}/${machine}.img`;
  await Deno.copyFile(disk, copy);
  const boot = ["--initrd", initrd, "--append", COMMAND_LINE, "--disk", `${copy},rw`, "--memory", `${MEMORY}MiB`, "--stdio"];
  const command = machine === "el2" ? el2("boot", kernel, ...boot) : [
    ...await qemu(MEMORY),
    ...["-kernel", kernel, "-initrd", initrd, "-append", COMMAND_LINE, "-nic", "none"],
    ...["-drive", `file=${copy},if=none,id=disk,format=raw,cache=${CACHE}`, "-device", "virtio-blk-device,drive=disk"],
  ];
  return speeds(machine, await watch(machine, command, TIMEOUT));
}

/** MiB/s of each job, without fio's own start. @throws Error if one failed */
function speeds(machine: Machine, run: Run): Record<Job, number> {
  const times = jobTimes(machine, run, ["start", ...JOBS.map(({ name }) => name)]);
  const speed = ({ name, size }: typeof JOBS[number]) => [name, size * 1000 / (times[name] - times.start)];
  return Object.fromEntries(JOBS.map(speed));
}

/** For `--ab`: milliseconds per MiB of each job. */
export const diskContest: Contest = async (folder) => {
  const files = await prepare(folder);
  return async () => new Map(Object.entries(await measure("el2", files)).map(([name, speed]) => [name, 1000 / speed]));
};

/** Runs the bench and prints it, as text or as one JSON object. */
export async function benchDisk(rounds: number, json: boolean): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "el2-disk-" });
  try {
    const files = await prepare(folder);
    const { jobs, repeated, doubtful } = await jobRounds(JOBS, rounds, (machine) => measure(machine, files), (el2, qemu) => el2 / qemu);
    if (json) {
      const table = jobs.map(({ what, ratios }): Figure => ({ what: `4 KiB ${what}`, unit: "times", values: ratios, least: GOAL }));
      printDocument({ schema: "el2.bench.disk/1", cache: CACHE, rounds, repeated, doubtful, table, mib_per_second: jobs });
      return;
    }
    console.log(
      `fio on ext4, 4 KiB, cache mode ${CACHE} on both; MiB/s of el2 and QEMU, and el2 / QEMU: median (least-greatest) of ${rounds}`,
    );
    printJobs(jobs, GOAL);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

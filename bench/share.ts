// `deno task bench share`: how long a guest takes to look through a source tree on a shared folder:
// the names of 12,000 files, the sizes of 111 folders, the contents of nine. Both machines mount
// the folder over 9p with the same options; the host takes the times, as the guest's clock does not
// count waits for the host.

import { type Figure, printDocument } from "./documents.ts";
import { fetchKernel, ORDINARY_KERNEL, withDebianArchive } from "../src/catalog/debian.ts";
import { moduleFiles } from "../src/catalog/busybox-archive.ts";
import { withEntries } from "../src/formats/cpio.ts";
import { suiteInitrd } from "../scripts/suites.ts";
import type { Contest } from "./ab.ts";
import { el2, type Machine, qemu, type Run, watch } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";

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

interface Guest {
  readonly kernel: string;
  readonly initrd: string;
  readonly tree: string;
}

async function prepare(folder: string): Promise<Guest> {
  const guest = { kernel: `${folder}/Image`, initrd: `${folder}/initrd`, tree: `${folder}/tree` };
  const { image, modules } = await withDebianArchive(
    { release: "bookworm" },
    (apt, work) => fetchKernel(apt, ORDINARY_KERNEL, MODULES, work),
  );
  await Deno.writeFile(guest.kernel, image);
  // In the suite's archive /lib is a link.
  const members = moduleFiles(modules).map((entry) => ({ ...entry, path: `usr/${entry.path}` }));
  const parent = { path: "usr/lib/modules", kind: "folder", permissions: 0o755 } as const;
  await Deno.writeFile(guest.initrd, withEntries(await Deno.readFile(await suiteInitrd("disk")), [parent, ...members]));
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
  return times(machine, await watch(machine, command, TIMEOUT));
}

/** @throws Error if a job failed, or did not end */
function times(machine: Machine, { lines }: Run): Record<Job, number> {
  const last = () => lines.slice(-5).map(({ text }) => text).join("\n");
  const begun = new Map<string, number>(), taken = new Map<string, number>();
  for (const { text, at } of lines) {
    const [, word, name, code] = /^BENCH-(BEGIN|END) (\w+)(?: rc=(\d+))?/.exec(text) ?? [];
    if (word === "BEGIN") begun.set(name, at);
    if (word !== "END") continue;
    if (code !== "0") throw new Error(`${machine}: ${name} failed with ${code}: ${last()}`);
    taken.set(name, at - begun.get(name)!);
  }
  const of = ({ name }: typeof JOBS[number]) => {
    const time = taken.get(name);
    if (time === undefined) throw new Error(`${machine}: ${name} did not end: ${last()}`);
    return [name, time];
  };
  return Object.fromEntries(JOBS.map(of));
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
    const { results, repeated, doubtful } = await trustedRounds(
      rounds,
      async () => ({ el2: await measure("el2", guest), qemu: await measure("qemu", guest) }),
    );
    const jobs = JOBS.map(({ name, what }) => ({
      name,
      what,
      el2: results.map(({ el2 }) => el2[name]),
      qemu: results.map(({ qemu }) => qemu[name]),
      ratios: results.map(({ el2, qemu }) => qemu[name] / el2[name]),
    }));
    if (json) {
      const table = jobs.map(({ what, ratios }): Figure => ({ what, unit: "times", values: ratios, least: GOAL }));
      printDocument({ schema: "el2.bench.share/1", rounds, repeated, doubtful, table, milliseconds: jobs });
      return;
    }
    console.log(`a tree of ${FOLDERS * FILES} files over 9p; ms of el2 and QEMU, and QEMU / el2: median (least-greatest) of ${rounds}`);
    for (const { what, el2, qemu, ratios } of jobs) {
      console.log(`${what.padEnd(20)} ${withSpread(el2).padStart(20)} ${withSpread(qemu).padStart(20)}  ${withSpread(ratios)}`);
    }
    console.log(`worst ${Math.min(...jobs.map(({ ratios }) => median(ratios))).toFixed(2)}; at least ${GOAL} is wanted`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

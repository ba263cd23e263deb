// Benches whose guest runs jobs between markers, in the suites' system with Debian's ordinary
// kernel: its images, the times of the jobs, and the figures of both machines.

import { fetchKernel, ORDINARY_KERNEL, withDebianArchive } from "../src/app/catalog/debian.ts";
import { moduleFiles } from "../src/app/catalog/busybox-archive.ts";
import { withEntries } from "../src/kit/formats/cpio.ts";
import { suiteInitrd } from "../scripts/suites.ts";
import type { Machine, Run } from "./machines.ts";
import { trustedRounds } from "./rounds.ts";
import { median, withSpread } from "./statistics.ts";

/** A job, by the name in its markers. */
interface Job<Name extends string> {
  readonly name: Name;
  readonly what: string;
}

/** A job's figures: one of each machine in each round. */
interface JobFigures {
  readonly name: string;
  readonly what: string;
  readonly el2: readonly number[];
  readonly qemu: readonly number[];
  /** How fast el2 is, as a share of QEMU's speed. */
  readonly ratios: readonly number[];
}

/** Images in a folder. */
export interface JobGuest {
  readonly kernel: string;
  readonly initrd: string;
}

/** Writes the images. @param wanted names of the modules that the guest loads, in this order */
export async function writeJobGuest(folder: string, wanted: readonly string[]): Promise<JobGuest> {
  const guest = { kernel: `${folder}/Image`, initrd: `${folder}/initrd` };
  const { image, modules } = await withDebianArchive(
    { release: "bookworm" },
    (apt, work) => fetchKernel(apt, ORDINARY_KERNEL, wanted, work),
  );
  await Deno.writeFile(guest.kernel, image);
  // In the suite's archive /lib is a link.
  const members = moduleFiles(modules).map((entry) => ({ ...entry, path: `usr/${entry.path}` }));
  const parent = { path: "usr/lib/modules", kind: "folder", permissions: 0o755 } as const;
  await Deno.writeFile(guest.initrd, withEntries(await Deno.readFile(await suiteInitrd("disk")), [parent, ...members]));
  return guest;
}

/**
 * Milliseconds of these jobs in a run, by the host's clock.
 * @throws Error if a job failed, or one of these did not end
 */
export function jobTimes<Name extends string>(machine: Machine, { lines }: Run, names: readonly Name[]): Record<Name, number> {
  const last = () => lines.slice(-5).map(({ text }) => text).join("\n");
  const begun = new Map<string, number>(), taken = new Map<string, number>();
  for (const { text, at } of lines) {
    const [, word, name, code] = /^BENCH-(BEGIN|END) (\w+)(?: rc=(\d+))?/.exec(text) ?? [];
    if (word === "BEGIN") begun.set(name, at);
    if (word !== "END") continue;
    if (code !== "0") throw new Error(`${machine}: ${name} failed with ${code}: ${last()}`);
    taken.set(name, at - begun.get(name)!);
  }
  const timeOf = (name: Name): readonly [Name, number] => {
    const time = taken.get(name);
    if (time === undefined) throw new Error(`${machine}: ${name} did not end: ${last()}`);
    return [name, time];
  };
  return Object.fromEntries(names.map(timeOf)) as Record<Name, number>;
}

/** Rounds of both machines. @param ratio el2's speed as a share of QEMU's, from a figure of each */
export async function jobRounds<Name extends string>(
  jobs: readonly Job<Name>[],
  rounds: number,
  measure: (machine: Machine) => Promise<Record<Name, number>>,
  ratio: (el2: number, qemu: number) => number,
): Promise<{ readonly jobs: readonly JobFigures[]; readonly repeated: number; readonly doubtful: number }> {
  const { results, repeated, doubtful } = await trustedRounds(
    rounds,
    async () => ({ el2: await measure("el2"), qemu: await measure("qemu") }),
  );
  const figures = jobs.map(({ name, what }): JobFigures => ({
    name,
    what,
    el2: results.map(({ el2 }) => el2[name]),
    qemu: results.map(({ qemu }) => qemu[name]),
    ratios: results.map(({ el2, qemu }) => ratio(el2[name], qemu[name])),
  }));
  return { jobs: figures, repeated, doubtful };
}

/** Prints a row for each job, and the worst ratio. @param goal the required ratio */
export function printJobs(jobs: readonly JobFigures[], goal: number): void {
  const width = Math.max(...jobs.map(({ what }) => what.length)) + 2;
  for (const { what, el2, qemu, ratios } of jobs) {
    console.log(`${what.padEnd(width)} ${withSpread(el2).padStart(20)} ${withSpread(qemu).padStart(20)}  ${withSpread(ratios)}`);
  }
  console.log(`worst ${Math.min(...jobs.map(({ ratios }) => median(ratios))).toFixed(2)}; at least ${goal} is wanted`);
}

// `el2 profile`: where the instructions of the VMs were executed, and their exits, calls and waits.

import { type Command, Option } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { printListing, withListOptions } from "../../common/list-options.ts";
import { NamedFile } from "../../common/named-file.ts";
import { output, printRows, report } from "../../common/print.ts";
import { sessionOption } from "../../common/session.ts";
import { parseDuration, parseWhole } from "../../common/values.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { type CountedRuns, eventsIn, executedIn, latenciesIn, processesIn, reportNoLines, stacksIn } from "./executed-runs.ts";
import {
  COUNTED_KINDS,
  type CountedEvents,
  type CountedKind,
  type ExecutedVm,
  type Latency,
  type ProcessInstructions,
  type SampledStack,
} from "../../../jobs/run-job.ts";
import {
  type Document,
  documentText,
  EVENT_PROFILE,
  type FieldsOf,
  LATENCY_PROFILE,
  listingOf,
  PROFILE,
} from "../../../../model/queries/documents.ts";
import { formatId } from "../../../../model/queries/ids.ts";

type ProfileRow = FieldsOf<typeof PROFILE>;

/** Rows that are printed by default. */
const ROWS = 20;

/** Execution time (ns) between two samples by default: the most, and the least in a short run. */
const EVERY = 1e6, LEAST_EVERY = 100;
/** Samples of a run that is long enough, and the factor by which a shorter one has them closer. */
const ENOUGH = 100, CLOSER = 10;

const BY = ["function", "line", "vm"] as const;

const isCounted = (by: string): by is CountedKind => COUNTED_KINDS.some((kind) => kind === by);

export function registerProfile(program: Command, { entry, exit }: CommandContext): void {
  withListOptions(
    program.command("profile").description(
      "show where the VMs executed their instructions (exact counts, or sampled call stacks), and their exits, calls, waits and latencies",
    ),
  )
    .argument("[recordings...]", "runs to add up (default: the run of the session so far)")
    .addOption(
      new Option(
        "--by <what>",
        "count instructions by function, source line, process of Linux or VM; or exits, hypercalls, system calls, waits of vCPUs; or measure latencies",
      ).choices([...BY, "process", ...COUNTED_KINDS, "latency"]).default("function" as const),
    )
    .option("--vm <name>", "only this VM")
    .option("--limit <rows>", `at most this many rows (default: ${ROWS})`, parseWhole(1, 1_000_000))
    .option(
      "--stacks <file>",
      "sample call stacks instead, and write them: .svg a flame graph, .json for speedscope.app, .pb.gz for pprof, else folded lines",
    )
    .option("--every <time>", "with --stacks: execution time between two samples (default: 1ms, less in a short run)", parseDuration)
    .option("--json", "print one line of JSON per row")
    .addOption(sessionOption)
    .addOption(hostOption())
    .addOption(anywayOption)
    .addHelpText(
      "after",
      `
el2 runs each recording again and counts every instruction, in translated and interpreted code alike. Two profiles of a recording
are equal. An instruction that takes an exception counts. Lines need debug information (--symbols). Samples are taken at instruction
counts: they change nothing in the run, and two samplings of a recording are equal. A wait of a vCPU ends when it runs again.
Processes are known once their kernel has been found in its memory; what was executed before is "?". Latencies: an interrupt from its
source to its acknowledgment, that of a timer from when the timer was due, a message from its sender to its receiver, a request to the
Resource Manager, an access that a VMM answers, a request of a disk from when it was available until it was used.
${
        examplesText([
          "profile",
          "profile --vm ping --by line",
          "profile --by wait",
          "profile --by latency",
          "profile a.rec --limit 50",
          "profile a.rec --stacks time.svg --every 100us",
        ])
      }`,
    )
    .action(async (files, { limit = ROWS, by, stacks, every, ...options }) => {
      if (stacks === undefined && every !== undefined) throw new Failure("--every needs --stacks: without it, every instruction counts");
      if (stacks !== undefined && (isCounted(by) || by === "latency")) {
        throw new Failure(`--stacks samples instructions, and --by ${by} counts none`, "give one");
      }
      if (stacks !== undefined) return exit(await writeStacks(entry, { files, ...options }, stacks, every));
      const runs = { files, ...options };
      if (isCounted(by)) {
        await print(EVENT_PROFILE, "there was none", async () => eventProfileOf(await eventsIn(entry, runs, by), by));
      } else if (by === "latency") await print(LATENCY_PROFILE, "there was none", async () => latencyRows(await latenciesIn(entry, runs)));
      else if (by === "process") {
        await print(PROFILE, "no instruction was executed", async () => processRows(await processesIn(entry, runs)));
      } else {
        const executed = async () => {
          const vms = await executedIn(entry, runs, { unexecuted: false, blocks: false });
          if (by === "line") reportNoLines("profile", vms);
          return vms;
        };
        await print(PROFILE, "no instruction was executed", async () => profileOf(await executed(), by));
      }
      exit(ExitCode.Done);

      async function print<D extends Document>(document: D, empty: string, rowsOf: () => Promise<FieldsOf<D>[]>): Promise<void> {
        const listing = listingOf(document, empty);
        await printListing(listing, options, async () => (await rowsOf()).slice(0, limit), (rows) => {
          if (options.json) { for (const row of rows) output(`${documentText(document, row)}\n`); }
          else printRows(listing, rows, undefined, options);
        });
      }
    });
}

/** Rows, the most first: of waits, the longest. */
export function eventProfileOf(found: readonly CountedEvents[], kind: CountedKind): FieldsOf<typeof EVENT_PROFILE>[] {
  const amount = ({ count, time }: CountedEvents) => kind === "wait" ? time : count;
  const all = found.reduce((sum, one) => sum + amount(one), 0);
  return found.toSorted((a, b) => amount(b) - amount(a) || (a.name < b.name ? -1 : 1)).map((one) => ({
    vm: one.vm,
    count: String(one.count),
    time: String(Math.round(one.time)),
    share: all && amount(one) / all,
    name: one.name,
    vcpu: one.vcpu ?? null,
    by: one.by ?? null,
  }));
}

/** Rows, those that took longest all together first. */
export function latencyRows(found: readonly Latency[]): FieldsOf<typeof LATENCY_PROFILE>[] {
  const whole = (time: number) => String(Math.round(time));
  const weight = ({ buckets }: Latency) => buckets.reduce((sum, [most, count]) => sum + most * count, 0);
  return found.toSorted((a, b) => weight(b) - weight(a) || (a.name < b.name ? -1 : 1)).map(({ worst, ...one }) => ({
    vm: one.vm,
    of: one.of,
    count: String(one.count),
    p50: whole(one.p50),
    p90: whole(one.p90),
    p99: whole(one.p99),
    most: whole(worst[0].took),
    at: formatId({ kind: "insn", number: worst[0].at }),
    name: one.name,
    buckets: one.buckets.map(([most, count]) => [most, count]),
    worst: worst.map(({ took, time, at, run }) => ({ ns: whole(took), t: whole(time), insn: String(at), run })),
  }));
}

/** Rows, the most instructions first. */
export function processRows(found: readonly ProcessInstructions[]): ProfileRow[] {
  const all = found.reduce((sum, { instructions }) => sum + instructions, 0);
  return found.toSorted((a, b) => b.instructions - a.instructions || (a.name < b.name ? -1 : 1)).map(
    ({ vm, pid, name, switches, instructions }) => ({
      vm,
      name: pid === undefined ? UNKNOWN : `${name} ${pid}`,
      source: null,
      calls: pid === undefined ? null : String(switches),
      insn: String(instructions),
      share: instructions / all,
    }),
  );
}

/** Rows, the most instructions first; shares are of all instructions of these VMs. */
export function profileOf(vms: readonly ExecutedVm[], by: typeof BY[number]): ProfileRow[] {
  const all = vms.reduce((sum, { instructions }) => sum + instructions, 0);
  const rows = vms.flatMap((vm) => by === "vm" ? [vmRow(vm)] : by === "line" ? lineRows(vm) : functionRows(vm));
  return rows.filter(({ instructions }) => instructions > 0).sort((a, b) => b.instructions - a.instructions || (a.name < b.name ? -1 : 1))
    .map(({ vm, name, source, calls, instructions }) => ({
      vm,
      name,
      source: source ?? null,
      calls: calls === undefined ? null : String(calls),
      insn: String(instructions),
      share: instructions / all,
    }));
}

/** Samples call stacks, and writes them in the format that the name of the file selects. */
async function writeStacks(entry: URL, runs: CountedRuns, file: string, given: number | undefined): Promise<number> {
  if (given !== undefined && given < 1) throw new Failure("--every must be 1ns or more: one instruction");
  using written = new NamedFile(file, "--stacks");
  const samplesOf = (stacks: readonly SampledStack[]) => stacks.reduce((sum, one) => sum + one.samples, 0);
  let every = given ?? EVERY, stacks = await stacksIn(entry, runs, every);
  // How long a run is shows when it is run again; one with few samples is short.
  while (given === undefined && samplesOf(stacks) < ENOUGH && every > LEAST_EVERY) stacks = await stacksIn(entry, runs, every /= CLOSER);
  const samples = samplesOf(stacks);
  written.end(await stacksFile(stacks, file, every));
  report(`el2: ${samples} samples of ${stacks.length} call stacks in ${file}`);
  return ExitCode.Done;
}

async function stacksFile(stacks: readonly SampledStack[], file: string, every: number): Promise<string | Uint8Array> {
  if (file.endsWith(".svg")) return [...(await import("../../../../session/export/stacks/flame-graph.ts")).flameGraph(stacks)].join("");
  if (file.endsWith(".json")) return (await import("../../../../session/export/stacks/speedscope.ts")).speedscope(stacks, every);
  if (file.endsWith(".pb.gz")) return (await import("../../../../session/export/stacks/pprof.ts")).pprof(stacks, every);
  return [...(await import("../../../../session/export/stacks/folded.ts")).folded(stacks)].join("");
}

interface Counted {
  readonly vm: string;
  readonly name: string;
  readonly source?: string | undefined;
  readonly calls?: number | undefined;
  readonly instructions: number;
}

const vmRow = ({ vm, instructions }: ExecutedVm): Counted => ({ vm, name: vm, instructions });

/** The name of code that no symbol or line is known for. */
const UNKNOWN = "?";

function functionRows({ vm, functions, instructions }: ExecutedVm): Counted[] {
  const rows = Array.from(functions.values(), ({ name, file, line, calls, instructions }) => {
    return { vm, name, source: file === undefined ? undefined : `${file}:${line}`, calls, instructions };
  });
  return [...rows, rest(vm, instructions, rows)];
}

function lineRows({ vm, files, instructions }: ExecutedVm): Counted[] {
  const rows = [...files].flatMap(([file, lines]) =>
    Array.from(lines, ([number, { instructions, executions }]) => ({ vm, name: `${file}:${number}`, calls: executions, instructions }))
  );
  return [...rows, rest(vm, instructions, rows)];
}

function rest(vm: string, instructions: number, rows: readonly Counted[]): Counted {
  return { vm, name: UNKNOWN, instructions: instructions - rows.reduce((sum, row) => sum + row.instructions, 0) };
}

// `el2 diff A B`: two runs, two states or two traces side by side.

import type { Command } from "@commander-js/extra-typings";
import { diffTarmac } from "./diff-tarmac.ts";
import { jsonOption, RenamedOption } from "../../common/common-options.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { inline, output, report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { parseWhole } from "../../common/values.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { fileOfLink, readNamedRecording } from "../../start/plans/recordings.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { readNamedSnapshot } from "../../start/plans/snapshots.ts";
import { diffTraces, TRACE_START, type TraceDiff, type TraceDifference, TraceError } from "../../../../session/export/diff.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";
import { placeOfRun } from "../../../../model/commands/kinds.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { DIFF, documentText, SNAPSHOT_DIFF, TRACE_DIFF } from "../../../../model/queries/documents.ts";
import type { EventRow } from "../../../../model/queries/event-row.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";
import type { Json } from "../../../../model/queries/table.ts";
import { RECORDING_START, SNAPSHOT_START } from "../../../../kit/support/files/written-files.ts";
import type { SnapshotDiff } from "../../../../session/snapshots/diff.ts";
import { cannotRead } from "../../../../kit/support/files/named-file.ts";
import { problemOf } from "../../../../kit/support/problem.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  codes: { 0: "equal", 1: "different", 2: "a file cannot be read, or the files are of different kinds" },
};

/** Default limit on the differences of each kind. */
const ROWS = 20;

const KINDS = ["recording", "snapshot", "trace"] as const;
type Kind = typeof KINDS[number];
/** The end of a name of a trace that a recording is compared with. */
const TARMAC = ".tarmac";

interface DiffOptions {
  readonly json?: true | undefined;
  readonly limit: number;
  readonly vm?: string | undefined;
  readonly allowHost?: readonly string[] | undefined;
  readonly anyway?: boolean | undefined;
}

/** Adds `el2 diff`. */
export function registerDiff(program: Command, { entry, exit }: CommandContext): void {
  withExits(program.command("diff"), EXITS)
    .description("compare two recordings, snapshots or traces, and show the first difference")
    .argument("<a>", `${KINDS.join(", ")} (${hintText(hint("trace export", "trace.ndjson"))})`)
    .argument("<b>", "another file of the same kind, or for a recording FILE.tarmac: what another machine executed")
    .addOption(
      new RenamedOption("--limit <rows>", "snapshots: print at most this many differences of each kind; all are counted", "--rows")
        .argParser(parseWhole(0, 1e9)).default(ROWS),
    )
    .option("--vm <vm>", "FILE.tarmac: the VM that it is of (default: the primary VM)")
    .addOption(hostOption())
    .addOption(anywayOption)
    .addOption(jsonOption)
    .addHelpText(
      "after",
      `
Recordings are run until they differ; el2 prints the instruction. Snapshots are loaded; el2 prints the differences by object, page of memory
and field of the saved state. Of traces, el2 prints the first event that differs, with the events around it. Of a run and
a Tarmac trace, it prints the first instruction that differs, or does something else.

${exitsText(EXITS)}

Examples:
  el2 diff good.rec bad.rec
  el2 diff before.snap after.snap --limit 100
  el2 diff monday.ndjson tuesday.ndjson --json
  el2 diff bug.rec model.tarmac`,
    )
    .action(async (a, b, options) => {
      if (b.endsWith(TARMAC)) {
        const recording = await readNamedRecording(a, hostConsent(options.allowHost), options.anyway);
        return exit(await diffTarmac(entry, recording, b, options) ? ExitCode.Done : ExitCode.Failed);
      }
      if (options.vm !== undefined) throw new Failure("diff: --vm is for a recording and a Tarmac trace");
      const kind = sameKind(a, b);
      const equal = await ({ recording: diffRecorded, snapshot: diffSaved, trace: diffTraced })[kind](a, b, options, entry);
      exit(equal ? ExitCode.Done : ExitCode.Failed);
    });
}

/**
 * The kind of both files.
 * @throws Failure if they cannot be compared, or differ in kind
 */
function sameKind(a: string, b: string): Kind {
  const kinds = [a, b].map((file) => ({ file, kind: kindOf(file) }));
  const [first, second] = kinds;
  // A trace that nothing got into is empty.
  const kind = first.kind === "empty" ? second.kind : first.kind;
  if (kind === "empty") throw new Failure(`diff: ${a} and ${b} are empty`);
  for (const one of kinds) {
    if (one.kind === "empty" && kind !== "trace") throw new Failure(`diff: ${one.file} is empty`);
    if (one.kind !== "empty" && one.kind !== kind) {
      throw new Failure(`diff: ${a} is a ${first.kind} and ${b} is a ${second.kind}`, "give two files of the same kind");
    }
  }
  return kind;
}

const STARTS: readonly (readonly [Kind, string])[] = [
  ["recording", RECORDING_START],
  ["snapshot", SNAPSHOT_START],
  ["trace", TRACE_START],
];

function kindOf(file: string): Kind | "empty" {
  const start = firstBytes(fileOfLink(file));
  if (start.length === 0) return "empty";
  const text = new TextDecoder().decode(start);
  const found = STARTS.find(([, begins]) => text.startsWith(begins));
  if (found) return found[0];
  throw new Failure(`diff: ${file} is not a recording, a snapshot or a trace`, way`${hint("trace export", "trace.ndjson")} writes a trace`);
}

function firstBytes(file: string): Uint8Array {
  const bytes = new Uint8Array(Math.max(...STARTS.map(([, begins]) => begins.length)));
  try {
    using opened = Deno.openSync(file);
    return bytes.subarray(0, opened.readSync(bytes) ?? 0);
  } catch (error) {
    throw new Failure(cannotRead(error, `diff: ${file}`));
  }
}

async function diffRecorded(a: string, b: string, { json, allowHost, anyway }: DiffOptions, entry: URL): Promise<boolean> {
  const consent = hostConsent(allowHost);
  const [first, second] = upToOnePlace(await readNamedRecording(a, consent, anyway), await readNamedRecording(b, consent, anyway));
  using progress = new Progress("comparing", "instructions");
  const last = first.end && second.end && Math.min(first.end.end.instructions, second.end.end.instructions);
  const { compared, cut, difference } = await progress.during(runJob(entry, {
    name: "recordings",
    input: [first, second],
    plans: [alone(first.plan), alone(second.plan)],
    hear: (instructions) => progress.at(instructions, last),
  }));
  if (cut) report("el2: a recording is truncated, as el2 was killed; the runs are compared up to its last entry");
  if (json) {
    const places = difference && { insn: String(difference.instructions), ns: difference.times.map(String), vcpus: difference.vcpus };
    output(`${documentText(DIFF, { compared: String(compared), cut, difference: places ?? null })}\n`);
  } else if (difference) {
    const [t1, t2] = difference.times.map(timeText);
    output(`the runs differ after ${difference.instructions} instructions, t=${t1}${t1 === t2 ? "" : ` and t=${t2}`}\n`);
    for (const { id, first, second } of difference.vcpus) output(` ${id}  ${first}  |  ${second}\n`);
  } else {
    output(`the runs are equal: ${compared} instructions\n`);
  }
  return difference === undefined;
}

/**
 * Both runs up to the place that a link to one of them names: the other may be longer.
 * @throws Failure for two places
 */
function upToOnePlace(first: Recording, second: Recording): [Recording, Recording] {
  const until = first.until ?? second.until;
  if (first.until && second.until && placeOfRun.spell(first.until) !== placeOfRun.spell(second.until)) {
    throw new Failure("diff: the links name two places", "give one of them, or the same");
  }
  return [{ ...first, until }, { ...second, until }];
}

async function diffSaved(a: string, b: string, { json, limit, allowHost, anyway }: DiffOptions, entry: URL): Promise<boolean> {
  const consent = hostConsent(allowHost);
  const [first, second] = [await readNamedSnapshot(a, consent, { anyway }), await readNamedSnapshot(b, consent, { anyway })];
  const files = [{ path: a, bytes: first.bytes, plan: first.plan }, { path: b, bytes: second.bytes, plan: second.plan }] as const;
  using progress = new Progress("reading the snapshots", "pages");
  const diff = await progress.during(runJob(entry, {
    name: "snapshots",
    input: { files, rows: limit },
    plans: [first.plan, second.plan],
    hear: ({ done, all }) => progress.at(done, all),
  }));
  const { equal, headers, groups, memory } = diff;
  if (json) {
    const [ns, insn] = [headers.map((header) => header.ns), headers.map((header) => header.insn)];
    output(`${documentText(SNAPSHOT_DIFF, { equal, ns, insn, groups: groups as unknown as Json, memory: memory as unknown as Json })}\n`);
  } else {
    output(snapshotText(diff));
  }
  return equal;
}

function snapshotText({ equal, headers: [first, second], groups, memory }: SnapshotDiff): string {
  if (equal) return `the snapshots are equal: t=${timeText(Number(first.ns))}, ${first.insn} instructions, ${first.pages} pages\n`;
  const lines = [
    `the snapshots differ: t=${timeText(Number(first.ns))} and t=${
      timeText(Number(second.ns))
    }, ${first.insn} and ${second.insn} instructions`,
  ];
  for (const { name, differ, of, rows } of groups.filter((group) => group.differ > 0)) {
    lines.push(`${name}: ${differ} of ${of} differ`);
    for (const { id, field, first, second } of rows) {
      lines.push(`  ${[id, ...field === null ? [] : [field]].join("  ")}  ${inline(first)} | ${inline(second)}`);
    }
    const shown = new Set(rows.map(({ id }) => id)).size;
    if (shown < differ) lines.push(`  and ${differ - shown} more; --limit ROWS prints more`);
  }
  if (memory.differ) lines.push(`memory: ${memory.differ} of ${memory.of} pages differ`);
  for (const { vms, pages, ipas, pa, first, second } of memory.places) {
    const bytes = [first, second].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(" | ");
    lines.push(`  ${vms.join(" ") || "unmapped"}  ${pages} pages, first at ${[...ipas, pa].join(" ")}  ${bytes}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

async function diffTraced(a: string, b: string, { json }: DiffOptions): Promise<boolean> {
  let diff: TraceDiff;
  try {
    diff = await diffTraces(a, b);
  } catch (error) {
    if (error instanceof TraceError) throw new Failure(problemOf(error, "diff"));
    throw error;
  }
  const { events, difference = null, otherEvent = null, kinds } = diff;
  const plain = (value: unknown) => value as Json;
  if (json) {
    output(
      `${documentText(TRACE_DIFF, { events, difference: plain(difference), other_event: plain(otherEvent), kinds: plain(kinds) })}\n`,
    );
  } else {
    output(traceText(diff));
  }
  return difference === null;
}

function traceText({ events: [first, second], difference, otherEvent, kinds }: TraceDiff): string {
  if (!difference) return `the traces are equal: ${first} events\n`;
  const lines = [`the traces differ: ${first} and ${second} events`, ...differenceLines("first difference", difference)];
  if (!otherEvent) lines.push("only times and CPUs differ: the events are the same");
  else if (otherEvent.event > difference.event) lines.push(...differenceLines("first different event", otherEvent));
  lines.push(...kinds.map(({ kind, first, second }) => `${kind.padEnd(6)} ${first} | ${second}`));
  return lines.map((line) => `${line}\n`).join("");
}

function differenceLines(title: string, { event, fields, before, first, second }: TraceDifference): string[] {
  const line = (mark: string, { t, vcpu, kind, text }: EventRow) =>
    `  ${mark} t=${timeText(Number(t))} ${[vcpu, kind, text].filter((word) => word !== null).join(" ")}`;
  const side = (mark: string, rows: readonly EventRow[]) => rows.length ? rows.map((row) => line(mark, row)) : [`  ${mark} the trace ends`];
  const what = fields.length ? `: ${fields.join(", ")}` : "";
  return [`${title} at event ${event}${what}`, ...before.map((row) => line(" ", row)), ...side("a", first), ...side("b", second)];
}

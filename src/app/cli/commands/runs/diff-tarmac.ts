// `el2 diff FILE.rec FILE.tarmac`: a run beside the Tarmac trace of another machine.

import { failed, Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { TarmacComparison, type TarmacDifference } from "../../../../session/export/tarmac-diff.ts";
import { readTarmac, type TarmacLine } from "../../../../kit/formats/tarmac.ts";
import { MAX_VCPUS } from "../../../../model/plans/limits.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { documentText, TARMAC_DIFF } from "../../../../model/queries/documents.ts";
import { HOST, withoutKind } from "../../../../model/queries/ids.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";
import { cannotRead } from "../../../../kit/support/files/named-file.ts";
import { LineCutter } from "../../../../kit/support/text/line-cutter.ts";
import { hex, timeText } from "../../../../kit/support/text/number-text.ts";
import { KiB } from "../../../../kit/support/values/sizes.ts";

/** The processor of a line; cpu0 is the first of any trace. */
const processorOf = ({ cpu = "0" }: TarmacLine) => Number(/(\d+)$/.exec(cpu)?.[1] ?? 0);

/** Bytes that are read at once, and most characters of a line. */
const PIECE = 256 * KiB, LONGEST = 64 * KiB;

/** The comparison is over before the run is. */
class Over extends Error {}

interface TarmacDiffOptions {
  readonly vm?: string | undefined;
  readonly json?: boolean | undefined;
}

/**
 * Whether a run does what the trace says: each of its processors is compared with the vCPU of the
 * same number.
 * @param options `vm`: undefined is the primary VM
 * @throws Failure
 */
export async function diffTarmac(
  entry: URL,
  recording: Recording,
  trace: string,
  { vm, json = false }: TarmacDiffOptions,
): Promise<boolean> {
  const name = vm === undefined ? vmOf(recording) : withoutKind("vm", vm), comparisons = new Map<number, TarmacComparison>();
  const processors = new Set<number>();
  for (const line of readLines(trace)) {
    // Each is compared by its own reader.
    if (processors.add(processorOf(line)).size > MAX_VCPUS) {
      throw new Failure(`diff: ${trace} has more than ${MAX_VCPUS} processors`, "give the lines of those that the VM has");
    }
  }
  for (const processor of processors) {
    comparisons.set(processor, new TarmacComparison(readLines(trace).filter((line) => processorOf(line) === processor)));
  }
  if (!comparisons.size) throw new Failure(`diff: ${trace} has no instruction`, "give a Tarmac trace, with IT or ES lines");
  using progress = new Progress("comparing", "ns");
  const cutter = new LineCutter();
  const take = (text: string) => {
    for (const one of cutter.add(text)) {
      const line = readTarmac(one);
      if (line) comparisons.get(processorOf(line))?.add(line);
    }
    const all = [...comparisons.values()];
    if (all.some(({ difference }) => difference) || all.every(({ isOver }) => isOver)) throw new Over();
  };
  try {
    await progress.during(runJob(entry, {
      name: "instructions",
      input: { recording, vm: name, from: undefined, to: undefined, filter: undefined },
      plans: [alone(recording.plan)],
      hear: ({ text, time }) => {
        take(text);
        progress.at(time, recording.end?.at);
      },
    }));
    for (const one of comparisons.values()) one.end();
  } catch (error) {
    if (!(error instanceof Over)) throw error;
  }
  return tell(name, trace, comparisons, json);
}

function tell(vm: string, trace: string, comparisons: ReadonlyMap<number, TarmacComparison>, json: boolean): boolean {
  const all = [...comparisons].map(([cpu, { compared, difference, awaited }]) => ({ cpu, compared, awaited, difference }));
  const [first] = all.flatMap(({ cpu, difference }) => difference ? [{ cpu, ...difference }] : []).sort((a, b) => a.time - b.time);
  const compared = all.reduce((sum, one) => sum + one.compared, 0), missing = all.find(({ awaited }) => awaited !== undefined);
  if (!first && missing?.awaited !== undefined) {
    const at = `at ${hex(missing.awaited)}`;
    throw failed(`vCPU ${missing.cpu} of ${vm} never executes the first instruction of ${trace} with its registers, ${at}`);
  }
  if (json) output(`${documentText(TARMAC_DIFF, { compared: String(compared), difference: first ? jsonOf(first) : null })}\n`);
  else output(first ? differenceText(first) : `the run does what the trace says: ${compared} instructions\n`);
  return !first;
}

type Difference = TarmacDifference & { readonly cpu: number };

const jsonOf = ({ cpu, compared, time, pc, what, own, other }: Difference) => ({
  cpu,
  insn: String(compared),
  ns: String(time),
  pc: hex(pc),
  what,
  first: own,
  second: other,
});

function differenceText({ cpu, compared, time, pc, what, own, other }: Difference): string {
  return `the run and the trace differ after ${compared} instructions of cpu${cpu}, t=${timeText(time)}, at ${hex(pc)}\n` +
    ` ${what}: ${own} in the run | ${other} in the trace\n`;
}

function vmOf({ plan }: Recording): string {
  if (plan.what.kind === "boot") return HOST;
  throw new Failure("diff: the run has several VMs", "name the one of the trace with --vm");
}

/** Reads a trace, as far as it is asked for. @throws Failure */
function* readLines(path: string): Generator<TarmacLine> {
  const bytes = new Uint8Array(PIECE), decoder = new TextDecoder(), cutter = new LineCutter();
  let number = 0;
  using file = openTrace(path);
  for (;;) {
    const count = file.readSync(bytes) ?? 0;
    // The last line may have no end.
    for (const one of cutter.add(count === 0 ? "\n" : decoder.decode(bytes.subarray(0, count), { stream: true }))) {
      number++;
      if (one.length > LONGEST) throw tooLong(path, number);
      const line = readTarmac(one);
      if (line) yield line;
    }
    if (count === 0) return;
    if (cutter.rest.length > LONGEST) throw tooLong(path, number + 1);
  }
}

const tooLong = (path: string, line: number) =>
  new Failure(`diff: ${path}:${line}: a line of more than ${LONGEST} characters is not one of a Tarmac trace`);

function openTrace(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path);
  } catch (error) {
    throw new Failure(cannotRead(error, `diff: ${path}`));
  }
}

// Runs whose executed instructions are counted: recordings, or the run of a session so far. They
// are run again, in a worker, on cores that count.

import { failed, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { openSession } from "../../common/session.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { readNamedRecording } from "../../start/plans/recordings.ts";
import { type SavedRun, savedRun } from "../../start/plans/saved-run.ts";
import {
  type CountedEvents,
  type CountedKind,
  type ExecutedParts,
  type ExecutedVm,
  type Latency,
  type ProcessInstructions,
  runJob,
  type SampledStack,
} from "../../../jobs/run-job.ts";
import type { Consent } from "../../../../model/plans/host-resources.ts";
import { alone, plannedVms, type SessionPlan } from "../../../../model/plans/plan.ts";
import { HOST, RESOURCE_MANAGER, withoutKind } from "../../../../model/queries/ids.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { within } from "../../../../kit/support/problem.ts";

/** Which runs are counted, and whose code. */
export interface CountedRuns {
  /** Recordings; none: the session. */
  readonly files: readonly string[];
  readonly session?: string | undefined;
  readonly vm?: string | undefined;
  readonly allowHost?: readonly string[] | undefined;
  readonly anyway?: boolean | undefined;
}

/**
 * The code that their VMs have executed, all runs together.
 * @throws Failure
 */
export async function executedIn(entry: URL, runs: CountedRuns, parts: ExecutedParts): Promise<ExecutedVm[]> {
  const vmOf = ({ vm }: ExecutedVm) => vm;
  return await runAgain("counting", runs, vmOf, (recordings, rest) => {
    return runJob(entry, { ...rest, name: "executed", input: { recordings, parts } });
  });
}

/** Reports that no VM has source lines, if so. */
export function reportNoLines(command: string, vms: readonly ExecutedVm[]): void {
  if (vms.some(({ files }) => files.size > 0)) return;
  report(`el2: ${command}: no VM has debug information, so there are no lines; give an ELF file built with -g (--symbols)`);
}

/**
 * The call stacks in which their VMs executed instructions.
 * @param every execution time (ns) between two samples
 * @throws Failure
 */
export async function stacksIn(entry: URL, runs: CountedRuns, every: number): Promise<SampledStack[]> {
  const vmOf = ({ frames: [vm] }: SampledStack) => vm;
  return await runAgain("sampling", runs, vmOf, (recordings, rest) => {
    return runJob(entry, { ...rest, name: "stacks", input: { recordings, every } });
  });
}

/**
 * Events of their VMs, by name.
 * @throws Failure
 */
export async function eventsIn(entry: URL, runs: CountedRuns, kind: CountedKind): Promise<CountedEvents[]> {
  const vmOf = ({ vm }: CountedEvents) => vm;
  return await runAgain("counting", runs, vmOf, (recordings, rest) => {
    return runJob(entry, { ...rest, name: "event-counts", input: { recordings, kind } });
  });
}

/**
 * The instructions of their processes.
 * @throws Failure
 */
export async function processesIn(entry: URL, runs: CountedRuns): Promise<ProcessInstructions[]> {
  const vmOf = ({ vm }: ProcessInstructions) => vm;
  return await runAgain("counting", runs, vmOf, (input, rest) => runJob(entry, { ...rest, name: "process-counts", input }));
}

/**
 * The times of their interrupts, messages, requests and accesses.
 * @throws Failure
 */
export async function latenciesIn(entry: URL, runs: CountedRuns): Promise<Latency[]> {
  const vmOf = ({ vm }: Latency) => vm;
  return await runAgain("measuring", runs, vmOf, (input, rest) => runJob(entry, { ...rest, name: "latencies", input }));
}

/** A job's parts besides its name and input. */
interface JobOfRuns {
  readonly plans: readonly SessionPlan[];
  readonly moved: true;
  /** Takes the instructions so far, of all runs together. */
  readonly hear: (instructions: number) => void;
}

/**
 * The findings of a job about the wanted VM, of all runs; shows its progress.
 * @throws Failure if nothing is of that VM
 */
async function runAgain<T>(
  work: string,
  runs: CountedRuns,
  vmOf: (one: T) => string,
  job: (recordings: readonly Recording[], rest: JobOfRuns) => Promise<T[]>,
): Promise<T[]> {
  await using repeated = await recordingsIn(runs);
  const { recordings } = repeated, plans = recordings.map(({ plan }) => alone(plan));
  if (runs.vm !== undefined) checkVmOf(plans, runs.vm);
  const ends = recordings.map(({ end }) => end?.end.instructions);
  const last = ends.reduce((sum, end) => sum === undefined || end === undefined ? undefined : sum + end, 0);
  using progress = new Progress(work, "instructions");
  const all = await progress.during(job(recordings, { plans, moved: true, hear: (instructions) => progress.at(instructions, last) }));
  if (runs.vm === undefined) return all;
  const name = withoutKind("vm", runs.vm), found = all.filter((one) => vmOf(one) === name), names = [...new Set(all.map(vmOf))];
  if (found.length) return found;
  throw failed(`no VM called "${name}" executed anything that counts`, didYouMeanOneOf(name, names));
}

/**
 * Checks before any work that a run can have a VM of this name.
 * @throws Failure
 */
export function checkVmOf(plans: readonly SessionPlan[], named: string): void {
  // A guest that makes VMs gives them their names while it runs.
  if (plans.some(({ what, root }) => what.kind !== "run" || root)) return;
  const name = withoutKind("vm", named), names = [...new Set(plans.flatMap(plannedVms))];
  if ([...names, HOST, RESOURCE_MANAGER].includes(name)) return;
  throw failed(`no VM called "${name}"`, didYouMeanOneOf(name, names));
}

/** Recordings, and the files that their machines read, until disposed. */
interface Repeated extends AsyncDisposable {
  readonly recordings: readonly Recording[];
}

async function recordingsIn({ files, session, allowHost, anyway }: CountedRuns): Promise<Repeated> {
  if (files.length && session !== undefined) throw new Failure("recordings and --session are mutually exclusive", "give one");
  const consent = hostConsent(allowHost), recordings: Recording[] = [];
  if (!files.length) return await runOf(session, consent);
  for (const file of files) recordings.push(await readNamedRecording(file, consent, anyway));
  return { recordings, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/**
 * The run of a session so far.
 * @throws Failure
 */
export async function runOf(session: string | undefined, consent: Consent): Promise<SavedRun> {
  using open = await openSession({ session });
  return await savedRun(async (path) => {
    const problem = await open.asker.saveRecording(path, true);
    return problem && within("the run of the session cannot be repeated", problem);
  }, consent);
}

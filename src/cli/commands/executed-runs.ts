// Runs whose executed instructions are counted: recordings, or the run of a session so far. They
// are run again, in a worker, on cores that count.

import { failed, Failure } from "../common/failure.ts";
import { Progress } from "../common/progress.ts";
import { openSession } from "../common/session.ts";
import { runJob } from "../jobs/run-job.ts";
import { hostConsent } from "../start/plans/consent.ts";
import { readNamedRecording } from "../start/plans/recordings.ts";
import type { ExecutedVm } from "../../inspection/execution/executed.ts";
import type { SampledStack } from "../../inspection/execution/stack-samples.ts";
import { alone } from "../../plans/plan.ts";
import { withoutKind } from "../../queries/ids.ts";
import type { Recording } from "../../recordings/recording.ts";
import { didYouMean } from "../../support/did-you-mean.ts";
import { within } from "../../support/problem.ts";

/** Which runs are counted, and whose code. */
export interface CountedRuns {
  /** Recordings; none: the session. */
  readonly files: readonly string[];
  readonly session?: string | undefined;
  readonly vm?: string | undefined;
  readonly allowHost?: readonly string[] | undefined;
}

/**
 * The code that their VMs have executed, all runs together.
 * @throws Failure
 */
export async function executedIn(entry: URL, runs: CountedRuns): Promise<ExecutedVm[]> {
  const recordings = await recordingsIn(runs);
  using progress = new Progress("counting", "instructions");
  const vms = await progress.during(runJob(entry, {
    name: "executed",
    input: recordings,
    plans: recordings.map(({ plan }) => alone(plan)),
    hear: ({ index, at }) => progress.at(at, recordings[index].end?.at),
  }));
  return ofVm(vms, runs.vm, ({ vm }) => vm);
}

/**
 * The call stacks in which their VMs executed instructions.
 * @param every execution time (ns) between two samples
 * @throws Failure
 */
export async function stacksIn(entry: URL, runs: CountedRuns, every: number): Promise<SampledStack[]> {
  const recordings = await recordingsIn(runs);
  using progress = new Progress("sampling", "instructions");
  const stacks = await progress.during(runJob(entry, {
    name: "stacks",
    input: { recordings, every },
    plans: recordings.map(({ plan }) => alone(plan)),
    hear: ({ index, at }) => progress.at(at, recordings[index].end?.at),
  }));
  return ofVm(stacks, runs.vm, ({ frames: [vm] }) => vm);
}

/** @throws Failure if nothing is of the VM that is wanted */
function ofVm<T>(all: readonly T[], vm: string | undefined, vmOf: (one: T) => string): T[] {
  if (vm === undefined) return [...all];
  const name = withoutKind("vm", vm), found = all.filter((one) => vmOf(one) === name), names = [...new Set(all.map(vmOf))];
  if (found.length) return found;
  throw failed(`no VM called "${name}" executed instructions`, didYouMean(name, names, `there are ${names.join(", ")}`));
}

async function recordingsIn({ files, session, allowHost }: CountedRuns): Promise<readonly Recording[]> {
  if (files.length && session !== undefined) throw new Failure("recordings and --session are mutually exclusive", "give one");
  return files.length ? await recordingsOf(files, allowHost) : [await runOf(session, allowHost)];
}

async function recordingsOf(files: readonly string[], allowHost: readonly string[] | undefined): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const file of files) recordings.push(await readNamedRecording(file, hostConsent(allowHost)));
  return recordings;
}

/** The run of a session so far, which the session writes as a recording. */
async function runOf(session: string | undefined, allowHost: readonly string[] | undefined): Promise<Recording> {
  using open = await openSession({ session });
  const folder = await Deno.makeTempDir({ prefix: "el2-counted-" });
  try {
    const file = `${folder}/session.rec`, error = await open.asker.saveRecording(file);
    if (error !== undefined) throw failed(within("the run of the session cannot be repeated", error));
    return await readNamedRecording(file, hostConsent(allowHost));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

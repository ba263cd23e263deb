// Profiles of a session's run so far, for its screens: the session writes the run, and a worker
// repeats it and counts, as `el2 profile` does.

import { Failure } from "../../common/failure.ts";
import { hostConsent } from "../plans/consent.ts";
import { savedRun } from "../plans/saved-run.ts";
import { Jobs } from "../../../jobs/run-job.ts";
import { flameOf } from "../../../tui/panes/flame.ts";
import type { Profiled, Profiler } from "../../../tui/app/doing/profiles.ts";
import { alone } from "../../../../model/plans/plan.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";

/** The paths of frames of a run, with their weights. */
type Paths = (readonly [names: readonly string[], weight: number])[];

/** Samples of call stacks in a run: more than a terminal has columns, and soon there. */
const SAMPLES = 4_000;
/** The name of code that no symbol, line or process is known for. */
const UNKNOWN = "?";

/** A profiler whose workers are started as `entry` is. */
export function profilerOf(entry: URL): Profiler {
  return async (by, save, tell, signal) => {
    using jobs = new Jobs(entry);
    const canceled = new Promise<undefined>((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
    try {
      await using run = await savedRun(save, hostConsent());
      const [recording] = run.recordings, all = recording.end?.end.instructions;
      // The worker ends with `jobs`.
      const paths = signal.aborted ? undefined : await Promise.race([pathsOf(jobs, by, recording, (done) => tell(done, all)), canceled]);
      return paths ? { root: flameOf(paths) } : { problem: { what: "canceled" } };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return { problem: error.problem };
    }
  };
}

async function pathsOf(jobs: Jobs, by: Profiled, recording: Recording, hear: (done: number) => void): Promise<Paths> {
  const recordings = [recording], rest = { plans: [alone(recording.plan)], moved: true, hear };
  switch (by) {
    case "function": {
      const every = Math.max(1, Math.floor((recording.end?.end.instructions ?? 0) / SAMPLES));
      const stacks = await jobs.run({ ...rest, name: "stacks", input: { recordings, every } });
      return stacks.map(({ frames, samples }) => [frames, samples]);
    }
    case "line": {
      const vms = await jobs.run({ ...rest, name: "executed", input: { recordings, parts: { unexecuted: false, blocks: false } } });
      return vms.flatMap(({ vm, files, instructions }) => {
        const lines = [...files].flatMap(([file, ofFile]) =>
          Array.from(ofFile, ([line, one]): Paths[number] => [[vm, file, `${file.split("/").at(-1)}:${line}`], one.instructions])
        ).filter(([, weight]) => weight > 0);
        const known = lines.reduce((sum, [, weight]) => sum + weight, 0);
        return known === 0 ? [] : [...lines, ...known < instructions ? [[[vm, UNKNOWN], instructions - known] as const] : []];
      });
    }
    case "process": {
      const processes = await jobs.run({ ...rest, name: "process-counts", input: recordings });
      return processes.some(({ pid }) => pid !== undefined)
        ? processes.map(({ vm, pid, name, instructions }) => [[vm, pid === undefined ? UNKNOWN : `${name} ${pid}`], instructions])
        : [];
    }
    case "wait": {
      const waits = await jobs.run({ ...rest, name: "event-counts", input: { recordings, kind: "wait" } });
      return waits.map(({ vm, vcpu, name, by, time }) => [
        [vm, ...vcpu === undefined ? [] : [vcpu], name, ...by === undefined ? [] : [by]],
        Math.round(time),
      ]);
    }
  }
}

// `el2 trace export FILE.tarmac`: what VMs execute, instruction by instruction.

import { runOf } from "./executed-runs.ts";
import { failed, Failure } from "../common/failure.ts";
import { report } from "../common/print.ts";
import { Progress } from "../common/progress.ts";
import { runJob } from "../jobs/run-job.ts";
import { hostConsent } from "../start/plans/consent.ts";
import { readNamedRecording } from "../start/plans/recordings.ts";
import { TARMAC_START } from "../../formats/tarmac.ts";
import { alone } from "../../plans/plan.ts";
import { FilterError, parseFilter } from "../../queries/filter.ts";
import { withoutKind } from "../../queries/ids.ts";
import { INSTRUCTIONS } from "../../queries/instruction-fields.ts";
import { cannotWrite } from "../../support/named-file.ts";
import { WholeFile } from "../../support/whole-file.ts";

export interface TarmacOptions {
  readonly session?: string;
  readonly recording?: string;
  readonly vm?: string;
  /** Virtual times (ns). */
  readonly from?: number;
  readonly to?: number;
  readonly filter?: string;
  readonly allowHost?: readonly string[];
}

/**
 * Runs a recording, or the session's run so far, again.
 * @throws Failure
 */
export async function exportInstructions(entry: URL, path: string, options: TarmacOptions): Promise<void> {
  const { vm, from, to, filter } = options, consent = hostConsent(options.allowHost);
  checkFilter(filter);
  const recording = options.recording === undefined
    ? await runOf(options.session, consent)
    : await readNamedRecording(options.recording, consent);
  const encoder = new TextEncoder(), last = to ?? recording.end?.at;
  using progress = new Progress(`tracing ${path}`, "ns");
  let bytes = 0;
  try {
    using file = new WholeFile(path);
    const write = (text: string) => {
      const piece = encoder.encode(text);
      file.write(piece);
      bytes += piece.length;
    };
    write(TARMAC_START);
    const count = await progress.during(runJob(entry, {
      name: "instructions",
      input: { recording, vm: vm === undefined ? undefined : withoutKind("vm", vm), from, to, filter },
      plans: [alone(recording.plan)],
      hear: ({ text, time }) => {
        write(text);
        progress.at(time, last);
      },
    }));
    if (count === 0) {
      throw failed("no such instruction was executed", "el2 events lists what its VMs did; leave out --vm, --from, --to or --filter");
    }
    file.commit();
    report(`el2: ${count} instructions, ${bytes} bytes in ${path}`);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw failed(cannotWrite(error, `trace export ${path}`));
  }
}

function checkFilter(filter: string | undefined): void {
  if (filter === undefined) return;
  try {
    parseFilter(filter, INSTRUCTIONS);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new Failure(error.marked);
  }
}

// `el2 trace export FILE.tarmac`: what VMs execute, instruction by instruction.

import { checkVmOf, runOf } from "./executed-runs.ts";
import { failed } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { checkedFilter } from "../../common/values.ts";
import { NamedFile } from "../../common/named-file.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { onlyPlace, readNamedRecording } from "../../start/plans/recordings.ts";
import { TARMAC_START } from "../../../../kit/formats/tarmac.ts";
import { alone } from "../../../../model/plans/plan.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";
import { INSTRUCTIONS } from "../../../../model/queries/instruction-fields.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

export interface TarmacOptions {
  readonly session?: string;
  readonly recording?: string;
  readonly vm?: string;
  /** Virtual times (ns). */
  readonly from?: number;
  readonly to?: number;
  readonly filter?: string;
  readonly allowHost?: readonly string[];
  readonly anyway?: boolean;
}

/**
 * Runs a recording, or the session's run so far, again.
 * @param command for errors
 * @throws Failure
 */
export async function exportInstructions(entry: URL, command: string, path: string, options: TarmacOptions): Promise<void> {
  const { vm, from, to, filter } = options, consent = hostConsent(options.allowHost);
  using file = new NamedFile(path, command);
  if (filter !== undefined) checkedFilter("--filter", filter, INSTRUCTIONS);
  await using repeated = options.recording === undefined ? await runOf(options.session, consent) : undefined;
  const recording = repeated?.recordings[0] ?? await readNamedRecording(options.recording ?? "", consent, options.anyway);
  onlyPlace(to, recording);
  if (vm !== undefined) checkVmOf([recording.plan], vm);
  const last = to ?? recording.end?.at;
  using progress = new Progress(`tracing ${path}`, "ns");
  file.write(TARMAC_START);
  const count = await progress.during(runJob(entry, {
    name: "instructions",
    input: { recording, vm: vm === undefined ? undefined : withoutKind("vm", vm), from, to, filter },
    plans: [alone(recording.plan)],
    hear: ({ text, time }) => {
      file.write(text);
      progress.at(time, last);
    },
  }));
  if (count === 0) {
    throw failed(
      "no such instruction was executed",
      way`${hint("events")} lists what its VMs did; leave out --vm, --from, --to or --filter`,
    );
  }
  file.end();
  report(`el2: ${count} instructions, ${file.bytes} bytes in ${path}`);
}

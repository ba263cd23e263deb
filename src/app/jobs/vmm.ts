// Job: `el2 vmm FILE` runs the sample VMM and reports each of its ioctls as it ends, next to the
// guest's output, from the first instruction to the end.

import { type JobPort, made } from "./job.ts";
import { runToEnd } from "./run-to-end.ts";
import { ExitCode } from "./failure.ts";
import type { TraceEvent, TraceFields } from "../../machine/abi/trace.ts";
import { assemble } from "../../session/assembly/assemble.ts";
import { eventRow } from "../../session/inspection/readers/objects/read-trace.ts";
import { alone, type SessionPlan } from "../../model/plans/plan.ts";
import { documentText, type FieldsOf, IOCTL } from "../../model/queries/documents.ts";
import { vmId } from "../../model/queries/ids.ts";

/**
 * RUN ends as often as a guest touches a device: it is an event of another kind, and reported only
 * on request.
 */
const RUN = ["GH_VCPU_RUN", "GZVM_RUN"];

interface VmmRun {
  readonly plan: SessionPlan;
  /** Virtual time (ns) of its end, if it does not end by itself. */
  readonly end: number;
  /** Report RUN, too. */
  readonly run: boolean;
  /** Ioctls as lines of JSON. */
  readonly json: boolean;
}

type VmmSaid =
  | { readonly kind: "ioctl" | "refused"; readonly text: string }
  | { readonly kind: "console"; readonly console: string; readonly bytes: Uint8Array };

/** Returns the exit code. */
export function job({ plan, end, run, json }: VmmRun, port: JobPort<VmmSaid>): number {
  const system = made(() => assemble(alone(plan)));
  const vms = plan.what.kind === "run" ? plan.what.host.vms : [];
  system.hypervisor.trace.listen(run ? ["ioctl", "sched"] : ["ioctl"], (event) => {
    if (event.result === undefined || event.kind !== "ioctl" && !RUN.includes(event.name)) return;
    // The VMMs are separate processes, whose files have the same numbers.
    const caller = vms.find(({ name }) => system.control.requests(name)?.includes(event.id));
    port.say({ kind: "ioctl", text: json ? `${jsonOf(event, caller?.name)}\n` : lineOf(event, caller?.name, vms.length > 1) });
  });
  runToEnd(system, end, () => {
    for (const { console, bytes } of system.consoles.drain()) port.say({ kind: "console", console, bytes });
  });
  for (const { text, refused } of system.events.drain().events) if (refused) port.say({ kind: "refused", text });
  return system.ended()?.code ?? ExitCode.Done;
}

/** One ioctl with its result. */
function lineOf({ end, name, fields, result }: TraceEvent, vm: string | undefined, names: boolean): string {
  const answer = result!.code < 0 ? `-1 ${result!.name}` : `${result!.code}`;
  const caller = names ? `${vm ?? "?"}: ` : "";
  return `[${(end / 1e9).toFixed(6)}] ${caller}${name}(${argumentText(fields)}) = ${answer}\n`;
}

function argumentText({ fd, ...rest }: TraceFields): string {
  const fields = Object.entries(rest).filter(([, value]) => !Array.isArray(value)).map(([name, value]) => `${name}: ${shown(value)}`);
  return [`fd ${fd}`, ...fields].join(", ");
}

function shown(value: unknown): string {
  return (typeof value === "number" || typeof value === "bigint") && value > 9 ? `0x${value.toString(16)}` : String(value);
}

function jsonOf(event: TraceEvent, vm: string | undefined): string {
  const { id, t, end, name, fields, res, refused, why } = eventRow(event);
  const row: FieldsOf<typeof IOCTL> = {
    id,
    t,
    end,
    vm: vm === undefined ? null : vmId(vm),
    name,
    fields,
    returned: event.result!.code,
    res: res!,
    refused,
    why,
  };
  return documentText(IOCTL, row);
}

// `el2 vmm FILE`: runs the sample VMM and prints each of its ioctls as it ends, next to the guest's
// output. The run is in this process, without a session, from its first instruction to its end.

import { type Command, Option } from "@commander-js/extra-typings";
import type { CommandContext } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { PATIENCE, runHere, useCoreCache } from "../common/machines-here.ts";
import { output, outputBytes, report } from "../common/print.ts";
import { parseDuration } from "../common/values.ts";
import { shownOnStdout } from "../start/headless/console-output.ts";
import { hostOption } from "../options/host.ts";
import { typedBy } from "../start/plans/consent.ts";
import { plannedOf } from "../start/plans/planned.ts";
import { PERSONA_NAMES, PERSONAS } from "../../abi/ioctl/personas.ts";
import type { TraceEvent, TraceFields } from "../../abi/trace.ts";
import { eventRow } from "../../inspection/readers/read-trace.ts";
import { vmId } from "../../queries/ids.ts";
import { documentText, type FieldsOf, IOCTL } from "../../queries/documents.ts";

/**
 * RUN ends as often as a guest touches a device: it is an event of another kind, and printed only
 * with --run.
 */
const RUN = ["GH_VCPU_RUN", "GZVM_RUN"];

export function registerVmm(program: Command, { exit }: CommandContext): void {
  const devices = PERSONA_NAMES.filter((name) => PERSONAS[name].device);
  program.command("vmm")
    .description("run the VMs of a configuration with the sample VMM, one process each, and print its ioctls")
    .argument("<what>", "FILE.toml, an image (arm64 Linux Image, ELF, raw), demo, or debian")
    .addOption(new Option("--device <generation>", "generation of /dev/gunyah").choices(devices))
    .option("--for <time>", `end after this much virtual time (default: ${PATIENCE / 1e9}s)`, parseDuration)
    .addOption(hostOption())
    .option("--run", "also print each RUN")
    .option("--json", "print one line of JSON per ioctl, without consoles")
    .addHelpText("after", "\nExamples:\n  el2 vmm phone.toml --device v14\n  el2 vmm guest.bin --run --for 100ms")
    .action(async (what, options) => {
      const { run = false, json = false, for: end = PATIENCE } = options;
      const { plan } = await plannedOf(what, typedBy(options.allowHost));
      if (plan.what.kind !== "run") throw new Failure(`vmm: ${what} has no VMs`);
      const { host } = plan.what;
      const device = options.device ?? host.driver.device;
      const driver = { ...host.driver, device };
      // A machine in this thread: its modules are loaded on demand.
      const { assemble } = await import("../../assembly/assemble.ts");
      await useCoreCache();
      const system = assemble({ ...plan, what: { kind: "run", host: { ...host, driver } } });
      system.hypervisor.trace.listen(run ? ["ioctl", "sched"] : ["ioctl"], (event) => {
        if (event.result === undefined || event.kind !== "ioctl" && !RUN.includes(event.name)) return;
        // The VMMs are separate processes, whose files have the same numbers.
        const caller = host.vms.find(({ name }) => system.control.requests(name)?.includes(event.id));
        print(event, caller?.name, host.vms.length > 1, json);
      });
      const visible = shownOnStdout(false);
      runHere(system, end, () => {
        for (const { console, bytes } of system.consoles.take()) if (!json) outputBytes(visible(console, bytes));
      });
      for (const { text, refused } of system.events.take().events) if (refused) report(`el2: ${text}`);
      exit(system.ended()?.code ?? ExitCode.Done);
    });
}

/** One ioctl with its result. */
function print(event: TraceEvent, vm: string | undefined, names: boolean, json: boolean): void {
  const { end, name, fields, result } = event;
  if (json) return output(`${documentText(IOCTL, ioctlAsJson(event, vm))}\n`);
  const answer = result!.code < 0 ? `-1 ${result!.name}` : `${result!.code}`;
  const caller = names ? `${vm ?? "?"}: ` : "";
  output(`[${(end / 1e9).toFixed(6)}] ${caller}${name}(${argumentText(fields)}) = ${answer}\n`);
}

function argumentText({ fd, ...rest }: TraceFields): string {
  const fields = Object.entries(rest).filter(([, value]) => !Array.isArray(value)).map(([name, value]) => `${name}: ${shown(value)}`);
  return [`fd ${fd}`, ...fields].join(", ");
}

function shown(value: unknown): string {
  return (typeof value === "number" || typeof value === "bigint") && value > 9 ? `0x${value.toString(16)}` : String(value);
}

function ioctlAsJson(event: TraceEvent, vm: string | undefined): FieldsOf<typeof IOCTL> {
  const { id, t, end, name, fields, res, refused, why } = eventRow(event);
  return { id, t, end, vm: vm === undefined ? null : vmId(vm), name, fields, returned: event.result!.code, res: res!, refused, why };
}

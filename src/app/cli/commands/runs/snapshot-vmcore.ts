// `el2 snapshot vmcore`: a VM of a snapshot as a core file for other tools.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { NamedFile } from "../../common/named-file.ts";
import { output, report } from "../../common/print.ts";
import { Progress } from "../../common/progress.ts";
import { runJob } from "../../../jobs/run-job.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { readNamedSnapshot } from "../../start/plans/snapshots.ts";

/** Adds `snapshot vmcore`. */
export function addVmcore(group: Command, { entry, exit }: CommandContext): void {
  group.command("vmcore").description("write a VM's memory and registers as an ELF core file, as kdump does")
    .argument("<snapshot>", "snapshot to read")
    .argument("<file>", "core file to write")
    .option("--vm <vm>", "the VM (default: the one that runs Linux)")
    .addOption(hostOption())
    .addOption(anywayOption)
    .addHelpText("after", examplesText(["snapshot vmcore before.snap vmcore", "snapshot vmcore before.snap vmcore --vm debian"]))
    .action(async (snapshot, file, { vm, allowHost, anyway }) => {
      using written = new NamedFile(file, "snapshot vmcore", { onlyFile: true });
      const { plan, bytes } = await readNamedSnapshot(snapshot, hostConsent(allowHost), { anyway, code: ExitCode.Failed });
      using progress = new Progress(`writing ${file}`, "bytes");
      const { size, lacks } = await progress.during(runJob(entry, {
        name: "vmcore",
        input: { path: snapshot, bytes, plan, vm },
        plans: [plan],
        hear(parts) {
          for (const { offset, bytes } of parts) written.writeAt(offset, bytes);
          progress.at(written.bytes);
        },
      }));
      written.end(undefined, size);
      if (lacks !== undefined) report(`el2: snapshot vmcore: ${lacks}: tools that read kernels cannot use the file; gdb can`);
      output(`${file}: ${size} bytes\n`);
      exit(ExitCode.Done);
    });
}

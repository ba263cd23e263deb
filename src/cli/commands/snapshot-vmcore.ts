// `el2 snapshot vmcore`: a VM of a snapshot as a core file for other tools.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { useCoreCache } from "../common/machines-here.ts";
import { output, report } from "../common/print.ts";
import { hostOption } from "../options/host.ts";
import { hostConsent } from "../start/plans/consent.ts";
import { readNamedSnapshot } from "../start/plans/snapshots.ts";
import { type Vmcore, vmcoreOf } from "../../inspection/linux/vmcore.ts";
import { Looks, QueryError, View } from "../../inspection/readers/inspected.ts";
import { openOwn } from "../../support/own-files.ts";
import { writeAll } from "../../support/write-all.ts";

/** Adds `snapshot vmcore`. */
export function addVmcore(group: Command, { exit }: CommandContext): void {
  group.command("vmcore").description("write a VM's memory and registers as an ELF core file for crash, drgn and gdb")
    .argument("<snapshot>", "snapshot to read")
    .argument("<file>", "core file to write")
    .option("--vm <vm>", "the VM (default: the one that runs Linux)")
    .addOption(hostOption())
    .addHelpText("after", examplesText(["snapshot vmcore before.snap vmcore", "snapshot vmcore before.snap vmcore --vm debian"]))
    .action(async (snapshot, file, { vm, allowHost }) => {
      const { plan, state } = await readNamedSnapshot(snapshot, hostConsent(allowHost), ExitCode.Failed);
      // It is loaded into a machine that does not run.
      const { assembleFrom } = await import("../../snapshots/begin.ts");
      await useCoreCache();
      const system = assembleFrom(plan);
      system.load(state, false);
      try {
        const core = vmcoreOf(new View(system, new Looks()), vm);
        write(core, file);
        if (core.lacks !== undefined) report(`el2: snapshot vmcore: ${core.lacks}: crash and drgn cannot use the file; gdb can`);
        output(`${file}: ${core.size} bytes\n`);
      } catch (error) {
        if (error instanceof QueryError) throw new Failure(`snapshot vmcore: ${error.message}`, ExitCode.Failed);
        throw error;
      }
      exit(ExitCode.Done);
    });
}

/** Pages of zeros become holes. */
function write(core: Vmcore, path: string): void {
  using file = openOwn(path, { truncate: true });
  writeAll(file, core.beginning, path);
  for (const { offset, bytes } of core.pages()) {
    file.seekSync(offset, Deno.SeekMode.Start);
    writeAll(file, bytes, path);
  }
  file.truncateSync(core.size);
}

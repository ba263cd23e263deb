// `el2 coverage`: which code of the VMs has run.

import { resolve } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { printListing, withListOptions } from "../../common/list-options.ts";
import { NamedFile } from "../../common/named-file.ts";
import { output, printRows, report } from "../../common/print.ts";
import { sessionOption } from "../../common/session.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { executedIn, reportNoLines } from "./executed-runs.ts";
import { coveredBranches, coveredLines } from "../../../../session/export/executed/covered.ts";
import type { ExecutedLine, ExecutedVm } from "../../../jobs/run-job.ts";
import { isWithin, leadsTo } from "../../../../kit/support/files/real-place.ts";
import { COVERAGE, documentText, type FieldsOf, listingOf } from "../../../../model/queries/documents.ts";

type CoverageRow = FieldsOf<typeof COVERAGE>;

export function registerCoverage(program: Command, { entry, exit }: CommandContext): void {
  withListOptions(program.command("coverage").description("show which functions, lines and branches of the VMs' code have run"))
    .argument("[recordings...]", "runs to add up (default: the run of the session so far)")
    .option("--vm <name>", "only this VM")
    .option("--lcov <file>", "write an lcov tracefile, for genhtml and CI services")
    .option("--drcov <file>", "write the blocks that ran, for plugins of disassemblers")
    .option("--json", "print one line of JSON per VM and per source file")
    .addOption(sessionOption)
    .addOption(hostOption())
    .addOption(anywayOption)
    .addHelpText(
      "after",
      `
el2 runs each recording again and counts every instruction. Lines need debug information: an ELF file of the guest built with -g
(--symbols, or the image itself). Without it, only functions and blocks are known. Sources that are not below the working folder have names
that begin with outside/ in a tracefile: a guest's debug information may name any file.
${
        examplesText([
          "coverage",
          "coverage --vm ping",
          "coverage a.rec b.rec --lcov both.info",
        ])
      }`,
    )
    .action(async (files, options) => {
      using lcov = options.lcov === undefined ? undefined : new NamedFile(options.lcov, "--lcov");
      using drcov = options.drcov === undefined ? undefined : new NamedFile(options.drcov, "--drcov");
      const listing = listingOf(COVERAGE, "no code has run");
      await printListing(listing, options, async () => {
        const vms = await executedIn(entry, { files, ...options }, { unexecuted: true, blocks: options.drcov !== undefined });
        await write(vms, { lcov, drcov });
        return vms.flatMap(rowsOf);
      }, (rows) => {
        if (options.json) { for (const row of rows) output(`${documentText(COVERAGE, row)}\n`); }
        else printRows(listing, rows, undefined, options);
      });
      exit(ExitCode.Done);
    });
}

interface Files {
  readonly lcov: NamedFile | undefined;
  readonly drcov: NamedFile | undefined;
}

async function write(vms: readonly ExecutedVm[], { lcov, drcov }: Files): Promise<void> {
  if (lcov) {
    const outside = new Set<string>();
    const nameOf = (file: string) => {
      const name = tracedName(file);
      if (name !== file) outside.add(file);
      return name;
    };
    for (const piece of (await import("../../../../session/export/executed/lcov.ts")).lcov(vms, nameOf)) lcov.write(piece);
    lcov.end();
    if (outside.size > 0) {
      report(`el2: coverage: ${outside.size} source files are not below this folder; the tracefile names them ${OUTSIDE}/PATH`);
    }
  }
  drcov?.end((await import("../../../../session/export/executed/drcov.ts")).drcov(vms));
  if (lcov) reportNoLines("coverage", vms);
}

/** Before the path of a source that is not below the working folder. */
const OUTSIDE = "outside";

/** The name of a source in a tracefile: that of one not below the working folder is marked. */
export function tracedName(file: string): string {
  const place = leadsTo(file);
  return place !== undefined && isWithin(place, Deno.cwd()) ? file : `${OUTSIDE}${resolve(file)}`;
}

/** A row for all of a VM's code, and one for each of its source files. */
function rowsOf({ vm, instructions, functions, unexecuted, files }: ExecutedVm): CoverageRow[] {
  const all = [...functions.values()], byFile = Map.groupBy(all, ({ file }) => file);
  const row = (file: string | null, executed: readonly ExecutedLine[], ofFile: typeof all, others: number, count: number): CoverageRow => {
    const lines = coveredLines(executed), branches = coveredBranches(executed);
    return {
      vm,
      file,
      share: lines.valid ? lines.covered / lines.valid : null,
      lines: lines.valid,
      lines_hit: lines.covered,
      functions: ofFile.length + others,
      functions_hit: ofFile.filter((one) => one.instructions > 0).length,
      branches: branches.valid,
      branches_hit: branches.covered,
      insn: String(count),
    };
  };
  const ofFiles = [...files].sort(([a], [b]) => a < b ? -1 : 1).map(([file, lines]) => {
    const list = [...lines.values()];
    return row(file, list, byFile.get(file) ?? [], 0, list.reduce((sum, one) => sum + one.instructions, 0));
  });
  return [row(null, [...files.values()].flatMap((lines) => [...lines.values()]), all, unexecuted.length, instructions), ...ofFiles];
}

// `el2 symbols VM`: names of a VM's addresses, and an ELF file of them for debuggers.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "../../common/answer.ts";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { type ListOptions, withColumns } from "../../common/list-options.ts";
import { report } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { parseWhole } from "../../common/values.ts";
import { readSymbolFile, writeSymbols } from "../../start/plans/symbol-files.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";

/** Values of `-o` that name a form of the list, and no file. */
const FORMS = ["wide", "tsv"] as const;
/** Default limit on the rows of a list. */
const ROWS = 1000;

export function registerSymbols(program: Command, { exit }: CommandContext): void {
  withColumns(withSessionOptions(
    program.command("symbols").description("list a VM's symbols, from its ELF files and from its Linux kernel"),
  ))
    .argument("<vm>", "the VM: NAME or vm:NAME")
    .argument("[filter]", "only matching rows: a part of the name, name~^vfs_, type=T")
    .option("--limit <rows>", "at most this many rows", parseWhole(1, 10_000_000), ROWS)
    .option("--add <file>", "first add the symbols of this ELF file to the VM")
    .option(
      "-o, --output <file>",
      "write an ELF file with all symbols and call frames, for gdb's symbol-file; wide or tsv: print the list in that form",
    )
    .addHelpText(
      "after",
      `
el2 finds a kernel's own table (kallsyms) in memory, without the guest's help, while the VM runs.

Examples:
  el2 symbols debian vfs_open
  el2 symbols debian -o kernel.elf                 then in gdb: symbol-file kernel.elf
  el2 symbols ping --add assets/guests/ping.elf`,
    )
    .action(async (vm, filter, options) => {
      using open = await openSession(options);
      const name = withoutKind("vm", vm);
      if (options.add !== undefined) {
        const error = await open.asker.symbols(name, readSymbolFile(options.add));
        if (error !== undefined) throw failed(error);
      }
      const form = FORMS.find((one) => one === options.output);
      const list: ListOptions = { ...options, output: form };
      if (form && options.json) throw new Failure(`symbols: -o ${form} and --json are mutually exclusive`, "give one");
      if (options.output !== undefined && !form) {
        report(`el2: ${await writeSymbols(open.asker, name, options.output)}`);
        return exit(ExitCode.Done);
      }
      await answer(open, { table: "symbols", args: { vm: name, filter, limit: options.limit } }, options.json ?? false, { list });
      exit(ExitCode.Done);
    });
}

// `el2 symbols VM`: names of a VM's addresses, and an ELF file of them for debuggers.

import { runner } from "../../common/argv.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { LIST_FORMS, withColumns } from "../../common/list-options.ts";
import { report } from "../../common/print.ts";
import { refused, runCommand, type RunOptions } from "../../common/run-command.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { readSymbols, writeSymbols } from "../../start/plans/symbol-files.ts";
import { SYMBOLS } from "../../../../model/commands/recording.ts";
import { withoutKind } from "../../../../model/queries/ids.ts";

export const runSymbols = runner(SYMBOLS, {
  options: (command) => withColumns(withSessionOptions(command)),
  async run(values, options) {
    const { vm, add, output } = values, name = withoutKind("vm", vm);
    // A form of the list, and not a file.
    const form = LIST_FORMS.find((one) => one === output);
    const list: RunOptions = form === "json" ? { ...options, output: undefined, json: true } : { ...options, output: form };
    if (list.output && options.json) throw new Failure(`symbols: -o ${form} and --json are mutually exclusive`, "give one");
    using open = await openSession(options);
    if (add !== undefined) { for (const file of await readSymbols(add)) refused(await open.asker.symbols(name, file)); }
    if (output !== undefined && !form) {
      report(`el2: ${await writeSymbols(open.asker, name, output)}`);
      return ExitCode.Done;
    }
    return await runCommand(SYMBOLS, values, list);
  },
});

// `el2 vm dtb VM`: the devicetree that a VM got.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { checkAnswered, ExitCode, failed } from "../../common/failure.ts";
import { writeNamedFile } from "../../common/named-file.ts";
import { output, printAnswer, report } from "../../common/print.ts";
import { openSession, withSessionOptions } from "../../common/session.ts";
import { VM_ARGUMENT } from "../../common/group.ts";
import { readDevicetree } from "../../../../machine/devicetree/reader.ts";
import { devicetreeSource } from "../../../../machine/devicetree/source.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { DEVICETREES } from "../../../../model/queries/tables.ts";

/** Adds the command to the group `vm`. */
export function addDtb(vm: Command, { exit }: CommandContext): void {
  const command = withSessionOptions(vm.command("dtb").description("print the devicetree that a VM got, as its memory has it now"))
    .argument("<vm>", VM_ARGUMENT.help)
    .option("--output <file>", "write the flattened tree to a file instead")
    .addHelpText(
      "after",
      `\nLinux clears kaslr-seed and rng-seed when it has read them.${examplesText(["vm dtb ping", "vm dtb host --output host.dtb"])}`,
    );
  command.action(async (name, options) => {
    using open = await openSession(options);
    const answer = await open.asker.ask({ table: "vm.dtb", args: { vm: name } });
    checkAnswered(answer);
    if (options.json) printAnswer(open.session.info.name, answer, true);
    const [{ address, blob }] = rowsOf(DEVICETREES, answer);
    const bytes = Uint8Array.fromHex(blob);
    if (options.output !== undefined) {
      writeNamedFile(options.output, "--output", bytes, { mode: 0o644 });
      report(`el2: ${options.output}: ${bytes.length} bytes, from ${address}`);
    } else if (!options.json) {
      const read = readDevicetree(bytes);
      if (!read.ok) {
        throw failed(`vm dtb: the tree at ${address} is damaged at offset ${read.offset}: ${read.problem}`);
      }
      output(devicetreeSource(read.tree));
    }
    exit(ExitCode.Done);
  });
}

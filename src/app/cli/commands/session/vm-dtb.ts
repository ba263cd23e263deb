// `el2 vm dtb VM`: the devicetree that a VM got.

import { runner } from "../../common/argv.ts";
import { checkAnswered, ExitCode, failed } from "../../common/failure.ts";
import { writeNamedFile } from "../../common/named-file.ts";
import { output as print, printAnswer, report } from "../../common/print.ts";
import { openSession } from "../../common/session.ts";
import { VM_DTB } from "../../../../model/commands/vm.ts";
import { readDevicetree } from "../../../../machine/devicetree/reader.ts";
import { devicetreeSource } from "../../../../machine/devicetree/source.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { DEVICETREES } from "../../../../model/queries/tables.ts";

export const runDtb = runner(VM_DTB, {
  async run({ vm, output }, options) {
    using open = await openSession(options);
    const answer = await open.asker.ask({ table: "vm.dtb", args: { vm } });
    checkAnswered(answer);
    if (options.json) printAnswer(open.session.info.name, answer, true);
    const [{ address, blob }] = rowsOf(DEVICETREES, answer);
    const bytes = Uint8Array.fromHex(blob);
    if (output !== undefined) {
      writeNamedFile(output, "--output", bytes);
      report(`el2: ${output}: ${bytes.length} bytes, from ${address}`);
    } else if (!options.json) {
      const read = readDevicetree(bytes);
      if (!read.ok) {
        throw failed(`vm dtb: the tree at ${address} is damaged at offset ${read.offset}: ${read.problem}`);
      }
      print(devicetreeSource(read.tree));
    }
    return ExitCode.Done;
  },
});

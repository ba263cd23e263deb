// `el2 vm lint DTB`: the parts of a VM's devicetree that the Resource Manager would refuse, change
// or ignore.

import { type Command, Option } from "@commander-js/extra-typings";
import type { CommandContext } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { readNamedFile } from "../../common/named-file.ts";
import { output } from "../../common/print.ts";
import { lintVm } from "../../../configuration/vm-lint.ts";
import { PHONE_NAMES } from "../../../configuration/keys/names.ts";
import { phoneLintRules } from "../../../configuration/phone-settings.ts";
import { documentText, LINT } from "../../../../model/queries/documents.ts";
import { withHint } from "../../../../kit/support/text/did-you-mean.ts";
import { type Exits, exitsText, withExits } from "../../common/command-tree.ts";

const EXITS: Exits = {
  codes: { 0: "no findings", 1: "findings" },
};

/** Adds the command to the group `vm`. */
export function addLint(vm: Command, { exit }: CommandContext): void {
  withExits(vm.command("lint"), EXITS)
    .description("check a VM's devicetree: what the Resource Manager would refuse, change or ignore")
    .argument("<dtb...>", "flattened devicetrees, as a VMM passes them")
    .addOption(new Option("--phone <name>", "by the rules of this phone's Resource Manager").choices(PHONE_NAMES))
    .option("--json", "print one JSON document per line, one for each finding")
    .addHelpText("after", `\n${exitsText(EXITS)}\n\nExample:\n  el2 vm lint guest.dtb --phone sm8750`)
    .action((files, options) => {
      let found = 0;
      const rules = options.phone === undefined ? {} : phoneLintRules(options.phone);
      for (const file of files) {
        for (const finding of lintVm(readNamedFile(file, "vm lint"), rules)) {
          found++;
          const { kind, path, property, offset, what, does } = finding;
          if (options.json) {
            output(`${documentText(LINT, { file, path, property: property ?? null, offset, kind, what, does })}\n`);
          } else {output(
              `${file}:0x${offset.toString(16)}: ${kind}: ${path}${property === undefined ? "" : ` ${property}`}: ${
                withHint(what, does)
              }\n`,
            );}
        }
      }
      exit(found > 0 ? ExitCode.Failed : ExitCode.Done);
    });
}

// `el2 trust FILE`: whether the commands and hooks of a configuration may run.

import type { Command } from "@commander-js/extra-typings";
import { examplesText } from "../common/command.ts";
import { readNamedFile } from "../common/named-file.ts";
import { output } from "../common/print.ts";

/** Adds the command. */
export function registerTrust(program: Command): void {
  program.command("trust")
    .description("allow the commands and hooks of a configuration, until its content changes")
    .argument("<file>", "the configuration, such as el2.toml")
    .option("--remove", "withdraw the permission")
    .addHelpText(
      "after",
      `
A configuration may start programs: [[ui.command]] from the screens, [[hook]] on events. Until you trust it, none of them run.
It lists the programs; a program may run others, which el2 does not check. Your own ~/.config/el2/ui.toml needs no trust.
${examplesText(["trust el2.toml", "trust el2.toml --remove"])}`,
    )
    .action(async (file, { remove }) => {
      const { programLines, programsOf } = await import("../start/own-programs.ts");
      const { distrust, trust } = await import("../start/trust.ts");
      const text = new TextDecoder().decode(readNamedFile(file, "trust"));
      if (remove) {
        distrust(file);
        return output(`${file} is not trusted\n`);
      }
      const lines = programLines(programsOf(text));
      if (lines.length === 0) return output(`${file} starts no programs; there is nothing to trust\n`);
      trust(file, text);
      output(`${file} is trusted until it changes; it starts:\n${lines.join("\n")}\n`);
    });
}

// `el2 version`: which el2 this is, and what it runs on.

import type { Command } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import { output } from "../../common/print.ts";
import { PROTOCOL_VERSION } from "../../../../session/control/conversation.ts";
import { ABOUT, documentText } from "../../../../model/queries/documents.ts";
import { thisMaker } from "../../../../kit/support/files/maker.ts";

export function registerVersion(program: Command): void {
  program.command("version")
    .description("print the versions of el2 and its runtime, for bug reports")
    .addOption(jsonOption)
    .addHelpText("after", "\nExamples:\n  el2 version --json")
    .action(({ json }) => {
      const { version, engine = null, commit = null } = thisMaker();
      const about = {
        el2: version,
        engine,
        commit,
        protocol: PROTOCOL_VERSION,
        deno: Deno.version.deno,
        v8: Deno.version.v8,
        target: Deno.build.target,
      };
      if (json) output(`${documentText(ABOUT, about)}\n`);
      else output(Object.entries(about).map(([name, value]) => `${name.padEnd(9)}${value ?? "unknown"}\n`).join(""));
    });
}

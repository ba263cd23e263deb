// `el2 consent`: the files to which the user has consented, and the end of a consent.

import type { Command } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { output, report } from "../../common/print.ts";
import { consentedFiles, withdraw } from "../../start/plans/consent-store.ts";
import { leadsTo } from "../../../../kit/support/files/real-place.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

export function registerConsent(program: Command, { exit }: CommandContext): void {
  program.command("consent")
    .description("list the files that may use this computer because you have consented, or withdraw a consent")
    .option("--withdraw <file>", "withdraw the consent to this configuration, scenario, recording or snapshot; all: to every file")
    .addHelpText("after", examplesText(["consent", "consent --withdraw phone.toml", "consent --withdraw all"]))
    .action(({ withdraw: file }) => {
      if (file === undefined) list();
      else end(file);
      exit(ExitCode.Done);
    });
}

function list(): void {
  const files = consentedFiles();
  if (files.length === 0) report("el2: no file has your consent");
  for (const file of files) output(`${file}\n`);
}

/** @throws Failure if there was none */
function end(named: string): void {
  const files = consentedFiles(), path = resolve(named);
  // A file that is gone has only the name that it had.
  const ended = named === "all" ? files : files.filter((file) => file === path || file === leadsTo(path));
  if (ended.length === 0 && named !== "all") {
    throw new Failure(`consent: you have not consented to ${named}`, way`${hint("consent")} lists the files`);
  }
  for (const file of ended) withdraw(file);
  report(`el2: withdrawn: ${ended.length === 0 ? "none" : ended.join(", ")}`);
}

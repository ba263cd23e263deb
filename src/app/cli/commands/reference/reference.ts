// `el2 reference PAGE`: pages of facts that need no machine. A page is a row of the table, in a
// file of its name.

import type { Command } from "@commander-js/extra-typings";
import { CPU_PAGE } from "./cpu.ts";
import { IOCTL_PAGE } from "./ioctl.ts";
import type { PageOptions, ReferencePage } from "./page.ts";
import { PERSONAS_PAGE } from "./personas.ts";
import { PHONE_PAGE } from "./phone.ts";
import { SCHEMA_PAGE } from "./schema.ts";
import { SPEC_PAGE } from "./spec.ts";
import { THEME_PAGE } from "./theme.ts";
import { examplesText } from "../../common/command.ts";
import { jsonOption } from "../../common/common-options.ts";
import { Failure } from "../../common/failure.ts";
import { asList, withListOptions } from "../../common/list-options.ts";

const PAGES: readonly ReferencePage[] = [SPEC_PAGE, SCHEMA_PAGE, IOCTL_PAGE, CPU_PAGE, PERSONAS_PAGE, PHONE_PAGE, THEME_PAGE];

export function registerReference(program: Command): void {
  const reference = program.command("reference").description(
    "what el2 models and takes: specifications, schemas, ioctls, CPUs, phones, themes",
  );
  for (const page of PAGES) addPage(reference, page);
}

function addPage<A extends unknown[], O extends Record<string, unknown>>(
  reference: Command<A, O>,
  { name, doc, words, form, options = [], notes, examples, print }: ReferencePage,
): void {
  const command = reference.command(name).description(doc);
  for (const word of words) command.addArgument(word);
  for (const option of options) command.addOption(option);
  if (form === "list") withListOptions(command);
  if (form !== "text") command.addOption(jsonOption);
  const lines = examples.map((example) => `reference ${example}`);
  command.addHelpText("after", `${notes === undefined ? "" : `\n${notes}\n`}${examplesText(lines)}`);
  command.action(async () => {
    const given = command.args, chosen: PageOptions = command.opts();
    if (given.length > 0 && (asList(chosen) || chosen.watch)) {
      throw new Failure(`reference ${name}: --columns, -o and --watch are for the list`, `remove ${given[0]}`);
    }
    await print(given, chosen);
  });
}

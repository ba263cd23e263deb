// `el2 schema NAME`: the JSON Schema of what a command prints with --json.

import type { Command } from "@commander-js/extra-typings";
import { examplesText } from "../common/command.ts";
import { Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { DOCUMENTS, documentSchema } from "../../queries/documents.ts";
import { jsonSchema, schemaName } from "../../queries/table.ts";
import { TABLES } from "../../queries/tables.ts";
import { didYouMean } from "../../support/did-you-mean.ts";

/** Adds the command. */
export function registerSchema(program: Command): void {
  program.command("schema")
    .description("print the JSON Schema of a command's --json output")
    .argument("[name]", "el2.mem.parcels/1, el2.mem.parcels or mem.parcels (default: list all)")
    .addHelpText("after", examplesText(["schema", "schema vcpu.ls"]))
    .action((name) => {
      if (name === undefined) {
        const all = [...Object.values(TABLES), ...DOCUMENTS];
        return output(all.map((one) => `${schemaName(one).padEnd(20)} ${one.doc}\n`).join(""));
      }
      const wanted = name.replace(/^el2\./, "").replace(/\/\d+$/, "");
      const table = Object.values(TABLES).find((one) => one.name === wanted);
      const document = DOCUMENTS.find((one) => one.name === wanted);
      const known = [...Object.keys(TABLES), ...DOCUMENTS.map(({ name }) => name)];
      if (!table && !document) throw new Failure(`no schema called "${name}"${didYouMean(wanted, known, "list them with el2 schema")}`);
      output(`${JSON.stringify(table ? jsonSchema(table) : documentSchema(document!), null, 2)}\n`);
    });
}

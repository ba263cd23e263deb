// `el2 schema NAME`: the JSON Schema of what a command prints with --json.

import type { Command } from "@commander-js/extra-typings";
import { Failure } from "./failure.ts";
import { output } from "./print.ts";
import { didYouMean } from "../workstation/did-you-mean.ts";
import { jsonSchema, schemaName } from "../workstation/inspect/table.ts";
import { TABLES } from "../workstation/inspect/tables.ts";

/** Adds the command. */
export function registerSchema(program: Command): void {
  program.command("schema")
    .description("the JSON Schema of a command's --json output")
    .argument("[name]", "el2.mem.parcels/1, el2.mem.parcels or mem.parcels; all names where it is left out")
    .action((name) => {
      if (name === undefined) {
        return output(Object.values(TABLES).map((table) => `${schemaName(table).padEnd(20)} ${table.doc}\n`).join(""));
      }
      const wanted = name.replace(/^el2\./, "").replace(/\/\d+$/, "");
      const table = Object.values(TABLES).find((one) => one.name === wanted);
      if (!table) throw new Failure(`no schema ${name}${didYouMean(wanted, Object.keys(TABLES))}; el2 schema lists them`);
      output(`${JSON.stringify(jsonSchema(table), null, 2)}\n`);
    });
}

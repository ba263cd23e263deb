// `el2 reference schema NAME`: the JSON Schema of the output of a command with --json, and of files
// that users write: configurations and scenarios.

import { Argument } from "@commander-js/extra-typings";
import { offering } from "../../common/command-tree.ts";
import type { ReferencePage } from "./page.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { DOCUMENTS, documentSchema } from "../../../../model/queries/documents.ts";
import { jsonSchema, schemaName } from "../../../../model/queries/table.ts";
import { TABLES } from "../../../../model/queries/tables.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";
import { didYouMean } from "../../../../kit/support/text/did-you-mean.ts";

/** Schemas of files, whose modules are loaded on demand. */
const FILES: Readonly<Record<string, { readonly doc: string; readonly schema: () => Promise<object> }>> = {
  config: {
    doc: "el2.toml, for editors: begin it with #:schema FILE",
    schema: async () => (await import("../../../configuration/config-schema.ts")).configurationSchema(),
  },
  scenario: {
    doc: "the files of el2 test, for editors: begin them with #:schema FILE",
    schema: async () => (await import("../../../scenarios/scenario-schema.ts")).scenarioSchema(),
  },
};

/** The rows and documents that commands print. */
const OUTPUTS = [...Object.values(TABLES), ...DOCUMENTS];

/** Names of all schemas, the shortest of each, with what they describe. */
function schemaNames(): { readonly name: string; readonly doc: string }[] {
  return [...Object.entries(FILES).map(([name, { doc }]) => ({ name, doc })), ...OUTPUTS];
}

const schemaOffers = () => schemaNames().map(({ name, doc }) => ({ word: name, help: doc }));

export const SCHEMA_PAGE: ReferencePage = {
  name: "schema",
  doc: "print the JSON Schema of a command's --json output, of configurations, or of scenarios",
  words: [
    offering(
      new Argument("[name]", "config, scenario; el2.mem.parcels/1, el2.mem.parcels or mem.parcels (default: list all)"),
      schemaOffers,
    ),
  ],
  form: "text",
  examples: ["schema", "schema vcpu.ls", "schema config > el2.schema.json"],
  async print([name]) {
    if (name === undefined) {
      const files = Object.entries(FILES).map(([file, { doc }]) => [file, doc]);
      const all = OUTPUTS.map((one) => [schemaName(one), one.doc]);
      return output([...files, ...all].map(([one, doc]) => `${one.padEnd(20)} ${doc}\n`).join(""));
    }
    if (Object.hasOwn(FILES, name)) return output(schemaText(await FILES[name].schema()));
    const wanted = name.replace(/^el2\./, "").replace(/\/\d+$/, "");
    const table = Object.values(TABLES).find((one) => one.name === wanted);
    const document = DOCUMENTS.find((one) => one.name === wanted);
    if (!table && !document) {
      const known = schemaNames().map(({ name }) => name);
      throw new Failure(`no schema called "${name}"`, didYouMean(wanted, known, `list them with ${hintText(hint("reference schema"))}`));
    }
    output(schemaText(table ? jsonSchema(table) : documentSchema(document!)));
  },
};

export function schemaText(schema: unknown): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

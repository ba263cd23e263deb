// JSON Schema (draft 07, which editors of TOML know) of what valibot declares.

import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { HOST_PATH } from "./described.ts";

/** A schema, as it is written. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly [keyword: string]: unknown;
}

/** Actions that run code. The `facts` next to them describe them for a schema. */
const CODE = ["check", "raw_check"];

/**
 * The schema of a file before it is read: with texts where the program has numbers. Tables take no
 * keys but those declared.
 * @throws Error for a declaration without counterpart and `facts`
 */
export function jsonSchemaOf(
  declared: v.GenericSchema,
  title: string,
): JsonSchema & { readonly properties: Readonly<Record<string, JsonSchema>> } {
  const schema = toJsonSchema(declared, {
    typeMode: "input",
    ignoreActions: [...CODE, HOST_PATH],
    overrideSchema: ({ valibotSchema, jsonSchema }) => {
      // `unknown` and `custom` are what their facts say.
      if (valibotSchema.type === "custom") return {};
      return valibotSchema.type === "object" ? { ...jsonSchema, additionalProperties: false } : undefined;
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, title, ...rest, properties: schema.properties as Readonly<Record<string, JsonSchema>> };
}

// The JSON Schema of scenarios, from the declarations that check them (`scenario.ts`).

import { Head, STEPS } from "./scenario.ts";
import { type JsonSchema, jsonSchemaOf } from "../../kit/support/values/json-schema.ts";

/** The schema of a file that `el2 test` runs. */
export function scenarioSchema(): JsonSchema {
  const head = jsonSchemaOf(Head, "el2 scenario");
  const steps = Object.values(STEPS).map((declared) => withoutVersion(jsonSchemaOf(declared, "")));
  const step = { ...head.properties.step, items: { oneOf: steps } };
  return { ...head, properties: { ...head.properties, step } };
}

/** A part of a schema: the whole names the version and has a title. */
function withoutVersion({ $schema: _version, title: _title, ...part }: JsonSchema): JsonSchema {
  return part;
}

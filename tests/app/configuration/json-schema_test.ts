// The JSON Schemas of configurations and scenarios, by a JSON Schema library.

import assert from "node:assert/strict";
import { Ajv, type ValidateFunction } from "ajv";
import { parse } from "smol-toml";
import { readConfig } from "../../../src/app/configuration/config.ts";
import { configurationSchema } from "../../../src/app/configuration/config-schema.ts";
import { IMAGE_HOST } from "../../../src/app/configuration/keys/host.ts";
import { scenarioSchema } from "../../../src/app/scenarios/scenario-schema.ts";
import { repositoryFiles, ROOT } from "../../support/files.ts";
import { acceptedBy, UNKNOWABLE } from "./wrong-configurations.ts";

// Strict: a keyword that the library does not know is an error.
const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, strictTypes: false, strictTuples: false });
ajv.addFormat("regex", (text) => {
  try {
    new RegExp(text);
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
});
const configuration = ajv.compile(configurationSchema()), scenario = ajv.compile(scenarioSchema());

function errorsOf(validate: ValidateFunction, text: string): string[] {
  return validate(parse(text)) ? [] : validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`);
}

const EXAMPLES = [...repositoryFiles("examples/", ".toml"), "assets/demo.toml", "tests/app/configuration/phone.toml"];
const textOf = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));

Deno.test("no example of a configuration or a scenario has an error by its schema", () => {
  assert.ok(EXAMPLES.length > 0);
  for (const path of EXAMPLES) {
    assert.deepEqual(errorsOf(path.endsWith(".test.toml") ? scenario : configuration, textOf(path)), [], path);
  }
});

Deno.test("every example names its schema for editors", () => {
  for (const path of repositoryFiles("examples/", ".toml")) {
    const named = /^#:schema (\S+)\n/.exec(textOf(path))?.[1];
    assert.ok(named !== undefined, path);
    const { title } = JSON.parse(Deno.readTextFileSync(new URL(named, new URL(path, ROOT))));
    assert.equal(title, path.endsWith(".test.toml") ? "el2 scenario" : "el2 configuration");
  }
});

Deno.test("the schema takes the addresses and ports that a network card takes", () => {
  for (const rule of ["10.0.0.0/8", "192.168.1.5", "10.0.2.2:8080", "fd00::/8", "::1", "[2001:db8::7]:443"]) {
    const text =
      `el2 = 1\n[vm.a]\nimage = "a.bin"\ndevices = [{ kind = "net", allow = ["${rule}"], forward = ["2222:22", "udp:5353:53"] }]\n`;
    assert.equal(readConfig(text).ok, true, rule);
    assert.deepEqual(errorsOf(configuration, text), [], rule);
  }
});

Deno.test("each wrong configuration is refused by the schema, or has a reason why a schema cannot know", () => {
  assert.deepEqual(acceptedBy(configuration), Object.keys(UNKNOWABLE).sort());
});

/** The part of a schema that describes each key of each table. */
function keysOf(schema: Record<string, unknown>, path: string): [string, unknown][] {
  const parts = Object.entries(schema).filter(([keyword]) => ["items", "additionalProperties", "anyOf", "oneOf"].includes(keyword));
  const inner = parts.flatMap(([keyword, part]) =>
    (Array.isArray(part) ? part : [part]).flatMap((one) => typeof one === "object" ? keysOf(one, `${path}/${keyword}`) : [])
  );
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, part]): [string, unknown][] => [
    [`${path}.${key}`, part.description],
    ...keysOf(part, `${path}.${key}`),
  ]);
  return [...own, ...inner];
}

Deno.test("each key has a description", () => {
  for (const schema of [configurationSchema(), scenarioSchema()]) {
    const keys = keysOf(schema as Record<string, unknown>, "");
    assert.ok(keys.length > 0);
    for (const [path, description] of keys) assert.ok(typeof description === "string" && description !== "", path);
  }
});

Deno.test("a key that [host] shares with a VM has the description of [host]", () => {
  const { host } = configurationSchema().properties!;
  for (const [key, { doc }] of Object.entries(IMAGE_HOST)) assert.equal(host.properties![key].description, doc, key);
});

Deno.test("the schema of scenarios refuses values that are not steps, two steps in one, and keys of other steps", () => {
  const step = (text: string) => errorsOf(scenario, `el2_test = 1\n[[step]]\nboot = "demo"\n[[step]]\n${text}\n`).length;
  assert.equal(step('expect_console = "x"\nof = "a"'), 0);
  assert.equal(step('expect_rows = "vm.ls"\ncount = 3'), 0);
  assert.equal(step('expect_print = "init_task.pid"\nis = "0"'), 0);
  for (
    const wrong of [
      'expect_consol = "x"',
      'expect_vm_end = "x"',
      'expect_print = "x"',
      'expect_console = "("\nof = "a"',
      'at = "1s"\nsend = "x"',
      'at = "soon"',
      'expect_rows = "vms"',
      'expect_diagnosis = "broken"\nof = "a"',
    ]
  ) assert.ok(step(wrong) > 0, wrong);
});

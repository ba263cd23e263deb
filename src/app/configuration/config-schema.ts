// The JSON Schema of el2.toml, from the declarations that check a file (`schema.ts`), and the rules
// between keys that JSON Schema can express. `el2 run` checks the others (names of VMs, sums of
// memory, files).

import * as v from "valibot";
import { NET_POLICY_KEYS } from "./keys/devices.ts";
import { HOST_KEYS, OWN_SCHEDULE_KEYS, RM_KEYS, Schema } from "./schema.ts";
import { THEME_NAME } from "./config.ts";
import { OBJECT_PORTS } from "./machine-rules.ts";
import { TAKEN_NAMES, VM_NAME, VM_NAME_MAX } from "../../model/plans/limits.ts";
import { needsOf } from "./keys/key.ts";
import type { Conditions, Need } from "./keys/needs.ts";
import { VM } from "./keys/vm.ts";
import { PERSONA_NAMES, PERSONAS } from "../../machine/abi/ioctl/personas.ts";
import { type JsonSchema, jsonSchemaOf } from "../../kit/support/values/json-schema.ts";

/** `key` is set to one of these values. */
const is = (key: string, ...values: string[]) => ({ required: [key], properties: { [key]: { enum: values } } });
const none = (keys: readonly string[]) => ({ not: { anyOf: keys.map((key) => ({ required: [key] })) } });
const needs = (key: string, other: string) => ({ if: { required: [key] }, then: { required: [other] } });
const notBoth = (...keys: string[]) => ({ not: { required: keys } });
const empty = { maxProperties: 0 };

/** Devices of a VM that the hypervisor schedules, which have fewer queues. */
const OWN_DEVICE = {
  not: is("kind", "pl011"),
  if: is("kind", "console"),
  then: { properties: { ports: { maxItems: OBJECT_PORTS } } },
};

/** Conditions as a schema: a key may be left out where its default will do. */
function conditions(all: Conditions): JsonSchema {
  const entries = Object.entries(all);
  return {
    required: entries.flatMap(([key, values]) => values === true || !values.includes(defaultOf(key)) ? [key] : []),
    properties: Object.fromEntries(entries.flatMap(([key, values]) => values === true ? [] : [[key, { enum: [...values] }]])),
  };
}

/** The value of a key of a VM that a file leaves out. */
function defaultOf(key: string): string {
  return String(v.getDefault(VM[key as keyof typeof VM].type));
}

function needRule([key, { value, when = {}, keys }]: readonly [key: string, need: Need]): JsonSchema {
  return { if: { allOf: [value === undefined ? { required: [key] } : is(key, value), conditions(when)] }, then: conditions(keys) };
}

/** A VM has one image; keys that need others. */
const VM_RULES: readonly JsonSchema[] = [
  { oneOf: [{ required: ["kernel"] }, { required: ["image"] }, { required: ["bios"] }] },
  ...needsOf(VM).map(needRule),
  {
    if: is("schedule", "own"),
    then: { properties: { devices: { items: OWN_DEVICE } } },
    else: none(OWN_SCHEDULE_KEYS),
  },
];

/** A partition is in a table, or at a place. */
const PARTITIONS_RULE: JsonSchema = {
  anyOf: [
    { properties: { partitions: { items: { required: ["label"], ...none(["offset"]) } } } },
    { properties: { partitions: { items: { required: ["offset"], ...none(["label", "guid"]) } } } },
  ],
};

const DEVICE_RULES: readonly JsonSchema[] = [
  // A card's policy belongs to the NAT, which is the default.
  {
    if: { ...is("kind", "net"), not: { properties: { backend: { const: "user" } } } },
    then: none(NET_POLICY_KEYS),
  },
  // A disk is an image, or made of several, which have their own modes.
  { if: is("kind", "block"), then: { oneOf: [{ required: ["image"] }, { required: ["partitions"] }] } },
  { if: { required: ["partitions"] }, then: { properties: { mode: { const: "rw" } }, ...PARTITIONS_RULE } },
];

const WITH_PVPANIC = { properties: { platform_devices: { contains: { const: "pvpanic" } } } };

const HOST_RULES: readonly JsonSchema[] = [
  { if: is("kind", "image"), then: none(HOST_KEYS.native), else: none(HOST_KEYS.image) },
  notBoth("kernel", "image"),
  needs("firmware_vars", "firmware"),
  { if: { ...WITH_PVPANIC, required: ["platform_devices"] }, then: is("bus", "pci") },
];

/** Requirements of one kind of Resource Manager only. */
const RM_RULE: JsonSchema = {
  if: is("kind", "image"),
  then: { required: RM_KEYS.image, ...none(RM_KEYS.native) },
  else: none(RM_KEYS.image),
};

/** Generations without an ioctl that runs a vCPU: their VMs are scheduled by the hypervisor. */
const WITHOUT_RUN = PERSONA_NAMES.filter((name) => PERSONAS[name].device && PERSONAS[name].functions === undefined);

/** An image as the primary VM makes its own VMs; any other host has some. */
const FILE_RULES: readonly JsonSchema[] = [
  {
    if: { required: ["host"], properties: { host: is("kind", "image") } },
    then: {
      anyOf: [
        ...["kernel", "image", "firmware"].map((key) => ({ properties: { host: { required: [key] } } })),
        { required: ["rm"], properties: { rm: is("kind", "image") } },
      ],
    },
  },
  {
    if: { required: ["host"], properties: { host: is("kind", "image") } },
    then: { properties: { vm: empty, link: empty } },
    else: { required: ["vm"], properties: { vm: { minProperties: 1 } } },
  },
  {
    if: { required: ["machine"], properties: { machine: { required: ["geniezone"], properties: { geniezone: { const: true } } } } },
    then: { required: ["host"], properties: { host: is("kind", "image") } },
  },
  {
    if: { required: ["host"], properties: { host: is("device", ...WITHOUT_RUN) } },
    then: { properties: { vm: { additionalProperties: { anyOf: [is("schedule", "own"), is("hypervisor", "geniezone")] } } } },
  },
];

export function configurationSchema(): JsonSchema {
  const file = jsonSchemaOf(Schema, "el2 configuration");
  const { vm, host, rm, ui } = file.properties;
  const one = vm.additionalProperties as JsonSchema;
  const devices = one.properties!.devices;
  const vms = {
    ...vm,
    propertyNames: { pattern: VM_NAME.source, maxLength: VM_NAME_MAX, not: { enum: TAKEN_NAMES } },
    additionalProperties: { ...one, properties: { ...one.properties, devices: withRule(devices) }, allOf: [...VM_RULES] },
  };
  const themes = { ...ui.properties!.themes, propertyNames: { pattern: THEME_NAME.source } };
  const properties = {
    ...file.properties,
    vm: vms,
    host: { ...host, properties: { ...host.properties, devices: withRule(host.properties!.devices) }, allOf: [...HOST_RULES] },
    rm: { ...rm, ...RM_RULE },
    ui: { ...ui, properties: { ...ui.properties, themes } },
  };
  return { ...file, required: ["el2"], properties, allOf: [...FILE_RULES] };
}

function withRule(devices: JsonSchema): JsonSchema {
  return { ...devices, items: { ...devices.items as JsonSchema, allOf: [...DEVICE_RULES] } };
}

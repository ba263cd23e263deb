// Random values of valibot schemas, for fuzzing by structure: what a schema takes, and damage to
// it.

import type * as v from "valibot";
import type { Random } from "./random.ts";

const WORDS = [
  ...["", "vm:ping", "ping", "vcpu:ping/0", "mq:1", "pa:0x40000000", "ipa:ping/0x80000000", "ping:entry", "ping/0:pc", "state=running"],
  ...["\u001b[2J", "../../etc/passwd", "__proto__", "a".repeat(300), "irq:ping/27", "hvc,rpc", "0.0", "\u202e", "%s", "'", "stop:1", "all"],
];
const NUMBERS = [0, 1, 2, 7, 16, 255, 4096, 65535, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];

/** The parts of a schema that make a value, in valibot's own words. */
interface Schema {
  readonly type: string;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly options?: readonly unknown[];
  readonly wrapped?: Schema;
  readonly item?: Schema;
  readonly literal?: unknown;
  readonly pipe?: readonly unknown[];
}

/** A random value that has the shape of a schema; bounds of its numbers are ignored. */
export function valueOf(schema: v.GenericSchema, random: Random): unknown {
  return make(schema as unknown as Schema, random);
}

function make(schema: Schema, random: Random): unknown {
  switch (schema.type) {
    case "strict_object":
    case "object": {
      const value: Record<string, unknown> = {};
      for (const [name, entry] of Object.entries(schema.entries!)) {
        if (entry.type === "optional" && random.below(2)) continue;
        value[name] = make(entry, random);
      }
      return value;
    }
    case "optional":
      return make(schema.wrapped!, random);
    case "variant":
    case "union":
      return make(random.pick(schema.options!) as Schema, random);
    case "picklist":
      return random.pick(schema.options!);
    case "literal":
      return schema.literal;
    case "array":
      return Array.from({ length: random.below(4) }, () => make(schema.item!, random));
    case "string":
      return random.pick(WORDS);
    case "number":
      return random.pick(NUMBERS);
    case "bigint":
      return random.pick([0n, 1n, 0x8000_0000n, (1n << 64n) - 1n]);
    case "boolean":
      return random.below(2) === 1;
    case "custom":
      return random.bytes(random.below(64));
    default:
      throw new Error(`no values of ${schema.type}`);
  }
}

const JUNK: readonly unknown[] = [
  ...[null, true, -1, 0.5, 1e300, "", "x".repeat(5000), [], [[[]]], {}, { kind: "x" }, { $bigint: "nope" }, { $bigint: "9".repeat(200) }],
  ...[{ $bytes: 5 }, { __proto__: null, toString: 1 }, Array(1000).fill(0), 10n ** 30n],
];

/** A copy of a value with one place of it changed, left out or added to. */
export function damaged(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array || random.below(4) === 0) return random.pick(JUNK);
  if (Array.isArray(value)) return value.map((one, index) => index === 0 ? damaged(one, random) : one);
  const entries = Object.entries(value);
  const at = random.below(entries.length + 1);
  if (at === entries.length) return { ...value, [random.pick(["more", "id", "kind", "constructor"])]: random.pick(JUNK) };
  const [name, old] = entries[at];
  if (random.below(3) === 0) return Object.fromEntries(entries.filter(([other]) => other !== name));
  return { ...value, [name]: damaged(old, random) };
}

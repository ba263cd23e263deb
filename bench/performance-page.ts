// docs/performance.md: the figures of one run of all benches, as tables.

import * as v from "valibot";
import { median } from "./statistics.ts";

const FigureSchema = v.object({
  what: v.string(),
  unit: v.string(),
  values: v.pipe(v.array(v.number()), v.minLength(1)),
  least: v.optional(v.number()),
  most: v.optional(v.number()),
});

const BenchesSchema = v.object({
  schema: v.literal("el2.bench.all/1"),
  date: v.string(),
  machine: v.object({ processor: v.string(), processors: v.number(), load: v.number(), deno: v.string(), v8: v.string() }),
  benches: v.record(v.string(), v.object({ table: v.array(FigureSchema) })),
});

type Figure = v.InferOutput<typeof FigureSchema>;
/** The document of `deno task bench all --json`. */
export type Benches = v.InferOutput<typeof BenchesSchema>;

/** The document in a text, or its defect. */
export function readBenches(text: string): Benches | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return `is not JSON: ${error.message}`;
  }
  const read = v.safeParse(BenchesSchema, document);
  if (read.success) return read.output;
  const [{ path, message }] = read.issues;
  return `is not a document of all benches: ${[path?.map(({ key }) => key).join("."), message].filter(Boolean).join(": ")}`;
}

/** The page, before `deno fmt`. */
export function performancePage({ date, machine, benches }: Benches): string {
  const { processor, processors, load, deno, v8 } = machine;
  return [
    "# Performance",
    "",
    "The figures of one run of `deno task bench all --json`; `deno task performance FILE` makes this page. Another computer has other",
    "figures; its ratios, measured against QEMU in the same run, differ less.",
    "",
    `Measured on ${date}: ${processor}, ${processors} processors, load ${load.toFixed(2)} before; Deno ${deno}, V8 ${v8}.`,
    "",
    "`x` is the speed relative to QEMU (TCG, one thread): 2 x is twice as fast. For calls, `x` is the cost in plain HVCs of QEMU: less is",
    "better. A figure of several rounds is their median, with minimum and maximum. Goals that were not reached are marked.",
    ...Object.entries(benches).flatMap(([bench, { table }]) => [
      "",
      `## ${bench}`,
      "",
      `\`deno task bench ${bench}\``,
      "",
      "| Figure | Measured | Goal |",
      "| --- | --- | --- |",
      ...table.map((figure) => `| ${figure.what} | ${measured(figure)} | ${goal(figure)} |`),
    ]),
    "",
  ].join("\n");
}

/** Names of units that are not their own. */
const UNITS: Readonly<Record<string, string>> = { times: " x", share: "" };

/** A value with the digits and the name of its unit. */
function shown(value: number, unit: string): string {
  const digits = unit === "MiB" ? 0 : unit === "share" || unit === "s" ? 3 : 2;
  return `${value.toFixed(digits)}${UNITS[unit] ?? ` ${unit}`}`;
}

function measured({ values, unit }: Figure): string {
  const middle = shown(median(values), unit);
  return values.length === 1 ? middle : `${middle} (${shown(Math.min(...values), unit)} to ${shown(Math.max(...values), unit)})`;
}

function goal({ values, unit, least, most }: Figure): string {
  if (least === undefined && most === undefined) return "";
  const value = median(values), reached = value >= (least ?? -Infinity) && value <= (most ?? Infinity);
  const words = [least !== undefined && `at least ${shown(least, unit)}`, most !== undefined && `at most ${shown(most, unit)}`].filter(
    Boolean,
  );
  return `${words.join(", ")}${reached ? "" : ": not reached"}`;
}

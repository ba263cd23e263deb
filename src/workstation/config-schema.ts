// The keys of el2.toml that are built, their types, ranges and defaults (WORKSTATION.md section 3), and those that are not built yet.
// A message is what follows `KEY VALUE` in the error; `config.ts` puts position, key and value before it.

import * as v from "valibot";
import { FIRST_RESERVED_LABEL } from "../host/vm-layout.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PRIMARY_MEMORY } from "../machine/memory-map.ts";
import { formatSize, MiB, parseSize } from "./config-units.ts";

/** IPAs and memory sizes of a VM are multiples of a stage-2 block, so that the resource manager and the DTB agree. */
export const BLOCK = 2 * MiB;

/** RM's limits (spec/resource-manager.md section 6.3) and the hypervisor's (spec/hypervisor.md section 4.3; both limits are exclusive there). */
const MAX_VCPUS = 8;
const MAX_DEPTH = 255;
const MAX_MESSAGE = 1023;
const MAX_CPUS = 8;
/** Guests' addresses end here (36 bits). */
const IPA_END = 2 ** 36;
/** Below this lie the devices of a VM. */
const RAM_START = 0x4000_0000;

/** What stands for a value in a message: as it was written, hexadecimal where that is how it is read, nothing for lists and tables. */
export function shown(key: string | number | undefined, value: unknown): string {
  if (typeof value === "object") return "";
  if (key === "base" && typeof value === "number") return `0x${value.toString(16)}`;
  // Quantities with units are strings in TOML only.
  if (typeof value === "string" && /^[\d.]+ ?[A-Za-z]+$/.test(value)) return value;
  return JSON.stringify(value);
}

function mustBe(what: string): (issue: v.BaseIssue<unknown>) => string {
  return (issue) => issue.received === "undefined" ? "is missing" : `is not ${what}`;
}

const boolean = v.boolean(mustBe("true or false"));
const text = v.string(mustBe("a string"));

function whole(min: number, max: number, outside: string) {
  const number = mustBe("a whole number");
  return v.pipe(v.number(number), v.integer(number), v.minValue(min, outside), v.maxValue(max, outside));
}

function oneOf<const T extends readonly string[]>(built: T, notBuilt: readonly string[] = []) {
  const words = built.map((word) => JSON.stringify(word)).join(", ").replace(/, ([^,]*)$/, " or $1");
  return v.picklist(built, (issue) => {
    if (notBuilt.some((word) => issue.input === word)) return `is not built yet; use ${words}`;
    return issue.received === "undefined" ? "is missing" : `is not known; use ${words}`;
  });
}

/** A size in bytes between `min` and what a machine can have, a multiple of 2 MiB. */
function size(min: number) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const refuse = (message: string) => {
        addIssue({ message });
        return NEVER;
      };
      if (typeof dataset.value === "number") return refuse("has no unit; write K, M or G behind it, in a string");
      const bytes = typeof dataset.value === "string" ? parseSize(dataset.value) : undefined;
      if (bytes === undefined) return refuse('is no size; write a number and a unit, such as "256MiB"');
      if (bytes < min || bytes > MAXIMUM_PRIMARY_MEMORY) {
        return refuse(`is outside ${formatSize(min)}..${formatSize(MAXIMUM_PRIMARY_MEMORY)}`);
      }
      if (bytes % BLOCK !== 0) return refuse("is no multiple of 2MiB");
      return bytes;
    }),
  );
}

const machine = v.object({
  cpus: v.optional(whole(1, MAX_CPUS, `is outside 1..${MAX_CPUS}`), 2),
  memory: v.optional(size(MINIMUM_PRIMARY_MEMORY), "1GiB"),
  turbo: v.optional(boolean, false),
  seed: v.optional(whole(0, Number.MAX_SAFE_INTEGER, "is negative"), 1),
});

const host = v.object({
  kind: v.optional(oneOf(["native"], ["image"]), "native"),
  memory: v.optional(size(32 * MiB), "128MiB"),
  vcpus: v.optional(whole(1, MAX_CPUS, `is outside 1..${MAX_CPUS}`)),
});

const DEVICE_KINDS_NOT_BUILT = ["console", "block", "net", "vsock", "rng", "9p", "balloon", "input"];
const device = v.object({ kind: oneOf(["pl011"], DEVICE_KINDS_NOT_BUILT) }, mustBe("a table with a kind"));

const vm = v.object({
  type: v.optional(oneOf(["unauthenticated"], ["protected"]), "unauthenticated"),
  kernel: v.optional(text),
  image: v.optional(text),
  initrd: v.optional(text),
  cmdline: v.optional(text, ""),
  memory: v.optional(size(2 * MiB), "256MiB"),
  base: v.optional(
    v.pipe(
      v.number(mustBe("a whole number")),
      v.safeInteger(mustBe("a whole number")),
      v.check((base) => base >= RAM_START && base < IPA_END, "is outside 0x40000000..0xfffffffff"),
      v.check((base) => base % BLOCK === 0, (issue) => {
        const up = Math.ceil((issue.input as number) / BLOCK) * BLOCK;
        return `is not 2 MiB aligned (RM would round up, the DTB not); use 0x${up.toString(16)}`;
      }),
    ),
    0x8000_0000,
  ),
  vcpus: v.optional(
    v.pipe(
      v.number(mustBe("a whole number")),
      v.integer(mustBe("a whole number")),
      v.minValue(1, `is outside 1..${MAX_VCPUS}`),
      v.maxValue(MAX_VCPUS, `is over the ${MAX_VCPUS} threads one address space holds; use 1..${MAX_VCPUS}`),
    ),
    1,
  ),
  schedule: v.optional(oneOf(["proxy"], ["own"]), "proxy"),
  start: v.optional(
    v.pipe(
      text,
      v.check((start) => start === "auto", (issue) => {
        const known = issue.input === "manual" || (issue.input as string).startsWith("after:");
        return `is not ${known ? "built yet" : "known"}; use "auto"`;
      }),
    ),
    "auto",
  ),
  on_exit: v.optional(oneOf(["stop", "restart", "end-session"]), "stop"),
  devices: v.optional(v.pipe(v.array(device, mustBe("a list of devices")), v.maxLength(1, "has more than one pl011")), [{ kind: "pl011" }]),
});

const label = whole(0, FIRST_RESERVED_LABEL - 1, "is outside 0..0x7fffffff");
const vmName = text;
const twoNames = mustBe("the names of two VMs");
const link = v.variant(
  "kind",
  [
    v.object({
      kind: v.literal("msgqueue-pair"),
      label,
      between: v.pipe(v.array(vmName, twoNames), v.length(2, twoNames), v.transform(([a, b]): [string, string] => [a, b])),
      depth: v.optional(whole(1, MAX_DEPTH, `is outside 1..${MAX_DEPTH} (documents say 256, the hypervisor excludes it)`), 8),
      size: v.optional(whole(1, MAX_MESSAGE, `is outside 1..${MAX_MESSAGE} (documents say 1024, the hypervisor excludes it)`), 240),
    }),
    v.object({
      kind: v.literal("doorbell"),
      label,
      from: vmName,
      to: vmName,
      source_can_clear: v.optional(boolean, false),
    }),
  ],
  (issue) => issue.input === "shm" ? 'is not built yet; use "msgqueue-pair" or "doorbell"' : mustBe('"msgqueue-pair" or "doorbell"')(issue),
);

const table = mustBe("a table");

/** A whole file. Unknown keys are looked for apart (`KNOWN_KEYS`), so that all are reported. */
export const Schema = v.object({
  el2: v.literal(1, (issue) => issue.received === "undefined" ? "is missing" : "is no version that this el2 reads; use 1"),
  machine: v.optional(v.object(machine.entries, table), {}),
  host: v.optional(v.object(host.entries, table), {}),
  vm: v.record(v.string(), v.object(vm.entries, table), mustBe("a table of VMs")),
  link: v.optional(v.record(v.string(), link, table), {}),
});

/** What `Schema` makes of a file. */
export type File = v.InferOutput<typeof Schema>;
/** One `[vm.NAME]`. */
export type FileVm = v.InferOutput<typeof vm>;
/** One key of `[link]`. */
export type FileLink = v.InferOutput<typeof link>;

/** The keys of one kind of table: built ones, and those of the design that are not. */
export interface KnownKeys {
  readonly built: readonly string[];
  readonly notBuilt: readonly string[];
}

/** Known keys of each kind of table. `link` is by the link's own kind. */
export const KNOWN_KEYS = {
  root: { built: Object.keys(Schema.entries), notBuilt: ["rm", "ui"] },
  machine: { built: Object.keys(machine.entries), notBuilt: ["record", "quirks"] },
  host: { built: Object.keys(host.entries), notBuilt: ["device", "gzvm", "memlock"] },
  vm: { built: Object.keys(vm.entries), notBuilt: ["dtb", "firmware", "affinity", "affinity_map", "priority", "timeslice"] },
  device: { built: Object.keys(device.entries), notBuilt: ["log", "image", "mode", "backend", "forward"] },
  "msgqueue-pair": { built: Object.keys(link.options[0].entries), notBuilt: [] },
  doorbell: { built: Object.keys(link.options[1].entries), notBuilt: [] },
} as const satisfies Record<string, KnownKeys>;

/** Keys of a VM that only `schedule = "own"` gives a meaning. */
export const OWN_SCHEDULE_KEYS: readonly string[] = ["affinity", "affinity_map", "priority", "timeslice"];

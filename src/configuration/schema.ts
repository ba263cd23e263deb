// The keys of el2.toml, their types, ranges and defaults (docs/design/workstation.md §3). A message
// is what follows `KEY VALUE` in the error; `config.ts` puts position, key and value before it.

import * as v from "valibot";
import { CpuError, DEFAULT_CPU, parseCpu } from "../isa/cpus.ts";
import { PERSONA_NAMES, PERSONAS } from "../abi/ioctl/personas.ts";
import { PLATFORM_DEVICES, PRIMARY_UARTS, VIRTIO_BUSES } from "../plans/plan.ts";
import { FIRST_RESERVED_LABEL, GZVM_PROBES, VM_PLATFORMS, VM_VIRTIO_SLOTS } from "../host/interface.ts";
import { HYPERVISOR_NODES } from "../abi/hypervisor-node.ts";
import { AUTH_NAMES } from "../abi/rpc/messages/vm.ts";
import { told, wrong } from "../plans/config-fact.ts";
import { BUDGET_MAX, BUDGET_MIN, DISK_BUDGET_MAX } from "../plans/memory-budget.ts";
import { withNeeds } from "../plans/needs.ts";
import { PHONE_NAMES } from "./phones.ts";
import {
  ABIS,
  CAP_IDS,
  DEFAULT_BEHAVIOUR,
  IDLE_WATCHDOG,
  IPA_BITS,
  MSI_KINDS,
  QUIRKS,
  RESERVED_MEMORY_RULES,
  SIZE_MAX_RULES,
} from "../hypervisor/options.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PRIMARY_MEMORY } from "../machine/memory-map.ts";
import { FIRST_RAM_ADDRESS, OWNER_PRIORITY, TIMESLICE_MAX, TIMESLICE_MIN } from "../resource-manager/config/limits.ts";
import {
  DEFAULT_TAG,
  INPUT_TYPES,
  isTag,
  type NetBackend,
  type NetPolicy,
  type NetRule,
  parseForward,
  parseNetRule,
  type PortForward,
  TAG_LENGTH,
} from "../virtio/plan.ts";
import {
  BLOCK,
  COMMAND_LINE_MAX,
  LOW_MEMORY_MAX,
  MAX_CID,
  MAX_CPUS,
  MAX_DEPTH,
  MAX_FREQUENCIES,
  MAX_KHZ,
  MAX_MESSAGE,
  MAX_ORDER,
  MAX_PAGE_TABLES,
  MAX_PARCELS,
  MAX_SCM,
  MAX_VCPUS,
  MIN_CID,
  RECLAIM_MAX,
  WIDEST_ADDRESS,
  WINDOWS_MAX,
} from "../plans/limits.ts";
import { boolean, mustBe, notKnown, oneOf, outsideOf, text, whole } from "./plain-values.ts";
import { described, facts } from "../support/described.ts";
import { hostPath } from "./host-paths.ts";
import { problemOf } from "../support/problem.ts";
import { DURATION_PATTERN, formatSize, parseDuration, parseSize, SIZE_PATTERN } from "../support/units.ts";
import { MiB, PAGE_SIZE } from "../support/sizes.ts";
import {
  DEVICE_TEXTS,
  FILE_TEXTS,
  HISTORY_TEXTS,
  HOST_TEXTS,
  IMAGE_HOST_TEXTS,
  LINK_TEXTS,
  MACHINE_TEXTS,
  NATIVE_HOST_TEXTS,
  RM_TEXTS,
  THEME_TEXTS,
  UI_TEXTS,
  VM_TEXTS,
  WINDOW_TEXTS,
} from "./key-texts.ts";
import { THEMES } from "./theme-names.ts";

/** Characters of a value in a message. */
const SHOWN_MAX = 80;

/**
 * A value as a message shows it: as JSON, which puts text in quotes; addresses in hexadecimal;
 * nothing for lists and tables.
 */
export function shown(key: string | number | undefined, value: unknown): string {
  if (typeof value === "object") return "";
  if (key === "base" && typeof value === "number") return `0x${value.toString(16)}`;
  const text = JSON.stringify(value);
  return typeof value === "string" && text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…"` : text;
}

/** `catalog:GUEST/FILE`, instead of a path. */
const orCatalog = facts<string>({ pattern: "^(?!catalog:)|^catalog:[^/]+/[^/]+$" });
/** A file that is read, and one that can be of the catalog. */
const path = v.pipe(text, hostPath("file"));
const file = v.pipe(text, hostPath("file"), orCatalog);
const variables = v.pipe(text, hostPath("firmware variables", true));

const commandLine = v.pipe(text, v.maxLength(COMMAND_LINE_MAX, `has more than ${COMMAND_LINE_MAX} characters`));

/** A size in bytes between `min` and what a machine can have, a multiple of 2 MiB. */
const size = (min: number) => sizeBetween(min, MAXIMUM_PRIMARY_MEMORY, BLOCK);

/** A size in bytes between two, a multiple of `unit`: 2 MiB, or one byte. */
function sizeBetween(min: number, max: number, unit: typeof BLOCK | 1) {
  return v.pipe(
    v.unknown(),
    facts({ type: "string", pattern: SIZE_PATTERN }),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const refuse = (message: string) => {
        addIssue({ message });
        return NEVER;
      };
      if (typeof dataset.value === "number") return refuse(wrong("has no unit", 'write a string with K, M or G, such as "256MiB"'));
      const bytes = typeof dataset.value === "string" ? parseSize(dataset.value) : undefined;
      if (bytes === undefined) return refuse(mustBe("a size", '"256MiB"'));
      if (bytes < min || bytes > max) return refuse(outsideOf(`${formatSize(min)}..${formatSize(max)}`));
      if (bytes % unit !== 0) return refuse("is not a multiple of 2MiB");
      return bytes;
    }),
  );
}

/** A size in whole pages, up to `most` bytes. */
function pagesUpTo(most: number) {
  return v.pipe(
    v.string(mustBe('a size, such as "64KiB"')),
    facts({ pattern: SIZE_PATTERN }),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const bytes = parseSize(dataset.value);
      if (bytes !== undefined && bytes % PAGE_SIZE === 0 && bytes <= most) return bytes;
      addIssue({
        message: bytes === undefined ? mustBe("a size", '"64KiB"') : `is not whole pages of up to ${formatSize(most)}`,
      });
      return NEVER;
    }),
  );
}

/** A span of addresses in whole pages. */
const span = pagesUpTo(WIDEST_ADDRESS);

/** A duration in whole microseconds. */
function microseconds(min: number, max: number) {
  return v.pipe(
    v.string(mustBe("a duration", '"1ms"')),
    facts({ pattern: DURATION_PATTERN }),
    v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
      const refuse = (message: string) => {
        addIssue({ message });
        return NEVER;
      };
      const ns = parseDuration(dataset.value);
      if (ns === undefined) return refuse(mustBe("a duration", '"1ms"'));
      if (ns < min * 1000 || ns > max * 1000) return refuse(outsideOf(`${min}us..${max / 1000}ms`));
      return Math.round(ns / 1000);
    }),
  );
}

/** A CPU by name, with changes. */
const cpu = v.pipe(
  text,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parseCpu(dataset.value);
    } catch (error) {
      if (!(error instanceof CpuError)) throw error;
      addIssue({ message: told({ code: "rule", ...problemOf(error, "is not a CPU that el2 has") }) });
    }
  }),
);

const machine = v.object(described({
  cpus: v.optional(whole(1, MAX_CPUS), 2),
  cpu: v.optional(cpu, DEFAULT_CPU),
  memory: v.optional(size(MINIMUM_PRIMARY_MEMORY), "1GiB"),
  turbo: v.optional(boolean, false),
  /** "off", or the file that the run is recorded to. */
  record: v.optional(v.pipe(text, hostPath("recording", true, "off")), "off"),
  seed: v.optional(whole(0, Number.MAX_SAFE_INTEGER, "is negative"), 1),
  cap_ids: v.optional(oneOf(CAP_IDS), DEFAULT_BEHAVIOUR.capIds),
  quirks: v.optional(oneOf(QUIRKS), DEFAULT_BEHAVIOUR.quirks),
  hypervisor_node: v.optional(oneOf(HYPERVISOR_NODES), DEFAULT_BEHAVIOUR.hypervisorNode),
  strict: v.optional(boolean, DEFAULT_BEHAVIOUR.strict),
  check: v.optional(boolean, DEFAULT_BEHAVIOUR.check),
  phone: v.optional(oneOf(PHONE_NAMES)),
  page_tables: v.optional(whole(1, MAX_PAGE_TABLES)),
  idle_watchdog: v.optional(oneOf(IDLE_WATCHDOG), DEFAULT_BEHAVIOUR.idleWatchdog),
  abi: v.optional(oneOf(ABIS), DEFAULT_BEHAVIOUR.abi),
  ipa_bits: v.optional(v.picklist(IPA_BITS, "is not 36 or 40"), DEFAULT_BEHAVIOUR.ipaBits),
  pv_time: v.optional(boolean, DEFAULT_BEHAVIOUR.pvTime),
  geniezone: v.optional(boolean, DEFAULT_BEHAVIOUR.geniezone),
  msi: v.optional(oneOf(MSI_KINDS), DEFAULT_BEHAVIOUR.msi),
}, MACHINE_TEXTS));

/** Values of [host] boot_context: an errno instead of the generation's answer. */
const BOOT_CONTEXT_ANSWERS = ["as-generation", "ENODEV"] as const;

/** Which side wakes a VM's vCPUs at their timers, as CHECK_EXTENSION reports it. */
const TIMER_WAKEUPS = ["hypervisor", "driver"] as const;

/** Generations of /dev/gunyah that have one. */
const DEVICE_PERSONAS = PERSONA_NAMES.filter((name) => PERSONAS[name].device);

/** A locked-memory limit in bytes; "unlimited" is a number that no machine reaches. */
const memlock = v.pipe(
  v.unknown(),
  facts({ type: "string", pattern: `^unlimited$|${SIZE_PATTERN}` }),
  v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
    if (dataset.value === "unlimited") return Number.MAX_SAFE_INTEGER;
    const bytes = typeof dataset.value === "string" ? parseSize(dataset.value) : undefined;
    if (bytes !== undefined) return bytes;
    addIssue({ message: mustBe("a size", '"64KiB", or "unlimited"') });
    return NEVER;
  }),
);

/** Pages of 2 MiB that the largest machine has. */
const MAX_HUGE_PAGES = MAXIMUM_PRIMARY_MEMORY / BLOCK;

const nativeHost = described({
  vcpus: v.optional(whole(1, MAX_CPUS)),
  device: v.optional(oneOf(DEVICE_PERSONAS), "union"),
  gzvm: v.optional(boolean, false),
  gzvm_probe: v.optional(oneOf(GZVM_PROBES)),
  memlock: v.optional(memlock, "unlimited"),
  max_order: v.optional(whole(0, MAX_ORDER)),
  boot_context: v.optional(oneOf(BOOT_CONTEXT_ANSWERS), "as-generation"),
  unpinnable: v.optional(whole(0, 100)),
  huge_pages: v.optional(whole(0, MAX_HUGE_PAGES)),
  reclaim_after: v.optional(microseconds(1, RECLAIM_MAX)),
  scm_max: v.optional(whole(0, MAX_SCM)),
  timer_wakeups: v.optional(oneOf(TIMER_WAKEUPS), "hypervisor"),
}, NATIVE_HOST_TEXTS);

const nameList = mustBe("a list of names");

const rm = v.object(described({
  kind: v.optional(oneOf(["native", "image"]), "native"),
  runtime: v.optional(path),
  app: v.optional(path),
  auth: v.optional(v.pipe(v.array(oneOf(AUTH_NAMES), nameList), v.minLength(1, "names no type"))),
  parcels: v.optional(whole(1, MAX_PARCELS)),
  parcels_held: v.optional(whole(0, MAX_PARCELS)),
  reserved_memory: v.optional(oneOf(RESERVED_MEMORY_RULES)),
  size_max: v.optional(oneOf(SIZE_MAX_RULES)),
  low_memory: v.optional(pagesUpTo(LOW_MEMORY_MAX)),
}, RM_TEXTS));

/** `CIDR[:PORT]`. */
const netRule = v.pipe(
  text,
  facts({ pattern: "^([\\d.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*|\\[[0-9a-fA-F:.]+\\])(/\\d{1,3})?(:\\d{1,5})?$" }),
  v.rawTransform<string, NetRule>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseNetRule(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: mustBe("an address", '"192.168.1.0/24" or "10.0.2.2:8080"') });
    return NEVER;
  }),
);
const netRules = v.optional(v.array(netRule, mustBe("a list of addresses")));

/** `HOST:GUEST`. */
const forward = v.pipe(
  text,
  facts({ pattern: "^((tcp|udp):)?\\d{1,5}:\\d{1,5}$" }),
  v.rawTransform<string, PortForward>(({ dataset, addIssue, NEVER }) => {
    const parsed = parseForward(dataset.value);
    if (parsed !== undefined) return parsed;
    addIssue({ message: wrong("is not a pair of ports", 'use HOST:GUEST, such as "2222:22"') });
    return NEVER;
  }),
);

const NET_BACKEND = /^(none|user|pair:.+)$/;

/** Devices by kind. All but the PL011 are virtio's, in slots of virtio-mmio. */
const DEVICES = [
  v.object(described({ kind: v.literal("pl011"), log: v.optional(v.pipe(text, hostPath("log", true))) }, DEVICE_TEXTS.pl011)),
  v.object(described({
    kind: v.literal("console"),
    ports: v.optional(v.pipe(v.array(text, nameList), v.minLength(1, "names no port")), () => ["hvc0"]),
  }, DEVICE_TEXTS.console)),
  v.object(
    described({
      kind: v.literal("block"),
      image: v.pipe(text, hostPath("disk", "mode"), orCatalog),
      mode: v.optional(oneOf(["ro", "rw", "overlay"]), "rw"),
    }, DEVICE_TEXTS.block),
  ),
  v.object(described({
    kind: v.literal("net"),
    backend: v.optional(
      v.pipe(
        text,
        v.regex(NET_BACKEND, notKnown("none", "user", "pair:NAME")),
        v.transform((backend) => backend as NetBackend),
      ),
      "user",
    ),
    forward: v.optional(v.array(forward, mustBe("a list of ports")), () => []),
    capture: v.optional(v.pipe(text, hostPath("capture", true))),
    host: v.optional(boolean),
    lan: v.optional(boolean),
    internet: v.optional(boolean),
    allow: netRules,
    deny: netRules,
  }, DEVICE_TEXTS.net)),
  v.object(described({
    kind: v.literal("vsock"),
    cid: v.optional(whole(MIN_CID, MAX_CID)),
    path: v.optional(v.pipe(text, hostPath("socket", true))),
  }, DEVICE_TEXTS.vsock)),
  v.object(described({ kind: v.literal("rng") }, DEVICE_TEXTS.rng)),
  v.object(described({
    kind: v.literal("9p"),
    folder: v.pipe(text, hostPath("folder", "mode")),
    mode: v.optional(oneOf(["ro", "rw"]), "rw"),
    tag: v.optional(
      v.pipe(
        text,
        facts({ pattern: "^[\\w.-]+$", maxLength: TAG_LENGTH }),
        v.check(isTag, wrong("is not a tag", `use up to ${TAG_LENGTH} letters, digits, and . _ -`)),
      ),
      DEFAULT_TAG,
    ),
  }, DEVICE_TEXTS["9p"])),
  v.object(described({ kind: v.literal("balloon") }, DEVICE_TEXTS.balloon)),
  v.object(described({ kind: v.literal("input"), type: v.optional(oneOf(INPUT_TYPES), "keyboard") }, DEVICE_TEXTS.input)),
] as const;
/** Kinds of devices that VMs can have. */
export const DEVICE_KINDS: readonly string[] = DEVICES.map(({ entries }) => entries.kind.literal);
const VIRTIO_KINDS = DEVICE_KINDS.filter((kind) => kind !== "pl011");
const device = v.variant("kind", DEVICES, notKnown(...DEVICE_KINDS));

/** Where a VM can have RAM; `checkBase` knows the machine's width of addresses. */
const ramAddress = v.pipe(
  v.number(mustBe("a whole number")),
  v.safeInteger(mustBe("a whole number")),
  facts({ minimum: FIRST_RAM_ADDRESS, maximum: WIDEST_ADDRESS - 1, multipleOf: BLOCK }),
  v.check((base) => base >= FIRST_RAM_ADDRESS && base < WIDEST_ADDRESS, outsideOf("0x40000000..0xffffffffff")),
  v.check((base) => base % BLOCK === 0, (issue) => {
    const up = Math.ceil((issue.input as number) / BLOCK) * BLOCK;
    return wrong("is not 2 MiB aligned (the resource manager would round it up, but not the devicetree)", `use 0x${up.toString(16)}`);
  }),
);

const window = v.strictObject(
  described({ base: ramAddress, size: size(2 * MiB) }, WINDOW_TEXTS),
  mustBe('a table such as { base = 0x100000000, size = "256MiB" }'),
);

/** When a VM starts. */
const START = /^(auto|manual|after:.+)$/;

const vm = v.object(described({
  hypervisor: v.optional(oneOf(["gunyah", "geniezone"]), "gunyah"),
  platform: v.optional(oneOf(VM_PLATFORMS), "el2"),
  msi: v.optional(oneOf(["its", "gicv2m"])),
  type: v.optional(oneOf(["unauthenticated", "protected"]), "unauthenticated"),
  firmware: v.optional(path),
  kernel: v.optional(file),
  image: v.optional(file),
  bios: v.optional(file),
  bios_vars: v.optional(variables),
  built: v.optional(file),
  initrd: v.optional(file),
  symbols: v.optional(path),
  cmdline: v.optional(commandLine, ""),
  memory: v.optional(size(2 * MiB), "256MiB"),
  swiotlb: v.optional(size(2 * MiB)),
  datamatch_flag: v.optional(whole(1, 2)),
  bios_tree: v.optional(span),
  without_access_platform: v.optional(v.pipe(
    v.array(oneOf(VIRTIO_KINDS), mustBe("a list of kinds of devices")),
    v.minLength(1, "names no kind"),
  )),
  cpu_frequencies: v.optional(v.pipe(
    v.array(whole(1, MAX_KHZ), mustBe("a list of frequencies in kHz")),
    facts({ minItems: 1, maxItems: MAX_FREQUENCIES }),
    v.check((list) => list.length >= 1 && list.length <= MAX_FREQUENCIES, `has no frequency, or more than ${MAX_FREQUENCIES}`),
    v.check((list) => list.every((kHz, index) => index === 0 || kHz > list[index - 1]), "is not in rising order"),
  )),
  base: v.optional(ramAddress, 0x8000_0000),
  windows: v.optional(v.pipe(
    v.array(window, mustBe('a list of windows, such as { base = 0x100000000, size = "256MiB" }')),
    v.maxLength(WINDOWS_MAX, `has more than ${WINDOWS_MAX} windows`),
  )),
  size_max: v.optional(span),
  vcpus: v.optional(
    v.pipe(
      v.number(mustBe("a whole number")),
      v.integer(mustBe("a whole number")),
      v.minValue(1, outsideOf(`1..${MAX_VCPUS}`)),
      v.maxValue(MAX_VCPUS, wrong(`exceeds the ${MAX_VCPUS} threads of one address space`, `use 1..${MAX_VCPUS}`)),
    ),
    1,
  ),
  schedule: v.optional(oneOf(["proxy", "own"]), "proxy"),
  affinity: v.optional(oneOf(["static", "sticky", "pinned"])),
  affinity_map: v.optional(v.array(whole(0, MAX_CPUS - 1), mustBe("a list of physical CPUs"))),
  priority: v.optional(v.pipe(
    v.number(mustBe("a whole number")),
    v.integer(mustBe("a whole number")),
    facts({ minimum: -OWNER_PRIORITY, maximum: -1 }),
    v.check(
      (offset) => offset < 0 && offset >= -OWNER_PRIORITY,
      ({ input }) => {
        const priority = OWNER_PRIORITY + (input as number);
        const what = priority < 0 ? "below 0" : `not below the owner (${OWNER_PRIORITY})`;
        return wrong(`gives ${priority}, ${what}: the resource manager would refuse VM_INIT`, `use -${OWNER_PRIORITY}..-1`);
      },
    ),
  )),
  timeslice: v.optional(microseconds(TIMESLICE_MIN / 1000, TIMESLICE_MAX / 1000)),
  start: v.optional(
    v.pipe(text, v.regex(START, notKnown("auto", "manual", "after:NAME"))),
    "auto",
  ),
  on_exit: v.optional(oneOf(["stop", "restart", "end-session"]), "stop"),
  /** Empty: generated, as without. */
  dtb: v.optional(v.pipe(text, hostPath("file", false, ""), v.transform((file): string | undefined => file || undefined))),
  devices: v.optional(v.pipe(
    v.array(device, mustBe("a list of devices")),
    v.check((devices) => devices.filter(({ kind }) => kind === "pl011").length <= 1, "has more than one pl011"),
    v.check(
      (devices) => devices.filter(({ kind }) => kind !== "pl011").length <= VM_VIRTIO_SLOTS,
      `has more than ${VM_VIRTIO_SLOTS} virtio devices`,
    ),
  )),
}, withNeeds(VM_TEXTS)));

/** The start of a real-time clock: `now`, or a date in seconds since 1970. */
const clock = v.pipe(
  text,
  v.rawTransform<string, number | "now">(({ dataset, addIssue, NEVER }) => {
    if (dataset.value === "now") return "now";
    const seconds = Math.floor(Date.parse(dataset.value) / 1000);
    if (seconds >= 0 && seconds < 2 ** 32) return seconds;
    addIssue({ message: wrong("is not a time", 'use "now" or for example "2026-01-31T12:00:00Z"') });
    return NEVER;
  }),
);

/** Keys of a host that is an image: those of a VM that have a meaning there. */
const imageHost = described({
  kernel: vm.entries.kernel,
  image: vm.entries.image,
  initrd: vm.entries.initrd,
  symbols: vm.entries.symbols,
  cmdline: v.optional(commandLine),
  dtb: vm.entries.dtb,
  firmware: vm.entries.firmware,
  firmware_vars: v.optional(variables),
  rtc: v.optional(clock),
  devices: vm.entries.devices,
  bus: v.optional(oneOf(VIRTIO_BUSES)),
  uart: v.optional(oneOf(PRIMARY_UARTS)),
  platform_devices: v.optional(v.array(oneOf(PLATFORM_DEVICES), mustBe("a list of devices"))),
}, IMAGE_HOST_TEXTS);

const host = v.object({
  ...described({ kind: v.optional(oneOf(["native", "image"]), "native"), memory: v.optional(size(32 * MiB)) }, HOST_TEXTS),
  ...nativeHost,
  ...imageHost,
});

/** Keys of `[host]` that only one of its kinds has, by that kind. */
export const HOST_KEYS = { native: Object.keys(nativeHost), image: Object.keys(imageHost) } as const;

/** A size in whole pages. */
const bufferSize = v.pipe(
  v.string(mustBe('a size, such as "64KiB"')),
  facts({ pattern: SIZE_PATTERN }),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const bytes = parseSize(dataset.value);
    const whole = bytes !== undefined && bytes > 0 && bytes % PAGE_SIZE === 0 && bytes <= MAXIMUM_PRIMARY_MEMORY;
    if (whole) return bytes;
    addIssue({ message: bytes === undefined ? mustBe("a size", '"64KiB"') : "is not a multiple of 4KiB" });
    return NEVER;
  }),
);

const label = whole(0, FIRST_RESERVED_LABEL - 1, outsideOf("0..0x7fffffff"));
const vmName = text;
const twoNames = mustBe("the names of two VMs");
const link = v.variant(
  "kind",
  [
    v.object(described({
      kind: v.literal("msgqueue-pair"),
      label,
      between: v.pipe(v.array(vmName, twoNames), v.length(2, twoNames), v.transform(([a, b]): [string, string] => [a, b])),
      depth: v.optional(whole(1, MAX_DEPTH, outsideOf(`1..${MAX_DEPTH}`, "documents say 256, the hypervisor excludes it")), 8),
      size: v.optional(whole(1, MAX_MESSAGE, outsideOf(`1..${MAX_MESSAGE}`, "documents say 1024, the hypervisor excludes it")), 240),
    }, LINK_TEXTS["msgqueue-pair"])),
    v.object(described({
      kind: v.literal("doorbell"),
      label,
      from: vmName,
      to: vmName,
      source_can_clear: v.optional(boolean, false),
    }, LINK_TEXTS.doorbell)),
    v.object(described({
      kind: v.literal("shm"),
      label,
      size: bufferSize,
      access: v.pipe(
        v.record(vmName, oneOf(["r", "rw"]), mustBe("a table of VMs")),
        facts({ minProperties: 1 }),
        v.check((access) => Object.keys(access).length > 0, "names no VM"),
      ),
    }, LINK_TEXTS.shm)),
  ],
  mustBe('"msgqueue-pair", "doorbell" or "shm"'),
);

const table = mustBe("a table");

/**
 * A key that types nothing, but for those that are other keys in a terminal: tab, enter, backspace.
 */
const PREFIX_KEY = /^ctrl-[a-gk-ln-z\]\\^_]$/;

const SCREEN_KEY = /^\d$/;

/** A color as `#rrggbb`. */
const COLOR = /^#[0-9a-f]{6}$/i;

function isShade(value: unknown): boolean {
  const [color, entry] = Array.isArray(value) && value.length === 2 ? value : [value, 16];
  return typeof color === "string" && COLOR.test(color) && Number.isInteger(entry) && entry >= 16 && entry <= 255;
}

const DIRECT_COLOR = { type: "string", pattern: "^#[0-9a-fA-F]{6}$" };

/**
 * A direct color, optionally with its entry of the palette of 256, where the nearest one will not
 * do.
 */
const shade = v.pipe(
  v.custom<string | readonly [direct: string, entry: number]>(
    isShade,
    wrong("is not a color", 'use "#rrggbb", or ["#rrggbb", N] with an entry of 256 from 16 to 255'),
  ),
  facts({
    anyOf: [
      DIRECT_COLOR,
      { type: "array", items: [DIRECT_COLOR, { type: "integer", minimum: 16, maximum: 255 }], minItems: 2, maxItems: 2 },
    ],
  }),
);

const ownTheme = v.objectWithRest(
  described({ based_on: oneOf(THEMES.filter((name) => name !== "terminal")) }, THEME_TEXTS),
  shade,
  mustBe("a table of colors"),
);

/** `[history]`. */
const history = v.object(described({
  memory: v.optional(sizeBetween(BUDGET_MIN, BUDGET_MAX, 1)),
  disk: v.optional(sizeBetween(0, DISK_BUDGET_MAX, 1)),
}, HISTORY_TEXTS));

/** `[ui]`: configurations and the user's own file have it. */
export const ui = v.object(described({
  /** `auto`: by the background of the terminal. The names of `THEMES`, and those of `themes`. */
  theme: v.optional(text),
  /** Colors by role that replace those of another theme. */
  themes: v.optional(v.record(v.string(), ownTheme, table), {}),
  mouse: v.optional(boolean, true),
  ascii: v.optional(boolean),
  /** `theme`: the page has the theme's background; `terminal`: the terminal's own. */
  background: v.optional(oneOf(["theme", "terminal"]), "theme"),
  /** Graphs have braille; without it they have blocks. */
  braille: v.optional(boolean, true),
  /** `off`: graphs advance only when a key is pressed. */
  motion: v.optional(oneOf(["on", "off"]), "on"),
  /** The key of the screen at the start, unless the session's last one was kept. */
  layout: v.optional(v.pipe(text, v.regex(SCREEN_KEY, wrong("is not a screen", 'use its key, "0" to "9"')))),
  /** The key that takes the keys back from a guest. */
  console_prefix: v.optional(
    v.pipe(
      text,
      v.regex(PREFIX_KEY, wrong("is not a prefix key", "use ctrl- and a letter or ] \\ ^ _")),
    ),
  ),
  /** Keys by action name; which actions and keys there are is the screens' to say. */
  keys: v.optional(v.record(v.string(), v.string(wrong("is not a key", 'names have dots: keys = { "machine.pause" = "P" }')), table), {}),
}, UI_TEXTS));

/** A whole file. Unknown keys are looked for apart (`KNOWN_KEYS`), so that all are reported. */
export const Schema = v.object(described({
  el2: v.literal(1, wrong("is not a version that this el2 reads", "use 1")),
  machine: v.optional(v.object(machine.entries, table), {}),
  host: v.optional(v.object(host.entries, table), {}),
  rm: v.optional(v.object(rm.entries, table), {}),
  vm: v.record(v.string(), v.object(vm.entries, table), mustBe("a table of VMs")),
  link: v.optional(v.record(v.string(), link, table), {}),
  history: v.optional(v.object(history.entries, table), {}),
  ui: v.optional(v.object(ui.entries, table), {}),
}, FILE_TEXTS));

/** A validated file. */
export type File = v.InferOutput<typeof Schema>;
/** `[rm]`. */
export type FileRm = v.InferOutput<typeof rm>;
/** `[host]`. */
export type FileHost = v.InferOutput<typeof host>;
/** `[ui]`. */
export type FileUi = v.InferOutput<typeof ui>;
/** `[ui.themes.NAME]`. */
export type FileTheme = v.InferOutput<typeof ownTheme>;
/** `[ui]` of a file without that table. */
export const DEFAULT_UI: FileUi = v.parse(ui, {});
/** One `[vm.NAME]`. */
export type FileVm = v.InferOutput<typeof vm>;
export type FileDevice = NonNullable<FileVm["devices"]>[number];

/** Known keys of each kind of table. `link` is by the link's own kind. */
export const KNOWN_KEYS = {
  root: Object.keys(Schema.entries),
  machine: Object.keys(machine.entries),
  host: Object.keys(host.entries),
  rm: Object.keys(rm.entries),
  history: Object.keys(history.entries),
  ui: Object.keys(ui.entries),
  vm: Object.keys(vm.entries),
  "msgqueue-pair": Object.keys(link.options[0].entries),
  doorbell: Object.keys(link.options[1].entries),
  shm: Object.keys(link.options[2].entries),
} as const satisfies Record<string, readonly string[]>;

/** Known keys of a device of this kind; undefined for an unknown kind. */
export function deviceKeys(kind: unknown): readonly string[] | undefined {
  const found = DEVICES.find(({ entries }) => entries.kind.literal === kind);
  return found && Object.keys(found.entries);
}

/** Keys of a network card that are the policy of its NAT. */
export const NET_POLICY_KEYS: readonly (keyof NetPolicy)[] = ["host", "lan", "internet", "allow", "deny"];

/** Keys of a VM that only `schedule = "own"` gives a meaning. */
export const OWN_SCHEDULE_KEYS: readonly string[] = ["affinity", "affinity_map", "priority", "timeslice"];

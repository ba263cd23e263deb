// The form of a plan, for plans in files that anybody may have written: recordings and snapshots.
// It is as strict as a configuration is (app/configuration/schema.ts), and has the same limits.
// Every worker loads this module, and few read such a file: the schema is built for the first one.

import * as v from "valibot";
import { HYPERVISOR_NODES } from "../../../machine/abi/hypervisor-node.ts";
import { Errno, type ErrnoName } from "../../../machine/abi/ioctl/errno.ts";
import { PERSONA_NAMES } from "../../../machine/abi/ioctl/personas.ts";
import { AUTH_NAMES } from "../../../machine/abi/rpc/messages/vm.ts";
import {
  FIRST_RESERVED_LABEL,
  GZVM_PROBES,
  type NativeHostPlan,
  rulesOf,
  VM_PLATFORMS,
  VM_VIRTIO_SLOTS,
  type VmPlan,
} from "../../../machine/host/interface.ts";
import { checkFlash } from "./firmware-layout.ts";
import {
  ABIS,
  type Behaviour,
  CAP_IDS,
  IDLE_WATCHDOG,
  IPA_BITS,
  MSI_KINDS,
  QUIRKS,
  RESERVED_MEMORY_RULES,
  SIZE_MAX_RULES,
} from "../../../machine/hypervisor/options.ts";
import { parseFaultRule } from "../../../model/queries/fault-rule.ts";
import { cpuOfPlan, type CpuPlan } from "../../../cpu/isa/cpus/cpus.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PRIMARY_MEMORY, VIRTIO_MMIO_SLOTS } from "../../../machine/hardware/memory-map.ts";
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
} from "../../../model/plans/limits.ts";
import {
  type BootPlan,
  type DevicePlan,
  INPUT_TYPES,
  isTag,
  PLATFORM_DEVICES,
  PRIMARY_UARTS,
  type SessionPlan,
  TIERS,
  VIRTIO_BUSES,
} from "../../../model/plans/plan.ts";
import type { NetBackend } from "../../../machine/virtio/plan.ts";
import { debuggedVms } from "../../../model/queries/debugged-vms.ts";
import { bytes, count, firstIssue, listOf, name, text } from "../../../model/queries/fields.ts";
import { parseEventFilter } from "../../../model/queries/filters/temporal-filter.ts";
import { TABLES } from "../../../model/queries/tables.ts";
import { FIRST_RAM_ADDRESS, OWNER_PRIORITY, TIMESLICE_MAX, TIMESLICE_MIN } from "../../../machine/resource-manager/config/limits.ts";
import { checkMachine } from "./machine-rules.ts";
import { keysOf } from "./plan-keys.ts";
import { IP6_BITS } from "../../../kit/formats/ip-addresses.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { CONFIG_FACTS, type ConfigFact } from "../../../model/plans/config-fact.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** Characters of a path. */
const PATH_MAX = 4096;
/** VMs of a machine, ports of a console, rules of a policy, rules of faults, places of hashes. */
const VMS_MAX = 256, PORTS_MAX = 31, RULES_MAX = 1024, FAULTS_MAX = 1024, HASHES_MAX = 1_000_000;

/** A schema of a type with all of its fields: one that lacks an optional field does not compile. */
type SchemaOf<T> = v.GenericSchema<unknown, T> & { readonly entries: { readonly [K in keyof Required<T>]: v.GenericSchema } };

const flag = v.boolean();
const file = bytes();
const path = v.pipe(text(PATH_MAX), v.minLength(1));
const from = (min: number, max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(min), v.maxValue(max));
const oneOf = <const T extends readonly string[]>(words: T) => v.picklist(words);
const port = from(1, 65535);
/** A part that may be missing: the type of a plan has `undefined` for it. */
const maybe = <const S extends v.GenericSchema>(schema: S) => v.optional(schema, () => undefined);
const multipleOf = (unit: number, min: number, max: number) => v.pipe(from(min, max), v.multipleOf(unit));
const memory = multipleOf(BLOCK, BLOCK, MAXIMUM_PRIMARY_MEMORY);
const ascending = (list: readonly number[]) => list.every((value, index) => index === 0 || value > list[index - 1]);

/** A text that `read` takes. */
const readBy = (read: (given: string) => unknown) => readable(text(), read);

/** A value that `read` takes without an error, whose message is what is wrong. */
function readable<const S extends v.GenericSchema>(schema: S, read: (given: v.InferOutput<S>) => unknown) {
  return v.pipe(
    schema,
    v.rawCheck<v.InferOutput<S>>(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        read(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : String(error) });
      }
    }),
  );
}

const netRule = () =>
  v.strictObject({
    network: v.union([from(0, 2 ** 32 - 1), v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/))]),
    bits: count(IP6_BITS),
    port: v.optional(port),
  });

const device = () =>
  v.variant("kind", [
    v.strictObject({ kind: v.literal("block"), image: path, mode: oneOf(["ro", "rw", "overlay"]) }),
    v.strictObject({
      kind: v.literal("net"),
      backend: v.pipe(name, v.regex(/^(none|user|pair:.+)$/), v.transform((backend) => backend as NetBackend)),
      forward: listOf(v.strictObject({ protocol: oneOf(["tcp", "udp"]), host: port, guest: port }), RULES_MAX),
      capture: v.optional(path),
      policy: v.optional(v.strictObject({
        ...{ host: flag, lan: flag, internet: flag },
        ...{ allow: listOf(netRule(), RULES_MAX), deny: listOf(netRule(), RULES_MAX) },
      })),
    }),
    v.strictObject({ kind: v.literal("rng") }),
    v.strictObject({ kind: v.literal("vsock"), cid: from(MIN_CID, MAX_CID), path: maybe(path) }),
    v.strictObject({ kind: v.literal("console"), ports: v.pipe(listOf(name, PORTS_MAX), v.minLength(1)) }),
    v.strictObject({ kind: v.literal("9p"), folder: path, mode: oneOf(["ro", "rw"]), tag: v.pipe(name, v.check(isTag)) }),
    v.strictObject({ kind: v.literal("balloon") }),
    v.strictObject({ kind: v.literal("input"), type: oneOf(INPUT_TYPES) }),
  ]) satisfies v.GenericSchema<unknown, DevicePlan>;

const variables = () => v.strictObject({ path, content: file });

const boot = () =>
  v.strictObject({
    kind: v.literal("boot"),
    image: maybe(file),
    raw: v.optional(flag),
    initrd: maybe(file),
    dtb: maybe(file),
    append: maybe(text(COMMAND_LINE_MAX)),
    firmware: v.optional(v.strictObject({ code: file, vars: maybe(variables()) })),
    clock: v.optional(count(2 ** 32 - 1)),
    startsNow: v.optional(flag),
    devices: v.optional(listOf(device(), VIRTIO_MMIO_SLOTS)),
    bus: v.optional(oneOf(VIRTIO_BUSES)),
    uart: v.optional(oneOf(PRIMARY_UARTS)),
    platformDevices: v.optional(listOf(oneOf(PLATFORM_DEVICES), PLATFORM_DEVICES.length)),
  }) satisfies SchemaOf<BootPlan>;

const label = count(FIRST_RESERVED_LABEL - 1);
const bell = { label, peer: name, sourceCanClear: flag };

const link = () =>
  v.variant("kind", [
    v.strictObject({
      ...{ kind: v.literal("message-queue-pair"), label, peer: name },
      ...{ depth: from(1, MAX_DEPTH), size: from(1, MAX_MESSAGE) },
    }),
    v.strictObject({ kind: v.literal("doorbell"), ...bell }),
    v.strictObject({ kind: v.literal("doorbell-source"), ...bell }),
    v.strictObject({ kind: v.literal("shared-memory"), label }),
  ]);

const address = multipleOf(BLOCK, FIRST_RAM_ADDRESS, WIDEST_ADDRESS - 1);

const vm = () =>
  v.pipe(
    v.strictObject({
      name: v.pipe(name, v.minLength(1)),
      hypervisor: v.optional(oneOf(["gunyah", "geniezone"])),
      platform: v.optional(oneOf(VM_PLATFORMS)),
      image: v.strictObject({
        ...{ bytes: file, offset: count(MAXIMUM_PRIMARY_MEMORY) },
        ...{ size: count(MAXIMUM_PRIMARY_MEMORY), entry: count(MAXIMUM_PRIMARY_MEMORY) },
      }),
      stale: v.optional(v.strictObject({ used: name, built: name })),
      firmware: maybe(v.strictObject({ bytes: file, size: count(MAXIMUM_PRIMARY_MEMORY) })),
      initrd: maybe(file),
      devicetree: v.optional(file),
      cmdline: text(COMMAND_LINE_MAX),
      memory,
      swiotlb: v.optional(memory),
      hasPmu: v.optional(flag),
      withoutAccessPlatform: v.optional(listOf(name, VM_VIRTIO_SLOTS)),
      cpuFrequencies: v.optional(v.pipe(listOf(from(1, MAX_KHZ), MAX_FREQUENCIES), v.minLength(1), v.check(ascending))),
      windows: v.optional(listOf(v.strictObject({ base: address, size: memory }), WINDOWS_MAX)),
      sizeMax: v.optional(multipleOf(PAGE_SIZE, 0, WIDEST_ADDRESS)),
      msi: v.optional(oneOf(["its", "gicv2m"])),
      devicetreeFirst: v.optional(flag),
      biosTree: v.optional(count(WIDEST_ADDRESS)),
      datamatchFlag: v.optional(from(1, 2)),
      flash: v.optional(
        readable(v.strictObject({ code: file, size: count(MAXIMUM_PRIMARY_MEMORY), vars: v.optional(variables()) }), checkFlash),
      ),
      base: address,
      vcpus: from(1, MAX_VCPUS),
      schedule: v.union([
        v.literal("proxy"),
        v.strictObject({
          affinity: oneOf(["static", "sticky", "pinned"]),
          affinityMap: listOf(count(MAX_CPUS - 1), MAX_VCPUS),
          priority: from(-OWNER_PRIORITY, -1),
          timeslice: from(TIMESLICE_MIN / 1000, TIMESLICE_MAX / 1000),
        }),
      ]),
      console: flag,
      devices: v.optional(listOf(device(), VM_VIRTIO_SLOTS)),
      links: listOf(link(), RULES_MAX),
      start: v.optional(v.union([oneOf(["auto", "manual"]), v.strictObject({ after: name })])),
      onExit: oneOf(["stop", "restart", "end-session"]),
    }),
    v.check((vm) => rulesOf(vm).needs(vm) <= vm.memory, "its memory is too small for what it is loaded with"),
    v.check(({ image }) => image.bytes.length <= image.size, "its image has more bytes than it occupies"),
  ) satisfies SchemaOf<VmPlan>;

const errno = () => oneOf(Object.keys(Errno) as ErrnoName[]);

const host = () =>
  v.strictObject({
    memory,
    vcpus: from(1, MAX_CPUS),
    vms: v.pipe(
      listOf(vm(), VMS_MAX),
      v.check((vms) => new Set(vms.map(({ name }) => name)).size === vms.length, "two VMs have one name"),
    ),
    buffers: v.optional(listOf(
      v.strictObject({
        label,
        size: multipleOf(PAGE_SIZE, PAGE_SIZE, MAXIMUM_PRIMARY_MEMORY),
        access: listOf(v.strictObject({ vm: name, write: flag }), VMS_MAX),
      }),
      RULES_MAX,
    )),
    driver: v.strictObject({
      device: oneOf(PERSONA_NAMES),
      gzvm: flag,
      gzvmProbe: v.optional(oneOf(GZVM_PROBES)),
      memlock: count(),
      quirks: v.optional(v.strictObject({
        maxOrder: v.optional(count(MAX_ORDER)),
        bootContext: v.optional(errno()),
        wakesAtTimers: v.optional(flag),
        unpinnable: v.optional(count(100)),
        hugePages: v.optional(count(MAXIMUM_PRIMARY_MEMORY / BLOCK)),
        reclaimAfter: v.optional(count(RECLAIM_MAX * 1000)),
        scmMax: v.optional(count(MAX_SCM)),
      })),
    }),
  }) satisfies SchemaOf<NativeHostPlan>;

const behaviour = () =>
  v.partial(v.strictObject({
    capIds: oneOf(CAP_IDS),
    quirks: oneOf(QUIRKS),
    hypervisorNode: oneOf(HYPERVISOR_NODES),
    auth: listOf(oneOf(AUTH_NAMES), AUTH_NAMES.length),
    idleWatchdog: oneOf(IDLE_WATCHDOG),
    abi: oneOf(ABIS),
    ipaBits: v.picklist(IPA_BITS),
    parcels: from(1, MAX_PARCELS),
    parcelsHeld: count(MAX_PARCELS),
    reservedMemory: oneOf(RESERVED_MEMORY_RULES),
    sizeMax: oneOf(SIZE_MAX_RULES),
    lowMemory: multipleOf(PAGE_SIZE, 0, LOW_MEMORY_MAX),
    pvTime: flag,
    geniezone: flag,
    msi: oneOf(MSI_KINDS),
    vmMsis: flag,
    pageTables: v.optional(from(1, MAX_PAGE_TABLES)),
    strict: flag,
    check: flag,
  })) satisfies SchemaOf<Partial<Behaviour>>;

/** A plan from a file. Only the user chooses what a run writes, replays or starts again with. */
type FilePlan = Omit<SessionPlan, "record" | "replay" | "from" | "instant" | "logs" | "reboot">;

const planSchema = () =>
  v.strictObject({
    cpus: from(1, MAX_CPUS),
    memory: multipleOf(BLOCK, MINIMUM_PRIMARY_MEMORY, MAXIMUM_PRIMARY_MEMORY),
    turbo: flag,
    cpu: v.optional(readable(v.strictObject({ name, features: text() }), (cpu: CpuPlan) => cpuOfPlan(cpu))),
    tier: v.optional(oneOf(TIERS)),
    behaviour: v.optional(behaviour()),
    seed: count(),
    inject: v.optional(listOf(readBy(parseFaultRule), FAULTS_MAX)),
    duration: v.optional(v.pipe(v.number(), v.minValue(0))),
    until: v.optional(readBy((filter) => parseEventFilter(filter, TABLES.events))),
    hashAt: v.optional(v.pipe(listOf(count(), HASHES_MAX), v.check(ascending))),
    debug: v.optional(debuggedVms),
    root: v.optional(v.strictObject({ runtime: file, app: file })),
    symbols: v.optional(v.record(name, file)),
    history: v.optional(flag),
    endsOnFailure: v.optional(flag),
    memoryBudget: v.optional(count()),
    historyMemory: v.optional(count()),
    diskBudget: v.optional(count()),
    what: v.variant("kind", [boot(), v.strictObject({ kind: v.literal("run"), host: host() })]),
  }) satisfies SchemaOf<FilePlan>;

let built: ReturnType<typeof planSchema> | undefined;

/**
 * The plan that a file holds.
 * @throws Error that names the first field that is wrong, or the first rule that is broken
 */
export function planOfFile(value: unknown): FilePlan {
  const parsed = v.safeParse(built ??= planSchema(), value, { abortEarly: true });
  if (!parsed.success) throw new Error(firstIssue(parsed.issues));
  const wrong = (_path: readonly (string | number)[], fact: ConfigFact) => {
    throw new UserError(CONFIG_FACTS.problem(fact));
  };
  checkMachine({ file: keysOf(parsed.output), spoilt: { has: () => false } }, { atKey: wrong, atValue: wrong });
  // Its keys stay in their order, so that a plan that is written again has the same bytes.
  return value as FilePlan;
}

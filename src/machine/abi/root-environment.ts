// The environment block that the hypervisor hands to the root VM in X0: "RVME" header, "DEMR"
// header and one CBOR map (docs/spec/hypervisor.md §8.3 and §8.4, docs/spec/observed.md §7).
// Declared here once: the hypervisor encodes it, the Resource Manager decodes it.

import { type CborInput, type CborValue, decodeCbor, encodeCbor } from "./cbor.ts";
import { asCapId, asIpa, type CapId, type Ipa } from "./numbers.ts";

/** "RVME" in memory. */
const RUNTIME_SIGNATURE = 0x454d_5652;
/** "DEMR" in memory. */
const RM_SIGNATURE = 0x524d_4544;
const VERSION = 1;
const RUNTIME_HEADER_SIZE = 88;
const RM_HEADER_SIZE = 16;

/** u64 fields of the runtime's header: byte offsets. */
const RuntimeField = {
  runtime_ipa: 8,
  app_ipa: 16,
  app_heap_ipa: 24,
  app_heap_size: 32,
  vcpu_capid: 40,
  timer_freq: 48,
  gicd_base: 56,
  gicr_base: 64,
  rm_config_offset: 72,
  rm_config_size: 80,
} as const;

/** Size of the block on this platform, in bytes. */
export const ROOT_ENVIRONMENT_SIZE = 0x4000;

/** An entry of `vic_hwirq` for an interrupt that is not available. */
export const NO_CAP = asCapId(0xffff_ffff_ffff_ffffn);

/**
 * The map's keys, as the wire names them. Capabilities are ids in the root cspace; addresses and
 * sizes are bytes.
 */
export interface RootResources {
  readonly cspace_capid: CapId;
  readonly partition_capid: CapId;
  readonly vcpu_capid: CapId;
  readonly addrspace_capid: CapId;
  readonly vic: CapId;
  /** By hardware interrupt number; `NO_CAP` where there is none. */
  readonly vic_hwirq: readonly CapId[];
  /** Base and size of memory that the root partition owns. */
  readonly free_ranges: readonly (readonly [number, number])[];
  readonly gicd_base: number;
  readonly gicr_stride: number;
  /** Base and number of frames. */
  readonly gicr_ranges: readonly (readonly [number, number])[];
  readonly sve_supported: boolean;
  /** The extent that holds the root VM's own memory. */
  readonly me_capid: CapId;
  readonly me_ipa_base: Ipa;
  readonly me_size: number;
  /** IPA minus PA of that memory. */
  readonly ipa_offset: number;
  readonly boot_core: number;
  /** Bit i: physical CPU i may be used. */
  readonly usable_cores: number;
  readonly hlos_vm_base: number;
  readonly hlos_vm_size: number;
  readonly entry_hlos: Ipa;
  readonly hlos_dt_base: Ipa;
  readonly hlos_ramfs_base: number;
  readonly device_me_capid: CapId;
  readonly device_me_base: number;
  readonly device_me_size: number;
  readonly watchdog_supported: number;
  readonly uart_address: number;
  readonly uart_me_capid: CapId;
}

export interface RootEnvironment {
  readonly runtime_ipa: Ipa;
  readonly app_ipa: Ipa;
  readonly app_heap_ipa: Ipa;
  readonly app_heap_size: number;
  readonly vcpu_capid: CapId;
  /** CNTFRQ_EL0, Hz. */
  readonly timer_freq: number;
  readonly gicd_base: number;
  readonly gicr_base: number;
  readonly resources: RootResources;
}

/** The block, `ROOT_ENVIRONMENT_SIZE` bytes. @throws RangeError when the map does not fit. */
export function encodeRootEnvironment(environment: RootEnvironment): Uint8Array {
  const payload = encodeCbor(environment.resources as unknown as { readonly [key: string]: CborInput });
  const start = RUNTIME_HEADER_SIZE + RM_HEADER_SIZE;
  if (start + payload.length > ROOT_ENVIRONMENT_SIZE) throw new RangeError(`an environment of ${payload.length} bytes does not fit`);
  const bytes = new Uint8Array(ROOT_ENVIRONMENT_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, RUNTIME_SIGNATURE, true);
  view.setUint16(4, VERSION, true);
  const header: Record<keyof typeof RuntimeField, number | bigint> = {
    ...environment,
    rm_config_offset: RUNTIME_HEADER_SIZE,
    rm_config_size: ROOT_ENVIRONMENT_SIZE - RUNTIME_HEADER_SIZE,
  };
  for (const name of Object.keys(RuntimeField) as (keyof typeof RuntimeField)[]) {
    view.setBigUint64(RuntimeField[name], BigInt(header[name]), true);
  }
  view.setUint32(RUNTIME_HEADER_SIZE, RM_SIGNATURE, true);
  view.setUint16(RUNTIME_HEADER_SIZE + 4, VERSION, true);
  view.setUint32(RUNTIME_HEADER_SIZE + 8, RM_HEADER_SIZE, true);
  view.setUint32(RUNTIME_HEADER_SIZE + 12, payload.length, true);
  bytes.set(payload, start);
  return bytes;
}

/**
 * The environment, or the first thing that is wrong with the block. Keys that are not declared
 * above are skipped.
 */
export function decodeRootEnvironment(bytes: Uint8Array): { ok: true; environment: RootEnvironment } | { ok: false; problem: string } {
  const fail = (problem: string) => ({ ok: false, problem } as const);
  if (bytes.length < RUNTIME_HEADER_SIZE + RM_HEADER_SIZE) return fail("the block is shorter than its headers");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== RUNTIME_SIGNATURE) return fail("the signature RVME is missing");
  if (view.getUint32(RUNTIME_HEADER_SIZE, true) !== RM_SIGNATURE) return fail("the signature DEMR is missing");
  const start = RUNTIME_HEADER_SIZE + view.getUint32(RUNTIME_HEADER_SIZE + 8, true);
  const size = view.getUint32(RUNTIME_HEADER_SIZE + 12, true);
  if (start + size > bytes.length) return fail("the map ends outside the block");
  const decoded = decodeCbor(bytes.subarray(start, start + size));
  if (!decoded.ok) return fail(`${decoded.problem} (byte ${decoded.offset} of the map)`);
  const resources = decodeResources(decoded.value);
  if (!resources.ok) return resources;
  const field = (name: keyof typeof RuntimeField) => Number(view.getBigUint64(RuntimeField[name], true));
  return {
    ok: true,
    environment: {
      runtime_ipa: asIpa(field("runtime_ipa")),
      app_ipa: asIpa(field("app_ipa")),
      app_heap_ipa: asIpa(field("app_heap_ipa")),
      app_heap_size: field("app_heap_size"),
      vcpu_capid: asCapId(view.getBigUint64(RuntimeField.vcpu_capid, true)),
      timer_freq: field("timer_freq"),
      gicd_base: field("gicd_base"),
      gicr_base: field("gicr_base"),
      resources: resources.value,
    },
  };
}

type KindOf<T> = T extends bigint ? "cap"
  : T extends boolean ? "bool"
  : T extends number ? "number"
  : T extends readonly bigint[] ? "caps"
  : "ranges";

/** How each key is read. */
const KINDS: { readonly [K in keyof RootResources]: KindOf<RootResources[K]> } = {
  cspace_capid: "cap",
  partition_capid: "cap",
  vcpu_capid: "cap",
  addrspace_capid: "cap",
  vic: "cap",
  vic_hwirq: "caps",
  free_ranges: "ranges",
  gicd_base: "number",
  gicr_stride: "number",
  gicr_ranges: "ranges",
  sve_supported: "bool",
  me_capid: "cap",
  me_ipa_base: "number",
  me_size: "number",
  ipa_offset: "number",
  boot_core: "number",
  usable_cores: "number",
  hlos_vm_base: "number",
  hlos_vm_size: "number",
  entry_hlos: "number",
  hlos_dt_base: "number",
  hlos_ramfs_base: "number",
  device_me_capid: "cap",
  device_me_base: "number",
  device_me_size: "number",
  watchdog_supported: "number",
  uart_address: "number",
  uart_me_capid: "cap",
};

function decodeResources(map: CborValue): { ok: true; value: RootResources } | { ok: false; problem: string } {
  if (typeof map !== "object" || Array.isArray(map)) return { ok: false, problem: "the environment is not a map" };
  const values: Record<string, unknown> = {};
  for (const [key, kind] of Object.entries(KINDS)) {
    const value = readers[kind](map[key]);
    if (value === undefined) return { ok: false, problem: `the key ${key} is missing or of another type` };
    values[key] = value;
  }
  // Every key of RootResources is in KINDS and was read by the reader of its kind.
  return { ok: true, value: values as unknown as RootResources };
}

const asNumber = (value: CborValue | undefined) =>
  typeof value === "bigint" && value <= Number.MAX_SAFE_INTEGER ? Number(value) : undefined;
const asCap = (value: CborValue | undefined) => typeof value === "bigint" ? value : undefined;
const asList = <T>(value: CborValue | undefined, read: (item: CborValue) => T | undefined): T[] | undefined => {
  if (!Array.isArray(value)) return undefined;
  const items = value.map(read);
  return items.includes(undefined) ? undefined : items as T[];
};

const readers: Record<KindOf<RootResources[keyof RootResources]>, (value: CborValue | undefined) => unknown> = {
  number: asNumber,
  cap: asCap,
  bool: (value) => typeof value === "boolean" ? value : undefined,
  caps: (value) => asList(value, asCap),
  ranges: (value) =>
    asList(value, (item) => {
      const pair = asList(item, asNumber);
      return pair?.length === 2 ? pair : undefined;
    }),
};

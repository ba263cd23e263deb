// The hypercalls of Gunyah's ABI: number, arguments and results of each (docs/spec/hypervisor.md
// §1, §4). This is the one place that knows a call's shape; the hypervisor adds rights and handlers
// to it, native guests and traces read it.

import type { CapId, Ipa, Pa, Vmid } from "./numbers.ts";

/**
 * How an argument is read from its 64-bit register. Narrow kinds use only the low bits (§1.3).
 * - `cap`: capability id in the caller's cspace (or in one named by an argument before it)
 * - `user_ptr`: virtual address in the caller's EL1 regime
 * - `res0`, `res1`: reserved, all zeros or all ones
 */
export type ArgumentKind = "cap" | "u16" | "u32" | "u64" | "bool" | "user_ptr" | "res0" | "res1";

/** How a result is written to its 64-bit register. */
export type ResultKind = "cap" | "u32" | "u64" | "bool";

/** The shape of one call. Keys are in register order. */
export interface HypercallSignature {
  /** n of HVC #(0x6000 + n) and of SMCCC function 0xC6008000 + n. */
  readonly number: number;
  readonly arguments: Readonly<Record<string, ArgumentKind>>;
  /** Results after `error`, which is X0 of every call but hypervisor_identify. */
  readonly results: Readonly<Record<string, ResultKind>>;
}

/** HVC immediate of call 0, and the size of the range. */
export const HVC_BASE = 0x6000;
export const HYPERCALL_COUNT = 0x78;
/** How many of them the recorded build has; the others are those of the newer drop (§4.14). */
export const RECORDED_HYPERCALL_COUNT = 0x69;
/** SMCCC function id of call 0 (fast, SMC64, vendor-specific hypervisor). */
export const SMCCC_BASE = 0xc600_8000;

function call<const A extends HypercallSignature["arguments"], const R extends HypercallSignature["results"]>(
  number: number,
  args: A,
  results: R,
): { readonly number: number; readonly arguments: A; readonly results: R } {
  return { number, arguments: args, results };
}

const create = (number: number) => call(number, { src_partition: "cap", cspace: "cap", reserved: "res0" }, { new_cap: "cap" });

/** All numbered calls, by name: 93 of the recorded build, 8 of the newer drop. */
export const HYPERCALLS = {
  hypervisor_identify: call(0x00, {}, { api_info: "u64", api_flags_0: "u64", api_flags_1: "u64", api_flags_2: "u64" }),

  partition_create_partition: create(0x01),
  partition_create_cspace: create(0x02),
  partition_create_addrspace: create(0x03),
  partition_create_memextent: create(0x04),
  partition_create_thread: create(0x05),
  partition_create_doorbell: create(0x06),
  partition_create_msgqueue: create(0x07),
  partition_create_watchdog: create(0x09),
  partition_create_vic: create(0x0a),
  partition_create_vpm_group: create(0x0b),
  object_activate: call(0x0c, { cap: "cap", reserved: "res0" }, {}),
  object_activate_from: call(0x0d, { cspace: "cap", cap: "cap", reserved: "res0" }, {}),
  object_reset: call(0x0e, { cap: "cap", reserved: "res0" }, {}),
  object_reset_from: call(0x0f, { cspace: "cap", cap: "cap", reserved: "res0" }, {}),

  doorbell_bind_virq: call(0x10, { doorbell: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  doorbell_unbind_virq: call(0x11, { doorbell: "cap", reserved: "res0" }, {}),
  doorbell_send: call(0x12, { doorbell: "cap", new_flags: "u64", reserved: "res0" }, { old_flags: "u64" }),
  doorbell_receive: call(0x13, { doorbell: "cap", clear_flags: "u64", reserved: "res0" }, { old_flags: "u64" }),
  doorbell_reset: call(0x14, { doorbell: "cap", reserved: "res0" }, {}),
  doorbell_mask: call(0x15, { doorbell: "cap", enable_mask: "u64", ack_mask: "u64", reserved: "res0" }, {}),

  msgqueue_bind_send_virq: call(0x17, { msgqueue: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  msgqueue_bind_receive_virq: call(0x18, { msgqueue: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  msgqueue_unbind_send_virq: call(0x19, { msgqueue: "cap", reserved: "res0" }, {}),
  msgqueue_unbind_receive_virq: call(0x1a, { msgqueue: "cap", reserved: "res0" }, {}),
  msgqueue_send: call(
    0x1b,
    { msgqueue: "cap", size: "u64", data: "user_ptr", send_flags: "u32", reserved: "res0" },
    { not_full: "bool" },
  ),
  msgqueue_receive: call(
    0x1c,
    { msgqueue: "cap", buffer: "user_ptr", buf_size: "u64", reserved: "res0" },
    { size: "u64", not_empty: "bool" },
  ),
  msgqueue_flush: call(0x1d, { msgqueue: "cap", reserved: "res0" }, {}),
  msgqueue_configure_send: call(0x1f, { msgqueue: "cap", not_full_thres: "u32", not_full_holdoff: "u32", reserved: "res1" }, {}),
  msgqueue_configure_receive: call(0x20, { msgqueue: "cap", not_empty_thres: "u32", not_empty_holdoff: "u32", reserved: "res1" }, {}),
  msgqueue_configure: call(0x21, { msgqueue: "cap", create_info: "u64", reserved: "res0" }, {}),

  cspace_delete_cap_from: call(0x22, { cspace: "cap", cap: "cap", reserved: "res0" }, {}),
  cspace_copy_cap_from: call(
    0x23,
    { src_cspace: "cap", src_cap: "cap", dest_cspace: "cap", rights_mask: "u32", reserved: "res0" },
    { new_cap: "cap" },
  ),
  cspace_revoke_cap_from: call(0x24, { src_cspace: "cap", src_cap: "cap", reserved: "res0" }, {}),
  cspace_configure: call(0x25, { cspace: "cap", max_caps: "u32", reserved: "res0" }, {}),
  hwirq_bind_virq: call(0x26, { hwirq: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  hwirq_unbind_virq: call(0x27, { hwirq: "cap", reserved: "res0" }, {}),
  vic_configure: call(0x28, { vic: "cap", max_vcpus: "u32", max_virqs: "u32", vic_options: "u64", max_msis: "u32" }, {}),
  vic_attach_vcpu: call(0x29, { vic: "cap", vcpu: "cap", index: "u32", reserved: "res0" }, {}),

  addrspace_attach_thread: call(0x2a, { addrspace: "cap", thread: "cap", reserved: "res0" }, {}),
  addrspace_map: call(
    0x2b,
    { addrspace: "cap", memextent: "cap", vbase: "u64", map_attrs: "u32", map_flags: "u32", offset: "u64", size: "u64" },
    {},
  ),
  addrspace_unmap: call(0x2c, { addrspace: "cap", memextent: "cap", vbase: "u64", map_flags: "u32", offset: "u64", size: "u64" }, {}),
  addrspace_update_access: call(
    0x2d,
    { addrspace: "cap", memextent: "cap", vbase: "u64", access_attrs: "u32", map_flags: "u32", offset: "u64", size: "u64" },
    {},
  ),
  addrspace_configure: call(0x2e, { addrspace: "cap", vmid: "u16", reserved: "res0" }, {}),
  addrspace_attach_vdma: call(0x2f, { addrspace: "cap", dma_device: "cap", index: "u32", reserved: "res0" }, {}),
  memextent_modify: call(0x30, { memextent: "cap", flags: "u32", offset: "u64", size: "u64" }, {}),
  memextent_configure: call(0x31, { memextent: "cap", phys_base: "u64", size: "u64", attributes: "u32", reserved: "res0" }, {}),
  memextent_configure_derive: call(
    0x32,
    { memextent: "cap", parent_memextent: "cap", offset: "u64", size: "u64", attributes: "u32", reserved: "res0" },
    {},
  ),

  vcpu_configure: call(0x34, { cap: "cap", vcpu_options: "u64", reserved: "res0" }, {}),
  vcpu_poweron: call(0x38, { cap: "cap", entry_point: "u64", context: "u64", flags: "u64" }, {}),
  vcpu_poweroff: call(0x39, { cap: "cap", flags: "u64" }, {}),
  vcpu_kill: call(0x3a, { cap: "cap", reserved: "res0" }, {}),
  scheduler_yield: call(0x3b, { control: "u32", arg1: "u64", reserved: "res0" }, {}),
  vpm_group_attach_vcpu: call(0x3c, { vpm_group: "cap", vcpu: "cap", index: "u32", reserved: "res0" }, {}),
  vcpu_set_affinity: call(0x3d, { cap: "cap", affinity: "u16", reserved: "res1" }, {}),
  cspace_attach_thread: call(0x3e, { cspace: "cap", thread: "cap", reserved: "res0" }, {}),
  trace_update_class_flags: call(0x3f, { set_flags: "u64", clear_flags: "u64", reserved: "res0" }, { flags: "u64" }),
  vpm_group_bind_virq: call(0x43, { vpm_group: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  vpm_group_unbind_virq: call(0x44, { vpm_group: "cap", reserved: "res0" }, {}),
  vpm_group_get_state: call(0x45, { vpm_group: "cap", reserved: "res0" }, { vpm_state: "u64" }),
  vcpu_set_priority: call(0x46, { cap: "cap", priority: "u32" }, {}),
  vcpu_set_timeslice: call(0x47, { cap: "cap", timeslice: "u64" }, {}),

  partition_create_virtio_mmio: create(0x48),
  virtio_mmio_configure: call(0x49, { virtio_mmio: "cap", memextent: "cap", vqs_num: "u32", flags: "u64", device_type: "u32" }, {}),
  virtio_mmio_backend_bind_virq: call(0x4a, { virtio_mmio: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  virtio_mmio_backend_unbind_virq: call(0x4b, { virtio_mmio: "cap", reserved: "res0" }, {}),
  virtio_mmio_frontend_bind_virq: call(0x4c, { virtio_mmio: "cap", vic: "cap", virq: "u32", reserved: "res0" }, {}),
  virtio_mmio_frontend_unbind_virq: call(0x4d, { virtio_mmio: "cap", reserved: "res0" }, {}),
  virtio_mmio_backend_assert_virq: call(0x4e, { virtio_mmio: "cap", interrupt_status: "u32", reserved: "res0" }, {}),
  virtio_mmio_backend_set_dev_features: call(0x4f, { virtio_mmio: "cap", sel: "u32", dev_feat: "u32", reserved: "res0" }, {}),
  virtio_mmio_backend_set_queue_num_max: call(0x50, { virtio_mmio: "cap", sel: "u32", queue_num_max: "u32", reserved: "res0" }, {}),
  virtio_mmio_backend_get_drv_features: call(0x51, { virtio_mmio: "cap", sel: "u32", reserved: "res0" }, { drv_feat: "u32" }),
  virtio_mmio_backend_get_queue_info: call(
    0x52,
    { virtio_mmio: "cap", sel: "u32", reserved: "res0" },
    { queue_num: "u32", queue_ready: "u32", queue_desc: "u64", queue_drv: "u64", queue_dev: "u64" },
  ),
  virtio_mmio_backend_get_notification: call(0x53, { virtio_mmio: "cap", reserved: "res0" }, { vqs_bitmap: "u64", reason: "u64" }),
  virtio_mmio_backend_acknowledge_reset: call(0x54, { virtio_mmio: "cap", reserved: "res0" }, {}),
  virtio_mmio_backend_update_status: call(0x55, { virtio_mmio: "cap", val: "u32", reserved: "res0" }, {}),

  vic_bind_msi_source: call(0x56, { vic: "cap", msi_source: "cap", reserved: "res0" }, {}),
  prng_get_entropy: call(0x57, { num_bytes: "u32", reserved: "res0" }, { data0: "u32", data1: "u32", data2: "u32", data3: "u32" }),
  cspace_revoke_caps_from: call(0x59, { src_cspace: "cap", master_cap: "cap", reserved: "res0" }, {}),
  addrspace_lookup: call(
    0x5a,
    { addrspace: "cap", memextent: "cap", vbase: "u64", size: "u64", reserved: "res0" },
    { offset: "u64", size: "u64", map_attrs: "u32" },
  ),
  addrspace_configure_info_area: call(0x5b, { addrspace: "cap", info_area_me: "cap", ipa: "u64", reserved: "res0" }, {}),
  vcpu_bind_virq: call(0x5c, { vcpu: "cap", vic: "cap", virq: "u32", virq_type: "u32", reserved: "res0" }, {}),
  vcpu_unbind_virq: call(0x5d, { vcpu: "cap", virq_type: "u32", reserved: "res0" }, {}),
  virtio_input_configure: call(
    0x5e,
    { virtio_mmio_cap: "cap", devids: "u64", prop_bits: "u32", num_evtypes: "u32", num_absaxes: "u32", reserved: "res0" },
    {},
  ),
  virtio_input_set_data: call(
    0x5f,
    { virtio_mmio_cap: "cap", sel: "u32", subsel: "u32", size: "u32", data: "user_ptr", reserved: "res0" },
    {},
  ),
  addrspace_configure_vmmio: call(0x60, { addrspace: "cap", vbase: "u64", size: "u64", op: "u32", reserved: "res0" }, {}),
  memextent_donate: call(0x61, { options: "u32", from: "cap", to: "cap", offset: "u64", size: "u64", reserved: "res0" }, {}),
  addrspace_attach_vdevice: call(
    0x62,
    { addrspace: "cap", vdevice: "cap", index: "u32", vbase: "u64", size: "u64", flags: "u64" },
    {},
  ),
  vcpu_register_write: call(0x64, { vcpu: "cap", register_set: "u32", index: "u32", value: "u64", reserved: "res0" }, {}),
  vcpu_run: call(
    0x65,
    { cap: "cap", resume_data_0: "u64", resume_data_1: "u64", resume_data_2: "u64", reserved: "res0" },
    { vcpu_state: "u32", state_data_0: "u64", state_data_1: "u64", state_data_2: "u64" },
  ),
  vpm_group_configure: call(0x66, { vpm_group: "cap", flags: "u64", reserved: "res0" }, {}),
  vgic_set_mpidr_mapping: call(
    0x67,
    { vic: "cap", mask: "u64", aff0_shift: "u32", aff1_shift: "u32", aff2_shift: "u32", aff3_shift: "u32", mt: "bool" },
    {},
  ),
  vcpu_run_check: call(
    0x68,
    { cap: "cap", reserved: "res0" },
    { vcpu_state: "u32", state_data_0: "u64", state_data_1: "u64", state_data_2: "u64" },
  ),

  addrspace_modify_pages: call(0x69, { addrspace: "cap", vbase: "u64", size: "u64", flags: "u32" }, { size_remaining: "u64" }),
  addrspace_find_info_area: call(0x6a, { reserved: "res0" }, { base: "u64", size: "u64" }),
  addrspace_info_area_add_entry: call(
    0x6b,
    { addrspace: "cap", type: "u32", data: "user_ptr", data_info: "u64", reserved: "res0" },
    { entry_ipa: "u64" },
  ),
  vpm_group_wakeup: call(0x6f, { vpm_group: "cap", reserved: "res0" }, {}),
  power_system_suspend: call(0x70, { system_power: "cap", reserved: "res0" }, {}),
  vpm_group_bind_power: call(0x74, { vpm_group: "cap", power: "cap", reserved: "res0" }, {}),
  partition_donate: call(0x75, { flags: "u32", partition: "cap", arg2: "u64", base: "u64", size: "u64", reserved: "res0" }, {}),
  addrspace_info_area_get_entry: call(
    0x77,
    { type: "u32", buffer: "user_ptr", buf_size: "u64", reserved: "res0" },
    { size: "u64", entry_type: "u32" },
  ),
} as const;

/** The name of a numbered call. */
export type HypercallName = keyof typeof HYPERCALLS;

/**
 * How callers (`hypercall-caller.ts`) write arguments and read results: u16 and u32 as numbers,
 * bool as a boolean, cap as a `CapId`. u64 and user_ptr arguments are numbers (addresses, sizes in
 * bytes, times in ns, all below 2^53) or, where all 64 bits count, bigints; u64 results are
 * bigints. A name listed here means the same wherever it occurs, and has this type instead.
 */
interface WordsByName {
  vmid: { argument: Vmid; result: never };
  /** The start of a mapping. */
  vbase: { argument: Ipa | bigint; result: never };
  ipa: { argument: Ipa; result: never };
  entry_point: { argument: Ipa | bigint; result: never };
  phys_base: { argument: Pa; result: never };
  /** Bytes, from the start of a memory extent. */
  offset: { argument: number; result: number };
  /** Bytes. */
  size: { argument: number; result: number };
}

type ArgumentsOf<N extends HypercallName> = typeof HYPERCALLS[N]["arguments"];
type ResultsOf<N extends HypercallName> = typeof HYPERCALLS[N]["results"];

type NarrowOrCap<K> = K extends "cap" ? CapId : K extends "bool" ? boolean : K extends "u16" | "u32" ? number : never;

type ArgumentOf<A, K> = A extends keyof WordsByName ? WordsByName[A]["argument"]
  : K extends "u64" | "user_ptr" ? number | bigint
  : NarrowOrCap<K>;

type ResultOf<R, K> = R extends keyof WordsByName ? WordsByName[R]["result"] : K extends "u64" ? bigint : NarrowOrCap<K>;

/** The arguments of a call by name. Reserved ones are filled in. */
export type HypercallArguments<N extends HypercallName> = {
  readonly [A in keyof ArgumentsOf<N> as ArgumentsOf<N>[A] extends "res0" | "res1" ? never : A]: ArgumentOf<A, ArgumentsOf<N>[A]>;
};

/**
 * The results of a call by name. They are read in place, and valid until the same call is made
 * again. `error` is an `ErrorCode`; if it is not OK, the other results are zero.
 */
export type HypercallResults<N extends HypercallName> =
  & { readonly [R in keyof ResultsOf<N>]: ResultOf<R, ResultsOf<N>[R]> }
  & (N extends "hypervisor_identify" ? unknown : { readonly error: number });

/** Numbers of the calls by name. */
export const Hypercall = Object.fromEntries(
  Object.entries(HYPERCALLS).map(([name, signature]) => [name, signature.number]),
) as Readonly<Record<HypercallName, number>>;

const NAMES = new Map(Object.entries(HYPERCALLS).map(([name, signature]) => [signature.number, name as HypercallName]));

/** The call with this number, or undefined if the number is not assigned. */
export function hypercallName(number: number): HypercallName | undefined {
  return NAMES.get(number);
}

/** The call of an HVC with this immediate, or undefined if it is none. */
export const hypercallOf = (immediate: number): HypercallName | undefined => hypercallName(immediate - HVC_BASE);

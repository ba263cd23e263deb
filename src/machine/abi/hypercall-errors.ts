// Which errors the specification lists for each hypercall, and in which section
// (docs/spec/hypervisor.md §4, with §1.3 for reserved arguments and buffers, §3.3 for capabilities,
// §3.6 for activation). Reasons carry the section; tests/machine/hypervisor/errors reaches every
// pair of call and error.

import type { ErrorCode } from "./errors.ts";
import { type ArgumentKind, type HypercallName, HYPERCALLS } from "./hypercalls.ts";

/** The name of an error code other than OK. */
export type ErrorName = Exclude<keyof typeof ErrorCode, "OK">;

/** The refusals that the specification lists for a call. */
interface HypercallErrors {
  /** Section of the call: `hypervisor 4.2`. */
  readonly section: string;
  /** Errors that the call can return, in addition to ARGUMENT_INVALID for a reserved argument. */
  readonly errors: readonly ErrorName[];
  /** Errors that the specification lists and that cannot come about here, each with its reason. */
  readonly unreachable: Readonly<Partial<Record<ErrorName, string>>>;
}

/** The cited section of rules about capability ids and rights. */
export const LOOKUP_SECTION = "hypervisor 3.3";

/** A lookup of a typed capability, whatever the object's state (§3.3). */
const ANY_STATE = [
  "ARGUMENT_INVALID",
  "CSPACE_CAP_NULL",
  "CSPACE_CAP_REVOKED",
  "CSPACE_WRONG_OBJECT_TYPE",
  "CSPACE_INSUFFICIENT_RIGHTS",
] as const;
/** A lookup that needs the object active, or in state INIT. */
const LOOKUP = [...ANY_STATE, "OBJECT_STATE"] as const;
const CREATE = [...LOOKUP, "NOMEM", "CSPACE_FULL"] as const;
const BIND = [...LOOKUP, "VIRQ_BOUND", "BUSY"] as const;
/** A buffer by virtual address (§1.3): ARGUMENT_INVALID for stage 1, the others for stage 2. */
const BUFFER = ["ADDR_OVERFLOW", "ADDR_INVALID", "DENIED"] as const;
/** Errors of the object types' own checks at activation (§3.6). */
const ACTIVATION = ["OBJECT_STATE", "OBJECT_CONFIG", "BUSY", "DENIED", "NOMEM", "MEMDB_NOT_OWNER"] as const;

const RACE = "calls are atomic: no other call changes the slot meanwhile";

function errors(section: string, list: readonly ErrorName[], unreachable: HypercallErrors["unreachable"] = {}): HypercallErrors {
  return { section: `hypervisor ${section}`, errors: list, unreachable };
}

export const HYPERCALL_ERRORS: Readonly<Record<HypercallName, HypercallErrors>> = {
  hypervisor_identify: errors("1.4", []),

  partition_create_partition: errors("4.1", ["UNIMPLEMENTED"]),
  partition_create_cspace: errors("4.1", CREATE),
  partition_create_addrspace: errors("4.1", CREATE),
  partition_create_memextent: errors("4.1", CREATE),
  partition_create_thread: errors("4.1", CREATE),
  partition_create_doorbell: errors("4.1", CREATE),
  partition_create_msgqueue: errors("4.1", CREATE),
  partition_create_watchdog: errors("4.1", ["UNIMPLEMENTED"]),
  partition_create_vic: errors("4.1", CREATE),
  partition_create_vpm_group: errors("4.1", CREATE),
  partition_create_virtio_mmio: errors("4.1", CREATE),
  object_activate: errors("4.1", [
    "ARGUMENT_INVALID",
    "CSPACE_CAP_NULL",
    "CSPACE_CAP_REVOKED",
    "CSPACE_INSUFFICIENT_RIGHTS",
    ...ACTIVATION,
  ]),
  object_activate_from: errors("4.1", [...LOOKUP, ...ACTIVATION]),
  object_reset: errors("4.1", ["UNIMPLEMENTED"]),
  object_reset_from: errors("4.1", ["UNIMPLEMENTED"]),

  doorbell_bind_virq: errors("4.2", BIND),
  doorbell_unbind_virq: errors("4.2", LOOKUP),
  doorbell_send: errors("4.2", LOOKUP),
  doorbell_receive: errors("4.2", LOOKUP),
  doorbell_reset: errors("4.2", LOOKUP),
  doorbell_mask: errors("4.2", LOOKUP),

  msgqueue_bind_send_virq: errors("4.3", BIND),
  msgqueue_bind_receive_virq: errors("4.3", BIND),
  msgqueue_unbind_send_virq: errors("4.3", LOOKUP),
  msgqueue_unbind_receive_virq: errors("4.3", LOOKUP),
  msgqueue_send: errors("4.3", [...LOOKUP, "MSGQUEUE_FULL", "ARGUMENT_SIZE", ...BUFFER]),
  msgqueue_receive: errors("4.3", [...LOOKUP, "MSGQUEUE_EMPTY", ...BUFFER]),
  msgqueue_flush: errors("4.3", LOOKUP),
  msgqueue_configure_send: errors("4.3", [...LOOKUP, "UNIMPLEMENTED"]),
  msgqueue_configure_receive: errors("4.3", [...LOOKUP, "UNIMPLEMENTED"]),
  msgqueue_configure: errors("4.3", LOOKUP),

  cspace_delete_cap_from: errors("4.4", LOOKUP, { BUSY: RACE }),
  cspace_copy_cap_from: errors("4.4", [...LOOKUP, "CSPACE_FULL", "NOMEM"], { BUSY: RACE }),
  cspace_revoke_cap_from: errors("4.4", ["UNIMPLEMENTED"]),
  cspace_configure: errors("4.4", LOOKUP),
  cspace_attach_thread: errors("4.4", LOOKUP),
  cspace_revoke_caps_from: errors("4.4", LOOKUP, { BUSY: RACE }),

  hwirq_bind_virq: errors("4.5", [...BIND, "DENIED"], { RETRY: "el2 has no list registers, which could hold the old forwarding" }),
  hwirq_unbind_virq: errors("4.5", [...ANY_STATE, "VIRQ_NOT_BOUND"], { OBJECT_STATE: "hardware interrupts are active from the start" }),
  vic_configure: errors("4.5", LOOKUP),
  vic_attach_vcpu: errors("4.5", LOOKUP),
  vic_bind_msi_source: errors("4.5", [...LOOKUP, "DENIED", "VIRQ_BOUND"]),
  vgic_set_mpidr_mapping: errors("4.5", LOOKUP),

  addrspace_attach_thread: errors("4.6", [...LOOKUP, "NOMEM"]),
  addrspace_map: errors(
    "4.6",
    [
      ...LOOKUP,
      "ARGUMENT_ALIGNMENT",
      "ARGUMENT_SIZE",
      "MEMEXTENT_TYPE",
      "ADDR_OVERFLOW",
      "ADDR_INVALID",
      "MEMEXTENT_MAPPINGS_FULL",
      "NOMEM",
    ],
    { DENIED: "no call makes an address space read-only" },
  ),
  addrspace_unmap: errors("4.6", [...LOOKUP, "ARGUMENT_ALIGNMENT", "ARGUMENT_SIZE", "MEMEXTENT_TYPE", "ADDR_INVALID"]),
  addrspace_update_access: errors("4.6", [...LOOKUP, "ARGUMENT_ALIGNMENT", "ARGUMENT_SIZE", "MEMEXTENT_TYPE", "ADDR_INVALID"]),
  addrspace_configure: errors("4.6", LOOKUP),
  addrspace_attach_vdma: errors("4.6", LOOKUP),
  addrspace_lookup: errors("4.6", [
    ...LOOKUP,
    "ARGUMENT_SIZE",
    "ADDR_OVERFLOW",
    "ARGUMENT_ALIGNMENT",
    "ADDR_INVALID",
    "MEMDB_NOT_OWNER",
  ]),
  addrspace_configure_info_area: errors("4.6", [...LOOKUP, "ADDR_INVALID"]),
  addrspace_configure_vmmio: errors("4.6", [...LOOKUP, "UNIMPLEMENTED", "ARGUMENT_SIZE", "ADDR_OVERFLOW", "NORESOURCES", "BUSY"]),
  addrspace_attach_vdevice: errors("4.6", [...LOOKUP, "IDLE", "BUSY"]),

  memextent_modify: errors("4.8", [...LOOKUP, "DENIED", "ARGUMENT_ALIGNMENT", "ARGUMENT_SIZE"]),
  memextent_configure: errors("4.8", [...LOOKUP, "ARGUMENT_ALIGNMENT"]),
  memextent_configure_derive: errors("4.8", [...LOOKUP, "ADDR_INVALID", "ARGUMENT_ALIGNMENT"]),
  memextent_donate: errors("4.8", [...LOOKUP, "ARGUMENT_ALIGNMENT", "ARGUMENT_SIZE", "MEMEXTENT_TYPE", "MEMDB_NOT_OWNER", "BUSY"]),

  vcpu_configure: errors("4.9", LOOKUP),
  vcpu_poweron: errors("4.9", [...LOOKUP, "BUSY", "FAILURE"]),
  vcpu_poweroff: errors("4.9", [...LOOKUP, "DENIED"]),
  vcpu_kill: errors("4.9", LOOKUP),
  vcpu_set_affinity: errors("4.9", [...ANY_STATE, "DENIED"], { RETRY: "migration is done when the call returns" }),
  vcpu_set_priority: errors("4.9", [...LOOKUP, "DENIED"]),
  vcpu_set_timeslice: errors("4.9", LOOKUP),
  vcpu_bind_virq: errors("4.9", BIND),
  vcpu_unbind_virq: errors("4.9", LOOKUP),
  vcpu_register_write: errors("4.9", [...LOOKUP, "BUSY"]),
  vcpu_run: errors("5.4", [...LOOKUP, "BUSY", "DENIED"], { RETRY: "migration is done when the call returns" }),
  vcpu_run_check: errors("5.4", [...LOOKUP, "BUSY"]),
  scheduler_yield: errors("5.3", LOOKUP),

  vpm_group_configure: errors("4.10", [...LOOKUP, "UNIMPLEMENTED"]),
  vpm_group_attach_vcpu: errors("4.10", LOOKUP),
  vpm_group_bind_virq: errors("4.10", BIND),
  vpm_group_unbind_virq: errors("4.10", LOOKUP),
  vpm_group_get_state: errors("4.10", LOOKUP),
  trace_update_class_flags: errors("4.10", [], { DENIED: "the recorded device has debug enabled, as this one" }),
  prng_get_entropy: errors("4.10", ["ARGUMENT_SIZE", "ARGUMENT_ALIGNMENT", "BUSY"]),

  virtio_mmio_configure: errors("4.11", LOOKUP),
  virtio_mmio_backend_bind_virq: errors("4.11", BIND),
  virtio_mmio_backend_unbind_virq: errors("4.11", LOOKUP),
  virtio_mmio_frontend_bind_virq: errors("4.11", BIND),
  virtio_mmio_frontend_unbind_virq: errors("4.11", LOOKUP),
  virtio_mmio_backend_assert_virq: errors("4.11", [...LOOKUP, "DENIED"]),
  virtio_mmio_backend_set_dev_features: errors("4.11", [...LOOKUP, "DENIED"]),
  virtio_mmio_backend_set_queue_num_max: errors("4.11", LOOKUP),
  virtio_mmio_backend_get_drv_features: errors("4.11", LOOKUP),
  virtio_mmio_backend_get_queue_info: errors("4.11", LOOKUP),
  virtio_mmio_backend_get_notification: errors("4.11", LOOKUP),
  virtio_mmio_backend_acknowledge_reset: errors("4.11", LOOKUP),
  virtio_mmio_backend_update_status: errors("4.11", LOOKUP),
  virtio_input_configure: errors("4.11", [...LOOKUP, "OBJECT_CONFIG", "BUSY"]),
  virtio_input_set_data: errors("4.11", [...LOOKUP, "ARGUMENT_SIZE", "NORESOURCES", ...BUFFER]),

  addrspace_modify_pages: errors("4.14", [...LOOKUP, "ADDR_OVERFLOW", "ARGUMENT_ALIGNMENT", "ADDR_INVALID"], {
    DENIED: "no call makes an address space read-only",
    RETRY: "all pages are done when the call returns",
  }),
  addrspace_find_info_area: errors("4.14", ["ADDR_INVALID"]),
  addrspace_info_area_add_entry: errors("4.14", [...LOOKUP, "ARGUMENT_SIZE", "ARGUMENT_ALIGNMENT", "IDLE", "NOMEM", ...BUFFER]),
  vpm_group_wakeup: errors("4.14", LOOKUP),
  power_system_suspend: errors("4.14", ["CSPACE_CAP_NULL", "CSPACE_CAP_REVOKED", "CSPACE_WRONG_OBJECT_TYPE"]),
  vpm_group_bind_power: errors("4.14", LOOKUP),
  partition_donate: errors("4.14", [
    ...ANY_STATE,
    "ARGUMENT_SIZE",
    "ADDR_OVERFLOW",
    "ARGUMENT_ALIGNMENT",
    "MEMDB_NOT_OWNER",
    "NORESOURCES",
    "BUSY",
  ]),
  addrspace_info_area_get_entry: errors("4.14", ["ARGUMENT_INVALID", "ARGUMENT_SIZE", ...BUFFER]),
};

/** Every error that a call can answer. */
export function listedErrors(name: HypercallName): ReadonlySet<ErrorName> {
  const kinds: readonly ArgumentKind[] = Object.values(HYPERCALLS[name].arguments);
  const reserved = kinds.some((kind) => kind === "res0" || kind === "res1");
  return new Set<ErrorName>([...HYPERCALL_ERRORS[name].errors, ...reserved ? ["ARGUMENT_INVALID" as const] : []]);
}

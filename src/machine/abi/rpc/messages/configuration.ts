// Messages that say what a VM is made of (docs/spec/resource-manager.md §3.8), and those of host
// drivers that give a VM its memory page by page and its boot vCPU registers of their choice
// (§3.15). The open Resource Manager has none of the latter; the semantics follow from what the
// drivers expect.

import { RmError } from "../errors.ts";
import { list16, list32, mustBeZero, reserved, u16, u32, u64, u8 } from "../layout.ts";
import { request } from "../message.ts";

/** Offsets are from the start of the parcel, bytes. */
export const VM_CONFIG_IMAGE = request("VM_CONFIG_IMAGE", 0x5600_0009, {
  vmid: u16,
  auth_type: u16,
  handle: u32,
  image_offset: u64,
  image_size: u64,
  dt_offset: u64,
  dt_size: u64,
}, { section: "3.8", errors: ["DENIED", "MSG_INVALID", "VMID_INVALID", "VM_STATE", "MEM_INVALID", "ARGUMENT_INVALID", "NOMEM"] });
/** The platform's input for authenticating the image. */
export const VM_AUTH_IMAGE = request("VM_AUTH_IMAGE", 0x5600_000a, { vmid: u16, parameters: list16({ type: u32, value: u32 }) }, {
  section: "3.8",
  errors: ["DENIED", "MSG_INVALID", "VMID_INVALID", "VM_STATE"],
});
/** Makes a VM's objects as its devicetree says. */
export const VM_INIT = request("VM_INIT", 0x5600_000b, { vmid: u16, reserved: mustBeZero(2) }, {
  section: "3.8",
  errors: ["DENIED", "MSG_INVALID", "VMID_INVALID", "VM_STATE", "MEM_INVALID", "ARGUMENT_INVALID", "NORESOURCE", "NOMEM"],
});

/**
 * A register of the boot vCPUs, between VM_INIT and VM_START: sets and indexes are those of
 * `RegisterSet`. The id is also that of VM_SET_CONTEXT, which has no handler: a request of another
 * length is answered as an unknown message.
 */
export const VM_SET_BOOT_CONTEXT = request("VM_SET_BOOT_CONTEXT", 0x5600_0031, {
  vmid: u16,
  register_set: u8,
  register_index: u8,
  reserved: reserved(4),
  value: u64,
}, {
  section: "3.15",
  errors: ["UNIMPLEMENTED", "VMID_INVALID", "DENIED", "VM_STATE", "ARGUMENT_INVALID"],
  rules: { otherLength: RmError.UNIMPLEMENTED },
});

/**
 * Ranges of the VM's addresses whose pages its owner gives when they are touched; between
 * VM_CONFIG_IMAGE and VM_INIT.
 */
export const VM_SET_DEMAND_PAGING = request("VM_SET_DEMAND_PAGING", 0x5600_0033, {
  vmid: u16,
  reserved: reserved(2),
  ranges: list32({ base: u64, size: u64 }),
}, { section: "3.15", errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE", "ARGUMENT_INVALID", "NORESOURCE"] });

/** `range_id` of VM_SET_ADDRESS_LAYOUT. */
export const AddressRange = { Image: 0, Firmware: 1 } as const;

/**
 * The place of the parcel with the image, or of the firmware's, in the VM; between VM_CONFIG_IMAGE
 * and VM_INIT.
 */
export const VM_SET_ADDRESS_LAYOUT = request("VM_SET_ADDRESS_LAYOUT", 0x5600_0034, {
  vmid: u16,
  reserved: reserved(2),
  range_id: u32,
  base: u64,
  size: u64,
}, { section: "3.15", errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE", "ARGUMENT_INVALID"] });

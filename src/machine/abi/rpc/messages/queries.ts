// Messages that ask about VMs, and those by which VMs report about themselves
// (docs/spec/resource-manager.md §3.9, §4.2).

import { bytes, list32, paddedBytes, paddedText, reserved, u16, u32, u8 } from "../layout.ts";
import { notification, request } from "../message.ts";

/** Entries of VM_GET_ID: `type`. */
export const IdType = { Guid: 0, Uri: 1, Name: 2, SignAuth: 3 } as const;

/** Answer to VM_HOST_GET_TYPE, by bytes from the lowest: AArch64, Gunyah with RM, 0, version 1. */
export const HOST_TYPE = 0x0100_0164;

const vmidOnly = { vmid: u16, reserved: reserved(2) } as const;

/** vmid 0 is the caller. */
export const VM_GET_ID = request("VM_GET_ID", 0x5600_0010, vmidOnly, {
  section: "3.9",
  errors: ["MSG_INVALID", "NORESOURCE", "VM_STATE"],
  reply: { entries: list32({ type: u8, reserved: reserved(1), data: paddedBytes }) },
});

const found = {
  section: "3.9",
  errors: ["ARGUMENT_INVALID", "MSG_INVALID"],
  reply: { vms: list32({ vmid: u16, reserved: reserved(2) }) },
} as const;
/** VMs of this URI that the caller may ask about. */
export const VM_LOOKUP_URI = request("VM_LOOKUP_URI", 0x5600_0011, { text: paddedText }, found);
/** VMs of this GUID that the caller may ask about. */
export const VM_LOOKUP_GUID = request("VM_LOOKUP_GUID", 0x5600_0012, { guid: bytes(16) }, found);
/** VMs of this name that the caller may ask about. */
export const VM_LOOKUP_NAME = request("VM_LOOKUP_NAME", 0x5600_0013, { text: paddedText }, found);
/** The owner of the caller. */
export const VM_GET_OWNER = request("VM_GET_OWNER", 0x5600_0015, {}, { section: "3.9", errors: ["MSG_INVALID"], reply: { vmid: u32 } });
/** vmid 0 is the caller. */
export const VM_GET_STATE = request("VM_GET_STATE", 0x5600_0017, vmidOnly, {
  section: "3.9",
  errors: ["MSG_INVALID", "NORESOURCE", "DENIED"],
  reply: { vm_state: u8, os_state: u8, app_status: u16 },
});
/** The crash message of a VM that the caller owns. */
export const VM_GET_CRASH_MSG = request("VM_GET_CRASH_MSG", 0x5600_0019, vmidOnly, {
  section: "3.9",
  errors: ["MSG_INVALID", "VMID_INVALID"],
  reply: { text: paddedText },
});
/** The caller's id. */
export const VM_GET_VMID = request("VM_GET_VMID", 0x5600_0024, {}, { section: "3.9", errors: ["MSG_INVALID"], reply: { vmid: u32 } });
/** The VMs that the caller may ask about. */
export const VM_GET_PEERS = request("VM_GET_PEERS", 0x5600_0025, {}, {
  section: "3.9",
  errors: ["MSG_INVALID"],
  reply: { peers: list32({ vmid: u32 }) },
});
/** os_status 0 keeps the old one. */
export const VM_SET_STATUS = request("VM_SET_STATUS", 0x5600_0080, { vm_status: u8, os_status: u8, app_status: u16 }, {
  section: "3.9",
  errors: ["DENIED", "MSG_INVALID", "ARGUMENT_INVALID"],
});
/** A VM about its own crash; 192 bytes are kept. */
export const VM_SET_CRASH_MSG = request("VM_SET_CRASH_MSG", 0x5600_0086, { text: paddedText }, { section: "3.9", errors: ["MSG_INVALID"] });
/** Which architecture and hypervisor this is: `HOST_TYPE`. */
export const VM_HOST_GET_TYPE = request("VM_HOST_GET_TYPE", 0x5600_00a0, {}, {
  section: "3.9",
  errors: ["MSG_INVALID"],
  reply: { type: u32 },
});

/** To every running peer. */
export const VM_STATUS = notification("VM_STATUS", 0x5610_0008, "4.2", {
  vmid: u16,
  reserved: reserved(2),
  vm_state: u8,
  os_state: u8,
  app_status: u16,
});

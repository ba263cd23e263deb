// Messages about VMs: life cycle, configuration, queries and status (docs/spec/resource-manager.md
// §3.7 to §3.9, §4).

import { asVmid, type Vmid as AnyVmid } from "../../numbers.ts";
import { bytes, list16, list32, mustBeZero, paddedBytes, paddedText, reserved, rest, u16, u32, u64, u8 } from "../layout.ts";
import { notification, request } from "../message.ts";

/** vm_state. */
export const VmState = {
  None: 0,
  Init: 1,
  Ready: 2,
  Running: 3,
  Paused: 4,
  Load: 5,
  Auth: 6,
  InitFailed: 8,
  Exited: 9,
  Resetting: 10,
  Reset: 11,
} as const;
/** One of `VmState`. */
export type VmState = typeof VmState[keyof typeof VmState];

/** exit_type of VM_EXITED. */
export const ExitType = {
  VmExit: 0,
  PlatformOff: 1,
  PlatformReset: 2,
  PsciSystemReset2: 3,
  WatchdogBite: 4,
  SoftwareError: 5,
  AsyncHwError: 6,
  VmStopForced: 7,
} as const;
/** One of `ExitType`. */
export type ExitType = typeof ExitType[keyof typeof ExitType];

/** exit_code: bits 31:16 of the first reason word; exit_flags are bits 15:0. */
export const ExitCode = { Normal: 0, SoftwareError: 1, UnknownError: 2, BusError: 3, DeviceError: 4 } as const;
/** exit_flags. */
export const ExitFlags = { Restart: 1, Reset2Is64Bit: 0x8000 } as const;

/** auth_type of VM_CONFIG_IMAGE. */
export const AuthType = { None: 0, Platform: 1, Android: 2 } as const;

/** Their names, by number. */
export const AUTH_NAMES = ["none", "platform", "android"] as const;
export type AuthName = typeof AUTH_NAMES[number];

/** VMIDs with a meaning of their own. */
export const Vmid = { Hypervisor: asVmid(0), Hlos: asVmid(3), ResourceManager: asVmid(0xff), PeerDefault: asVmid(0xffff) } as const;
/** The id of a VM. */
export type Vmid = AnyVmid;

/** Entries of VM_GET_ID: `type`. */
export const IdType = { Guid: 0, Uri: 1, Name: 2, SignAuth: 3 } as const;

/**
 * Answer to VM_HOST_GET_TYPE, by bytes from the lowest: AArch64, Gunyah with RM, 1, 0 (as observed;
 * the digest has the version on top).
 */
export const HOST_TYPE = 0x0001_0164;

const vmidOnly = { vmid: u16, reserved: reserved(2) } as const;

/** vmid 0 asks for any dynamic id; only then the reply carries one. */
export const VM_ALLOCATE = request("VM_ALLOCATE", 0x5600_0001, vmidOnly, {
  section: "3.7",
  errors: ["DENIED", "MSG_INVALID", "NORESOURCE"],
  reply: { vmid: u32 },
});
/** Gives an id back; the VM is in the state LOAD or RESET. */
export const VM_DEALLOCATE = request("VM_DEALLOCATE", 0x5600_0002, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE"],
});
/** Starts a VM that is READY. */
export const VM_START = request("VM_START", 0x5600_0004, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE", "NORESOURCE", "MEM_INVALID"],
});
/** Ends a VM at once, or asks it to shut down. */
export const VM_STOP = request("VM_STOP", 0x5600_0005, { vmid: u16, flags: u8, reserved: reserved(1), reason: u32 }, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "VM_STATE", "NORESOURCE"],
});
/** `flags` of VM_STOP. */
export const StopFlags = { Force: 1 } as const;
/** Takes a VM that has ended apart; VM_STATUS tells the end. */
export const VM_RESET = request("VM_RESET", 0x5600_0006, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE"],
});
/** A VM about itself. */
export const VM_EXIT = request("VM_EXIT", 0x5600_0085, { exit_flags: u16, exit_code: u8, reserved: mustBeZero(1) }, {
  section: "3.7",
  errors: ["MSG_INVALID", "DENIED", "VM_STATE"],
});

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
/** What the platform needs to authenticate the image. */
export const VM_AUTH_IMAGE = request("VM_AUTH_IMAGE", 0x5600_000a, { vmid: u16, parameters: list16({ type: u32, value: u32 }) }, {
  section: "3.8",
  errors: ["DENIED", "MSG_INVALID", "VMID_INVALID", "VM_STATE"],
});
/** Makes a VM's objects as its devicetree says. */
export const VM_INIT = request("VM_INIT", 0x5600_000b, { vmid: u16, reserved: mustBeZero(2) }, {
  section: "3.8",
  errors: ["DENIED", "MSG_INVALID", "VMID_INVALID", "VM_STATE", "MEM_INVALID", "ARGUMENT_INVALID", "NORESOURCE", "NOMEM"],
});

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
/** Who owns the caller. */
export const VM_GET_OWNER = request("VM_GET_OWNER", 0x5600_0015, {}, { section: "3.9", errors: ["MSG_INVALID"], reply: { vmid: u32 } });
/** vmid 0 is the caller. */
export const VM_GET_STATE = request("VM_GET_STATE", 0x5600_0017, vmidOnly, {
  section: "3.9",
  errors: ["MSG_INVALID", "NORESOURCE", "DENIED"],
  reply: { vm_state: u8, os_state: u8, app_status: u16 },
});
/** What a VM that the caller owns said about its crash. */
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

/** To the owner. The first word of the reason is exit_flags | exit_code << 16. */
export const VM_EXITED = notification("VM_EXITED", 0x5610_0001, "4.3", { vmid: u16, exit_type: u16, reason_size: u32, reason: rest });
/** To the VM that shall stop. */
export const VM_SHUTDOWN = notification("VM_SHUTDOWN", 0x5610_0002, "3.7", { reason: u32 });
/** To every running peer. */
export const VM_STATUS = notification("VM_STATUS", 0x5610_0008, "4.2", {
  vmid: u16,
  reserved: reserved(2),
  vm_state: u8,
  os_state: u8,
  app_status: u16,
});

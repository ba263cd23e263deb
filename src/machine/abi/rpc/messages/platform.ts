// Messages about firmware of protected VMs, the time base and address reservation
// (docs/spec/resource-manager.md §3.11 and §3.12).

import { list, list32, listWhen, mustBeZero, reserved, u16, u32, u64, u8 } from "../layout.ts";
import { request } from "../message.ts";
import { RmError } from "../errors.ts";

/** After it no firmware can be set. */
export const FW_MILESTONE = request("FW_MILESTONE", 0x5100_0020, {}, { section: "3.12", errors: ["DENIED", "MSG_INVALID"] });
/** Gives the Resource Manager the firmware of protected VMs: a parcel that is donated to it. */
export const FW_SET_VM_FIRMWARE = request("FW_SET_VM_FIRMWARE", 0x5100_0021, {
  auth_type: u16,
  reserved: mustBeZero(2, RmError.UNIMPLEMENTED),
  handle: u32,
  offset: u64,
  size: u64,
}, {
  section: "3.12",
  errors: [
    ...["DENIED", "MSG_INVALID", "UNIMPLEMENTED", "ARGUMENT_INVALID", "BUSY"] as const,
    ...["HANDLE_INVALID", "MEM_INVALID", "MAP_FAILED"] as const,
  ],
});
/** Where in a VM's parcels its firmware goes. */
export const VM_SET_FIRMWARE_MEM = request("VM_SET_FIRMWARE_MEM", 0x5600_0032, {
  vmid: u16,
  reserved: mustBeZero(2),
  handle: u32,
  offset: u64,
  size: u64,
}, {
  section: "3.12",
  errors: ["MSG_INVALID", "NORESOURCE", "DENIED", "VM_STATE", "ARGUMENT_INVALID", "MEM_INVALID"],
  errorDetail: 1,
});

/** vmid 0 is the caller. */
export const VM_SET_TIME_BASE = request("VM_SET_TIME_BASE", 0x5600_0030, {
  vmid: u16,
  reserved: reserved(2),
  time_base: u64,
  sys_timer_ref: u64,
}, { section: "3.11", errors: ["MSG_INVALID", "NORESOURCE", "DENIED", "VM_STATE", "ARGUMENT_INVALID"], errorDetail: 1 });

/** `type` of IPA_RESERVE. */
export const IpaReserveType = { Fixed: 0, Allocate: 1 } as const;
/** Most entries of IPA_RESERVE. */
const IPA_RESERVE_MAX = 30;
/** `region_base` of a request for addresses anywhere. */
export const ANYWHERE = 0xffff_ffff_ffff_ffffn;
/** Which list there is depends on `type`. Only allocated ranges are answered. */
export const IPA_RESERVE = request("IPA_RESERVE", 0x5600_00b0, {
  type: u8,
  reserved: reserved(3),
  generic_constraints: u32,
  platform_constraints: u32,
  fixed: listWhen("type", [IpaReserveType.Fixed], list({ base: u64, size: u64 }, IPA_RESERVE_MAX)),
  requested: listWhen(
    "type",
    [IpaReserveType.Allocate],
    list({ region_base: u64, region_size: u64, size: u64, alignment: u64 }, IPA_RESERVE_MAX),
  ),
}, {
  section: "3.11",
  errors: ["DENIED", "MSG_INVALID", "ARGUMENT_INVALID", "NORESOURCE"],
  reply: { addresses: list32({ address: u64 }) },
  rules: { minimum: 16 },
});

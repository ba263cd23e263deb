// VM_GET_HYP_RESOURCES: which hypervisor objects a VM shares with the caller
// (docs/spec/resource-manager.md §3.10).

import { list32, reserved, u16, u32, u64, u8 } from "../layout.ts";
import { request } from "../message.ts";

/** `type` of an entry. */
export const ResourceType = {
  /** The caller can ring. */
  DoorbellSource: 0,
  /** The caller is rung. */
  Doorbell: 1,
  MsgqueueSend: 2,
  MsgqueueReceive: 3,
  Vcpu: 4,
  VpmGroup: 5,
  VirtioMmioBackend: 6,
  Vrtc: 7,
  WatchdogManage: 8,
  /** Only of demand-paged VMs, for their owner; the label says which extent it is. */
  MemoryExtent: 9,
  AddressSpace: 10,
} as const;

/** `label` of a memory extent of a demand-paged VM: the owner of the pages in it. */
export const ExtentLabel = { GuestPrivate: 0, HostShared: 1, HostPrivate: 2, GuestShared: 3 } as const;

/** `virq` of an entry that has none because its vCPU is not proxy-scheduled. */
export const VIRQ_INVALID = 0xffff_ffff;

/**
 * One object. `cap` is an id in the caller's cspace; `virq` an INTID of the caller's VIC, 0 for
 * none.
 */
export const resourceEntry = {
  type: u8,
  reserved: reserved(1),
  partner: u16,
  handle: u32,
  label: u32,
  cap: u64,
  virq_handle: u32,
  virq: u32,
  base: u64,
  size: u64,
} as const;

/** `vmid` is the other VM. */
export const VM_GET_HYP_RESOURCES = request("VM_GET_HYP_RESOURCES", 0x5600_0020, { vmid: u16, reserved: reserved(2) }, {
  section: "3.10",
  errors: ["MSG_INVALID", "ARGUMENT_INVALID", "NORESOURCE", "NOMEM"],
  reply: { resources: list32(resourceEntry) },
});

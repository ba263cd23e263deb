// Object types and the rights that capabilities to them carry (docs/spec/hypervisor.md §3.1, §3.2).
// A right is a bit of a 32-bit mask.

/** First-class object types of this build. */
export type ObjectType =
  | "partition"
  | "cspace"
  | "addrspace"
  | "memextent"
  | "thread"
  | "doorbell"
  | "msgqueue"
  | "vic"
  | "vpm_group"
  | "hwirq"
  | "virtio_mmio";

/** The right that every type has: to configure the object and then activate it. */
export const ACTIVATE = 0x8000_0000;

export const PartitionRight = { ObjectCreate: 0x1, Donate: 0x2 } as const;
export const CspaceRight = { CapCreate: 0x1, CapDelete: 0x2, CapCopy: 0x4, Attach: 0x8, CapRevoke: 0x10 } as const;
export const AddrspaceRight = { Attach: 0x1, Map: 0x2, Lookup: 0x4, AddVmmioRange: 0x8 } as const;
/** Rights of the newer drop alone. */
export const NewerAddrspaceRight = { ModifyProtected: 0x20, AddInfo: 0x40 } as const;
export const MemextentRight = { Map: 0x1, Derive: 0x2, Attach: 0x4, Lookup: 0x8, Donate: 0x10 } as const;
export const ThreadRight = {
  Power: 0x1,
  Affinity: 0x2,
  Priority: 0x4,
  Timeslice: 0x8,
  YieldTo: 0x10,
  BindVirq: 0x20,
  State: 0x40,
  Lifecycle: 0x80,
  WriteContext: 0x100,
  Disable: 0x200,
} as const;
export const DoorbellRight = { Send: 0x1, Receive: 0x2, Bind: 0x4 } as const;
export const MsgqueueRight = { Send: 0x1, Receive: 0x2, BindSend: 0x4, BindReceive: 0x8 } as const;
export const VicRight = { BindSource: 0x1, AttachVcpu: 0x2, AttachVdevice: 0x4 } as const;
export const HwirqRight = { BindVic: 0x2 } as const;
export const VpmGroupRight = { AttachVcpu: 0x1, BindVirq: 0x2, Query: 0x4 } as const;
/** Rights of the newer drop alone. */
export const NewerVpmGroupRight = { Wakeup: 0x8, BindPower: 0x10 } as const;
export const VirtioMmioRight = { BindBackendVirq: 0x1, BindFrontendVirq: 0x2, AssertVirq: 0x4, Config: 0x8 } as const;

const RIGHTS: Record<ObjectType, Readonly<Record<string, number>>> = {
  partition: PartitionRight,
  cspace: CspaceRight,
  addrspace: AddrspaceRight,
  memextent: MemextentRight,
  thread: ThreadRight,
  doorbell: DoorbellRight,
  msgqueue: MsgqueueRight,
  vic: VicRight,
  vpm_group: VpmGroupRight,
  hwirq: HwirqRight,
  virtio_mmio: VirtioMmioRight,
};

/** Rights that the newer drop adds. */
const NEWER_RIGHTS: Partial<Record<ObjectType, Readonly<Record<string, number>>>> = {
  addrspace: NewerAddrspaceRight,
  vpm_group: NewerVpmGroupRight,
};

/** All rights of a type, as its master capability has them in the recorded or the newer drop. */
export function allRights(type: ObjectType, newer = false): number {
  return Object.values(newer ? { ...RIGHTS[type], ...NEWER_RIGHTS[type] } : RIGHTS[type]).reduce((mask, bit) => mask | bit, ACTIVATE) >>> 0;
}

/** The names of the rights in a mask, for display: `Send|Receive`. */
export function rightNames(type: ObjectType, mask: number): string {
  const names = Object.entries({ ...RIGHTS[type], ...NEWER_RIGHTS[type] }).filter(([, bit]) => mask & bit).map(([name]) => name);
  if (mask & ACTIVATE) names.push("Activate");
  return names.join("|") || "none";
}

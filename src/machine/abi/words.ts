// Bit fields, option words and enumerations in hypercall arguments and results
// (docs/spec/hypervisor.md §1.4, §4, §5.4).

/** Access to memory: `map_attrs`, `access_attrs` and the attributes of an extent. */
export const Access = { None: 0, X: 1, W: 2, R: 4, RX: 5, RW: 6, RWX: 7 } as const;

/** Stage-2 memory types: `map_attrs` bits 23:16. */
export const MemoryType = {
  DeviceNGnRnE: 0,
  DeviceNGnRE: 1,
  DeviceNGRE: 2,
  DeviceGRE: 3,
  NormalNC: 5,
  NormalOncIwt: 6,
  NormalOncIwb: 7,
  NormalOwtInc: 9,
  NormalWT: 10,
  NormalOwtIwb: 11,
  NormalOwbInc: 13,
  NormalOwbIwt: 14,
  NormalWB: 15,
} as const;

/**
 * `map_attrs` and `access_attrs` (§4.6): user access 2:0 (EL0), kernel access 6:4 (EL1), memory
 * type 23:16.
 */
export const MapAttributes = {
  UserShift: 0,
  KernelShift: 4,
  MemoryTypeShift: 16,
  /** Bits that `map_attrs` defines. */
  Defined: 0x00ff_0077,
  /** Bits that `access_attrs` of addrspace_update_access defines. */
  AccessDefined: 0x77,
} as const;

export function mapAttributes(user: number, kernel: number, memoryType: number): number {
  return memoryType << MapAttributes.MemoryTypeShift | kernel << MapAttributes.KernelShift | user;
}

/** `map_flags`. */
export const MapFlags = { Partial: 1, Private: 2, Vmmio: 4, NoSync: 0x8000_0000, Defined: 0x8000_0007 } as const;

/** The memory type of an extent: `attributes` bits 9:8. */
export const ExtentMemoryType = { Any: 0, Device: 1, Uncached: 2, Cached: 3 } as const;

/** The kind of an extent: `attributes` bits 17:16. */
export const ExtentType = { Basic: 0, Sparse: 1 } as const;

/**
 * `attributes` of memextent_configure and memextent_configure_derive (§4.8): access 2:0, memory
 * type 9:8, kind 17:16.
 */
export const MemextentAttributes = { MemoryTypeShift: 8, TypeShift: 16, Append: 0x8000_0000, Defined: 0x8003_0307 } as const;

/** Builds the `attributes` of an extent. */
export function memextentAttributes(access: number, memoryType: number, type: number): number {
  return type << MemextentAttributes.TypeShift | memoryType << MemextentAttributes.MemoryTypeShift | access;
}

/** Operations of memextent_modify: `flags` bits 7:0; bit 31 is NoSync. */
export const ModifyOperation = { UnmapAll: 0, ZeroRange: 1, CacheCleanRange: 2, CacheFlushRange: 3, SyncAll: 255 } as const;
export const ModifyFlags = { NoSync: 0x8000_0000, Defined: 0x8000_00ff } as const;

/** Kinds of memextent_donate: `options` bits 7:0; bit 31 is NoSync. */
export const DonateType = { ToChild: 0, ToParent: 1, ToSibling: 2, ToProtected: 3, FromProtected: 4 } as const;
export const DonateOptions = { NoSync: 0x8000_0000, Defined: 0x8000_00ff } as const;

/** `op` of addrspace_configure_vmmio. */
export const VmmioOperation = { Add: 0, Remove: 1, AddPrivate: 2, RemovePrivate: 3 } as const;

/** `flags` of addrspace_modify_pages. Bit 1 was "sanitize" in an older build of the newer drop. */
export const ModifyPagesFlags = { Unlock: 1, NoSyncUnlock: 4, DoNotSanitize: 8, Defined: 0xf } as const;

/** Owners of entries of an info area: bits 31:16 of their type. */
export const InfoOwner = { Hypervisor: 1, RootVm: 2, Rm: 3, QcRm: 16, Dev: 0xffff } as const;

/** Kinds of partition_donate: `flags` bits 7:0. */
export const PartitionDonateType = { ToPartition: 0, AddHeap: 1, RemoveHeap: 2 } as const;

/** `flags` of addrspace_attach_vdevice for a GICR. */
export const VdeviceFlags = { LastValid: 1n, Last: 2n, Defined: 3n } as const;

/** `vcpu_options` of vcpu_configure (§4.9). */
export const VcpuOption = {
  Pinned: 1n << 0n,
  RasErrorHandler: 1n << 1n,
  AmuCountingDisabled: 1n << 2n,
  SveAllowed: 1n << 3n,
  DebugAllowed: 1n << 4n,
  TraceAllowed: 1n << 5n,
  Critical: 1n << 8n,
  VcpuRunScheduled: 1n << 9n,
  /** Of the newer drop: who runs it wakes it at its timers. */
  NoTimerWakeups: 1n << 10n,
  HlosVm: 1n << 63n,
} as const;

/** `flags` of vcpu_poweron and of vcpu_poweroff. */
export const PoweronFlags = { PreserveEntry: 1n, PreserveContext: 2n, Defined: 3n } as const;
export const PoweroffFlags = { LastVcpu: 1n, Defined: 1n } as const;

/** `virq_type` of vcpu_bind_virq. */
export const VcpuVirqType = { Halt: 0, VcpuRunWakeup: 1 } as const;

/** `register_set` of vcpu_register_write. */
export const RegisterSet = { X: 0, PC: 1, SpEl: 2 } as const;

/** `vcpu_state` of vcpu_run and vcpu_run_check (§5.4). */
export const VcpuRunState = {
  Ready: 0,
  ExpectsWakeup: 1,
  PoweredOff: 2,
  Blocked: 3,
  AddrspaceVmmioRead: 4,
  AddrspaceVmmioWrite: 5,
  Fault: 6,
  /** state_data_0 is the IPA, state_data_1 whether it was a write. */
  PageFault: 7,
  PsciSystemReset: 0x100,
} as const;

/**
 * `resume_data_1` of vcpu_run, `resume_data_0` after a page fault: the access is emulated, made
 * again, or an abort
 * (docs/spec/vm-manager.md §9).
 */
export const VcpuResume = { Emulate: 0n, Retry: 1n, Fault: 2n } as const;

/** `state_data_0` of Fault: the VM's watchdog was not pinged in time. */
export const WATCHDOG_BITE = 1n;

/** `state_data_1` of ExpectsWakeup: the reason for the sleep. */
export const WakeupFrom = { Unspecified: 0n, Wfi: 1n, PsciCpuSuspend: 2n, PsciSystemSuspend: 3n } as const;

/** CPU index that means no affinity: the thread runs only as the target of a directed yield. */
export const CPU_INVALID = 0xffff;

/** `hint` of scheduler_yield: `control` bits 15:0; bit 31 is implementation-defined. */
export const YieldHint = { Yield: 0, ToThread: 1, ToLowerPriority: 2 } as const;

/** `vic_options` of vic_configure. */
export const VicOption = { MaxMsisValid: 1n, DisableDefaultAddress: 2n, Defined: 3n } as const;

/** `create_info` of msgqueue_configure: queue depth 15:0, maximum message size in bytes 31:16. */
export function msgqueueCreateInfo(depth: number, maxMessageSize: number): bigint {
  return BigInt(maxMessageSize) << 16n | BigInt(depth);
}

/** `send_flags` of msgqueue_send. */
export const MsgqueueSendFlags = { Push: 1 } as const;

/** Threshold arguments of msgqueue_configure_send and _receive with a special meaning (u32). */
export const MsgqueueThreshold = { Unchanged: 0xffff_ffff, Maximum: 0xffff_fffe } as const;

/** flags of virtio_mmio_configure: `device_type` counts. */
export const VirtioMmioFlags = { DeviceTypeValid: 0x40n } as const;

/** `flags` of vpm_group_configure. */
export const VpmGroupFlags = { NoAggregation: 1n, Defined: 1n } as const;

/** `vpm_state` of vpm_group_get_state. */
export const VpmState = { Running: 1n, CpusSuspended: 2n, SystemSuspended: 3n } as const;

/** Capability id that no cspace ever issues. */
export const CAP_INVALID = 0xffff_ffff_ffff_ffffn;

/**
 * Results of hypervisor_identify (§1.4): API 1, 64 bits, variant 0x51; and the features of this
 * build.
 */
export const API_INFO = 0x5100_0000_0000_8001n;
export const API_FLAGS_0 = 0x0000_0000_1000_0effn;

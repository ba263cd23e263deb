// Gunyah's ioctls: structures, flags and requests of every generation of the driver
// (docs/spec/vm-manager.md §2 and §3). Which of them a generation answers is in `personas.ts`.

import { Direction, plain, pointer } from "./request.ts";
import { array, struct } from "./struct.ts";

/** `'G'`, the series of the mailing list. */
export const MAGIC = 0x47;
/** `'A'`, Android's additions. */
const ANDROID_MAGIC = 0x41;
/** The vendor driver of older phones. */
export const LEGACY_MAGIC = 0xb2;
/** el2's own addition to every generation that has functions. */
const EL2_MAGIC = 0xe2;

export const USER_MEM_REGION = struct("gh_userspace_memory_region", {
  label: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
});
/** Also the firmware's location and a range to reclaim. */
export const VM_RANGE = struct("gh_vm_dtb_config", { guest_phys_addr: "u64", size: "u64" });
export const FN_DESC = struct("gh_fn_desc", { type: "u32", arg_size: "u32", arg: "u64" });
export const FN_VCPU_ARG = struct("gh_fn_vcpu_arg", { id: "u32" });
export const FN_IRQFD_ARG = struct("gh_fn_irqfd_arg", { fd: "u32", label: "u32", flags: "u32", padding: "u32" });
export const FN_IOEVENTFD_ARG = struct("gh_fn_ioeventfd_arg", {
  datamatch: "u64",
  addr: "u64",
  len: "u32",
  fd: "s32",
  flags: "u32",
  padding: "u32",
});
export const CREATE_MEM_ARGS = struct("gunyah_create_mem_args", { flags: "u64", size: "u64", reserved: array("u64", 6) });
export const MAP_MEM_ARGS = struct("gunyah_map_mem_args", {
  guest_addr: "u64",
  flags: "u32",
  guest_mem_fd: "u32",
  offset: "u64",
  size: "u64",
});
/** Argument of CHECK_EXTENSION: whether the driver wakes vCPUs at their timers. */
export const WAKES_AT_TIMERS = 0n;
export const BOOT_CONTEXT = struct("gunyah_vm_boot_context", { reg: "u32", reserved: "u32", value: "u64" });
export const MAP_CMA_MEM_ARGS = struct("gunyah_map_cma_mem_args", {
  label: "u32",
  guest_addr: "u64",
  flags: "u32",
  guest_mem_fd: "u32",
  offset: "u64",
  size: "u64",
});
export const AUTH_DESC = struct("gunyah_auth_desc", { type: "u32", arg_size: "u32", arg: "u64" });

/** `flags` of a user memory region. `Lent` is of the generations before v10. */
export const RegionFlags = { Read: 1, Write: 2, Exec: 4, Lent: 8 } as const;
/** `flags` of EL2_VM_SET_ROM. */
export const RomFlags = { Present: 1 } as const;
/** `flags` of MAP_MEM in v17. */
export const MapFlagsV17 = { AccessMask: 7, Lend: 1, Share: 2, Read: 0x10, Write: 0x20, Exec: 0x40, Unmap: 0x100, Defined: 0x177 } as const;
/** `flags` of CREATE_GUEST_MEM. */
export const GuestMemFlags = { CloseOnExec: 1n, AllowHugepage: 2n, Defined: 3n } as const;
/** `type` of a function. */
export const FunctionType = { Vcpu: 1, Irqfd: 2, Ioeventfd: 3 } as const;
/** `arg_size` of a function is never more. Bytes. */
export const FN_MAX_ARG_SIZE = 256;
export const IrqfdFlags = { Level: 1 } as const;
export const IoeventfdFlags = { Datamatch: 1 } as const;
/** Lengths (bytes) that an ioeventfd may match; 0 is any. */
export const IOEVENTFD_LENGTHS: readonly number[] = [0, 1, 2, 4, 8];
/** `reg` of a boot context: set << 8 | index; how many indices a set has. */
export const BOOT_REGISTER_COUNTS: readonly number[] = [32, 1, 3];

/** The run page of a vCPU (§9); `RUN_PAGE` names what all exits share, the others one exit each. */
export const RUN_PAGE = struct("gh_vcpu_run", { immediate_exit: "u8", padding: array("u8", 7), exit_reason: "u32" });
export const RUN_MMIO = struct("gh_vcpu_run (mmio)", {
  head: array("u64", 2),
  phys_addr: "u64",
  data: array("u8", 8),
  len: "u32",
  is_write: "u8",
  resume_action: "u8",
});
export const RUN_STATUS = struct("gh_vcpu_run (status)", {
  head: array("u64", 2),
  status: "u32",
  exit_type: "u16",
  padding: "u16",
  reason_size: "u32",
  reason: array("u8", 8),
});
export const RUN_PAGE_FAULT = struct("gunyah_vcpu_run (page_fault)", {
  head: array("u64", 2),
  phys_addr: "u64",
  attempt: "s32",
  resume_action: "u8",
});
/** `exit_reason`. */
export const ExitReason = { Unknown: 0, Mmio: 1, Status: 2, PageFault: 3 } as const;
/** `status` of a STATUS exit. */
export const VmStatusCode = { LoadFailed: 1, Exited: 2, Crashed: 3 } as const;
/** `resume_action`. */
export const ResumeAction = { Handled: 0, Fault: 1, Retry: 2 } as const;

// Legacy vendor driver.
export const LEGACY_EXIT = struct("gh_vm_exit_reason", { name: array("u8", 16), reason: "u32" });
export const LEGACY_NAME = struct("gh_fw_name", { name: array("u8", 16) });
export const LEGACY_REGION = struct("gh_userspace_memory_region (legacy)", {
  index: "u8",
  fw_phys: "u64",
  fw_size: "u64",
  fd: "s32",
});
/** A message of a device to the VM's ITS, by the doorbell of this label. */
export const SIGNAL_MSI = struct("el2_vm_signal_msi", { label: "u32", device: "u32", event: "u32", padding: "u32" });
/** Memory of the caller that a VM reads and executes at an address among its devices. */
export const SET_ROM = struct("el2_vm_set_rom", {
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
  flags: "u32",
  padding: "u32",
});
const LEGACY_U64 = struct("u64", { value: "u64" });

/** The series, by the names of their last versions. */
export const GH = {
  CREATE_VM: plain("GH_CREATE_VM", "device", MAGIC, 0x00),
  SET_USER_MEM_REGION: pointer("GH_VM_SET_USER_MEM_REGION", "vm", MAGIC, 0x01, USER_MEM_REGION),
  SET_DTB_CONFIG: pointer("GH_VM_SET_DTB_CONFIG", "vm", MAGIC, 0x02, VM_RANGE),
  START: plain("GH_VM_START", "vm", MAGIC, 0x03),
  ADD_FUNCTION: pointer("GH_VM_ADD_FUNCTION", "vm", MAGIC, 0x04, FN_DESC),
  RUN: plain("GH_VCPU_RUN", "vcpu", MAGIC, 0x05),
  MMAP_SIZE: plain("GH_VCPU_MMAP_SIZE", "vcpu", MAGIC, 0x06),
  REMOVE_FUNCTION: pointer("GH_VM_REMOVE_FUNCTION", "vm", MAGIC, 0x07, FN_DESC),
  CREATE_GUEST_MEM: pointer("GUNYAH_CREATE_GUEST_MEM", "device", MAGIC, 0x08, CREATE_MEM_ARGS),
  MAP_MEM: pointer("GUNYAH_VM_MAP_MEM", "vm", MAGIC, 0x09, MAP_MEM_ARGS),
  SET_BOOT_CONTEXT: pointer("GUNYAH_VM_SET_BOOT_CONTEXT", "vm", MAGIC, 0x0a, BOOT_CONTEXT),
} as const;

/** Version 6 counted from 0x40. */
export const GH_V6 = {
  CREATE_VM: plain("GH_CREATE_VM (v6)", "device", MAGIC, 0x40),
  SET_USER_MEM_REGION: pointer("GH_VM_SET_USER_MEM_REGION (v6)", "vm", MAGIC, 0x41, USER_MEM_REGION),
  SET_DTB_CONFIG: pointer("GH_VM_SET_DTB_CONFIG (v6)", "vm", MAGIC, 0x42, VM_RANGE),
  START: plain("GH_VM_START (v6)", "vm", MAGIC, 0x45),
} as const;

/** Android's. */
export const GH_ANDROID = {
  TENTATIVE_UAPI: plain("GH_ANDROID_TENTATIVE_UAPI", "device", ANDROID_MAGIC, 0x10),
  LEND_USER_MEM: pointer("GH_VM_ANDROID_LEND_USER_MEM", "vm", ANDROID_MAGIC, 0x11, USER_MEM_REGION),
  SET_FW_CONFIG: pointer("GH_VM_ANDROID_SET_FW_CONFIG", "vm", ANDROID_MAGIC, 0x12, VM_RANGE),
  RECLAIM_REGION: pointer("GH_VM_ANDROID_RECLAIM_REGION", "vm", ANDROID_MAGIC, 0x13, VM_RANGE),
  CREATE_CMA_MEM_FD: plain("GUNYAH_ANDROID_CREATE_CMA_MEM_FD", "device", ANDROID_MAGIC, 0x14),
  MAP_CMA_MEM: pointer("GH_VM_ANDROID_MAP_CMA_MEM", "vm", ANDROID_MAGIC, 0x15, MAP_CMA_MEM_ARGS),
  SET_AUTH_TYPE: pointer("GH_VM_ANDROID_SET_AUTH_TYPE", "vm", ANDROID_MAGIC, 0x16, AUTH_DESC),
  CHECK_EXTENSION: plain("GH_VM_ANDROID_CHECK_EXTENSION", "vm", ANDROID_MAGIC, 0x17),
} as const;

/**
 * Real drivers have neither message-signaled interrupts nor memory that comes and goes; KVM's
 * counterparts are KVM_SIGNAL_MSI and slots with KVM_MEM_READONLY.
 */
export const GH_EL2 = {
  SIGNAL_MSI: pointer("EL2_VM_SIGNAL_MSI", "vm", EL2_MAGIC, 0x00, SIGNAL_MSI),
  SET_ROM: pointer("EL2_VM_SET_ROM", "vm", EL2_MAGIC, 0x01, SET_ROM),
} as const;

const legacy = (name: string, on: "device" | "vm" | "vcpu", number: number) => plain(name, on, LEGACY_MAGIC, number);

/** The vendor driver's structures with known layouts. */
export const GH_LEGACY = {
  CREATE_VM: legacy("GH_CREATE_VM (legacy)", "device", 0x01),
  WAIT_FOR_EXIT: pointer("GH_WAIT_FOR_EXIT", "device", LEGACY_MAGIC, 0x02, LEGACY_EXIT, Direction.ReadWrite),
  CREATE_VCPU: legacy("GH_CREATE_VCPU", "vm", 0x40),
  SET_FW_NAME: pointer("GH_VM_SET_FW_NAME", "vm", LEGACY_MAGIC, 0x41, LEGACY_NAME),
  GET_FW_NAME: pointer("GH_VM_GET_FW_NAME", "vm", LEGACY_MAGIC, 0x42, LEGACY_NAME, Direction.Read),
  GET_VCPU_COUNT: legacy("GH_VM_GET_VCPU_COUNT", "vm", 0x43),
  GET_MEM_COUNT: legacy("GH_VM_GET_MEM_COUNT", "vm", 0x44),
  GET_MEM_REGION: pointer("GH_VM_GET_MEM_REGION", "vm", LEGACY_MAGIC, 0x45, LEGACY_REGION, Direction.ReadWrite),
  GET_SHARED_MEMORY_SIZE: pointer("GH_GET_SHARED_MEMORY_SIZE", "vm", LEGACY_MAGIC, 0x61, LEGACY_U64, Direction.Read),
  RUN: legacy("GH_VCPU_RUN (legacy)", "vcpu", 0x80),
} as const;

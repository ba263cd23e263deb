// GenieZone's ioctls: structures and requests of /dev/gzvm (docs/spec/geniezone.md §3).

import { Direction, plain, pointer, type Request } from "./request.ts";
import { array, struct } from "./struct.ts";

export const GZVM_MAGIC = 0x92;

export const GZVM_U64 = struct("u64", { value: "u64" });
const GZVM_MEMORY_REGION = struct("gzvm_memory_region", {
  slot: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
});
export const GZVM_USER_MEMORY_REGION = struct("gzvm_userspace_memory_region", {
  slot: "u32",
  flags: "u32",
  guest_phys_addr: "u64",
  memory_size: "u64",
  userspace_addr: "u64",
});
export const GZVM_IRQ_LEVEL = struct("gzvm_irq_level", { irq: "u32", level: "u32" });
export const GZVM_IRQFD = struct("gzvm_irqfd", { fd: "u32", gsi: "u32", flags: "u32", resamplefd: "u32", pad: array("u8", 16) });
export const GZVM_IOEVENTFD = struct("gzvm_ioeventfd", {
  datamatch: "u64",
  addr: "u64",
  len: "u32",
  fd: "s32",
  flags: "u32",
  pad: array("u8", 36),
});
export const GZVM_ENABLE_CAP = struct("gzvm_enable_cap", { cap: "u64", args: array("u64", 5) });
export const GZVM_CREATE_DEVICE = struct("gzvm_create_device", {
  dev_type: "u32",
  id: "u32",
  flags: "u64",
  dev_addr: "u64",
  dev_reg_size: "u64",
  attr_addr: "u64",
  attr_size: "u64",
});
export const GZVM_ONE_REG = struct("gzvm_one_reg", { id: "u64", addr: "u64" });
export const GZVM_DTB_CONFIG = struct("gzvm_dtb_config", { dtb_addr: "u64", dtb_size: "u64" });

/** The run structure, as RUN copies it in and out (§4). */
export const GZVM_RUN = struct("gzvm_vcpu_run", {
  exit_reason: "u32",
  immediate_exit: "u8",
  padding: array("u8", 3),
  exit: array("u64", 32),
});
export const GZVM_RUN_MMIO = struct("gzvm_vcpu_run (mmio)", {
  head: "u64",
  phys_addr: "u64",
  data: array("u8", 8),
  size: "u64",
  reg_nr: "u32",
  is_write: "u8",
});
export const GZVM_RUN_EXCEPTION = struct("gzvm_vcpu_run (exception)", {
  head: "u64",
  exception: "u32",
  error_code: "u32",
  fault_gpa: "u64",
  reserved: array("u64", 30),
});
export const GZVM_RUN_SYSTEM_EVENT = struct("gzvm_vcpu_run (system_event)", {
  head: "u64",
  type: "u32",
  ndata: "u32",
  data: array("u64", 16),
});

export const GZVM = {
  CREATE_VM: plain("GZVM_CREATE_VM", "device", GZVM_MAGIC, 0x01),
  CHECK_EXTENSION: plain("GZVM_CHECK_EXTENSION", "device", GZVM_MAGIC, 0x03),
  SET_MEMORY_REGION: pointer("GZVM_SET_MEMORY_REGION", "vm", GZVM_MAGIC, 0x40, GZVM_MEMORY_REGION),
  CREATE_VCPU: plain("GZVM_CREATE_VCPU", "vm", GZVM_MAGIC, 0x41),
  SET_USER_MEMORY_REGION: pointer("GZVM_SET_USER_MEMORY_REGION", "vm", GZVM_MAGIC, 0x46, GZVM_USER_MEMORY_REGION),
  CREATE_IRQCHIP: plain("GZVM_CREATE_IRQCHIP", "vm", GZVM_MAGIC, 0x60),
  IRQ_LINE: pointer("GZVM_IRQ_LINE", "vm", GZVM_MAGIC, 0x61, GZVM_IRQ_LEVEL),
  IRQFD: pointer("GZVM_IRQFD", "vm", GZVM_MAGIC, 0x76, GZVM_IRQFD),
  IOEVENTFD: pointer("GZVM_IOEVENTFD", "vm", GZVM_MAGIC, 0x79, GZVM_IOEVENTFD),
  RUN: plain("GZVM_RUN", "vcpu", GZVM_MAGIC, 0x80),
  ENABLE_CAP: pointer("GZVM_ENABLE_CAP", "vm", GZVM_MAGIC, 0xa3, GZVM_ENABLE_CAP),
  GET_ONE_REG: pointer("GZVM_GET_ONE_REG", "vcpu", GZVM_MAGIC, 0xab, GZVM_ONE_REG),
  SET_ONE_REG: pointer("GZVM_SET_ONE_REG", "vcpu", GZVM_MAGIC, 0xac, GZVM_ONE_REG),
  CREATE_DEVICE: pointer("GZVM_CREATE_DEVICE", "vm", GZVM_MAGIC, 0xe0, GZVM_CREATE_DEVICE, Direction.ReadWrite),
  SET_DTB_CONFIG: pointer("GZVM_SET_DTB_CONFIG", "vm", GZVM_MAGIC, 0xff, GZVM_DTB_CONFIG),
} as const;

export const GZVM_REQUESTS: readonly Request[] = Object.values(GZVM);

/** Capabilities (§3.2). */
export const GzvmCap = {
  VmGpaSize: 0xa5n,
  ProtectedVm: 0xffba_dab1n,
  BlockBasedDemandPaging: 0x9201n,
  EnableDemandPaging: 0x9202n,
  EnableIdle: 0x9203n,
  QueryHypBatchPages: 0x9204n,
  QueryHypDestroyBatchPages: 0x9205n,
} as const;

/** Exit reasons are `GZVM_EXIT_BASE` + these. */
export const GZVM_EXIT_BASE = 0x9292_0000;
export const GzvmExit = {
  Unknown: 0,
  Mmio: 1,
  Hypercall: 2,
  Irq: 3,
  Exception: 4,
  Debug: 5,
  FailEntry: 6,
  InternalError: 7,
  SystemEvent: 8,
  Shutdown: 9,
  Gz: 0xa,
  Idle: 0xb,
  Ipi: 0xd,
} as const;
/** `type` of a SYSTEM_EVENT. */
export const GzvmSystemEvent = { Shutdown: 1, Reset: 2, Crash: 3, Wakeup: 4, Suspend: 5, SevTerm: 6, S2Idle: 7 } as const;

/** Limits of the driver. */
export const GZVM_MAX_VCPUS = 8;
export const GZVM_MAX_SLOTS = 10;
export const GzvmIrqfdFlags = { Deassign: 1, Resample: 2, Defined: 3 } as const;
export const GzvmIoeventfdFlags = { Datamatch: 1, Pio: 2, Deassign: 4, Defined: 7 } as const;

// GenieZone's hypercalls between its driver and EL2 (docs/spec/geniezone.md §2): function
// ids, arguments and results in register order, errors, capabilities, registers and devices.

/**
 * Kinds of arguments: the id of a VM, which may be 0 for `vm?`; the tuple of a VM and a vCPU; a
 * number of 32 bits; a whole register.
 */
export type GzvmArgumentKind = "vm" | "vm?" | "tuple" | "u32" | "u64";

/** A call: its number from `FIRST_FUNCTION` on, arguments in X1.., results in X1... */
interface GzvmSignature {
  readonly number: number;
  readonly arguments: Readonly<Record<string, GzvmArgumentKind>>;
  readonly results: readonly string[];
}

export const GZVM_CALLS = {
  CREATE_VM: { number: 0, arguments: { vm_type: "u64" }, results: ["vm_id"] },
  DESTROY_VM: { number: 1, arguments: { vm: "vm" }, results: [] },
  CREATE_VCPU: { number: 2, arguments: { vcpu: "tuple", pages: "u64" }, results: [] },
  DESTROY_VCPU: { number: 3, arguments: { vcpu: "tuple" }, results: [] },
  SET_MEMREGION: { number: 4, arguments: { vm: "vm", buffer_size: "u64", region: "u64" }, results: [] },
  RUN: { number: 5, arguments: { vcpu: "tuple" }, results: ["exit_reason"] },
  GET_REGS: { number: 6, arguments: {}, results: [] },
  SET_REGS: { number: 7, arguments: {}, results: [] },
  GET_ONE_REG: { number: 8, arguments: { vcpu: "tuple", register: "u64" }, results: ["value"] },
  SET_ONE_REG: { number: 9, arguments: { vcpu: "tuple", register: "u64", value: "u64" }, results: [] },
  IRQ_LINE: { number: 10, arguments: { vcpu: "tuple", irq: "u32", level: "u32" }, results: [] },
  CREATE_DEVICE: { number: 11, arguments: { vm: "vm", device: "u64" }, results: [] },
  PROBE: { number: 12, arguments: { major: "u64", minor: "u64" }, results: ["major", "minor"] },
  ENABLE_CAP: {
    number: 13,
    arguments: { vm: "vm?", cap: "u64", arg0: "u64", arg1: "u64", arg2: "u64", arg3: "u64", arg4: "u64" },
    results: ["value"],
  },
  INFORM_EXIT: { number: 14, arguments: { vm: "vm" }, results: [] },
  MEMREGION_PURPOSE: { number: 15, arguments: { vm: "vm", address: "u64", size: "u64", purpose: "u64" }, results: [] },
  SET_DTB_CONFIG: { number: 16, arguments: { vm: "vm", address: "u64", size: "u64" }, results: [] },
  MAP_GUEST: { number: 17, arguments: { vm: "vm", slot: "u32", host_frame: "u64", guest_frame: "u64", pages: "u64" }, results: [] },
  MAP_GUEST_BLOCK: { number: 18, arguments: { vm: "vm", slot: "u32", guest_frame: "u64", pages: "u64" }, results: [] },
  GET_STATISTICS: { number: 19, arguments: { vm: "vm" }, results: ["protected_hyp_mem", "protected_shared_mem"] },
} as const satisfies Record<string, GzvmSignature>;
export type GzvmCallName = keyof typeof GZVM_CALLS;

const NAMES = new Map(Object.entries(GZVM_CALLS).map(([name, { number }]) => [number as number, name as GzvmCallName]));

/** Owning entity 59 and the first function number, as SMC32 and SMC64 fast calls. */
const FAST_32 = 0xbb00_1000, FAST_64 = 0xfb00_1000;
/** The owning entity of all calls. */
export const GZVM_OWNER = 59;

/** The function id of a call; the driver uses the 64-bit form. */
export function functionId(name: GzvmCallName, wide = true): number {
  return (wide ? FAST_64 : FAST_32) + GZVM_CALLS[name].number;
}

/** The call of a function id of either form; undefined for any other. */
export function callOf(id: number): GzvmCallName | undefined {
  return NAMES.get(id - FAST_64) ?? NAMES.get(id - FAST_32);
}

/** VM and vCPU in one argument. */
export function packTuple(vm: number, vcpu: number): number {
  return (vm << 16 | vcpu) >>> 0;
}

export function unpackTuple(tuple: number): { vm: number; vcpu: number } {
  return { vm: tuple >>> 16, vcpu: tuple & 0xffff };
}

/** Errors of EL2. */
export const GzvmError = { None: 0, NoMemory: -5, InvalidArguments: -8, NotSupported: -24, NotImplemented: -27, Fault: -40 } as const;
export type GzvmError = typeof GzvmError[keyof typeof GzvmError];

export const GZVM_ERROR_NAMES = new Map<number, string>(
  Object.entries(GzvmError).map(([name, error]) => [error, name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase()]),
);

/** Purposes of a range of guest memory. */
export const SlotPurpose = { Guest: 1, Firmware: 2, StaticSwiotlb: 4, Defined: 7 } as const;
/** Types of devices. */
export const GzvmDevice = { Distributor: 0, Redistributor: 1 } as const;
/** Sub-commands of the capability PROTECTED_VM. */
export const GzvmProtection = { SetFirmwareAddress: 0n, GetFirmwareSize: 1n, SetProtected: 2n } as const;
/** Version that EL2 answers to PROBE. */
export const GZVM_VERSION = [16n, 0n] as const;
/** Shared interrupts that a VM has. */
export const GZVM_SPIS = 32;

/** Ids of registers, as KVM's. */
export const GzvmRegister = { Arm64: 0x60n, Core: 0x0010n, Size64: 3n } as const;

/**
 * The index of a core register in units of 4 bytes; undefined for an id of another class or
 * architecture.
 */
export function coreRegister(id: bigint): number | undefined {
  if (id >> 56n !== GzvmRegister.Arm64 || (id >> 16n & 0xffffn) !== GzvmRegister.Core) return undefined;
  return Number(id & 0xffffn);
}

/**
 * Core registers as kvm_regs has them, in units of 4 bytes: X0..X30 from 0, then SP, PC, PSTATE,
 * SP_EL1.
 */
export const CoreRegister = { Sp: 62, Pc: 64, Pstate: 66, SpEl1: 68 } as const;

/** Calls of guests that the driver answers. */
export const GzvmGuestCall = { MemRelinquish: 0xc600_0009, Ptp: 0x8600_0001 } as const;
/** `exception` of an EXCEPTION exit. */
export const GzvmException = { Unknown: 0, PageFault: 1 } as const;

// GenieZone's hypercalls between its driver and EL2 (docs/spec/geniezone.md §2): numbers, argument
// packing and errors. el2's hypervisor is Gunyah's, so that these calls end in `el2.ts`, which does
// with Gunyah what GenieZone's EL2 would.

import { Errno } from "../../abi/ioctl/errno.ts";

/** Function numbers, from `FIRST_FUNCTION` on. */
export const GzvmCall = {
  CREATE_VM: 0,
  DESTROY_VM: 1,
  CREATE_VCPU: 2,
  DESTROY_VCPU: 3,
  SET_MEMREGION: 4,
  RUN: 5,
  GET_REGS: 6,
  SET_REGS: 7,
  GET_ONE_REG: 8,
  SET_ONE_REG: 9,
  IRQ_LINE: 10,
  CREATE_DEVICE: 11,
  PROBE: 12,
  ENABLE_CAP: 13,
  INFORM_EXIT: 14,
  MEMREGION_PURPOSE: 15,
  SET_DTB_CONFIG: 16,
  MAP_GUEST: 17,
  MAP_GUEST_BLOCK: 18,
  GET_STATISTICS: 19,
} as const;
/** Name of a call. */
export type GzvmCallName = keyof typeof GzvmCall;

const NAMES = new Map<number, GzvmCallName>(Object.entries(GzvmCall).map(([name, number]) => [number, name as GzvmCallName]));

/** Owning entity 59 and the first function number, as SMC32 and SMC64 fast calls. */
const FAST_32 = 0xbb00_1000, FAST_64 = 0xfb00_1000;

/** The function id of a call; the driver uses the 64-bit form. */
export function functionId(name: GzvmCallName, wide = true): number {
  return (wide ? FAST_64 : FAST_32) + GzvmCall[name];
}

/** The call of a function id of either form; undefined for any other. */
export function callOf(id: number): GzvmCallName | undefined {
  return NAMES.get(id - FAST_64) ?? NAMES.get(id - FAST_32);
}

/** VM and vCPU in one argument. */
export function packTuple(vm: number, vcpu: number): number {
  return (vm << 16 | vcpu) >>> 0;
}

/** And apart again. */
export function unpackTuple(tuple: number): { vm: number; vcpu: number } {
  return { vm: tuple >>> 16, vcpu: tuple & 0xffff };
}

/**
 * Arguments of the calls that EL2 serves, in register order. The VM is passed separately; where the
 * driver repeats it, it is `vm` or part of the `tuple`.
 */
export const GZVM_ARGUMENTS = {
  PROBE: [],
  CREATE_VM: [],
  DESTROY_VM: ["vm"],
  CREATE_VCPU: ["tuple"],
  DESTROY_VCPU: ["tuple"],
  SET_MEMREGION: ["address", "size", "ranges"],
  RUN: ["tuple"],
  SET_ONE_REG: ["register", "value"],
  IRQ_LINE: ["irq", "level"],
  CREATE_DEVICE: ["type", "address"],
  ENABLE_CAP: ["cap"],
  INFORM_EXIT: ["vm"],
  MEMREGION_PURPOSE: ["address", "size", "purpose"],
  SET_DTB_CONFIG: ["vm", "address", "size"],
  GET_STATISTICS: [],
} as const satisfies Partial<Record<GzvmCallName, readonly string[]>>;

/** A call that EL2 serves. */
export type ServedCall = keyof typeof GZVM_ARGUMENTS;
/** The arguments of a call by name: numbers, or bigints where user space gave 64 bits. */
export type GzvmArguments<N extends ServedCall> = Readonly<Record<typeof GZVM_ARGUMENTS[N][number], number | bigint>>;

/** The arguments of a call in register order. */
export function gzvmRegisters<N extends ServedCall>(name: N, args: GzvmArguments<N>): (number | bigint)[] {
  const names: readonly string[] = GZVM_ARGUMENTS[name];
  return names.map((argument) => (args as Readonly<Record<string, number | bigint>>)[argument]);
}

/** Errors of EL2. */
export const GzvmError = { None: 0, NoMemory: -5, InvalidArguments: -8, NotSupported: -24, NotImplemented: -27, Fault: -40 } as const;

const ERRNOS: Readonly<Record<number, number>> = {
  [GzvmError.NoMemory]: Errno.ENOMEM,
  [GzvmError.InvalidArguments]: Errno.EINVAL,
  [GzvmError.NotSupported]: Errno.EOPNOTSUPP,
  [GzvmError.NotImplemented]: Errno.EOPNOTSUPP,
  [GzvmError.Fault]: Errno.EFAULT,
};

/** The errno (positive) of an error of EL2, 0 for none; one that is not listed is EINVAL. */
export function gzvmErrno(error: number): number {
  return error === GzvmError.None ? 0 : ERRNOS[error] ?? Errno.EINVAL;
}

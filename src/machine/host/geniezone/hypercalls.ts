// The native host's GenieZone calls between its driver and EL2 (docs/spec/geniezone.md §2):
// arguments and errnos. They end in `el2.ts`, which does with Gunyah's calls what GenieZone's EL2
// would. The calls of a primary VM that executes instructions are in
// src/machine/hypervisor/geniezone/.

import { type GzvmCallName, GzvmError } from "../../abi/geniezone/calls.ts";
import { Errno } from "../../abi/ioctl/errno.ts";

/**
 * Arguments of the calls that EL2 serves, in register order. The VM is passed separately; where the
 * driver repeats it, it is `vm` or part of the `tuple`.
 */
const GZVM_ARGUMENTS = {
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

// Translates errors of the Resource Manager and of hypercalls for user space
// (docs/spec/vm-manager.md §12).

import { ErrorCode } from "../../abi/errors.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import type { Persona } from "../../abi/ioctl/personas.ts";
import { Errno } from "../../abi/ioctl/errno.ts";

const OF_RM: Readonly<Record<number, number>> = {
  [RmError.UNIMPLEMENTED]: Errno.EOPNOTSUPP,
  [RmError.NOMEM]: Errno.ENOMEM,
  [RmError.NORESOURCE]: Errno.ENODEV,
  [RmError.DENIED]: Errno.EPERM,
  [RmError.BUSY]: Errno.EBUSY,
};

/**
 * The errno (positive) of a reply's error. Errors from 4 to 0x11 that are not listed mean a bad
 * argument; other unknown errors, a bad message.
 */
export function rmErrno(error: number, persona: Persona): number {
  if (persona.anyRmErrorIsInvalid) return Errno.EINVAL;
  return OF_RM[error] ?? (error >= RmError.MSG_INVALID && error <= RmError.IRQ_RELEASED ? Errno.EINVAL : Errno.EBADMSG);
}

const OF_HYPERVISOR: Readonly<Record<number, number>> = {
  [ErrorCode.UNIMPLEMENTED]: Errno.EOPNOTSUPP,
  [ErrorCode.RETRY]: Errno.EAGAIN,
  [ErrorCode.NOMEM]: Errno.ENOMEM,
  [ErrorCode.DENIED]: Errno.EACCES,
  [ErrorCode.CSPACE_CAP_NULL]: Errno.EACCES,
  [ErrorCode.CSPACE_CAP_REVOKED]: Errno.EACCES,
  [ErrorCode.CSPACE_WRONG_OBJECT_TYPE]: Errno.EACCES,
  [ErrorCode.CSPACE_INSUFFICIENT_RIGHTS]: Errno.EACCES,
  [ErrorCode.BUSY]: Errno.EBUSY,
  [ErrorCode.IDLE]: Errno.EBUSY,
  [ErrorCode.CSPACE_FULL]: Errno.EBUSY,
  [ErrorCode.VIRQ_BOUND]: Errno.EIO,
  [ErrorCode.VIRQ_NOT_BOUND]: Errno.EIO,
  [ErrorCode.MSGQUEUE_EMPTY]: Errno.EIO,
  [ErrorCode.MSGQUEUE_FULL]: Errno.EIO,
};

/** The errno (positive) of a hypercall's error. */
export function hypercallErrno(error: number): number {
  return OF_HYPERVISOR[error] ?? Errno.EINVAL;
}

// Error numbers of Linux on arm64, those that the drivers return (asm-generic/errno-base.h and
// errno.h).

/** Positive numbers; an ioctl that fails returns the negative one. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOTTY: 25,
  EFBIG: 27,
  ESPIPE: 29,
  EBADMSG: 74,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
} as const;

export type ErrnoName = keyof typeof Errno;

const NAMES = new Map<number, string>(Object.entries(Errno).map(([name, number]) => [number, name]));

/** The name of an error number of either sign; the number itself where it has none. */
export function errnoName(number: number): string {
  return NAMES.get(Math.abs(number)) ?? `errno ${Math.abs(number)}`;
}

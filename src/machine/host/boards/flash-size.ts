// Sizes of banks of flash, and of what an image puts into one.

import { formatSize } from "../../../kit/support/text/units.ts";
import { MiB, PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { FLASH_SECTOR } from "../../devices/cfi-flash.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** Content of erased flash. */
export const ERASED = 0xff;
/** Minimum size of a bank, bytes. */
export const BANK_MIN = 2 * MiB;

/**
 * Bytes up to the last one that says something: images are padded to the size of QEMU's flash with
 * zeros or what erased flash has.
 */
export function contentSize(bytes: Uint8Array): number {
  const pad = bytes.at(-1);
  if (pad !== 0 && pad !== ERASED) return bytes.length;
  let size = bytes.length;
  while (size > 0 && bytes[size - 1] === pad) size--;
  return Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
}

/**
 * Bytes of a bank for `used` bytes: a power of two of sectors.
 * @throws Error that names what is above `max`
 */
export function bankSize(what: string, used: number, max: number): number {
  const size = Math.max(BANK_MIN, FLASH_SECTOR * 2 ** Math.ceil(Math.log2(used / FLASH_SECTOR)));
  if (size > max) throw new UserError(`${what} has ${formatSize(used)}`, `a bank of flash has ${formatSize(max)} at most`);
  return size;
}

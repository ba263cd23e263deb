// Size of the firmware's flash, and where its arrays are in RAM.

import { BANK_MIN, bankSize, contentSize } from "../../../machine/host/boards/flash-size.ts";
import { QEMU_FLASH_MAX, type VmFlash } from "../../../machine/host/interface.ts";
import { FLASH_MAX, MINIMUM_PLATFORM_MEMORY, RAM_BASE } from "../../../machine/hardware/memory-map.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import type { FirmwarePlan } from "../../../model/plans/plan.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** The firmware's flash, in bytes. */
export interface FirmwareLayout {
  /** RAM that is left for the VM. */
  readonly memory: number;
  /** Size and physical address of each bank's array. */
  readonly banks: readonly { readonly size: number; readonly storage: number }[];
}

/**
 * Lays out the flash after the VM's RAM.
 * @param memory bytes of both together
 * @throws Error that names the part that does not fit
 */
export function layoutFirmware({ code, vars }: FirmwarePlan, memory: number): FirmwareLayout {
  const used = contentSize(code);
  if (used === 0) throw new Error("the firmware is empty");
  const sizes = [bankSize("the firmware", used, FLASH_MAX), bankSize("the variables", vars?.content.length ?? 0, FLASH_MAX)];
  const left = memory - sizes.reduce((sum, size) => sum + size);
  if (left < MINIMUM_PLATFORM_MEMORY) {
    throw new UserError(`the flash leaves only ${formatSize(Math.max(0, left))} of RAM`, "use a larger --memory");
  }
  let storage = RAM_BASE + left;
  return { memory: left, banks: sizes.map((size) => ({ size, storage: (storage += size) - size })) };
}

/**
 * Checks the flash of a VM that a file brings.
 * @throws UserError unless its banks have sizes of `bankSize`, and hold what is in them
 */
export function checkFlash({ code, size, vars }: VmFlash): void {
  const banks = [["bios", size, code.length], ...vars ? [["variables", vars.content.length, 0] as const] : []] as const;
  for (const [what, bank, used] of banks) {
    if (used > bank || bankSize(`the ${what}`, bank, QEMU_FLASH_MAX) !== bank) {
      throw new UserError(`the flash of ${what} has ${formatSize(bank)}`, `its size is a power of two, ${formatSize(BANK_MIN)} or more`);
    }
  }
}

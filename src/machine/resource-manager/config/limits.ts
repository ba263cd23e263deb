// Limits of a VM's configuration that files of el2's users have as well.

/** Below it are a VM's devices. */
export const FIRST_RAM_ADDRESS = 0x4000_0000;
/** Priority of a VM's owner, which the VM stays below, and what a timeslice may be, ns. */
export const OWNER_PRIORITY = 32;
export const TIMESLICE_MIN = 100_000;
export const TIMESLICE_MAX = 100_000_000;

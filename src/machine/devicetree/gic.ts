// Interrupts in the nodes of a devicetree below a GICv3 (binding arm,gic-v3): three cells: a class,
// a number in it, and a trigger.

/** Classes: shared interrupts, and those of each CPU. */
export const SPI = 0, PPI = 1;
/** Triggers. */
export const EDGE_RISING = 1, LEVEL_HIGH = 4, LEVEL_LOW = 8;
/** INTID of SPI 0. */
export const FIRST_SPI = 32;
/**
 * PPIs (INTID - 16) of the secure and the non-secure physical, the virtual and the hypervisor
 * timer.
 */
export const TIMER_PPIS = [13, 14, 11, 10];
/** PPI (INTID - 16) of the maintenance interrupt of the GIC's virtual interface. */
export const MAINTENANCE_PPI = 9;

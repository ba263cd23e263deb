// Numbers that are easily mistaken for each other, as types of their own. They are plain values at
// run time.

/** A capability id in some cspace. */
export type CapId = bigint;
/** The id of a VM, as the resource manager and the hypervisor know it. */
export type Vmid = number;
/** An intermediate physical address: a byte in the address space of a VM. */
export type Ipa = number;
/** A physical address. */
export type Pa = number;

// Affinities of vCPUs and how they follow from their places in a VIC.

/** How MPIDR affinities follow from VIC indices: Aff<n> = (index >> shift[n]) & mask[n]. */
export interface MpidrMapping {
  readonly mask: readonly [number, number, number, number];
  readonly shift: readonly [number, number, number, number];
  /** The MT bit of MPIDR_EL1. */
  readonly mt: boolean;
}

/** The platform's own mapping: Aff0 is the index, 8 vCPUs at most. */
export const DEFAULT_MPIDR_MAPPING: MpidrMapping = { mask: [7, 0, 0, 0], shift: [0, 0, 0, 0], mt: false };

/** Aff3.Aff2.Aff1.Aff0, 8 bits each, as one unsigned 32-bit number. */
export type Affinity = number;

/** Affinity in MPIDR_EL1 layout (Aff3 in bits 39:32) as an `Affinity`; other bits are dropped. */
export function affinityOfMpidr(mpidr: bigint): Affinity {
  return Number((mpidr >> 32n & 0xffn) << 24n | mpidr & 0xff_ffffn);
}

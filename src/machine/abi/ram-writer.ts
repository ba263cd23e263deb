// The writers of RAM other than instructions of vCPUs, by name, for questions about the past.

export type RamWriter =
  /** The hypervisor itself: it zeroes pages, and keeps its own pages of RAM. */
  | { readonly code: "hypervisor" }
  /** The interrupt controller: tables in memory. */
  | { readonly code: "gic" }
  /** A device by DMA: `dev:host/blk0`. */
  | { readonly code: "device"; readonly device: string }
  /** The hypervisor, with the result of this vCPU's hypercall. */
  | { readonly code: "call"; readonly vcpu: string }
  /** el2's own code, without instructions: the host's kernel and VMMs, the Resource Manager. */
  | { readonly code: "program"; readonly vcpu: string }
  /** A user: `el2 mem write`. */
  | { readonly code: "user" };

export const HYPERVISOR_WRITES: RamWriter = { code: "hypervisor" };
export const GIC_WRITES: RamWriter = { code: "gic" };
export const USER_WRITES: RamWriter = { code: "user" };

// VMs that the vendor driver loads by name: on a phone a signed image among the firmware files, and
// a node of the devicetree with its memory.

/** Bytes of a name with the NUL that ends it. */
export const SIGNED_NAME_SIZE = 16;

/** One such VM. Plain data; offsets and sizes in bytes from the start of its memory. */
export interface SignedVm {
  readonly name: string;
  /** Number of its image for the firmware that authenticates it. */
  readonly peripheral: number;
  /** Bytes of memory, whole pages. */
  readonly memory: number;
  readonly contents: readonly { readonly offset: number; readonly bytes: Uint8Array }[];
  /** The first instruction. */
  readonly entry: number;
  readonly devicetree: { readonly offset: number; readonly size: number };
}

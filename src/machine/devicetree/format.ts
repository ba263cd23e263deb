// Constants of the flattened devicetree (Devicetree Specification 0.4, section 5), shared by reader
// and writer.

/** First word of every flattened tree. */
export const FDT_MAGIC = 0xd00d_feed;
/** The version that is written, and the oldest version that it is compatible with. */
export const FDT_VERSION = 17;
export const FDT_LAST_COMPATIBLE_VERSION = 16;

/** Header fields: byte offsets of big-endian 32-bit words. */
export const FdtHeader = {
  magic: 0x00,
  totalsize: 0x04,
  off_dt_struct: 0x08,
  off_dt_strings: 0x0c,
  off_mem_rsvmap: 0x10,
  version: 0x14,
  last_comp_version: 0x18,
  boot_cpuid_phys: 0x1c,
  size_dt_strings: 0x20,
  size_dt_struct: 0x24,
} as const;

/** Size of the header in bytes. */
export const FDT_HEADER_SIZE = 0x28;
/** Size of an entry of the memory reservation block in bytes. */
export const FDT_RESERVATION_SIZE = 16;

/** Tokens of the structure block. */
export const FdtToken = { BEGIN_NODE: 1, END_NODE: 2, PROP: 3, NOP: 4, END: 9 } as const;

/** Rounds up to a multiple of 4, the alignment of tokens. */
export function alignToken(offset: number): number {
  return (offset + 3) & ~3;
}

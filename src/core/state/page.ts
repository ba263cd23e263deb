// The size of pages (4 KiB): of the granule of translations, of what a TLB entry stands for, and of
// a page of decoded instructions.

/** Bits of an address inside a page. */
export const PAGE_SHIFT = 12;
/** Bytes of a page. */
export const PAGE_SIZE = 1 << PAGE_SHIFT;

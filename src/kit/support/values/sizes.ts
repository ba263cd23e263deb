// Sizes in bytes that the whole program shares.

/** One kibibyte, mebibyte and gibibyte in bytes. */
export const KiB = 2 ** 10;
export const MiB = 2 ** 20;
export const GiB = 2 ** 30;

/** Bits of an address inside a page. */
export const PAGE_SHIFT = 12;
/**
 * Bytes of a page: the granule of both stages of translation, of ownership, and of what hypercalls
 * and RM messages take.
 */
export const PAGE_SIZE = 1 << PAGE_SHIFT;

/** Bytes of a page of Wasm memory. */
export const WASM_PAGE_SIZE = 64 * KiB;

// Huge pages for the memory of machines: one page fault for 2 MiB instead of 512, of 7 us each in a
// virtual machine, and fewer misses in the computer's TLB. QEMU asks Linux for the same. V8 does
// not, so that this calls the C library.

import { MiB, PAGE_SIZE } from "../values/sizes.ts";

/** madvise(2) and its advice (include/uapi/asm-generic/mman-common.h). */
const SYMBOLS = { madvise: { parameters: ["buffer", "usize", "i32"], result: "i32" } } as const;
const MADV_HUGEPAGE = 14;
/** The GNU C library, which this process has loaded: Deno needs it on Linux. */
const LIBRARY = "libc.so.6";

let advise: ((bytes: Uint8Array<ArrayBuffer>) => void) | undefined;

/**
 * From now on this thread can prefer huge pages, also after it has given up its rights. Does
 * nothing without the right to load libraries, or on another system than Linux.
 */
export function allowHugePages(): void {
  if (advise || Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
  const library = Deno.dlopen(LIBRARY, SYMBOLS);
  advise = (bytes) => void library.symbols.madvise(bytes, BigInt(bytes.length), MADV_HUGEPAGE);
}

/** Whether this thread asks for huge pages. */
export const prefersHugePages = (): boolean => advise !== undefined;

/**
 * The memory gets huge pages from an address on, where it is touched first; only in a thread that
 * allows them. A hint: a system that has none gives the usual pages.
 * @param from the address of a page
 */
export function preferHugePages({ buffer }: WebAssembly.Memory, from: number): void {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError("memory that threads share");
  advise?.(new Uint8Array(buffer, from));
}

/** Bytes for which asking for huge pages costs less than the page faults that it saves. */
const LARGE = 8 * MiB;
/** Bytes of the C library's own before memory that it maps for one allocation. */
const ALLOCATION_HEAD = 16;

/**
 * Zeroed bytes that a large file is about to fill, in huge pages where this thread allows them. The
 * C library asks for them too, if its settings say so (kit/support/computer/garbage.ts), but
 * version 2.36 compares Linux's answer with a byte more than it read, and gives up in most
 * processes: 30 MB then take 0.1 s longer to read. Where the bytes do not begin as they do in its
 * mappings, the advice is refused, and the pages are the usual ones.
 */
export function bytesForFile(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  if (size >= LARGE) advise?.(bytes.subarray(PAGE_SIZE - ALLOCATION_HEAD));
  return bytes;
}

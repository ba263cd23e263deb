// Huge pages for the memory of machines: one page fault for 2 MiB instead of 512, of 7 us each in a
// virtual machine, and fewer misses in the computer's TLB. QEMU asks Linux for the same. V8 does
// not, so that this calls the C library.

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
  if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return;
  const library = Deno.dlopen(LIBRARY, SYMBOLS);
  advise = (bytes) => void library.symbols.madvise(bytes, BigInt(bytes.length), MADV_HUGEPAGE);
}

/**
 * The memory gets huge pages from an address on, where it is touched first; only in a thread that
 * allows them. A hint: a system that has none gives the usual pages.
 * @param from the address of a page
 */
export function preferHugePages({ buffer }: WebAssembly.Memory, from: number): void {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError("memory that threads share");
  advise?.(new Uint8Array(buffer, from));
}

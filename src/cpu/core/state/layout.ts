// The layout of the core's part of the Wasm memory: the region below guest RAM that
// machine/hardware/memory-map.ts leaves to the core.
//
//   0x0000_0040  CPU state (cpu-state.ts)
//   0x0000_2000  tables of CRC32 and CRC32C
//   0x0000_6000  S-boxes of AES and SM4
//   0x0000_8000  copies of groups of accesses in two pages
//   0x0001_0000  contexts of vCPUs
//   0x0020_0000  owners of decoded pages; the count of marked instructions
//   0x0021_0000  candidates of the decoder (decoded/candidates.ts)
//   0x0028_0000  for each handler of the interpreter, the handler of its first instruction;
//                regions of each decoded page, and those that wait for a change of it
//   0x002b_0000  operands that TypeScript has computed (decoded/operand-fills.ts)
//   0x0030_0000  counts of stores into decoded pages; pairs of handlers (decoded/fused-handlers.ts)
//   0x0034_0000  counters of landings (decoded/landings.ts)
//   0x0035_0000  a bit for each 4 KiB of the Wasm memory: stores to its descriptors are watched
//                (memory/table-stores.ts)
//   0x0038_0000  a bit for each 4 KiB of the Wasm memory: it may be write-mapped (memory/tlb.ts)
//   0x003a_0000  a bit for each 4 KiB of the Wasm memory: it may have been written (page-bits.ts)
//   0x003c_0000  for each key of the decoder, its candidates
//   0x0040_0000  code page table: for each 4 KiB of the Wasm memory the address of its decoded page
//   0x0080_0000  TLB spaces (memory/tlb.ts)
//   0x0200_0000  stage-2 tables (memory/stage2.ts)
//   0x0400_0000  decoded pages (decoded/decoded-pages.ts)
//   0x0c00_0000  for each 4 KiB of the Wasm memory, its lines that may have been written as a whole
//   0x0c80_0000  for each 64 bytes of the Wasm memory, its words that may have been written

import { CONTEXT_SIZE, EL2_CONTEXT_SIZE, NEAREST } from "./cpu-state.ts";
import { EMPTY_SET_SIZE, type TlbPoolLayout, TlbSpace } from "./tlb-layout.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

/** Size of the whole region in bytes. */
export const CORE_SIZE = 0x1080_0000;

/** Eight tables of 256 i32 for CRC32, then eight for CRC32C (interpreter/integer-functions.ts). */
export const CRC_TABLES = 0x2000;
/** Bytes of both. */
export const CRC_TABLES_SIZE = 2 * 8 * 256 * 4;

/** The S-box of AES and its inverse, 256 bytes each (simd/crypto.ts). */
export const AES_TABLES = CRC_TABLES + CRC_TABLES_SIZE;
/** The S-box of SM4, 256 bytes. */
export const SM4_TABLE = AES_TABLES + 2 * 256;

/**
 * Copies of groups of accesses that are in two pages, 256 bytes for each `SplitGroup`
 * (memory/memory-access.ts).
 */
export const GROUP_COPIES = 0x8000;

/**
 * u16 for each handler: the handler that executes its first instruction alone, as an exclusive or
 * with its own number. So it is 0 unless the handler is fused (interpreter/fusion.ts).
 */
export const FIRST_HANDLERS = 0x28_0000;
/** Capacity of the handler table. */
export const MAXIMUM_HANDLERS = 0x4000;

/** Handlers from here on are regions of the translator, each with its own number. */
export const FIRST_REGION_HANDLER = MAXIMUM_HANDLERS;
/** All numbers of handlers: a decoded instruction begins with 16 bits. */
export const HANDLER_NUMBERS = 0x1_0000;
/** Most regions at a time. */
export const REGION_CAPACITY = 0x4000;

/** A stretch of equal slots. */
interface Slots {
  readonly base: number;
  readonly count: number;
}

const slots = (base: number, end: number, size: number): Slots => ({ base, count: Math.floor((end - base) / size) });

/** A context is rounded up so that vectors are aligned. */
const strideOf = (size: number) => Math.ceil(size / 16) * 16;
export const CONTEXT_STRIDE = strideOf(CONTEXT_SIZE), EL2_CONTEXT_STRIDE = strideOf(EL2_CONTEXT_SIZE);
/** Contexts of vCPUs that are not resident; and those of CPUs with FEAT_EL2. */
export const CONTEXTS: Slots = slots(0x1_0000, 0x20_0000, CONTEXT_STRIDE);
export const EL2_CONTEXTS: Slots = slots(CONTEXTS.base, 0x20_0000, EL2_CONTEXT_STRIDE);

/**
 * i32 for each decoded page: the Wasm address of the code page that it stands for, 0 when it is
 * free.
 */
export const DECODED_OWNERS = 0x20_0000;
/**
 * i32 for each decoded page: minus the number of stores that its code page may get before its
 * decoded instructions are released (`decoded/decoded-pages.ts`).
 */
export const DECODED_STORES = 0x30_0000;
/**
 * Stores of data that a code page gets before its decoded instructions are released for the first
 * time, so that it can be write-mapped.
 */
export const STORES_BEFORE_RELEASE = 0x4000;

/** i32 for each decoded page: regions of the translator in it. */
export const DECODED_REGIONS = 0x2a_0000;
/**
 * i32 for each decoded page: how many of its instructions regions wait for
 * (translator/changed-regions.ts).
 */
export const DECODED_AWAITED = 0x2a_8000;

/** i32: how many instructions are marked (`DecodedPages.mark`). */
export const DECODER_MARKS = 0x20_f000;
/** i64: `WRITE_BITS` of registers/register-writes.ts since `Core.forgetWritten`. */
export const WRITTEN_REGISTERS = 0x20_f008;
/** i32: whether words of a page are noted (memory/written-words.ts); otherwise all at once. */
export const WRITTEN_BY_WORD = 0x20_f010;
/** u16 for each key of the decoder: the number of its first candidate; 0 until it is known. */
export const DECODER_KEYS = 0x3c_0000;
/** The candidates of the decoder, 16 bytes each: `Candidate` of decoded/candidates.ts. */
export const DECODER_CANDIDATES: Slots = slots(0x21_0000, 0x25_0000, 16);
/** i64 each: operands that TypeScript has computed; 0 until they are known. */
export const COMPUTED_OPERANDS: Slots = slots(0x2b_0000, 0x30_0000, 8);
/**
 * Handlers for pairs: u8 for each handler, its row as the first of a pair; u8 for each handler, its
 * column as the second; u16 by row and column, 256 in a row: the handler for both. 0 where there is
 * none.
 */
export const PAIR_ROWS = 0x30_8000, PAIR_HANDLERS = 0x31_0000, PAIR_COLUMNS = 0x33_0000;

/**
 * A u16 for each place, by its decoded instruction's address: how often the interpreter continued
 * there. Places whose distance is a multiple of their number share a counter.
 */
export const LANDINGS = { base: 0x34_0000, count: 0x4000 } as const;

/**
 * A u16 for each page of RAM: slow writes to its words that were noted already. Pages that are a
 * multiple of `count` pages apart share a counter.
 */
export const WRITTEN_REPEATS = { base: 0x34_8000, count: 0x2000 } as const;

/** A bit for each 4 KiB of the Wasm memory: TLB entries were filled from descriptors there. */
export const TABLE_PAGES = 0x35_0000;

/** i32 for each 4 KiB of the Wasm memory: the address of its decoded page, or 0. */
export const CODE_PAGES = 4 * MiB;

/**
 * A bit for each 4 KiB of the Wasm memory: a guest or another writer may have written there since
 * `Core.forgetWritten`. RAM that never was in here is still zero.
 */
export const WRITTEN_PAGES = 0x3a_0000;

/**
 * A bit for each 8 bytes of the Wasm memory: a guest or another writer may have written there since
 * `Core.forgetWritten`.
 */
export const WRITTEN_WORDS = 0xc80_0000;

/**
 * i64 for each 4 KiB of the Wasm memory: a bit for each of its lines of 64 bytes whose words are
 * all in `WRITTEN_WORDS`; all bits where that is no longer kept.
 */
export const WHOLE_LINES = 0xc00_0000;

/** The empty TLB set, after the TLB spaces. */
const EMPTY_SET = 32 * MiB - EMPTY_SET_SIZE;
/** TLB spaces, and the empty set. */
export const TLB_POOL: TlbPoolLayout = {
  base: 8 * MiB,
  spaces: slots(8 * MiB, EMPTY_SET, TlbSpace.Size).count,
  empty: EMPTY_SET,
  writeMapped: 0x38_0000,
};

/**
 * State of a core's vCPUs that those of the next core in the memory would not make anew: the CPU
 * state, `TABLE_PAGES`, and the map of pages that may be write-mapped.
 */
export const OF_VCPUS = [
  { start: NEAREST, end: CRC_TABLES },
  { start: TABLE_PAGES, end: WRITTEN_PAGES },
] as const;

/** The pool of stage-2 tables. */
export const STAGE2_TABLES = { base: 32 * MiB, size: 32 * MiB } as const;

/**
 * Instructions of a decoded page; a sentinel that leads to the next page follows them.
 */
export const INSTRUCTIONS_PER_PAGE = 1024;
/** log2 of it. */
export const INSTRUCTIONS_SHIFT = 10;
/** Bytes of a decoded page. */
export const DECODED_PAGE_SIZE = (INSTRUCTIONS_PER_PAGE + 1) * 16;
/** The pool of decoded pages. */
export const DECODED_PAGES: Slots = slots(64 * MiB, WHOLE_LINES, DECODED_PAGE_SIZE);

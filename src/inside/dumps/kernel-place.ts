// The kernel in a dump: its symbols, and the tables by which it is mapped. VMCOREINFO says where
// they are. Without it the kernel's code is sought (whole pages of functions, megabytes in a row),
// its symbols after it, and then the tables that map that code to where it is.

import { leavesOf, outputOf, TableControl, tablesOf, UPPER_HALF } from "../../kit/formats/page-tables.ts";
import { MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { type InPieces, Work } from "../../kit/support/values/work.ts";
import { entriesOf, TooMuch, translate, type TranslationRegisters } from "../linux/kernel/memory.ts";
import { VmCoreInfo } from "../linux/kernel/vmcoreinfo.ts";
import { type Kallsyms, readKallsyms } from "../symbols/kallsyms.ts";
import { SymbolTable } from "../symbols/symbol-table.ts";
import type { Dump } from "./dump.ts";
import { runAt } from "./file-memory.ts";

/** A kernel's symbols, and its registers of translation as they follow from its tables. */
export interface PlacedKernel {
  readonly symbols: SymbolTable;
  readonly registers: TranslationRegisters;
  readonly info: VmCoreInfo | undefined;
}

/** Bytes from a kernel's beginning on that have its code, symbols and types: of most, of all. */
const IMAGES = [40 * MiB, 96 * MiB];
/** Bytes before `_stext` that its image has, and to which images are aligned. */
const ALIGNMENT = 0x1_0000;
/** Bytes between pages that are looked at, and how many in a row have functions at least. */
const PROBES = MiB, ROW = 5;
/** The longest rows of such pages that may be a kernel. */
const ROWS_MAX = 4;
/** Functions that begin in a page of code at least. */
const FUNCTIONS = 4;
/** Functions that are compared, and the share of them that has to fit. */
const SAMPLES = 128, FIT = 0.5;
/** Steps of the search for tables. */
const STEPS = 32 * MiB;
/** Sizes of pages with the bits of addresses that kernels have, and whether descriptors have 52. */
const SIZES: readonly { readonly granule: number; readonly bits: number; readonly wide: boolean }[] = [
  ...[48, 39].map((bits) => ({ granule: 12, bits, wide: false })),
  { granule: 12, bits: 52, wide: true },
  ...[48, 47, 36].map((bits) => ({ granule: 14, bits, wide: false })),
  { granule: 14, bits: 52, wide: true },
  ...[52, 48, 42].map((bits) => ({ granule: 16, bits, wide: false })),
];
/** TCR_EL1.TG0 and TG1 by the bits of an offset in a page (Arm ARM D19.2.139). */
const TG0: Readonly<Record<number, bigint>> = { 12: 0n, 16: 1n, 14: 2n },
  TG1: Readonly<Record<number, bigint>> = { 14: 1n, 12: 2n, 16: 3n };

/** Undefined where no kernel is found. */
export function* findKernel(dump: Dump): InPieces<PlacedKernel | undefined> {
  const info = dump.info === undefined ? undefined : VmCoreInfo.of(dump.info);
  const told = info && placeIn(info), work = new Work(STEPS, () => new TooMuch());
  const found = (told && (yield* unlessTooMuch(byInfo(dump, told, work)))) ?? (yield* unlessTooMuch(bySearch(dump, work)));
  return found && { ...found, info };
}

/** Memory that would have to be read too long has no kernel. */
function* unlessTooMuch<T>(search: InPieces<T | undefined>): InPieces<T | undefined> {
  try {
    return yield* search;
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return undefined;
  }
}

/** Where the code of a kernel is, and perhaps its first table. */
interface Told {
  readonly code: bigint;
  readonly physical: number;
  readonly root: number | undefined;
}

function placeIn(info: VmCoreInfo): Told | undefined {
  const code = info.symbols.get("_stext"), offset = info.number("kimage_voffset"), root = info.symbols.get("swapper_pg_dir");
  if (code === undefined || offset === undefined) return undefined;
  const physicalOf = (address: bigint) => Number(BigInt.asUintN(64, address - offset));
  return { code, physical: physicalOf(code), root: root === undefined ? undefined : physicalOf(root) };
}

type Found = Omit<PlacedKernel, "info">;

function* byInfo(dump: Dump, { code, physical, root }: Told, work: Work): InPieces<Found | undefined> {
  const start = physical - physical % ALIGNMENT;
  const kallsyms = yield* heldKallsyms(dump, start, (bytes) => readKallsyms({ base: code - BigInt(physical - start), bytes }));
  const registers = root === undefined ? undefined : registersBy(dump, root, code, physical, work);
  if (!kallsyms || !registers) return undefined;
  return { symbols: tableOf(kallsyms), registers };
}

/** The symbols in memory from a place on, which is kept as one piece. */
function* heldKallsyms(
  dump: Dump,
  start: number,
  read: (bytes: Uint8Array) => InPieces<Kallsyms | undefined>,
): InPieces<Kallsyms | undefined> {
  for (const size of IMAGES) {
    const bytes = dump.memory.hold(start, size), found = bytes.length ? yield* read(bytes) : undefined;
    if (found || bytes.length < size) return found;
  }
  return undefined;
}

const tableOf = (symbols: Kallsyms) => new SymbolTable(symbols, "kallsyms");

function* bySearch(dump: Dump, work: Work): InPieces<Found | undefined> {
  for (const first of yield* rowsOfCode(dump)) {
    const start = Math.max(first - 2 * PROBES, runStart(dump, first));
    const kallsyms = yield* heldKallsyms(dump, start, (bytes) => readKallsyms({ base: 0n, bytes, unplaced: true }));
    if (!kallsyms) continue;
    const { bytes } = dump.memory.held;
    const symbols = tableOf(kallsyms), code = symbols.find("_stext")?.address;
    if (code === undefined) continue;
    // Symbols that are counted from their own places tell a place in the image, not where that is
    // mapped.
    const isPlaced = code >= UPPER_HALF, physical = isPlaced ? physicalOf(symbols, code, start, bytes) : start + Number(code);
    if (physical === undefined) continue;
    const known = symbols.find("swapper_pg_dir")?.address, image = code - BigInt(physical - start);
    const roots = known === undefined ? pagesOf(start, bytes.length) : [start + Number(known - image)];
    const found = yield* tablesFor(dump, roots, isPlaced ? code : undefined, physical, work);
    if (!found) continue;
    const placed = isPlaced ? kallsyms : yield* readKallsyms({ base: found.code - BigInt(physical - start), bytes });
    if (placed) return { symbols: tableOf(placed), registers: found.registers };
  }
  return undefined;
}

/** The first tables that map code, at its address or wherever they have it executable. */
function* tablesFor(
  dump: Dump,
  roots: Iterable<number>,
  code: bigint | undefined,
  physical: number,
  work: Work,
): InPieces<{ readonly registers: TranslationRegisters; readonly code: bigint } | undefined> {
  for (const root of roots) {
    if (work.pauses) yield;
    if (code !== undefined) {
      const registers = registersBy(dump, root, code, physical, work);
      if (registers) return { registers, code };
      continue;
    }
    for (const registers of allRegisters(root)) {
      const found = executableAt(dump, registers, physical, work);
      if (found !== undefined && goesOn(dump, registers, found, physical, work)) return { registers, code: found };
    }
  }
  return undefined;
}

/** Kernels with addresses of 52 bits have their image among those of 48. */
const IMAGES_FROM = (1n << 64n) - (1n << 48n);
/** Leaves of the tables of a kernel that are looked at. */
const LEAVES_MAX = 65_536;

/** The address at which tables have code of the kernel; undefined if they have not. */
function executableAt({ memory }: Dump, { ttbr1, tcr }: TranslationRegisters, physical: number, work: Work): bigint | undefined {
  let left = LEAVES_MAX;
  // All of memory is mapped before the image, by pages, in tables without a right to execute.
  for (const { address, leaf } of leavesOf(tablesOf(ttbr1, tcr, true), entriesOf(memory, work), TableControl.pxn)) {
    const output = outputOf(leaf, address);
    if (address < IMAGES_FROM) continue;
    if (physical >= output && physical < output + 2 ** leaf.shift && !((leaf.value ?? 0n) & PXN)) {
      return address + BigInt(physical - output);
    }
    if (--left === 0) return undefined;
  }
  return undefined;
}

/** Whether the code is mapped as it begins: tables of another size may map one page of it. */
function goesOn({ memory }: Dump, { ttbr1, tcr }: TranslationRegisters, code: bigint, physical: number, work: Work): boolean {
  const tables = tablesOf(ttbr1, tcr, true);
  for (let after = PROBES; after < ROW * PROBES; after += PROBES) {
    if (translate(memory, tables, code + BigInt(after), work) !== physical + after) return false;
  }
  return true;
}

/** A leaf's PXN: EL1 executes nothing there. */
const PXN = 1n << 53n;

function* pagesOf(start: number, size: number): Generator<number> {
  for (let at = start; at < start + size; at += PAGE_SIZE) yield at;
}

const runStart = ({ memory }: Dump, at: number) => runAt(memory.runs, at)?.address ?? at;

/** The physical addresses at which rows of pages with functions begin, the longest first. */
function* rowsOfCode({ memory }: Dump): InPieces<number[]> {
  const rows: { start: number; length: number }[] = [], page = new Uint8Array(PAGE_SIZE), words = new DataView(page.buffer);
  for (const { address, size } of memory.runs) {
    let start = address, length = 0, missed = 0;
    const end = () => {
      if (length >= ROW) rows.push({ start, length });
      [length, missed] = [0, 0];
    };
    for (let at = address; at + PAGE_SIZE <= address + size; at += PROBES) {
      memory.read(at, page);
      if (functionsIn(words) >= FUNCTIONS) {
        if (length++ === 0) start = at;
        missed = 0;
      } else if (length && ++missed > 1) end();
      if ((at - address) % (1024 * PROBES) === 0) yield;
    }
    end();
  }
  return rows.sort((one, other) => other.length - one.length).slice(0, ROWS_MAX).map(({ start }) => start);
}

function functionsIn(words: DataView): number {
  let count = 0;
  for (let at = 0; at < words.byteLength; at += 4) if (isPrologue(words.getUint32(at, true))) count++;
  return count;
}

/** STP x29, x30, [sp, #-N]!; PACIASP. */
const isPrologue = (word: number) => (word & 0xffc0_7fff) >>> 0 === 0xa980_7bfd || word === 0xd503_233f;
/** The first instructions of functions: those, BTI c, NOP and MOV x9, x30 for tracing. */
const isFirst = (word: number) => isPrologue(word) || word === 0xd503_245f || word === 0xd503_201f || word === 0xaa1e_03e9;

/** Where code is in memory, by the first instructions of functions; undefined if it is nowhere. */
function physicalOf(symbols: SymbolTable, code: bigint, start: number, bytes: Uint8Array): number | undefined {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), functions: number[] = [];
  const step = Math.max(1, Math.floor(symbols.size / (4 * SAMPLES)));
  for (let index = 0; index < symbols.size && functions.length < SAMPLES; index += step) {
    const after = symbols.addressOf(index) - code;
    if (symbols.isCodeAt(index) && after >= 0n && after < 8n * BigInt(MiB) && after % 4n === 0n) functions.push(Number(after));
  }
  let best = functions.length * FIT, found: number | undefined;
  for (let at = Number(code % BigInt(ALIGNMENT)); at < bytes.length - 8 * MiB; at += ALIGNMENT) {
    const fits = functions.filter((after) => isFirst(words.getUint32(at + after, true))).length;
    if (fits > best) [best, found] = [fits, start + at];
  }
  return found;
}

/** Registers with which tables map code to where it is; undefined if none do. */
function registersBy(dump: Dump, root: number, code: bigint, physical: number, work: Work): TranslationRegisters | undefined {
  return allRegisters(root).find(({ ttbr1, tcr }) => translate(dump.memory, tablesOf(ttbr1, tcr, true), code, work) === physical);
}

/** Registers with each size of pages and addresses. */
function allRegisters(root: number): TranslationRegisters[] {
  return SIZES.map(({ granule, bits, wide }) => {
    const free = BigInt(64 - bits), ds = BigInt(Number(wide)) << 59n;
    return { ttbr1: BigInt(root), tcr: ds | TG1[granule] << 30n | free << 16n | TG0[granule] << 14n | free };
  });
}

// ELF64 executables for AArch64: entry and loadable segments (ELF-64 Object File Format 1.5;
// machine 183 = EM_AARCH64). Segments are loaded by their physical addresses; the entry may be a
// virtual address.

import { hex } from "../support/text/number-text.ts";
import { ownFile } from "../support/files/written-files.ts";
import { UserError } from "../support/problem.ts";

/** One PT_LOAD segment. */
interface ElfSegment {
  /** Physical address (p_paddr). */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Size in memory; zeros follow the bytes. */
  readonly size: number;
  /** Whether it may hold instructions (PF_X). */
  readonly executable: boolean;
  /** p_flags: PF_X 1, PF_W 2, PF_R 4. */
  readonly flags: number;
  /** It is nothing but a note, such as a linker's build id. */
  readonly note: boolean;
}

/** The parts of an ELF file that loading needs. */
interface ElfImage {
  /** Physical address. */
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
}

const Identification = { class64: 2, little: 1 } as const;
/** Machine of AArch64 (`e_machine`). */
export const EM_AARCH64 = 183;
/** Type of an executable that is linked to fixed addresses (`e_type`). */
export const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1, PT_NOTE = 4;
const PF_X = 1, PF_W = 2;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
/** Physical addresses, offsets and sizes. */
const ADDRESS_MAX = 2 ** 48 - 1;
/** Bytes of all segments, as a multiple of the file's: pages at their borders may be in two. */
const SHARED_FACTOR = 2;
/** Segments that an error names. */
const SHOWN_SEGMENTS = 4;

/** Whether the bytes begin as an ELF file does. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * A view of an ELF64 file for AArch64.
 * @throws Error that names the defect of the file
 */
export function elfView(bytes: Uint8Array): DataView {
  if (!isElf(bytes) || bytes.length < HEADER_SIZE) throw new Error("not an ELF file, or truncated in its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[4] !== Identification.class64 || bytes[5] !== Identification.little) throw new Error("ELF file is not 64-bit little-endian");
  if (view.getUint16(18, true) !== EM_AARCH64) throw new Error(`ELF file is for machine ${view.getUint16(18, true)}, not AArch64 (183)`);
  return view;
}

/**
 * Reads an executable for AArch64: one that is linked to fixed addresses, or with `kind`
 * "position-independent" one that relocates itself.
 * @throws Error that names the defect of the file.
 */
export function readElf(bytes: Uint8Array, kind: "fixed" | "position-independent" = "fixed"): ElfImage {
  const view = elfView(bytes);
  const type = view.getUint16(16, true);
  const other = ownFile(bytes);
  if (other) throw new UserError(other);
  if (kind === "fixed" && type !== ET_EXEC) throw new Error("ELF file is not an executable linked to fixed addresses (ET_EXEC)");
  if (kind === "position-independent" && type !== ET_DYN) throw new Error("ELF file is not a position-independent executable (ET_DYN)");
  const table = readElfNumber(view, 32), count = view.getUint16(56, true), size = view.getUint16(54, true);
  if (size !== PROGRAM_HEADER_SIZE || table + count * size > bytes.length) throw new Error("ELF program headers are cut off");
  const segments: VirtualSegment[] = [];
  const notes = new Set<number>();
  let used = 0;
  for (let i = 0; i < count; i++) {
    const at = table + i * PROGRAM_HEADER_SIZE;
    if (view.getUint32(at, true) === PT_NOTE) notes.add(readElfNumber(view, at + 8));
  }
  for (let i = 0; i < count; i++) {
    const at = table + i * PROGRAM_HEADER_SIZE;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const offset = readElfNumber(view, at + 8), fileSize = readElfNumber(view, at + 32), memorySize = readElfNumber(view, at + 40);
    if (memorySize === 0) continue;
    if (offset + fileSize > bytes.length || fileSize > memorySize) throw new Error(`ELF segment ${i} is cut off`);
    if ((used += fileSize) > SHARED_FACTOR * bytes.length) throw new Error("ELF segments overlap in the file");
    const physical = view.getBigUint64(at + 24, true), flags = view.getUint32(at + 4, true);
    if (physical > BigInt(ADDRESS_MAX)) {
      throw new UserError(`ELF segment ${i} is loaded at physical address ${hex(physical)}`, "link it into RAM, AT(..) in a linker script");
    }
    segments.push({
      address: Number(physical),
      virtual: view.getBigUint64(at + 16, true),
      bytes: bytes.subarray(offset, offset + fileSize),
      size: memorySize,
      executable: (flags & PF_X) !== 0,
      flags,
      note: notes.has(offset) && (flags & (PF_X | PF_W)) === 0,
    });
  }
  if (!segments.length) throw new Error("ELF file has nothing to load");
  if (used === 0) throw new UserError("the ELF file has no code, only symbols", "run the image, with this file as --symbols VM=FILE");
  return { entry: physicalEntry(view.getBigUint64(24, true), segments), segments: segments.map(({ virtual: _, ...segment }) => segment) };
}

/** A segment with the address that its code is linked to. */
interface VirtualSegment extends ElfSegment {
  /** p_vaddr, 64 bits. */
  readonly virtual: bigint;
}

/**
 * The physical address of an entry: by the virtual addresses of the segment that has it, as QEMU
 * takes it, or as it is where only a physical range has it.
 */
function physicalEntry(entry: bigint, segments: readonly VirtualSegment[]): number {
  const isIn = (start: bigint, size: number) => entry >= start && entry < start + BigInt(size);
  const found = segments.find(({ virtual, size }) => isIn(virtual, size));
  if (found) return found.address + Number(entry - found.virtual);
  if (segments.some(({ address, size }) => isIn(BigInt(address), size))) return Number(entry);
  const shown = segments.slice(0, SHOWN_SEGMENTS).map(({ virtual, address, size }) => {
    const range = (start: bigint) => `${hex(start)}..${hex(start + BigInt(size))}`;
    return virtual === BigInt(address) ? range(virtual) : `${range(virtual)}, loaded at ${hex(BigInt(address))}`;
  });
  const more = segments.length > shown.length ? `; and ${segments.length - shown.length} more` : "";
  throw new Error(`ELF entry ${hex(entry)} lies outside its segments (${shown.join("; ")}${more})`);
}

/** A 64-bit field that must be a sensible address or size. */
export function readElfNumber(view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(ADDRESS_MAX)) throw new Error(`ELF field at ${at} is out of range`);
  return Number(value);
}

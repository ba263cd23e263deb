// ELF core files of a computer's memory (System V ABI): segments by physical address, as kdump
// (Linux: fs/proc/vmcore.c), QEMU's dump-guest-memory and el2 itself write them. Notes have the
// registers of CPUs (`struct elf_prstatus` of arm64) and VMCOREINFO.

import { EM_AARCH64 } from "../../kit/formats/elf.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";
import { KiB, MiB } from "../../kit/support/values/sizes.ts";
import {
  ADDRESS_END,
  DumpError,
  type DumpSource,
  type FileMemory,
  type FileRun,
  plainMemory,
  RUNS_MAX,
  type SavedCpu,
  viewOf,
} from "./file-memory.ts";

export const HEADER_SIZE = 64, SEGMENT_SIZE = 56;
export const CLASS_64 = 2, LITTLE = 1, ET_CORE = 4;
/** Stands for more segments than its field holds: their number is in the first section header. */
export const PN_XNUM = 0xffff;
/** `sh_info` of a section header. */
export const SECTION_INFO = 44;
export const PT_LOAD = 1, PT_NOTE = 4;
export const NT_PRSTATUS = 1, NT_VMCOREINFO = 0;
/** `struct elf_prstatus` of arm64: 34 registers of 8 bytes, of which 31 are general, are at 112. */
export const PRSTATUS_REGISTERS = 112, GENERAL_REGISTERS = 31;
const PRSTATUS_USED = PRSTATUS_REGISTERS + 8 * (GENERAL_REGISTERS + 3);
/** Limits: bytes of all notes, the number of notes, and that of CPUs. */
const NOTES_MAX = 8 * MiB, NOTED_MAX = 65_536, CPUS_MAX = 4096;
/** Bytes of VMCOREINFO that are read. */
export const INFO_MAX = 64 * KiB;
const NOTE_HEADER = 12;

/** @throws DumpError */
export function readElfCore(source: DumpSource): FileMemory {
  const header = viewOf(source, 0, HEADER_SIZE);
  if (header.getUint8(4) !== CLASS_64 || header.getUint8(5) !== LITTLE) {
    throw new DumpError(`${source.name}: not a 64-bit little-endian ELF file`);
  }
  const machine = header.getUint16(18, true), type = header.getUint16(16, true);
  if (machine !== EM_AARCH64) throw new DumpError(`${source.name}: a core file of machine ${machine}, not of AArch64 (${EM_AARCH64})`);
  if (type !== ET_CORE) {
    throw new DumpError(
      `${source.name}: an ELF file of type ${type}, not a core file (${ET_CORE})`,
      way`a program is run with ${hint("boot")}`,
    );
  }
  const table = numberAt(header, 32), size = header.getUint16(54, true), written = header.getUint16(56, true);
  if (size !== SEGMENT_SIZE) throw new DumpError(`${source.name}: byte 54: program headers of ${size} bytes, not of ${SEGMENT_SIZE}`);
  const count = written === PN_XNUM ? viewOf(source, numberAt(header, 40), HEADER_SIZE).getUint32(SECTION_INFO, true) : written;
  if (count > RUNS_MAX) throw new DumpError(`${source.name}: ${count} segments`, `at most ${RUNS_MAX} are read`);
  if (table + count * SEGMENT_SIZE > source.size) throw new DumpError(`${source.name}: byte ${table}: its program headers are cut off`);
  const headers = viewOf(source, table, count * SEGMENT_SIZE);
  const runs: FileRun[] = [], notes: FileRun[] = [];
  for (let at = 0; at < count * SEGMENT_SIZE; at += SEGMENT_SIZE) {
    const kind = headers.getUint32(at, true);
    const offset = numberAt(headers, at + 8), address = numberAt(headers, at + 24), size = numberAt(headers, at + 32);
    if (kind === PT_LOAD && size > 0 && offset < ADDRESS_END && address + size <= ADDRESS_END) runs.push({ address, offset, size });
    if (kind === PT_NOTE) notes.push({ address: 0, offset, size });
  }
  return plainMemory(source, "ELF core file", runs, readNotes(source, notes));
}

/** Registers and VMCOREINFO in the notes of a core file. */
export function readNotes(source: DumpSource, notes: readonly FileRun[]): Pick<FileMemory, "cpus" | "info"> {
  const cpus: SavedCpu[] = [];
  let info: string | undefined, left = NOTES_MAX, noted = 0;
  for (const { offset, size } of notes) {
    const length = Math.min(size, left, Math.max(0, source.size - offset)), view = viewOf(source, offset, length);
    left -= length;
    for (let at = 0; at + NOTE_HEADER <= length && noted++ < NOTED_MAX;) {
      const named = view.getUint32(at, true), content = view.getUint32(at + 4, true), type = view.getUint32(at + 8, true);
      const first = at + NOTE_HEADER + padded(named), end = first + content;
      if (end > length) break;
      const name = textOf(view, at + NOTE_HEADER, named);
      if (name === "CORE" && type === NT_PRSTATUS && content >= PRSTATUS_USED && cpus.length < CPUS_MAX) {
        cpus.push(cpuIn(view, first, cpus.length));
      }
      if (name === "VMCOREINFO" && type === NT_VMCOREINFO) info = textOf(view, first, Math.min(content, INFO_MAX));
      at = first + padded(content);
    }
  }
  return { cpus, info };
}

function cpuIn(view: DataView, note: number, index: number): SavedCpu {
  const register = (number: number) => view.getBigUint64(note + PRSTATUS_REGISTERS + 8 * number, true);
  const x = Array.from({ length: GENERAL_REGISTERS }, (_, number) => register(number));
  const [sp, pc, pstate] = [0, 1, 2].map((more) => register(GENERAL_REGISTERS + more));
  return { index, x, sp, pc, pstate: Number(pstate & 0xffff_ffffn) };
}

/** The size of a note's name or content in the file. */
export const padded = (size: number) => Math.ceil(size / 4) * 4;

/** Characters up to a zero. */
export function textOf(view: DataView, at: number, size: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size), zero = bytes.indexOf(0);
  return new TextDecoder("latin1").decode(zero < 0 ? bytes : bytes.subarray(0, zero));
}

/** A number of 64 bits; too large ones are beyond every file and memory. */
const numberAt = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

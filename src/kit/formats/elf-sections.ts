// Sections of ELF64 files for AArch64 (ELF-64 Object File Format 1.5, section 3).

import { KiB, MiB } from "../support/values/sizes.ts";
import { Work } from "../support/values/work.ts";
import { elfView, readElfNumber } from "./elf.ts";
import { UserError } from "../support/problem.ts";

const SECTION_SIZE = 64;
const NO_BITS = 8;
/** SHF_COMPRESSED of the generic ABI. */
export const COMPRESSED = 0x800n;

export interface ElfSection {
  readonly name: string;
  /** sh_type. */
  readonly type: number;
  /** sh_flags. */
  readonly flags: bigint;
  /** sh_addr. */
  readonly address: bigint;
  /** Contents; empty if the file has none (SHT_NOBITS). */
  readonly bytes: Uint8Array;
  /** sh_link. */
  readonly link: number;
}

/**
 * The sections of an executable or object.
 * @throws Error that names the defect of the file
 */
export function readElfSections(bytes: Uint8Array): ElfSection[] {
  const view = elfView(bytes);
  const table = readElfNumber(view, 40), size = view.getUint16(58, true), count = view.getUint16(60, true);
  if (count > 0 && size !== SECTION_SIZE || table + count * size > bytes.length) throw new Error("ELF section headers are truncated");
  const raw = Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_SIZE;
    const type = view.getUint32(at + 4, true), offset = readElfNumber(view, at + 24), length = readElfNumber(view, at + 32);
    if (type !== NO_BITS && offset + length > bytes.length) throw new Error(`ELF section ${index} is truncated`);
    return {
      nameAt: view.getUint32(at, true),
      type,
      flags: view.getBigUint64(at + 8, true),
      address: view.getBigUint64(at + 16, true),
      bytes: type === NO_BITS ? bytes.subarray(0, 0) : bytes.subarray(offset, offset + length),
      link: view.getUint32(at + 40, true),
    };
  });
  const names = new StringTable(raw[view.getUint16(62, true)]?.bytes ?? bytes.subarray(0, 0));
  return raw.map(({ nameAt, ...section }) => ({ name: names.at(nameAt), ...section }));
}

/** Bytes of a name. */
const NAME_MAX = 4 * KiB;
/**
 * Bytes of all names: names may share an end, and a table of a few bytes may have many names, but
 * no linker makes more.
 */
const NAMES_LEAST = MiB, NAMES_FACTOR = 4;
const decoder = new TextDecoder();

/** The texts of a string table. Each ends with a zero byte, or with the table. */
export class StringTable {
  readonly #work: Work;

  constructor(readonly bytes: Uint8Array) {
    const most = NAMES_LEAST + NAMES_FACTOR * bytes.length;
    this.#work = new Work(most, () => new UserError(`ELF names have more than ${most} bytes`, `their string table has ${bytes.length}`));
  }

  /**
   * The text at an offset.
   * @throws Error if it is longer than 4 KiB, or all texts so far are longer than the table
   * explains
   */
  at(offset: number): string {
    const longest = this.bytes.subarray(offset, offset + NAME_MAX + 1), end = longest.indexOf(0);
    const size = end < 0 ? longest.length : end;
    this.#work.spend(size);
    if (size > NAME_MAX) throw new Error(`an ELF name at ${offset} has more than ${NAME_MAX} bytes`);
    return decoder.decode(longest.subarray(0, size));
  }
}

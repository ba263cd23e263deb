// The sections of an ELF file that hold debug information.

import { COMPRESSED, type ElfSection } from "../elf-sections.ts";

/** Their names, and in which order they are kept where not all fit. */
export const DEBUG_SECTIONS = [
  ...[
    ".debug_frame",
    ".eh_frame",
    ".debug_line",
    ".debug_line_str",
    ".debug_abbrev",
    ".debug_str_offsets",
    ".debug_addr",
    ".debug_rnglists",
  ],
  ...[".debug_ranges", ".debug_str", ".debug_info", ".debug_loclists", ".debug_loc"],
] as const;
export type DebugSection = typeof DEBUG_SECTIONS[number];

/** Contents by name; empty if the file has no such section. */
export interface DwarfSections {
  bytes(name: DebugSection): Uint8Array;
  /** sh_addr of a section. */
  address(name: DebugSection): bigint;
  /** How far the program is from where it was linked, which its addresses count from. */
  readonly moved: bigint;
}

const NONE = new Uint8Array();

/** Whether a section holds debug information that can be read. */
export function isDebugSection({ name, flags, bytes }: ElfSection): boolean {
  return (DEBUG_SECTIONS as readonly string[]).includes(name) && bytes.length > 0 && (flags & COMPRESSED) === 0n;
}

/** The debug information of a file. */
export function debugSections(sections: readonly ElfSection[], moved = 0n): DwarfSections {
  const found = new Map(sections.filter(isDebugSection).map((section) => [section.name, section]));
  return {
    bytes: (name) => found.get(name)?.bytes ?? NONE,
    address: (name) => found.get(name)?.address ?? 0n,
    moved,
  };
}

// Instructions of files and of words as text, in the format of objdump -M no-aliases.

import { disassemble } from "../../cpu/isa/disassemble.ts";
import { imageHeader, unwrapImage } from "../../inside/images/kernel-image.ts";
import { isElf, readElf } from "../../kit/formats/elf.ts";

/** Instructions at an address. */
export interface CodeBytes {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/**
 * The code of a file: executable segments of an ELF file, an arm64 Image without its container,
 * else all of it.
 * @param address of what has none
 * @throws Error of an ELF file that is wrong
 */
export function codeOfFile(file: Uint8Array, address: number): CodeBytes[] {
  if (isElf(file)) return readElf(file).segments.filter(({ executable }) => executable);
  const wrapped = !imageHeader(file) && isWrapped(file);
  return [{ address, bytes: wrapped ? unwrapImage(file).image : file }];
}

/**
 * Whether the bytes are a container that an arm64 Image comes in; everything else is code as it is.
 */
function isWrapped(file: Uint8Array): boolean {
  try {
    return unwrapImage(file).container !== "raw";
  } catch {
    return false; // no Image inside: that is an answer here, not a failure
  }
}

/** A line for each instruction from an address on. */
export function* instructionLines({ address, bytes }: CodeBytes, start: number): Generator<string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = Math.max(0, Math.ceil((start - address) / 4) * 4); at + 4 <= bytes.length; at += 4) {
    const word = view.getUint32(at, true);
    const shown = (address + at).toString(16).padStart(8, "0");
    yield `${shown}:\t${word.toString(16).padStart(8, "0")}\t${disassemble(word, BigInt(address + at))}`;
  }
}

// Guest images as they are in a VM's memory: an arm64 Linux Image (also inside gzip or EFI zboot),
// an ELF executable, or raw bytes.

import type { CpuPlan } from "../../cpu/isa/cpus/cpus.ts";
import { bankSize, contentSize } from "../../machine/host/boards/flash-size.ts";
import { SEMIHOSTING_WORD } from "../../machine/abi/semihosting.ts";
import { QEMU_FLASH_MAX, type VmFirmware, type VmFlash, type VmImage } from "../../machine/host/interface.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { isElf, readElf } from "../../kit/formats/elf.ts";
import { ownFile } from "../../kit/support/files/written-files.ts";
import { checkKernel, imageHeader, isKernel, unwrapImage } from "./kernel-image.ts";
import { MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/**
 * A Linux kernel for a VM: an arm64 Image at text_offset from the start of RAM.
 * @param memory bytes that the VM has, if that is known
 * @param cpu the machine's
 * @throws Error that says what the bytes are instead, or why the CPU cannot execute it.
 */
export function linuxImage(file: Uint8Array, memory?: number, cpu?: CpuPlan): VmImage {
  const { image, header } = unwrapImage(file, memory);
  checkKernel(header, cpu);
  return { bytes: image, offset: header.textOffset, size: Math.max(header.imageSize, image.length), entry: header.textOffset };
}

/** Whether a file says where it is loaded: an ELF file, an Image, or a container of one. */
export function hasHeader(file: Uint8Array): boolean {
  return isElf(file) || isKernel(file);
}

/** Whether a file is an ELF executable whose code has a semihosting call. */
export function callsSemihosting(file: Uint8Array): boolean {
  return isElf(file) && readElf(file).segments.some(({ executable, bytes }) => executable && hasWord(bytes, SEMIHOSTING_WORD));
}

/** Whether a word is at a multiple of 4. */
function hasWord(bytes: Uint8Array, word: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 4 <= bytes.length; at += 4) if (view.getUint32(at, true) === word) return true;
  return false;
}

/** Where crosvm puts a BIOS: after the devicetree. */
const BIOS_OFFSET = 2 * MiB;

/**
 * A BIOS for crosvm: raw bytes that are entered at the first.
 * @throws Error if it is empty.
 */
export function biosImage(file: Uint8Array): VmImage {
  if (file.length === 0) throw new Error("the bios is empty");
  const size = Math.max(imageHeader(file)?.imageSize ?? 0, file.length);
  return { bytes: file, offset: BIOS_OFFSET, size, entry: BIOS_OFFSET };
}

/** Where EDK2 for phones has room for its copy of the devicetree: after its Image header. */
const TREE_COPY = 0x40;

/**
 * Bytes that a BIOS seems to have for its copy of the devicetree: whole pages of zeros between its
 * header and its code, as EDK2 for phones has them. Undefined without such pages.
 */
export function treeRoom(file: Uint8Array): number | undefined {
  let end = TREE_COPY;
  while (end < file.length && file[end] === 0) end++;
  const room = Math.floor((end - TREE_COPY) / PAGE_SIZE) * PAGE_SIZE;
  return room > 0 && end < file.length ? room : undefined;
}

/**
 * Firmware in the first bank of flash of QEMU's platform.
 * @throws Error if it is empty or too large
 */
export function flashImage(file: Uint8Array): VmFlash {
  const used = contentSize(file);
  if (used === 0) throw new Error("the bios is empty");
  return { code: file.subarray(0, used), size: bankSize("the bios", used, QEMU_FLASH_MAX) };
}

/**
 * RM's limit for the place of firmware in a VM (docs/spec/resource-manager.md §7.2,
 * firmware-size-max).
 */
const FIRMWARE_MAX = 4 * MiB;

/**
 * Firmware of protected VMs: position-independent code that is entered at its first byte. The
 * memory that it needs after its bytes is in an arm64 Image header, if it has one.
 * @throws Error if it is empty or too large.
 */
export function firmwareImage(file: Uint8Array): VmFirmware {
  if (file.length === 0) throw new Error("the firmware is empty");
  const size = Math.max(imageHeader(file)?.imageSize ?? 0, file.length);
  if (size > FIRMWARE_MAX) throw new UserError(`firmware has ${formatSize(FIRMWARE_MAX)} at most`, `this one needs ${formatSize(size)}`);
  return { bytes: file, size };
}

/**
 * A bare-metal image for a VM with `memory` bytes of RAM at `base`: an ELF file at its link
 * addresses, an arm64 Image at its offset, anything else from the first byte of RAM, which is its
 * entry.
 * @throws Error for an ELF file that is malformed or linked to addresses outside the VM's memory.
 */
export function bareMetalImage(file: Uint8Array, base: number, memory: number, cpu?: CpuPlan): VmImage {
  if (isElf(file)) return elfImage(file, base, memory);
  if (imageHeader(file)) return linuxImage(file, memory, cpu);
  if (file.length === 0) throw new Error("the image is empty");
  const own = ownFile(file);
  if (own) throw new UserError(own);
  return { bytes: file, offset: 0, size: file.length, entry: 0 };
}

function elfImage(file: Uint8Array, base: number, memory: number): VmImage {
  const { entry, segments: all } = readElf(file);
  // A linker may put its build id where no memory is; the program runs without it.
  const inside = all.filter(({ note, address, size }) => !note || address >= base && address + size <= base + memory);
  const segments = inside.length > 0 ? inside : all;
  const start = Math.min(...segments.map(({ address }) => address));
  const end = Math.max(...segments.map(({ address, size }) => address + size));
  if (start < base || end > base + memory) {
    const [linked, has] = [[start, end], [base, base + memory]].map((range) => range.map((at) => `0x${at.toString(16)}`).join(".."));
    throw new Error(`ELF file is linked to ${linked}, the VM's memory is ${has}`);
  }
  const bytes = new Uint8Array(Math.max(...segments.map(({ address, bytes }) => address + bytes.length)) - start);
  for (const { address, bytes: segment } of segments) bytes.set(segment, address - start);
  return { bytes, offset: start - base, size: end - start, entry: entry - base };
}

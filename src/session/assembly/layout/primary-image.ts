// Layout of the image, the initial ramdisk and the devicetree of the primary VM
// (docs/architecture/machine.md, "Physical memory"): an ELF at its link addresses; an arm64 Image
// at RAM + text_offset, or + 2 MiB where that is 0; raw bytes at the first byte of RAM; the ramdisk
// at RAM + min(half, 128 MiB) or above the image, and a hypervisor's modules after it; the
// devicetree at the first byte of RAM where an ELF leaves it free, as QEMU has it for all but
// Linux, otherwise after ramdisk, modules and image.

import { isElf, readElf } from "../../../kit/formats/elf.ts";
import { checkKernel, unwrapImage } from "../../../inside/images/kernel-image.ts";
import type { CpuPlan } from "../../../cpu/isa/cpus/cpus.ts";
import type { BootModule, BootPlan } from "../../../model/plans/plan.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { UserError } from "../../../kit/support/problem.ts";

/** Bytes at a physical address. */
export interface Placement {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes that it occupies from `address`; at least `bytes.length`. */
  readonly size: number;
}

/** The primary VM's memory before its first instruction. */
interface PrimaryLayout {
  readonly placements: readonly Placement[];
  readonly entry: number;
  /** Where the initial ramdisk lies. */
  readonly initrd: { readonly start: number; readonly end: number } | undefined;
  /** Where the modules of a hypervisor lie. */
  readonly modules: readonly PlacedModule[];
  /** Where the devicetree goes, 2 MiB aligned, at most `DEVICETREE_WINDOW` bytes. */
  readonly devicetree: number;
}

/** A module of a hypervisor in memory. */
export interface PlacedModule extends Pick<BootModule, "kind" | "bootargs"> {
  readonly address: number;
  readonly size: number;
}

/** Bytes kept for the devicetree (the window that the Resource Manager patches it in). */
export const DEVICETREE_WINDOW = MiB;

const align = (value: number, to: number) => Math.ceil(value / to) * to;

/**
 * Lays out the primary VM's memory.
 * @throws Error that says which file does not fit or is malformed.
 */
export function layoutPrimary(
  { image, raw, initrd, modules = [] }: Pick<BootPlan, "raw" | "initrd" | "modules"> & { readonly image: Uint8Array },
  ramBase: number,
  ramSize: number,
  cpu?: CpuPlan,
): PrimaryLayout {
  const end = ramBase + ramSize, middle = ramBase + Math.min(ramSize / 2, 128 * MiB);
  const { placements, entry } = raw ? placeRaw(image, ramBase) : isElf(image) ? placeElf(image) : placeImage(image, ramBase, ramSize, cpu);
  for (const { address, size } of placements) {
    if (address < ramBase || address + size > end) {
      const needs = `needs memory 0x${address.toString(16)}..0x${(address + size).toString(16)}`;
      const way = address < ramBase ? `link it at 0x${ramBase.toString(16)} or above` : "use a larger --memory";
      throw new UserError(`${needs}, RAM is 0x${ramBase.toString(16)}..0x${end.toString(16)}`, way);
    }
  }
  let top = placements.reduce((top, { address, size }) => Math.max(top, address + size), ramBase);
  const treeAtStart = isElf(image) && !raw && placements.every(({ address }) => address >= ramBase + DEVICETREE_WINDOW);
  let ramdisk: PrimaryLayout["initrd"];
  if (initrd) {
    const start = Math.max(middle, align(top, 2 * MiB));
    ramdisk = { start, end: start + initrd.length };
    if (ramdisk.end > end) throw new UserError(`the initrd (${initrd.length} bytes) does not fit after the image`, "use a larger --memory");
    placements.push({ address: start, bytes: initrd, size: initrd.length });
    top = ramdisk.end;
  }
  const placed = modules.map(({ kind, bytes, bootargs }): PlacedModule => {
    const address = Math.max(middle, align(top, 2 * MiB)), size = bytes.length;
    top = address + size;
    if (top > end) throw new UserError(`the ${kind} (${size} bytes) does not fit after the image`, "use a larger --memory");
    placements.push({ address, bytes, size });
    return { kind, bootargs, address, size };
  });
  const devicetree = treeAtStart ? ramBase : align(Math.max(top, initrd ? 0 : middle), 2 * MiB);
  if (devicetree + DEVICETREE_WINDOW > end) {
    throw new UserError("no room for the devicetree after the image and the initrd", "use a larger --memory");
  }
  return { placements, entry, initrd: ramdisk, modules: placed, devicetree };
}

/** The memory of an image, and the address of its first instruction. */
interface PlacedImage {
  readonly placements: Placement[];
  readonly entry: number;
}

function placeElf(image: Uint8Array): PlacedImage {
  const { entry, segments } = readElf(image);
  return { entry, placements: segments.map(({ address, bytes, size }) => ({ address, bytes, size })) };
}

function placeRaw(image: Uint8Array, ramBase: number): PlacedImage {
  if (image.length === 0) throw new Error("the image is empty");
  return { entry: ramBase, placements: [{ address: ramBase, bytes: image, size: image.length }] };
}

function placeImage(file: Uint8Array, ramBase: number, ramSize: number, cpu: CpuPlan | undefined): PlacedImage {
  const { image, header } = unwrapImage(file, ramSize);
  checkKernel(header, cpu);
  const address = ramBase + (header.textOffset || 2 * MiB);
  return { entry: address, placements: [{ address, bytes: image, size: Math.max(header.imageSize, image.length) }] };
}

// The image of a running kernel, or of a hypervisor at EL2, as its vCPUs see it: the mappings
// around its exception vectors, which are in its code. A kernel that is a host (VHE) is in the
// regime of EL2, also while a vCPU executes a guest of it.

import { type DebugCore, hostRegime, type Regime, registersOf } from "../../cpu/core/interface.ts";
import { RAM_BASE } from "../../machine/hardware/memory-map.ts";
import type { Ram } from "../../machine/hardware/ram.ts";
import type { Vcpu } from "../../machine/hypervisor/inspect.ts";
import type { KernelMemory } from "./kallsyms.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import type { InPieces } from "../../kit/support/values/work.ts";

const PAGE = BigInt(PAGE_SIZE);
/**
 * Most pages of code and read-only data on either side of the vectors: no more than RAM has, as one
 * page may be mapped many times.
 */
const MOST_PAGES = 32_768;
/** Pages of a piece of the work, which takes some milliseconds. */
const PIECE_PAGES = 1024;
/** Virtual addresses of EL1's half, of at most 52 bits, have these. */
const EL1_HALF = 0xfff0_0000_0000_0000n;

/** The address of the RAM that a page of a vCPU's regime is mapped to. */
function pageAt(core: DebugCore, ram: Ram, { registers }: Vcpu, address: bigint, regime = hostRegime(registers)): number | undefined {
  const translation = core.questions.inspect(registers, address, "read", regime);
  return translation.ok && ram.contains(translation.pa, PAGE_SIZE) ? translation.pa : undefined;
}

/** The vectors of a vCPU's regime; without one of its kernel. */
export const kernelVectors = ({ registers }: Vcpu, regime = hostRegime(registers)): bigint =>
  registersOf(registers, regime).getRegister("VBAR_EL1");

/** The page of a vCPU's vectors. */
export const vectorsOf = (vcpu: Vcpu, regime?: Regime): bigint => kernelVectors(vcpu, regime) & ~(PAGE - 1n);

/** Whether a page of a vCPU is mapped to RAM. */
export function isMapped(core: DebugCore, ram: Ram, vcpu: Vcpu, page: bigint, regime?: Regime): boolean {
  return pageAt(core, ram, vcpu, page, regime) !== undefined;
}

/** Whether a vCPU has vectors, those of a kernel in the upper half, and they are mapped now. */
export function hasKernelMemory(core: DebugCore, ram: Ram, vcpu: Vcpu, regime?: Regime): boolean {
  const vectors = vectorsOf(vcpu, regime), isKernel = regime === undefined || regime === "EL1&0";
  return (isKernel ? vectors >= EL1_HALF : vectors !== 0n) && isMapped(core, ram, vcpu, vectors, regime);
}

/**
 * The image, in the guest's memory itself where its pages follow each other there, or else a copy;
 * undefined if the vCPU's vectors are unmapped.
 * @param stands whether nothing changes the memory before the image has been read; else it is a
 *   copy
 */
export function* readKernelMemory(
  core: DebugCore,
  ram: Ram,
  vcpu: Vcpu,
  stands: boolean,
  regime?: Regime,
): InPieces<KernelMemory | undefined> {
  const page = (address: bigint) => pageAt(core, ram, vcpu, address, regime);
  const most = Math.min(MOST_PAGES, (ram.map.ramEnd - RAM_BASE) / PAGE_SIZE);
  const middle = vectorsOf(vcpu, regime);
  const pagesFrom = function* (start: bigint, step: bigint): InPieces<number[]> {
    const pages: number[] = [];
    for (let at = start, one = page(at); one !== undefined && pages.length < most; at += step, one = page(at)) {
      pages.push(one);
      if (pages.length % PIECE_PAGES === 0) yield;
    }
    return pages;
  };
  const below = yield* pagesFrom(middle - PAGE, -PAGE), above = yield* pagesFrom(middle, PAGE);
  if (!above.length) return undefined;
  const pages = [...below.reverse(), ...above], [first] = pages, size = pages.length * PAGE_SIZE;
  const base = middle - BigInt(below.length) * PAGE;
  if (stands && pages.every((pa, index) => pa === first + index * PAGE_SIZE)) return { base, bytes: ram.bytes(first, size) };
  const bytes = new Uint8Array(size);
  for (const [index, pa] of pages.entries()) {
    bytes.set(ram.bytes(pa, PAGE_SIZE), index * PAGE_SIZE);
    if (index % PIECE_PAGES === 0) yield;
  }
  return { base, bytes };
}

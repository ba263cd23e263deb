// The image of a running kernel as its vCPUs see it: the mappings around the exception vectors,
// which are in the kernel's code.

import type { DebugCore } from "../core/interface.ts";
import { RAM_BASE } from "../machine/memory-map.ts";
import type { Ram } from "../machine/ram.ts";
import type { Vcpu } from "../hypervisor/inspect.ts";
import type { KernelMemory } from "./kallsyms.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

const PAGE = BigInt(PAGE_SIZE);
/**
 * Most pages of code and read-only data on either side of the vectors: no more than RAM has, as one
 * page may be mapped many times.
 */
const MOST_PAGES = 32_768;
/** Virtual addresses of EL1's half have these bits. */
const UPPER_HALF = 0xffff_0000_0000_0000n;

/**
 * The image, in the guest's memory itself where its pages follow each other there, or else a copy;
 * undefined if the vCPU has no vectors in the upper half, or they are unmapped now.
 */
export function readKernelMemory(core: DebugCore, ram: Ram, { registers }: Vcpu): KernelMemory | undefined {
  const vectors = registers.getRegister("VBAR_EL1");
  if (vectors < UPPER_HALF) return undefined;
  const page = (address: bigint): number | undefined => {
    const translation = core.inspect(registers, address);
    return translation.ok && ram.contains(translation.pa, PAGE_SIZE) ? translation.pa : undefined;
  };
  const most = Math.min(MOST_PAGES, (ram.map.ramEnd - RAM_BASE) / PAGE_SIZE);
  const middle = vectors & ~(PAGE - 1n);
  const below: number[] = [], above: number[] = [];
  for (let at = middle - PAGE, one = page(at); one !== undefined && below.length < most; at -= PAGE, one = page(at)) below.push(one);
  for (let at = middle, one = page(at); one !== undefined && above.length < most; at += PAGE, one = page(at)) above.push(one);
  if (!above.length) return undefined;
  const pages = [...below.reverse(), ...above], [first] = pages, size = pages.length * PAGE_SIZE;
  const base = middle - BigInt(below.length) * PAGE;
  if (pages.every((pa, index) => pa === first + index * PAGE_SIZE)) return { base, bytes: ram.bytes(first, size) };
  const bytes = new Uint8Array(size);
  pages.forEach((pa, index) => bytes.set(ram.bytes(pa, PAGE_SIZE), index * PAGE_SIZE));
  return { base, bytes };
}

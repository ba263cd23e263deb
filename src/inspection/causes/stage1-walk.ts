// The walk of stage 1 for a virtual address, as the core makes it (core/memory/mmu.ts), with the
// descriptor at which it ended. Arm ARM D5.2.

import type { VcpuState } from "../../core/interface.ts";
import type { WalkEnd } from "../../queries/facts/exception-cause.ts";
import { hex } from "../../support/number-text.ts";

/** Reads 8 bytes of a VM's memory; undefined where it has none. */
export type ReadIpa = (ipa: bigint) => bigint | undefined;

/** The end of a walk: a descriptor, or the reason why none was read. */
export type Walk =
  | { readonly end: "disabled" | "outside"; readonly ttbr: WalkEnd["ttbr"]; readonly bits: number }
  | { readonly end: "invalid" | "unreadable" | "leaf"; readonly at: WalkEnd; readonly rights: LeafRights };

/** Rights that a leaf and the tables above it give. */
export interface LeafRights {
  readonly el0: string;
  readonly el1: string;
  /** AP[1]: memory of EL0, which PSTATE.PAN denies to EL1. */
  readonly user: boolean;
  /** Index into MAIR_EL1. */
  readonly attributes: number;
}

const NO_RIGHTS: LeafRights = { el0: "", el1: "", user: false, attributes: 0 };

const PAGE_SHIFTS = { tg0: [12, 16, 14, 12], tg1: [12, 14, 12, 16] } as const;
const LAST_LEVEL = 3;
const DESCRIPTOR_SHIFT = 3;
const ADDRESS = 0x0000_ffff_ffff_f000n;
const SMALLEST_TSZ = 16, LARGEST_TSZ = 39;

const field = (value: bigint, shift: number, bits: number) => Number(value >> BigInt(shift) & (1n << BigInt(bits)) - 1n);

/** @param pageShifts log2 of the page sizes that the CPU has */
export function walkStage1(registers: VcpuState, va: bigint, read: ReadIpa, pageShifts: readonly number[]): Walk {
  const high = field(va, 55, 1), tcr = registers.getRegister("TCR_EL1");
  const half = tcr >> BigInt(high * 16), ttbr = high ? "TTBR1_EL1" as const : "TTBR0_EL1" as const;
  const bits = 64 - Math.min(LARGEST_TSZ, Math.max(SMALLEST_TSZ, field(half, 0, 6)));
  const address = field(tcr, 37 + high, 1) ? BigInt.asIntN(56, va) : BigInt.asIntN(64, va);
  if (address >> BigInt(bits) !== -BigInt(high)) return { end: "outside", ttbr, bits };
  if (field(half, 7, 1)) return { end: "disabled", ttbr, bits };
  const wanted = high ? PAGE_SHIFTS.tg1[field(tcr, 30, 2)] : PAGE_SHIFTS.tg0[field(tcr, 14, 2)];
  const page = pageShifts.includes(wanted) ? wanted : 12, indexBits = page - DESCRIPTOR_SHIFT;
  let level = LAST_LEVEL - Math.ceil((bits - page) / indexBits) + 1;
  let shift = page + (LAST_LEVEL - level) * indexBits, width = bits - shift;
  let table = registers.getRegister(ttbr) & 0x0000_ffff_ffff_fffen & -(8n << BigInt(width)), controls = 0;
  for (;; level++, shift -= indexBits, width = indexBits) {
    const entry = table | BigInt(field(BigInt.asUintN(64, address), shift, width)) << 3n;
    const descriptor = read(entry);
    const at = { ttbr, level, entry: hex(entry), descriptor: descriptor === undefined ? null : hex(descriptor, 16) };
    if (descriptor === undefined) return { end: "unreadable", at, rights: NO_RIGHTS };
    const kind = field(descriptor, 0, 2);
    if (!(kind & 1) || level === LAST_LEVEL && kind === 1) return { end: "invalid", at, rights: NO_RIGHTS };
    if (level === LAST_LEVEL || kind === 1) return { end: "leaf", at, rights: rightsOf(descriptor, controls, registers) };
    table = descriptor & ADDRESS & -(1n << BigInt(page));
    controls |= field(descriptor, 59, 4);
  }
}

/** Bits of `controls`: PXNTable, XNTable, APTable[0] (no EL0), APTable[1] (no writes). */
const Table = { pxn: 1, xn: 2, noUser: 4, noWrite: 8 } as const;
const SCTLR_WXN = 19;

function rightsOf(descriptor: bigint, controls: number, registers: VcpuState): LeafRights {
  const user = field(descriptor, 6, 1) === 1 && !(controls & Table.noUser);
  const writable = field(descriptor, 7, 1) === 0 && !(controls & Table.noWrite);
  const wxn = writable && field(registers.getRegister("SCTLR_EL1"), SCTLR_WXN, 1) === 1;
  const executable = (bit: number, tableBit: number) => !field(descriptor, bit, 1) && !(controls & tableBit) && !wxn;
  const text = (read: boolean, write: boolean, execute: boolean) => `${read ? "r" : ""}${write ? "w" : ""}${execute ? "x" : ""}`;
  // Memory that EL0 may write is not executable at EL1.
  const el1x = executable(53, Table.pxn) && !(user && writable);
  return {
    el0: text(user, user && writable, executable(54, Table.xn)),
    el1: text(true, writable, el1x),
    user,
    attributes: field(descriptor, 2, 3),
  };
}

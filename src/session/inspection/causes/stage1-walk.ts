// The walk of stage 1 for a virtual address, as the core makes it (cpu/core/memory/mmu.ts), with
// the descriptor at which it ended. Arm ARM D5.2.

import type { VcpuState } from "../../../cpu/core/interface.ts";
import { areWalksOff, isInHalf, type ReadEntry, type Sizes, untagged, walkTables } from "../../../kit/formats/page-tables.ts";
import type { WalkEnd } from "../../../model/queries/facts/exception-cause.ts";
import { type LeafRights, rightsOf, tablesOfHalf } from "../readers/guest/stage1.ts";
import { field } from "../../../kit/support/values/bits.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** The end of a walk: a descriptor, or the reason why none was read. */
export type Walk =
  | { readonly end: "disabled" | "outside"; readonly ttbr: WalkEnd["ttbr"]; readonly bits: number }
  | { readonly end: "invalid" | "unreadable" | "leaf"; readonly at: WalkEnd; readonly rights: LeafRights };

const NO_RIGHTS: LeafRights = { el0: "", el1: "", user: false, attributes: 0 };

/** @param sizes those that the CPU has */
export function walkStage1(registers: VcpuState, va: bigint, read: ReadEntry, sizes: Sizes): Walk {
  const upper = field(va, 55, 1) === 1, tcr = registers.getRegister("TCR_EL1");
  const ttbr = upper ? "TTBR1_EL1" as const : "TTBR0_EL1" as const, address = untagged(va, tcr);
  const tables = tablesOfHalf(registers, upper, sizes);
  if (!isInHalf(tables, address)) return { end: "outside", ttbr, bits: tables.bits };
  if (areWalksOff(tcr, upper)) return { end: "disabled", ttbr, bits: tables.bits };
  const end = walkTables(tables, address, read);
  const { kind, level, entry, value } = end;
  if (kind === "table") throw new Error("a walk does not end at a table");
  const at = { ttbr, level, entry: hex(entry), descriptor: value === undefined ? null : hex(value, 16) };
  return { end: kind, at, rights: kind === "leaf" ? rightsOf(end, registers) : NO_RIGHTS };
}

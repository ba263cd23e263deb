// The walk of stage 1 for a virtual address, as the core makes it (cpu/core/memory/mmu.ts), with
// the descriptor at which it ended. Arm ARM D5.2.

import { Sctlr, type VcpuState } from "../../../cpu/core/interface.ts";
import { addressSizesOf } from "../../../cpu/isa/cpus/address-sizes.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { areWalksOff, isInHalf, outputOf, type ReadEntry, type Sizes, untagged, walkTables } from "../../../kit/formats/page-tables.ts";
import type { FaultingAccess, WalkEnd } from "../../../model/queries/facts/exception-cause.ts";
import { entriesOf, type LeafRights, rightsOf, type Stage1Registers, tablesOfHalf } from "../readers/guest/stage1.ts";
import type { View } from "../readers/inspected.ts";
import { field } from "../../../kit/support/values/bits.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** The end of a walk: a descriptor, or the reason why none was read. */
export type Walk =
  | { readonly end: "disabled" | "outside"; readonly ttbr: WalkEnd["ttbr"]; readonly bits: number }
  | { readonly end: "invalid" | "unreadable"; readonly at: WalkEnd; readonly rights: LeafRights }
  /** `output`: the address that it gives. */
  | { readonly end: "leaf"; readonly at: WalkEnd; readonly rights: LeafRights; readonly output: number };

/** The descriptor at which a walk ended. */
export const endOf = (walk: Walk | undefined): WalkEnd | undefined => walk && "at" in walk ? walk.at : undefined;

const NO_RIGHTS: LeafRights = { el0: "", el1: "", user: false, attributes: 0 };

export const isStage1On = ({ registers }: Vcpu): boolean => (registers.getRegister("SCTLR_EL1") & BigInt(Sctlr.M)) !== 0n;

/** Whether TTBR1_EL1 has the tables for an address. */
export const isInUpperHalf = (va: bigint): boolean => field(va, 55, 1) === 1;

/** The right that an access needs, as `LeafRights` have it. */
export const rightFor = ({ kind }: FaultingAccess) => kind === "instruction fetch" ? "x" : kind === "load" ? "r" : "w";

/** Those of a CPU. */
export type Features = Parameters<typeof addressSizesOf>[0];

/**
 * The walk of stage 1 for an address; undefined while stage 1 is off.
 * @param tcr TCR_EL1, by default as it is
 * @param features by default those of the CPU
 */
export function walkOf(view: View, vcpu: Vcpu, va: bigint, tcr?: bigint, features?: Features): Walk | undefined {
  if (!isStage1On(vcpu)) return undefined;
  const { registers } = vcpu, sizes = addressSizesOf(view.system.symbols.core.cpu.features);
  const read = entriesOf(vcpu, view.hypervisor.machine.ram, sizes);
  const getRegister: VcpuState["getRegister"] = (name) => name === "TCR_EL1" && tcr !== undefined ? tcr : registers.getRegister(name);
  return walkStage1({ getRegister }, va, read, features ? addressSizesOf(features) : sizes);
}

/** @param sizes those that the CPU has */
function walkStage1(registers: Stage1Registers, va: bigint, read: ReadEntry, sizes: Sizes): Walk {
  const upper = isInUpperHalf(va), tcr = registers.getRegister("TCR_EL1");
  const ttbr = upper ? "TTBR1_EL1" as const : "TTBR0_EL1" as const, address = untagged(va, tcr);
  const tables = tablesOfHalf(registers, upper, sizes);
  if (!isInHalf(tables, address)) return { end: "outside", ttbr, bits: tables.bits };
  if (areWalksOff(tcr, upper)) return { end: "disabled", ttbr, bits: tables.bits };
  const end = walkTables(tables, address, read);
  const { kind, level, entry, value } = end;
  if (kind === "table") throw new Error("a walk does not end at a table");
  const at = { ttbr, level, entry: hex(entry), descriptor: value === undefined ? null : hex(value, 16) };
  if (kind !== "leaf") return { end: kind, at, rights: NO_RIGHTS };
  return { end: kind, at, rights: rightsOf(end, registers), output: outputOf(end, address) };
}

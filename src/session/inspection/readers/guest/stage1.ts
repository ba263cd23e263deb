// Stage 1 as a vCPU has it: where its tables are, how they are read, and the rights that they give
// (Arm ARM D5.2, D5.4). Its registers are those of a translation regime, by the names of EL1's.

import type { VcpuState } from "../../../../cpu/core/interface.ts";
import { type Descriptor, type ReadEntry, type Sizes, TableControl, type Tables, tablesOf } from "../../../../kit/formats/page-tables.ts";
import type { Hypervisor, Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { field } from "../../../../kit/support/values/bits.ts";
import { entriesAt, stage2Of } from "./stage2.ts";

/** Registers that decide a translation. */
export type Stage1Registers = Pick<VcpuState, "getRegister">;

/** Rights that a leaf and the tables above it give. */
export interface LeafRights {
  readonly el0: string;
  /** Of EL1, or of EL2 in a regime of EL2. */
  readonly el1: string;
  /** AP[1]: memory of EL0, which PSTATE.PAN denies to EL1. */
  readonly user: boolean;
  /** Index into MAIR_EL1. */
  readonly attributes: number;
}

/** Reads descriptors through all stages 2 of a vCPU. */
export const entriesOf = (vcpu: Vcpu, ram: Hypervisor["machine"]["ram"], sizes: Sizes): ReadEntry =>
  entriesAt(stage2Of(vcpu, ram, sizes), ram);

/** The tables of a half of the addresses. */
export function tablesOfHalf(registers: Stage1Registers, upper: boolean, sizes: Sizes): Tables {
  return tablesOf(registers.getRegister(upper ? "TTBR1_EL1" : "TTBR0_EL1"), registers.getRegister("TCR_EL1"), upper, sizes);
}

/** MAIR_EL1's attributes of memory that is not cached at all, and of Device memory (D19.2.92). */
const NON_CACHEABLE = 0x44, NORMAL = 0xf0;

/** The kind of memory of an index into MAIR_EL1. */
export function memoryKind(mair: bigint, index: number): "normal" | "uncached" | "device" {
  const attribute = field(mair, 8 * index, 8);
  return !(attribute & NORMAL) ? "device" : attribute === NON_CACHEABLE ? "uncached" : "normal";
}

const SCTLR_WXN = 19;

/** Of a leaf and of the tables above it: XN and PXN. */
const XN = [54, TableControl.xn] as const, PXN = [53, TableControl.pxn] as const;

/**
 * The rights of a leaf, with what the tables above it take away.
 * @param isSingle the regime has no EL0: EL2's without E2H, whose XN is where that of EL0 is
 */
export function rightsOf({ value: descriptor = 0n, controls }: Descriptor, registers: Stage1Registers, isSingle = false): LeafRights {
  const user = !isSingle && field(descriptor, 6, 1) === 1 && !(controls & TableControl.noUser);
  const writable = field(descriptor, 7, 1) === 0 && !(controls & TableControl.noWrite);
  const wxn = writable && field(registers.getRegister("SCTLR_EL1"), SCTLR_WXN, 1) === 1;
  const executable = ([bit, table]: typeof XN | typeof PXN) => !field(descriptor, bit, 1) && !(controls & table) && !wxn;
  const text = (read: boolean, write: boolean, execute: boolean) => `${read ? "r" : ""}${write ? "w" : ""}${execute ? "x" : ""}`;
  // Memory that EL0 may write is not executable at EL1.
  const el1x = executable(isSingle ? XN : PXN) && !(user && writable);
  return {
    el0: isSingle ? "" : text(user, user && writable, executable(XN)),
    el1: text(true, writable, el1x),
    user,
    attributes: field(descriptor, 2, 3),
  };
}

// Why stage 2 of a hypervisor at EL2 did not permit an access of its guest: where the walk of
// VTTBR_EL2's tables ends, when the guest has just left. Arm ARM D5.4 (stage 2), D5.2.3.

import { AbortSyndrome, faultOf, FaultStatus, type VcpuState } from "../../../cpu/core/interface.ts";
import { addressSizesOf } from "../../../cpu/isa/cpus/address-sizes.ts";
import { type Descriptor, isInHalf, type ReadEntry, type Tables, walkTables } from "../../../kit/formats/page-tables.ts";
import { stage2Rights, stage2TablesOf } from "../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

type CpuFeatures = Parameters<typeof addressSizesOf>[0];

/** Memory of the VM with the hypervisor, and what its CPU has. */
export interface StageMemory {
  readonly read: ReadEntry;
  readonly features: CpuFeatures;
}

/** The fault in words, and the descriptor at which the walk ended, if there is one. */
interface Stage2Fault {
  readonly because: string;
  readonly descriptor?: { readonly at: string; readonly level: number; readonly value: string };
}

/** Why an access to an IPA aborted; undefined: not by the tables, such as an external abort. */
export function stage2Fault(vcpu: VcpuState, esr: number, ipa: bigint, { read, features }: StageMemory): Stage2Fault | undefined {
  const { kind } = faultOf(esr & AbortSyndrome.FscMask), fault = FAULTS[kind];
  if (!fault) return undefined;
  const tables = stage2TablesOf(vcpu.getRegister("VTTBR_EL2"), vcpu.getRegister("VTCR_EL2"), addressSizesOf(features));
  if (!isInHalf(tables, ipa)) return { because: `the IPA has more bits than VTCR_EL2.T0SZ gives: ${tables.bits}` };
  const end = walkTables(tables, ipa, read), because = fault(end, tables, features), { entry, level, value } = end;
  if (value === undefined) return { because: `the level ${level} descriptor at ${hex(entry)} is outside of memory` };
  return { because: `the level ${level} descriptor ${because}`, descriptor: { at: hex(entry), level, value: hex(value) } };
}

type FaultWords = (end: Descriptor, tables: Tables, features: CpuFeatures) => string;

/** Words for a descriptor, by the kind of the fault. */
const FAULTS: { readonly [kind: number]: FaultWords | undefined } = {
  // The hypervisor may have written a leaf since the access.
  [FaultStatus.Translation]: ({ kind }) => kind === "invalid" ? "is invalid" : "maps it now, but did not at the access",
  [FaultStatus.AccessFlag]: () => "has AF 0",
  [FaultStatus.Permission]: (end, _, features) => `permits ${stage2Rights(end, features.has("FEAT_XNX"))}`,
  [FaultStatus.AddressSize]: () => "has an address above VTCR_EL2.PS",
};

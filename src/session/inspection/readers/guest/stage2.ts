// Stage 2 as a vCPU has it: the VM's own, by the hypervisor's object, and on a CPU that executes
// EL2 below that the tables of VTTBR_EL2, which translate for its guests.

import { Hcr, regimeOf, type VcpuState } from "../../../../cpu/core/interface.ts";
import { isInHalf, outputOf, type ReadEntry, type Sizes, type Tables, walkTables } from "../../../../kit/formats/page-tables.ts";
import { stage2TablesOf } from "../../../../kit/formats/stage2-tables.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import type { AddressSpace, Hypervisor } from "../../../../machine/hypervisor/inspect.ts";

type Ram = Pick<Hypervisor["machine"]["ram"], "contains" | "bytes">;
/** The physical address of an intermediate physical one; undefined where nothing is mapped. */
type PhysicalAddress = (ipa: number) => number | undefined;

const ENTRY_SIZE = 8;

/** Reads descriptors of 8 bytes at addresses that `at` makes physical. */
export const entriesAt = (at: PhysicalAddress, ram: Ram): ReadEntry => (ipa) => {
  const pa = at(ipa);
  if (pa === undefined || !ram.contains(pa, ENTRY_SIZE)) return undefined;
  const bytes = ram.bytes(pa, ENTRY_SIZE);
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
};

/** Stage 2 of a VM. */
export const inSpace = ({ stage2 }: Pick<AddressSpace, "stage2">): PhysicalAddress => (ipa) => {
  const page = stage2.lookup(ipa);
  return page && page.pa + ipa % PAGE_SIZE;
};

/** The tables of VTTBR_EL2. */
const guestTablesOf = (registers: Pick<VcpuState, "getRegister">, sizes: Pick<Sizes, "granules">): Tables =>
  stage2TablesOf(registers.getRegister("VTTBR_EL2"), registers.getRegister("VTCR_EL2"), sizes);

/** Both stages 2 of a guest of EL2: its tables, and below them the stage 2 of the VM. */
function throughGuest(tables: Tables, below: PhysicalAddress, ram: Ram): PhysicalAddress {
  const read = entriesAt(below, ram);
  return (ipa) => {
    const address = BigInt(ipa);
    if (!isInHalf(tables, address)) return undefined;
    const end = walkTables(tables, address, read);
    return end.kind === "leaf" ? below(outputOf(end, address)) : undefined;
  };
}

/** All of stage 2 that a vCPU's accesses pass now. */
export function stage2Of(
  { space, registers }: { readonly space: Pick<AddressSpace, "stage2">; readonly registers: VcpuState },
  ram: Ram,
  sizes: Pick<Sizes, "granules">,
): PhysicalAddress {
  const below = inSpace(space), hasTables = registers.hasEl2 && (registers.getRegister("HCR_EL2") & (Hcr.VM | Hcr.DC)) !== 0n;
  return hasTables && regimeOf(registers) === "EL1&0" ? throughGuest(guestTablesOf(registers, sizes), below, ram) : below;
}

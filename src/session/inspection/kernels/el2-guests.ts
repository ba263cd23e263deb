// The VMs of a hypervisor that runs inside a VM, at EL2 of its vCPUs: found by the values that
// VTTBR_EL2 and VMPIDR_EL2 have below EL2, now or at an entry before; their memory by walks of
// their tables. Registers are certain; that a VM which EL2 entered before still exists is not.
// Arm ARM D13.2.149 (VMPIDR_EL2), D13.2.150 (VTTBR_EL2); docs/design/el2.md §11.

import { Hcr, isBelowEl2, type VcpuState } from "../../../cpu/core/interface.ts";
import { addressSizesOf } from "../../../cpu/isa/cpus/address-sizes.ts";
import { leavesOf, outputOf, type ReadEntry } from "../../../kit/formats/page-tables.ts";
import { baseOf, stage2Rights, stage2TablesOf, vmidOf } from "../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { field } from "../../../kit/support/values/bits.ts";
import { Work } from "../../../kit/support/values/work.ts";
import type { AddressSpace, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Json, RowOf } from "../../../model/queries/table.ts";
import type { VMS } from "../../../model/queries/tables.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { entriesAt, inSpace } from "../readers/guest/stage2.ts";

/** Descriptors that are read for one answer: a guest's tables may form a cycle. */
const ENTRIES_MAX = 4_000_000;

type NotedGuest = VcpuState["guests"]["entries"][number];

/** A vCPU of such a VM. */
interface GuestVcpu {
  readonly vmpidr: bigint;
  /** The vCPU of the outer VM whose registers are its own now; undefined: none. */
  readonly on: Vcpu | undefined;
  /** Whether that executes it, and not EL2. */
  readonly runs: boolean;
}

/** A VM of a hypervisor at EL2. */
interface El2Guest {
  readonly vmid: number;
  readonly vttbr: bigint;
  readonly vtcr: bigint;
  readonly vcpus: readonly GuestVcpu[];
  /** A vCPU has its VTTBR_EL2 now. */
  readonly certain: boolean;
}

const guestKey = ({ vttbr, vtcr }: Pick<NotedGuest, "vttbr" | "vtcr">) => `${vmidOf(vttbr, vtcr)} ${baseOf(vttbr)}`;

/** The guest that a vCPU's registers are set for; undefined: none, as stage 2 is off. */
function loadedGuest(registers: VcpuState): NotedGuest | undefined {
  if ((registers.getRegister("HCR_EL2") & (Hcr.VM | Hcr.TGE)) !== Hcr.VM) return undefined;
  const [vttbr, vmpidr, vtcr] = (["VTTBR_EL2", "VMPIDR_EL2", "VTCR_EL2"] as const).map((name) => registers.getRegister(name));
  return { vttbr, vmpidr, vtcr };
}

/** The VMs that the hypervisor in a VM has entered, by VMID; undefined if its vCPUs have no EL2. */
function el2Guests(view: View, space: AddressSpace): readonly El2Guest[] | undefined {
  const vcpus = view.vcpus().filter(({ addressSpace, native, registers }) => addressSpace === space && !native && registers.hasEl2);
  if (!vcpus.length) return undefined;
  const loaded = vcpus.map((vcpu) => ({ vcpu, guest: loadedGuest(vcpu.registers) }));
  const entered = vcpus.flatMap(({ registers }) => {
    const { latest, entries } = registers.guests;
    return [...entries.slice(latest + 1), ...entries.slice(0, latest + 1)];
  });
  const now = loaded.flatMap(({ guest }) => guest && entered.some((one) => guestKey(one) === guestKey(guest)) ? [guest] : []);
  return [...Map.groupBy([...entered, ...now], guestKey).values()].map((same): El2Guest => {
    const { vttbr, vtcr } = same[same.length - 1];
    const has = (guest: NotedGuest | undefined) => guest !== undefined && guestKey(guest) === guestKey(same[0]);
    const numbers = [...new Set(same.map(({ vmpidr }) => vmpidr))].sort((a, b) => Number(a - b));
    return {
      vmid: vmidOf(vttbr, vtcr),
      vttbr,
      vtcr,
      certain: loaded.some(({ guest }) => has(guest)),
      vcpus: numbers.map((vmpidr): GuestVcpu => {
        const on = loaded.find(({ guest }) => has(guest) && guest?.vmpidr === vmpidr)?.vcpu;
        return { vmpidr, on, runs: on !== undefined && isBelowEl2(on.registers) };
      }),
    };
  }).sort((a, b) => a.vmid - b.vmid);
}

/** Aff3 to Aff0 of MPIDR_EL1. */
const AFFINITY_SHIFTS = [32, 16, 8, 0];

/** Fields of MPIDR_EL1 from the highest that is not zero on: `1.0`. */
export function affinityText(vmpidr: bigint): string {
  const levels = AFFINITY_SHIFTS.map((shift) => field(vmpidr, shift, 8)), first = levels.findIndex((level) => level !== 0);
  return levels.slice(first < 0 ? -1 : first).join(".");
}

/** The columns of a VM. */
export function el2GuestColumns(view: View, vmid: string | null): Pick<RowOf<typeof VMS>, "guests" | "guest_vms"> {
  const space = vmid === null ? undefined : view.hypervisor.addressSpaces.get(Number(vmid)), guests = space && el2Guests(view, space);
  return guests ? { guests: textsOf(view, guests), guest_vms: valuesOf(view, guests) } : { guests: null, guest_vms: null };
}

/** Each of them in a line. */
function textsOf(view: View, guests: readonly El2Guest[]): string[] {
  return guests.map(({ vmid, vttbr, vcpus, certain }) => {
    const where = vcpus.map(({ vmpidr, on, runs }) => {
      const place = on ? `${runs ? "on" : "exited on"} ${view.vcpu(on)}` : "left";
      return `vCPU ${affinityText(vmpidr)} ${place}`;
    });
    return `VMID ${vmid} tables ${hex(baseOf(vttbr))}: ${where.join(", ")}${certain ? "" : " (inferred: entered before)"}`;
  });
}

/** The same as values. */
const valuesOf = (view: View, guests: readonly El2Guest[]): Json =>
  guests.map(({ vmid, vttbr, vcpus, certain }) => ({
    vmid,
    tables: hex(baseOf(vttbr)),
    certain,
    vcpus: vcpus.map(({ vmpidr, on, runs }) => ({ vmpidr: hex(vmpidr), on: on ? view.vcpu(on) : null, runs })),
  }));

/**
 * Where the guests of a VM's hypervisor have a page of the VM, by walks of their tables; undefined
 * if it has no hypervisor.
 */
export function el2Mappings(view: View, space: AddressSpace, page: number): readonly string[] | undefined {
  const { features } = view.system.symbols.core.cpu, sizes = addressSizesOf(features);
  const memory = entriesAt(inSpace(space), view.hypervisor.machine.ram);
  return el2Guests(view, space)?.flatMap(({ vmid, vttbr, vtcr, certain }) => {
    const work = new Work(ENTRIES_MAX, () => new QueryError(`the tables of VMID ${vmid} have more than ${ENTRIES_MAX} entries`));
    const read: ReadEntry = (ipa) => (work.spend(), memory(ipa));
    const found: string[] = [];
    for (const { address, leaf } of leavesOf(stage2TablesOf(vttbr, vtcr, sizes), read)) {
      const offset = page - outputOf(leaf, 0n);
      if (offset < 0 || offset >= 2 ** leaf.shift) continue;
      const rights = stage2Rights(leaf, features.has("FEAT_XNX"));
      found.push(`VMID ${vmid} ${hex(address + BigInt(offset))} ${rights}${certain ? "" : " (inferred)"}`);
    }
    return found;
  });
}

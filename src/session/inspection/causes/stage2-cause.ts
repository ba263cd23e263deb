// Why nothing answered an access that left the tables of stage 1: the memory of its VM, as stage 2
// maps it and as parcels move it, and the devices at the address (docs/spec/hypervisor.md §6.8).

import { loadStoreSyndrome, Stage2Flags } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { ExceptionCause, FaultingAccess } from "../../../model/queries/facts/exception-cause.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { nameOf, paId, parcelId, vmId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { readOwner } from "../readers/objects/read-memory.ts";
import { Vmid } from "../readers/guest-names.ts";
import { decode } from "../../../cpu/isa/decode.ts";
import { branchedBy } from "./branched.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import type { Taken } from "./taken.ts";

/** The CPU interface of a GICv2 on QEMU's virt: drivers that have it built in find nothing here. */
const GICC = 0x0801_0000, GICC_SIZE = 0x1_0000;

/** Ranges of a VM's memory that a cause names. */
const RANGES_NAMED = 4;

export const STAGE2_RULES = [causeRule({
  codes: [
    ...["jump-to-devices", "device-refuses", "not-emulated", "gicv2-interface", "no-device", "no-right"] as const,
    ...["nobody-serves", "given-since", "lent", "not-given"] as const,
  ],
  asks: "what has the VM at the address: memory, a device, or what another VM has of it?",
  judge: stage2Cause,
})];

type Stage2Cause = OfCode<
  ExceptionCause,
  | ("jump-to-devices" | "device-refuses" | "not-emulated" | "gicv2-interface" | "no-device")
  | ("no-right" | "nobody-serves" | "given-since" | "lent" | "not-given")
>;

function stage2Cause({ view, vcpu, taken, word, access }: Suspect): Stage2Cause {
  const { symbols: { core }, hypervisor: { machine: { ram } } } = view.system;
  const { space } = vcpu, then = keptAbort(vcpu, taken);
  const ipa = then?.ipa ?? core.questions.inspect(vcpu.registers, taken.far).ipa, at = hex(ipa), vm = view.vmOf(space);
  const isPlain = word !== undefined && loadStoreSyndrome(word) !== 0;
  const device = space.deviceAt(ipa), now = space.stage2.lookup(ipa), page = then ? then.page : now;
  const mapped = page ?? now, isMemory = mapped !== undefined && ram.contains(mapped.pa, 1);
  if (access.kind === "instruction fetch" && !isMemory) {
    return lentAway(view, vcpu, access, ipa) ?? {
      code: "jump-to-devices",
      address: access.address,
      ipa: at,
      by: branchedBy(view, vcpu, taken.far),
      linked: linkedElsewhere(view, vcpu, ipa),
    };
  }
  if (device) {
    return isPlain
      ? { code: "device-refuses", access, ipa: at, device: device.device.name }
      : { code: "not-emulated", access, ipa: at, by: "the hypervisor" };
  }
  if (ipa >= GICC && ipa < GICC + GICC_SIZE) return { code: "gicv2-interface", access, ipa: at };
  if (page && !ram.contains(page.pa, 1)) {
    const pa = paId(page.pa + ipa % 0x1000);
    return isPlain ? { code: "no-device", access, pa } : { code: "not-emulated", access, ipa: at, by: "the bus" };
  }
  if (page) return withoutRight(view, access, at, page);
  if (space.isVmmio(ipa, access.size ?? 1)) {
    const schedule = view.system.vms.planned(nameOf(vm))?.schedule ?? "proxy";
    if (schedule === "proxy" && !isPlain) return { code: "not-emulated", access, ipa: at, by: "its VMM" };
    return { code: "nobody-serves", access, ipa: at, vm, schedule };
  }
  if (now) return givenSince(view, access, at, now);
  return lentAway(view, vcpu, access, ipa) ??
    { code: "not-given", access, ipa: at, stage1: at !== access.address, memory: memoryOf(vcpu) };
}

/** Images are linked for multiples of this. */
const LINKED_FOR = 0x1_0000;

/** The code of a VM's image at the offset of an address from the base that it may be linked for. */
function linkedElsewhere(view: View, { space }: Vcpu, ipa: number): { readonly place: string; readonly base: string } | null {
  const offset = ipa % LINKED_FOR, loadedWord = (at: number) => view.system.vms.loadedWord(view.vmNameOf(space), at);
  const base = space.stage2.entries().map((entry) => entry.ipa).find((start) => loadedWord(start) !== undefined);
  const word = base === undefined || offset === 0 ? undefined : loadedWord(base + offset);
  return base === undefined || !word || decode(word) === undefined ? null : { place: hex(base + offset), base: hex(base) };
}

/** The abort as the hypervisor made it, unless the vCPU has taken another one since. */
function keptAbort({ externalAbort }: Vcpu, { esr, elr, far }: Taken) {
  return externalAbort?.esr === esr && externalAbort.pc === elr && externalAbort.far === far ? externalAbort : undefined;
}

interface Mapped {
  readonly pa: number;
  readonly flags: number;
}

function rightsOf({ flags }: Mapped): string {
  const has = (bit: number, letter: string) => flags & bit ? letter : "";
  return has(Stage2Flags.Read, "r") + has(Stage2Flags.Write, "w") + has(Stage2Flags.ExecuteEl1, "x") || "without rights";
}

/** A mapping that does not give the right to this access. */
function withoutRight(view: View, access: FaultingAccess, ipa: string, page: Mapped): Stage2Cause {
  const [row] = readOwner(view, paId(page.pa));
  return { code: "no-right", access, ipa, rights: rightsOf(page), owner: row?.owner ?? vmId("?"), parcel: row?.parcel ?? null };
}

/** Memory that came after the access. */
function givenSince(view: View, access: FaultingAccess, ipa: string, page: Mapped): Stage2Cause {
  const [row] = readOwner(view, paId(page.pa));
  return { code: "given-since", access, ipa, rights: rightsOf(page), parcel: row?.parcel ?? null };
}

/** A VM's own memory that another VM has now. */
function lentAway(view: View, { space }: Vcpu, access: FaultingAccess, ipa: number): Stage2Cause | undefined {
  const parcel = view.parcels().find(({ owner, regions }) =>
    owner === space.vmid && regions.some(({ ownerIpa, size }) => ipa >= ownerIpa && ipa < ownerIpa + size)
  );
  if (!parcel) return undefined;
  const to = parcel.borrowers.filter(({ vmid }) => vmid !== Vmid.ResourceManager).map(({ vmid }) => view.vm(vmid));
  return { code: "lent", access, ipa: hex(ipa), parcel: parcelId(parcel.handle), to };
}

/** `0x80000000..0x803fffff rwx`: ranges that are mapped, neighbors with equal rights as one. */
function memoryOf({ space }: Vcpu): string[] {
  const ranges: { first: number; end: number }[] = [];
  for (const { ipa, size } of space.stage2.entries()) {
    const last = ranges.at(-1);
    if (last && last.end === ipa) last.end += size;
    else ranges.push({ first: ipa, end: ipa + size });
  }
  const named = ranges.sort((a, b) => (b.end - b.first) - (a.end - a.first)).slice(0, RANGES_NAMED);
  return named.sort((a, b) => a.first - b.first).map(({ first, end }) => `${hex(first)}..${hex(end - 1)}`);
}

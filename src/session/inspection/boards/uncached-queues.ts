// Memory of a virtqueue that a guest accesses past the caches: how its vCPUs have it now, by the
// translations in their TLBs.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { BoardFinding, QueuePart, UncachedKind } from "../../../model/queries/facts/board-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { formatId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { walkOf } from "../causes/stage1-walk.ts";
import type { View } from "../readers/inspected.ts";
import { memoryKind } from "../readers/guest/stage1.ts";

type Uncached = OfCode<BoardFinding, "queue-uncached">;

/** A part of a queue, at the address that the driver gave. */
export interface QueuePlace {
  readonly part: QueuePart;
  readonly ipa: number;
}

/**
 * The first of these parts that a vCPU of the VM accesses so. One that no TLB leads to is not
 * accessed now.
 */
export function uncachedPart(
  view: View,
  vcpus: readonly Vcpu[],
  places: readonly QueuePlace[],
): Pick<Uncached, "part" | "vcpu" | "address" | "ipa" | "memory"> | undefined {
  const { residency } = view.system.symbols.core;
  for (const vcpu of vcpus) {
    const pages = places.map(({ ipa }) => vcpu.space.stage2.lookup(ipa)?.pa);
    const entries = residency.leadingTo(vcpu.registers, new Set(pages.filter((pa) => pa !== undefined)));
    for (const [index, { part, ipa }] of places.entries()) {
      const offset = ipa % PAGE_SIZE;
      for (const { va, pa } of entries) {
        const memory = pa === pages[index] ? uncachedKind(view, vcpu, va, ipa - offset) : undefined;
        if (!memory) continue;
        const id = view.vcpu(vcpu), at = formatId({ kind: "ipa", vm: view.vmNameOf(vcpu.addressSpace), address: BigInt(ipa) });
        return { part, vcpu: id, address: hex(va | BigInt(offset)), ipa: at, memory };
      }
    }
  }
  return undefined;
}

/** The kind of memory of an address, if it leads to this page, and past the caches. */
function uncachedKind(view: View, vcpu: Vcpu, va: bigint, page: number): UncachedKind | undefined {
  const walk = walkOf(view, vcpu, va);
  if (walk?.end !== "leaf" || walk.output - walk.output % PAGE_SIZE !== page) return undefined;
  const kind = memoryKind(vcpu.registers.getRegister("MAIR_EL1"), walk.rights.attributes);
  return kind === "device" ? "Device" : kind === "uncached" ? "Normal Non-cacheable" : undefined;
}

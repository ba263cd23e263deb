// Verdicts on interrupts, whatever the vCPUs do, and evidence from the GIC. Drivers of another
// version of it write registers of the distributor that a GICv3 with affinity routing reserves (Arm
// IHI 0069, 12.9.26 and 12.9.39).

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { isBarrier } from "../../../model/queries/facts/irq-finding.ts";
import { irqId, nameOf } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { slotsOf } from "./source-states.ts";
import { evidenceRule, isSick, type Patient, type Verdict, verdictRule } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** Findings that a verdict lists. */
const FINDINGS_LISTED = 4;

/** Registers of a GICv2 by their first offset, from high to low, and those of a GICv3. */
const RESERVED: readonly (readonly [offset: number, name: string, use: string])[] = [
  [0xf00, "GICD_SGIR", "ICC_SGI1R_EL1"],
  [0x800, "GICD_ITARGETSR", "GICD_IROUTER"],
  [0x100, "GICD_ISENABLER0", "GICR_ISENABLER0 for INTIDs below 32, and ICC_*_EL1"],
];

/** The first such store of a VM, as evidence. */
function otherGic(view: View, vcpus: readonly Vcpu[]): OfCode<Evidence, "gicv2-driver">[] {
  const store = vcpus[0]?.gic.gic.reserved;
  const [offset, name, use] = RESERVED.find(([first]) => store !== undefined && store.offset >= first) ?? [];
  const vcpu = vcpus.find(({ index }) => index === store?.vcpu);
  if (!store || !vcpu || offset === undefined || name === undefined || use === undefined) return [];
  const register = offset === 0x800 ? `${name}${store.offset - offset >> 2}` : name;
  return [{ code: "gicv2-driver", register, at: rangeOf(view, vcpu, store.pc), use }];
}

/** An interrupt that comes again before the interrupted code moves. */
function storm({ view, vm, irqs }: Patient): Verdict<"irq-storm"> | undefined {
  for (const { id, source, fact } of irqs) {
    if (fact?.code !== "storm" && fact?.code !== "sgi-storm") continue;
    const name = nameOf(vm.id), device = slotsOf(view, name).find(({ intid }) => irqId(name, intid, 0) === id)?.id, by = device ?? source;
    return {
      fact: { code: "irq-storm", irq: id, finding: device === undefined ? fact : { code: "storm", source: device, virtio: true } },
      evidence: [{ code: "source", source: by }],
      next: hint("show", id),
    };
  }
  return undefined;
}

export const IRQ_RULES = [verdictRule({ codes: ["irq-storm"], of: "vm", judge: storm })];

export const DRIVER_EVIDENCE = [
  evidenceRule({ codes: ["gicv2-driver"], when: (_, verdict) => isSick(verdict), read: ({ view, vcpus }) => otherGic(view, vcpus) }),
];

/** Pending interrupts that cannot be delivered. */
export const BARRIER_EVIDENCE = [
  evidenceRule({
    codes: ["finding"],
    read: ({ irqs }) =>
      irqs.flatMap(({ id, fact, then }) => fact && isBarrier(fact) ? [{ code: "finding" as const, irq: id, finding: fact, then }] : [])
        .slice(0, FINDINGS_LISTED),
  }),
];

// Drivers of another version of the GIC: they write registers of the distributor that a GICv3 with
// affinity routing reserves (Arm IHI 0069, 12.9.26 and 12.9.39). Messages of which an ITS made
// nothing.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { rangeOf } from "./code-range.ts";
import type { Verdict } from "./verdict.ts";
import type { Sleep } from "./verdict-sleep.ts";

/** Registers of a GICv2 by their first offset, from high to low, and those of a GICv3. */
const RESERVED: readonly (readonly [offset: number, name: string, use: string])[] = [
  [0xf00, "GICD_SGIR", "ICC_SGI1R_EL1"],
  [0x800, "GICD_ITARGETSR", "GICD_IROUTER"],
  [0x100, "GICD_ISENABLER0", "GICR_ISENABLER0 for INTIDs below 32, and ICC_*_EL1"],
];

/** The first such store of a VM, as evidence. */
export function otherGic(view: View, vcpus: readonly Vcpu[]): Evidence[] {
  const store = vcpus[0]?.gic.gic.reserved;
  const [offset, name, use] = RESERVED.find(([first]) => store !== undefined && store.offset >= first) ?? [];
  const vcpu = vcpus.find(({ index }) => index === store?.vcpu);
  if (!store || !vcpu || offset === undefined || name === undefined || use === undefined) return [];
  const register = offset === 0x800 ? `${name}${store.offset - offset >> 2}` : name;
  return [{ code: "gicv2-driver", register, at: rangeOf(view, vcpu, store.pc, store.pc, store.pc), use }];
}

/** The last message to the ITS of a VM that sleeps without a timer made no LPI pending. */
export function dropped({ vm, timer, vcpus }: Sleep): Verdict | undefined {
  const message = vcpus[0]?.gic.gic.its?.dropped;
  if (timer || !message) return undefined;
  const { rule } = message, [device, event] = [message.device, message.event].map((number) => hex(number));
  return { fact: { code: "message-dropped", device, event, rule }, next: `el2 irq ls ${nameOf(vm)}` };
}

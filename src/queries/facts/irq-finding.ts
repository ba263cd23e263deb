// Defects of an interrupt: it comes too often, or it cannot come (docs/spec/hypervisor.md
// §6), with the step of its path that stops it.

import { countText, hex } from "../../support/number-text.ts";
import { Facts } from "./fact.ts";

/** Why a pending interrupt is not delivered. Priorities are those of the GIC, 0 the highest. */
export type Barrier =
  /** Its bit of GICD_ISENABLER or GICR_ISENABLER0 is 0. */
  | { readonly code: "disabled"; readonly intid: number }
  | { readonly code: "lpi-disabled" }
  | { readonly code: "edge-source" }
  | { readonly code: "no-target" }
  | { readonly code: "group-disabled"; readonly group: number }
  | { readonly code: "priority-masked"; readonly priority: number; readonly pmr: number }
  | { readonly code: "no-vcpu"; readonly vcpu: number };

/** A finding. Rates are per second of virtual time. */
export type IrqFinding =
  | Barrier
  /** `high`: the line of its source is high now. */
  | { readonly code: "storm"; readonly rate: number; readonly limit: number; readonly source: string; readonly high: boolean }
  | { readonly code: "no-source" }
  | { readonly code: "vcpu-off"; readonly vcpu: string };

/** A step on the path of an interrupt, from its source to its vCPU. */
export type IrqStep = "source" | "enabled" | "priority" | "group" | "route" | "pending" | "taken";

export const STOPPED_STEP: { readonly [C in IrqFinding["code"]]: IrqStep } = {
  "storm": "taken",
  "disabled": "enabled",
  "lpi-disabled": "enabled",
  "edge-source": "pending",
  "no-source": "source",
  "no-target": "route",
  "group-disabled": "group",
  "priority-masked": "priority",
  "no-vcpu": "route",
  "vcpu-off": "route",
};

export const BARRIERS = new Facts<Barrier>({
  "disabled": ({ intid }) => `disabled (ISENABLER${intid >> 5} bit ${intid & 31})`,
  "lpi-disabled": () => "disabled in its configuration table",
  "edge-source": () => "level-triggered, but its source sends edges",
  "no-target": () => "IROUTER names no vCPU",
  "group-disabled": ({ group }) => `group ${group} is disabled in GICD_CTLR`,
  "priority-masked": ({ priority, pmr }) => `priority ${hex(priority, 2)} is masked by PMR ${hex(pmr, 2)}`,
  "no-vcpu": ({ vcpu }) => `vCPU ${vcpu} does not exist`,
});

/** Whether it keeps an interrupt from its vCPU. */
export function isBarrier(finding: IrqFinding): finding is Barrier {
  return finding.code in BARRIERS.texts;
}

const stopped = (barrier: Barrier) => `cannot fire: ${BARRIERS.text(barrier)}`;

export const IRQ_FINDINGS = new Facts<IrqFinding>({
  "storm": ({ rate, limit }) => `storm: ${countText(rate)}/s, above ${countText(limit)}`,
  "disabled": stopped,
  "lpi-disabled": stopped,
  "edge-source": stopped,
  "no-source": () => "nothing raises it: no source is bound",
  "no-target": stopped,
  "group-disabled": stopped,
  "priority-masked": stopped,
  "no-vcpu": stopped,
  "vcpu-off": ({ vcpu }) => `waits: ${vcpu} is powered off`,
}, {
  "storm": ({ source, high }) =>
    source === "vtimer"
      ? "the handler sets CNTV_CVAL_EL0, or masks the timer"
      : high
      ? "the handler makes its source lower the line"
      : `make ${source || "its source"} raise it less often`,
  "disabled": () => "enable it, or make its source stop",
  "lpi-disabled": () => "enable it in the LPI configuration table, and invalidate the ITS's copy (INV)",
  "edge-source": () => "configure it as edge-triggered (ICFGR)",
  "no-target": () => "write the affinity of a vCPU into its IROUTER",
  "group-disabled": ({ group }) => `set EnableGrp${group} in GICD_CTLR`,
  "priority-masked": ({ priority }) => `write more than ${hex(priority, 2)} to ICC_PMR_EL1`,
  "no-vcpu": () => "write the affinity of a vCPU into its IROUTER",
  "vcpu-off": () => "start it with PSCI CPU_ON",
});

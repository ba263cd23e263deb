// Defects of an interrupt: it comes too often, or it cannot come (docs/spec/hypervisor.md
// §6), with the step of its path that stops it.

import { hex } from "../../../kit/support/text/number-text.ts";
import type { WayOut } from "../../../kit/support/text/way-out.ts";
import { Facts, type OfCode } from "./fact.ts";

/** Why a pending interrupt is not delivered. Priorities are those of the GIC, 0 the highest. */
export type Barrier =
  /** Its bit of GICD_ISENABLER or GICR_ISENABLER0 is 0. */
  | { readonly code: "disabled"; readonly intid: number }
  | { readonly code: "lpi-disabled" }
  | { readonly code: "edge-source" }
  | { readonly code: "no-target" }
  /** `other`: GICD_CTLR enables the other group. */
  | { readonly code: "group-disabled"; readonly group: number; readonly intid: number; readonly other: boolean }
  | { readonly code: "interface-disabled"; readonly group: number }
  /** A timer that is on, and whose IMASK is set. */
  | { readonly code: "timer-masked"; readonly control: string }
  | { readonly code: "priority-masked"; readonly priority: number; readonly pmr: number }
  /**
   * It was acknowledged and is still active: nothing has ended an interrupt, something has ended
   * another one, or with EOImode 1 it was not deactivated.
   */
  | { readonly code: "unended"; readonly intid: number; readonly lacks: "end" | "own-end" | "deactivation" }
  /** Another interrupt was acknowledged and has not been ended: only higher priorities come. */
  | { readonly code: "not-preempting"; readonly priority: number; readonly running: number }
  /** A timer that is on, with a time that never comes. */
  | { readonly code: "timer-far"; readonly comparator: string; readonly value: string }
  | { readonly code: "no-vcpu"; readonly vcpu: number };

/** A barrier, a storm, or that nothing raises it. */
export type IrqFinding =
  | Barrier
  /** Its line was high at each end, and it came again before the interrupted code moved. */
  | { readonly code: "storm"; readonly source: string; readonly virtio?: true }
  /** An SGI that a handler of its own vCPU sends each time, before the interrupted code moves. */
  | { readonly code: "sgi-storm" }
  | { readonly code: "no-source" }
  | { readonly code: "vcpu-off"; readonly vcpu: string };

/** A step on the path of an interrupt, from its source to its vCPU. */
export type IrqStep = "source" | "enabled" | "priority" | "group" | "route" | "pending" | "taken";

export const STOPPED_STEP: { readonly [C in IrqFinding["code"]]: IrqStep } = {
  "storm": "taken",
  "sgi-storm": "taken",
  "disabled": "enabled",
  "lpi-disabled": "enabled",
  "edge-source": "pending",
  "no-source": "source",
  "no-target": "route",
  "group-disabled": "group",
  "interface-disabled": "group",
  "timer-masked": "source",
  "priority-masked": "priority",
  "unended": "taken",
  "not-preempting": "priority",
  "timer-far": "source",
  "no-vcpu": "route",
  "vcpu-off": "route",
};

/** `GICR_ISENABLER0 bit 27`, `ISENABLER9 bit 12`: SGIs and PPIs have theirs at their vCPU. */
const bitOf = (register: string, intid: number) => `${intid < 32 ? "GICR_" : ""}${register}${intid >> 5} bit ${intid & 31}`;

const UNENDED: Readonly<Record<OfCode<Barrier, "unended">["lacks"], (intid: number) => string>> = {
  "end": (intid) => `no ICC_EOIR1_EL1 of ${intid} has ended it`,
  "own-end": (intid) => `ICC_EOIR1_EL1 was written with another INTID than ${intid}`,
  "deactivation": () => "ICC_EOIR1_EL1 has dropped its priority, but ICC_DIR_EL1 has not deactivated it",
};

export const BARRIERS = new Facts<Barrier>({
  "disabled": ({ intid }) => `disabled (${bitOf("ISENABLER", intid)})`,
  "lpi-disabled": () => "disabled in its configuration table",
  "edge-source": () => "level-triggered, but its source sends edges",
  "no-target": () => "IROUTER names no vCPU",
  "group-disabled": ({ group, intid, other }) =>
    other
      ? `it is in group ${group} (${bitOf("IGROUPR", intid)} is ${group}), and GICD_CTLR enables group ${1 - group} only`
      : `group ${group} is disabled in GICD_CTLR`,
  "interface-disabled": ({ group }) => `group ${group} is disabled at its vCPU (ICC_IGRPEN${group}_EL1)`,
  "timer-masked": ({ control }) => `the timer is on and masked (${control}.IMASK)`,
  "priority-masked": ({ priority, pmr }) => `priority ${hex(priority, 2)} is masked by PMR ${hex(pmr, 2)}`,
  "unended": ({ intid, lacks }) => `it is active: ICC_IAR1_EL1 acknowledged it, and ${UNENDED[lacks](intid)}`,
  "not-preempting": ({ priority, running }) =>
    `priority ${hex(priority, 2)} does not preempt an interrupt of priority ${hex(running, 2)}, which was acknowledged and not ended`,
  "timer-far": ({ comparator, value }) => `the timer is on, and ${comparator} is ${value}, which never comes`,
  "no-vcpu": ({ vcpu }) => `vCPU ${vcpu} does not exist`,
});

/** Whether it keeps an interrupt from its vCPU. */
export function isBarrier(finding: IrqFinding): finding is Barrier {
  return finding.code in BARRIERS.texts;
}

const STORM_WAYS_OUT: Readonly<Record<string, string>> = {
  vtimer: "the handler sets CNTV_CVAL_EL0 to a later time, or masks the timer",
  ptimer: "the handler sets CNTP_CVAL_EL0 to a later time, or masks the timer",
};

const stopped = (barrier: Barrier) => `cannot fire: ${BARRIERS.text(barrier)}`;

export const IRQ_FINDINGS = new Facts<IrqFinding>({
  "storm": () => "storm: its line is high at each end, and it comes again",
  "sgi-storm": () => "storm: its handler sends it again each time, and the interrupted code does not move",
  "disabled": stopped,
  "lpi-disabled": stopped,
  "edge-source": stopped,
  "no-source": () => "nothing raises it: no source is bound",
  "no-target": stopped,
  "group-disabled": stopped,
  "interface-disabled": stopped,
  "timer-masked": stopped,
  "priority-masked": stopped,
  "unended": stopped,
  "not-preempting": stopped,
  "timer-far": stopped,
  "no-vcpu": stopped,
  "vcpu-off": ({ vcpu }) => `waits: ${vcpu} is powered off`,
}, {
  "storm": ({ source, virtio }) =>
    virtio
      ? `acknowledge what ${source} reports in the handler: write it to InterruptACK, or read the ISR status of a PCI device`
      : STORM_WAYS_OUT[source] ?? `the handler makes ${source || "its source"} lower the line`,
  "sgi-storm": () => "the handler does not send this SGI to its own vCPU (ICC_SGI1R_EL1)",
  "disabled": () => "enable it, or make its source stop",
  "lpi-disabled": () => "enable it in the LPI configuration table, and invalidate the ITS's copy (INV)",
  "edge-source": () => "configure it as edge-triggered (ICFGR)",
  "no-target": () => "write the affinity of a vCPU into its IROUTER",
  "group-disabled": ({ group, intid, other }) =>
    other ? `write ${1 - group} to ${bitOf("IGROUPR", intid)}` : `set EnableGrp${group} in GICD_CTLR`,
  "interface-disabled": ({ group }) => `write 1 to ICC_IGRPEN${group}_EL1`,
  "timer-masked": ({ control }) => `clear IMASK in ${control}`,
  "unended": ({ intid, lacks }) =>
    lacks === "deactivation"
      ? `write ${intid} to ICC_DIR_EL1, or clear ICC_CTLR_EL1.EOImode`
      : `write what ICC_IAR1_EL1 gave (${intid}) to ICC_EOIR1_EL1`,
  "not-preempting": () => "write what ICC_IAR1_EL1 gave to ICC_EOIR1_EL1",
  "timer-far": ({ comparator }) => `set ${comparator} from the counter`,
  "priority-masked": ({ priority }) => `write more than ${hex(priority, 2)} to ICC_PMR_EL1`,
  "no-vcpu": () => "write the affinity of a vCPU into its IROUTER",
  "vcpu-off": () => "start it with PSCI CPU_ON",
});

/** Barriers of an interrupt, in the order of its path. */
export function barriersText(path: readonly IrqFinding[]): string {
  return path.map((one) => isBarrier(one) ? BARRIERS.text(one) : IRQ_FINDINGS.text(one)).join("; after that: ");
}

/** The first barrier of an interrupt, and those that would stop it after that. */
export function stoppedText(first: IrqFinding, then: readonly IrqFinding[]): string {
  return then.length === 0 ? IRQ_FINDINGS.text(first) : `${IRQ_FINDINGS.text(first)}; after that: ${barriersText(then)}`;
}

/** The way out of the first alone would not help. */
export function stoppedWayOut(first: IrqFinding, then: readonly IrqFinding[]): WayOut | undefined {
  if (then.length === 0) return IRQ_FINDINGS.wayOut(first);
  return [first, ...then].map((one) => IRQ_FINDINGS.wayOutText(one) ?? "").join(", and ");
}

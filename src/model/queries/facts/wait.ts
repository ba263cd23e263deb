// The wait of a vCPU (docs/spec/hypervisor.md §5.2): why it is blocked, and the events that end
// that.

import type { BlockCode, WaitingVcpu } from "../../../machine/abi/trace.ts";
import { durationText } from "../../../kit/support/text/number-text.ts";
import { Facts } from "./fact.ts";

export type { BlockCode };

/** An access of a vCPU to a device that its VMM emulates. */
export type DeviceAccess = {
  readonly write: boolean;
  /** Address in the VM. */
  readonly ipa: string;
};

/** A wait, or one of the events that end it. */
export type Wait =
  | { readonly code: BlockCode }
  /** The answer to an access. */
  | { readonly code: "vmm"; readonly access: DeviceAccess }
  /** A timer that is set, and the virtual time until it fires (ns; 0: due). */
  | { readonly code: "timer"; readonly irq: string; readonly intid: number; readonly in_ns: number }
  /** An interrupt that is enabled. `source`: `mq:290 rx`, `hardware`; null if nothing is bound. */
  | { readonly code: "irq"; readonly irq: string; readonly intid: number; readonly source: string | null }
  | { readonly code: "no-irq" };

export const accessText = ({ write, ipa }: DeviceAccess) => `MMIO ${write ? "write to" : "read of"} ${ipa}`;

export const WAITS = new Facts<Wait>({
  "activation": () => "its activation",
  "power-on": () => "power-on",
  "suspended": () => "an interrupt (suspended)",
  "wfi": () => "an interrupt (WFI)",
  "vcpu_run": () => "vcpu_run",
  "mmio": () => "its VMM (MMIO)",
  "vmm": ({ access }) => `its VMM: ${accessText(access)}`,
  "fault": () => "its end (unrecoverable fault)",
  "exited": () => "nothing (exited)",
  "timer": ({ irq, in_ns }) => `timer ${irq} ${in_ns > 0 ? `in ${durationText(in_ns)}` : "is due"}`,
  "irq": ({ irq, source }) => source === null ? irq : `${irq} (${source})`,
  "no-irq": () => "an interrupt, but none is enabled",
});

/** The reasons of a blocked vCPU in words; empty if it can run. */
export function blocksText(codes: readonly BlockCode[]): string {
  // Its VMM answers an access by the next vcpu_run: that is one wait.
  const told = codes.includes("mmio") ? codes.filter((code) => code !== "vcpu_run") : codes;
  return told.map((code) => WAITS.text({ code })).join(", ");
}

/** `vCPU 0 of VM 3 waits for an interrupt (WFI)`. */
export function waitingText({ vcpu, waits }: WaitingVcpu): string {
  return `${vcpu} waits for ${blocksText(waits) || "its turn"}`;
}

// The wait of a vCPU (docs/spec/hypervisor.md §5.2): why it is blocked, and the events that end
// that.

import type { BlockCode, WaitingVcpu } from "../../abi/trace.ts";
import { durationText } from "../../support/number-text.ts";
import { Facts } from "./fact.ts";

export type { BlockCode };

/** A wait, or one of the events that end it. */
export type Wait =
  | { readonly code: BlockCode }
  /** A timer that is set, and the virtual time until it fires (ns; 0: due). */
  | { readonly code: "timer"; readonly irq: string; readonly intid: number; readonly in_ns: number }
  /** An interrupt that is enabled. */
  | { readonly code: "irq"; readonly irq: string; readonly intid: number }
  | { readonly code: "no-irq" };

export const WAITS = new Facts<Wait>({
  "activation": () => "its activation",
  "power-on": () => "power-on",
  "suspended": () => "an interrupt (suspended)",
  "wfi": () => "an interrupt (WFI)",
  "vcpu_run": () => "vcpu_run",
  "mmio": () => "its VMM (MMIO)",
  "fault": () => "its end (unrecoverable fault)",
  "exited": () => "nothing (exited)",
  "timer": ({ irq, in_ns }) => `${irq} +${durationText(in_ns)}`,
  "irq": ({ irq }) => irq,
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

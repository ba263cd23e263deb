// The author of an access to memory, or of a change of a register or an object (`el2 who`).

import type { RamWriter } from "../../../machine/abi/ram-writer.ts";
import { Facts } from "./fact.ts";

export type WhoFact =
  | RamWriter
  /** An instruction of a vCPU; `place`: its address, by name if it has one. */
  | { readonly code: "instruction"; readonly vcpu: string; readonly place: string }
  /**
   * An exit to EL2 that changed an object, or an event without a vCPU: the event's id and its text.
   * `place`: the address of the exiting instruction, by name if it has one.
   */
  | { readonly code: "event"; readonly event: string; readonly what: string; readonly vcpu: string | null; readonly place: string | null }
  /** A register changed between two instructions of its vCPU; `place`: the one before. */
  | { readonly code: "exit"; readonly vcpu: string; readonly place: string | null }
  /** An expression has another value, and nobody wrote what it was read from. */
  | { readonly code: "unseen" }
  /** An interrupt of a vCPU; `place`: the instruction before which it was taken. */
  | { readonly code: "interrupt"; readonly vcpu: string; readonly place: string }
  /**
   * Nobody since a place, in words. `at`: the instructions at that place, if the search ended there
   * and not at the start of the run.
   */
  | { readonly code: "never"; readonly did: string; readonly since: string; readonly at?: number };

export const WHO_FACTS = new Facts<WhoFact>({
  "instruction": ({ vcpu, place }) => `${vcpu} at ${place}`,
  "event": ({ what, vcpu, place }) => [what, vcpu === null ? "" : `, by ${vcpu}`, place === null ? "" : ` at ${place}`].join(""),
  "exit": ({ vcpu, place }) =>
    `the hypervisor, while ${vcpu} was not running${place === null ? "" : `; its last instruction was at ${place}`}`,
  "interrupt": ({ vcpu, place }) => `an interrupt of ${vcpu} before ${place}`,
  "hypervisor": () => "the hypervisor",
  "gic": () => "the interrupt controller, in its tables",
  "device": ({ device }) => `${device}, by DMA`,
  "call": ({ vcpu }) => `the hypervisor, with the result of a hypercall of ${vcpu}`,
  "program": ({ vcpu }) => `the program of ${vcpu}, which is el2's own code`,
  "user": () => "a user (mem write)",
  "unseen": () => "no write: its VM has begun, page tables have changed, or a kernel has become known by this place",
  "never": ({ did, since }) => `never ${did} since ${since}`,
}, {
  "never": ({ at }) => at === undefined ? undefined : `--at ${at} searches what is before that`,
});

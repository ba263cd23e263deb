// Reports of the invariant checker, and its view of the hypervisor.

import type { TraceFields } from "../../abi/trace.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { Hwirq } from "../gic/hwirq.ts";
import type { MemoryServices } from "../memory/addrspace.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { VirtioMmio } from "../virtio/virtio-mmio.ts";

/** A rule that does not hold. */
export interface Violation {
  /** Name of the object that it is about. */
  readonly object: string;
  /** The invariant, as a phrase. */
  readonly rule: string;
  readonly values: TraceFields;
}

/** A violation in one line. */
export function describeViolation({ object, rule, values }: Violation): string {
  const text = Object.entries(values).map(([key, value]) => `${key} ${typeof value === "bigint" ? `0x${value.toString(16)}` : value}`);
  return `${object} breaks the invariant "${rule}" (${text.join(", ")})`;
}

/** The hypervisor as its checker sees it. */
export interface CheckedServices extends Pick<MemoryServices, "machine" | "memory" | "addressSpaces"> {
  readonly objects: ReadonlySet<HypervisorObject>;
  readonly hwirqs: ReadonlyMap<number, Hwirq>;
  readonly virtioPages: ReadonlyMap<number, VirtioMmio>;
  readonly scheduler: CheckedScheduler;
  /** The machine stops with this message. */
  stop(message: string): void;
}

/** The scheduler as the checker sees it. */
export interface CheckedScheduler {
  /** Active vCPUs. */
  readonly vcpus: ReadonlySet<Vcpu>;
  /** How often a vCPU is in run queues, and whether it has the turn of a CPU. */
  placesOf(vcpu: Vcpu): { readonly queued: number; readonly current: boolean };
}

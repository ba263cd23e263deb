// How often the VMs of a run left to the hypervisor, made calls and waited, and for how long:
// counted by the events of the run.

import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import { vcpuId, vmOfName, withoutKind } from "../../../model/queries/ids.ts";
import { blocksText } from "../../../model/queries/facts/wait.ts";

/** The kinds of events that tell each. */
const KINDS = {
  exit: ["hvc", "psci", "trap", "mmio"],
  hypercall: ["hvc"],
  syscall: ["syscall"],
  wait: ["sched", "virq"],
} as const satisfies Readonly<Record<string, readonly TraceKind[]>>;

/** Events that are counted together. */
export type CountedKind = keyof typeof KINDS;

export const COUNTED_KINDS: readonly CountedKind[] = ["exit", "hypercall", "syscall", "wait"];

/** Events of one name. */
export interface CountedEvents {
  readonly vm: string;
  /** Of waits, which vCPUs have. */
  readonly vcpu: string | undefined;
  readonly name: string;
  /**
   * The end of waits of this name: an interrupt and who raised it, or the vCPU that had the CPU.
   */
  readonly by: string | undefined;
  count: number;
  /** Virtual time (ns) from their beginnings to their ends. */
  time: number;
}

/** A vCPU that does not run. */
interface Waiting {
  readonly since: number;
  readonly name: string;
  /** The vCPU that runs instead. */
  readonly by: string | undefined;
}

export class EventCounts {
  readonly #found = new Map<string, CountedEvents>();
  readonly #waiting = new Map<string, Waiting>();
  /** Waits for an interrupt that are over, whose vCPUs have not acknowledged one yet. */
  readonly #woken = new Map<string, { readonly name: string; readonly time: number }>();
  /** The latest raisers of interrupts. */
  readonly #raised = new Map<string, string>();

  constructor(readonly kind: CountedKind) {}

  get kinds(): readonly TraceKind[] {
    return KINDS[this.kind];
  }

  get all(): CountedEvents[] {
    return [...this.#found.values()];
  }

  see(event: TraceEvent): void {
    const { kind, vcpu, name, time, end, fields } = event;
    // A note for the user has the exit beside it.
    if ("about" in fields) return;
    if (kind === "sched") this.#switched(event);
    else if (kind === "virq") this.#interrupt(event);
    else this.#add(vmOfName(vcpu), undefined, this.kind === "exit" ? `${kind} ${name}` : name, undefined, end - time);
  }

  /** The run ends here: waits in progress end with it. */
  end(time: number): void {
    for (const [vcpu, { since, name, by }] of this.#waiting) this.#waited(vcpu, name, by, time - since);
    for (const vcpu of this.#woken.keys()) this.#acknowledged(vcpu, undefined);
    this.#waiting.clear();
  }

  #switched({ name, end, fields: { from, to, blocked } }: TraceEvent): void {
    if (name !== "run" && name !== "idle") return;
    if (typeof from === "string") {
      this.#acknowledged(from, undefined);
      const waits = Array.isArray(blocked), by = typeof to === "string" && !waits ? to : undefined;
      this.#waiting.set(from, { since: end, name: waits ? blocksText(blocked) : "a CPU", by });
    }
    const waited = typeof to === "string" ? this.#waiting.get(to) : undefined;
    if (typeof to !== "string" || !waited) return;
    this.#waiting.delete(to);
    if (waited.by === undefined) this.#woken.set(to, { name: waited.name, time: end - waited.since });
    else this.#waited(to, waited.name, waited.by, end - waited.since);
  }

  #interrupt({ vcpu, name, fields: { irq, source } }: TraceEvent): void {
    if (typeof irq !== "string") return;
    if (name === "acknowledge") this.#acknowledged(vcpuId(vcpu), irq);
    else if (typeof source === "string") this.#raised.set(irq, vcpu === "" ? source : `${source}, ${vcpuId(vcpu)}`);
  }

  /** A vCPU has acknowledged an interrupt, or does without. */
  #acknowledged(vcpu: string, irq: string | undefined): void {
    const woken = this.#woken.get(vcpu);
    if (!woken) return;
    this.#woken.delete(vcpu);
    const raised = irq === undefined ? undefined : this.#raised.get(irq);
    this.#waited(vcpu, woken.name, raised === undefined ? irq : `${irq} (${raised})`, woken.time);
  }

  #waited(vcpu: string, name: string, by: string | undefined, time: number): void {
    this.#add(vmOfName(withoutKind("vcpu", vcpu)), vcpu, name, by, time);
  }

  #add(vm: string, vcpu: string | undefined, name: string, by: string | undefined, time: number): void {
    const key = [vm, vcpu, name, by].join("\0"), known = this.#found.get(key);
    if (known) {
      known.count++;
      known.time += time;
    } else this.#found.set(key, { vm, vcpu, name, by, count: 1, time });
  }
}

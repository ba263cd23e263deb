// Instructions of the processes of Linux in VMs: each vCPU's own count from one switch of its tasks
// to the next, which are exact places of the run.

import type { TraceEvent, TraceKind } from "../../../machine/abi/trace.ts";
import type { Hypervisor, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { nameOf, vmOfName } from "../../../model/queries/ids.ts";

/** A process of a Linux and how much of it was executed, all threads together. */
export interface ProcessInstructions {
  readonly vm: string;
  /** Undefined: of no process that is known, as before a kernel was found. */
  readonly pid: number | undefined;
  /** The latest name of its first thread. */
  name: string;
  /** How often a vCPU switched to one of its threads from another process. */
  switches: number;
  instructions: number;
}

/** A vCPU and the process that it executes. */
interface Running {
  readonly vcpu: Vcpu;
  /** Its count of instructions at the latest switch. */
  since: number;
  process: ProcessInstructions;
}

export class ProcessCounts {
  readonly kinds = ["task", "sched"] as const satisfies readonly TraceKind[];
  readonly #found = new Map<string, ProcessInstructions>();
  #running = new Map<Vcpu, Running>();
  readonly #vcpus = new Map<string, Vcpu>();
  #hypervisor!: Hypervisor;

  /** A run begins in this machine. */
  begin(hypervisor: Hypervisor): void {
    this.#hypervisor = hypervisor;
    for (const vcpu of hypervisor.scheduler.vcpus) this.#runningOn(hypervisor.names.vcpu(vcpu));
  }

  see(event: TraceEvent): void {
    const { kind, vcpu, name, fields } = event;
    if (kind === "sched") {
      if (name === "run" && typeof fields.to === "string") this.#runningOn(nameOf(fields.to));
      return;
    }
    const { pid, tgid, comm } = fields, vm = vmOfName(vcpu);
    if (typeof tgid === "number" && pid === tgid && typeof comm === "string") this.#named(vm, tgid, comm);
    if (name === "switch") this.#switched(event);
  }

  /** The run ends here. */
  end(): void {
    for (const running of this.#running.values()) this.#count(running, 0);
    this.#running = new Map();
    this.#vcpus.clear();
  }

  get all(): ProcessInstructions[] {
    return [...this.#found.values()].filter(({ instructions }) => instructions > 0);
  }

  #switched({ vcpu, at, fields: { next, next_tgid: tgid, next_comm: comm } }: TraceEvent): void {
    const running = this.#runningOn(vcpu);
    if (!running || typeof tgid !== "number" || typeof comm !== "string") return;
    const process = this.#process(vmOfName(vcpu), tgid, comm);
    // The event may be in the middle of a run of the core: the scheduler knows its beginning.
    this.#count(running, at.retired - this.#hypervisor.scheduler.execution.retired);
    if (running.process !== process) process.switches++;
    running.process = process;
    if (next === tgid) process.name = comm;
  }

  #named(vm: string, pid: number, name: string): void {
    const process = this.#found.get(keyOf(vm, pid));
    if (process) process.name = name;
  }

  #process(vm: string, pid: number | undefined, name: string): ProcessInstructions {
    const key = keyOf(vm, pid);
    let process = this.#found.get(key);
    if (!process) this.#found.set(key, process = { vm, pid, name, switches: 0, instructions: 0 });
    return process;
  }

  /** The vCPU of a name; undefined for a native one. */
  #runningOn(name: string): Running | undefined {
    const vcpu = this.#vcpu(name);
    if (!vcpu || vcpu.native) return undefined;
    let running = this.#running.get(vcpu);
    if (!running) {
      const process = this.#process(vmOfName(name), undefined, UNKNOWN);
      this.#running.set(vcpu, running = { vcpu, since: vcpu.usage.instructions, process });
    }
    return running;
  }

  /** The vCPU of a name in its VM's present life. */
  #vcpu(name: string): Vcpu | undefined {
    const known = this.#vcpus.get(name);
    if (known && known.life.stage !== "exited") return known;
    const { scheduler, names } = this.#hypervisor;
    const found = [...scheduler.vcpus].find((one) => one.life.stage !== "exited" && names.vcpu(one) === name) ?? known;
    if (found) this.#vcpus.set(name, found);
    return found;
  }

  /** @param more instructions that the scheduler does not know of yet */
  #count(running: Running, more: number): void {
    const executed = this.#hypervisor.scheduler.execution.executedBy(running.vcpu) + more;
    running.process.instructions += executed - running.since;
    running.since = executed;
  }
}

/** The name of instructions of no process. */
const UNKNOWN = "?";

const keyOf = (vm: string, pid: number | undefined) => `${vm}\0${pid ?? ""}`;

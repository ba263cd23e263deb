// Where a debugger stops a VM: before the first instruction, at breakpoints, after a step. The scheduler asks and tells; a stop suspends the
// whole machine, so virtual time stands still and going on is the same run.

import { type DebugCore, ExitReason } from "../core/interface.ts";
import type { Hypervisor } from "./hypervisor.ts";
import type { Vcpu } from "./vcpu.ts";

const INSTRUCTION_SIZE = 4n;
/** Breakpoints that a VM may have. */
const MAXIMUM_BREAKPOINTS = 1000;

/** Why a vCPU stopped. */
export interface DebugStop {
  readonly vcpu: Vcpu;
  /** `start`: before its first instruction; `breakpoint`: before that instruction; `step`: after one instruction. */
  readonly cause: "start" | "breakpoint" | "step";
}

/** The stops of one VM. */
export class DebugControl {
  /** The vCPU that stops after one instruction. */
  stepping: Vcpu | undefined;
  #awaitsStart = true;
  #stop: DebugStop | undefined;
  /** By address: the tables of stage 2 that it was set for. */
  readonly #breakpoints = new Map<bigint, number>();

  /** @param debugs whether a vCPU belongs to the VM. */
  constructor(readonly hypervisor: Hypervisor, readonly core: DebugCore, readonly debugs: (vcpu: Vcpu) => boolean) {}

  /** The VM's vCPUs by index. */
  vcpus(): Vcpu[] {
    const all = [...this.hypervisor.scheduler.vcpus];
    return all.filter((vcpu) => !vcpu.native && vcpu.life !== "exited" && this.debugs(vcpu)).sort((a, b) => a.index - b.index);
  }

  /** The stop that suspended the machine; the next call has none. */
  takeStop(): DebugStop | undefined {
    const stop = this.#stop;
    this.#stop = undefined;
    return stop;
  }

  /** Stops before `address` from now on. False when no instruction can be there, when there are too many, or no VM. */
  insert(address: bigint): boolean {
    const [vcpu] = this.vcpus();
    if (!vcpu || address % INSTRUCTION_SIZE || this.#breakpoints.size >= MAXIMUM_BREAKPOINTS) return false;
    this.remove(address);
    const { stage2 } = vcpu.registers;
    this.#breakpoints.set(address, stage2);
    this.core.insertBreakpoint(stage2, address);
    return true;
  }

  /** Takes a breakpoint back, if there is one. */
  remove(address: bigint): void {
    const stage2 = this.#breakpoints.get(address);
    if (stage2 === undefined) return;
    this.#breakpoints.delete(address);
    this.core.removeBreakpoint(stage2, address);
  }

  /** Nothing stops the VM any more. */
  clear(): void {
    for (const address of [...this.#breakpoints.keys()]) this.remove(address);
    this.stepping = undefined;
    this.#awaitsStart = false;
  }

  /** The scheduler is about to run a vCPU: whether it must not, because the VM stops before its first instruction. */
  holds(vcpu: Vcpu): boolean {
    if (!this.#awaitsStart || vcpu.instructions > 0 || !this.debugs(vcpu)) return false;
    this.#awaitsStart = false;
    this.#suspend({ vcpu, cause: "start" });
    return true;
  }

  /** A vCPU ran, and stopped for this reason. */
  ran(vcpu: Vcpu, reason: ExitReason): void {
    if (reason === ExitReason.Breakpoint) this.#reached(vcpu);
    else if (this.stepping === vcpu) this.#suspend({ vcpu, cause: "step" });
  }

  #reached(vcpu: Vcpu): void {
    if (this.debugs(vcpu)) this.#suspend({ vcpu, cause: "breakpoint" });
    // The tables that the VM had are another one's now.
    else this.remove(vcpu.registers.pc);
  }

  #suspend(stop: DebugStop): void {
    this.stepping = undefined;
    this.#stop = stop;
    this.hypervisor.machine.suspend();
  }
}

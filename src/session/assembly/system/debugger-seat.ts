// The owner of a VM's stops: a debugger that the plan names, one that attaches while the machine
// runs, or the stop rules. A VM has one owner at a time.

import type { DebugCore } from "../../../cpu/core/interface.ts";
import { DebugControl, type Hypervisor, type Vcpu } from "../../../machine/hypervisor/boot.ts";
import { conditionHolds, type Debuggee, type ExpressionHolds } from "../../../machine/hypervisor/interface.ts";
import { debuggedText, type DebuggedVms, oneVm } from "../../../model/queries/debugged-vms.ts";
import { QueryError } from "../../inspection/readers/inspected.ts";
import type { DebuggerAccess } from "./system.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";

/** Requirements on the system. */
interface DebuggerSeatSystem {
  readonly core: DebugCore;
  readonly hypervisor: Hypervisor;
  /** Name of a VM. */
  nameOf(vmid: number): string;
  /** The VM that has breakpoints of stop rules. */
  brokenVm(): string | undefined;
  readonly holds: ExpressionHolds;
}

/** The one debugger of a machine. */
export class DebuggerSeat implements DebuggerAccess {
  /** The VM that the plan gives to a debugger. */
  #planned: DebuggedVms | undefined;
  #vms: DebuggedVms | undefined;

  constructor(readonly system: DebuggerSeatSystem) {}

  get control(): DebugControl | undefined {
    return this.system.hypervisor.debug;
  }

  get vms(): DebuggedVms | undefined {
    return this.#vms;
  }

  give(vms: DebuggedVms, fromStart: boolean): DebugControl {
    return this.system.hypervisor.debug = this.#make(vms, fromStart);
  }

  attach(vms: DebuggedVms): string | undefined {
    const { hypervisor } = this.system, broken = this.system.brokenVm();
    if (this.#planned !== undefined) return `${debuggedText(this.#planned)} was given to a debugger with --gdb; one VM at a time`;
    if (broken !== undefined) {
      return `${vmId(broken)} has breakpoints of ${hintText(hint("break"))}; remove them with ${
        hintText(hint("break", { remove: "all" }))
      }`;
    }
    const control = this.#make(vms, false);
    if (control.vcpus().length || vms.kind === "all") {
      hypervisor.debug?.clear();
      hypervisor.debug = control;
      return undefined;
    }
    const guests = [...hypervisor.scheduler.vcpus].filter(({ native, life }) => !native && life.stage !== "exited");
    const names = new Set(guests.flatMap(({ addressSpace }) => addressSpace ? [vmId(this.system.nameOf(addressSpace.vmid))] : []));
    return `no ${debuggedText(vms)} that executes instructions; there are ${[...names].join(", ") || "none"}`;
  }

  release(): void {
    this.system.hypervisor.debug?.clear();
    if (this.#planned === undefined) this.system.hypervisor.debug = undefined;
  }

  /**
   * The stops of a VM, for stop rules.
   * @throws QueryError if a debugger has a VM
   */
  forRules(vm: string): DebugControl {
    if (this.control && this.#vms) throw new QueryError(`a debugger has ${debuggedText(this.#vms)}`, "set breakpoints there");
    return this.give(oneVm(vm), false);
  }

  /** The stop rules need no VM any more. */
  rulesEnded(): void {
    this.system.hypervisor.debug = undefined;
  }

  #make(vms: DebuggedVms, fromStart: boolean): DebugControl {
    this.#vms = vms;
    if (fromStart) this.#planned = vms;
    const { hypervisor, core, holds } = this.system;
    const control: DebugControl = new DebugControl(
      hypervisor,
      core,
      this.#debuggee(vms),
      fromStart,
      (vcpu, condition) => conditionHolds(control, vcpu, condition, holds),
    );
    return control;
  }

  #debuggee(debugged: DebuggedVms): Debuggee {
    const vmOf = ({ addressSpace }: Vcpu) => addressSpace ? this.system.nameOf(addressSpace.vmid) : "";
    switch (debugged.kind) {
      case "all":
        return { has: ({ addressSpace }) => addressSpace !== undefined, numberOf: numberOfAll, vmOf, only: undefined };
      case "vms":
        return { has: (vcpu) => debugged.vms.includes(vmOf(vcpu)), numberOf: numberOfAll, vmOf, only: undefined };
      case "vm": {
        const { vm } = debugged;
        return { has: (vcpu) => vmOf(vcpu) === vm, numberOf: ({ index }) => index, vmOf: () => vm, only: vm };
      }
    }
  }
}

/** Bits of a vCPU's index in its number among those of several VMs. */
const INDEX_BITS = 8;

/**
 * Number of a vCPU among those of several VMs: the VMID is in front, so that the number is the same
 * in another machine of the plan.
 */
function numberOfAll({ addressSpace, index }: Vcpu): number {
  return (addressSpace?.vmid ?? 0) << INDEX_BITS | index;
}

// The Resource Manager: a native guest that boots the primary VM and then serves requests
// (docs/spec/resource-manager.md §9). All it can do is make hypercalls and read and write its own
// memory.

import { type NativeGuest, type NativeGuestFactory, NativePanic, type NativeVcpu } from "../abi/native-guest.ts";
import type { HypercallResults } from "../abi/hypercalls.ts";
import type { HypervisorNode } from "../abi/hypervisor-node.ts";
import { boot } from "./vm/boot.ts";
import { HypercallFailure } from "./calls/calls.ts";
import { Context, type PlatformRules } from "./state/context.ts";
import { serve, serveAll, serveDelayed } from "./dispatch.ts";
import { driveExits, exitRunReturned, handleHalt } from "./vm/exit.ts";
import { limits, type LimitUse } from "./limits.ts";
import { flush } from "./rpc/link.ts";
import { Refusal } from "./calls/refusals.ts";
import { stepResets } from "./vm/reset.ts";
import type { AuthName } from "../abi/rpc/messages/vm.ts";
import { checkedState } from "./state/saved-state.ts";
import type { RmState } from "./state/state.ts";

/** Options in which platforms differ. */
export interface ResourceManagerOptions extends PlatformRules {
  readonly hypervisorNode?: HypervisorNode | "none";
  readonly auth?: readonly AuthName[];
}

export class ResourceManager implements NativeGuest {
  readonly #context: Context;

  /**
   * @param options.hypervisorNode form of /hypervisor in the primary's devicetree, or `none`; as
   * recorded unless given
   * @param options.auth types of authentication that VMs may have; all unless given
   * @param options.parcels most parcels that a VM owns
   * @param options.abi which drop the hypervisor's calls and the properties of VMs are of
   * @param options.parcelsHeld how many of them drivers of the primary VM hold
   * @param options.reservedMemory which shared parcels VM_START takes
   */
  constructor({ hypervisorNode, auth, ...limits }: ResourceManagerOptions = {}) {
    this.#context = new Context(hypervisorNode, auth, limits);
  }

  /** The state, for views: it must not be changed. */
  get state(): RmState {
    return this.#context.state;
  }

  /** How much of each limit is used. */
  get limits(): readonly LimitUse[] {
    return limits(this.#context.state, this.#context.parcelsMax, (vmid) => this.#context.heldBy(vmid));
  }

  start(vcpu: NativeVcpu, _entry: bigint, x0: bigint): void {
    this.#context.calls.vcpu = vcpu;
    try {
      boot(this.#context, Number(x0));
    } catch (failure) {
      if (!(failure instanceof HypercallFailure || failure instanceof Refusal)) throw failure;
      throw new NativePanic(`the Resource Manager cannot boot: ${failure.message}`);
    }
  }

  virq(vcpu: NativeVcpu, intid: number): void {
    const context = this.#context;
    context.calls.vcpu = vcpu;
    const { vms } = context.state;
    const receiver = vms.find(({ link }) => link?.receiveVirq === intid);
    const sender = vms.find(({ link }) => link?.sendVirq === intid);
    if (receiver !== undefined) serve(context, receiver);
    else if (sender?.link !== undefined) {
      flush(context, sender.link);
      serve(context, sender);
    } else if (handleHalt(context, intid)) serveAll(context);
    else context.log(`vIRQ ${intid} belongs to nothing`);
  }

  timer(vcpu: NativeVcpu): void {
    const context = this.#context;
    context.calls.vcpu = vcpu;
    context.state.wakeAt = undefined;
    driveExits(context);
    stepResets(context);
    serveDelayed(context);
    serveAll(context);
  }

  runReturned(vcpu: NativeVcpu, results: HypercallResults<"vcpu_run">): void {
    const context = this.#context;
    context.calls.vcpu = vcpu;
    exitRunReturned(context, results);
    serveAll(context);
  }

  save(): unknown {
    return structuredClone(this.#context.state);
  }

  restore(state: unknown): void {
    this.#context.adopt(structuredClone(checkedState(state)));
  }
}

export const createResourceManager: NativeGuestFactory = () => new ResourceManager();

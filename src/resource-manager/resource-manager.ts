// The Resource Manager: a native guest that boots the primary VM and then serves requests (spec/resource-manager.md §9).
// All it can do is make hypercalls and read and write its own memory.

import type { NativeGuest, NativeGuestFactory, NativeVcpu } from "../abi/native-guest.ts";
import { boot } from "./boot.ts";
import { Context } from "./context.ts";
import { serve } from "./dispatch.ts";
import { flush } from "./link.ts";
import type { RecordedRefusal } from "./refusals.ts";
import type { RmState } from "./state.ts";

/** The program. */
export class ResourceManager implements NativeGuest {
  readonly #context = new Context();

  /** Why requests were refused, oldest first; the newest 256. */
  get refusals(): readonly RecordedRefusal[] {
    return this.#context.refusals.list();
  }

  /** The state, for views: it must not be changed. */
  get state(): RmState {
    return this.#context.state;
  }

  start(vcpu: NativeVcpu, _entry: bigint, x0: bigint): void {
    this.#context.calls.vcpu = vcpu;
    boot(this.#context, Number(x0));
  }

  virq(vcpu: NativeVcpu, intid: number): void {
    const context = this.#context;
    context.calls.vcpu = vcpu;
    for (const vm of context.state.vms) {
      if (vm.link?.receiveVirq === intid) return serve(context, vm);
      if (vm.link?.sendVirq === intid) return flush(context, vm.link);
    }
    context.log(`vIRQ ${intid} belongs to nothing`);
  }

  timer(vcpu: NativeVcpu): void {
    this.#context.calls.vcpu = vcpu;
  }

  runReturned(vcpu: NativeVcpu, _error: bigint, _state: bigint, _data0: bigint, _data1: bigint, _data2: bigint): void {
    this.#context.calls.vcpu = vcpu;
  }

  save(): unknown {
    return structuredClone(this.#context.state);
  }

  restore(state: unknown): void {
    // What `save` gave: the snapshot's format is the caller's to check.
    this.#context.adopt(structuredClone(state) as RmState);
  }
}

/** Makes a Resource Manager. */
export const createResourceManager: NativeGuestFactory = () => new ResourceManager();

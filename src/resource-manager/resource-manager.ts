// The Resource Manager: a native guest that boots the primary VM and then serves requests (spec/resource-manager.md §9).
// All it can do is make hypercalls and read and write its own memory.

import type { NativeGuest, NativeGuestFactory, NativeVcpu } from "../abi/native-guest.ts";
import { boot } from "./boot.ts";
import { Context } from "./context.ts";
import { serve, serveAll } from "./dispatch.ts";
import { driveExits, exitRunReturned, handleHalt } from "./exit.ts";
import { limits, type LimitUse } from "./limits.ts";
import { flush } from "./link.ts";
import type { AssignOrder } from "./memory-assignment.ts";
import { stepResets } from "./reset.ts";
import type { RmState } from "./state.ts";

/** The program. */
export class ResourceManager implements NativeGuest {
  readonly #context = new Context();

  /** The state, for views: it must not be changed. */
  get state(): RmState {
    return this.#context.state;
  }

  /** How much of each limit is used. */
  get limits(): readonly LimitUse[] {
    return limits(this.#context.state);
  }

  /** Has the platform's firmware fail orders to assign memory: answers why. For who injects failures. */
  set failAssignment(fail: (order: AssignOrder) => string | undefined) {
    this.#context.failAssignment = fail;
  }

  start(vcpu: NativeVcpu, _entry: bigint, x0: bigint): void {
    this.#context.calls.vcpu = vcpu;
    boot(this.#context, Number(x0));
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
    // A vCPU that is polled asks for the timer before the steps of a reset do, as those come sooner.
    driveExits(context);
    stepResets(context);
    serveAll(context);
  }

  runReturned(vcpu: NativeVcpu, error: bigint, state: bigint, data0: bigint, _data1: bigint, _data2: bigint): void {
    const context = this.#context;
    context.calls.vcpu = vcpu;
    exitRunReturned(context, error, state, data0);
    serveAll(context);
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

// The sequences of calls to the Resource Manager that create a VM, start it and tear it down, one
// awaited reply at a time, in the order of the VM's generation. `sequence-steps.ts` has the steps.
// The progress of a sequence is plain data in the VM.

import { encodeRequest } from "../../abi/rpc/message.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { running, type SequenceEvents, type SequenceLink, type StepResult } from "./sequence-link.ts";
import { SEQUENCE_STEPS } from "./sequence-steps.ts";
import type { HostVm, Sequence } from "./state.ts";

/** Drives the sequences of all VMs. */
export class Sequences {
  readonly #link: SequenceLink;

  constructor(kernel: HostKernel, events: SequenceEvents) {
    this.#link = {
      kernel,
      events,
      send(vm, message, value) {
        const sequence = running(vm);
        sequence.waits = "reply";
        kernel.within(sequence.task, () => events.send(vm, message.id, encodeRequest(message, value)));
        return "wait";
      },
    };
  }

  /** Begins a sequence. `ended` or `freed` is called at its end, perhaps before this returns. */
  begin(vm: HostVm, kind: Sequence["kind"], steps: Sequence["steps"], task: number | undefined, label?: number): void {
    vm.sequence = { kind, steps, at: 0, label, item: 0, sent: 0, waits: undefined, task };
    this.#advance(vm);
  }

  /** Begins the teardown of a VM without references. */
  teardown(vm: HostVm): void {
    this.begin(vm, "teardown", VM_PERSONAS[vm.persona].teardown, undefined);
  }

  /** The reply to the request of a VM's sequence. */
  reply(vm: HostVm, payload: Uint8Array): void {
    const { sequence } = vm;
    if (sequence?.waits !== "reply") throw new Error(`VM ${vm.id} waits for no reply`);
    sequence.waits = undefined;
    const step = sequence.steps[sequence.at], { replied } = SEQUENCE_STEPS[step];
    if (replied === undefined) throw new Error(`a reply for the step ${step}, which sends nothing`);
    this.#go(vm, replied(this.#link, vm, payload, sequence));
  }

  /** VM_EXITED or VM_STATUS came, and the VM's state is up to date. */
  notified(vm: HostVm): void {
    const { sequence } = vm;
    if (sequence?.waits !== "notification") return;
    const step = sequence.steps[sequence.at];
    const done = step === "stop" ? vm.status === "exited" : vm.resetDone;
    if (!done) return;
    sequence.waits = undefined;
    this.#go(vm, "next");
  }

  /** A VM that waits for the host's permission may start now. */
  retry(vm: HostVm): void {
    const { sequence } = vm;
    if (sequence?.waits !== "gate") return;
    sequence.waits = undefined;
    this.#go(vm, SEQUENCE_STEPS[sequence.steps[sequence.at]].begin(this.#link, vm, sequence));
  }

  /** Ends a VM that waits to be started and is no longer wanted. */
  abandon(vm: HostVm): void {
    const { sequence } = vm;
    if (sequence?.waits === "gate") this.#end(vm, sequence, -Errno.EINTR);
  }

  #go(vm: HostVm, result: StepResult): void {
    const { sequence } = vm;
    if (sequence === undefined || result === "wait") return;
    if (result === "next") {
      sequence.at++;
      sequence.item = 0;
      this.#advance(vm);
    } else {
      this.#end(vm, sequence, -result.errno, result.rule);
    }
  }

  #advance(vm: HostVm): void {
    const { sequence } = vm;
    if (sequence === undefined) return;
    if (sequence.at >= sequence.steps.length) return this.#end(vm, sequence, 0);
    this.#go(vm, SEQUENCE_STEPS[sequence.steps[sequence.at]].begin(this.#link, vm, sequence));
  }

  #end(vm: HostVm, sequence: Sequence, result: number, rule?: BrokenRule): void {
    vm.sequence = undefined;
    if (sequence.kind === "teardown") this.#link.events.freed(vm);
    else this.#link.events.ended(vm, sequence, result, rule);
  }
}

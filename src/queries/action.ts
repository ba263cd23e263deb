// What people can do to a machine beside typing: plain data, the same in process and over a socket.

import type { InputEvent } from "../virtio/input/input.ts";

/** An action on an object. */
export type Action =
  /** Asks the VM's owner to stop it (VM_STOP); `force` does not wait for the guest. */
  | { readonly kind: "vm.stop"; readonly vm: string; readonly force: boolean }
  /** Makes and starts a VM of the configuration that is not there, or that `create` has made. */
  | { readonly kind: "vm.start"; readonly vm: string }
  /** Makes a VM of the configuration, as far as VM_INIT: it is ready, and does not run. */
  | { readonly kind: "vm.create"; readonly vm: string }
  /** Ends a VM at once, and makes and starts it anew. */
  | { readonly kind: "vm.reset"; readonly vm: string }
  /** A break on the line of a console. */
  | { readonly kind: "console.break"; readonly console: string }
  /**
   * Sends a request to the resource manager in the host's name: a message by its id, with its
   * payload.
   */
  | { readonly kind: "rpc.send"; readonly id: number; readonly payload: Uint8Array }
  /** Puts a message into a queue, as its sender would. */
  | { readonly kind: "queue.send"; readonly queue: string; readonly bytes: Uint8Array }
  /** Takes all messages out of a queue. */
  | { readonly kind: "queue.flush"; readonly queue: string }
  /** Sets flags of a doorbell, as its sender would. */
  | { readonly kind: "doorbell.ring"; readonly doorbell: string; readonly flags: bigint }
  /** Gives an interrupt a pulse (GICD_ISPENDR). */
  | { readonly kind: "irq.raise"; readonly irq: string }
  /** Wants a VM's balloon to have this many bytes. */
  | { readonly kind: "balloon.set"; readonly vm: string; readonly bytes: number }
  /** Events of a VM's keyboard or tablet: what stands together happens at once. */
  | { readonly kind: "input.send"; readonly vm: string; readonly events: readonly (readonly InputEvent[])[] }
  /** A rule of injected faults holds from now on (`fault-rules.ts`). */
  | { readonly kind: "inject.add"; readonly rule: string }
  /** It holds no more: `inject:N`, or `all`. */
  | { readonly kind: "inject.remove"; readonly rule: string }
  /** Ends the life of a vCPU (vcpu_kill). */
  | { readonly kind: "vcpu.kill"; readonly vcpu: string };

// What people can do to a machine beside typing: plain data, the same in process and over a socket.

/** An action on an object. */
export type Action =
  /** Asks the VM's owner to stop it (VM_STOP); `force` does not wait for the guest. */
  | { readonly kind: "vm.stop"; readonly vm: string; readonly force: boolean }
  /** Puts a message into a queue, as its sender would. */
  | { readonly kind: "queue.send"; readonly queue: string; readonly bytes: Uint8Array }
  /** Takes all messages out of a queue. */
  | { readonly kind: "queue.flush"; readonly queue: string }
  /** Sets flags of a doorbell, as its sender would. */
  | { readonly kind: "doorbell.ring"; readonly doorbell: string; readonly flags: bigint }
  /** Gives an interrupt a pulse (GICD_ISPENDR). */
  | { readonly kind: "irq.raise"; readonly irq: string }
  /** Ends the life of a vCPU (vcpu_kill). */
  | { readonly kind: "vcpu.kill"; readonly vcpu: string };

// The one door by which people reach the native host: what they type and which VMs they stop, in the order in which it comes. The session
// puts it in and raises the interrupt; the host takes it when it handles that.

/** INTID of the physical interrupt that says that there is input: an edge. It is that of the first virtio-mmio slot of QEMU's `virt`. */
export const CONSOLE_INPUT_INTID = 48;

/** Bytes typed into the console of a VM. */
export interface Typed {
  /** Name in the configuration. */
  readonly vm: string;
  readonly bytes: Uint8Array;
}

/** Somebody wants a VM to end: `force` ends it at once, else it is asked to shut down. */
export interface StopWanted {
  /** Name in the configuration. */
  readonly vm: string;
  readonly stop: { readonly force: boolean };
}

/** Input on its way to the host. */
export class ConsoleInput {
  #waiting: (Typed | StopWanted)[] = [];

  /** @param interrupt raises `CONSOLE_INPUT_INTID`. */
  constructor(readonly interrupt: () => void) {}

  /** Input from outside, now. */
  push(vm: string, bytes: Uint8Array): void {
    this.#waiting.push({ vm, bytes: bytes.slice() });
    this.interrupt();
  }

  /** A VM is to end. */
  stop(vm: string, force: boolean): void {
    this.#waiting.push({ vm, stop: { force } });
    this.interrupt();
  }

  /** What waits, for a snapshot. */
  save(): readonly (Typed | StopWanted)[] {
    return this.#waiting.map((one) => ({ ...one }));
  }

  /** Puts it back; the interrupt was raised before. */
  restore(waiting: readonly (Typed | StopWanted)[]): void {
    this.#waiting = [...waiting];
  }

  /** Everything that has come since the last call. */
  take(): (Typed | StopWanted)[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

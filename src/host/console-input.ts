// The one door by which people reach the native host: what they type, in the order in which it comes. The session puts bytes in and raises
// the interrupt; the host takes them when it handles it.

/** INTID of the physical interrupt that says that there is input: an edge. It is that of the first virtio-mmio slot of QEMU's `virt`. */
export const CONSOLE_INPUT_INTID = 48;

/** Bytes typed into the console of a VM. */
export interface Typed {
  /** Name in the configuration. */
  readonly vm: string;
  readonly bytes: Uint8Array;
}

/** Input on its way to the host. */
export class ConsoleInput {
  #waiting: Typed[] = [];

  /** @param interrupt raises `CONSOLE_INPUT_INTID`. */
  constructor(readonly interrupt: () => void) {}

  /** Input from outside, now. */
  push(vm: string, bytes: Uint8Array): void {
    this.#waiting.push({ vm, bytes: bytes.slice() });
    this.interrupt();
  }

  /** Everything that has come since the last call. */
  take(): Typed[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

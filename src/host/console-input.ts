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

/** Somebody wants a VM to start; `create`: only to be made, as far as VM_INIT; `reset`: to end at once and start anew. */
export interface StartWanted {
  /** Name in the configuration. */
  readonly vm: string;
  readonly start: "start" | "create" | "reset";
}

/** Somebody wants a request to be sent to the resource manager in the host's name. */
export interface RequestWanted {
  readonly request: { readonly id: number; readonly payload: Uint8Array };
}

/** Something that a device of a VM has to do, as the host's program does it: what came for it from outside. */
export interface DeviceWork {
  readonly work: () => void;
}

/** What may come in. */
export type HostInput = SavedInput | DeviceWork;
/** What of it is data. */
export type SavedInput = Typed | StopWanted | StartWanted | RequestWanted;

/** Input on its way to the host. */
export class ConsoleInput {
  #waiting: HostInput[] = [];

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

  /** What waits, for a snapshot. @throws Error where something is on its way to a device, which is no data */
  save(): readonly SavedInput[] {
    return this.#waiting.map((one) => {
      if ("work" in one) throw new Error("something from outside is on its way to a VM's device; try again in a moment");
      return { ...one };
    });
  }

  /** Puts it back; the interrupt was raised before. */
  restore(waiting: readonly SavedInput[]): void {
    this.#waiting = [...waiting];
  }

  /** A VM is to start, to be made, or to start anew. */
  start(vm: string, start: StartWanted["start"]): void {
    this.#waiting.push({ vm, start });
    this.interrupt();
  }

  /** A request is to be sent to the resource manager. */
  request(id: number, payload: Uint8Array): void {
    this.#waiting.push({ request: { id, payload: payload.slice() } });
    this.interrupt();
  }

  /** Something has come for a device. */
  work(work: () => void): void {
    this.#waiting.push({ work });
    this.interrupt();
  }

  /** Everything that has come since the last call. */
  take(): HostInput[] {
    const taken = this.#waiting;
    this.#waiting = [];
    return taken;
  }
}

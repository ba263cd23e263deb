// A VMM's state between two events: plain data.

export interface VmmVcpu {
  readonly fd: number;
  /** User address of the structure that RUN fills. */
  readonly page: number;
  /** The RUN that waits. */
  task: number | undefined;
}

/** The ioeventfd of a device's queue. */
interface Notifier {
  readonly fd: number;
  /** Id of the eventfd. */
  readonly eventfd: number;
  readonly slot: number;
  readonly queue: number;
}

export interface VmmData {
  pid: number;
  /** Its address space, which VMs are of. */
  space: number;
  /** User address of the VM's memory but for the pool, 0 before it has any. */
  memory: number;
  /** User address of the pool for DMA, if there is one. */
  pool?: number;
  /** User address of the region that outlives the VM, if there is one. */
  pstore?: number;
  /** User addresses of the windows of RAM that it has so far. */
  windows?: number[];
  /** User address of the arrays of its flash, one after the other. */
  flash?: number;
  /** User address of a page for structures. */
  scratch: number;
  /** Descriptors of the irqfds of the console, 0 without, and of the devices by slot. */
  consoleLine: number;
  lines: number[];
  /** Those of the board's own devices, by SPI. */
  boardLines: Record<number, number>;
  notifiers: Notifier[];
  vcpus: VmmVcpu[];
  /** When the VM started, and when the host reclaims a page of it, if it does: virtual ns. */
  reclaim?: { readonly since: number; readonly at: number };
  /** The process has ended. */
  ended: boolean;
  gaveUp: boolean;
}

/** The data of a VMM that has not begun. */
export function newVmmData(): VmmData {
  return {
    pid: 0,
    space: 0,
    memory: 0,
    scratch: 0,
    consoleLine: 0,
    lines: [],
    boardLines: {},
    notifiers: [],
    vcpus: [],
    ended: false,
    gaveUp: false,
  };
}

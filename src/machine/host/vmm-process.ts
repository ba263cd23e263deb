// A sample VMM: a process with a VM's memory, its board with console and devices, and the run loop.
// The calls to a driver are in `gunyah-vmm.ts`, `gzvm-vmm.ts` and `vendor-vmm.ts`. Its progress is
// plain data: it continues when the waiting calls end.

import { Errno } from "../abi/ioctl/errno.ts";
import type { KnownDevices } from "./data/console-input.ts";
import type { UartInput } from "../devices/pl011.ts";
import type { SeenRegister } from "../devices/seen-register.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import type { VmPlan } from "./data/plan.ts";
import { boardOf } from "./boards.ts";
import type { Board, BoardDevices, BoardProcess, FlashVariables } from "./boards/board.ts";
import { offsetIn, type VmRegion } from "./boards/layout.ts";
import type { DriverTraits } from "./boards/nodes.ts";
import type { VmConsole, VmConsoleState } from "./boards/vm-console.ts";
import type { VmDevices } from "./vm-devices.ts";
import type { VmmData, VmmVcpu } from "./vmm-data.ts";
import { VmmMemory } from "./vmm-memory.ts";
import { Refused, Steps } from "./vmm-steps.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";

/** Events of a VMM for its host. */
export interface VmmEvents {
  output(byte: number): void;
  /** The guest has cleared its console's receive interrupts, and characters are left. */
  cleared(): void;
  problem(message: string): void;
}

/** A VMM: a process of the host with one VM. */
export interface VmmProcess extends KnownDevices {
  readonly pid: number;
  /** Its address space, also when it has ended. */
  readonly space: number;
  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  readonly wakeAt: number | undefined;
  /** Makes the VM and starts it. */
  start(): void;
  /** Ends the process, and with it the VM. */
  end(): void;
  /**
   * A step was refused, or a vCPU left RUN for an unhandled reason: the process has ended by
   * itself.
   */
  readonly gaveUp: boolean;
  /** An ioctl of the process has ended; whether it was the VMM's. */
  finished(task: number, result: number): boolean;
  /** An eventfd was signaled. */
  signalled(eventfd: number): void;
  /**
   * Bytes typed at the console, or breaks (`Pl011Data.BE`). Returns why they are refused: text, or
   * `gone` without a console and once the process has ended.
   */
  type(characters: ArrayLike<number>): { readonly text: string } | "gone" | undefined;
  /** Some time has passed. */
  timer(): void;
  /** Plain data. */
  save(): unknown;
  restore(saved: unknown): void;
}

/** The user that VMMs run as. */
const VMM_UID = 1000;

/** Saved state of a VMM. */
interface VmmState {
  readonly data: VmmData;
  readonly console: VmConsoleState | undefined;
  readonly board?: unknown;
}

/** Time for which a vCPU has run, ns, by the process and its descriptor. */
type RunTime = (pid: number, fd: number) => number;

/** Services of the host's program to a board. */
export interface BoardServices {
  /** For stall detectors. */
  readonly runTime?: RunTime;
  /** For firmware; without them its variables are lost with the VM. */
  readonly variables?: FlashVariables;
  /** For a region that outlives the VM: its content, and who keeps it. */
  readonly pstore?: { readonly content: Uint8Array | undefined; keep(content: Uint8Array): void };
}

/** An exit of a vCPU. Addresses are the guest's. */
export type VmmExit =
  | {
    readonly kind: "mmio";
    readonly address: number;
    /** Bytes: 1, 2, 4 or 8. */
    readonly length: number;
    /** The value of a store; undefined for a load. */
    readonly stored: bigint | undefined;
  }
  | { readonly kind: "end" }
  | { readonly kind: "other"; readonly reason: string };

/** The calls of a VMM to its driver. Steps that are refused throw `Refused`. */
export interface VmmDriver {
  /** Makes the VM and starts it. */
  make(): void;
  /** Makes an eventfd raise an interrupt line of the VM, number `spi` of the shared ones. */
  addLine(fd: number, spi: number, edge: boolean): void;
  /**
   * Makes the guest's store of this 32-bit value, or any store where there is none, signal an
   * eventfd instead of leaving RUN.
   */
  addNotifier(fd: number, address: number, value: number | undefined): void;
  /** Sends a device's message to the VM's ITS; undefined if the driver has none. */
  signalMsi?(label: number, device: number, event: number): void;
  /**
   * Has the guest read and execute memory of the process at an address among its devices, or takes
   * that back; undefined if the driver cannot.
   */
  setRom?(base: number, size: number, address: number | undefined): void;
  /** RUN of a vCPU. */
  run(vcpu: VmmVcpu): IoctlResult;
  /** The reason for which RUN returned. */
  exitOf(vcpu: VmmVcpu): VmmExit;
  /** Offset of a load's data in the structure of RUN. */
  readonly dataOffset: number;
  /** The driver's differences in the VM's devicetree. */
  traits?(): DriverTraits;
  /** The ioctl besides RUN that waits, and what its end continues. */
  waiting?(): number | undefined;
  continue?(result: number): void;
}

/** The VM of a VMM, and what its process is made of. */
export interface VmmParts<D extends VmmData> {
  readonly kernel: HostKernel;
  readonly plan: VmPlan;
  readonly events: VmmEvents;
  /** Undefined without virtio devices. */
  readonly devices?: VmDevices;
  readonly services?: BoardServices;
  /** Its state: that of a VMM which has not begun. */
  readonly data: D;
}

/** One VMM with its VM. */
export class Vmm<D extends VmmData = VmmData> implements VmmProcess {
  readonly kernel: HostKernel;
  readonly plan: VmPlan;
  readonly board: Board;
  readonly data: D;
  readonly steps: Steps;
  readonly memory: VmmMemory;
  readonly #driver: VmmDriver;
  readonly #events: VmmEvents;
  readonly #keep: ((content: Uint8Array) => void) | undefined;
  readonly #console: VmConsole | undefined;
  readonly #virtio: VmDevices | undefined;
  /** The rest of the board's devices, if it has some. */
  readonly #devices: BoardDevices | undefined;
  /** Why a device's access to lent memory is about to end the process. */
  #lentTouched: string | undefined;

  constructor({ kernel, plan, events, devices, services = {}, data }: VmmParts<D>, driver: (vmm: Vmm<D>) => VmmDriver) {
    this.kernel = kernel;
    this.plan = plan;
    this.board = boardOf(plan);
    this.data = data;
    this.steps = new Steps(kernel, data);
    this.memory = new VmmMemory(this.steps, plan, this.board, services.variables, services.pstore?.content);
    this.#events = events;
    this.#keep = services.pstore?.keep;
    this.#console = plan.console ? this.board.console.make(events.output, events.cleared) : undefined;
    this.#virtio = devices;
    this.#devices = this.board.devices?.(plan, devices?.functions ?? [], this.#process(services.runTime));
    this.#driver = driver(this);
  }

  /** The process. */
  get pid(): number {
    return this.data.pid;
  }

  get space(): number {
    return this.data.space;
  }

  get gaveUp(): boolean {
    return this.data.gaveUp;
  }

  get wakeAt(): number | undefined {
    if (this.data.ended) return undefined;
    const devices = Math.min(this.#console?.wakeAt ?? Infinity, this.#virtio?.wakeAt ?? Infinity, this.#devices?.wakeAt ?? Infinity);
    const first = Math.min(devices, this.data.reclaim?.at ?? Infinity);
    return first === Infinity ? undefined : first;
  }

  save(): VmmState {
    const saved = { data: structuredClone(this.data), console: this.#console?.save() };
    return this.#devices === undefined ? saved : { ...saved, board: this.#devices.save() };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { data, console, board } = saved as VmmState;
    Object.assign(this.data, structuredClone(data));
    if (console !== undefined) this.#console?.restore(console);
    if (board !== undefined) this.#devices?.restore(board);
    if (this.data.ended) return;
    if (this.data.consoleLine !== 0) this.#connectConsole();
    if (this.data.memory !== 0) this.#connectVirtio();
  }

  start(): void {
    this.data.pid = this.kernel.spawn();
    this.data.space = this.kernel.spaceOf(this.data.pid).id;
    // Root may lock any amount of memory, whatever its limit is.
    this.kernel.setuid(this.data.pid, VMM_UID);
    this.#attempt(() => this.#driver.make());
  }

  end(): void {
    if (this.data.ended) return;
    this.data.ended = true;
    const content = this.memory.outliving;
    if (content !== undefined) this.#keep?.(content);
    this.#virtio?.disconnect();
    this.kernel.exit(this.pid);
  }

  finished(task: number, result: number): boolean {
    if (this.data.ended) return false;
    if (task === this.#driver.waiting?.()) {
      this.#attempt(() => this.#driver.continue?.(result));
      return true;
    }
    const vcpu = this.data.vcpus.find((each) => each.task === task);
    if (vcpu !== undefined) this.#attempt(() => this.#left(vcpu, result));
    return vcpu !== undefined;
  }

  signalled(eventfd: number): void {
    const notifier = this.data.ended ? undefined : this.data.notifiers.find((each) => each.eventfd === eventfd);
    if (notifier === undefined) return;
    const { fd, slot, queue } = notifier;
    if (typeof this.kernel.read(this.pid, fd, 8) === "number") return;
    this.#attempt(() => this.#act(() => this.#virtio?.notify(slot, queue)));
  }

  type(characters: ArrayLike<number>): { readonly text: string } | "gone" | undefined {
    // The console's line is an eventfd of a process that is gone.
    if (this.data.ended || this.#console === undefined) return "gone";
    const text = this.#console.type(this.kernel.cpu.now, characters);
    return text === undefined ? undefined : { text };
  }

  timer(): void {
    if (this.data.ended) return;
    this.#console?.timer(this.kernel.cpu.now);
    this.#attempt(() => this.#act(() => this.#virtio?.timer(this.kernel.cpu.now)));
    if (!this.data.ended) this.#attempt(() => this.#devices?.timer());
    if (!this.data.ended) this.#attempt(() => this.#reclaim());
  }

  /** Runs steps; after any refusal the VM is taken down. */
  #attempt(steps: () => void): void {
    try {
      steps();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#events.problem(error.message);
      this.data.gaveUp = true;
      this.end();
    }
  }

  // ---- parts of the VM ----

  /** The VM's memory but for the pool is at this user address. */
  placed(memory: number): void {
    if (this.data.memory === memory) return;
    this.data.memory = memory;
    this.#connectVirtio();
  }

  /** Memory for a region with its own mapping: its user address. */
  map(region: Pick<VmRegion, "purpose" | "size">): number {
    const address = this.memory.map(region);
    if (region.purpose === "ram") this.placed(address);
    return address;
  }

  /** Loads the VM's memory, which is at this user address. */
  load(memory: number): void {
    this.placed(memory);
    const objects = this.#virtio?.backends?.transports.map(({ device }) => device);
    this.memory.load(memory, objects, this.#driver.traits?.() ?? {});
  }

  /** Interrupt lines of the board's and of virtio devices, and a notifier for each queue. */
  addLines(): void {
    const { data, board, plan } = this;
    for (const { spi, edge } of board.lines(plan)) data.boardLines[spi] = this.#newLine(spi, edge);
    data.consoleLine = data.boardLines[board.console.spi] ?? 0;
    this.#connectConsole();
    // Accesses to objects of the hypervisor's never leave to the VMM.
    if (this.#virtio?.backends !== undefined) return;
    this.#virtio?.transports.forEach(({ queues }, slot) => {
      const spi = board.virtio.spi(slot);
      data.lines[slot] = data.boardLines[spi] ?? this.#newLine(spi, false);
      queues.forEach((_, queue) => this.#addNotifier(slot, queue));
    });
  }

  #newLine(spi: number, edge: boolean): number {
    const fd = this.steps.eventfd();
    this.#driver.addLine(fd, spi, edge);
    return fd;
  }

  #addNotifier(slot: number, queue: number): void {
    const store = this.board.virtio.notification(slot, queue);
    if (store === undefined) return;
    const fd = this.steps.eventfd();
    this.#driver.addNotifier(fd, store.address, store.value);
    this.data.notifiers.push({ fd, eventfd: this.kernel.knownFile(this.pid, fd).target, slot, queue });
  }

  /** Has the guest read a bank of flash, or lets its loads leave RUN. */
  showFlash(bank: number, shown: boolean): void {
    const { base, size } = this.board.flash(this.plan)[bank];
    if (this.#driver.setRom === undefined) throw new Refused("the driver has no ROM");
    this.#driver.setRom(base, size, shown ? this.memory.flashAddress(bank) : undefined);
  }

  #process(runTime: RunTime | undefined): BoardProcess {
    const { kernel, data, memory } = this;
    return {
      read: (address, into) => memory.read(address, into),
      write: (address, from) => memory.write(address, from),
      now: () => kernel.cpu.now,
      ran: (vcpu) => runTime?.(data.pid, data.vcpus[vcpu].fd) ?? 0,
      signal: (spi) => {
        const fd = data.boardLines[spi];
        if (fd !== undefined) this.steps.signal(fd);
      },
      signalMsi: (label, device, event) => {
        if (this.#driver.signalMsi === undefined) throw new Refused("the driver has no ITS");
        this.#driver.signalMsi(label, device, event);
      },
      flashArray: (bank) => memory.flashArray(bank),
      showFlash: (bank, shown) => this.showFlash(bank, shown),
      whyLent: (address, length) => memory.whyLent(address, length),
      problem: (message) => this.#events.problem(message),
      end: (reason) => {
        throw new Refused(reason);
      },
    };
  }

  #connectConsole(): void {
    this.#console?.connect(() => this.steps.signal(this.data.consoleLine));
  }

  #connectVirtio(): void {
    const { kernel, memory } = this;
    this.#virtio?.connect({
      get now() {
        return kernel.cpu.now;
      },
      read: (address, into) => memory.read(address, into),
      write: (address, from) => memory.write(address, from),
      whyLent: (address, length) => memory.whyLent(address, length),
      touchedLent: (reason) => this.#lentTouched ??= reason,
      interrupt: (slot) => {
        if (this.#devices?.interrupts(slot) !== false) this.steps.signal(this.data.lines[slot]);
      },
      lowered: (slot) => this.#lowered(slot),
      message: (slot, address, data) => this.#devices?.message(slot, address, data),
    });
  }

  /** A device has lowered its line: others that share it still ask for it. */
  #lowered(slot: number): void {
    const { lines } = this.data, line = lines[slot];
    if (line === undefined) return;
    const asks = lines.some((other, index) => other === line && index !== slot && this.#virtio?.functions[index]?.interrupt);
    if (asks) this.steps.signal(line);
  }

  /** From now on the host may reclaim pages of the VM, which nothing pins. */
  reclaimAfter(time: number): void {
    const { now } = this.kernel.cpu;
    this.data.reclaim = { since: now, at: now + time };
  }

  /** The host reclaims a page in the middle of the VM's memory. */
  #reclaim(): void {
    const { reclaim, memory } = this.data;
    if (reclaim === undefined || this.kernel.cpu.now < reclaim.at) return;
    this.data.reclaim = undefined;
    const half = Math.floor(this.plan.memory / 2 / PAGE_SIZE) * PAGE_SIZE;
    if (!this.kernel.reclaimPage(this.pid, memory + half, reclaim.since)) throw new Refused("signal 7 (SIGBUS, BUS_OBJERR)");
  }

  // ---- the run loop ----

  /** RUN, repeated while it ends at once. */
  enter(vcpu: VmmVcpu): void {
    const { task, result } = this.#driver.run(vcpu);
    vcpu.task = result === undefined ? task : undefined;
    if (result !== undefined) this.#left(vcpu, result);
  }

  /** RUN has ended. */
  #left(vcpu: VmmVcpu, result: number): void {
    vcpu.task = undefined;
    if (result === -Errno.EINTR) return this.enter(vcpu);
    this.steps.must("RUN", result);
    const exit = this.#driver.exitOf(vcpu);
    if (exit.kind === "other") throw new Refused(`RUN left with ${exit.reason}`);
    if (exit.kind === "end") return this.end();
    this.#act(() => this.#mmio(vcpu, exit));
    this.enter(vcpu);
  }

  /** Lets devices act, and then ends the process if one of them touched lent memory. */
  #act(devices: () => void): void {
    devices();
    const reason = this.#lentTouched;
    this.#lentTouched = undefined;
    if (reason !== undefined) throw new Refused(reason);
  }

  #mmio(vcpu: VmmVcpu, { address, length, stored }: VmmExit & { kind: "mmio" }): void {
    const answer = this.#access(address, length, stored);
    if (answer === undefined) {
      this.#events.problem(
        `${stored === undefined ? "load" : "store"} of ${length} bytes at 0x${address.toString(16)}, an unmapped address`,
      );
    }
    if (stored !== undefined) return;
    const bytes = new Uint8Array(8);
    // An address without a device reads as zero.
    new DataView(bytes.buffer).setBigUint64(0, answer ?? 0n, true);
    this.steps.store(vcpu.page + this.#driver.dataOffset, bytes.subarray(0, length));
  }

  seen(address: number, size: number): (SeenRegister & { readonly device: string }) | undefined {
    if (this.data.ended) return undefined;
    const offset = this.#console && offsetIn(this.board.console, address);
    const seen = offset === undefined ? this.#devices?.seen(address, size) : this.#console?.seen(offset, size);
    return seen && { ...seen, device: offset === undefined ? "its VMM" : "its console" };
  }

  get unread(): UartInput | undefined {
    return this.data.ended ? undefined : this.#console?.input;
  }

  take(limit: number): Uint8Array {
    return this.data.ended || !this.#console ? new Uint8Array(0) : this.#console.take(limit);
  }

  get isBusy(): boolean {
    return !this.data.ended && this.#devices?.isBusy === true;
  }

  /** The value of a load, 0 for a store; undefined if no device is. */
  #access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    const offset = offsetIn(this.board.console, address);
    if (this.#console === undefined || offset === undefined) return (this.#devices ?? this.#virtio)?.access(address, size, value);
    if (value === undefined) return this.#console.read(this.kernel.cpu.now, offset, size);
    this.#console.write(this.kernel.cpu.now, offset, size, value);
    return 0n;
  }
}

// The common part of the sample VMMs: a process with a VM's memory, its console and devices, and
// the run loop. They differ in how they make a VM and how they read a vCPU's exit (`gunyah-vmm.ts`,
// `gzvm-vmm.ts`). A VMM's progress is plain data: it continues when the waiting calls end.

import { Errno, errnoName } from "../abi/ioctl/errno.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import type { VmPlan } from "./plan.ts";
import type { DriverTraits } from "./guest-devicetree.ts";
import { vmContents } from "./vm-contents.ts";
import { uart16550Console, VmConsole, type VmConsoleState } from "./vm-console.ts";
import type { VmDevices } from "./vm-devices.ts";
import { ERASED } from "./flash-size.ts";
import type { FlashArray } from "../devices/cfi-flash.ts";
import type { GuestMemory } from "../virtio/memory.ts";
import type { Board, FlashVariables, PlatformLine } from "./board.ts";
import { CrosvmBoard } from "./crosvm-board.ts";
import { CROSVM_SERIAL_SIZE, CROSVM_SERIALS, crosvmLines, crosvmPciSpi, type CrosvmRegion } from "./crosvm-map.ts";
import { QemuBoard } from "./qemu-virt-board.ts";
import { QEMU_UART, qemuFlash, qemuLines } from "./qemu-virt-map.ts";
import { layoutVm, queueNotification, virtioSpi, VM_PL011_BASE, VM_PL011_SIZE, VM_PL011_SPI } from "./vm-layout.ts";
import { PAGE_SIZE } from "../support/sizes.ts";
import { node } from "../support/node-modules.ts";
import { ipaId } from "../abi/ids.ts";

/** Events of a VMM for its host. */
export interface VmmEvents {
  output(byte: number): void;
  problem(message: string): void;
}

/** A VMM: a process of the host with one VM. */
export interface VmmProcess {
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
   * Bytes typed at the console, or breaks (`Pl011Data.BE`); false without a console, or once the
   * process has ended.
   */
  type(characters: ArrayLike<number>): boolean;
  /** Some time has passed. */
  timer(): void;
  /** Plain data. */
  save(): unknown;
  restore(saved: unknown): void;
}

/** The user that VMMs run as. */
const VMM_UID = 1000;
/** A write that increments an eventfd's counter. */
const ONE = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);

/** A step that was refused. */
export class Refused extends Error {}

/** A vCPU as its VMM has it. Plain data. */
export interface VmmVcpu {
  readonly fd: number;
  /** User address of the structure that RUN fills. */
  readonly page: number;
  /** The RUN that waits. */
  task: number | undefined;
}

/** The ioeventfd of a device's queue. Plain data. */
interface Notifier {
  readonly fd: number;
  /** Id of the eventfd. */
  readonly eventfd: number;
  readonly slot: number;
  readonly queue: number;
}

/** A VMM's state between two events: plain data. */
export interface VmmData {
  pid: number;
  /** Its address space, which VMs are of. */
  space: number;
  /** User address of the VM's memory but for the pool, 0 before it has any. */
  memory: number;
  /** User address of the pool for DMA, if there is one. */
  pool?: number;
  /** User addresses of the windows of RAM that it has so far. */
  windows?: number[];
  /** User address of the arrays of its flash, one after the other. */
  flash?: number;
  /** User address of a page for structures. */
  scratch: number;
  /** Descriptors of the irqfds of the console, 0 without, and of the devices by slot. */
  consoleLine: number;
  lines: number[];
  /** Those of a board's own devices, by SPI. */
  boardLines?: Record<number, number>;
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
  return { pid: 0, space: 0, memory: 0, scratch: 0, consoleLine: 0, lines: [], notifiers: [], vcpus: [], ended: false, gaveUp: false };
}

/** Saved state of a VMM. */
interface VmmState<D extends VmmData> {
  readonly data: D;
  readonly console: VmConsoleState | undefined;
  readonly board?: unknown;
}

/** Time for which a vCPU has run, ns, by the process and its descriptor. */
export type RunTime = (pid: number, fd: number) => number;

/** Services of the host's program to a board. */
export interface BoardServices {
  /** For stall detectors. */
  readonly runTime?: RunTime;
  /** For firmware; without them its variables are lost with the VM. */
  readonly variables?: FlashVariables;
}

/** Where the console is in a VM. */
const PL011_PLACE = { base: VM_PL011_BASE, size: VM_PL011_SIZE };
const SERIAL_PLACE = { base: CROSVM_SERIALS[0].base, size: CROSVM_SERIAL_SIZE };

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

/** Bytes of RUN's structure in which every driver says why RUN left. */
const EXIT_SIZE = 64;

/** One VMM with its VM. */
export abstract class Vmm<D extends VmmData> implements VmmProcess {
  protected readonly kernel: HostKernel;
  readonly #events: VmmEvents;
  readonly #console: VmConsole | undefined;
  readonly #devices: VmDevices | undefined;
  /** The rest of the platform's devices, where it has some. */
  readonly #board: Board | undefined;
  readonly #exit = new Uint8Array(EXIT_SIZE);
  readonly #exitView = new DataView(this.#exit.buffer);
  readonly #variables: FlashVariables | undefined;
  /** Why a device's access to lent memory is about to end the process. */
  #lentTouched: string | undefined;

  constructor(
    kernel: HostKernel,
    readonly plan: VmPlan,
    events: VmmEvents,
    devices: VmDevices | undefined,
    protected data: D,
    services: BoardServices = {},
  ) {
    this.kernel = kernel;
    this.#events = events;
    const crosvm = plan.platform === "crosvm";
    this.#console = !plan.console ? undefined : crosvm ? uart16550Console(events.output) : new VmConsole(events.output);
    this.#devices = devices;
    this.#variables = services.variables;
    this.#board = (plan.platform ?? "el2") === "el2" ? undefined : this.#newBoard(services.runTime);
  }

  /**
   * Makes the VM and starts it.
   * @throws Refused
   */
  protected abstract make(): void;
  /**
   * Makes an eventfd raise an interrupt line of the VM, number `spi` of the shared ones.
   * @throws Refused
   */
  protected abstract addLine(fd: number, spi: number, edge: boolean): void;
  /**
   * Makes the guest's store of this 32-bit value, or any store where there is none, signal an
   * eventfd instead of leaving RUN.
   * @throws Refused
   */
  protected abstract addNotifier(fd: number, address: number, value: number | undefined): void;
  /**
   * Sends a device's message to the VM's ITS; only VMMs whose driver has one get such plans.
   * @throws Refused
   */
  protected signalMsi(_device: number, _event: number): void {
    throw new Refused("the driver has no ITS");
  }
  /**
   * Has the guest read and execute memory of the process at an address among its devices, or takes
   * that back; only VMMs whose driver can get such plans.
   * @throws Refused
   */
  protected setRom(_base: number, _size: number, _address: number | undefined): void {
    throw new Refused("the driver has no ROM");
  }
  /** RUN of a vCPU. */
  protected abstract run(vcpu: VmmVcpu): IoctlResult;
  /**
   * The reason for which RUN returned.
   * @throws Refused
   */
  protected abstract exitOf(vcpu: VmmVcpu): VmmExit;
  /** Offset of a load's data in the structure of RUN. */
  protected abstract readonly dataOffset: number;
  /** The driver's differences in the VM's devicetree. */
  protected get traits(): DriverTraits {
    return {};
  }

  /** The process. */
  get pid(): number {
    return this.data.pid;
  }

  get space(): number {
    return this.data.space;
  }

  get wakeAt(): number | undefined {
    if (this.data.ended) return undefined;
    const times = [this.#console?.wakeAt, this.#devices?.wakeAt, this.#board?.wakeAt, this.data.reclaim?.at].filter((time) =>
      time !== undefined
    );
    return times.length === 0 ? undefined : Math.min(...times);
  }

  save(): VmmState<D> {
    const saved = { data: structuredClone(this.data), console: this.#console?.save() };
    return this.#board === undefined ? saved : { ...saved, board: this.#board.save() };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { data, console, board } = saved as VmmState<D>;
    this.data = structuredClone(data);
    if (console !== undefined) this.#console?.restore(console);
    if (board !== undefined) this.#board?.restore(board);
    if (this.data.ended) return;
    if (this.data.consoleLine !== 0) this.#connectConsole();
    if (this.data.memory !== 0) this.#connectDevices();
  }

  start(): void {
    this.data.pid = this.kernel.spawn();
    this.data.space = this.kernel.spaceOf(this.data.pid).id;
    // Root may lock any amount of memory, whatever its limit is.
    this.kernel.setuid(this.data.pid, VMM_UID);
    this.attempt(() => this.make());
  }

  end(): void {
    if (this.data.ended) return;
    this.data.ended = true;
    this.#devices?.disconnect();
    this.kernel.exit(this.pid);
  }

  get gaveUp(): boolean {
    return this.data.gaveUp;
  }

  finished(task: number, result: number): boolean {
    const vcpu = this.data.ended ? undefined : this.data.vcpus.find((each) => each.task === task);
    if (vcpu !== undefined) this.attempt(() => this.#left(vcpu, result));
    return vcpu !== undefined;
  }

  signalled(eventfd: number): void {
    const notifier = this.data.ended ? undefined : this.data.notifiers.find((each) => each.eventfd === eventfd);
    if (notifier === undefined) return;
    const { fd, slot, queue } = notifier;
    if (typeof this.kernel.read(this.pid, fd, 8) === "number") return;
    this.attempt(() => this.#act(() => this.#devices!.notify(slot, queue)));
  }

  type(characters: ArrayLike<number>): boolean {
    // The console's line is an eventfd of a process that is gone.
    if (this.data.ended) return false;
    this.#console?.type(this.kernel.cpu.now, characters);
    return this.#console !== undefined;
  }

  timer(): void {
    if (this.data.ended) return;
    this.#console?.timer(this.kernel.cpu.now);
    this.attempt(() => this.#act(() => this.#devices?.timer(this.kernel.cpu.now)));
    if (!this.data.ended) this.attempt(() => this.#board?.timer());
    if (!this.data.ended) this.attempt(() => this.#reclaim());
  }

  /** From now on the host may reclaim pages of the VM, which nothing pins. */
  protected reclaimAfter(time: number): void {
    const { now } = this.kernel.cpu;
    this.data.reclaim = { since: now, at: now + time };
  }

  /**
   * The host reclaims a page in the middle of the VM's memory.
   * @throws Refused
   */
  #reclaim(): void {
    const { reclaim, memory } = this.data;
    if (reclaim === undefined || this.kernel.cpu.now < reclaim.at) return;
    this.data.reclaim = undefined;
    const half = Math.floor(this.plan.memory / 2 / PAGE_SIZE) * PAGE_SIZE;
    if (!this.kernel.reclaimPage(this.pid, memory + half, reclaim.since)) throw new Refused("signal 7 (SIGBUS, BUS_OBJERR)");
  }

  // ---- steps ----

  /**
   * Loads the VM's memory, which is at this user address now.
   * @throws Refused
   */
  protected load(memory: number): void {
    this.placed(memory);
    const objects = this.#devices?.backends?.transports.map(({ device }) => device);
    for (const { offset, bytes } of vmContents(this.plan, objects, this.traits)) {
      this.store(memory + offset, bytes);
      const { trace } = this.kernel.cpu;
      if (!trace.wants("mem")) continue;
      const ipa = ipaId(this.plan.name, this.plan.base + offset);
      trace.event("mem", "load", { ipa, size: bytes.length, sha256: node.crypto.createHash("sha256").update(bytes).digest("hex") });
    }
  }

  /** The VM's memory is at this user address. */
  protected placed(memory: number): void {
    if (this.data.memory === memory) return;
    this.data.memory = memory;
    this.#connectDevices();
  }

  /**
   * Memory for a region of crosvm's platform, each with its own mapping: its user address.
   * @throws Refused
   */
  protected mapRegion({ purpose, size }: CrosvmRegion): number {
    const address = this.mapMemory(size);
    if (purpose === "pool") this.data.pool = address;
    if (purpose === "ram") this.placed(address);
    if (purpose === "window") (this.data.windows ??= []).push(address);
    return address;
  }

  /**
   * Fills the banks of flash: the code, and the variables that are kept.
   * @throws Refused
   */
  protected loadFlash(): void {
    const { flash } = this.plan, banks = qemuFlash(this.plan);
    if (flash === undefined) return;
    const address = this.data.flash = this.mapMemory(banks.reduce((sum, { size }) => sum + size, 0));
    banks.forEach(({ size }, bank) => {
      const content = new Uint8Array(size).fill(ERASED);
      if (bank === 0) content.set(flash.code);
      else if (this.#variables) content.set(this.#variables.content);
      this.store(this.#flashAddress(bank, address), content);
    });
  }

  /** User address of a bank's array. */
  #flashAddress(bank: number, first = this.data.flash ?? 0): number {
    return qemuFlash(this.plan).slice(0, bank).reduce((address, { size }) => address + size, first);
  }

  /**
   * Has the guest read a bank's array, or lets its loads leave RUN.
   * @throws Refused
   */
  protected showFlash(bank: number, shown: boolean): void {
    const { base, size } = qemuFlash(this.plan)[bank];
    this.setRom(base, size, shown ? this.#flashAddress(bank) : undefined);
  }

  #flashArray(bank: number): FlashArray {
    const { size } = qemuFlash(this.plan)[bank];
    const kept = bank === 0 ? undefined : this.#variables;
    return {
      size,
      read: (offset, length) => {
        const read = this.kernel.load(this.pid, this.#flashAddress(bank) + offset, Math.min(length, size - offset));
        if (!read.ok) throw new Refused("the array of the flash cannot be read");
        return read.value;
      },
      write: (offset, bytes) => {
        this.store(this.#flashAddress(bank) + offset, bytes);
        kept?.write(offset, bytes);
      },
      flush: () => kept?.flush(),
      replaced: () => {},
    };
  }

  /** Guest address of the devicetree. */
  protected get devicetree(): number {
    return this.plan.base + layoutVm(this.plan).devicetree;
  }

  /**
   * Interrupt lines of console and devices, and a notifier for each queue.
   * @throws Refused
   */
  protected addLines(): void {
    if (this.#board !== undefined) this.#addBoardLines();
    else if (this.#console !== undefined) {
      this.data.consoleLine = this.#eventfd();
      this.addLine(this.data.consoleLine, VM_PL011_SPI, false);
      this.#connectConsole();
    }
    // Accesses to objects of the hypervisor's never leave to the VMM.
    if (this.#devices?.backends !== undefined || this.plan.platform === "qemu-virt") return;
    this.#devices?.transports.forEach(({ queues }, slot) => {
      const line = this.data.lines[slot] = this.#eventfd();
      this.addLine(line, virtioSpi(this.plan.platform, slot), false);
      queues.forEach((_, queue) => {
        const fd = this.#eventfd();
        const { address, value } = queueNotification(this.plan.platform, slot, queue);
        this.addNotifier(fd, address, value);
        this.data.notifiers.push({ fd, eventfd: this.kernel.fileOf(this.pid, fd)!.target, slot, queue });
      });
    });
  }

  /** The lines of the board's own devices; one of them is the console's. */
  #addBoardLines(): void {
    const { plan } = this;
    const qemu = plan.platform === "qemu-virt";
    const virtio = new Set(this.#devices?.transports.map((_, slot) => crosvmPciSpi(slot)));
    const own = qemu ? qemuLines(plan) : crosvmLines(plan).filter(({ spi }) => !virtio.has(spi));
    const fds = own.map(({ spi, edge }: PlatformLine): [number, number] => {
      const fd = this.#eventfd();
      this.addLine(fd, spi, edge);
      return [spi, fd];
    });
    const lines = this.data.boardLines = Object.fromEntries(fds);
    this.data.consoleLine = lines[qemu ? QEMU_UART.spi : CROSVM_SERIALS[0].spi];
    // Functions of PCI share the lines of the host's pins.
    if (qemu) this.data.lines = (this.#devices?.transports ?? []).map((_, slot) => lines[virtioSpi(plan.platform, slot)]);
    this.#connectConsole();
  }

  #newBoard(runTime: RunTime | undefined): Board {
    const { kernel, plan } = this;
    const process = {
      ...this.#memory(),
      now: () => kernel.cpu.now,
      ran: (vcpu: number) => runTime?.(this.pid, this.data.vcpus[vcpu].fd) ?? 0,
      signal: (spi: number) => {
        const fd = this.data.boardLines?.[spi];
        if (fd !== undefined) kernel.write(this.pid, fd, ONE);
      },
      signalMsi: (device: number, event: number) => this.signalMsi(device, event),
      flashArray: (bank: number) => this.#flashArray(bank),
      showFlash: (bank: number, shown: boolean) => this.showFlash(bank, shown),
      problem: (message: string) => this.#events.problem(message),
      end: (reason: string) => {
        throw new Refused(reason);
      },
    };
    const functions = this.#devices?.functions ?? [];
    return plan.platform === "qemu-virt" ? new QemuBoard(plan, functions, process) : new CrosvmBoard(plan, functions, process);
  }

  #eventfd(): number {
    return this.must("eventfd", this.kernel.eventfd(this.pid, 0));
  }

  #connectConsole(): void {
    this.#console?.connect(() => this.kernel.write(this.pid, this.data.consoleLine, ONE));
  }

  #connectDevices(): void {
    const { kernel } = this;
    this.#devices?.connect({
      get now() {
        return kernel.cpu.now;
      },
      ...this.#memory(),
      touchedLent: (reason) => this.#lentTouched ??= reason,
      interrupt: (slot) => {
        if (this.#board?.interrupts(slot) !== false) kernel.write(this.pid, this.data.lines[slot], ONE);
      },
      lowered: (slot) => this.#lowered(slot),
      message: (slot, address, data) => this.#board?.message(slot, address, data),
    });
  }

  /** A device has lowered its line: others that share it still ask for it. */
  #lowered(slot: number): void {
    const { lines } = this.data, line = lines[slot];
    if (line === undefined) return;
    const asks = lines.some((other, index) => other === line && index !== slot && this.#devices?.functions[index]?.interrupt);
    if (asks) this.kernel.write(this.pid, line, ONE);
  }

  /** The VM's memory as the process sees it. */
  #memory(): GuestMemory {
    const { kernel, plan: { base, memory, swiotlb = 0, windows = [] } } = this;
    const pool = base + memory - swiotlb, end = base + memory;
    const userAddress = (address: number, length: number) => {
      if (address >= base && address + length <= pool) return this.data.memory + address - base;
      if (this.data.pool !== undefined && address >= pool && address + length <= end) return this.data.pool + address - pool;
      for (const [index, window] of windows.entries()) {
        const offset = address - window.base, user = this.data.windows?.[index];
        if (user !== undefined && offset >= 0 && offset + length <= window.size) return user + offset;
      }
      return undefined;
    };
    return {
      read: (address, into) => {
        const at = userAddress(address, into.length);
        return at !== undefined && kernel.loadInto(this.pid, at, into) === undefined;
      },
      write: (address, from) => {
        const at = userAddress(address, from.length);
        return at !== undefined && kernel.store(this.pid, at, from).ok;
      },
    };
  }

  // ---- the run loop ----

  /**
   * RUN, repeated while it ends at once.
   * @throws Refused
   */
  protected enter(vcpu: VmmVcpu): void {
    const { task, result } = this.run(vcpu);
    vcpu.task = result === undefined ? task : undefined;
    if (result !== undefined) this.#left(vcpu, result);
  }

  /** RUN has ended. */
  #left(vcpu: VmmVcpu, result: number): void {
    vcpu.task = undefined;
    if (result === -Errno.EINTR) return this.enter(vcpu);
    this.must("RUN", result);
    const exit = this.exitOf(vcpu);
    if (exit.kind === "other") throw new Refused(`RUN left with ${exit.reason}`);
    if (exit.kind === "end") return this.end();
    this.#act(() => this.#mmio(vcpu, exit));
    this.enter(vcpu);
  }

  /**
   * Lets devices act, and then ends the process if one of them touched lent memory.
   * @throws Refused
   */
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
    this.store(vcpu.page + this.dataOffset, bytes.subarray(0, length));
  }

  /** The value of a load, 0 for a store; undefined if no device is. */
  #access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    const place = this.plan.platform === "crosvm" ? SERIAL_PLACE : PL011_PLACE;
    const offset = address - place.base;
    if (this.#console === undefined || offset < 0 || offset >= place.size) {
      return (this.#board ?? this.#devices)?.access(address, size, value);
    }
    if (value === undefined) return this.#console.read(this.kernel.cpu.now, offset, size);
    this.#console.write(this.kernel.cpu.now, offset, size, value);
    return 0n;
  }

  // ---- calls ----

  protected must(what: string, result: number): number {
    if (result < 0) throw new Refused(`${what}: ${errnoName(result)}`);
    return result;
  }

  /** An ioctl with a structure. */
  protected structured<F extends StructFields>(
    fd: number,
    { code }: Request,
    struct: Struct<F>,
    values: Partial<StructValues<F>>,
  ): IoctlResult {
    return this.kernel.ioctl(this.pid, fd, code, BigInt(this.place(struct.encode(values), 0)));
  }

  /**
   * An ioctl that waits in no generation.
   * @throws Refused
   */
  protected ioctl(what: string, fd: number, { code }: Request, argument: bigint): number {
    return this.#ended(what, this.kernel.ioctl(this.pid, fd, code, argument));
  }

  /**
   * The same with a structure.
   * @throws Refused
   */
  protected call<F extends StructFields>(
    what: string,
    fd: number,
    request: Request,
    struct: Struct<F>,
    values: Partial<StructValues<F>>,
  ): number {
    return this.#ended(what, this.structured(fd, request, struct, values));
  }

  #ended(what: string, { result }: IoctlResult): number {
    if (result === undefined) throw new Refused(`${what} waits`);
    return this.must(what, result);
  }

  /**
   * Bytes in the page for structures.
   * @throws Refused
   */
  protected place(bytes: Uint8Array, offset: number): number {
    this.data.scratch ||= this.mapPage();
    this.store(this.data.scratch + offset, bytes);
    return this.data.scratch + offset;
  }

  /**
   * A private page of the process.
   * @throws Refused
   */
  protected mapPage(): number {
    return this.must("mmap", this.kernel.mapAnonymous(this.pid, PAGE_SIZE, { read: true, write: true }));
  }

  /**
   * Memory for the VM, in one piece: all that it has by default.
   * @throws Refused
   */
  protected mapMemory(size = this.plan.memory): number {
    const options = { read: true, write: true, contiguous: true };
    return this.must("mmap of the VM's memory", this.kernel.mapAnonymous(this.pid, size, options));
  }

  protected store(address: number, bytes: Uint8Array): void {
    const result = this.kernel.store(this.pid, address, bytes);
    if (!result.ok) throw new Refused(`memory at 0x${address.toString(16)}: signal ${result.signal}`);
  }

  /**
   * The beginning of the structure that RUN has filled; valid until the next exit.
   * @throws Refused
   */
  protected filled(vcpu: VmmVcpu): DataView {
    const signal = this.kernel.loadInto(this.pid, vcpu.page, this.#exit);
    if (signal !== undefined) throw new Refused("the structure of RUN cannot be read");
    return this.#exitView;
  }

  /** Runs the steps; after any failure the VM is taken down. */
  protected attempt(steps: () => void): void {
    try {
      steps();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#events.problem(error.message);
      this.data.gaveUp = true;
      this.end();
    }
  }
}

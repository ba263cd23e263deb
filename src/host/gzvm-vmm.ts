// The sample VMM on /dev/gzvm: the calls of crosvm in their order (spec/geniezone.md §9). As for Gunyah's (`vmm.ts`), where it stands is
// plain data, and closing everything takes the VM down.

import { Errno, errnoName } from "../abi/ioctl/errno.ts";
import {
  GZVM,
  GZVM_CREATE_DEVICE,
  GZVM_DTB_CONFIG,
  GZVM_EXIT_BASE,
  GZVM_IRQFD,
  GZVM_ONE_REG,
  GZVM_RUN_MMIO,
  GZVM_U64,
  GZVM_USER_MEMORY_REGION,
  GzvmExit,
} from "../abi/ioctl/geniezone.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import { writeDevicetree } from "../devicetree/writer.ts";
import { GzvmDevice, SlotPurpose } from "./geniezone/el2.ts";
import { guestDevicetree } from "./guest-devicetree.ts";
import type { HostKernel } from "./kernel/kernel.ts";
import type { VmPlan } from "./plan.ts";
import type { VmConsoleState } from "./vm-console.ts";
import {
  DEVICETREE_SIZE,
  layoutVm,
  PAGE_SIZE,
  VM_GICD_BASE,
  VM_GICD_SIZE,
  VM_GICR_BASE,
  VM_GICR_SIZE,
  VM_PL011_BASE,
  VM_PL011_SIZE,
  VM_PL011_SPI,
} from "./vm-layout.ts";
import { EventfdConsole, Refused, type VmmEvents, type VmmProcess } from "./vmm-process.ts";

/** Ids of 64-bit core registers: X0 and PC. */
const X0 = 0x6030_0000_0010_0000n, PC = X0 + 64n;

/** A vCPU. Plain data. */
interface GzvmVcpu {
  readonly fd: number;
  /** User address of its run structure. */
  readonly run: number;
  /** The RUN that waits. */
  task: number | undefined;
}

/** What it remembers between two events: plain data. */
interface GzvmData {
  pid: number;
  scratch: number;
  eventfd: number;
  vcpus: GzvmVcpu[];
  ended: boolean;
}

/** One VMM with its VM. */
export class GzvmVmm implements VmmProcess {
  readonly #kernel: HostKernel;
  readonly #events: VmmEvents;
  readonly #console: EventfdConsole | undefined;
  #data: GzvmData = { pid: 0, scratch: 0, eventfd: 0, vcpus: [], ended: false };

  constructor(kernel: HostKernel, readonly plan: VmPlan, events: VmmEvents) {
    this.#kernel = kernel;
    this.#events = events;
    this.#console = plan.console ? new EventfdConsole(events.output, events.problem) : undefined;
  }

  get pid(): number {
    return this.#data.pid;
  }

  get wakeAt(): number | undefined {
    return this.#console?.wakeAt;
  }

  save(): { data: GzvmData; console: VmConsoleState | undefined } {
    return { data: structuredClone(this.#data), console: this.#console?.save() };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { data, console } = saved as ReturnType<GzvmVmm["save"]>;
    this.#data = structuredClone(data);
    if (console !== undefined) this.#console?.restore(console);
    if (this.#data.eventfd !== 0) this.#connect();
  }

  start(): void {
    this.#data.pid = this.#kernel.spawn();
    this.#attempt(() => {
      if (this.plan.schedule !== "proxy") throw new Refused("GenieZone's VMs are run by their VMM: schedule has to be proxy");
      const vm = this.#ioctl("CREATE_VM", this.#must("open /dev/gzvm", this.#kernel.open(this.pid, "/dev/gzvm")), GZVM.CREATE_VM, 0n);
      this.#giveMemory(vm);
      this.#makeDevices(vm);
      for (let id = 0; id < this.plan.vcpus; id++) {
        const fd = this.#ioctl("CREATE_VCPU", vm, GZVM.CREATE_VCPU, BigInt(id));
        const run = this.#must("mmap", this.#kernel.mapAnonymous(this.pid, PAGE_SIZE, { read: true, write: true }));
        this.#data.vcpus.push({ fd, run, task: undefined });
      }
      this.#setRegister(PC, this.plan.base + this.plan.image.entry);
      this.#setRegister(X0, this.#devicetree);
      if (this.#console !== undefined) this.#addConsole(vm);
      // The first RUN starts the VM.
      for (const vcpu of this.#data.vcpus) this.#enter(vcpu);
    });
  }

  end(): void {
    if (this.#data.ended) return;
    this.#data.ended = true;
    this.#kernel.exit(this.pid);
  }

  finished(task: number, result: number): boolean {
    const vcpu = this.#data.ended ? undefined : this.#data.vcpus.find((each) => each.task === task);
    if (vcpu !== undefined) this.#attempt(() => this.#run(vcpu, result));
    return vcpu !== undefined;
  }

  type(bytes: Uint8Array): boolean {
    this.#console?.type(this.#kernel.cpu, bytes);
    return this.#console !== undefined;
  }

  timer(): void {
    this.#console?.timer(this.#kernel.cpu);
  }

  // ---- steps ----

  get #devicetree(): number {
    return this.plan.base + layoutVm(this.plan).devicetree;
  }

  #giveMemory(vm: number): void {
    const { plan } = this;
    const address = this.#must("mmap", this.#kernel.mapAnonymous(this.pid, plan.memory, { read: true, write: true, contiguous: true }));
    const layout = layoutVm(plan);
    this.#store(address + plan.image.offset, plan.image.bytes);
    if (layout.initrd !== undefined) this.#store(address + layout.initrd, plan.initrd!);
    this.#store(address + layout.devicetree, writeDevicetree(guestDevicetree(plan, layout)));
    this.#call("SET_USER_MEMORY_REGION", vm, GZVM.SET_USER_MEMORY_REGION, GZVM_USER_MEMORY_REGION, {
      ...{ slot: 0, flags: SlotPurpose.Guest, guest_phys_addr: BigInt(plan.base) },
      ...{ memory_size: BigInt(plan.memory), userspace_addr: BigInt(address) },
    });
    const range = { dtb_addr: BigInt(this.#devicetree), dtb_size: BigInt(DEVICETREE_SIZE) };
    this.#call("SET_DTB_CONFIG", vm, GZVM.SET_DTB_CONFIG, GZVM_DTB_CONFIG, range);
  }

  #makeDevices(vm: number): void {
    const frames = [
      [GzvmDevice.Distributor, VM_GICD_BASE, VM_GICD_SIZE],
      [GzvmDevice.Redistributor, VM_GICR_BASE, VM_GICR_SIZE * this.plan.vcpus],
    ] as const;
    for (const [dev_type, base, size] of frames) {
      const device = { dev_type, dev_addr: BigInt(base), dev_reg_size: BigInt(size) };
      this.#call("CREATE_DEVICE", vm, GZVM.CREATE_DEVICE, GZVM_CREATE_DEVICE, device);
    }
  }

  #addConsole(vm: number): void {
    const fd = this.#data.eventfd = this.#must("eventfd", this.#kernel.eventfd(this.pid, 0));
    this.#call("IRQFD", vm, GZVM.IRQFD, GZVM_IRQFD, { fd, gsi: VM_PL011_SPI });
    this.#connect();
  }

  #connect(): void {
    const one = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
    this.#console?.connect(() => this.#kernel.write(this.pid, this.#data.eventfd, one));
  }

  #setRegister(id: bigint, value: number): void {
    const addr = BigInt(this.#place(GZVM_U64.encode({ value: BigInt(value) }), PAGE_SIZE / 2));
    this.#call("SET_ONE_REG", this.#data.vcpus[0].fd, GZVM.SET_ONE_REG, GZVM_ONE_REG, { id, addr });
  }

  // ---- the run loop ----

  #enter(vcpu: GzvmVcpu): void {
    const { task, result } = this.#kernel.ioctl(this.pid, vcpu.fd, GZVM.RUN.code, BigInt(vcpu.run));
    vcpu.task = result === undefined ? task : undefined;
    if (result !== undefined) this.#run(vcpu, result);
  }

  #run(vcpu: GzvmVcpu, result: number): void {
    vcpu.task = undefined;
    if (result === -Errno.EINTR) return this.#enter(vcpu);
    this.#must("RUN", result);
    const read = this.#kernel.load(this.pid, vcpu.run, GZVM_RUN_MMIO.size);
    if (!read.ok) throw new Refused("the run structure cannot be read");
    const reason = new DataView(read.value.buffer).getUint32(0, true) - GZVM_EXIT_BASE;
    if (reason === GzvmExit.Mmio) {
      this.#mmio(vcpu, GZVM_RUN_MMIO.decode(read.value));
      return this.#enter(vcpu);
    }
    if (reason !== GzvmExit.SystemEvent && reason !== GzvmExit.Shutdown) throw new Refused(`RUN left with exit reason ${reason}`);
    this.end();
  }

  #mmio(vcpu: GzvmVcpu, { phys_addr, data, size, is_write }: { phys_addr: bigint; data: number[]; size: bigint; is_write: number }): void {
    const { cpu } = this.#kernel;
    const length = Number(size), offset = Number(phys_addr) - VM_PL011_BASE;
    const console = offset >= 0 && offset < VM_PL011_SIZE ? this.#console : undefined;
    if (console === undefined) {
      this.#events.problem(`${is_write ? "store" : "load"} of ${length} bytes at 0x${phys_addr.toString(16)}, where no device is`);
    }
    if (is_write) {
      console?.write(cpu, offset, length, data.slice(0, length).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n));
      return;
    }
    // What no device answers reads as zero.
    const value = console?.read(cpu, offset, length) ?? 0n;
    const bytes = Uint8Array.from({ length }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn));
    this.#store(vcpu.run + GZVM_RUN_MMIO.offsetOf("data"), bytes);
  }

  // ---- calls ----

  #must(what: string, result: number): number {
    if (result < 0) throw new Refused(`${what}: ${errnoName(result)}`);
    return result;
  }

  #ioctl(what: string, fd: number, { code }: Request, argument: bigint): number {
    const { result } = this.#kernel.ioctl(this.pid, fd, code, argument);
    if (result === undefined) throw new Refused(`${what} waits`);
    return this.#must(what, result);
  }

  #call<F extends StructFields>(what: string, fd: number, request: Request, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    return this.#ioctl(what, fd, request, BigInt(this.#place(struct.encode(values), 0)));
  }

  /** Bytes in the page for structures. */
  #place(bytes: Uint8Array, offset: number): number {
    this.#data.scratch ||= this.#must("mmap", this.#kernel.mapAnonymous(this.pid, PAGE_SIZE, { read: true, write: true }));
    this.#store(this.#data.scratch + offset, bytes);
    return this.#data.scratch + offset;
  }

  #store(address: number, bytes: Uint8Array): void {
    const result = this.#kernel.store(this.pid, address, bytes);
    if (!result.ok) throw new Refused(`memory at 0x${address.toString(16)}: signal ${result.signal}`);
  }

  /** Whatever a step answers, the VM is taken down. */
  #attempt(steps: () => void): void {
    try {
      steps();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.#events.problem(error.message);
      this.end();
    }
  }
}

// The sample VMM on /dev/gunyah: the steps of a program that runs a VM, in order
// (docs/spec/vm-manager.md §7.1 and §14). START and RUN are the only calls that wait in every
// generation; after any failure, closing all descriptors takes the VM down.

import {
  BOOT_CONTEXT,
  CREATE_MEM_ARGS,
  ExitReason,
  FN_DESC,
  FN_IOEVENTFD_ARG,
  FN_IRQFD_ARG,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_EL2,
  GH_V6,
  IoeventfdFlags,
  IrqfdFlags,
  MAP_MEM_ARGS,
  MapFlagsV17,
  RegionFlags,
  RomFlags,
  RUN_MMIO,
  RUN_PAGE,
  RUN_PAGE_FAULT,
  SET_ROM,
  SIGNAL_MSI,
  USER_MEM_REGION,
  VM_RANGE,
  WAKES_AT_TIMERS,
} from "../abi/ioctl/gunyah.ts";
import { Errno, errnoName } from "../abi/ioctl/errno.ts";
import { type Persona, type PersonaName, PERSONAS } from "../abi/ioctl/personas.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import { RegisterSet } from "../abi/words.ts";
import type { DriverTraits } from "./guest-devicetree.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import { CROSVM_FIRMWARE, crosvmRegions } from "./crosvm-map.ts";
import { QEMU_DEVICETREE_SIZE, QEMU_FLASH_BASES, QEMU_ITS, qemuFlash, qemuStub, qemuStubCode } from "./qemu-virt-map.ts";
import type { DriverQuirks, MemoryWindow, VmPlan } from "./plan.ts";
import type { VmDevices } from "./vm-devices.ts";
import { bellLabel, devicetreeSize, layoutVm, wholePages } from "./vm-layout.ts";
import { type BoardServices, newVmmData, Refused, Vmm, type VmmData, type VmmEvents, type VmmExit, type VmmVcpu } from "./vmm-process.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Label of the VM's memory. */
const MEMORY_LABEL = 0;

/**
 * How a VM comes to be. Each step ends in an ioctl, which may wait: v6 and v9 ask the resource
 * manager for a VMID in CREATE_VM.
 */
const STEPS = ["create", "memory", "functions", "start"] as const;
type Step = typeof STEPS[number];
const STEP_CALLS: Readonly<Record<Step, string>> = {
  ...{ create: "CREATE_VM", memory: "giving the VM its memory", functions: "SET_DTB_CONFIG", start: "START" },
};

/** Plain data. */
interface GunyahVmmData extends VmmData {
  device: number;
  vm: number;
  /** Which of `STEPS` comes next, or waits. */
  step: number;
  /** The ioctl of that step that waits. */
  waiting: number | undefined;
  /** Regions of crosvm's platform that the VM has. */
  regions?: number;
}

/** One VMM with its VM. */
export class GunyahVmm extends Vmm<GunyahVmmData> {
  protected readonly dataOffset = RUN_MMIO.at.data.offset;
  readonly #persona: Persona;
  /** Whether it asks the driver who wakes vCPUs at their timers, as newer VMMs do. */
  readonly #asksForTimers: boolean;
  /** Time (ns) after which the host reclaims a page. */
  readonly #reclaimAfter: number | undefined;

  constructor(
    kernel: HostKernel,
    device: PersonaName,
    plan: VmPlan,
    events: VmmEvents,
    devices?: VmDevices,
    quirks: DriverQuirks = {},
    services?: BoardServices,
  ) {
    super(kernel, plan, events, devices, { ...newVmmData(), device: 0, vm: 0, step: 0, waiting: undefined }, services);
    this.#persona = PERSONAS[device];
    this.#reclaimAfter = quirks.reclaimAfter;
    this.#asksForTimers = quirks.wakesAtTimers === true && this.#persona.requests.includes(GH_ANDROID.CHECK_EXTENSION);
  }

  protected override get traits(): DriverTraits {
    const firmwareApart = this.#persona.start.includes("firmware-parcel") && !this.#persona.protectedAsParcel;
    return { firmwareApart, wakesAtTimers: this.#asksForTimers && this.#wakesAtTimers() };
  }

  override finished(task: number, result: number): boolean {
    if (this.data.ended || task !== this.data.waiting) return super.finished(task, result);
    this.data.waiting = undefined;
    this.attempt(() => {
      this.#done(STEPS[this.data.step], result);
      this.#go();
    });
    return true;
  }

  // ---- steps ----

  protected make(): void {
    this.#go();
  }

  /** Takes steps until one waits. */
  #go(): void {
    while (this.data.step < STEPS.length) {
      const step = STEPS[this.data.step];
      const { task, result } = this.#begin(step);
      if (result === undefined) {
        this.data.waiting = task;
        return;
      }
      this.#done(step, result);
    }
  }

  /** Does a step up to the ioctl that may wait. */
  #begin(step: Step): IoctlResult {
    switch (step) {
      case "create": {
        this.data.device = this.must("open /dev/gunyah", this.kernel.open(this.pid, "/dev/gunyah"));
        return this.kernel.ioctl(this.pid, this.data.device, this.#request(GH.CREATE_VM, GH_V6.CREATE_VM).code, 0n);
      }
      case "memory":
        return this.#giveMemory();
      case "functions": {
        if (this.#isCrosvm && this.plan.firmware !== undefined) this.#setFirmware(CROSVM_FIRMWARE.size);
        if (this.plan.schedule === "proxy") this.#addVcpus();
        this.addLines();
        if (this.#isCrosvm) this.load(this.data.memory);
        else if (!this.#isQemu && this.plan.firmware === undefined) this.#setEntry();
        else if (this.plan.firmware !== undefined) this.#setFirmware(this.plan.firmware.size);
        const range = { guest_phys_addr: BigInt(this.devicetree), size: BigInt(devicetreeSize(this.plan)) };
        return this.structured(this.data.vm, this.#request(GH.SET_DTB_CONFIG, GH_V6.SET_DTB_CONFIG), VM_RANGE, range);
      }
      case "start":
        if (this.#isCrosvm) this.#setCrosvmEntry();
        if (this.#isQemu) this.#setQemuEntry();
        return this.kernel.ioctl(this.pid, this.data.vm, this.#request(GH.START, GH_V6.START).code, 0n);
    }
  }

  /**
   * crosvm gives the memory first. It loads it once all devices exist, as its devicetree has their
   * interrupts. The entry comes last (docs/spec/phones.md §C5).
   */
  get #isCrosvm(): boolean {
    return this.plan.platform === "crosvm";
  }

  /** QEMU's port sets the entry just before START. */
  get #isQemu(): boolean {
    return this.plan.platform === "qemu-virt";
  }

  /** A VMM of others: it knows the current requests alone, and has its own platform. */
  get #isOther(): boolean {
    return this.#isCrosvm || this.#isQemu;
  }

  /** That ioctl has ended. */
  #done(step: Step, result: number): void {
    this.must(STEP_CALLS[step], result);
    if (step === "memory" && this.#regionCount > 1) {
      this.data.regions = (this.data.regions ?? 0) + 1;
      if (this.data.regions < this.#regionCount) return;
    }
    this.data.step++;
    if (step === "create") this.data.vm = result;
    if (step !== "start") return;
    qemuFlash(this.plan).forEach((_, bank) => this.showFlash(bank, true));
    if (this.#reclaimAfter !== undefined) this.reclaimAfter(this.#reclaimAfter);
    for (const vcpu of this.data.vcpus) this.enter(vcpu);
  }

  /**
   * Whether the VMM keeps its access to the VM's memory. Without devices nothing is lost by lending
   * it; a protected VM's memory is lent even if its devices stop working, and so is memory that
   * could not be executed otherwise.
   */
  get #shares(): boolean {
    const { devices = [], firmware } = this.plan;
    return (devices.length > 0 || this.#isOther) && firmware === undefined && this.#persona.memory.sharedExecutable;
  }

  /** Memory for the VM, loaded, then given: lent memory belongs to the VM from then on. */
  #giveMemory(): IoctlResult {
    const regions = [GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION].some((request) => this.#persona.requests.includes(request));
    if (this.#isOther && !regions) {
      const vmm = this.#isCrosvm ? "crosvm" : "QEMU";
      throw new Refused(`${this.#persona.name} has no SET_USER_MEM_REGION, by which ${vmm} gives memory`);
    }
    if (this.#isCrosvm) return this.#giveCrosvmRegion();
    const { regions: given = 0 } = this.data;
    if (given > 0) return this.#hasFlash ? this.#giveDevicetree(given) : this.#giveWindow(given, regions);
    const memory = regions ? this.#anonymousMemory() : this.#guestMemory();
    this.load(memory.address);
    if (this.#hasFlash) this.loadFlash();
    else if (this.#isQemu) this.store(memory.address + qemuStub(this.plan), qemuStubCode(this.plan.base + this.plan.image.entry));
    return memory.give();
  }

  get #regionCount(): number {
    if (this.#isCrosvm) return crosvmRegions(this.plan).length;
    return this.#hasFlash ? 2 : 1 + (this.plan.windows?.length ?? 0);
  }

  /** The VM starts in flash. */
  get #hasFlash(): boolean {
    return this.plan.flash !== undefined;
  }

  /** The region after RAM, with the resource manager's devicetree. */
  #giveDevicetree(label: number): IoctlResult {
    const { base, memory } = this.plan;
    return this.#giveRegion(label, base + memory, QEMU_DEVICETREE_SIZE, this.data.memory + memory, this.#shares);
  }

  /** A window of RAM, which is empty; `label` counts from 1. */
  #giveWindow(label: number, regions: boolean): IoctlResult {
    const window = this.plan.windows![label - 1];
    if (!regions) {
      const { address, give } = this.#guestMemory(window);
      (this.data.windows ??= []).push(address);
      return give();
    }
    return this.#giveRegion(label, window.base, window.size, this.mapRegion({ purpose: "window", ...window }), this.#shares);
  }

  /** The next region of crosvm's platform: a protected VM shares the pool alone. */
  #giveCrosvmRegion(): IoctlResult {
    const { plan, data: { regions: label = 0 } } = this;
    const region = crosvmRegions(plan)[label], { purpose, base, size } = region;
    return this.#giveRegion(label, base, size, this.mapRegion(region), this.#shares || purpose === "pool");
  }

  #giveRegion(label: number, base: number, size: number, address: number, shared: boolean): IoctlResult {
    const lendCall = !shared && this.#persona.requests.includes(GH_ANDROID.LEND_USER_MEM);
    const lendFlag = !shared && !lendCall ? RegionFlags.Lent : 0;
    const request = lendCall ? GH_ANDROID.LEND_USER_MEM : this.#request(GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION);
    return this.structured(this.data.vm, request, USER_MEM_REGION, {
      ...{ label, flags: RegionFlags.Read | RegionFlags.Write | RegionFlags.Exec | lendFlag },
      ...{ guest_phys_addr: BigInt(base), memory_size: BigInt(size), userspace_addr: BigInt(address) },
    });
  }

  #anonymousMemory(): { address: number; give(): IoctlResult } {
    const { base, memory: size } = this.plan;
    const address = this.mapMemory(this.#hasFlash ? size + QEMU_DEVICETREE_SIZE : size);
    return { address, give: () => this.#giveRegion(MEMORY_LABEL, base, size, address, this.#shares) };
  }

  #guestMemory({ base, size }: MemoryWindow = { base: this.plan.base, size: this.plan.memory }): { address: number; give(): IoctlResult } {
    const fd = this.call("CREATE_GUEST_MEM", this.data.device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(size) });
    const shared = { read: true, write: true, private: false, offset: 0 };
    const { Read, Write, Exec, Lend, Share } = MapFlagsV17;
    const address = this.must("mmap", this.kernel.mapFile(this.pid, fd, size, shared));
    return {
      address,
      give: () => {
        // Lent memory may not stay mapped.
        if (!this.#shares) this.must("munmap", this.kernel.munmap(this.pid, address));
        return this.structured(this.data.vm, GH.MAP_MEM, MAP_MEM_ARGS, {
          ...{ guest_addr: BigInt(base), flags: Read | Write | Exec | (this.#shares ? Share : Lend), guest_mem_fd: fd, size: BigInt(size) },
        });
      },
    };
  }

  #addVcpus(): void {
    // Older generations have no functions at all.
    if (this.#persona.functions === undefined) throw new Refused(`${this.#persona.name} has no vCPUs to run; schedule = "own" needs none`);
    for (let id = 0; id < this.plan.vcpus; id++) {
      const fd = this.#addFunction(FunctionType.Vcpu, FN_VCPU_ARG, { id });
      const options = { read: true, write: true, private: false, offset: 0 };
      const page = this.must("mmap of a vCPU", this.kernel.mapFile(this.pid, fd, PAGE_SIZE, options));
      this.data.vcpus.push({ fd, page, task: undefined });
    }
  }

  protected addLine(fd: number, spi: number, edge: boolean): void {
    const label = this.#isOther ? spi : bellLabel(spi);
    this.#addFunction(FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label, flags: edge ? 0 : IrqfdFlags.Level });
  }

  protected override signalMsi(device: number, event: number): void {
    // A VM that ends takes none, as with irqfds.
    this.structured(this.data.vm, GH_EL2.SIGNAL_MSI, SIGNAL_MSI, { label: QEMU_ITS.label, device, event });
  }

  protected override setRom(base: number, size: number, address: number | undefined): void {
    this.call("EL2_VM_SET_ROM", this.data.vm, GH_EL2.SET_ROM, SET_ROM, {
      ...{ guest_phys_addr: BigInt(base), memory_size: BigInt(size) },
      ...{ userspace_addr: BigInt(address ?? 0), flags: address === undefined ? 0 : RomFlags.Present },
    });
  }

  protected addNotifier(fd: number, address: number, value: number | undefined): void {
    const match = value === undefined ? { len: 0 } : {
      ...{ len: 4, datamatch: BigInt(value), flags: this.plan.datamatchFlag ?? IoeventfdFlags.Datamatch },
    };
    const place = { addr: BigInt(address), ...match };
    this.#addFunction(FunctionType.Ioeventfd, FN_IOEVENTFD_ARG, { fd, ...place });
  }

  /**
   * The resource manager puts the firmware of protected VMs here, and it is what the boot vCPU
   * begins with.
   */
  #setFirmware(size: number): void {
    const { name, requests } = this.#persona;
    if (!requests.includes(GH_ANDROID.SET_FW_CONFIG)) {
      throw new Refused(`${name} has no SET_FW_CONFIG, by which a VM is protected; [host] device = "v14" and Android's kernels have`);
    }
    const range = { guest_phys_addr: BigInt(this.plan.base + layoutVm(this.plan).firmware!), size: BigInt(wholePages(size)) };
    this.call("SET_FW_CONFIG", this.data.vm, GH_ANDROID.SET_FW_CONFIG, VM_RANGE, range);
  }

  /** Where the boot vCPU begins; older generations begin with the first byte of the memory. */
  #setEntry(): void {
    const { base, image } = this.plan;
    if (this.#persona.requests.includes(GH.SET_BOOT_CONTEXT)) {
      const set = (register: number, index: number, value: number) =>
        void this.call("SET_BOOT_CONTEXT", this.data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, {
          reg: register << 8 | index,
          value: BigInt(value),
        });
      set(RegisterSet.PC, 0, base + image.entry);
      set(RegisterSet.X, 0, this.devicetree);
    } else if (image.entry !== 0) {
      throw new Refused(
        `${this.#persona.name} enters a VM at the first byte of its memory, the image at offset 0x${image.entry.toString(16)}`,
      );
    }
  }

  /** A kernel without boot contexts begins at the first byte, which is fine for an image there. */
  #setCrosvmEntry(): void {
    const { base, image: { entry } } = this.plan;
    const context = { reg: RegisterSet.PC << 8, value: BigInt(base + entry) };
    const { result } = this.structured(this.data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, context);
    if (result === -Errno.ENOTTY && entry === 0) return;
    this.must("SET_BOOT_CONTEXT", result ?? 0);
  }

  /** QEMU's port continues without boot contexts: the vCPU begins at the first byte then. */
  #setQemuEntry(): void {
    const { plan } = this;
    const entry = this.#hasFlash ? QEMU_FLASH_BASES[0] : plan.base + qemuStub(plan);
    const registers = [[RegisterSet.PC << 8, entry], ...this.#hasFlash ? [] : [[RegisterSet.X << 8, this.devicetree]]];
    for (const [reg, value] of registers) {
      const { result } = this.structured(this.data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, { reg, value: BigInt(value) });
      if (result === -Errno.ENOTTY && plan.image.entry === 0 && !this.#hasFlash) return;
      this.must("SET_BOOT_CONTEXT", result ?? 0);
    }
  }

  // ---- the run loop ----

  protected run(vcpu: VmmVcpu): IoctlResult {
    return this.kernel.ioctl(this.pid, vcpu.fd, GH.RUN.code, 0n);
  }

  protected exitOf(vcpu: VmmVcpu): VmmExit {
    const view = this.filled(vcpu);
    const reason = RUN_PAGE.at.exit_reason.get(view);
    if (reason === ExitReason.Status) return { kind: "end" };
    if (reason === ExitReason.PageFault) {
      const address = RUN_PAGE_FAULT.at.phys_addr.get(view), attempt = RUN_PAGE_FAULT.at.attempt.get(view);
      return { kind: "other", reason: `a page fault at 0x${address.toString(16)}: ${errnoName(attempt)} (exit reason ${reason})` };
    }
    if (reason !== ExitReason.Mmio) return { kind: "other", reason: `exit reason ${reason}` };
    const { phys_addr, data, len, is_write } = RUN_MMIO.at, length = len.get(view);
    return {
      kind: "mmio",
      address: Number(phys_addr.get(view)),
      length,
      stored: is_write.get(view) === 0 ? undefined : BigInt.asUintN(8 * length, view.getBigUint64(data.offset, true)),
    };
  }

  // ---- calls ----

  #wakesAtTimers(): boolean {
    const { result } = this.kernel.ioctl(this.pid, this.data.vm, GH_ANDROID.CHECK_EXTENSION.code, WAKES_AT_TIMERS);
    return this.must("CHECK_EXTENSION", result ?? 0) > 0;
  }

  /** Which of two generations' requests the device has. */
  #request(request: Request, older: Request): Request {
    // Those VMMs know no older ones, whatever the driver is.
    return this.#isOther || this.#persona.requests.includes(request) ? request : older;
  }

  #addFunction<F extends StructFields>(type: number, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    const arg = BigInt(this.place(struct.encode(values), PAGE_SIZE / 2));
    return this.call("ADD_FUNCTION", this.data.vm, GH.ADD_FUNCTION, FN_DESC, { type, arg_size: struct.size, arg });
  }
}

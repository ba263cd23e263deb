// The sample VMM: what a program on /dev/gunyah does to run a VM, in the order in which it does it (spec/vm-manager.md §7.1 and §14). It is
// a process of the host with descriptors and memory; whatever a step answers, closing everything takes the VM down.
//
// Where it stands is plain data: START and RUN are the only calls that wait, and it goes on when they end.

import { Errno, errnoName } from "../abi/ioctl/errno.ts";
import {
  BOOT_CONTEXT,
  CREATE_MEM_ARGS,
  ExitReason,
  FN_DESC,
  FN_IRQFD_ARG,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_V6,
  IrqfdFlags,
  MAP_MEM_ARGS,
  MapFlagsV17,
  RegionFlags,
  RUN_MMIO,
  RUN_PAGE,
  USER_MEM_REGION,
  VM_RANGE,
} from "../abi/ioctl/gunyah.ts";
import { type Persona, type PersonaName, PERSONAS } from "../abi/ioctl/personas.ts";
import type { Request } from "../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../abi/ioctl/struct.ts";
import { RegisterSet } from "../abi/words.ts";
import { writeDevicetree } from "../devicetree/writer.ts";
import { guestDevicetree } from "./guest-devicetree.ts";
import type { HostKernel, IoctlResult } from "./kernel/kernel.ts";
import type { VmPlan } from "./plan.ts";
import type { VmConsoleState } from "./vm-console.ts";
import { EventfdConsole, Refused, type VmmEvents, type VmmProcess } from "./vmm-process.ts";
import { CONSOLE_BELL_LABEL, DEVICETREE_SIZE, layoutVm, PAGE_SIZE, VM_PL011_BASE, VM_PL011_SIZE } from "./vm-layout.ts";

/** Label of the VM's memory. */
const MEMORY_LABEL = 0;

/** How a VM comes to be. Each step ends in an ioctl, which may wait: v6 and v9 ask the resource manager for a VMID in CREATE_VM. */
const STEPS = ["create", "memory", "functions", "start"] as const;
type Step = typeof STEPS[number];
const STEP_CALLS: Readonly<Record<Step, string>> = {
  ...{ create: "CREATE_VM", memory: "giving the VM its memory", functions: "SET_DTB_CONFIG", start: "START" },
};

/** A vCPU as its VMM has it. Plain data. */
interface VmmVcpu {
  readonly fd: number;
  /** User address of the run page. */
  readonly page: number;
  /** The RUN that waits. */
  task: number | undefined;
}

/** What a VMM remembers between two events: plain data. */
interface VmmData {
  pid: number;
  device: number;
  vm: number;
  /** User address of a page for structures. */
  scratch: number;
  eventfd: number;
  vcpus: VmmVcpu[];
  /** Which of `STEPS` comes next, or waits. */
  step: number;
  /** The ioctl of that step that waits. */
  waiting: number | undefined;
  /** The process has ended. */
  ended: boolean;
}

/** Saved state of a VMM. */
export interface VmmState {
  readonly data: VmmData;
  readonly console: VmConsoleState | undefined;
}

/** One VMM with its VM. */
export class Vmm implements VmmProcess {
  readonly #kernel: HostKernel;
  readonly #persona: Persona;
  readonly #events: VmmEvents;
  readonly #console: EventfdConsole | undefined;
  #data: VmmData = { pid: 0, device: 0, vm: 0, scratch: 0, eventfd: 0, vcpus: [], step: 0, waiting: undefined, ended: false };

  constructor(kernel: HostKernel, device: PersonaName, readonly plan: VmPlan, events: VmmEvents) {
    this.#kernel = kernel;
    this.#persona = PERSONAS[device];
    this.#events = events;
    this.#console = plan.console ? new EventfdConsole(events.output, events.problem) : undefined;
  }

  /** The process. */
  get pid(): number {
    return this.#data.pid;
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    return this.#console?.wakeAt;
  }

  save(): VmmState {
    return { data: structuredClone(this.#data), console: this.#console?.save() };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { data, console } = saved as VmmState;
    this.#data = structuredClone(data);
    if (console !== undefined) this.#console?.restore(console);
    if (this.#data.eventfd !== 0) this.#connect();
  }

  /** Makes the VM and starts it. */
  start(): void {
    this.#data.pid = this.#kernel.spawn();
    this.#attempt(() => this.#go());
  }

  /** Ends the process, and with it the VM. */
  end(): void {
    if (this.#data.ended) return;
    this.#data.ended = true;
    this.#kernel.exit(this.pid);
  }

  /** An ioctl of the process has ended; whether it was the VMM's. */
  finished(task: number, result: number): boolean {
    if (this.#data.ended) return false;
    if (task === this.#data.waiting) {
      this.#data.waiting = undefined;
      this.#attempt(() => {
        this.#done(STEPS[this.#data.step], result);
        this.#go();
      });
      return true;
    }
    const vcpu = this.#data.vcpus.find((each) => each.task === task);
    if (vcpu === undefined) return false;
    this.#attempt(() => this.#run(vcpu, result));
    return true;
  }

  /** Bytes from the person at the console; false where there is none. */
  type(bytes: Uint8Array): boolean {
    this.#console?.type(this.#kernel.cpu, bytes);
    return this.#console !== undefined;
  }

  /** Some time has passed. */
  timer(): void {
    this.#console?.timer(this.#kernel.cpu);
  }

  // ---- steps ----

  /** Takes steps until one waits. */
  #go(): void {
    while (this.#data.step < STEPS.length) {
      const step = STEPS[this.#data.step];
      const { task, result } = this.#begin(step);
      if (result === undefined) {
        this.#data.waiting = task;
        return;
      }
      this.#done(step, result);
    }
  }

  /** Does a step up to the ioctl that may wait. */
  #begin(step: Step): IoctlResult {
    switch (step) {
      case "create": {
        this.#data.device = this.#must("open /dev/gunyah", this.#kernel.open(this.pid, "/dev/gunyah"));
        return this.#kernel.ioctl(this.pid, this.#data.device, this.#request(GH.CREATE_VM, GH_V6.CREATE_VM).code, 0n);
      }
      case "memory":
        return this.#giveMemory();
      case "functions": {
        if (this.plan.schedule === "proxy") this.#addVcpus();
        if (this.#console !== undefined) this.#addConsole();
        this.#setEntry();
        const range = { guest_phys_addr: BigInt(this.#devicetree), size: BigInt(DEVICETREE_SIZE) };
        return this.#structured(this.#data.vm, this.#request(GH.SET_DTB_CONFIG, GH_V6.SET_DTB_CONFIG), VM_RANGE, range);
      }
      case "start":
        return this.#kernel.ioctl(this.pid, this.#data.vm, this.#request(GH.START, GH_V6.START).code, 0n);
    }
  }

  /** That ioctl has ended. */
  #done(step: Step, result: number): void {
    this.#must(STEP_CALLS[step], result);
    this.#data.step++;
    if (step === "create") this.#data.vm = result;
    if (step === "start") { for (const vcpu of this.#data.vcpus) this.#enter(vcpu); }
  }

  get #devicetree(): number {
    return this.plan.base + layoutVm(this.plan).devicetree;
  }

  /** Memory for the VM, loaded, then lent: from then on it is the VM's. */
  #giveMemory(): IoctlResult {
    const { plan } = this;
    const regions = [GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION].some((request) => this.#persona.requests.includes(request));
    const memory = regions ? this.#anonymousMemory() : this.#guestMemory();
    const layout = layoutVm(plan);
    this.#store(memory.address + plan.image.offset, plan.image.bytes);
    if (layout.initrd !== undefined) this.#store(memory.address + layout.initrd, plan.initrd!);
    this.#store(memory.address + layout.devicetree, writeDevicetree(guestDevicetree(plan, layout)));
    return memory.give();
  }

  #anonymousMemory(): { address: number; give(): IoctlResult } {
    const { base, memory: size } = this.plan;
    const address = this.#must("mmap", this.#kernel.mapAnonymous(this.pid, size, { read: true, write: true, contiguous: true }));
    const lend = this.#persona.requests.includes(GH_ANDROID.LEND_USER_MEM);
    const request = lend ? GH_ANDROID.LEND_USER_MEM : this.#request(GH.SET_USER_MEM_REGION, GH_V6.SET_USER_MEM_REGION);
    const rights = RegionFlags.Read | RegionFlags.Write | RegionFlags.Exec;
    return {
      address,
      give: () =>
        this.#structured(this.#data.vm, request, USER_MEM_REGION, {
          ...{ label: MEMORY_LABEL, flags: lend ? rights : rights | RegionFlags.Lent, guest_phys_addr: BigInt(base) },
          ...{ memory_size: BigInt(size), userspace_addr: BigInt(address) },
        }),
    };
  }

  #guestMemory(): { address: number; give(): IoctlResult } {
    const { base, memory: size } = this.plan;
    const fd = this.#call("CREATE_GUEST_MEM", this.#data.device, GH.CREATE_GUEST_MEM, CREATE_MEM_ARGS, { size: BigInt(size) });
    const shared = { read: true, write: true, private: false, offset: 0 };
    const { Read, Write, Exec, Lend } = MapFlagsV17;
    return {
      address: this.#must("mmap", this.#kernel.mapFile(this.pid, fd, size, shared)),
      give: () =>
        this.#structured(this.#data.vm, GH.MAP_MEM, MAP_MEM_ARGS, {
          ...{ guest_addr: BigInt(base), flags: Read | Write | Exec | Lend, guest_mem_fd: fd, size: BigInt(size) },
        }),
    };
  }

  #addVcpus(): void {
    // Older generations have no functions at all.
    if (this.#persona.functions === undefined) throw new Refused(`${this.#persona.name} has no vCPUs to run; schedule = "own" needs none`);
    for (let id = 0; id < this.plan.vcpus; id++) {
      const fd = this.#addFunction(FunctionType.Vcpu, FN_VCPU_ARG, { id });
      const options = { read: true, write: true, private: false, offset: 0 };
      const page = this.#must("mmap of a vCPU", this.#kernel.mapFile(this.pid, fd, PAGE_SIZE, options));
      this.#data.vcpus.push({ fd, page, task: undefined });
    }
  }

  #addConsole(): void {
    const fd = this.#data.eventfd = this.#must("eventfd", this.#kernel.eventfd(this.pid, 0));
    this.#addFunction(FunctionType.Irqfd, FN_IRQFD_ARG, { fd, label: CONSOLE_BELL_LABEL, flags: IrqfdFlags.Level });
    this.#connect();
  }

  #connect(): void {
    const one = Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0);
    this.#console?.connect(() => this.#kernel.write(this.pid, this.#data.eventfd, one));
  }

  /** Where the boot vCPU begins; older generations begin with the first byte of the memory. */
  #setEntry(): void {
    const { base, image } = this.plan;
    if (this.#persona.requests.includes(GH.SET_BOOT_CONTEXT)) {
      const set = (register: number, index: number, value: number) =>
        void this.#call("SET_BOOT_CONTEXT", this.#data.vm, GH.SET_BOOT_CONTEXT, BOOT_CONTEXT, {
          reg: register << 8 | index,
          value: BigInt(value),
        });
      set(RegisterSet.PC, 0, base + image.entry);
      set(RegisterSet.X, 0, this.#devicetree);
    } else if (image.entry !== 0) {
      throw new Refused(
        `${this.#persona.name} enters a VM at the first byte of its memory, the image at offset 0x${image.entry.toString(16)}`,
      );
    }
  }

  // ---- the run loop ----

  /** RUN, again and again while it ends at once. */
  #enter(vcpu: VmmVcpu): void {
    const { task, result } = this.#kernel.ioctl(this.pid, vcpu.fd, GH.RUN.code, 0n);
    vcpu.task = result === undefined ? task : undefined;
    if (result !== undefined) this.#run(vcpu, result);
  }

  /** RUN has ended. */
  #run(vcpu: VmmVcpu, result: number): void {
    vcpu.task = undefined;
    if (result === -Errno.EINTR) return this.#enter(vcpu);
    this.#must("RUN", result);
    const read = this.#kernel.load(this.pid, vcpu.page, RUN_MMIO.size);
    if (!read.ok) throw new Refused("the run page cannot be read");
    const { exit_reason } = RUN_PAGE.decode(read.value);
    if (exit_reason === ExitReason.Mmio) {
      this.#mmio(vcpu, RUN_MMIO.decode(read.value));
      return this.#enter(vcpu);
    }
    if (exit_reason !== ExitReason.Status) throw new Refused(`RUN left with exit reason ${exit_reason}`);
    this.end();
  }

  #mmio(vcpu: VmmVcpu, { phys_addr, data, len, is_write }: { phys_addr: bigint; data: number[]; len: number; is_write: number }): void {
    const { cpu } = this.#kernel;
    const offset = Number(phys_addr) - VM_PL011_BASE;
    const console = offset >= 0 && offset < VM_PL011_SIZE ? this.#console : undefined;
    if (console === undefined) {
      this.#events.problem(`${is_write ? "store" : "load"} of ${len} bytes at 0x${phys_addr.toString(16)}, where no device is`);
    }
    if (is_write) {
      console?.write(cpu, offset, len, data.slice(0, len).reduceRight((value, byte) => value << 8n | BigInt(byte), 0n));
      return;
    }
    // What no device answers reads as zero.
    const value = console?.read(cpu, offset, len) ?? 0n;
    const bytes = Uint8Array.from({ length: len }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn));
    this.#kernel.store(this.pid, vcpu.page + RUN_MMIO.offsetOf("data"), bytes);
  }

  // ---- calls ----

  /** Which of two generations' requests the device has. */
  #request(request: Request, older: Request): Request {
    return this.#persona.requests.includes(request) ? request : older;
  }

  #must(what: string, result: number): number {
    if (result < 0) throw new Refused(`${what}: ${errnoName(result)}`);
    return result;
  }

  /** An ioctl with a structure. */
  #structured<F extends StructFields>(fd: number, { code }: Request, struct: Struct<F>, values: Partial<StructValues<F>>): IoctlResult {
    return this.#kernel.ioctl(this.pid, fd, code, BigInt(this.#place(struct.encode(values), 0)));
  }

  /** The same, where no generation waits. */
  #call<F extends StructFields>(what: string, fd: number, request: Request, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    const { result } = this.#structured(fd, request, struct, values);
    if (result === undefined) throw new Refused(`${what} waits`);
    return this.#must(what, result);
  }

  #addFunction<F extends StructFields>(type: number, struct: Struct<F>, values: Partial<StructValues<F>>): number {
    const arg = BigInt(this.#place(struct.encode(values), PAGE_SIZE / 2));
    return this.#call("ADD_FUNCTION", this.#data.vm, GH.ADD_FUNCTION, FN_DESC, { type, arg_size: struct.size, arg });
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

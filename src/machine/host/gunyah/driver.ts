// The driver of /dev/gunyah: its three kinds of files and their requests, over the VM manager
// (docs/spec/vm-manager.md §4 to §6, §9 and §10).

import { ErrorCode, errorName } from "../../abi/errors.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import { decodeReply, encodeRequest } from "../../abi/rpc/message.ts";
import { VM_GET_VMID } from "../../abi/rpc/messages/queries.ts";
import { AuthType } from "../../abi/rpc/messages/vm.ts";
import { explainUnknown } from "../../abi/ioctl/decode.ts";
import { Errno, type ErrnoName } from "../../abi/ioctl/errno.ts";
import {
  AUTH_DESC,
  BOOT_CONTEXT,
  BOOT_REGISTER_COUNTS,
  FN_DESC,
  FN_IOEVENTFD_ARG,
  FN_IRQFD_ARG,
  FN_MAX_ARG_SIZE,
  FN_VCPU_ARG,
  FunctionType,
  GH,
  GH_ANDROID,
  GH_EL2,
  GH_LEGACY,
  GH_V6,
  SIGNAL_MSI,
  VM_RANGE,
  WAKES_AT_TIMERS,
} from "../../abi/ioctl/gunyah.ts";
import { answersOwn, functionRules, type Persona, type PersonaName, PERSONAS, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { DescriptorKind } from "../../abi/ioctl/request.ts";
import type { Struct, StructFields, StructValues } from "../../abi/ioctl/struct.ts";
import type { FileOperations } from "../kernel/files.ts";
import { type HostKernel, NO_DESCRIPTOR } from "../kernel/kernel.ts";
import { bindingOf, createGuestMemory, mapCmaMemory, mapMemory } from "./bindings.ts";
import type { VmDriver, VmManager } from "./vm-manager.ts";
import { addIoeventfd, addIrqfd, removeIoeventfds, removeIrqfds, wrongSize } from "./functions.ts";
import { reclaimPages } from "./paging.ts";
import { setRom } from "./rom.ts";
import { hypercallErrno } from "./rm-errors.ts";
import { prepareRegion, releaseRegion } from "./regions.ts";
import type { SignedVm } from "./signed-vm.ts";
import { VendorRequests } from "./vendor-requests.ts";
import type { GunyahState, HostVm, Sequence, VcpuFunction } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const U64 = 1n << 64n;
/** Bits of hypervisor_identify's first feature word. */
const Feature = { Memextent: 1n << 6n } as const;

/** How a driver differs from others of its generation. */
interface GunyahQuirks {
  /** The errno that refuses SET_BOOT_CONTEXT. */
  readonly bootContext?: ErrnoName;
  /** It wakes vCPUs at their timers, as CHECK_EXTENSION reports. */
  readonly wakesAtTimers?: boolean;
}

export class GunyahDriver implements VmDriver {
  readonly #kernel: HostKernel;
  readonly #manager: VmManager;
  readonly #persona: Persona;
  /** The requests of VMs on the vendor driver. */
  readonly #vendor: VendorRequests;

  /**
   * @param persona the generation that the device speaks
   * @param signed VMs that the vendor driver loads by name
   * @param quirks how its kernel differs from others of its generation
   */
  constructor(
    kernel: HostKernel,
    manager: VmManager,
    persona: PersonaName,
    signed: readonly SignedVm[],
    readonly quirks: GunyahQuirks = {},
  ) {
    this.#kernel = kernel;
    this.#manager = manager;
    this.#vendor = new VendorRequests(kernel, manager, signed);
    this.#persona = PERSONAS[persona];
    manager.attach(persona, this);
    kernel.register("gunyah", this.#deviceFile(), this.#persona.device ? "/dev/gunyah" : undefined);
    kernel.register("gunyah-vm", this.#vmFile());
    kernel.register("gunyah-vcpu", this.#vcpuFile());
    kernel.register("guest-memfd", {
      name: () => "anon_inode:[gunyah_guest_mem]",
      memory: (file) => this.state.guestMemory[file.target].object,
      release: (file) => {
        kernel.memory.dropObject(this.state.guestMemory[file.target].object);
        delete this.state.guestMemory[file.target];
      },
    });
  }

  /** The VM manager's state. */
  get state(): GunyahState {
    return this.#manager.state;
  }

  /** The reply to a request that was sent for an ioctl and not for a VM. */
  reply(task: number, payload: Uint8Array): void {
    if (!this.#kernel.inProgress(task)) return;
    const reply = decodeReply(VM_GET_VMID, payload);
    if (reply.ok && reply.value.error === RmError.OK) this.state.ownVmid = reply.value.value?.vmid;
    this.#kernel.finish(task, 0);
  }

  // ---- the VM manager ----

  ended(vm: HostVm, { kind, task, label }: Sequence, result: number): number {
    const kernel = this.#kernel;
    if (kind === "create" && result === 0) {
      if (kernel.exists(kernel.task(task!).pid)) return this.#vmDescriptor(task!, vm);
      // The process was killed while it waited.
      this.#manager.release(vm);
      return -Errno.EINTR;
    }
    if (kind === "create") this.#manager.release(vm);
    else if (vm.signed !== undefined && (kind === "load" || kind === "start")) this.#vendor.ended(vm, kind, result);
    else if (kind === "delete" && result === 0 || kind === "region" && result < 0) {
      // No region exists where the Resource Manager has kept memory that was to be reclaimed.
      const region = vm.regions.find((region) => region.label === label);
      if (region !== undefined) this.#dropRegion(vm, region);
    }
    return result;
  }

  again(vm: HostVm, task: number, code: number, argument: bigint): number | undefined {
    return this.#vmIoctl(task, vm, code, argument);
  }

  leaving(vcpu: VcpuFunction, _task: number, result: number): number {
    return this.state.vms[vcpu.vm].signed === undefined ? result : this.#vendor.leaving(vcpu, result);
  }

  exited(vm: HostVm): void {
    this.#vendor.exited(vm);
  }

  freed(): void {}

  // ---- files ----

  #deviceFile(): FileOperations {
    return {
      name: () => "/dev/gunyah",
      ioctl: (task, _file, code, argument) => this.#deviceIoctl(task, code, argument),
      interrupt: (task) => this.#vendor.interruptWait(task),
    };
  }

  #vmFile(): FileOperations {
    return {
      name: () => "anon_inode:gunyah-vm",
      ioctl: (task, file, code, argument) => this.#vmIoctl(task, this.state.vms[file.target], code, argument),
      interrupt: (task, file) => this.#manager.interruptWaiter(this.state.vms[file.target], task),
      release: (file) => this.#manager.release(this.state.vms[file.target]),
    };
  }

  #vcpuFile(): FileOperations {
    return {
      name: (file) => {
        const { number, vm } = this.state.vcpus[file.target];
        return `anon_inode:${functionRules(VM_PERSONAS[this.state.vms[vm].persona]).vcpuName}:${number}`;
      },
      ioctl: (task, file, code) => this.#vcpuIoctl(task, this.state.vcpus[file.target], code),
      interrupt: (task, file) => this.#vendor.interruptRun(task, this.state.vcpus[file.target]),
      memory: (file) => this.state.vcpus[file.target].page,
      release: (file) => this.#manager.closeVcpu(this.state.vcpus[file.target]),
    };
  }

  #deviceIoctl(task: number, code: number, argument: bigint): number | undefined {
    if (!this.#answers(this.#persona, "device", code)) return this.#unknown(this.#persona, "device", code);
    switch (code) {
      case GH.CREATE_VM.code:
      case GH_V6.CREATE_VM.code:
        return this.#createVm(task, argument);
      case GH_LEGACY.CREATE_VM.code:
        // The argument is ignored.
        return this.#createVm(task, 0n);
      case GH_LEGACY.WAIT_FOR_EXIT.code:
        return this.#vendor.waitForExit(task, argument);
      case GH_ANDROID.TENTATIVE_UAPI.code:
        return 0;
      case GH.CREATE_GUEST_MEM.code:
        return createGuestMemory(this.#kernel, task, this.state, argument);
      case GH_ANDROID.CREATE_CMA_MEM_FD.code:
        return this.#kernel.refuse(
          Errno.ENOTTY,
          "vm-manager 2.2",
          "each CMA pool has its own device, and this platform has no pool",
        );
      default:
        return this.#unknown(this.#persona, "device", code);
    }
  }

  #vmIoctl(task: number, vm: HostVm, code: number, argument: bigint): number | undefined {
    const persona = VM_PERSONAS[vm.persona];
    if (code === GH.SET_BOOT_CONTEXT.code && this.quirks.bootContext !== undefined) {
      return this.#refuseBootContext(this.quirks.bootContext);
    }
    if (code === GH_EL2.SIGNAL_MSI.code && answersOwn(persona)) return this.#signalMsi(task, vm, argument);
    if (code === GH_EL2.SET_ROM.code && answersOwn(persona)) return setRom(this.#kernel, task, vm, argument);
    if (!this.#answers(persona, "vm", code)) return this.#unknown(persona, "vm", code);
    if (persona.name === "legacy") return this.#vendor.onVm(task, vm, code, argument);
    switch (code) {
      case GH.SET_USER_MEM_REGION.code:
      case GH_V6.SET_USER_MEM_REGION.code:
        return this.#setRegion(task, vm, code, argument, false);
      case GH_ANDROID.LEND_USER_MEM.code:
        return this.#setRegion(task, vm, code, argument, true);
      case GH.SET_DTB_CONFIG.code:
      case GH_V6.SET_DTB_CONFIG.code:
        return this.#setDevicetree(task, vm, argument);
      case GH_ANDROID.SET_FW_CONFIG.code:
        return this.#setFirmware(task, vm, argument);
      case GH.START.code:
      case GH_V6.START.code:
        return this.#start(task, vm, code, argument);
      case GH.ADD_FUNCTION.code:
        return this.#addFunction(task, vm, argument);
      case GH.REMOVE_FUNCTION.code:
        return this.#removeFunction(task, vm, argument);
      case GH.MAP_MEM.code:
        return mapMemory(this.#kernel, task, this.state, vm, argument);
      case GH_ANDROID.RECLAIM_REGION.code:
        return this.#reclaimRange(task, vm, code, argument);
      case GH_ANDROID.CHECK_EXTENSION.code:
        // The one extension that is known: the driver wakes vCPUs at their timers.
        return argument === WAKES_AT_TIMERS && this.quirks.wakesAtTimers ? 1 : 0;
      case GH_ANDROID.SET_AUTH_TYPE.code:
        return this.#setAuthType(task, argument);
      case GH.SET_BOOT_CONTEXT.code:
        return this.#setBootContext(task, vm, argument);
      case GH_ANDROID.MAP_CMA_MEM.code:
        return mapCmaMemory(this.#kernel, task, vm, argument);
      default:
        return this.#unknown(persona, "vm", code);
    }
  }

  #vcpuIoctl(task: number, vcpu: VcpuFunction, code: number): number | undefined {
    const persona = VM_PERSONAS[this.state.vms[vcpu.vm].persona];
    const rules = functionRules(persona);
    if (persona.name === "legacy") {
      return code === GH_LEGACY.RUN.code ? this.#vendor.run(task, vcpu) : this.#unknown(persona, "vcpu", code, rules.unknownRequest);
    }
    if (code === GH.MMAP_SIZE.code) return PAGE_SIZE;
    if (code !== GH.RUN.code) return this.#unknown(persona, "vcpu", code, rules.unknownRequest);
    const vm = this.state.vms[vcpu.vm];
    if (rules.runByOther !== undefined && this.#kernel.callerSpace(task).id !== vm.space) {
      return this.#kernel.refuse(Errno[rules.runByOther], "vm-manager 4", "only the address space that created the VM may run its vCPUs");
    }
    return this.#manager.enter(task, vcpu);
  }

  // ---- requests ----

  #answers(persona: Persona, on: DescriptorKind, code: number): boolean {
    return persona.requests.some((request) => request.code === code && request.on === on);
  }

  #unknown(persona: Persona, on: DescriptorKind, code: number, errno = persona.unknownRequest): number {
    const { rule, looksLike, wayOut } = explainUnknown(code, on, persona.name);
    const values = { code: `0x${code.toString(16)}`, persona: persona.name, ...looksLike && { looks_like: looksLike } };
    return this.#kernel.refuse(Errno[errno], "vm-manager 2", rule, values, wayOut === undefined ? {} : { wayOut });
  }

  #createVm(task: number, argument: bigint): number | undefined {
    const kernel = this.#kernel;
    if (argument !== 0n) {
      return kernel.refuse(Errno.EINVAL, "vm-manager 4", "the argument is reserved for a VM type and has to be 0", { argument });
    }
    const space = kernel.callerSpace(task);
    const vm = this.#manager.createVm(space.id, this.#persona.name);
    if (!this.#persona.vmidAtCreate) return this.#vmDescriptor(task, vm);
    this.#manager.begin(vm, "create", ["allocate"], task);
    return undefined;
  }

  #vmDescriptor(task: number, vm: HostVm): number {
    const fd = this.#kernel.install(this.#kernel.task(task).pid, "gunyah-vm", vm.id, true);
    if (fd < 0) {
      this.#manager.release(vm);
      return this.#kernel.refuse(-fd, "vm-manager 4", NO_DESCRIPTOR);
    }
    return fd;
  }

  #setRegion(task: number, vm: HostVm, code: number, argument: bigint, lend: boolean): number | undefined {
    if (vm.sequence !== undefined) return this.#manager.wait(vm, task, code, argument);
    const persona = VM_PERSONAS[vm.persona];
    if (persona.memory.needsMemextent && (this.#manager.host.features & Feature.Memextent) === 0n) {
      const rule = "the hypervisor has to have memory extents (bit 6 of hypervisor_identify)";
      return this.#kernel.refuse(Errno.EOPNOTSUPP, "vm-manager 5.1", rule, { features: this.#manager.host.features });
    }
    const result = prepareRegion(this.#kernel, task, vm, argument, lend);
    if (typeof result === "number") return result;
    if ("binding" in result) {
      vm.bindings.unshift(result.binding);
      return 0;
    }
    if ("remove" in result) {
      const { remove } = result;
      if (remove.handle === undefined) return this.#dropRegion(vm, remove);
      this.#manager.begin(vm, "delete", ["reclaim"], task, remove.label);
      return undefined;
    }
    vm.regions.unshift(result.region);
    if (persona.memory.given === "at-set") {
      this.#manager.begin(vm, "region", ["regions"], task, result.region.label);
      return undefined;
    }
    if (result.region.lent || !persona.asksOwnVmid || this.state.ownVmid !== undefined) return 0;
    this.#manager.host.request(VM_GET_VMID.id, encodeRequest(VM_GET_VMID, {}), task);
    return undefined;
  }

  #dropRegion(vm: HostVm, region: HostVm["regions"][number]): number {
    vm.regions.splice(vm.regions.indexOf(region), 1);
    releaseRegion(this.#kernel, region);
    return 0;
  }

  /** Reads a structure of the caller; a number is the refusal. */
  #argument<F extends StructFields>(task: number, struct: Struct<F>, pointer: bigint): StructValues<F> | number {
    const bytes = this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), pointer, struct.size);
    if (bytes !== undefined) return struct.decode(bytes);
    return this.#kernel.refuse(Errno.EFAULT, "vm-manager 3", `the argument has to be readable: ${struct.size} bytes of ${struct.name}`, {
      pointer,
    });
  }

  #range(task: number, persona: Persona, pointer: bigint): { address: bigint; size: bigint } | number {
    const range = this.#argument(task, VM_RANGE, pointer);
    if (typeof range === "number") return range;
    const { guest_phys_addr: address, size } = range;
    const { wrap } = persona.devicetree;
    if (wrap === undefined || address + size <= U64) return { address, size };
    return this.#kernel.refuse(Errno[wrap], "vm-manager 6", "address + size may not wrap", { address, size });
  }

  #setDevicetree(task: number, vm: HostVm, pointer: bigint): number {
    const range = this.#range(task, VM_PERSONAS[vm.persona], pointer);
    if (typeof range === "number") return range;
    vm.devicetree = range;
    return 0;
  }

  #setFirmware(task: number, vm: HostVm, pointer: bigint): number {
    const range = this.#range(task, VM_PERSONAS[vm.persona], pointer);
    if (typeof range === "number") return range;
    vm.firmware = range;
    vm.auth = AuthType.Android;
    return 0;
  }

  /**
   * RECLAIM_REGION: pages of a VM that runs come back to the process; what START has in parcels
   * stays.
   */
  #reclaimRange(task: number, vm: HostVm, code: number, pointer: bigint): number | undefined {
    if (vm.sequence !== undefined) return this.#manager.wait(vm, task, code, pointer);
    const refuse = (errno: number, rule: string, values: Record<string, unknown>) =>
      this.#kernel.refuse(errno, "vm-manager 5.3", rule, values);
    const caller = this.#kernel.callerSpace(task).id;
    if (caller !== vm.space) return refuse(Errno.EPERM, "only the address space that created the VM may take memory back", { caller });
    const range = this.#argument(task, VM_RANGE, pointer);
    if (typeof range === "number") return range;
    const { guest_phys_addr: address, size } = range;
    const page = BigInt(PAGE_SIZE);
    if (size === 0n || address % page !== 0n || size % page !== 0n) {
      return refuse(Errno.EINVAL, "the range is whole pages", { address, size });
    }
    if (bindingOf(vm, address, size) === undefined) return refuse(Errno.ENOENT, "the range has to lie in one region", { address, size });
    const busy = [vm.configParcel, vm.firmwareParcel].some((parcel) => {
      if (parcel === undefined) return false;
      const pages = parcel.pinned.ranges.reduce((sum, { count }) => sum + count, 0);
      return address < parcel.guestAddress + BigInt(pages) * page && parcel.guestAddress < address + size;
    });
    if (busy) return refuse(Errno.EAGAIN, "pages of the devicetree's and the firmware's parcels are in use", { address, size });
    const failed = reclaimPages(this.#kernel, vm, address, size);
    return failed === undefined ? 0 : refuse(hypercallErrno(failed.code), failed.call, { address, size });
  }

  /** No handler of a type is registered: protected VMs are made by SET_FW_CONFIG. */
  #setAuthType(task: number, pointer: bigint): number {
    const descriptor = this.#argument(task, AUTH_DESC, pointer);
    if (typeof descriptor === "number") return descriptor;
    const rule = "nothing is registered for this type of authentication";
    return this.#kernel.refuse(Errno.ENOENT, "vm-manager 6", rule, { type: descriptor.type });
  }

  /** A device's message: its doorbell sends both ids to the VM's ITS. */
  #signalMsi(task: number, vm: HostVm, pointer: bigint): number {
    const message = this.#argument(task, SIGNAL_MSI, pointer);
    if (typeof message === "number") return message;
    const { label, device, event } = message;
    const bell = vm.resources?.find((each) => each.type === ResourceType.DoorbellSource && each.label === label);
    if (bell === undefined) return this.#kernel.refuse(Errno.ENOENT, "vm-manager 10", "no doorbell of the VM has this label", { label });
    const { error } = this.#kernel.calls.doorbell_send({ doorbell: bell.cap, new_flags: BigInt(device) << 32n | BigInt(event) });
    return error === ErrorCode.OK
      ? 0
      : this.#kernel.refuse(Errno.EIO, "vm-manager 10", "doorbell_send failed", { error: errorName(error) });
  }

  /** For kernels that lack the boot context and do not answer ENOTTY. */
  #refuseBootContext(errno: ErrnoName): number {
    return this.#kernel.refuse(Errno[errno], "phones A5", "this kernel has no boot context", {}, {
      wayOut: "start at the image's first byte, and leave SET_BOOT_CONTEXT out",
    });
  }

  #setBootContext(task: number, vm: HostVm, pointer: bigint): number {
    const context = this.#argument(task, BOOT_CONTEXT, pointer);
    if (typeof context === "number") return context;
    const { reg, value } = context;
    const set = reg >>> 8, index = reg & 0xff;
    const refuse = (rule: string, values: Record<string, unknown>) => this.#kernel.refuse(Errno.EINVAL, "vm-manager 6", rule, values);
    if (reg > 0xffff || index >= (BOOT_REGISTER_COUNTS[set] ?? 0)) {
      return refuse("registers are X0..X31, PC and SP_EL0..2", { reg, set, index });
    }
    if (vm.tried) return refuse("the boot context is set before START", { status: vm.status });
    vm.bootContext = [...vm.bootContext.filter((each) => each.set !== set || each.index !== index), { set, index, value }];
    return 0;
  }

  #start(task: number, vm: HostVm, code: number, argument: bigint): number | undefined {
    if (vm.sequence !== undefined) return this.#manager.wait(vm, task, code, argument);
    const persona = VM_PERSONAS[vm.persona];
    if (vm.tried) {
      if (vm.status === "running") return 0;
      const errno = Errno[persona.startAgain];
      const values = { status: vm.status };
      const rule = "a VM starts once; what has ended or failed to start needs a new descriptor";
      return this.#kernel.refuse(errno, "vm-manager 7", rule, values, { object: `vm ${vm.id}` });
    }
    this.#manager.start(vm, task);
    return undefined;
  }

  // ---- functions ----

  #functionArgument(task: number, pointer: bigint, checkSize: boolean): { type: number; bytes: Uint8Array } | number {
    const descriptor = this.#argument(task, FN_DESC, pointer);
    if (typeof descriptor === "number") return descriptor;
    const { type, arg_size, arg } = descriptor;
    if (checkSize && arg_size > FN_MAX_ARG_SIZE) {
      return this.#kernel.refuse(Errno.EINVAL, "vm-manager 10", `the argument of a function is at most ${FN_MAX_ARG_SIZE} bytes`, {
        arg_size,
      });
    }
    if (arg_size === 0) return { type, bytes: new Uint8Array(0) };
    // Longer ones match no function: their first bytes say as much.
    const bytes = this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), arg, Math.min(arg_size, PAGE_SIZE));
    if (bytes !== undefined) return { type, bytes };
    return this.#kernel.refuse(Errno.EFAULT, "vm-manager 10", "the function's argument has to be readable", { arg, arg_size });
  }

  #addFunction(task: number, vm: HostVm, pointer: bigint): number {
    const argument = this.#functionArgument(task, pointer, true);
    if (typeof argument === "number") return argument;
    const { type, bytes } = argument;
    switch (type) {
      case FunctionType.Vcpu:
        return this.#addVcpu(task, vm, bytes);
      case FunctionType.Irqfd:
        return addIrqfd(this.#kernel, task, vm, bytes);
      case FunctionType.Ioeventfd:
        return addIoeventfd(this.#kernel, task, vm, bytes);
      default:
        return this.#unknownFunction(type);
    }
  }

  #unknownFunction(type: number): number {
    return this.#kernel.refuse(Errno.ENOENT, "vm-manager 10", "functions are VCPU 1, IRQFD 2 and IOEVENTFD 3", { type });
  }

  #addVcpu(task: number, vm: HostVm, bytes: Uint8Array): number {
    if (bytes.length !== FN_VCPU_ARG.size) return wrongSize(this.#kernel, "vCPU", bytes.length, FN_VCPU_ARG.size);
    return this.#manager.openVcpu(task, vm, FN_VCPU_ARG.decode(bytes).id);
  }

  #removeFunction(task: number, vm: HostVm, pointer: bigint): number {
    const argument = this.#functionArgument(task, pointer, false);
    if (typeof argument === "number") return argument;
    const { type, bytes } = argument;
    if (bytes.length === 0) return 0;
    const removed = this.#removeMatching(vm, type, bytes);
    const missing = functionRules(VM_PERSONAS[vm.persona]).removeMissing;
    if (removed > 0 || missing === 0) return 0;
    if (type < FunctionType.Vcpu || type > FunctionType.Ioeventfd) return this.#unknownFunction(type);
    return this.#kernel.refuse(Errno[missing], "vm-manager 10", "REMOVE_FUNCTION has to match a function that was added", { type });
  }

  #removeMatching(vm: HostVm, type: number, bytes: Uint8Array): number {
    if (type === FunctionType.Irqfd && bytes.length === FN_IRQFD_ARG.size) {
      return removeIrqfds(this.#kernel, vm, bytes);
    }
    if (type === FunctionType.Ioeventfd && bytes.length === FN_IOEVENTFD_ARG.size) {
      return removeIoeventfds(this.#kernel, vm, bytes);
    }
    if (type !== FunctionType.Vcpu || bytes.length !== FN_VCPU_ARG.size) return 0;
    const { id } = FN_VCPU_ARG.decode(bytes);
    const gone = this.#manager.vcpusOf(vm).filter((vcpu) => vcpu.number === id && !vcpu.removed);
    for (const vcpu of gone) {
      this.#manager.removeVcpu(vcpu);
    }
    return gone.length;
  }
}

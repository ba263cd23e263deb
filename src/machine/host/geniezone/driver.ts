// The driver of /dev/gzvm: GenieZone's ioctls with their checks, over the VM manager that serves
// /dev/gunyah (docs/spec/geniezone.md §3 and §4).

import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { ExitType } from "../../abi/rpc/messages/vm.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import type { VmDriver, VmManager } from "../gunyah/vm-manager.ts";
import { maskBell } from "../gunyah/functions.ts";
import type { HostVm, Sequence, VcpuFunction } from "../gunyah/state.ts";
import { decodeRequest } from "../../abi/ioctl/decode.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import {
  GZVM,
  GZVM_CREATE_DEVICE,
  GZVM_DTB_CONFIG,
  GZVM_ENABLE_CAP,
  GZVM_EXIT_BASE,
  GZVM_IOEVENTFD,
  GZVM_IRQ_LEVEL,
  GZVM_IRQFD,
  GZVM_MAX_SLOTS,
  GZVM_MAX_VCPUS,
  GZVM_ONE_REG,
  GZVM_RUN,
  GZVM_RUN_EXCEPTION,
  GZVM_RUN_MMIO,
  GZVM_RUN_SYSTEM_EVENT,
  GZVM_U64,
  GZVM_USER_MEMORY_REGION,
  GzvmCap,
  GzvmExit,
  GzvmIoeventfdFlags,
  GzvmIrqfdFlags,
  GzvmSystemEvent,
} from "../../abi/ioctl/geniezone.ts";
import { ExitReason, IOEVENTFD_LENGTHS, RUN_MMIO, RUN_PAGE, RUN_PAGE_FAULT, RUN_STATUS } from "../../abi/ioctl/gunyah.ts";
import type { Struct, StructFields, StructValues } from "../../abi/ioctl/struct.ts";
import type { FileOperations } from "../kernel/files.ts";
import { type HostKernel, NO_DESCRIPTOR, UNPINNABLE, UNPINNABLE_WAY_OUT } from "../kernel/kernel.ts";
import { GzvmEl2, type GzvmResult } from "./el2.ts";
import { coreRegister, GzvmProtection, packTuple } from "../../abi/geniezone/calls.ts";
import { type GzvmArguments, gzvmErrno, gzvmRegisters, type ServedCall } from "./hypercalls.ts";
import type { GzvmIrqfd, GzvmState, GzvmVm } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { fromLittleEndian } from "../../../kit/support/values/bytes.ts";

const SECTION = "geniezone 3.3";
/** Why calls on a vCPU whose VM is closed are ENODEV. */
const GONE = "the VM is gone: its descriptor is closed";
const U64 = 1n << 64n;
/** Bits of a guest's addresses. */
const GPA_BITS = 36n;
/** Pages of a slot at most. */
const MAX_PAGES = 2n ** 31n - 1n;
/** `type` of IRQ_LINE's interrupt. */
const IrqType = { Spi: 1 } as const;

export class GzvmDriver implements VmDriver {
  readonly #kernel: HostKernel;
  readonly #manager: VmManager;
  readonly #el2: GzvmEl2;

  constructor(kernel: HostKernel, manager: VmManager, readonly state: GzvmState, firmware: Uint8Array | undefined) {
    this.#kernel = kernel;
    this.#manager = manager;
    this.#el2 = new GzvmEl2(kernel, manager, state, firmware);
    manager.attach("geniezone", this);
    kernel.register("gzvm", this.#deviceFile(), "/dev/gzvm");
    kernel.register("gzvm-vm", this.#vmFile());
    kernel.register("gzvm-vcpu", this.#vcpuFile());
  }

  /** An eventfd was signaled. */
  eventfdSignalled(eventfd: number): void {
    for (const vm of Object.values(this.state.vms)) {
      for (const irqfd of vm.irqfds) if (irqfd.eventfd === eventfd) this.#inject(vm, irqfd.gsi);
    }
  }

  // ---- the VM manager ----

  /** The only sequence is START, which no ioctl waits for but those in `starting`. */
  ended(gunyahVm: HostVm, _sequence: Sequence, result: number, rule?: BrokenRule): number {
    const vm = this.state.vms[this.state.ofGunyahVm[gunyahVm.id]];
    // An injection is a pulse: delivering it takes it back.
    if (result >= 0) {
      for (const { type, cap } of gunyahVm.resources ?? []) if (type === ResourceType.DoorbellSource) maskBell(this.#kernel, cap);
    }
    const waiting = vm.starting;
    vm.starting = [];
    for (const { task, vcpu } of waiting) {
      if (!this.#kernel.inProgress(task)) continue;
      if (result < 0) delete this.state.runs[task];
      const entered = result < 0 ? result : this.#enter(task, this.#manager.state.vcpus[vcpu]);
      if (entered !== undefined) this.#kernel.finish(task, entered, rule);
    }
    return result;
  }

  again(): number {
    throw new Error("no request of GenieZone's waits for a sequence");
  }

  freed(gunyahVm: HostVm): void {
    const id = this.state.ofGunyahVm[gunyahVm.id];
    const vm = this.state.vms[id];
    if (vm === undefined) return;
    for (const vcpu of Object.keys(vm.vcpus)) this.#destroyVcpu(vm, Number(vcpu));
    this.#el2.call("DESTROY_VM", vm, { vm: vm.el2Id });
    for (const { pinned } of vm.slots) this.#kernel.memory.unpin(pinned);
    delete this.state.vms[id];
    delete this.state.ofGunyahVm[gunyahVm.id];
  }

  /** The exit in the VM manager's run page becomes one in the caller's structure. */
  leaving(vcpu: VcpuFunction, task: number, result: number): number {
    const pointer = this.state.runs[task];
    delete this.state.runs[task];
    const vm = this.#vmOf(vcpu);
    if (result === -Errno.EINTR && vm !== undefined && this.#kernel.task(task).signalled) {
      this.#el2.call("INFORM_EXIT", vm, { vm: vm.el2Id });
    }
    if (result < 0 || pointer === undefined) return result;
    const exit = this.#exitOf(vcpu);
    // The process may have ended while its vCPU ran.
    const space = this.#kernel.memory.space(this.#kernel.task(task).space);
    return space !== undefined && this.#kernel.memory.copyOut(space, pointer, exit) ? 0 : -Errno.EFAULT;
  }

  // ---- files ----

  #deviceFile(): FileOperations {
    return {
      name: () => "/dev/gzvm",
      ioctl: (task, _file, code, argument) => {
        if (code === GZVM.CREATE_VM.code) return this.#createVm(task);
        if (code === GZVM.CHECK_EXTENSION.code) return this.#checkExtension(task, argument);
        return this.#unknown(code);
      },
    };
  }

  #vmFile(): FileOperations {
    return {
      name: () => "anon_inode:gzvm-vm",
      ioctl: (task, file, code, argument) => this.#vmIoctl(task, this.state.vms[file.target], code, argument),
      release: (file) => this.#closeVm(this.state.vms[file.target]),
    };
  }

  #vcpuFile(): FileOperations {
    return {
      name: (file) => `anon_inode:gzvm-vcpu:${this.#manager.state.vcpus[file.target].number}`,
      ioctl: (task, file, code, argument) => this.#vcpuIoctl(task, this.#manager.state.vcpus[file.target], code, argument),
      interrupt: (task, file) => this.#interrupt(task, this.#manager.state.vcpus[file.target]),
      release: (file) => this.#manager.closeVcpu(this.#manager.state.vcpus[file.target]),
    };
  }

  #vmIoctl(task: number, vm: GzvmVm, code: number, argument: bigint): number {
    switch (code) {
      case GZVM.CHECK_EXTENSION.code:
        return this.#checkExtension(task, argument);
      case GZVM.CREATE_VCPU.code:
        return this.#createVcpu(task, vm, argument);
      case GZVM.SET_USER_MEMORY_REGION.code:
        return this.#setRegion(task, vm, argument);
      case GZVM.IRQ_LINE.code:
        return this.#irqLine(task, vm, argument);
      case GZVM.IRQFD.code:
        return this.#irqfd(task, vm, argument);
      case GZVM.IOEVENTFD.code:
        return this.#ioeventfd(task, vm, argument);
      case GZVM.ENABLE_CAP.code:
        return this.#enableCap(task, vm, argument);
      case GZVM.CREATE_DEVICE.code:
        return this.#createDevice(task, vm, argument);
      case GZVM.SET_DTB_CONFIG.code:
        return this.#setDevicetree(task, vm, argument);
      default:
        return this.#unknown(code);
    }
  }

  #vcpuIoctl(task: number, vcpu: VcpuFunction, code: number, argument: bigint): number | undefined {
    switch (code) {
      case GZVM.RUN.code:
        return this.#run(task, vcpu, argument);
      case GZVM.SET_ONE_REG.code:
        return this.#setRegister(task, vcpu, argument);
      case GZVM.GET_ONE_REG.code:
        return this.#refuse(Errno.EOPNOTSUPP, "newer drivers read no registers of guests");
      default:
        return this.#unknown(code);
    }
  }

  // ---- refusals and calls ----

  #refuse(errno: number, rule: string, values: Record<string, unknown> = {}): number {
    return this.#kernel.refuse(errno, SECTION, rule, values);
  }

  #unknown(code: number): number {
    const { request, personas, geniezone } = decodeRequest(code);
    const hex = `0x${code.toString(16)}`;
    const whose = geniezone ? `${request?.name}, which this descriptor does not answer` : `${request?.name} of ${personas.join(", ")}`;
    return this.#refuse(Errno.ENOTTY, request ? `${hex} is ${whose}` : `${hex} is not a GenieZone request`, { code: hex });
  }

  /** A call whose error is the caller's: 0 or the refusal, with this errno where one is given. */
  #must<N extends ServedCall>(name: N, vm: GzvmVm, args: GzvmArguments<N>, errno?: number): number {
    const { error } = this.#el2.call(name, vm, args);
    if (error === 0) return 0;
    return this.#refuse(errno ?? gzvmErrno(error), `EL2 refused ${name}`, { error, args: gzvmRegisters(name, args) });
  }

  #argument<F extends StructFields>(task: number, struct: Struct<F>, pointer: bigint): StructValues<F> | number {
    const bytes = this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), pointer, struct.size);
    if (bytes !== undefined) return struct.decode(bytes);
    return this.#refuse(Errno.EFAULT, `the argument has to be readable: ${struct.size} bytes of ${struct.name}`, { pointer });
  }

  /** Undefined once the VM's descriptor is closed and it is gone. */
  #vmOf(vcpu: VcpuFunction): GzvmVm | undefined {
    return this.state.vms[this.state.ofGunyahVm[vcpu.vm]];
  }

  // ---- device and VM ----

  #createVm(task: number): number {
    const { error, values: [el2Id] } = this.#el2.call("CREATE_VM", undefined, {});
    if (error !== 0) return this.#refuse(gzvmErrno(error), "EL2 refused CREATE_VM", { error });
    const gunyahVm = this.#manager.createVm(this.#kernel.callerSpace(task).id, "geniezone");
    const vm: GzvmVm = {
      id: this.#kernel.state.nextId++,
      el2Id,
      gunyahVm: gunyahVm.id,
      config: undefined,
      slots: [],
      vcpus: {},
      registers: {},
      devices: {},
      irqfds: [],
      protected: false,
      firmwareAddress: undefined,
      devicetree: undefined,
      started: false,
      starting: [],
    };
    this.state.vms[vm.id] = vm;
    this.state.ofGunyahVm[gunyahVm.id] = vm.id;
    const fd = this.#kernel.install(this.#kernel.task(task).pid, "gzvm-vm", vm.id, true);
    if (fd >= 0) return fd;
    this.#manager.release(gunyahVm);
    return this.#refuse(-fd, NO_DESCRIPTOR);
  }

  #closeVm(vm: GzvmVm): void {
    for (const irqfd of vm.irqfds) this.#dropIrqfd(irqfd);
    vm.irqfds = [];
    for (const { task } of vm.starting.splice(0)) {
      delete this.state.runs[task];
      this.#kernel.finish(task, -Errno.ENODEV, { section: SECTION, rule: GONE, object: `vm ${vm.el2Id}`, values: {} });
    }
    this.#manager.destroy(this.#manager.state.vms[vm.gunyahVm]);
  }

  #checkExtension(task: number, pointer: bigint): number {
    if (pointer === 0n) return this.#refuse(Errno.EINVAL, "the pointer to the capability may not be null");
    const cap = this.#argument(task, GZVM_U64, pointer);
    if (typeof cap === "number") return cap;
    const value = cap.value === GzvmCap.VmGpaSize ? GPA_BITS : cap.value === GzvmCap.ProtectedVm ? 1n : undefined;
    if (value === undefined) return this.#refuse(Errno.EOPNOTSUPP, "the capability is not supported", { cap: cap.value });
    const written = this.#kernel.memory.copyOut(this.#kernel.callerSpace(task), pointer, GZVM_U64.encode({ value }));
    return written ? 0 : this.#refuse(Errno.EFAULT, "the result has to be writable", { pointer });
  }

  #setRegion(task: number, vm: GzvmVm, pointer: bigint): number {
    const region = this.#argument(task, GZVM_USER_MEMORY_REGION, pointer);
    if (typeof region === "number") return region;
    const { slot, flags, guest_phys_addr: guestAddress, memory_size: size, userspace_addr: userAddress } = region;
    const page = BigInt(PAGE_SIZE);
    if (slot >= GZVM_MAX_SLOTS) return this.#refuse(Errno.EINVAL, `there are ${GZVM_MAX_SLOTS} slots`, { slot });
    if (guestAddress % page !== 0n || size % page !== 0n) {
      return this.#refuse(Errno.EINVAL, "address and size are whole pages", { guestAddress, size });
    }
    if (guestAddress + size > U64) return this.#refuse(Errno.EINVAL, "address + size may not wrap", { guestAddress, size });
    if (size / page > MAX_PAGES) return this.#refuse(Errno.EINVAL, "a slot has less than 2^31 pages", { size });
    const space = this.#kernel.callerSpace(task);
    const mapping = userAddress < 1n << 48n ? this.#kernel.memory.mappingAt(space, Number(userAddress)) : undefined;
    if (mapping === undefined) return this.#refuse(Errno.EFAULT, "the user address has to be mapped", { userAddress });
    if (BigInt(mapping.pages * PAGE_SIZE) !== size) {
      return this.#refuse(Errno.EINVAL, "a slot is the whole of a mapping", { size, mapping: mapping.pages * PAGE_SIZE });
    }
    const purpose = this.#must("MEMREGION_PURPOSE", vm, { address: guestAddress, size, purpose: flags }, Errno.EFAULT);
    if (purpose < 0) return purpose;
    const pinned = this.#kernel.pin(space, userAddress, mapping.pages, true);
    if (pinned === -Errno.ENOMEM) {
      return this.#kernel.refuse(Errno.ENOMEM, SECTION, UNPINNABLE, { userAddress, size }, { wayOut: UNPINNABLE_WAY_OUT });
    }
    if (typeof pinned === "number") return this.#refuse(-pinned, "every page of the mapping has to be writable", { userAddress, size });
    const mapped = this.#must("SET_MEMREGION", vm, { address: guestAddress, size, ranges: pinned.ranges.length }, Errno.EFAULT);
    if (mapped < 0) {
      this.#kernel.memory.unpin(pinned);
      return mapped;
    }
    for (const old of vm.slots) if (old.slot === slot) this.#kernel.memory.unpin(old.pinned);
    vm.slots = [...vm.slots.filter((old) => old.slot !== slot), { slot, flags, guestAddress, size, userAddress, pinned }];
    return 0;
  }

  #enableCap(task: number, vm: GzvmVm, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_ENABLE_CAP, pointer);
    if (typeof argument === "number") return argument;
    const { cap, args } = argument;
    if (cap !== GzvmCap.ProtectedVm) return this.#refuse(Errno.EINVAL, "the only capability to enable is PROTECTED_VM", { cap });
    switch (args[0]) {
      case GzvmProtection.SetFirmwareAddress:
        vm.firmwareAddress = args[1];
        return 0;
      case GzvmProtection.GetFirmwareSize: {
        const size = BigInt(this.#el2.firmwareSize);
        if (size === 0n) return this.#refuse(Errno.EINVAL, "there is no firmware for protected VMs");
        const bytes = GZVM_ENABLE_CAP.encode({ cap, args: [args[0], size, ...args.slice(2)] });
        return this.#kernel.memory.copyOut(this.#kernel.callerSpace(task), pointer, bytes)
          ? 0
          : this.#refuse(Errno.EFAULT, "the result has to be writable");
      }
      case GzvmProtection.SetProtected:
        vm.protected = true;
        return 0;
      default:
        return this.#refuse(Errno.EINVAL, "sub-commands are 0, 1 and 2", { command: args[0] });
    }
  }

  #createDevice(task: number, vm: GzvmVm, pointer: bigint): number {
    const device = this.#argument(task, GZVM_CREATE_DEVICE, pointer);
    if (typeof device === "number") return device;
    const { dev_type, dev_addr, attr_addr, attr_size } = device;
    if (attr_size > BigInt(PAGE_SIZE)) return this.#refuse(Errno.EINVAL, "attributes are at most a page", { attr_size });
    if (attr_size > 0n && this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), attr_addr, Number(attr_size)) === undefined) {
      return this.#refuse(Errno.EFAULT, "the attributes have to be readable", { attr_addr, attr_size });
    }
    const made = this.#must("CREATE_DEVICE", vm, { type: dev_type, address: dev_addr });
    if (made === 0) vm.devices[dev_type] = Number(dev_addr);
    return made;
  }

  #setDevicetree(task: number, vm: GzvmVm, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_DTB_CONFIG, pointer);
    if (typeof argument === "number") return argument;
    const { dtb_addr: address, dtb_size: size } = argument;
    vm.devicetree = { address, size };
    return this.#must("SET_DTB_CONFIG", vm, { vm: vm.el2Id, address, size });
  }

  // ---- interrupts and eventfds ----

  #inject(vm: GzvmVm, gsi: number): GzvmResult {
    return this.#el2.call("IRQ_LINE", vm, { irq: gsi, level: 1 });
  }

  #irqLine(task: number, vm: GzvmVm, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_IRQ_LEVEL, pointer);
    if (typeof argument === "number") return argument;
    const { number, type, vcpu } = unpackIrq(argument.irq);
    if (type !== IrqType.Spi) {
      return this.#refuse(Errno.EFAULT, "EL2 injects shared interrupts only", { type, number, vcpu });
    }
    return this.#must("IRQ_LINE", vm, { irq: number, level: argument.level }, Errno.EFAULT);
  }

  #eventfd(task: number, fd: number): { file: number; eventfd: number } | number {
    const file = this.#kernel.fileOf(this.#kernel.task(task).pid, fd | 0);
    if (file === undefined) return this.#refuse(Errno.EBADF, "the descriptor has to be open", { fd });
    if (file.kind !== "eventfd") return this.#refuse(Errno.EINVAL, "the descriptor has to be an eventfd", { fd });
    return { file: file.id, eventfd: file.target };
  }

  #irqfd(task: number, vm: GzvmVm, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_IRQFD, pointer);
    if (typeof argument === "number") return argument;
    const { fd, gsi, flags, resamplefd } = argument;
    if ((flags & ~GzvmIrqfdFlags.Defined) !== 0) return this.#refuse(Errno.EINVAL, "flags are DEASSIGN 1 and RESAMPLE 2", { flags });
    const found = this.#eventfd(task, fd);
    if (typeof found === "number") return found;
    if ((flags & GzvmIrqfdFlags.Deassign) !== 0) {
      const gone = vm.irqfds.filter((each) => each.eventfd === found.eventfd && each.gsi === gsi);
      vm.irqfds = vm.irqfds.filter((each) => !gone.includes(each));
      gone.forEach((each) => this.#dropIrqfd(each));
      return 0;
    }
    if (vm.irqfds.some(({ eventfd }) => eventfd === found.eventfd)) return this.#refuse(Errno.EBUSY, "an eventfd has one irqfd", { fd });
    const resample = (flags & GzvmIrqfdFlags.Resample) === 0 ? undefined : this.#eventfd(task, resamplefd);
    if (typeof resample === "number") return resample;
    for (const each of [found, resample]) if (each !== undefined) this.#kernel.holdFile(this.#kernel.state.files[each.file]);
    vm.irqfds.push({ ...found, gsi, resample });
    if (this.#kernel.eventfds.pending(found.eventfd)) this.#inject(vm, gsi);
    return 0;
  }

  #dropIrqfd({ file, resample }: GzvmIrqfd): void {
    this.#kernel.dropFile(file);
    if (resample !== undefined) this.#kernel.dropFile(resample.file);
  }

  #ioeventfd(task: number, vm: GzvmVm, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_IOEVENTFD, pointer);
    if (typeof argument === "number") return argument;
    const { datamatch: data, addr: address, len: length, fd, flags } = argument;
    const { Datamatch, Pio, Deassign, Defined } = GzvmIoeventfdFlags;
    if (!IOEVENTFD_LENGTHS.includes(length)) return this.#refuse(Errno.EINVAL, "the length is 0, 1, 2, 4 or 8", { length });
    if (address + BigInt(length) > U64) return this.#refuse(Errno.EINVAL, "address + length may not wrap", { address, length });
    if ((flags & ~Defined) !== 0) return this.#refuse(Errno.EINVAL, "flags are DATAMATCH 1, PIO 2 and DEASSIGN 4", { flags });
    if ((flags & Pio) !== 0) return this.#refuse(Errno.EINVAL, "arm64 has no ports", { flags });
    const matches = (flags & Datamatch) !== 0;
    if (length === 0 && matches) return this.#refuse(Errno.EINVAL, "length 0 has no data to match", { flags });
    const found = this.#eventfd(task, fd);
    if (typeof found === "number") return found;
    const datamatch = matches ? BigInt.asUintN(8 * length, data) : undefined;
    const gunyahVm = this.#manager.state.vms[vm.gunyahVm];
    if ((flags & Deassign) !== 0) {
      const at = gunyahVm.ioeventfds.findIndex((each) =>
        each.eventfd === found.eventfd && each.address === address && each.length === length && each.datamatch === datamatch
      );
      if (at < 0) return this.#refuse(Errno.ENOENT, "there is no such ioeventfd", { address, length });
      this.#kernel.dropFile(gunyahVm.ioeventfds.splice(at, 1)[0].file);
      return 0;
    }
    const collides = gunyahVm.ioeventfds.some((each) => {
      if (each.address !== address) return address > each.address && address < each.address + BigInt(each.length);
      return each.length === 0 || length === 0 || each.datamatch === undefined || datamatch === undefined || each.datamatch === datamatch;
    });
    if (collides) return this.#refuse(Errno.EEXIST, "a write matches one ioeventfd", { address, length, datamatch });
    this.#kernel.holdFile(this.#kernel.state.files[found.file]);
    gunyahVm.ioeventfds.push({ ...found, address, length, datamatch, argument: [] });
    return 0;
  }

  // ---- vCPUs ----

  #createVcpu(task: number, vm: GzvmVm, argument: bigint): number {
    if (argument >= BigInt(GZVM_MAX_VCPUS)) return this.#refuse(Errno.EINVAL, `there are ${GZVM_MAX_VCPUS} vCPUs`, { id: argument });
    const number = Number(argument);
    if (vm.vcpus[number] !== undefined) return this.#refuse(Errno.EEXIST, "a vCPU is created once", { id: number });
    const made = this.#must("CREATE_VCPU", vm, { tuple: packTuple(vm.el2Id, number) });
    if (made < 0) return made;
    const gunyahVm = this.#manager.state.vms[vm.gunyahVm];
    const vcpu = this.#manager.createVcpu(gunyahVm, number);
    if (vcpu === undefined) {
      this.#destroyVcpu(vm, number);
      return this.#refuse(Errno.ENOMEM, "the host has no page for the vCPU");
    }
    vm.vcpus[number] = vcpu.id;
    const fd = this.#kernel.install(this.#kernel.task(task).pid, "gzvm-vcpu", vcpu.id, true);
    if (fd >= 0) return fd;
    delete vm.vcpus[number];
    this.#destroyVcpu(vm, number);
    this.#manager.removeVcpu(vcpu);
    this.#manager.closeVcpu(vcpu);
    return this.#refuse(-fd, NO_DESCRIPTOR);
  }

  #destroyVcpu(vm: GzvmVm, number: number): void {
    this.#el2.call("DESTROY_VCPU", vm, { tuple: packTuple(vm.el2Id, number) });
  }

  #setRegister(task: number, vcpu: VcpuFunction, pointer: bigint): number {
    const argument = this.#argument(task, GZVM_ONE_REG, pointer);
    if (typeof argument === "number") return argument;
    const { id, addr } = argument;
    const sizeCode = id >> 52n & 0xfn;
    if (sizeCode > 3n) return this.#refuse(Errno.EINVAL, "a register has 1, 2, 4 or 8 bytes", { id });
    const bytes = this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), addr, 1 << Number(sizeCode));
    if (bytes === undefined) return this.#refuse(Errno.EFAULT, "the value has to be readable", { addr });
    const register = coreRegister(id);
    if (register === undefined) return this.#refuse(Errno.EOPNOTSUPP, "only core registers can be set", { id });
    const value = fromLittleEndian(bytes);
    // Every vCPU but the first is started by PSCI, which sets its registers.
    if (vcpu.number !== 0) return 0;
    const vm = this.#vmOf(vcpu);
    if (vm === undefined || vcpu.detached) return this.#refuse(Errno.ENODEV, GONE);
    return this.#must("SET_ONE_REG", vm, { register: BigInt(register), value });
  }

  #run(task: number, vcpu: VcpuFunction, pointer: bigint): number | undefined {
    const vm = this.#vmOf(vcpu);
    if (vm === undefined || vcpu.detached) return this.#refuse(Errno.ENODEV, GONE);
    const run = this.#argument(task, GZVM_RUN, pointer);
    if (typeof run === "number") return run;
    if (run.padding.some((byte) => byte !== 0)) return this.#refuse(Errno.EINVAL, "the padding has to be 0", { padding: run.padding });
    if (run.immediate_exit === 1) return -Errno.EINTR;
    this.#takeData(vcpu, GZVM_RUN_MMIO.decode(GZVM_RUN.encode(run)).data);
    this.state.runs[task] = pointer;
    if (vm.started && vm.starting.length === 0) return this.#enter(task, vcpu);
    vm.starting.push({ task, vcpu: vcpu.id });
    if (vm.started) return undefined;
    vm.started = true;
    if (this.#el2.start(vm, this.#manager.state.vms[vm.gunyahVm].space)) return undefined;
    vm.started = false;
    vm.starting = [];
    delete this.state.runs[task];
    return this.#refuse(Errno.ENOMEM, "the host has no memory for the VM's configuration");
  }

  #enter(task: number, vcpu: VcpuFunction): number | undefined {
    const vm = this.#vmOf(vcpu)!;
    this.#el2.call("RUN", vm, { tuple: packTuple(vm.el2Id, vcpu.number) });
    const result = this.#manager.enter(task, vcpu);
    return result === undefined ? undefined : this.leaving(vcpu, task, result);
  }

  #interrupt(task: number, vcpu: VcpuFunction): void {
    const vm = this.#vmOf(vcpu);
    const waiting = vm?.starting.findIndex((each) => each.task === task) ?? -1;
    if (vm === undefined || waiting < 0) return this.#manager.interrupt(task, vcpu);
    vm.starting.splice(waiting, 1);
    delete this.state.runs[task];
    this.#kernel.finish(task, -Errno.EINTR);
  }

  /** The data of a load that user space emulated goes where the VM manager looks for it. */
  #takeData(vcpu: VcpuFunction, data: readonly number[]): void {
    if (vcpu.exit?.kind === "read") this.#manager.setRunPage(vcpu, RUN_MMIO.at.data.offset, Uint8Array.from(data));
  }

  /**
   * The caller's structure for the exit in the VM manager's run page; `immediate_exit` and padding
   * are 0.
   */
  #exitOf(vcpu: VcpuFunction): Uint8Array {
    const page = this.#manager.runPage(vcpu, 0, RUN_MMIO.size);
    const exit = new Uint8Array(GZVM_RUN.size);
    const put = (reason: number, bytes: Uint8Array) => {
      exit.set(bytes);
      new DataView(exit.buffer).setUint32(0, GZVM_EXIT_BASE + reason, true);
      return exit;
    };
    switch (RUN_PAGE.decode(page).exit_reason) {
      case ExitReason.Mmio: {
        const { phys_addr, data, len, is_write } = RUN_MMIO.decode(page);
        // Which register a load fills, the hypervisor knows.
        return put(GzvmExit.Mmio, GZVM_RUN_MMIO.encode({ phys_addr, data, size: BigInt(len), reg_nr: 0, is_write }));
      }
      case ExitReason.PageFault: {
        const { phys_addr, attempt } = RUN_PAGE_FAULT.decode(page);
        const reserved = [1n, ...Array<bigint>(29).fill(0n)];
        return put(GzvmExit.Exception, GZVM_RUN_EXCEPTION.encode({ exception: 0, error_code: -attempt, fault_gpa: phys_addr, reserved }));
      }
      case ExitReason.Status: {
        const { exit_type } = RUN_STATUS.decode(page);
        if (exit_type === ExitType.VmStopForced) return put(GzvmExit.Shutdown, new Uint8Array(0));
        return put(GzvmExit.SystemEvent, GZVM_RUN_SYSTEM_EVENT.encode({ type: systemEvent(exit_type), ndata: 0 }));
      }
      default:
        return put(GzvmExit.Unknown, new Uint8Array(0));
    }
  }
}

/**
 * The fields of IRQ_LINE's interrupt: number 15:0, vCPU 23:16 and, times 256, 31:28, type 27:24.
 */
export function unpackIrq(irq: number): { number: number; type: number; vcpu: number } {
  return { number: irq & 0xffff, type: irq >>> 24 & 0xf, vcpu: (irq >>> 16 & 0xff) + (irq >>> 28) * 256 };
}

/** SYSTEM_EVENT's type for the end of a VM. */
function systemEvent(exitType: number): number {
  switch (exitType) {
    case ExitType.VmExit:
    case ExitType.PlatformOff:
      return GzvmSystemEvent.Shutdown;
    case ExitType.PlatformReset:
    case ExitType.PsciSystemReset2:
      return GzvmSystemEvent.Reset;
    default:
      return GzvmSystemEvent.Crash;
  }
}

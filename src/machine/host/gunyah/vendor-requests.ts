// The requests of the vendor driver of phones (magic 0xb2): VMs are signed images that it loads by
// name into its own memory, the hypervisor schedules them, and RUN waits for their end
// (docs/spec/vm-manager.md §1 and §2.1). No VM has virtio devices here, so that all requests of its
// virtio backend are EINVAL, as on a phone whose devicetree gives the VM none.

import { Errno } from "../../abi/ioctl/errno.ts";
import { ExitReason, GH_LEGACY, LEGACY_EXIT, LEGACY_NAME, LEGACY_REGION, RUN_PAGE } from "../../abi/ioctl/gunyah.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { Struct, StructFields, StructValues } from "../../abi/ioctl/struct.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { AuthType } from "../../abi/rpc/messages/vm.ts";
import type { OpenFile } from "../kernel/files.ts";
import { type HostKernel, NO_DESCRIPTOR } from "../kernel/kernel.ts";
import type { VmManager } from "./vm-manager.ts";
import { SIGNED_NAME_SIZE, type SignedVm } from "./signed-vm.ts";
import type { HostVm, SignedLoad, VcpuFunction } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const SECTION = "vm-manager 2.1";
/** vCPUs of a VM. */
const MAX_VCPUS = 8;
const ALL_RIGHTS = 7;

/** The requests on a VM of the vendor driver, on its vCPUs, and WAIT_FOR_EXIT. */
export class VendorRequests {
  readonly #kernel: HostKernel;
  readonly #manager: VmManager;
  readonly #images: readonly SignedVm[];

  constructor(kernel: HostKernel, manager: VmManager, images: readonly SignedVm[]) {
    this.#kernel = kernel;
    this.#manager = manager;
    this.#images = images;
    kernel.register("gunyah-mem", {
      name: () => "anon_inode:gh-mem:0",
      memory: (file) => file.target,
      mappedWhole: true,
      release: (file: OpenFile) => kernel.memory.dropObject(file.target),
    });
  }

  /** A request on a VM. */
  onVm(task: number, vm: HostVm, code: number, argument: bigint): number | undefined {
    if (vm.sequence !== undefined) return this.#manager.wait(vm, task, code, argument);
    switch (code) {
      case GH_LEGACY.SET_FW_NAME.code:
        return this.#load(task, vm, argument);
      case GH_LEGACY.GET_FW_NAME.code:
        return this.#copyOut(task, LEGACY_NAME, argument, { name: nameBytes(vm.signed?.name ?? "") });
      case GH_LEGACY.GET_VCPU_COUNT.code:
        return this.#vcpuCount(vm);
      case GH_LEGACY.GET_MEM_COUNT.code:
        return vm.signed === undefined ? this.#notLoaded() : 1;
      case GH_LEGACY.GET_MEM_REGION.code:
        return this.#memoryRegion(task, vm, argument);
      case GH_LEGACY.CREATE_VCPU.code:
        return this.#createVcpu(task, vm, argument);
      default:
        return this.#kernel.refuse(Errno.EINVAL, SECTION, "the driver has no virtio devices for this VM, and no other requests", {
          code: `0x${code.toString(16)}`,
        });
    }
  }

  /** WAIT_FOR_EXIT: waits until the VM of a name has exited, however that came about. */
  waitForExit(task: number, pointer: bigint): number | undefined {
    const argument = this.#copyIn(task, LEGACY_EXIT, pointer);
    if (typeof argument === "number") return argument;
    const name = textOf(argument.name);
    const vm = Object.values(this.#manager.state.vms).find((each) => each.signed?.name === name && isLoaded(each));
    if (vm?.signed === undefined) return this.#kernel.refuse(Errno.EINVAL, SECTION, "no VM of this name is loaded", { name });
    vm.refs++;
    const watcher = { task, pointer };
    if (vm.exit !== undefined) return this.#watched(vm, vm.signed, vm.exit, watcher);
    vm.signed.watchers.push(watcher);
    return undefined;
  }

  /** A signal for WAIT_FOR_EXIT. */
  interruptWait(task: number): void {
    for (const vm of Object.values(this.#manager.state.vms)) {
      const at = vm.signed?.watchers.findIndex((each) => each.task === task) ?? -1;
      if (at < 0) continue;
      vm.signed?.watchers.splice(at, 1);
      this.#kernel.finish(task, -Errno.EINTR);
      return this.#manager.release(vm);
    }
  }

  /** RUN: the first one of a VM starts it; all wait for its end and return its exit type. */
  run(task: number, vcpu: VcpuFunction): number | undefined {
    const vm = this.#manager.state.vms[vcpu.vm];
    const { signed, status } = vm;
    const refuse = (rule: string) => this.#kernel.refuse(Errno.EINVAL, SECTION, rule, { vcpu: vcpu.number, status });
    if (signed === undefined) return refuse("a VM that is not loaded cannot run: SET_FW_NAME comes first");
    if (status === "running") return this.#enter(task, vcpu, signed);
    if (vm.sequence !== undefined) {
      signed.runners.push({ task, vcpu: vcpu.id });
      return undefined;
    }
    if (signed.ran) return refuse("a VM runs once");
    signed.ran = true;
    if (this.#manager.vcpusOf(vm).length !== signed.vcpus) return refuse("as many vCPUs have to be created as GET_VCPU_COUNT says");
    if (status !== "ready") return refuse("the VM has to be ready");
    signed.runners.push({ task, vcpu: vcpu.id });
    this.#manager.begin(vm, "start", ["start"], undefined);
    return undefined;
  }

  /** A signal for RUN. */
  interruptRun(task: number, vcpu: VcpuFunction): void {
    const { signed } = this.#manager.state.vms[vcpu.vm];
    const at = signed?.runners.findIndex((each) => each.task === task) ?? -1;
    if (at < 0) return this.#manager.interrupt(task, vcpu);
    signed?.runners.splice(at, 1);
    this.#kernel.finish(task, -Errno.EINTR);
  }

  // ---- what the VM manager reports ----

  /** A load or a start is over. */
  ended(vm: HostVm, kind: "load" | "start", result: number): void {
    const { signed } = vm;
    if (signed === undefined) throw new Error(`vm ${vm.id} was not loaded by the driver`);
    if (kind === "load") {
      if (result < 0) vm.signed = undefined;
      else signed.vcpus = Math.max(1, this.#manager.resources(vm.id).filter(({ type }) => type === ResourceType.Vcpu).length);
      return;
    }
    const runners = signed.runners.splice(0);
    for (const { task, vcpu } of runners) {
      const entered = result < 0 ? result : this.#enter(task, this.#manager.state.vcpus[vcpu], signed);
      if (entered !== undefined) this.#kernel.finish(task, entered);
    }
  }

  /** The VM has exited: tasks that wait for that continue. */
  exited(vm: HostVm): void {
    const { signed, exit } = vm;
    if (signed === undefined || exit === undefined) return;
    for (const { task } of signed.runners.splice(0)) this.#kernel.finish(task, exit.type);
    for (const watcher of signed.watchers.splice(0)) this.#kernel.finish(watcher.task, this.#watched(vm, signed, exit, watcher));
  }

  /**
   * RUN of a vCPU that the host runs itself ends: the type of the VM's exit, as the driver serves
   * no other exits.
   */
  leaving(vcpu: VcpuFunction, result: number): number {
    if (result < 0) return result;
    const reason = RUN_PAGE.decode(this.#manager.runPage(vcpu, 0, RUN_PAGE.size)).exit_reason;
    const { exit } = this.#manager.state.vms[vcpu.vm];
    if (reason === ExitReason.Status && exit !== undefined) return exit.type;
    return this.#kernel.refuse(Errno.EINVAL, SECTION, "the driver serves no accesses of a guest to devices", { vcpu: vcpu.number });
  }

  // ---- inside ----

  /**
   * SET_FW_NAME: puts the image of this name into memory, and has the Resource Manager make a VM of
   * it.
   */
  #load(task: number, vm: HostVm, pointer: bigint): number | undefined {
    const argument = this.#copyIn(task, LEGACY_NAME, pointer);
    if (typeof argument === "number") return argument;
    if (vm.signed !== undefined) return this.#kernel.refuse(Errno.EEXIST, SECTION, "the VM is loaded already", { name: vm.signed.name });
    const name = textOf(argument.name);
    const image = this.#images.find((each) => each.name === name);
    if (image === undefined || vm.tried) {
      const rule = vm.tried ? "the VM could not be loaded, and needs a new descriptor" : "the platform has no VM of this name";
      return this.#kernel.refuse(Errno.EINVAL, SECTION, rule, { name, known: this.#images.map(({ name }) => name).join(" ") });
    }
    const object = this.#kernel.memory.createContiguous(image.memory / PAGE_SIZE);
    if (object === undefined) {
      return this.#kernel.refuse(Errno.ENOMEM, SECTION, "the host has no memory in one piece for the VM", { bytes: image.memory });
    }
    const [{ ipa }] = object.runs;
    for (const { offset, bytes } of image.contents) this.#kernel.cpu.write(ipa + offset, bytes);
    const space = this.#kernel.callerSpace(task);
    space.refs++;
    // The driver's guest addresses are offsets: the devicetree says where the memory is.
    vm.regions = [{
      label: 0,
      flags: ALL_RIGHTS,
      lent: true,
      guestAddress: 0n,
      size: BigInt(image.memory),
      space: space.id,
      locked: 0,
      pinned: { ranges: [{ ipa, count: object.pages }], objects: [object.id] },
      handle: undefined,
    }];
    vm.devicetree = { address: BigInt(image.devicetree.offset), size: BigInt(image.devicetree.size) };
    vm.auth = AuthType.Platform;
    vm.tried = true;
    vm.signed = {
      name,
      peripheral: image.peripheral,
      entry: image.entry,
      memory: object.id,
      vcpus: 0,
      ran: false,
      runners: [],
      watchers: [],
    };
    this.#manager.begin(vm, "load", VM_PERSONAS[vm.persona].start.filter((step) => step !== "start"), task);
    return undefined;
  }

  #notLoaded(): number {
    return this.#kernel.refuse(Errno.EINVAL, SECTION, "the VM is not loaded: SET_FW_NAME comes first");
  }

  #vcpuCount({ signed, status }: HostVm): number {
    if (signed === undefined) return this.#notLoaded();
    if (status === "ready") return signed.vcpus;
    return this.#kernel.refuse(Errno.EAGAIN, SECTION, "the number of vCPUs is known of a VM that is ready, and not yet run", { status });
  }

  #memoryRegion(task: number, { signed }: HostVm, pointer: bigint): number {
    const argument = this.#copyIn(task, LEGACY_REGION, pointer);
    if (typeof argument === "number") return argument;
    if (signed === undefined) return this.#notLoaded();
    if (argument.index > 0) return this.#kernel.refuse(Errno.EINVAL, SECTION, "a VM has one region of memory", { index: argument.index });
    const { memory } = this.#kernel;
    const fd = this.#kernel.install(this.#kernel.task(task).pid, "gunyah-mem", signed.memory, true);
    if (fd < 0) return this.#kernel.refuse(Errno.EFAULT, SECTION, NO_DESCRIPTOR);
    memory.holdObject(signed.memory);
    const { runs: [{ ipa }], pages } = memory.object(signed.memory);
    return this.#copyOut(task, LEGACY_REGION, pointer, {
      index: 0,
      fw_phys: BigInt(ipa),
      fw_size: BigInt(pages * PAGE_SIZE),
      fd,
    });
  }

  #createVcpu(task: number, vm: HostVm, argument: bigint): number {
    const number = Number(BigInt.asUintN(32, argument));
    if (number >= MAX_VCPUS) return this.#kernel.refuse(Errno.EINVAL, SECTION, `a VM has at most ${MAX_VCPUS} vCPUs`, { id: number });
    return this.#manager.openVcpu(task, vm, number);
  }

  /** A vCPU of a running VM: it waits for the end, or is run by the host. */
  #enter(task: number, vcpu: VcpuFunction, { runners }: SignedLoad): number | undefined {
    const isRun = this.#manager.resources(vcpu.vm).some(({ type, label }) => type === ResourceType.Vcpu && label === vcpu.number);
    if (!isRun) {
      runners.push({ task, vcpu: vcpu.id });
      return undefined;
    }
    const result = this.#manager.enter(task, vcpu);
    return result === undefined ? undefined : this.leaving(vcpu, result);
  }

  #watched(
    vm: HostVm,
    { name }: SignedLoad,
    { type }: NonNullable<HostVm["exit"]>,
    { task, pointer }: SignedLoad["watchers"][number],
  ): number {
    const result = this.#copyOut(task, LEGACY_EXIT, pointer, { name: nameBytes(name), reason: type });
    this.#manager.release(vm);
    return result;
  }

  #copyIn<F extends StructFields>(task: number, struct: Struct<F>, pointer: bigint): StructValues<F> | number {
    const bytes = this.#kernel.memory.copyIn(this.#kernel.callerSpace(task), pointer, struct.size);
    return bytes === undefined ? this.#unreachable(pointer, struct) : struct.decode(bytes);
  }

  #copyOut<F extends StructFields>(task: number, struct: Struct<F>, pointer: bigint, values: Partial<StructValues<F>>): number {
    const done = this.#kernel.memory.copyOut(this.#kernel.callerSpace(task), pointer, struct.encode(values));
    return done ? 0 : this.#unreachable(pointer, struct);
  }

  #unreachable(pointer: bigint, { name, size }: Struct): number {
    return this.#kernel.refuse(Errno.EFAULT, SECTION, `the argument has to be readable and writable: ${size} bytes of ${name}`, {
      pointer,
    });
  }
}

/** A name's bytes, ended by NUL. */
function nameBytes(name: string): number[] {
  return [...new TextEncoder().encode(name).subarray(0, SIGNED_NAME_SIZE - 1)];
}

/** The text up to the first NUL; the last byte counts as one. */
function textOf(bytes: readonly number[]): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(Uint8Array.from(bytes.slice(0, end < 0 ? SIGNED_NAME_SIZE - 1 : end)));
}

/**
 * Whether a VM with an image is loaded: its load has not failed and cannot fail any more, and it
 * does not go.
 */
function isLoaded({ sequence }: HostVm): boolean {
  return sequence?.kind !== "load" && sequence?.kind !== "teardown";
}

// The life of VMs, common to all drivers: sequences of calls to the Resource Manager, resources,
// RUN, and the end. Its users are the drivers of /dev/gunyah (`driver.ts`) and /dev/gzvm
// (`../geniezone/driver.ts`) (docs/spec/vm-manager.md §1.1, §7 to §11).

import type { HypercallResults } from "../../abi/hypercalls.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { VM_EXITED } from "../../abi/rpc/messages/lifecycle.ts";
import { VM_STATUS } from "../../abi/rpc/messages/queries.ts";
import { AuthType, VmState } from "../../abi/rpc/messages/vm.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { VM_PERSONAS, type VmPersonaName } from "../../abi/ioctl/personas.ts";
import { type HostKernel, NO_DESCRIPTOR } from "../kernel/kernel.ts";
import { dropBindings, unlockPages } from "./bindings.ts";
import { bindIrqfd, eventfdSignalled } from "./functions.ts";
import { releaseRegion } from "./regions.ts";
import { pageIn } from "./paging.ts";
import { Sequences } from "./sequence.ts";
import { type GunyahState, type HostVm, NO_VMID, type Resource, type Sequence, type VcpuFunction } from "./state.ts";
import { VcpuRunner } from "./vcpu-runner.ts";

/** Bytes of VM_EXITED's reason for which the run page has room. */
const REASON_BYTES = 8;

/** The VM manager's requirements on the host. */
interface VmManagerHost {
  /** Sends a request to the Resource Manager; the reply comes to `reply` with the same tag. */
  request(id: number, payload: Uint8Array, tag: number): void;
  /** Has a vIRQ delivered to host vCPU `runner`. */
  enable(virq: number, runner: number): void;
  /** Makes a vIRQ pending, so that its host vCPU looks around. */
  trigger(virq: number): void;
  /** Host vCPUs that take part. */
  readonly runners: number;
  /** Feature bits of hypervisor_identify. */
  readonly features: bigint;
  /** A VM begins, changes or ends; for display. */
  changed?(vm: HostVm): void;
  /**
   * Whether a VM that is ready may start now: those that share objects start together. `retryStart`
   * asks again.
   */
  mayStart?(vm: HostVm): boolean;
}

/** A driver whose VMs the VM manager runs. */
export interface VmDriver {
  /**
   * A sequence other than the end is over: zero, or a negative errno with its rule. Gives what the
   * ioctl that waits for it answers.
   */
  ended(vm: HostVm, sequence: Sequence, result: number, rule?: BrokenRule): number;
  /** An ioctl that waited for the VM is made again. */
  again(vm: HostVm, task: number, code: number, argument: bigint): number | undefined;
  /** One of its VMs has exited. */
  exited?(vm: HostVm): void;
  /** RUN of one of its vCPUs ends: the result that user space gets. */
  leaving(vcpu: VcpuFunction, task: number, result: number): number;
  /** Nothing is left of one of its VMs. */
  freed(vm: HostVm): void;
}

export class VmManager {
  readonly #kernel: HostKernel;
  readonly #sequences: Sequences;
  readonly #runner: VcpuRunner;
  readonly #drivers = new Map<VmPersonaName, VmDriver>();

  constructor(kernel: HostKernel, readonly state: GunyahState, readonly host: VmManagerHost) {
    this.#kernel = kernel;
    this.#sequences = new Sequences(kernel, {
      send: (vm, id, payload) => host.request(id, payload, vm.id),
      place: (resource) => this.#place(resource),
      bound: (vm) => {
        for (const irqfd of vm.irqfds) bindIrqfd(kernel, vm, irqfd);
      },
      mayStart: (vm) => host.mayStart?.(vm) ?? true,
      ended: (vm, sequence, result, rule) => this.#sequenceEnded(vm, sequence, result, rule),
      freed: (vm) => this.#freed(vm),
    });
    this.#runner = new VcpuRunner(kernel, state, {
      pageIn: (vm, address, write, task) => pageIn(kernel, vm, address, write, task),
      leaving: (vcpu, task, result) => this.#driverOf(vcpu).leaving(vcpu, task, result),
      kick: (resource) => host.trigger(resource.virq),
    });
  }

  /** Says whose VMs of this kind are. */
  attach(name: VmPersonaName, driver: VmDriver): void {
    this.#drivers.set(name, driver);
  }

  // ---- what the host hears ----

  /** The reply to a request that was sent for a VM; false if no request has the tag. */
  reply(tag: number, payload: Uint8Array): boolean {
    const vm = this.state.vms[tag];
    if (vm === undefined) return false;
    this.#sequences.reply(vm, payload);
    this.host.changed?.(vm);
    return true;
  }

  /** A notification of the Resource Manager; those about other VMs and of other kinds are left. */
  notification(id: number, payload: Uint8Array): void {
    if (id === VM_EXITED.id) {
      const exited = VM_EXITED.layout.decode(payload);
      const vm = exited.ok ? this.#byVmid(exited.value.vmid) : undefined;
      if (!exited.ok || vm === undefined) return;
      const { exit_type, reason_size, reason } = exited.value;
      vm.exit = { type: exit_type, size: reason_size, reason: [...reason.subarray(0, Math.min(REASON_BYTES, reason_size))] };
      vm.status = "exited";
      this.host.changed?.(vm);
      this.#runner.exited(vm);
      this.#driverOf(vm).exited?.(vm);
      this.#sequences.notified(vm);
    } else if (id === VM_STATUS.id) {
      const status = VM_STATUS.layout.decode(payload);
      const vm = status.ok ? this.#byVmid(status.value.vmid) : undefined;
      if (!status.ok || vm === undefined || status.value.vm_state !== VmState.Reset) return;
      vm.resetDone = true;
      this.#sequences.notified(vm);
    }
  }

  /** A vIRQ: whether it belonged to a VM. */
  virq(intid: number): boolean {
    return this.#runner.wake(intid);
  }

  /** When a host vCPU has to run a vCPU that sleeps: virtual time (ns), or Infinity. */
  wakeTime(cpu: NativeVcpu): number {
    return this.#runner.wakeTime(cpu.index);
  }

  /** The virtual timer of a host vCPU. */
  timer(cpu: NativeVcpu): void {
    this.#runner.wakeDue(cpu.now);
  }

  /** An eventfd was signaled. */
  eventfdSignalled(eventfd: number): void {
    for (const vm of Object.values(this.state.vms)) eventfdSignalled(this.#kernel, vm, eventfd);
  }

  /**
   * Enters the next vCPU that is ready on this host vCPU; the event's handler must return
   * afterwards.
   */
  run(cpu: NativeVcpu): void {
    this.#runner.run(cpu);
  }

  /** vcpu_run of a host vCPU came back. */
  runReturned(cpu: NativeVcpu, results: HypercallResults<"vcpu_run">): void {
    this.#runner.returned(cpu, results);
  }

  // ---- VMs ----

  /** A VM with one reference, which the Resource Manager does not know yet. */
  createVm(space: number, persona: VmPersonaName): HostVm {
    const vm: HostVm = {
      id: this.#kernel.state.nextId++,
      persona,
      refs: 1,
      space,
      status: "none",
      tried: false,
      configured: false,
      vmid: NO_VMID,
      regions: [],
      bindings: [],
      given: [],
      pinned: [],
      locked: 0,
      configParcel: undefined,
      firmwareParcel: undefined,
      devicetree: { address: 0n, size: 0n },
      firmware: undefined,
      auth: AuthType.None,
      signed: undefined,
      bootContext: [],
      irqfds: [],
      ioeventfds: [],
      resources: undefined,
      exit: undefined,
      sequence: undefined,
      waiters: [],
      resetDone: false,
    };
    return this.state.vms[vm.id] = vm;
  }

  /**
   * Begins a sequence of calls. The driver's `ended` reports the end, perhaps before this returns.
   */
  begin(vm: HostVm, kind: Exclude<Sequence["kind"], "teardown">, steps: Sequence["steps"], task: number | undefined, label?: number): void {
    this.#sequences.begin(vm, kind, steps, task, label);
  }

  /** START. */
  start(vm: HostVm, task: number | undefined): void {
    vm.tried = true;
    this.begin(vm, "start", VM_PERSONAS[vm.persona].start, task);
  }

  /** An ioctl waits until the VM's sequence is over, and is then made again. */
  wait(vm: HostVm, task: number, code: number, argument: bigint): undefined {
    vm.waiters.push(task);
    this.state.waiting[task] = { code, argument };
  }

  /** A signal for a waiting ioctl, or for a START that may not continue yet. */
  interruptWaiter(vm: HostVm, task: number): void {
    if (vm.sequence?.task === task) return this.#sequences.abandon(vm);
    const at = vm.waiters.indexOf(task);
    if (at < 0) return;
    vm.waiters.splice(at, 1);
    delete this.state.waiting[task];
    this.#kernel.finish(task, -Errno.EINTR);
  }

  /** Ends a VM whatever descriptors its vCPUs have: RUN of those is ENODEV from now on. */
  destroy(vm: HostVm): void {
    for (const vcpu of this.vcpusOf(vm)) {
      if (!vcpu.removed) this.removeVcpu(vcpu);
      if (!vcpu.open) continue;
      vcpu.detached = true;
      vm.refs--;
    }
    this.release(vm);
  }

  /** A descriptor of a VM is closed; with the last one the VM is destroyed. */
  release(vm: HostVm): void {
    if (--vm.refs > 0) return;
    if (vm.sequence === undefined) this.#end(vm);
    else this.#sequences.abandon(vm);
  }

  /** Asks again whether a VM may start. */
  retryStart(vm: HostVm): void {
    this.#sequences.retry(vm);
  }

  /** The Resource Manager's list of a VM's resources. */
  resources(vm: number): readonly Resource[] {
    return this.state.vms[vm]?.resources ?? [];
  }

  // ---- vCPUs ----

  /**
   * A vCPU, which refers to its VM until `closeVcpu`. Undefined when the host has no page for it.
   */
  createVcpu(vm: HostVm, number: number): VcpuFunction | undefined {
    const page = this.#kernel.memory.createContiguous(1);
    if (page === undefined) return undefined;
    const vcpu: VcpuFunction = {
      id: this.#kernel.state.nextId++,
      persona: vm.persona,
      vm: vm.id,
      number,
      page: page.id,
      removed: false,
      open: true,
      detached: false,
      task: undefined,
      waiters: [],
      phase: "idle",
      exit: undefined,
      resume: [0n, 0n],
      turnEnd: 0,
    };
    vm.refs++;
    return this.state.vcpus[vcpu.id] = vcpu;
  }

  /**
   * A vCPU with a descriptor of the caller's; a number below zero is a negative errno. A number is
   * used once.
   */
  openVcpu(task: number, vm: HostVm, number: number): number {
    const kernel = this.#kernel;
    if (this.vcpusOf(vm).some((vcpu) => vcpu.number === number && !vcpu.removed)) {
      return kernel.refuse(Errno.EEXIST, "vm-manager 9", "a vCPU's number is used once", { id: number });
    }
    const vcpu = this.createVcpu(vm, number);
    if (vcpu === undefined) return kernel.refuse(Errno.ENOMEM, "vm-manager 9", "the host has no page for the run structure");
    const fd = kernel.install(kernel.task(task).pid, "gunyah-vcpu", vcpu.id, true);
    if (fd >= 0) return fd;
    vcpu.removed = true;
    this.closeVcpu(vcpu);
    return kernel.refuse(-fd, "vm-manager 9", NO_DESCRIPTOR);
  }

  vcpusOf(vm: HostVm): VcpuFunction[] {
    return Object.values(this.state.vcpus).filter((vcpu) => vcpu.vm === vm.id);
  }

  /** Its last descriptor is closed. It stays until it is removed or the VM is destroyed. */
  closeVcpu(vcpu: VcpuFunction): void {
    vcpu.open = false;
    this.#forgetVcpu(vcpu);
    if (!vcpu.detached) this.release(this.state.vms[vcpu.vm]);
  }

  /** It is taken out of its VM; descriptors stay. */
  removeVcpu(vcpu: VcpuFunction): void {
    vcpu.removed = true;
    this.#runner.removed(vcpu);
    this.#forgetVcpu(vcpu);
  }

  /** Virtual time (ns) for which a vCPU has run since it was first asked for. */
  runTime(id: number): number {
    const vcpu: VcpuFunction | undefined = this.state.vcpus[id];
    return vcpu === undefined ? 0 : this.#runner.runTime(vcpu);
  }

  /** RUN: the result, or undefined while it continues. */
  enter(task: number, vcpu: VcpuFunction): number | undefined {
    return this.#runner.enter(task, vcpu);
  }

  /** A signal for a task inside RUN. */
  interrupt(task: number, vcpu: VcpuFunction): void {
    this.#runner.interrupt(task, vcpu);
  }

  /** The run page of a vCPU, from `offset` on. */
  runPage(vcpu: VcpuFunction, offset: number, length: number): Uint8Array {
    return this.#runner.page(vcpu, offset, length);
  }

  setRunPage(vcpu: VcpuFunction, offset: number, bytes: Uint8Array): void {
    this.#runner.writePage(vcpu, offset, bytes);
  }

  #forgetVcpu(vcpu: VcpuFunction): void {
    // Its last descriptor may go with the RUN that ends as the vCPU is removed: it is forgotten by
    // then.
    if (vcpu.open || !vcpu.removed || this.state.vcpus[vcpu.id] === undefined) return;
    this.#kernel.memory.dropObject(vcpu.page);
    delete this.state.vcpus[vcpu.id];
  }

  // ---- inside ----

  #driverOf({ persona }: HostVm | VcpuFunction): VmDriver {
    const driver = this.#drivers.get(persona);
    if (driver === undefined) throw new Error(`no driver has VMs of ${persona}`);
    return driver;
  }

  #byVmid(vmid: number): HostVm | undefined {
    return Object.values(this.state.vms).find((vm) => vm.vmid === vmid && vmid !== NO_VMID);
  }

  /** Has a vCPU's wakeup vIRQ delivered to the host vCPU that will run it. */
  #place({ type, virq }: { type: number; virq: number }): number {
    if (type !== ResourceType.Vcpu || virq === 0) return 0;
    const runner = this.#idlest();
    this.host.enable(virq, runner);
    return runner;
  }

  /**
   * The host vCPU that runs the fewest; of equals the last, as the first takes the Resource
   * Manager's messages.
   */
  #idlest(): number {
    const load = new Array<number>(this.host.runners).fill(0);
    for (const vm of Object.values(this.state.vms)) {
      for (const { type, runner } of vm.resources ?? []) if (type === ResourceType.Vcpu) load[runner]++;
    }
    return load.lastIndexOf(Math.min(...load));
  }

  #sequenceEnded(vm: HostVm, sequence: Sequence, result: number, rule?: BrokenRule): void {
    if (sequence.kind === "start" && vm.status === "init-failed") this.#runner.loadFailed(vm);
    const answer = this.#driverOf(vm).ended(vm, sequence, result, rule);
    if (sequence.task !== undefined) this.#kernel.finish(sequence.task, answer, rule);
    this.#wakeWaiters(vm);
    // A listener may have released the VM: then its end is in progress already, or over.
    if (vm.refs === 0 && vm.sequence === undefined && this.state.vms[vm.id] !== undefined) this.#end(vm);
  }

  #wakeWaiters(vm: HostVm): void {
    while (vm.sequence === undefined) {
      const task = vm.waiters.shift();
      if (task === undefined) return;
      const { code, argument } = this.state.waiting[task];
      delete this.state.waiting[task];
      let result: number | undefined;
      this.#kernel.within(task, () => result = this.#driverOf(vm).again(vm, task, code, argument));
      if (result !== undefined) this.#kernel.finish(task, result);
    }
  }

  /** Nothing refers to the VM any more. */
  #end(vm: HostVm): void {
    for (const { file } of [...vm.irqfds, ...vm.ioeventfds]) this.#kernel.dropFile(file);
    vm.irqfds = [];
    vm.ioeventfds = [];
    if (vm.tried || vm.vmid !== NO_VMID) this.#sequences.teardown(vm);
    else this.#freed(vm);
  }

  #freed(vm: HostVm): void {
    dropBindings(this.#kernel, vm);
    unlockPages(this.#kernel, vm);
    for (const pinned of vm.pinned) this.#kernel.memory.unpin(pinned);
    for (const parcel of [vm.configParcel, vm.firmwareParcel]) if (parcel !== undefined) this.#kernel.memory.unpin(parcel.pinned);
    for (const region of vm.regions) releaseRegion(this.#kernel, region);
    for (const vcpu of this.vcpusOf(vm)) {
      vcpu.removed = true;
      // Others' descriptors keep the VM, so that none is open now.
      if (!vcpu.detached) vcpu.open = false;
      this.#forgetVcpu(vcpu);
    }
    delete this.state.vms[vm.id];
    this.#driverOf(vm).freed(vm);
    this.host.changed?.(vm);
  }
}

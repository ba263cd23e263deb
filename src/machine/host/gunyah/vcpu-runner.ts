// RUN of vCPUs: the host's own vCPUs take turns in running those of VMs with vcpu_run, and what
// makes vcpu_run return becomes an exit to user space, a wait, or another turn
// (docs/spec/vm-manager.md §9; docs/spec/observed-ioctl.md §7 and §11; docs/spec/hypervisor.md
// §5.4). A VM's vCPU belongs to one host vCPU, which its wakeup vIRQ is routed to.

import { asCapId } from "../../abi/numbers.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import type { HypercallArguments, HypercallResults } from "../../abi/hypercalls.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { VcpuResume, VcpuRunState } from "../../abi/words.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { ExitReason, ResumeAction, RUN_MMIO, RUN_PAGE, RUN_PAGE_FAULT, RUN_STATUS, VmStatusCode } from "../../abi/ioctl/gunyah.ts";
import { functionRules, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { writeToIoeventfd } from "./functions.ts";
import { hypercallErrno } from "./rm-errors.ts";
import type { GunyahState, HostVm, Resource, VcpuFunction } from "./state.ts";

type RunArguments = HypercallArguments<"vcpu_run">;
type RunResults = HypercallResults<"vcpu_run">;

/** Length of a turn (ns): the time slice that the Resource Manager gives proxy-scheduled vCPUs. */
const TURN = 100_000;
const SECTION = "vm-manager 9";
/** Why RUN is ENODEV. */
const REMOVED = "the vCPU's function was removed, or its VM was destroyed";

/** The runner's requirements on the driver. */
interface RunnerHooks {
  /**
   * Gives the guest the page that it lacks: 0, or the negative errno. Only generations with demand
   * paging have it.
   * @param task the one inside RUN
   */
  pageIn(vm: HostVm, address: number, write: boolean, task: number): number;
  /**
   * Replaces the result with which RUN is about to end, for drivers with their own run structure.
   */
  leaving(vcpu: VcpuFunction, task: number, result: number): number;
  /** Makes another host vCPU check its queue. */
  kick(resource: Resource): void;
}

/** Runs vCPUs. */
export class VcpuRunner {
  readonly #kernel: HostKernel;
  readonly #state: GunyahState;
  readonly #hooks: RunnerHooks;
  /** Whether any vCPU was ever to be woken at a time: most drivers have none to look for. */
  #keepsTime: boolean;
  /** Arguments of every entry: no object is made per exit. */
  readonly #run: { -readonly [A in keyof RunArguments]: RunArguments[A] } = {
    cap: asCapId(0n),
    resume_data_0: 0n,
    resume_data_1: 0n,
    resume_data_2: 0n,
  };

  /** The fields of a run page, while an exit is written or answered: no array is made per exit. */
  readonly #page = new Uint8Array(Math.max(RUN_MMIO.size, RUN_STATUS.size, RUN_PAGE_FAULT.size));
  readonly #view = new DataView(this.#page.buffer);

  constructor(kernel: HostKernel, state: GunyahState, hooks: RunnerHooks) {
    this.#kernel = kernel;
    this.#state = state;
    this.#hooks = hooks;
    this.#keepsTime = Object.values(state.vcpus).some(({ wakeAt }) => wakeAt !== undefined);
  }

  /** RUN: the result, or undefined while it continues. */
  enter(task: number, vcpu: VcpuFunction): number | undefined {
    if (vcpu.removed) return this.#kernel.refuse(Errno.ENODEV, SECTION, REMOVED, { vcpu: vcpu.number });
    const vm = this.#vmOf(vcpu);
    if (vcpu.task !== undefined) {
      vcpu.waiters.push(task);
      return undefined;
    }
    const resource = this.#resourceOf(vm, vcpu);
    if (resource === undefined) return this.#noResource(vm, vcpu);
    if (vm.exit !== undefined) return this.#statusExit(vm, vcpu);
    if (!this.#takeResume(vm, vcpu)) {
      const action = this.page(vcpu, RUN_MMIO.at.resume_action.offset, 1)[0];
      return this.#kernel.refuse(Errno.EINVAL, SECTION, "resume_action is HANDLED 0 or FAULT 1, after a page fault also RETRY 2", {
        action,
      });
    }
    if (this.#immediate(vcpu)) return -Errno.EINTR;
    vcpu.task = task;
    this.#makeReady(vcpu, resource, this.#kernel.cpu.now < vcpu.turnEnd);
    return undefined;
  }

  /** A signal for a task inside RUN or waiting for it. */
  interrupt(task: number, vcpu: VcpuFunction): void {
    const waiting = vcpu.waiters.indexOf(task);
    if (waiting >= 0) {
      vcpu.waiters.splice(waiting, 1);
      this.#kernel.finish(task, this.#hooks.leaving(vcpu, task, -Errno.EINTR));
    } else if (vcpu.task === task && vcpu.phase !== "inside") {
      this.#leave(vcpu, -Errno.EINTR);
    }
  }

  /** A vIRQ: whether it is the wakeup of a vCPU. */
  wake(intid: number): boolean {
    for (const vm of Object.values(this.#state.vms)) {
      const resource = wakeupOf(vm, intid);
      if (resource === undefined) continue;
      resource.signalled = true;
      for (const vcpu of Object.values(this.#state.vcpus)) {
        if (vcpu.vm === vm.id && vcpu.number === resource.label && vcpu.phase === "waiting") this.#makeReady(vcpu, resource, false);
      }
      return true;
    }
    return false;
  }

  /** When the host vCPU `index` has to run one that sleeps: virtual time (ns), or Infinity. */
  wakeTime(index: number): number {
    let next = Infinity;
    if (!this.#keepsTime) return next;
    for (const vcpu of Object.values(this.#state.vcpus)) {
      if (vcpu.phase === "waiting" && vcpu.wakeAt !== undefined && this.#runnerOf(vcpu) === index) next = Math.min(next, vcpu.wakeAt);
    }
    return next;
  }

  /** Virtual time has come to `now` (ns): those whose timers are due run again. */
  wakeDue(now: number): void {
    if (!this.#keepsTime) return;
    for (const vcpu of Object.values(this.#state.vcpus)) {
      if (vcpu.phase !== "waiting" || vcpu.wakeAt === undefined || vcpu.wakeAt > now) continue;
      const resource = this.#resourceOf(this.#vmOf(vcpu), vcpu);
      if (resource !== undefined) this.#makeReady(vcpu, resource, false);
    }
  }

  /** The VM has exited: a task that sleeps in RUN returns with STATUS. */
  exited(vm: HostVm): void {
    for (const vcpu of this.#vcpusOf(vm)) {
      if (vcpu.phase === "waiting" || vcpu.phase === "ending") this.#leave(vcpu, this.#statusExit(vm, vcpu));
    }
  }

  /** The load failed, as readers of the run page see. */
  loadFailed(vm: HostVm): void {
    if (!VM_PERSONAS[vm.persona].functions?.resumeAction) return;
    for (const vcpu of this.#vcpusOf(vm)) this.#writeStatus(vcpu, VmStatusCode.LoadFailed, 0, 0, []);
  }

  /** The vCPU's function is gone. */
  removed(vcpu: VcpuFunction): void {
    if (vcpu.task !== undefined && vcpu.phase !== "inside") this.#leaveRemoved(vcpu);
  }

  /**
   * Enters the next ready vCPU of the host vCPU `cpu`, if any. The handler of the event must return
   * afterwards.
   */
  run(cpu: NativeVcpu): void {
    const { queues, inside } = this.#state;
    if (inside[cpu.index] !== undefined) return;
    const queue = queues[cpu.index] ?? [];
    for (;;) {
      const id = queue.shift();
      if (id === undefined) return;
      const vcpu = this.#state.vcpus[id];
      if (vcpu?.phase !== "ready" || vcpu.task === undefined) continue;
      const resource = this.#resourceOf(this.#vmOf(vcpu), vcpu);
      if (resource === undefined || !this.#maySlip(vcpu)) continue;
      if (cpu.now >= vcpu.turnEnd) vcpu.turnEnd = cpu.now + TURN;
      vcpu.phase = "inside";
      resource.signalled = false;
      this.#run.cap = resource.cap;
      [this.#run.resume_data_0, this.#run.resume_data_1] = vcpu.resume;
      vcpu.resume = [0n, 0n];
      inside[cpu.index] = id;
      if (vcpu.ran !== undefined) vcpu.ran -= cpu.now;
      cpu.vcpuRun(this.#run);
      return;
    }
  }

  /** vcpu_run of the host vCPU came back. */
  returned(cpu: NativeVcpu, results: RunResults): void {
    const id = this.#state.inside[cpu.index];
    delete this.#state.inside[cpu.index];
    const vcpu = id === undefined ? undefined : this.#state.vcpus[id];
    if (vcpu?.ran !== undefined) vcpu.ran += cpu.now;
    if (vcpu === undefined || vcpu.task === undefined) return;
    // Its VM may have been destroyed meanwhile.
    const vm: HostVm | undefined = this.#state.vms[vcpu.vm];
    const resource = vm && this.#resourceOf(vm, vcpu);
    if (resource === undefined || vcpu.removed) return this.#leaveRemoved(vcpu);
    const { error } = results;
    if (error === ErrorCode.OK) return this.#next(vm, vcpu, resource, results);
    if (error === ErrorCode.RETRY) return this.#makeReady(vcpu, resource, true);
    // The Resource Manager runs a vCPU that it stops: a notification of the end will come.
    if (error === ErrorCode.BUSY) return this.#endingUnless(vm, vcpu);
    const rule = `vcpu_run: ${errorName(error)}`;
    const broken = { section: SECTION, rule, object: `vm ${vm.id}`, values: { vcpu: vcpu.number } };
    this.#leave(vcpu, -hypercallErrno(error), broken);
  }

  /** Virtual time (ns) for which a vCPU has run since it was first asked for. */
  runTime(vcpu: VcpuFunction): number {
    const inside = vcpu.phase === "inside";
    vcpu.ran ??= inside ? -this.#kernel.cpu.now : 0;
    return inside ? vcpu.ran + this.#kernel.cpu.now : vcpu.ran;
  }

  // ---- what vcpu_run says ----

  #next(vm: HostVm, vcpu: VcpuFunction, resource: Resource, results: RunResults): void {
    const { vcpu_state: state } = results;
    switch (state) {
      case VcpuRunState.Ready:
      case VcpuRunState.Blocked:
        return this.#makeReady(vcpu, resource, this.#kernel.cpu.now < vcpu.turnEnd);
      case VcpuRunState.PoweredOff:
        if (vm.exit !== undefined) return this.#leave(vcpu, this.#statusExit(vm, vcpu));
        return this.#sleep(vcpu, resource);
      case VcpuRunState.ExpectsWakeup:
        return this.#sleep(vcpu, resource, results.state_data_2);
      case VcpuRunState.AddrspaceVmmioRead:
        return this.#mmio(vm, vcpu, resource, results, undefined);
      case VcpuRunState.AddrspaceVmmioWrite:
        return this.#mmio(vm, vcpu, resource, results, results.state_data_2);
      case VcpuRunState.PageFault:
        return this.#fault(vm, vcpu, resource, results);
      case VcpuRunState.PsciSystemReset:
        return this.#endingUnless(vm, vcpu);
      default:
        this.#kernel.cpu.trace.event("ioctl", "vcpu_run returned an unknown state", { state, vcpu: vcpu.number });
        return this.#endingUnless(vm, vcpu);
    }
  }

  /** @param until when its timer wants it to run (ns); 0 for never */
  #sleep(vcpu: VcpuFunction, resource: Resource, until = 0n): void {
    if (resource.signalled || this.#interrupted(vcpu)) return this.#makeReady(vcpu, resource, false);
    vcpu.phase = "waiting";
    if (until === 0n) return;
    vcpu.wakeAt = Number(until);
    this.#keepsTime = true;
  }

  /** The guest has ended: RUN waits for the Resource Manager's report. */
  #endingUnless(vm: HostVm, vcpu: VcpuFunction): void {
    if (vm.exit !== undefined) this.#leave(vcpu, this.#statusExit(vm, vcpu));
    else if (this.#interrupted(vcpu)) this.#leave(vcpu, -Errno.EINTR);
    else vcpu.phase = "ending";
  }

  /** @param value that a store writes */
  #mmio(vm: HostVm, vcpu: VcpuFunction, resource: Resource, results: RunResults, value: bigint | undefined): void {
    const address = Number(results.state_data_0), length = Number(results.state_data_1);
    const write = value !== undefined;
    if (this.#hooks.pageIn(vm, address, write, vcpu.task!) === 0) {
      vcpu.resume = [0n, VcpuResume.Retry];
      return this.#makeReady(vcpu, resource, true);
    }
    const cut = write ? BigInt.asUintN(8 * length, value) : 0n;
    if (write && writeToIoeventfd(this.#kernel, vm, address, length, cut)) return this.#makeReady(vcpu, resource, true);
    this.#readPage(vcpu, 0, this.#page);
    const view = this.#view;
    const { phys_addr, data, len, is_write, resume_action } = RUN_MMIO.at;
    RUN_PAGE.at.exit_reason.set(view, ExitReason.Mmio);
    phys_addr.set(view, results.state_data_0);
    // Bytes of a load, and those beyond a store, keep their values.
    if (write) storeLow(this.#page, data.offset, length, cut);
    len.set(view, length);
    is_write.set(view, write ? 1 : 0);
    if (VM_PERSONAS[vm.persona].functions?.resumeAction) resume_action.set(view, ResumeAction.Handled);
    this.writePage(vcpu, 0, this.#page);
    vcpu.exit = { kind: write ? "write" : "read", length };
    this.#leave(vcpu, 0);
  }

  #fault(vm: HostVm, vcpu: VcpuFunction, resource: Resource, { state_data_0, state_data_1 }: RunResults): void {
    if (!VM_PERSONAS[vm.persona].functions?.pageFaultExit) return this.#endingUnless(vm, vcpu);
    const address = Number(state_data_0);
    const attempt = this.#hooks.pageIn(vm, address, state_data_1 !== 0n, vcpu.task!);
    if (attempt === 0) {
      vcpu.resume = [VcpuResume.Retry, 0n];
      return this.#makeReady(vcpu, resource, true);
    }
    this.#readPage(vcpu, 0, this.#page);
    const view = this.#view;
    RUN_PAGE.at.exit_reason.set(view, ExitReason.PageFault);
    RUN_PAGE_FAULT.at.phys_addr.set(view, state_data_0);
    RUN_PAGE_FAULT.at.attempt.set(view, attempt);
    RUN_PAGE_FAULT.at.resume_action.set(view, ResumeAction.Handled);
    this.writePage(vcpu, 0, this.#page);
    vcpu.exit = { kind: "fault" };
    this.#leave(vcpu, 0);
  }

  // ---- the run page ----

  /** The run page from `offset` on. */
  page(vcpu: VcpuFunction, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#readPage(vcpu, offset, bytes);
    return bytes;
  }

  #readPage(vcpu: VcpuFunction, offset: number, into: Uint8Array): void {
    const ipa = this.#kernel.memory.objectPage(this.#kernel.memory.object(vcpu.page), 0);
    if (ipa === undefined || !this.#kernel.cpu.readInto(ipa + offset, into)) {
      throw new Error(`the run page of vCPU ${vcpu.number} is not memory of the host`);
    }
  }

  writePage(vcpu: VcpuFunction, offset: number, bytes: Uint8Array): void {
    const ipa = this.#kernel.memory.objectPage(this.#kernel.memory.object(vcpu.page), 0);
    if (ipa === undefined || !this.#kernel.cpu.write(ipa + offset, bytes)) {
      throw new Error(`the run page of vCPU ${vcpu.number} is not memory of the host`);
    }
  }

  #immediate(vcpu: VcpuFunction): boolean {
    this.#readPage(vcpu, 0, this.#page);
    return RUN_PAGE.at.immediate_exit.get(this.#view) !== 0;
  }

  /** Writes a STATUS exit; the result of RUN. */
  #statusExit(vm: HostVm, vcpu: VcpuFunction): number {
    const { type, size, reason } = vm.exit!;
    this.#writeStatus(vcpu, VmStatusCode.Exited, type, size, reason);
    return 0;
  }

  #writeStatus(vcpu: VcpuFunction, status: number, type: number, size: number, reason: readonly number[]): void {
    this.#readPage(vcpu, 0, this.#page);
    const view = this.#view;
    const { status: code, exit_type, padding, reason_size, reason: field } = RUN_STATUS.at;
    RUN_PAGE.at.exit_reason.set(view, ExitReason.Status);
    code.set(view, status);
    exit_type.set(view, type);
    padding.set(view, 0);
    reason_size.set(view, size);
    const { length } = field.type;
    field.set(view, Array.from({ length }, (_, byte) => reason[byte] ?? 0));
    // The fields after this belong to other exits.
    this.writePage(vcpu, 0, this.#page.subarray(0, field.offset + length));
    vcpu.exit = undefined;
  }

  /**
   * User space's answer to the last exit becomes the arguments of the next vcpu_run. False for an
   * unknown action.
   */
  #takeResume(vm: HostVm, vcpu: VcpuFunction): boolean {
    const { exit } = vcpu;
    vcpu.exit = undefined;
    vcpu.resume = [0n, 0n];
    if (exit === undefined) return true;
    const rules = functionRules(VM_PERSONAS[vm.persona]);
    this.#readPage(vcpu, 0, this.#page);
    const view = this.#view;
    if (rules.resumeAction) {
      const action = (exit.kind === "fault" ? RUN_PAGE_FAULT : RUN_MMIO).at.resume_action.get(view);
      const retry = exit.kind === "fault" && action === ResumeAction.Retry;
      if (action > ResumeAction.Fault && !retry) {
        vcpu.exit = exit;
        return false;
      }
      const word = exit.kind === "fault" ? 0 : 1;
      if (action === ResumeAction.Fault) vcpu.resume[word] = VcpuResume.Fault;
      else if (exit.kind === "fault") vcpu.resume[word] = VcpuResume.Retry;
    }
    if (exit.kind === "read") {
      vcpu.resume[0] = BigInt.asUintN(8 * exit.length, view.getBigUint64(RUN_MMIO.at.data.offset, true));
    }
    return true;
  }

  // ---- turns ----

  /** A signal or immediate_exit wants RUN to leave. */
  #interrupted(vcpu: VcpuFunction): boolean {
    return this.#kernel.task(vcpu.task!).signalled || this.#immediate(vcpu);
  }

  /** Checks the reasons to leave before each vcpu_run. Returns whether it may happen. */
  #maySlip(vcpu: VcpuFunction): boolean {
    if (vcpu.removed) this.#leaveRemoved(vcpu);
    else if (this.#interrupted(vcpu)) this.#leave(vcpu, -Errno.EINTR);
    else return true;
    return false;
  }

  #makeReady(vcpu: VcpuFunction, resource: Resource, first: boolean): void {
    vcpu.phase = "ready";
    vcpu.wakeAt = undefined;
    const queue = this.#state.queues[resource.runner] ??= [];
    // An exit to user space, or an interrupt of the host, does not cost a vCPU the rest of its
    // turn.
    if (first) queue.unshift(vcpu.id);
    else queue.push(vcpu.id);
    if (resource.runner !== this.#kernel.cpu.index) this.#hooks.kick(resource);
  }

  /** RUN ends. The next task that waits for the vCPU gets its chance. */
  #leave(vcpu: VcpuFunction, result: number, rule?: Parameters<HostKernel["finish"]>[2]): void {
    const task = vcpu.task!;
    vcpu.task = undefined;
    vcpu.phase = "idle";
    this.#kernel.finish(task, this.#hooks.leaving(vcpu, task, result), rule);
    const next = vcpu.task === undefined ? vcpu.waiters.shift() : undefined;
    if (next === undefined) return;
    let entered: number | undefined;
    this.#kernel.within(next, () => entered = this.enter(next, vcpu));
    if (entered !== undefined) this.#kernel.finish(next, this.#hooks.leaving(vcpu, next, entered));
  }

  /** RUN ends, as the vCPU has been removed. */
  #leaveRemoved(vcpu: VcpuFunction): void {
    this.#leave(vcpu, -Errno.ENODEV, { section: SECTION, rule: REMOVED, object: `vm ${vcpu.vm}`, values: { vcpu: vcpu.number } });
  }

  #noResource(vm: HostVm, vcpu: VcpuFunction): number {
    const values = { vcpu: vcpu.number, status: vm.status };
    const rule = vm.resources === undefined
      ? "a vCPU runs after START only"
      : "the Resource Manager has to list a vCPU of this number: the devicetree says how many there are";
    return this.#kernel.refuse(Errno.ENODEV, SECTION, rule, values, { object: `vm ${vm.id}` });
  }

  #resourceOf(vm: HostVm, vcpu: VcpuFunction): Resource | undefined {
    return vm.resources?.find(({ type, label }) => type === ResourceType.Vcpu && label === vcpu.number);
  }

  /** Index of the host vCPU that runs it. */
  #runnerOf(vcpu: VcpuFunction): number | undefined {
    const vm: HostVm | undefined = this.#state.vms[vcpu.vm];
    return vm && this.#resourceOf(vm, vcpu)?.runner;
  }

  #vcpusOf(vm: HostVm): VcpuFunction[] {
    return Object.values(this.#state.vcpus).filter((vcpu) => vcpu.vm === vm.id);
  }

  #vmOf(vcpu: VcpuFunction): HostVm {
    const vm = this.#state.vms[vcpu.vm];
    if (vm === undefined) throw new Error(`vCPU ${vcpu.number} has lost its VM`);
    return vm;
  }
}

/** The vCPU of a VM whose wakeup vIRQ this is. A loop, as each of its interrupts asks. */
function wakeupOf(vm: HostVm, intid: number): Resource | undefined {
  for (const resource of vm.resources ?? []) {
    if (resource.virq === intid && resource.type === ResourceType.Vcpu) return resource;
  }
  return undefined;
}

/** Stores the low `size` bytes of a word, at most 8. */
function storeLow(bytes: Uint8Array, at: number, size: number, word: bigint): void {
  const low = Number(BigInt.asUintN(32, word)), high = size > 4 ? Number(word >> 32n) : 0;
  for (let byte = 0; byte < size; byte++) bytes[at + byte] = (byte < 4 ? low : high) >>> 8 * (byte & 3);
}

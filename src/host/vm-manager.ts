// The VM manager: creates, starts and takes down the VMs of the plan by requests to the resource manager, one awaited reply a VM
// (spec/resource-manager.md section 4.5; the order is what Linux's driver does, spec/vm-manager.md sections 7 and 11).

import type { NativeVcpu } from "../abi/native-guest.ts";
import { RmError, rmErrorName } from "../abi/rpc/errors.ts";
import type { Fields, Values } from "../abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../abi/rpc/message.ts";
import { MEM_LEND, MEM_RECLAIM, MemType, ReturnFlags } from "../abi/rpc/messages/memory.ts";
import { type resourceEntry, ResourceType, VM_GET_HYP_RESOURCES } from "../abi/rpc/messages/resources.ts";
import { VM_SET_FIRMWARE_MEM } from "../abi/rpc/messages/platform.ts";
import {
  AuthType,
  ExitType,
  StopFlags,
  VM_ALLOCATE,
  VM_CONFIG_IMAGE,
  VM_DEALLOCATE,
  VM_EXITED,
  VM_INIT,
  VM_RESET,
  VM_START,
  VM_STATUS,
  VM_STOP,
  VmState as RmVmState,
} from "../abi/rpc/messages/vm.ts";
import { Access } from "../abi/words.ts";
import { writeDevicetree } from "../devicetree/writer.ts";
import { endedByOwnWill, type VmExitReason, type VmState } from "./events.ts";
import { guestDevicetree } from "./guest-devicetree.ts";
import type { RmClient } from "./rm-client.ts";
import { newVmState, type Step, type VmRecord } from "./vm.ts";
import { CONSOLE_BELL_LABEL, DEVICETREE_SIZE, layoutVm, wholePages } from "./vm-layout.ts";

/** A vCPU of a VM, as VM_GET_HYP_RESOURCES gives it to the owner. */
export interface VcpuResource {
  readonly index: number;
  readonly cap: bigint;
  /** INTID of its wakeup vIRQ. */
  readonly wakeup: number;
}

/** What the manager tells the host. VMs are by their place in the plan. */
export interface ManagerEvents {
  state(vm: number, state: VmState, exit?: VmExitReason): void;
  error(vm: number | undefined, message: string): void;
  /** The VM is ready: its vCPUs can be run once it is started. */
  vcpus(vcpu: NativeVcpu, vm: number, vcpus: readonly VcpuResource[]): void;
  /** The VM has ended: its vCPUs are gone. */
  gone(vm: number): void;
  /** No VM will ever run again. */
  finished(vcpu: NativeVcpu, crashed: readonly string[]): void;
}

const EXIT_REASONS: Readonly<Record<number, VmExitReason>> = {
  [ExitType.VmExit]: "exit",
  [ExitType.PlatformOff]: "system-off",
  [ExitType.PlatformReset]: "system-reset",
  [ExitType.PsciSystemReset2]: "system-reset2",
  [ExitType.WatchdogBite]: "watchdog",
  [ExitType.SoftwareError]: "fault",
  [ExitType.AsyncHwError]: "hardware-error",
  [ExitType.VmStopForced]: "forced",
};

/** Why a VM exited, by the exit type of VM_EXITED. */
export function exitReason(type: number): VmExitReason {
  return EXIT_REASONS[type] ?? "unknown";
}

const REQUESTS = {
  allocate: VM_ALLOCATE,
  lend: MEM_LEND,
  configure: VM_CONFIG_IMAGE,
  firmware: VM_SET_FIRMWARE_MEM,
  init: VM_INIT,
  resources: VM_GET_HYP_RESOURCES,
  start: VM_START,
  stop: VM_STOP,
  reset: VM_RESET,
  reclaim: MEM_RECLAIM,
  deallocate: VM_DEALLOCATE,
} as const satisfies Record<Step, unknown>;

/** Label of the parcel with image and devicetree: RM takes label 0 for a VM's private memory (section 5.3). */
const IMAGE_LABEL = 0;

/** Creates and ends VMs. */
export class VmManager {
  readonly #rm: RmClient;
  readonly #vms: readonly VmRecord[];
  readonly #events: ManagerEvents;
  /** A VM with `on_exit = "end-session"` has ended, or all have. */
  #finished = false;

  constructor(rm: RmClient, vms: readonly VmRecord[], events: ManagerEvents) {
    this.#rm = rm;
    this.#vms = vms;
    this.#events = events;
  }

  /** Whether nothing will run any more. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Begins to create all VMs. They are started when each is ready or has failed, so that those that are linked find each other. */
  createAll(vcpu: NativeVcpu): void {
    this.#vms.forEach((_, vm) => this.#create(vcpu, vm));
  }

  /** The reply to the request that a VM waits for. */
  reply(vcpu: NativeVcpu, vm: number, payload: Uint8Array): void {
    const record = this.#vms[vm];
    const { step } = record;
    if (step === undefined) throw new Error(`a reply for vm ${record.plan.name}, which waits for none`);
    record.step = undefined;
    const refused = refusal(REQUESTS[step], payload);
    if (refused === undefined) this.#succeeded(vcpu, vm, step, payload);
    else this.#refused(vcpu, vm, step, refused);
  }

  /** A notification of the resource manager; those about other VMs and of other kinds are left. */
  notification(vcpu: NativeVcpu, id: number, payload: Uint8Array): void {
    if (id === VM_EXITED.id) {
      const exited = VM_EXITED.layout.decode(payload);
      if (exited.ok) this.#exited(vcpu, exited.value.vmid, exitReason(exited.value.exit_type));
      else this.#events.error(undefined, `VM_EXITED: ${exited.problem}`);
    } else if (id === VM_STATUS.id) {
      const status = VM_STATUS.layout.decode(payload);
      if (!status.ok) this.#events.error(undefined, `VM_STATUS: ${status.problem}`);
      else if (status.value.vm_state === RmVmState.Reset) this.#resetDone(vcpu, status.value.vmid);
    }
  }

  /** Stops a VM: at once, or by asking it to shut down. Its end comes as a notification. */
  stop(vcpu: NativeVcpu, vm: number, force: boolean): void {
    const { state, step, vmid } = this.#vms[vm];
    if (state !== "running" || step !== undefined) return this.#events.error(vm, `it is ${step ?? state} and cannot be stopped now`);
    this.#send(vcpu, vm, "stop", VM_STOP, { vmid, flags: force ? StopFlags.Force : 0, reason: 0 });
  }

  /** What the manager knows beside the VMs' records: whether it is finished. */
  save(): boolean {
    return this.#finished;
  }

  /** Puts that back. */
  restore(finished: boolean): void {
    this.#finished = finished;
  }

  // ---- creation ----

  #create(vcpu: NativeVcpu, vm: number): void {
    Object.assign(this.#vms[vm], newVmState());
    this.#setState(vm, "creating");
    this.#send(vcpu, vm, "allocate", VM_ALLOCATE, { vmid: 0 });
  }

  #send<Q extends Fields, R extends Fields>(vcpu: NativeVcpu, vm: number, step: Step, message: RpcRequest<Q, R>, value: Values<Q>): void {
    this.#vms[vm].step = step;
    this.#rm.request(vcpu, message.id, encodeRequest(message, value), vm);
  }

  #succeeded(vcpu: NativeVcpu, vm: number, step: Step, payload: Uint8Array): void {
    const record = this.#vms[vm];
    const { plan, vmid, memory } = record;
    switch (step) {
      case "allocate":
        record.vmid = replyValue(VM_ALLOCATE, payload).vmid;
        if (!this.#load(vcpu, record)) return this.#failed(vcpu, vm, step, "its memory is not writable memory of the host");
        return this.#send(vcpu, vm, "lend", MEM_LEND, {
          mem_type: MemType.Normal,
          flags: 0,
          label: IMAGE_LABEL,
          acl: [{ vmid: record.vmid, rights: Access.RWX }],
          sgl: [{ address: BigInt(memory), size: BigInt(plan.memory) }],
          attributes: [],
        });
      case "lend":
        record.parcel = replyValue(MEM_LEND, payload).handle;
        return this.#send(vcpu, vm, "configure", VM_CONFIG_IMAGE, {
          vmid,
          auth_type: plan.firmware === undefined ? AuthType.None : AuthType.Android,
          handle: record.parcel,
          // Without an offset the first byte of the parcel is the entry, as with Linux's driver. Firmware is told where the image lies.
          image_offset: BigInt(plan.image.entry),
          image_size: plan.image.entry === 0 && plan.firmware === undefined
            ? 0n
            : BigInt(plan.image.offset + plan.image.size - plan.image.entry),
          dt_offset: BigInt(layoutVm(plan).devicetree),
          dt_size: BigInt(DEVICETREE_SIZE),
        });
      case "configure":
        if (plan.firmware === undefined) return this.#send(vcpu, vm, "init", VM_INIT, { vmid });
        return this.#send(vcpu, vm, "firmware", VM_SET_FIRMWARE_MEM, {
          vmid,
          handle: record.parcel!,
          offset: BigInt(layoutVm(plan).firmware!),
          size: BigInt(wholePages(plan.firmware.size)),
        });
      case "firmware":
        return this.#send(vcpu, vm, "init", VM_INIT, { vmid });
      case "init":
        return this.#send(vcpu, vm, "resources", VM_GET_HYP_RESOURCES, { vmid });
      case "resources":
        this.#bind(vcpu, vm, replyValue(VM_GET_HYP_RESOURCES, payload).resources);
        this.#setState(vm, "ready");
        return this.#startReady(vcpu);
      case "start":
        return this.#setState(vm, "running");
      case "stop":
        // It may have ended before the reply came: then the next step waited for that.
        if (record.state === "exited") this.#send(vcpu, vm, "reset", VM_RESET, { vmid });
        return;
      case "reset":
        record.resetting = true;
        return;
      case "reclaim":
        record.parcel = undefined;
        return this.#send(vcpu, vm, "deallocate", VM_DEALLOCATE, { vmid });
      case "deallocate":
        return this.#takenDown(vcpu, vm);
    }
  }

  /** Puts image, ramdisk and devicetree into the VM's memory, while it is still the host's. */
  #load(vcpu: NativeVcpu, { plan, memory }: VmRecord): boolean {
    const layout = layoutVm(plan);
    const tree = writeDevicetree(guestDevicetree(plan, layout));
    return vcpu.write(memory + plan.image.offset, plan.image.bytes) &&
      (layout.initrd === undefined || vcpu.write(memory + layout.initrd, plan.initrd!)) &&
      vcpu.write(memory + layout.devicetree, tree);
  }

  #bind(vcpu: NativeVcpu, vm: number, resources: readonly Values<typeof resourceEntry>[]): void {
    const vcpus: VcpuResource[] = [];
    const proxied = this.#vms[vm].plan.schedule === "proxy";
    for (const { type, label, cap, virq } of resources) {
      // What the hypervisor schedules is nobody's to run.
      if (type === ResourceType.Vcpu && proxied) vcpus.push({ index: label, cap, wakeup: virq });
      else if (type === ResourceType.DoorbellSource && label === CONSOLE_BELL_LABEL) this.#vms[vm].console?.bind(cap);
    }
    this.#events.vcpus(vcpu, vm, vcpus);
  }

  #startReady(vcpu: NativeVcpu): void {
    if (this.#vms.some(({ state }) => state === "creating")) return;
    this.#vms.forEach(({ state, step, vmid }, vm) => {
      if (state === "ready" && step === undefined) this.#send(vcpu, vm, "start", VM_START, { vmid });
    });
  }

  // ---- the end ----

  #byVmid(vmid: number): number {
    return this.#vms.findIndex((record) => record.vmid === vmid && record.vmid !== 0);
  }

  #exited(vcpu: NativeVcpu, vmid: number, exit: VmExitReason): void {
    const vm = this.#byVmid(vmid);
    if (vm < 0) return;
    this.#vms[vm].exit = exit;
    this.#events.gone(vm);
    this.#setState(vm, "exited", exit);
    if (this.#vms[vm].step === undefined) this.#send(vcpu, vm, "reset", VM_RESET, { vmid });
  }

  #resetDone(vcpu: NativeVcpu, vmid: number): void {
    const vm = this.#byVmid(vmid);
    if (vm < 0 || !this.#vms[vm].resetting) return;
    this.#vms[vm].resetting = false;
    this.#giveBack(vcpu, vm);
  }

  /** Takes the memory back, then gives up the VMID. */
  #giveBack(vcpu: NativeVcpu, vm: number): void {
    const { parcel, vmid } = this.#vms[vm];
    // The VM's traces stay neither in the host nor in the VM that gets this memory next.
    if (parcel !== undefined) this.#send(vcpu, vm, "reclaim", MEM_RECLAIM, { handle: parcel, flags: ReturnFlags.Sanitize });
    else this.#send(vcpu, vm, "deallocate", VM_DEALLOCATE, { vmid });
  }

  #takenDown(vcpu: NativeVcpu, vm: number): void {
    const record = this.#vms[vm];
    if (record.state !== "failed") this.#setState(vm, "stopped");
    record.vmid = 0;
    if (record.state === "stopped" && record.plan.onExit === "restart") this.#create(vcpu, vm);
    else this.#checkFinished(vcpu, record.plan.onExit === "end-session");
  }

  #checkFinished(vcpu: NativeVcpu, end: boolean): void {
    const over = ({ state, vmid }: VmRecord) => (state === "stopped" || state === "failed") && vmid === 0;
    if (this.#finished || !end && !this.#vms.every(over)) return;
    this.#finished = true;
    const crashed = this.#vms.filter(({ state, exit }) => state === "failed" || exit !== undefined && !endedByOwnWill(exit));
    this.#events.finished(vcpu, crashed.map(({ plan }) => plan.name));
  }

  // ---- refusals ----

  #refused(vcpu: NativeVcpu, vm: number, step: Step, error: number): void {
    const message = `${REQUESTS[step].name}: ${rmErrorName(error)}`;
    if (step === "stop") return this.#events.error(vm, message);
    if (step !== "firmware") return this.#failed(vcpu, vm, step, message);
    // A VM in the state INIT cannot be reset: it goes on, and VM_START refuses what has no firmware.
    this.#events.error(vm, message);
    this.#succeeded(vcpu, vm, step, new Uint8Array());
  }

  /** A step failed: what exists of the VM is given back as far as that goes. */
  #failed(vcpu: NativeVcpu, vm: number, step: Step, message: string): void {
    this.#events.error(vm, message);
    this.#setState(vm, "failed");
    const { vmid } = this.#vms[vm];
    switch (step) {
      case "allocate":
        if (vmid !== 0) this.#send(vcpu, vm, "deallocate", VM_DEALLOCATE, { vmid });
        else this.#takenDown(vcpu, vm);
        break;
      case "lend":
      case "configure":
      case "reset":
        this.#giveBack(vcpu, vm);
        break;
      case "init":
      case "resources":
      case "start":
        this.#events.gone(vm);
        this.#send(vcpu, vm, "reset", VM_RESET, { vmid });
        break;
      case "reclaim":
        this.#vms[vm].parcel = undefined;
        this.#giveBack(vcpu, vm);
        break;
      case "deallocate":
        this.#takenDown(vcpu, vm);
        break;
    }
    // The others may have waited for this one only.
    this.#startReady(vcpu);
  }

  #setState(vm: number, state: VmState, exit?: VmExitReason): void {
    this.#vms[vm].state = state;
    this.#events.state(vm, state, exit);
  }
}

/** The error of a reply, undefined where it is OK. One that cannot be read, or lacks its fields, counts as an invalid message. */
function refusal(message: typeof REQUESTS[Step], payload: Uint8Array): number | undefined {
  // Only which fields there are matters here, not what they hold.
  const decoded = decodeReply(message as unknown as RpcRequest, payload);
  if (!decoded.ok) return decoded.error;
  const { error, value } = decoded.value;
  if (error !== RmError.OK) return error;
  return value === undefined && Object.keys(message.reply.fields).length > 0 ? RmError.MSG_INVALID : undefined;
}

/** The fields of a reply that `refusal` has found to be there. */
function replyValue<Q extends Fields, R extends Fields>(message: RpcRequest<Q, R>, payload: Uint8Array): Values<R> {
  const decoded = decodeReply(message, payload);
  if (!decoded.ok || decoded.value.value === undefined) throw new Error(`${message.name}: the reply was not checked`);
  return decoded.value.value;
}

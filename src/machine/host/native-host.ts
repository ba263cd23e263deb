// The native host: runs the VMs of a plan by the sample VMM, a process each, on its /dev/gunyah and
// /dev/gzvm. It does what no process can: it donates the firmware before the first VM, starts
// linked VMs together, and asks a VM to shut down.

import type { Vmid } from "../abi/numbers.ts";
import { Pl011Data } from "../devices/pl011.ts";
import { RmError, rmErrorName } from "../abi/rpc/errors.ts";
import { decodeReply, encodeRequest } from "../abi/rpc/message.ts";
import { VM_STOP } from "../abi/rpc/messages/lifecycle.ts";
import type { NativeGuestFactory } from "../abi/native-guest.ts";
import type { ConsoleInput, HostInput, LockedMemory, StartWanted } from "./data/console-input.ts";
import { endedByOwnWill, exitReason, type HostEvents, type VmExitReason, type VmPhase } from "./data/events.ts";
import { FirmwareStage, type FirmwareStep } from "./primary/firmware-stage.ts";
import { type HostVm, NO_VMID } from "./gunyah/state.ts";
import { signedVms } from "./signed-vms.ts";
import { boardOf } from "./boards.ts";
import { gunyahVmm } from "./gunyah-vmm.ts";
import { gzvmVmm } from "./gzvm-vmm.ts";
import type { VirtioDevice } from "../virtio/device.ts";
import { hostGuest, type HostProgram, type HostServices } from "./primary/host-guest.ts";
import { linkGroups } from "./data/link-groups.ts";
import type { NativeHostPlan, SharedBuffer, VmPlan } from "./data/plan.ts";
import { deviceName, type DevicePlan } from "../virtio/plan.ts";
import { SharedBuffers, type SharedBuffersState } from "./primary/shared-buffers.ts";
import { vendorVmm } from "./vendor-vmm.ts";
import { VmDevices, type VmDevicesState } from "./vm-devices.ts";
import { DEVICE_BUFFER_LABEL } from "./boards/labels.ts";
import type { BoardServices, VmmEvents, VmmProcess } from "./vmm-process.ts";
import type { FlashVariables } from "./boards/board.ts";
import { MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { devId, devName } from "../abi/ids.ts";

const PSCI_SYSTEM_OFF = 0x8400_0008;
/**
 * Memory of the host that processes do not get: its image and devicetree are in the first 16 MiB.
 * Bytes.
 */
const RESERVED = 18 * MiB;
/**
 * Accesses to no device and other complaints of a VM that are reported; the rest would flood the
 * log.
 */
const REPORTED = 16;

/** The parts of a native host. */
export interface NativeHostOptions {
  readonly plan: NativeHostPlan;
  /** Receives events. */
  readonly events: HostEvents;
  /** Requests of users. */
  readonly input: ConsoleInput;
  /**
   * The device number `index` of a VM of the plan.
   * @throws Error if it cannot be made
   */
  readonly device?: (plan: DevicePlan, vm: string, index: number) => VirtioDevice;
  /** The variables of a VM's firmware, if they outlive it. */
  readonly variables?: (vm: string) => FlashVariables | undefined;
  /** Hands something from outside to the device that takes it (`ConsoleInput.forDevice`). */
  readonly takeInput?: (taker: number, data: unknown) => void;
}

/** The program, for `NativePrograms.register`. */
export function nativeHost(options: NativeHostOptions): NativeGuestFactory {
  const { vms, vcpus, driver } = options.plan;
  const firmware = firmwareOf(vms, "geniezone");
  return () =>
    hostGuest({
      device: driver.device,
      memlock: driver.memlock,
      reserved: RESERVED,
      vcpus,
      gzvm: driver.gzvm ? { firmware, probe: driver.gzvm === true ? undefined : driver.gzvm } : undefined,
      quirks: driver.quirks,
      signed: driver.device === "legacy" ? signedVms(vms.filter(isSigned)) : [],
      program: new VmmProgram(options),
    })();
}

/** The firmware of the protected VMs of a hypervisor: all have the same. */
function firmwareOf(vms: readonly VmPlan[], hypervisor: "gunyah" | "geniezone"): Uint8Array | undefined {
  return vms.find((vm) => vm.firmware !== undefined && (vm.hypervisor ?? "gunyah") === hypervisor)?.firmware?.bytes;
}

/**
 * The page that must be shared with the Resource Manager for the virtio-mmio objects of a VM. The
 * buffers are in the VM's own memory.
 */
function deviceBuffers(vms: readonly VmPlan[]): SharedBuffer[] {
  return vms.filter(({ schedule, devices = [] }) => schedule !== "proxy" && devices.length > 0)
    .map(({ name }) => ({ label: DEVICE_BUFFER_LABEL, size: PAGE_SIZE, access: [{ vm: name, write: true }] }));
}

/** A VM of the plan. */
interface HostedVm {
  readonly plan: VmPlan;
  /** Undefined without virtio devices. */
  readonly devices: VmDevices | undefined;
  vmm: VmmProcess | undefined;
  /**
   * Id and VMID of the VM in the driver, and how far it has come; no state before it is first made.
   */
  id: number | undefined;
  vmid: Vmid;
  state: VmPhase | undefined;
  exit: VmExitReason | undefined;
  /** It may start: its group is complete. */
  released: boolean;
  /** Make it only: it starts on a separate request. */
  held: boolean;
  /** It starts again once all its resources are free. */
  again: boolean;
  reported: number;
  /** Tag of a VM_STOP whose reply is awaited. */
  stopping: number | undefined;
  /** Content of the region that outlives the VM, of its last run. */
  pstore: Uint8Array | undefined;
}

/** Saved state: plain data. */
interface ProgramState {
  readonly entries: readonly (Omit<HostedVm, "plan" | "vmm" | "devices"> & { readonly vmm: unknown; readonly devices: unknown })[];
  readonly firmware: { readonly step: FirmwareStep; readonly tag: number } | undefined;
  readonly buffers: SharedBuffersState;
  readonly finished: boolean;
  readonly asked: readonly number[];
}

class VmmProgram implements HostProgram {
  readonly #options: NativeHostOptions;
  readonly #entries: HostedVm[];
  /** Entries that start together. */
  readonly #groups: readonly (readonly HostedVm[])[];
  /** Undefined without protected VMs. */
  readonly #firmware: FirmwareStage | undefined;
  readonly #buffers: SharedBuffers;
  #begun: HostServices | undefined;
  #finished = false;
  /** Tags of requests that users have sent. */
  readonly #asked = new Set<number>();

  constructor(options: NativeHostOptions) {
    this.#options = options;
    const { plan } = options;
    this.#entries = plan.vms.map((vm) => this.#newEntry(vm));
    this.#groups = linkGroups(plan).map((names) => this.#entries.filter(({ plan }) => names.includes(plan.name)));
    const firmware = firmwareOf(plan.vms, "gunyah");
    this.#firmware = firmware && new FirmwareStage(firmware, (message) => this.problem(message));
    const buffers = [...plan.buffers ?? [], ...deviceBuffers(plan.vms)];
    this.#buffers = new SharedBuffers(buffers, (message) => this.problem(message));
  }

  begin(host: HostServices): void {
    this.#begun = host;
    this.#options.input.locked = () => this.#locked(host);
    this.#options.input.requests = (vm, recall) => {
      const vmm = this.#entries.find(({ plan }) => plan.name === vm)?.vmm;
      return vmm === undefined || !host.kernel.exists(vmm.pid) ? [] : host.kernel.operationsOf(vmm.pid, recall);
    };
    this.#options.input.devices = (vm) => this.#entries.find(({ plan }) => plan.name === vm)?.vmm;
    this.#options.input.gated = () => this.#entries.filter((entry) => this.#isGated(entry)).map(({ plan }) => plan.name);
  }

  get #host(): HostServices {
    if (this.#begun === undefined) throw new Error("the host's program has not begun");
    return this.#begun;
  }

  #locked({ kernel }: HostServices): LockedMemory[] {
    return this.#entries.flatMap(({ plan, vmm }) => {
      if (vmm === undefined || !kernel.exists(vmm.pid)) return [];
      return [{ vm: plan.name, used: kernel.lockedBytes(vmm.pid), limit: kernel.lockLimit(vmm.pid) }];
    });
  }

  /** The host has booted. */
  boot(): void {
    if (this.#firmware === undefined) this.#startAll();
    else this.#firmware.begin(this.#host);
  }

  finished(task: number, pid: number, result: number): void {
    this.#entries.find(({ vmm }) => vmm?.pid === pid)?.vmm?.finished(task, result);
    this.#armTimer();
  }

  input(): void {
    for (const input of this.#options.input.drain()) this.#perform(input);
    this.#armTimer();
  }

  timer(): void {
    for (const { vmm } of this.#entries) vmm?.timer();
    this.#armTimer();
  }

  changed(vm: HostVm): void {
    const entry = this.#entryOf(vm);
    // Of a VM that is gone there may be one more reply.
    if (entry === undefined || isOver(entry)) return;
    entry.id = vm.id;
    entry.vmid = vm.vmid;
    if (this.#host?.manager.state.vms[vm.id] === undefined) return this.#gone(entry);
    if (vm.status === "ready" || vm.status === "running") this.#setState(entry, vm.status);
    if (vm.exit !== undefined && entry.exit === undefined) {
      entry.exit = exitReason(vm.exit.type);
      this.#setState(entry, "exited", entry.exit);
      // RUN reports the end to a VMM; without vCPUs to run, the host must.
      if (entry.plan.schedule !== "proxy") entry.vmm?.end();
    }
    this.#releaseGroups();
    if (vm.status === "running") this.#startAfter(entry);
  }

  mayStart(vm: HostVm): boolean {
    return this.#entryOf(vm)?.released !== false;
  }

  reply(tag: number, payload: Uint8Array): boolean {
    // The user reads the answer in the trace.
    if (this.#asked.delete(tag)) return true;
    const stopping = this.#entries.find((entry) => entry.stopping === tag);
    if (stopping !== undefined) {
      stopping.stopping = undefined;
      const decoded = decodeReply(VM_STOP, payload);
      const error = decoded.ok ? decoded.value.error : decoded.error;
      if (error !== RmError.OK) this.#complain(stopping, `VM_STOP: ${rmErrorName(error)}`);
      return true;
    }
    if (this.#firmware !== undefined && this.#firmware.step !== "done" && this.#firmware.tag === tag) {
      if (this.#firmware.reply(this.#host, payload)) this.#startAll();
      return true;
    }
    if (!this.#buffers.reply(tag, payload)) return false;
    this.#releaseGroups();
    return true;
  }

  signalled(eventfd: number): void {
    for (const { vmm } of this.#entries) vmm?.signalled(eventfd);
    this.#armTimer();
  }

  virq(intid: number): boolean {
    const isTheirs = this.#entries.some(({ devices }) => devices?.backends?.virq(intid));
    this.#armTimer();
    return isTheirs;
  }

  problem(message: string): void {
    this.#options.events({ kind: "error", at: this.#now, message });
  }

  save(): ProgramState {
    const entries = this.#entries.map(({ plan: _, vmm, devices, ...entry }) => {
      return { ...entry, vmm: vmm?.save(), devices: devices?.save() };
    });
    const firmware = this.#firmware && { step: this.#firmware.step, tag: this.#firmware.tag };
    return { entries, firmware, buffers: this.#buffers.save(), finished: this.#finished, asked: [...this.#asked] };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { entries, firmware, buffers, finished, asked } = saved as ProgramState;
    this.#finished = finished;
    this.#asked.clear();
    for (const tag of asked) this.#asked.add(tag);
    this.#buffers.restore(buffers);
    if (this.#firmware !== undefined) Object.assign(this.#firmware, firmware);
    entries.forEach(({ vmm, devices, ...state }, index) => {
      const entry = this.#entries[index];
      Object.assign(entry, state);
      if (vmm !== undefined) {
        entry.vmm = this.#newVmm(entry);
        entry.vmm.restore(vmm);
      }
      entry.devices?.restore(devices as VmDevicesState, this.#host, this.#vmOf(entry)?.resources ?? []);
    });
  }

  get #now(): number {
    return this.#begun?.kernel.cpu.now ?? 0;
  }

  #newEntry(plan: VmPlan): HostedVm {
    const { device } = this.#options;
    const made = (plan.devices ?? []).map((each, index) => {
      if (device === undefined) throw new Error(`${plan.name} has virtio devices, and nobody makes them`);
      return device(each, plan.name, index);
    });
    const entry: HostedVm = {
      plan,
      vmm: undefined,
      id: undefined,
      vmid: NO_VMID,
      state: undefined,
      exit: undefined,
      released: false,
      held: false,
      again: false,
      reported: 0,
      stopping: undefined,
      pstore: undefined,
      devices: made.length === 0 ? undefined : new VmDevices(
        made,
        plan.schedule === "proxy" ? boardOf(plan).virtio.registers : "hypervisor",
        {
          problem: (message) => this.#report(entry, message),
          bug: (slot, error) => {
            const device = devId(plan.name, deviceName(made[slot].name, slot));
            this.#options.events({ kind: "bug", at: this.#now, device, error });
          },
        },
        { rules: () => this.#begun?.kernel.cpu.faults, names: made.map(({ name }, slot) => devName(plan.name, deviceName(name, slot))) },
        plan.firmware !== undefined,
        (plan.devices ?? []).map(({ kind }) => plan.withoutAccessPlatform?.includes(kind) !== true),
      ),
    };
    return entry;
  }

  #newVmm(entry: HostedVm): VmmProcess {
    const { kernel, manager } = this.#host;
    const { plan, devices } = entry;
    const services: BoardServices = {
      runTime: (pid, fd) => manager.runTime(kernel.knownFile(pid, fd).target),
      variables: this.#options.variables?.(plan.name),
      pstore: { content: entry.pstore, keep: (content) => void (entry.pstore = content) },
    };
    const events: VmmEvents = {
      output: (byte) => this.#options.events({ kind: "console", at: this.#now, vm: plan.name, bytes: Uint8Array.of(byte) }),
      cleared: () => this.#options.events({ kind: "cleared", at: this.#now, vm: plan.name }),
      problem: (message) => this.#report(entry, message),
    };
    const { device, quirks } = this.#options.plan.driver;
    if (plan.hypervisor === "geniezone") return gzvmVmm({ kernel, plan, events, devices, services });
    if (device === "legacy" && boardOf(plan).vmm === undefined) return vendorVmm({ kernel, plan, events });
    return gunyahVmm(device, quirks ?? {}, { kernel, plan, events, devices, services });
  }

  /** Reports the first few faults of a VM: more would flood the reader. */
  #report(entry: HostedVm, message: string): void {
    if (++entry.reported <= REPORTED) this.#complain(entry, message);
  }

  #entryOf(vm: HostVm): HostedVm | undefined {
    return this.#entries.find(({ id, vmm }) => id === vm.id || id === undefined && vmm?.space === vm.space);
  }

  // ---- the life of VMs ----

  /** Makes all VMs that start automatically, in the order of the plan. */
  #startAll(): void {
    for (const entry of this.#entries) if ((entry.plan.start ?? "auto") === "auto") this.#start(entry);
  }

  /** Makes those that wait for this one to run. */
  #startAfter({ plan: { name } }: HostedVm): void {
    for (const entry of this.#entries) {
      const { start } = entry.plan;
      if (entry.state === undefined && typeof start === "object" && start.after === name) this.#start(entry);
    }
  }

  #start(entry: HostedVm): void {
    entry.vmm = this.#newVmm(entry);
    Object.assign(entry, { exit: undefined, released: false, again: false });
    this.#setState(entry, "creating");
    entry.vmm.start();
    // Nothing waits: a step was refused before a VM existed.
    const { state, id, vmm } = entry;
    if (state === "creating" && id === undefined && !this.#host.kernel.exists(vmm.pid)) this.#gone(entry);
  }

  /** Lets those start that are complete: each of their group is ready, or will not be. */
  #releaseGroups(): void {
    for (const group of this.#groups) {
      const ready = group.filter((entry) => !entry.released && !entry.held && this.#isGated(entry));
      const pending = group.some((entry) => !ready.includes(entry) && (entry.state === "creating" || entry.state === "ready"));
      if (ready.length === 0 || pending) continue;
      if (!this.#buffers.share(this.#host, new Map(ready.map(({ plan, vmid }) => [plan.name, vmid])))) continue;
      const vms = ready.flatMap((entry) => this.#release(entry) ?? []);
      for (const vm of vms) this.#host.manager.retryStart(vm);
    }
  }

  #isGated(entry: HostedVm): boolean {
    return this.#vmOf(entry)?.sequence?.waits === "gate";
  }

  #release(entry: HostedVm): HostVm | undefined {
    const vm = this.#vmOf(entry);
    entry.released = true;
    entry.devices?.backends?.connect(this.#host, vm?.resources ?? []);
    return vm;
  }

  #vmOf({ id }: HostedVm): HostVm | undefined {
    return id === undefined ? undefined : this.#host.manager.state.vms[id];
  }

  // ---- requests of users ----

  #perform(input: HostInput): void {
    if ("taker" in input) return this.#options.takeInput?.(input.taker, input.data);
    if ("request" in input) return void this.#asked.add(this.#host.request(input.request.id, input.request.payload));
    const entry = this.#entries.find(({ plan }) => plan.name === input.vm);
    const name = JSON.stringify(input.vm);
    if ("bytes" in input || "break" in input) {
      const refused = entry?.vmm ? entry.vmm.type("bytes" in input ? input.bytes : [Pl011Data.BE]) : "gone";
      if (refused === undefined) return this.#options.input.onTaken(input.vm);
      if (entry && refused !== "gone") return this.#complain(entry, `the console takes no input: ${refused.text}`);
      if (entry?.plan.console === true) this.#complain(entry, `the console takes no input: the VM is ${entry.state ?? "not started"}`);
      else this.problem(`no console ${name}`);
    } else if (entry === undefined) this.problem(`there is no VM ${name} to ${"stop" in input ? "stop" : "start"}`);
    else if ("start" in input) this.#startAsked(entry, input.start);
    else this.#stop(entry, input.stop.force);
  }

  #startAsked(entry: HostedVm, how: StartWanted["start"]): void {
    const { state } = entry;
    if (how === "create" && entry.plan.hypervisor === "geniezone") {
      return this.#complain(entry, "it is a VM of GenieZone, which is made when it first runs; start it");
    }
    if (state === undefined || isOver(entry)) {
      entry.held = how === "create";
      this.#start(entry);
    } else if (how === "reset") {
      Object.assign(entry, { held: false, again: true });
      entry.vmm?.end();
    } else if (how === "start" && entry.held) {
      entry.held = false;
      this.#releaseGroups();
    } else this.#complain(entry, `it is already ${state}`);
  }

  /** /dev/gunyah can close a VM but not ask it: the host asks the Resource Manager. */
  #stop(entry: HostedVm, force: boolean): void {
    const { state, vmid } = entry;
    if (state === undefined || isOver(entry)) return this.#complain(entry, `it is ${state ?? "not started"} and cannot be stopped`);
    if (force) return entry.vmm?.end();
    if (state !== "running" || entry.stopping !== undefined) {
      const now = entry.stopping === undefined ? state : "being stopped";
      return this.#complain(entry, `it is ${now} and cannot be asked to stop now`);
    }
    entry.stopping = this.#host.request(VM_STOP.id, encodeRequest(VM_STOP, { vmid, flags: 0, reason: 0 }));
  }

  // ---- the end ----

  /** Nothing of the VM is left. */
  #gone(entry: HostedVm): void {
    this.#setState(entry, entry.exit === undefined || entry.vmm?.gaveUp ? "failed" : "stopped");
    const { exit, plan } = entry;
    Object.assign(entry, { id: undefined, vmid: NO_VMID, reported: 0, stopping: undefined });
    this.#buffers.reclaim(this.#host, new Set(this.#entries.filter(({ id }) => id !== undefined).map(({ plan }) => plan.name)));
    const again = entry.again || exit !== undefined && plan.onExit === "restart";
    if (again && !this.#finished) return this.#start(entry);
    // Others may have waited for this one only.
    this.#releaseGroups();
    this.#checkFinished(exit !== undefined && plan.onExit === "end-session");
  }

  /** The session ends when no VM runs, and none will by itself. */
  #checkFinished(end: boolean): void {
    if (this.#finished || !end && !this.#entries.every((entry) => entry.state === undefined || isOver(entry))) return;
    this.#finished = true;
    const crashed = this.#entries.filter(({ state, exit }) => state === "failed" || exit !== undefined && !endedByOwnWill(exit));
    this.#options.events({ kind: "finished", at: this.#now, crashed: crashed.map(({ plan }) => plan.name) });
    this.#host.kernel.cpu.smc(PSCI_SYSTEM_OFF);
  }

  #setState(entry: HostedVm, state: VmPhase, exit?: VmExitReason): void {
    if (entry.state === state && state !== "creating") return;
    entry.state = state;
    this.#options.events({ kind: "state", at: this.#now, vm: entry.plan.name, vmid: entry.vmid, state, ...exit && { exit } });
  }

  #complain({ plan: { name } }: HostedVm, message: string): void {
    this.#options.events({ kind: "error", at: this.#now, vm: name, message });
  }

  get wakeAt(): number | undefined {
    const times = this.#entries.flatMap(({ vmm }) => vmm?.wakeAt ?? []);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #armTimer(at = this.wakeAt): void {
    if (at !== undefined) this.#host.kernel.cpu.setTimer(at);
  }
}

/** Whether the vendor driver has the VM's image: VMMs of others bring their own. */
function isSigned(plan: VmPlan): boolean {
  return plan.hypervisor !== "geniezone" && boardOf(plan).vmm === undefined;
}

function isOver({ state }: HostedVm): boolean {
  return state === "stopped" || state === "failed";
}

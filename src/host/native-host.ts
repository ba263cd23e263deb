// The native host: the program of the primary VM (VMID 3) that stands in for a Linux with Gunyah drivers and a VMM. It talks to the resource
// manager, runs its VMs' vCPUs, and emulates their consoles. It is a native guest: hypercalls and its own memory are all it has.
//
// The host's memory, as IPA from its start:
//   entry + 0x1000   a page for RPC packets
//   entry + 0x2000   the firmware of protected VMs, until it is donated to the resource manager
//   plan.memory      the VMs' memory, one behind the other, in the order of the plan

import type { NativeGuest, NativeGuestFactory, NativeVcpu } from "../abi/native-guest.ts";
import { CONSOLE_INPUT_INTID, type ConsoleInput } from "./console-input.ts";
import type { HostEvents } from "./events.ts";
import { FIRMWARE_STAGE_TAG, FirmwareStage, type FirmwareStep } from "./firmware-stage.ts";
import { type HostPlatform, readAvailable, readPlatform } from "./platform.ts";
import type { NativeHostPlan } from "./plan.ts";
import { RmClient, type RmClientState } from "./rm-client.ts";
import { type MmioAccess, VcpuRunner, type VcpuRunnerState } from "./vcpu-runner.ts";
import { newVmState, saveVm, type VmRecord, type VmRecordState } from "./vm.ts";
import { VmConsole, type VmConsoleState } from "./vm-console.ts";
import { PAGE_SIZE, VM_PL011_BASE, VM_PL011_SIZE } from "./vm-layout.ts";
import { type VcpuResource, VmManager } from "./vm-manager.ts";

/** PSCI calls (SMC64 and SMC32). */
const PSCI_CPU_ON = 0xc400_0003;
const PSCI_SYSTEM_OFF = 0x8400_0008;
const GICD_IROUTER = 0x6000;
/** Most bytes of a devicetree that the host looks at. */
const DEVICETREE_MAX = 0x10_0000;
/** Accesses of a VM to no device that are reported; the rest would flood the log. */
const REPORTED_ACCESSES = 16;

/** What a native host is made of. */
export interface NativeHostOptions {
  /** The VMs to run. */
  readonly plan: NativeHostPlan;
  /** Is told what happens. */
  readonly events: HostEvents;
  /** What people type. */
  readonly input: ConsoleInput;
}

/** The program, for `NativePrograms.register`. */
export function nativeHost(options: NativeHostOptions): NativeGuestFactory {
  return () => new NativeHost(options);
}

/** What exists once the boot vCPU has read the devicetree. */
interface Running {
  readonly platform: HostPlatform;
  /** IPA of the page for RPC packets. */
  readonly buffer: number;
  readonly rm: RmClient;
  /** Undefined without protected VMs. */
  readonly firmware: FirmwareStage | undefined;
  readonly manager: VmManager;
  readonly vms: readonly VmRecord[];
}

/** Saved state of the host: plain data. */
interface NativeHostState {
  readonly runner: VcpuRunnerState;
  readonly nextRunner: number;
  /** Undefined before the boot vCPU has started. */
  readonly running: {
    readonly platform: HostPlatform;
    readonly buffer: number;
    readonly rm: RmClientState;
    readonly firmware: FirmwareStep | undefined;
    readonly finished: boolean;
    readonly vms: readonly { readonly record: VmRecordState; readonly console: VmConsoleState | undefined }[];
  } | undefined;
}

class NativeHost implements NativeGuest {
  readonly #plan: NativeHostPlan;
  readonly #events: HostEvents;
  readonly #input: ConsoleInput;
  readonly #runner: VcpuRunner;
  #running: Running | undefined;
  /** Host vCPU that gets the next vCPU of a VM. */
  #nextRunner = 0;
  /** Virtual time of the event that is handled. */
  #now = 0;

  constructor({ plan, events, input }: NativeHostOptions) {
    this.#plan = plan;
    this.#events = events;
    this.#input = input;
    this.#runner = new VcpuRunner({
      mmio: (vcpu, vm, access) => this.#mmio(vcpu, vm, access),
      refused: (vm, index, message) => this.#error(vm, `vCPU ${index}: ${message}`),
    });
  }

  start(vcpu: NativeVcpu, entry: bigint, x0: bigint): void {
    this.#now = vcpu.now;
    // The others wait for the wakeup vIRQs of the vCPUs that are given to them.
    if (vcpu.index === 0) this.#boot(vcpu, Number(entry), Number(x0));
  }

  virq(vcpu: NativeVcpu, intid: number): void {
    this.#now = vcpu.now;
    if (this.#running === undefined) return;
    const { rm, platform } = this.#running;
    if (intid === platform.rm.rxVirq) this.#receive(vcpu, this.#running);
    else if (intid === platform.rm.txVirq) rm.flush(vcpu);
    else if (intid === CONSOLE_INPUT_INTID) this.#type(vcpu);
    else this.#runner.wake(intid);
    this.#runNext(vcpu);
  }

  timer(vcpu: NativeVcpu): void {
    this.#now = vcpu.now;
    for (const { console } of this.#running?.vms ?? []) console?.timer(vcpu);
    this.#armTimer(vcpu);
    this.#runNext(vcpu);
  }

  runReturned(vcpu: NativeVcpu, error: bigint, state: bigint, data0: bigint, data1: bigint, data2: bigint): void {
    this.#now = vcpu.now;
    this.#runner.returned(vcpu, error, state, data0, data1, data2);
    this.#runNext(vcpu);
  }

  save(): NativeHostState {
    const running = this.#running && {
      platform: this.#running.platform,
      buffer: this.#running.buffer,
      rm: this.#running.rm.save(),
      firmware: this.#running.firmware?.step,
      finished: this.#running.manager.save(),
      vms: this.#running.vms.map((record) => ({ record: saveVm(record), console: record.console?.save() })),
    };
    return { runner: this.#runner.save(), nextRunner: this.#nextRunner, running };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { runner, nextRunner, running } = saved as NativeHostState;
    this.#runner.restore(runner);
    this.#nextRunner = nextRunner;
    this.#running = undefined;
    if (running === undefined) return;
    const vms = this.#placeVms(running.platform);
    if (vms === undefined) throw new Error("the saved state belongs to a host of another size");
    this.#running = this.#assemble(running.platform, running.buffer, vms);
    this.#running.rm.restore(running.rm);
    if (this.#running.firmware !== undefined) this.#running.firmware.step = running.firmware!;
    this.#running.manager.restore(running.finished);
    running.vms.forEach(({ record, console }, vm) => {
      Object.assign(vms[vm], record);
      if (console !== undefined) vms[vm].console?.restore(console);
    });
  }

  #boot(vcpu: NativeVcpu, entry: number, devicetree: number): void {
    const read = readPlatform(readAvailable(vcpu, devicetree, DEVICETREE_MAX));
    if (!read.ok) return this.#giveUp(vcpu, read.problem);
    const { platform } = read;
    const vms = this.#placeVms(platform);
    if (vms === undefined) return this.#giveUp(vcpu, `the VMs need more than the host's ${platform.memory.size} bytes of memory`);
    this.#running = this.#assemble(platform, entry + PAGE_SIZE, vms);
    for (const intid of [platform.rm.rxVirq, platform.rm.txVirq, CONSOLE_INPUT_INTID]) vcpu.enableIrq(intid, true);
    for (const mpidr of platform.cpus.slice(1, this.#plan.vcpus)) {
      const [result] = vcpu.smc(PSCI_CPU_ON, BigInt(mpidr), BigInt(entry), 0n);
      if (result !== 0n) this.#error(undefined, `CPU_ON of CPU ${mpidr}: ${BigInt.asIntN(64, result)}`);
    }
    if (this.#running.firmware === undefined) this.#running.manager.createAll(vcpu);
    else this.#running.firmware.begin(vcpu);
    // What was typed before the interrupt was enabled.
    this.#type(vcpu);
  }

  #assemble(platform: HostPlatform, buffer: number, vms: VmRecord[]): Running {
    const rm = new RmClient(platform.rm, buffer, (message) => this.#error(undefined, message));
    const manager = new VmManager(rm, vms, {
      state: (vm, state, exit) => {
        const { plan, vmid } = vms[vm];
        this.#events({ kind: "state", at: this.#now, vm: plan.name, vmid, state, ...exit && { exit } });
      },
      error: (vm, message) => this.#error(vm, message),
      vcpus: (vcpu, vm, vcpus) => this.#takeVcpus(vcpu, vm, vcpus),
      gone: (vm) => this.#runner.remove(vm),
      finished: (vcpu, crashed) => this.#finish(vcpu, crashed),
    });
    const image = this.#plan.vms.find(({ firmware }) => firmware !== undefined)?.firmware;
    const firmware = image && new FirmwareStage(rm, image.bytes, buffer + PAGE_SIZE, (message) => this.#error(undefined, message));
    return { platform, buffer, rm, firmware, manager, vms };
  }

  /** The VMs of the plan, each with its place in the host's memory; undefined where that is too small. */
  #placeVms(platform: HostPlatform): VmRecord[] | undefined {
    let next = platform.memory.base + this.#plan.memory;
    const vms = this.#plan.vms.map((plan): VmRecord => {
      const memory = next;
      next += plan.memory;
      const output = (byte: number) => this.#events({ kind: "console", at: this.#now, vm: plan.name, bytes: Uint8Array.of(byte) });
      const problem = (message: string) => this.#events({ kind: "error", at: this.#now, vm: plan.name, message });
      return { ...newVmState(), plan, memory, console: plan.console ? new VmConsole(output, problem) : undefined };
    });
    return next <= platform.memory.base + platform.memory.size ? vms : undefined;
  }

  #receive(vcpu: NativeVcpu, { rm, firmware, manager }: Running): void {
    for (const message of rm.receive(vcpu)) {
      if (message.kind === "reply" && message.tag === FIRMWARE_STAGE_TAG) {
        if (firmware!.reply(vcpu, message.payload)) manager.createAll(vcpu);
      } else if (message.kind === "reply") manager.reply(vcpu, message.tag, message.payload);
      else manager.notification(vcpu, message.id, message.payload);
    }
  }

  #type(vcpu: NativeVcpu): void {
    for (const input of this.#input.take()) {
      const vm = this.#running?.vms.findIndex(({ plan }) => plan.name === input.vm) ?? -1;
      const console = this.#running?.vms[vm]?.console;
      if ("stop" in input) {
        if (vm < 0) this.#error(undefined, `there is no VM ${JSON.stringify(input.vm)} to stop`);
        else this.#running!.manager.stop(vcpu, vm, input.stop.force);
      } else if (console === undefined) this.#error(undefined, `there is no console ${JSON.stringify(input.vm)} to type into`);
      else console.type(vcpu, input.bytes);
    }
  }

  /** Spreads the vCPUs of a VM over the host's, and has their wakeup vIRQs delivered there. */
  #takeVcpus(vcpu: NativeVcpu, vm: number, vcpus: readonly VcpuResource[]): void {
    const { platform } = this.#running!;
    const runners = Math.min(this.#plan.vcpus, platform.cpus.length);
    for (const { index, cap, wakeup } of vcpus) {
      const runner = this.#nextRunner++ % runners;
      vcpu.enableIrq(wakeup, true);
      if (!vcpu.writeDevice(platform.gicd + GICD_IROUTER + 8 * wakeup, 8, BigInt(platform.cpus[runner]))) {
        this.#error(vm, `the wakeup interrupt ${wakeup} of vCPU ${index} cannot be routed`);
      }
      this.#runner.add({ vm, index, cap, wakeup, runner });
    }
  }

  #mmio(vcpu: NativeVcpu, vm: number, { address, size, value }: MmioAccess): bigint {
    const record = this.#running!.vms[vm];
    const offset = address - VM_PL011_BASE;
    if (record.console !== undefined && offset >= 0 && offset < VM_PL011_SIZE) {
      const { wakeAt } = record.console;
      const result = value === undefined ? record.console.read(vcpu, offset, size) : 0n;
      if (value !== undefined) record.console.write(vcpu, offset, size, BigInt.asUintN(8 * size, value));
      if (record.console.wakeAt !== wakeAt) this.#armTimer(vcpu);
      return result;
    }
    // Reads as zero, ignores writes.
    record.reported++;
    if (record.reported <= REPORTED_ACCESSES) {
      const what = `${value === undefined ? "load" : "store"} of ${size} bytes at 0x${address.toString(16)}, where no device is`;
      this.#error(vm, record.reported < REPORTED_ACCESSES ? what : `${what}; more of these are not reported`);
    }
    return 0n;
  }

  /** The earliest time that a console waits for. A console may be served twice at its time, by two host vCPUs. */
  #armTimer(vcpu: NativeVcpu): void {
    const times = this.#running!.vms.flatMap(({ console }) => console?.wakeAt ?? []);
    if (times.length > 0) vcpu.setTimer(Math.min(...times));
  }

  #runNext(vcpu: NativeVcpu): void {
    if (this.#running?.manager.finished !== true) this.#runner.run(vcpu);
  }

  #finish(vcpu: NativeVcpu, crashed: readonly string[]): void {
    this.#events({ kind: "finished", at: this.#now, crashed });
    vcpu.smc(PSCI_SYSTEM_OFF);
  }

  /** The host itself cannot work. */
  #giveUp(vcpu: NativeVcpu, message: string): void {
    this.#error(undefined, message);
    this.#finish(vcpu, this.#plan.vms.map(({ name }) => name));
  }

  #error(vm: number | undefined, message: string): void {
    const name = vm === undefined ? undefined : this.#plan.vms[vm].name;
    this.#events({ kind: "error", at: this.#now, ...name !== undefined && { vm: name }, message });
  }
}

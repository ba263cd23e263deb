// The primary VM as a Linux with hypervisor drivers: its kernel (`kernel/`), the drivers of
// /dev/gunyah and /dev/gzvm, and the program that uses them. It is a native guest: all that it does
// to VMs are hypercalls and requests to the Resource Manager.
//
// The host's memory, as IPA from its start:
//   entry + 0x1000     a page for RPC packets
//   options.reserved   pages for processes, and so for VMs

import type { NativeGuest, NativeGuestFactory, NativeVcpu } from "../../abi/native-guest.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { HypercallCaller } from "../../abi/hypercall-caller.ts";
import type { HypercallResults } from "../../abi/hypercalls.ts";
import { CONSOLE_INPUT_INTID } from "../data/console-input.ts";
import { GunyahDriver } from "../gunyah/driver.ts";
import { VmManager } from "../gunyah/vm-manager.ts";
import type { SignedVm } from "../gunyah/signed-vm.ts";
import { type GunyahState, type HostVm, newGunyahState } from "../gunyah/state.ts";
import { GzvmDriver } from "../geniezone/driver.ts";
import { type GzvmState, newGzvmState } from "../geniezone/state.ts";
import type { PersonaName } from "../../abi/ioctl/personas.ts";
import { HostKernel, type KernelState, newKernelState } from "../kernel/kernel.ts";
import { type HostPlatform, readAvailable, readPlatform } from "./platform.ts";
import type { DriverQuirks, GzvmProbe } from "../data/plan.ts";
import { RmClient, type RmClientState } from "./rm-client.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

const PSCI_CPU_ON = 0xc400_0003;
/** Registers of the distributor. */
const GICD_ISPENDR = 0x200;
const GICD_IROUTER = 0x6000;
/** Why GenieZone's module made no device (docs/spec/phones.md §A6). */
const GZVM_ABSENT: Readonly<Record<GzvmProbe, BrokenRule>> = {
  "silent": {
    section: "geniezone 2",
    rule: "EL2 answers nothing to the PROBE of the gzvm module, which ends with ENODEV",
    object: "",
    values: {},
    wayOut: "the module is fine: the firmware has no GenieZone, or has it off",
  },
  "no-node": {
    section: "phones A6",
    rule: "the devicetree has no node mediatek,geniezone-hyp, so that the gzvm module never probes",
    object: "",
    values: {},
    wayOut: "add the node to the platform's devicetree, or load a module that needs none",
  },
};
/** Limit on the bytes of a devicetree that the host reads. */
const DEVICETREE_MAX = 0x10_0000;

/** The program of the host's processes. */
export interface HostProgram {
  /** The drivers are loaded. */
  begin(host: HostServices): void;
  /** The host has booted; not called when a saved one continues. */
  boot(): void;
  /** An ioctl that waited has ended. */
  finished(task: number, pid: number, result: number): void;
  /** The virtual timer of the vCPU on which something happens. */
  timer(): void;
  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  readonly wakeAt?: number | undefined;
  /** The interrupt from outside. */
  input(): void;
  /** A VM of /dev/gunyah has changed, or is gone. */
  changed(vm: HostVm): void;
  /** Whether a VM that is ready may start now; all may by default. */
  mayStart?(vm: HostVm): boolean;
  /**
   * The Resource Manager's reply to a request of the program; false if it sent none with this tag.
   */
  reply?(tag: number, payload: Uint8Array): boolean;
  /** An eventfd was signaled. */
  signalled(eventfd: number): void;
  /** A vIRQ; false if the program does not listen to it. */
  virq?(intid: number): boolean;
  /** Something that should not happen. */
  problem(message: string): void;
  /** Plain data. */
  save(): unknown;
  restore(saved: unknown): void;
}

/** The services of a host to its program. */
export interface HostServices {
  readonly kernel: HostKernel;
  readonly manager: VmManager;
  /**
   * Sends a request of the program to the Resource Manager. Gives the tag that its reply has.
   */
  request(id: number, payload: Uint8Array): number;
  /** Has a vIRQ delivered to the program. */
  listen(intid: number): void;
  readonly gunyah: GunyahDriver;
  /** Undefined for a host without /dev/gzvm. */
  readonly gzvm: GzvmDriver | undefined;
}

/** /dev/gzvm. */
interface GzvmOptions {
  /** Firmware that protected VMs boot first. */
  readonly firmware: Uint8Array | undefined;
  /** Why its module made no device; it did by default. */
  readonly probe?: GzvmProbe;
}

/** The parts of a host. */
interface HostOptions {
  /** Generation of /dev/gunyah. */
  readonly device: PersonaName;
  /** RLIMIT_MEMLOCK of processes, bytes. */
  readonly memlock: number;
  /** RAM that is not for processes, bytes from the start. */
  readonly reserved: number;
  /** How many of the primary VM's vCPUs take part. */
  readonly vcpus: number;
  readonly program: HostProgram;
  /** Undefined leaves /dev/gzvm out. */
  readonly gzvm?: GzvmOptions;
  /** VMs that the vendor driver loads by name. */
  readonly signed?: readonly SignedVm[];
  readonly quirks?: DriverQuirks;
}

/** The program, for `NativePrograms.register`. */
export function hostGuest(options: HostOptions): NativeGuestFactory {
  return () => new HostGuest(options);
}

/** Saved state: plain data. */
interface HostState {
  readonly platform: HostPlatform;
  readonly buffer: number;
  readonly features: bigint;
  readonly rm: RmClientState;
  readonly kernel: KernelState;
  readonly gunyah: GunyahState;
  readonly gzvm: GzvmState | undefined;
  readonly program: unknown;
}

interface Running extends HostServices {
  readonly platform: HostPlatform;
  readonly buffer: number;
  /** Feature bits of hypervisor_identify. */
  readonly features: bigint;
  readonly rm: RmClient;
}

/** The drivers' states in a saved host. */
type DriverStates = Pick<HostState, "kernel" | "gunyah" | "gzvm">;

class HostGuest implements NativeGuest {
  readonly #options: HostOptions;
  #running: Running | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  start(vcpu: NativeVcpu, entry: bigint, x0: bigint): void {
    // The others wait for the wakeup vIRQs of the vCPUs that are given to them.
    if (vcpu.index === 0) this.#boot(vcpu, Number(entry), Number(x0));
  }

  virq(vcpu: NativeVcpu, intid: number): void {
    const running = this.#running;
    if (running === undefined) return;
    const { rm, platform, kernel, manager } = running;
    kernel.cpu = vcpu;
    if (intid === platform.rm.rxVirq) this.#receive(vcpu, running);
    else if (intid === platform.rm.txVirq) rm.flush(vcpu);
    else if (intid === CONSOLE_INPUT_INTID) this.#options.program.input();
    else if (!manager.virq(intid)) this.#options.program.virq?.(intid);
    this.#goOn(vcpu, running);
  }

  timer(vcpu: NativeVcpu): void {
    const running = this.#running;
    if (running === undefined) return;
    running.kernel.cpu = vcpu;
    running.manager.timer(vcpu);
    this.#options.program.timer();
    this.#goOn(vcpu, running);
  }

  runReturned(vcpu: NativeVcpu, results: HypercallResults<"vcpu_run">): void {
    const running = this.#running;
    if (running === undefined) return;
    running.kernel.cpu = vcpu;
    running.manager.runReturned(vcpu, results);
    this.#goOn(vcpu, running);
  }

  /** The end of an event: the next vCPU runs, and those that sleep are run again in time. */
  #goOn(vcpu: NativeVcpu, { manager }: Running): void {
    const at = manager.wakeTime(vcpu);
    if (at !== Infinity) vcpu.setTimer(Math.min(at, this.#options.program.wakeAt ?? Infinity));
    manager.run(vcpu);
  }

  save(): HostState | undefined {
    if (this.#running === undefined) return undefined;
    const { platform, buffer, features, rm, kernel, gunyah, gzvm } = this.#running;
    const state = structuredClone(kernel.state);
    // Operations of the trace do not outlive it.
    for (const task of Object.values(state.tasks)) task.trace = undefined;
    const program = this.#options.program.save();
    return {
      platform,
      buffer,
      features,
      rm: rm.save(),
      kernel: state,
      gunyah: structuredClone(gunyah.state),
      gzvm: structuredClone(gzvm?.state),
      program,
    };
  }

  restore(saved: unknown): void {
    // The form is that of `save` for the same options; a file's references may lead nowhere.
    const state = saved as HostState | undefined;
    this.#running = undefined;
    if (state === undefined) return;
    const { platform, buffer, features, ...states } = structuredClone(state);
    const running = this.#running = this.#assemble(platform, buffer, features, states);
    const complete = states.kernel && states.gunyah && (running.gzvm ? states.gzvm : states.gzvm === undefined);
    if (!complete) throw new Error("a host has the states of its devices, and no other");
    running.kernel.checkProcesses();
    running.rm.restore(state.rm);
    this.#options.program.begin(running);
    this.#options.program.restore(state.program);
  }

  #boot(vcpu: NativeVcpu, entry: number, devicetree: number): void {
    const { program, vcpus } = this.#options;
    const read = readPlatform(readAvailable(vcpu, devicetree, DEVICETREE_MAX));
    if (!read.ok) return program.problem(read.problem);
    const { platform } = read;
    const calls = new HypercallCaller();
    calls.vcpu = vcpu;
    const features = calls.hypervisor_identify().api_flags_0;
    const running = this.#running = this.#assemble(platform, entry + PAGE_SIZE, features, undefined);
    running.kernel.cpu = vcpu;
    for (const intid of [platform.rm.rxVirq, platform.rm.txVirq]) vcpu.enableIrq(intid, true);
    for (const mpidr of platform.cpus.slice(1, vcpus)) {
      const [result] = vcpu.smc(PSCI_CPU_ON, BigInt(mpidr), BigInt(entry), 0n);
      if (result !== 0n) program.problem(`CPU_ON of CPU ${mpidr}: ${BigInt.asIntN(64, result)}`);
    }
    running.listen(CONSOLE_INPUT_INTID);
    program.begin(running);
    program.boot();
    // Input that came before the interrupt was enabled.
    program.input();
  }

  #assemble(platform: HostPlatform, buffer: number, features: bigint, states: DriverStates | undefined): Running {
    const { program, reserved, memlock, device, vcpus, quirks } = this.#options;
    const memory = { base: platform.memory.base + reserved, size: platform.memory.size - reserved };
    const rm = new RmClient(platform.rm, buffer, (message) => program.problem(message));
    const options = {
      ...quirks,
      memory,
      memlock,
      finished: (task: number, pid: number, result: number) => program.finished(task, pid, result),
      signalled: (eventfd: number) => {
        manager.eventfdSignalled(eventfd);
        gzvm?.eventfdSignalled(eventfd);
        program.signalled(eventfd);
      },
    };
    const kernel = new HostKernel(states?.kernel ?? newKernelState(options), options);
    const manager: VmManager = new VmManager(kernel, states?.gunyah ?? newGunyahState(), {
      request: (id, payload, tag) => rm.request(kernel.cpu, id, payload, tag),
      enable: (virq, runner) => this.#enable(kernel.cpu, platform, virq, runner),
      trigger: (virq) => {
        const at = platform.gicd + GICD_ISPENDR + 4 * Math.floor(virq / 32);
        if (!kernel.cpu.writeDevice(at, 4, 1n << BigInt(virq % 32))) program.problem(`the interrupt ${virq} cannot be made pending`);
      },
      runners: Math.min(vcpus, platform.cpus.length),
      features,
      changed: (vm) => program.changed(vm),
      mayStart: (vm) => program.mayStart?.(vm) ?? true,
    });
    const gunyah = new GunyahDriver(kernel, manager, device, this.#options.signed ?? [], quirks);
    const withGzvm = this.#options.gzvm;
    const gzvm: GzvmDriver | undefined = withGzvm && withGzvm.probe === undefined
      ? new GzvmDriver(kernel, manager, states?.gzvm ?? newGzvmState(), withGzvm.firmware)
      : undefined;
    if (withGzvm?.probe !== undefined) kernel.registerAbsent("/dev/gzvm", GZVM_ABSENT[withGzvm.probe]);
    const request = (id: number, payload: Uint8Array) => {
      const tag = kernel.state.nextId++;
      rm.request(kernel.cpu, id, payload, tag);
      return tag;
    };
    // Processes live on the last vCPU: the first answers the Resource Manager.
    const listen = (intid: number) => this.#enable(kernel.cpu, platform, intid, Math.min(vcpus, platform.cpus.length) - 1);
    return { platform, buffer, features, rm, kernel, manager, gunyah, gzvm, request, listen };
  }

  #enable(vcpu: NativeVcpu, platform: HostPlatform, virq: number, runner: number): void {
    vcpu.enableIrq(virq, true);
    if (!vcpu.writeDevice(platform.gicd + GICD_IROUTER + 8 * virq, 8, BigInt(platform.cpus[runner]))) {
      this.#options.program.problem(`the interrupt ${virq} cannot be routed to CPU ${runner}`);
    }
  }

  #receive(vcpu: NativeVcpu, { rm, manager, gunyah }: Running): void {
    for (const message of rm.receive(vcpu)) {
      if (message.kind === "notification") manager.notification(message.id, message.payload);
      else if (!manager.reply(message.tag, message.payload) && this.#options.program.reply?.(message.tag, message.payload) !== true) {
        gunyah.reply(message.tag, message.payload);
      }
    }
  }
}

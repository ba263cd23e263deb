// A host that runs the VMs of a plan by the sample VMM, a process each, on its /dev/gunyah: what `[host] device` asks for. Its events are
// those of the native host.

import type { NativeGuestFactory } from "../abi/native-guest.ts";
import type { PersonaName } from "../abi/ioctl/personas.ts";
import type { ConsoleInput } from "./console-input.ts";
import { endedByOwnWill, type HostEvents, type VmExitReason, type VmState } from "./events.ts";
import type { Vm } from "./gunyah/state.ts";
import { hostGuest, type HostProgram, type HostServices } from "./host-guest.ts";
import type { NativeHostPlan, VmPlan } from "./plan.ts";
import { exitReason } from "./vm-manager.ts";
import { GzvmVmm } from "./gzvm-vmm.ts";
import { Vmm } from "./vmm.ts";
import type { VmmEvents, VmmProcess } from "./vmm-process.ts";

const PSCI_SYSTEM_OFF = 0x8400_0008;
/** What of the host's own memory is not for processes: its image and devicetree lie in the first 16 MiB. Bytes. */
const RESERVED = 18 * 2 ** 20;
/** Accesses to no device and other complaints of a VM that are reported; the rest would flood the log. */
const REPORTED = 16;

/** What such a host is made of. */
export interface VmmHostOptions {
  readonly plan: NativeHostPlan;
  readonly device: PersonaName;
  /** RLIMIT_MEMLOCK of the VMMs, bytes. */
  readonly memlock: number;
  /** Offer /dev/gzvm too. */
  readonly gzvm: boolean;
  readonly events: HostEvents;
  readonly input: ConsoleInput;
}

/** The program, for `NativePrograms.register`. */
export function vmmHost(options: VmmHostOptions): NativeGuestFactory {
  const { plan, device, memlock, gzvm } = options;
  return () =>
    hostGuest({
      ...{ device, memlock, reserved: RESERVED, vcpus: plan.vcpus, gzvm: gzvm ? { firmware: undefined } : undefined },
      program: new VmmProgram(options),
    })();
}

/** A VM of the plan. */
interface Entry {
  readonly plan: VmPlan;
  vmm: VmmProcess | undefined;
  /** Id and VMID of the VM in the driver, and how far it has come. */
  engine: number | undefined;
  vmid: number;
  state: VmState;
  exit: VmExitReason | undefined;
  reported: number;
}

/** Saved state: plain data. */
interface ProgramState {
  readonly entries: readonly (Omit<Entry, "plan" | "vmm"> & { readonly vmm: unknown })[];
  readonly finished: boolean;
}

class VmmProgram implements HostProgram {
  readonly #options: VmmHostOptions;
  readonly #entries: Entry[];
  #host: HostServices | undefined;
  #finished = false;

  constructor(options: VmmHostOptions) {
    this.#options = options;
    this.#entries = options.plan.vms.map((plan) => ({ plan, ...newEntry() }));
  }

  begin(host: HostServices): void {
    this.#host = host;
    for (const entry of this.#entries) entry.vmm = this.#newVmm(entry);
  }

  /** The host has booted: all VMs are made, in the order of the plan. */
  boot(): void {
    for (const entry of this.#entries) this.#start(entry);
  }

  finished(task: number, pid: number, result: number): void {
    this.#entries.find(({ vmm }) => vmm?.pid === pid)?.vmm?.finished(task, result);
    this.#armTimer();
  }

  input(): void {
    for (const input of this.#options.input.take()) {
      const entry = this.#entries.find(({ plan }) => plan.name === input.vm);
      if ("stop" in input) this.#stop(entry, input.vm, input.stop.force);
      else if (entry?.vmm?.type(input.bytes) !== true) this.problem(`there is no console ${JSON.stringify(input.vm)} to type into`);
    }
    this.#armTimer();
  }

  timer(): void {
    for (const { vmm } of this.#entries) vmm?.timer();
    this.#armTimer();
  }

  changed(vm: Vm): void {
    const entry = this.#entries.find(({ engine, vmm }) =>
      engine === vm.id || engine === undefined && vmm !== undefined && this.#owns(vmm, vm)
    );
    if (entry === undefined) return;
    entry.engine = vm.id;
    entry.vmid = vm.vmid;
    if (this.#host?.gunyah.state.vms[vm.id] === undefined) return this.#gone(entry);
    if (vm.status === "ready" || vm.status === "running") this.#setState(entry, vm.status);
    if (vm.exit !== undefined && entry.exit === undefined) {
      entry.exit = exitReason(vm.exit.type);
      this.#setState(entry, "exited", entry.exit);
      // RUN tells a VMM of the end; without vCPUs of its own nothing does.
      if (entry.plan.schedule !== "proxy") entry.vmm?.end();
    }
  }

  signalled(): void {}

  problem(message: string): void {
    this.#options.events({ kind: "error", at: this.#now, message });
  }

  save(): ProgramState {
    const entries = this.#entries.map(({ plan: _, vmm, ...entry }) => ({ ...entry, vmm: vmm?.save() }));
    return { entries, finished: this.#finished };
  }

  restore(saved: unknown): void {
    // Only what `save` gave, for the same plan, is ever restored.
    const { entries, finished } = saved as ProgramState;
    this.#finished = finished;
    entries.forEach(({ vmm, ...entry }, index) => {
      Object.assign(this.#entries[index], entry);
      if (vmm !== undefined) this.#entries[index].vmm?.restore(vmm);
    });
  }

  get #now(): number {
    return this.#host?.kernel.cpu.now ?? 0;
  }

  #newVmm(entry: Entry): VmmProcess {
    const { kernel } = this.#host!;
    const events = this.#eventsOf(entry);
    return entry.plan.hypervisor === "geniezone"
      ? new GzvmVmm(kernel, entry.plan, events)
      : new Vmm(kernel, this.#options.device, entry.plan, events);
  }

  #eventsOf(entry: Entry): VmmEvents {
    const { name } = entry.plan;
    return {
      output: (byte) => this.#options.events({ kind: "console", at: this.#now, vm: name, bytes: Uint8Array.of(byte) }),
      problem: (message) => {
        entry.reported++;
        if (entry.reported <= REPORTED) this.#options.events({ kind: "error", at: this.#now, vm: name, message });
      },
    };
  }

  #start(entry: Entry): void {
    entry.vmm = this.#newVmm(entry);
    this.#setState(entry, "creating");
    const refused = unsupported(entry.plan);
    if (refused === undefined) entry.vmm.start();
    else this.#options.events({ kind: "error", at: this.#now, vm: entry.plan.name, message: refused });
    // Nothing waits: a step was refused before there was a VM that could be told of.
    if (refused !== undefined || entry.engine === undefined && !this.#host!.kernel.exists(entry.vmm.pid)) this.#gone(entry);
  }

  /** /dev/gunyah has no way to ask a VM: its owner can only close it. */
  #stop(entry: Entry | undefined, name: string, force: boolean): void {
    if (entry === undefined) return this.problem(`there is no VM ${JSON.stringify(name)} to stop`);
    if (!force) return this.problem(`${name}: /dev/gunyah cannot ask a VM to shut down; stop it by force`);
    entry.vmm?.end();
  }

  #owns(vmm: VmmProcess, vm: Vm): boolean {
    const { kernel } = this.#host!;
    return kernel.exists(vmm.pid) && kernel.spaceOf(vmm.pid).id === vm.space;
  }

  /** Nothing of the VM is left. */
  #gone(entry: Entry): void {
    this.#setState(entry, entry.exit === undefined ? "failed" : "stopped");
    const { exit, plan } = entry;
    Object.assign(entry, { engine: undefined, vmid: 0, reported: 0 });
    if (exit !== undefined && plan.onExit === "restart" && !this.#finished) {
      entry.exit = undefined;
      return this.#start(entry);
    }
    this.#checkFinished(exit !== undefined && plan.onExit === "end-session");
  }

  #checkFinished(end: boolean): void {
    const over = ({ state }: Entry) => state === "stopped" || state === "failed";
    if (this.#finished || !end && !this.#entries.every(over)) return;
    this.#finished = true;
    const crashed = this.#entries.filter(({ state, exit }) => state === "failed" || exit !== undefined && !endedByOwnWill(exit));
    this.#options.events({ kind: "finished", at: this.#now, crashed: crashed.map(({ plan }) => plan.name) });
    this.#host!.kernel.cpu.smc(PSCI_SYSTEM_OFF);
  }

  #setState(entry: Entry, state: VmState, exit?: VmExitReason): void {
    if (entry.state === state && state !== "creating") return;
    entry.state = state;
    this.#options.events({ kind: "state", at: this.#now, vm: entry.plan.name, vmid: entry.vmid, state, ...exit && { exit } });
  }

  #armTimer(): void {
    const times = this.#entries.flatMap(({ vmm }) => vmm?.wakeAt ?? []);
    if (times.length > 0) this.#host!.kernel.cpu.setTimer(Math.min(...times));
  }
}

function newEntry(): Omit<Entry, "plan"> {
  return { vmm: undefined, engine: undefined, vmid: 0, state: "creating", exit: undefined, reported: 0 };
}

/** What of a plan no VMM can do through /dev/gunyah. */
function unsupported({ links, firmware }: VmPlan): string | undefined {
  if (links.length > 0) return "links need VMs that are made together before any starts, which /dev/gunyah cannot; leave [host] device out";
  if (firmware !== undefined) return "protected VMs need a host that gives their firmware away at its start; leave [host] device out";
  return undefined;
}

// Proxy scheduling: the host's own vCPUs take turns in running the vCPUs of its VMs with vcpu_run (spec/hypervisor.md section 5.4).
// A VM's vCPU belongs to one host vCPU, which its wakeup vIRQ is routed to; a host vCPU runs its ready ones round robin.

import { ErrorCode, errorName } from "../abi/errors.ts";
import type { NativeVcpu } from "../abi/native-guest.ts";
import { VcpuRunState } from "../abi/words.ts";

/** Length of a turn (ns): the time slice that the resource manager gives proxy-scheduled vCPUs. */
const TURN = 100_000;

/**
 * What a VM's vCPU does, as its runner knows it:
 * `off` until its first wakeup, `ready` to run, `inside` vcpu_run, `waiting` for its wakeup vIRQ,
 * `halted` until the resource manager says what happened to the VM.
 */
export type RunnerState = "off" | "ready" | "inside" | "waiting" | "halted";

/** A vCPU of a VM: plain data. */
export interface GuestVcpu {
  readonly vm: number;
  readonly index: number;
  /** Capability in the host's cspace, with the rights for vcpu_run. */
  readonly cap: bigint;
  /** INTID of the wakeup vIRQ in the host's VIC. */
  readonly wakeup: number;
  /** Index of the host vCPU that runs it. */
  readonly runner: number;
  state: RunnerState;
  /** A wakeup came while it was inside vcpu_run. */
  wakeupPending: boolean;
  /** resume_data_0 of the next vcpu_run: the result of an emulated load. */
  resume: bigint;
  /** Virtual time (ns) at which its turn ends: until then it goes on after what it left vcpu_run for. */
  turnEnd: number;
}

/** State of a `VcpuRunner`: plain data. */
export interface VcpuRunnerState {
  readonly guests: readonly GuestVcpu[];
  /** Indices of host vCPUs that are inside vcpu_run. */
  readonly inside: readonly number[];
}

/** An access to an address that the hypervisor leaves to the VMM. */
export interface MmioAccess {
  readonly address: number;
  /** Bytes: 1, 2, 4, 8. */
  readonly size: number;
  /** Undefined for a load. Not cut to `size`. */
  readonly value: bigint | undefined;
}

/** What a runner asks of the VMM. */
export interface RunnerEvents {
  /** Emulates an access; the result of a load. */
  mmio(vcpu: NativeVcpu, vm: number, access: MmioAccess): bigint;
  /** vcpu_run was refused in a way that ends this vCPU. */
  refused(vm: number, index: number, message: string): void;
}

/** The vCPUs of all VMs, and which of them each host vCPU runs. */
export class VcpuRunner {
  readonly #events: RunnerEvents;
  /** In the order in which they run: the first ready one of a host vCPU is its next. */
  #guests: GuestVcpu[] = [];
  /** Indices of host vCPUs that are inside vcpu_run, also for a vCPU that was removed meanwhile. */
  #inside = new Set<number>();

  constructor(events: RunnerEvents) {
    this.#events = events;
  }

  /** Takes over a vCPU that is powered off. */
  add(guest: Pick<GuestVcpu, "vm" | "index" | "cap" | "wakeup" | "runner">): void {
    this.#guests.push({ ...guest, state: "off", wakeupPending: false, resume: 0n, turnEnd: 0 });
  }

  /** The VM is gone: its vCPUs are run no more. One that is inside vcpu_run is dropped when it comes back. */
  remove(vm: number): void {
    this.#guests = this.#guests.filter((guest) => guest.vm !== vm);
  }

  /** Whether `intid` is the wakeup vIRQ of a vCPU; if so the vCPU may run again. */
  wake(intid: number): boolean {
    const guest = this.#guests.find(({ wakeup }) => wakeup === intid);
    if (guest === undefined) return false;
    if (guest.state === "inside") guest.wakeupPending = true;
    else if (guest.state !== "halted") guest.state = "ready";
    return true;
  }

  /** Enters the next ready vCPU of `vcpu`, if there is one. The handler of a native guest must return afterwards. */
  run(vcpu: NativeVcpu): void {
    if (this.#inside.has(vcpu.index)) return;
    const position = this.#guests.findIndex(({ runner, state }) => runner === vcpu.index && state === "ready");
    if (position < 0) return;
    const [guest] = this.#guests.splice(position, 1);
    this.#guests.push(guest);
    if (vcpu.now >= guest.turnEnd) guest.turnEnd = vcpu.now + TURN;
    guest.state = "inside";
    guest.wakeupPending = false;
    const resume = guest.resume;
    guest.resume = 0n;
    this.#inside.add(vcpu.index);
    vcpu.vcpuRun(guest.cap, resume, 0n, 0n);
  }

  /** vcpu_run of `vcpu` came back. */
  returned(vcpu: NativeVcpu, error: bigint, state: bigint, data0: bigint, data1: bigint, data2: bigint): void {
    this.#inside.delete(vcpu.index);
    const guest = this.#guests.find(({ runner, state }) => runner === vcpu.index && state === "inside");
    // Its VM was removed meanwhile.
    if (guest === undefined) return;
    const code = Number(BigInt.asIntN(32, error));
    if (code === ErrorCode.OK) guest.state = this.#next(vcpu, guest, Number(state), data0, data1, data2);
    else if (code === ErrorCode.RETRY) guest.state = "ready";
    // The resource manager runs a vCPU that it stops.
    else if (code === ErrorCode.BUSY) guest.state = "halted";
    else {
      guest.state = "halted";
      this.#events.refused(guest.vm, guest.index, `vcpu_run: ${errorName(error)}`);
    }
    if (guest.state === "ready" && vcpu.now < guest.turnEnd) this.#goOn(guest);
  }

  /** The state, as plain data. */
  save(): VcpuRunnerState {
    return { guests: this.#guests.map((guest) => ({ ...guest })), inside: [...this.#inside] };
  }

  /** Puts a saved state back. */
  restore({ guests, inside }: VcpuRunnerState): void {
    this.#guests = guests.map((guest) => ({ ...guest }));
    this.#inside = new Set(inside);
  }

  /** An exit to the VMM, or an interrupt of the host, does not cost a vCPU the rest of its turn. */
  #goOn(guest: GuestVcpu): void {
    const position = this.#guests.indexOf(guest);
    // The exit may have ended its VM.
    if (position < 0) return;
    this.#guests.splice(position, 1);
    this.#guests.unshift(guest);
  }

  #next(vcpu: NativeVcpu, guest: GuestVcpu, state: number, data0: bigint, data1: bigint, data2: bigint): RunnerState {
    switch (state) {
      case VcpuRunState.Ready:
      case VcpuRunState.Blocked:
        return "ready";
      case VcpuRunState.ExpectsWakeup:
        return guest.wakeupPending ? "ready" : "waiting";
      case VcpuRunState.PoweredOff:
        // Bit 0: for good.
        return (data0 & 1n) !== 0n ? "halted" : guest.wakeupPending ? "ready" : "off";
      case VcpuRunState.AddrspaceVmmioRead:
        guest.resume = this.#events.mmio(vcpu, guest.vm, { address: Number(data0), size: Number(data1), value: undefined });
        return "ready";
      case VcpuRunState.AddrspaceVmmioWrite:
        this.#events.mmio(vcpu, guest.vm, { address: Number(data0), size: Number(data1), value: data2 });
        return "ready";
      case VcpuRunState.Fault:
      case VcpuRunState.PsciSystemReset:
        return "halted";
      default:
        this.#events.refused(guest.vm, guest.index, `vcpu_run returned unknown state ${state}`);
        return "halted";
    }
  }
}

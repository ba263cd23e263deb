// Requirements of vCPUs on the hypervisor: services of the layers below, and functions that layers
// above register.

import type { CallRegisters } from "../../abi/call-registers.ts";
import type { StopReason } from "../../hardware/machine.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import type { CspaceServices } from "../capabilities/cspace.ts";
import type { DEFERRED, Results } from "../capabilities/hypercall-definition.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import type { HwirqServices } from "../gic/hwirq.ts";
import type { SemihostedVm } from "../services/semihosted-vm.ts";
import type { MadeCalls } from "../services/object-changes.ts";
import type { VirtioServices } from "../virtio/virtio-mmio.ts";

type Vcpu = ObjectOf<"thread">;

/**
 * How a hypercall came in: `HVC #(0x6000 + n)`, which a native guest's calls count as; the SMCCC
 * wrapper of `HVC #0` and `SMC #0`; or as a call of GenieZone's.
 */
export type Entrance = "native" | "smccc" | "geniezone";

/** Results of a call as register values. */
export interface EncodedResults {
  /** X0..X7, unsigned 64 bits. */
  readonly values: readonly bigint[];
  /** How many of them the call defines: the SMCCC entrance writes no others. */
  readonly count: number;
}

/** Results of vcpu_run when it returns OK. */
export type RunState = Results<"vcpu_run">;

/** Counts exits that repeat. */
export interface RepeatCounter {
  /** The exit of `vcpu` that was handled last had the same answer `count` more times. */
  repeated(vcpu: Vcpu, count: number): void;
}

/** The hypercalls that vCPUs can make. */
export interface VcpuHypercalls {
  /** End of the numbers: larger ones are not hypercalls. */
  readonly end: number;
  /** The calls that were made; GenieZone's are added here, too. */
  readonly made: Pick<MadeCalls, "addOther">;
  /** Whether this number is assigned. */
  has(number: number): boolean;
  /** Makes a native call with the caller's registers; false when the number is not assigned. */
  call(caller: Vcpu, number: number): boolean;
  /**
   * Makes a call of the SMCCC wrapper: `DEFERRED` when the caller does not continue now, undefined
   * when the number is not assigned.
   */
  dispatch(caller: Vcpu, number: number, args: readonly bigint[]): EncodedResults | typeof DEFERRED | undefined;
  /**
   * Makes a call of a native guest, with its arguments in `registers`, and puts its results there:
   * `DEFERRED` when the caller does not continue now, false when the number is not assigned;
   * nothing is written then.
   */
  callWith(caller: Vcpu, number: number, registers: CallRegisters): boolean | typeof DEFERRED;
  /** vcpu_run of `target` returns to its caller. */
  completeRun(state: RunState, caller: Vcpu, target: Vcpu): void;
}

/** GenieZone's EL2, where the primary VM has it. */
export interface VcpuGeniezone {
  /** Whether a function id is a call of GenieZone's that this vCPU can make. */
  serves(caller: Vcpu, id: number): boolean;
  /**
   * Makes the call of a function id with X0.. of its caller. Gives X0.. after it; `DEFERRED` when
   * the caller does not continue now, undefined for a call that is not GenieZone's.
   */
  call(caller: Vcpu, id: number, x: readonly bigint[]): readonly bigint[] | typeof DEFERRED | undefined;
  /** A call of a GenieZone guest that its driver answers, as `call`. */
  leaveCall(vcpu: Vcpu, id: number, x: readonly bigint[]): readonly bigint[] | typeof DEFERRED | undefined;
  /** RUN of `target` returns to its caller. */
  completeRun(state: RunState, caller: Vcpu, target: Vcpu): void;
}

/** The scheduler as vCPUs and their hypercalls use it. */
export interface VcpuScheduler {
  /** Whether there is a physical CPU of this index. */
  hasCpu(index: number): boolean;
  /** Whether a vCPU of the primary VM has a CPU. */
  hasPrimary(index: number): boolean;
  add(vcpu: Vcpu): void;
  remove(vcpu: Vcpu): void;
  /** Reports a change that may affect the choice of the next vCPU. */
  disturb(): void;
  /**
   * The exit in progress has changed nothing but registers of its vCPU, and did not depend on the
   * time: the same exit at once again has the same answer.
   * @param counter counts the exits for which that was so
   */
  exitRepeats(counter?: RepeatCounter): void;
  /** A reason to be blocked is gone. */
  ready(vcpu: Vcpu): void;
  requeue(vcpu: Vcpu, change: () => void): void;
  deadlineChanged(vcpu: Vcpu): void;
  migrate(vcpu: Vcpu, affinity: number): void;
  lend(caller: Vcpu, target: Vcpu): void;
  yield(caller: Vcpu): void;
  yieldToThread(caller: Vcpu, target: Vcpu): void;
  leavePlace(vcpu: Vcpu): void;
  endTurn(): void;
}

/** A native program on one vCPU, which the scheduler runs instead of instructions. */
export interface VcpuProgram {
  /** Whether the vCPU is inside vcpu_run: no work is handled before that returns. */
  readonly insideRun: boolean;
  /** Whether there is anything to handle now. */
  hasWork(): boolean;
  /** Handles one event. Gives the virtual time (ns) that it took. */
  step(): number;
  /** The arguments of vcpu_run, then its results. */
  readonly runRegisters: CallRegisters;
  /** vcpu_run returns with the results that are in `runRegisters`. */
  completeRun(): void;
  archive(archive: ObjectArchive): void;
}

/** Where native programs are. */
export interface VcpuPrograms {
  /** The program of a vCPU that is powered on at `entry` (an IPA), where one is registered. */
  enter(vcpu: Vcpu, entry: bigint, x0: bigint): VcpuProgram | undefined;
  /** The program of a vCPU that is being loaded. */
  loaded(archive: ObjectArchive, vcpu: Vcpu): VcpuProgram;
}

/** How a vCPU stopped for good; `bug`: by an exception in el2 itself. */
export type VcpuEnd = "bug" | "fault" | "watchdog" | "system-off" | "system-reset" | "killed";

/** Requirements of vCPUs on the hypervisor. */
export interface VcpuServices extends CspaceServices, HwirqServices, VirtioServices {
  /** Virtual time in ns. */
  readonly now: number;
  readonly scheduler: VcpuScheduler;
  readonly hypercalls: VcpuHypercalls;
  /** GenieZone's EL2, if the primary VM has it beside Gunyah. */
  readonly geniezone: VcpuGeniezone | undefined;
  readonly natives: VcpuPrograms;
  /** Called for accesses to a physical address where no device answers, for logs. */
  readonly onUnmappedDevice: ((vcpu: Vcpu, pa: number) => void) | undefined;
  /** Called for accesses to an IPA that stage 2 does not allow and nothing emulates, for logs. */
  readonly onUnmappedMemory: ((vcpu: Vcpu, ipa: number) => void) | undefined;
  /** Called when a vCPU stops for good, while it still has its registers. */
  readonly onVcpuEnd: ((vcpu: Vcpu, how: VcpuEnd) => void) | undefined;
  /** The debugger of a vCPU's VM, if its semihosting calls are served; undefined if no VM's are. */
  readonly semihosted: ((vcpu: Vcpu) => SemihostedVm | undefined) | undefined;
  /** Turning off a watchdog that is off is an error. */
  readonly refusesIdleWatchdog: boolean;
  /** Whether calls and options of the newer drop are available. */
  readonly hasNewerAbi: boolean;
  /** A vCPU did what no rule covers. */
  uncovered(vcpu: Vcpu, what: string): void;
  /** The machine stops with this message. */
  stop(message: string): void;
  /** The machine stops for this reason. */
  end(reason: StopReason): void;
}

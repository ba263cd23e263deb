// Native guests: programs in TypeScript that are the code of a vCPU of a real VM
// (docs/architecture/hypervisor.md, "Native guests"). They are event handlers with plain state, and
// all they can do is what this file offers: hypercalls, their own guest memory, their virtual timer
// and interrupts. Names and numbers of the calls are in `hypercalls.ts`.

import type { CallRegisters } from "./call-registers.ts";
import type { FaultPort } from "./faults.ts";
import type { HypercallArguments, HypercallResults } from "./hypercalls.ts";
import type { TracePort } from "./trace.ts";

/** Results X0..X7 of a hypercall. The array is reused by the next call. */
export type HypercallResult = readonly bigint[];

/** Operations of a vCPU on the hypervisor. */
export interface NativeVcpu {
  /** Index of this vCPU in its VM (VIC index). */
  readonly index: number;
  /** Virtual time in ns (what CNTVCT_EL0 shows, times 16). */
  readonly now: number;
  /** Where the program says what it does, for display. */
  readonly trace: TracePort;
  readonly faults: FaultPort;
  /**
   * HVC #(0x6000 + number): its arguments are in `registers`, where its results are afterwards.
   * Answers at once, through the same table as any caller. `HypercallCaller` makes calls by name.
   */
  call(number: number, registers: CallRegisters): void;
  /** The same with listed values for X0..X7; absent ones are zero. */
  hvc(number: number, ...args: bigint[]): HypercallResult;
  /**
   * SMC #0 with W0 = `functionId` and X1..X7: PSCI and the other services of SMCCC. CPU_ON's entry
   * is an IPA, as for any caller.
   */
  smc(functionId: number, ...args: bigint[]): HypercallResult;
  /**
   * vcpu_run (0x6065), the one call that takes time: afterwards the handler returns, and the next
   * event is `runReturned`. Throws if this vCPU is inside vcpu_run already.
   */
  vcpuRun(args: HypercallArguments<"vcpu_run">): void;
  /**
   * Bytes of the VM's own address space, through stage 2 with read rights; undefined if a page
   * is not readable RAM.
   */
  read(ipa: number, length: number): Uint8Array | undefined;
  /**
   * The same into existing bytes. False if a page is not readable RAM; bytes before it may be
   * filled then.
   */
  readInto(ipa: number, into: Uint8Array): boolean;
  /** False, and nothing is written, where a page is not writable RAM. */
  write(ipa: number, bytes: Uint8Array): boolean;
  /**
   * A load or store of 1, 2, 4 or 8 bytes to a device of the VM (GIC frames, UART); undefined is an
   * external abort.
   */
  readDevice(ipa: number, size: number): bigint | undefined;
  writeDevice(ipa: number, size: number, value: bigint): boolean;
  /**
   * Enables an interrupt of this VM's VIC, sets priority 0xa0, group 1, edge or level, routed to
   * this vCPU (GICD and GICR accesses).
   */
  enableIrq(intid: number, edge: boolean): void;
  /**
   * Arms the virtual timer: `timer` is called at that virtual time (ns) or soon after; undefined
   * disarms it.
   */
  setTimer(at: number | undefined): void;
}

/**
 * Thrown by a native program that cannot continue: its machine stops, with this message. Other
 * exceptions are bugs of el2.
 */
export class NativePanic extends Error {}

/**
 * A native program. One instance serves all vCPUs of its VM. Handlers run to the end; each costs a
 * declared virtual time.
 */
export interface NativeGuest {
  /** Power-on of a vCPU: PC and X0 as vcpu_poweron or CPU_ON gave them. */
  start(vcpu: NativeVcpu, entry: bigint, x0: bigint): void;
  /** A vIRQ was acknowledged (IAR); EOI follows when the handler returns. */
  virq(vcpu: NativeVcpu, intid: number): void;
  /** The virtual timer fired. */
  timer(vcpu: NativeVcpu): void;
  /**
   * vcpu_run came back; its results, section 5.4, are valid in the handler only. Interrupts that
   * are pending then are handled first.
   */
  runReturned(vcpu: NativeVcpu, results: HypercallResults<"vcpu_run">): void;
  /** Plain data for snapshots and state hashes, in declared order. */
  save(): unknown;
  restore(state: unknown): void;
}

/**
 * Makes the program of a VM; called when the first vCPU that enters at the program's address is
 * powered on.
 */
export type NativeGuestFactory = () => NativeGuest;

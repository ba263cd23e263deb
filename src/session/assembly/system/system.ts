// The services of an assembled machine to a session, one interface each: running, showing,
// debugging and saving it.

import type { WaitingVcpu } from "../../../machine/abi/trace.ts";
import type { CoreCode, DebugCore } from "../../../cpu/core/interface.ts";
import type { ObjectChanges } from "../../../machine/hypervisor/inspect.ts";
import type { DebugControl } from "../../../machine/hypervisor/interface.ts";
import type { FieldListener } from "../../../machine/hardware/archive.ts";
import type { EventLog, EventMemory } from "../../inspection/trace/event-log.ts";
import type { TraceMemory, UsesMemory } from "../../../machine/hypervisor/boot.ts";
import type { EndsMemory, VmListener } from "../vms/vm-ends.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import type { KernelEvents } from "../../inspection/kernels/kernel-events.ts";
import type { Inspector } from "../../inspection/inspector.ts";
import type { MemoryUse } from "../../../model/queries/memory-use.ts";
import type { EndedRows } from "../../inspection/readers/inspected.ts";
import type { RunPlace } from "../../inspection/readers/run-place.ts";
import type { TraceBuffer } from "../../inspection/trace/trace-buffer.ts";
import type { WrittenDisk } from "../../outside/written-disk.ts";
import type { Outside } from "../../outside/outside.ts";
import type { StopRules } from "../../inspection/rules/stop-rules.ts";
import type { VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import type { Query } from "../../../model/queries/query.ts";
import type { PageMap } from "../../state/page-map.ts";
import type { EarlierPages, LeftPages } from "../../state/pages.ts";
import type { SystemState } from "../../state/system-state.ts";
import type { MachineEvent, SessionEnd, VmSample } from "../../../model/protocol/protocol.ts";
import type { DebuggedVms } from "../../../model/queries/debugged-vms.ts";
import type { Problem } from "../../../kit/support/problem.ts";

/** An exception in el2 itself that has ended a part of the machine, or the answer to a question. */
export interface ContainedBug {
  /** The part: `dev:host/blk0`, `vcpu:ping/0`; the table that was asked for. */
  readonly where: string;
  readonly error: unknown;
  /** The question. The machine is as it was before. */
  readonly query?: Query;
}

/** A machine that runs. */
export interface RunningSystem {
  readonly machine: Machine;
  /** Instructions that guests have retired, all vCPUs together. */
  instructions(): number;
  /**
   * Suspends the machine, in the middle of a turn, when this many instructions have retired;
   * Infinity: never.
   */
  stopAt(instructions: number): void;
  /** How the session has ended by its guests' doing, once it has. */
  ended(): SessionEnd | undefined;
  /** A line for each VM that has failed and does not run again, and for each bug of el2. */
  broken(): string[];
  /**
   * Whether a console shows the words of a panic, which any program can print, and the end of the
   * report on it, or has shown the words at some looks.
   */
  showsPanic(): boolean;
  /** Whether a VM that runs has shown nothing on its console since the last call. */
  isSomeSilent(): boolean;
  /** Whether the kernel of a VM that runs has panicked, whether its console shows that or not. */
  hasPanicked(): boolean;
  /** How often VMs have got another state: without a change, none has crashed since. */
  vmChanges(): number;
  /** A line for each VM that has crashed and does not run again; with `panics`, also for panics. */
  crashed(panics: boolean): string[];
  /** The contained bugs since the last call. */
  takeBugs(): readonly ContainedBug[];
  /** The wait of each vCPU. */
  waits(): readonly WaitingVcpu[];
}

/** Consoles in both directions. */
interface ConsoleAccess {
  /** Enters typed bytes. False if the console does not exist. */
  type(console: string, bytes: Uint8Array): boolean;
  /** Why a console takes no input now; undefined if it does. */
  closed(console: string): Problem | undefined;
  /** Bytes of output that `drain` would give. */
  readonly waiting: number;
  /** Output since the last call, in order. */
  drain(): { console: string; bytes: Uint8Array }[];
  /** The end of what each shows. */
  save(): readonly { readonly console: string; readonly bytes: Uint8Array }[];
}

/** Events since they were last taken, and how many were lost: the ring is bounded. */
export interface TakenEvents {
  readonly events: MachineEvent[];
  readonly dropped: number;
}

/** Events for the client. */
interface EventAccess {
  drain(): TakenEvents;
  /** Reports a problem of the session itself: an event of kind `log`. */
  sessionProblem(message: string): void;
}

/** The debugger of a machine. */
export interface DebuggerAccess {
  /** The stops of the VM that a debugger has. */
  readonly control: DebugControl | undefined;
  /** The VMs that a debugger has. */
  readonly vms: DebuggedVms | undefined;
  /** Gives VMs to a debugger while the machine runs. Says why not. */
  attach(vms: DebuggedVms): string | undefined;
  /** The debugger is gone: its breakpoints no longer stop the VM. */
  release(): void;
  /**
   * Gives VMs to a debugger, before the machine runs; with `fromStart` it stops before their first
   * instruction.
   */
  give(vms: DebuggedVms, fromStart: boolean): DebugControl;
}

/** The ends of VMs, for whoever keeps what their owners take away. */
export interface MortalVms {
  /**
   * Adds a listener. It is called when a VM begins another life, and when the first of its vCPUs
   * stops for good, whose registers and memory are there until the machine runs on. One that
   * restarts ends unseen.
   */
  onChange(listener: VmListener): void;
}

/** Samples of VMs. */
export interface VmSampler {
  /** The VMs now. `elapsed` is the virtual time (ns) since the last call, for loads. */
  sample(elapsed: number): VmSample[];
}

/** Digests of the state, hexadecimal. */
export interface StateHashes {
  /** Of all vCPU registers, in order. */
  registers(): string;
  /** Of all RAM by content. */
  memory(): string;
}

/** A machine that can be saved. */
export interface SavableSystem {
  /** Bytes of changes of disks over their bases, which are in every state. */
  readonly overlaid: number;
  /** All that guests draw from now on follows from another seed. */
  reseed(seed: number): void;
  /**
   * The whole state, for a file. The machine may be in the middle of a turn.
   * @throws UnsavableError that names the part that cannot be saved.
   */
  save(): SystemState;
  /**
   * The same for machines of this thread: it shares pages of RAM with an earlier one, and may refer
   * to what this thread keeps.
   * @throws UnsavableError as `save`
   */
  keep(before?: EarlierPages): SystemState;
  /**
   * Restores a state. The system was assembled for that, and is unusable if this fails.
   * @param trusted the state was saved by this process and need not be checked
   * @param loaded is called for each field of the state
   * @throws ArchiveError that names the field and its defect.
   */
  load(state: SystemState, trusted: boolean, loaded?: FieldListener): void;
  /**
   * Its memory for another machine of the same plan; this one is unusable afterwards. Undefined if
   * it cannot be used again.
   * @param pages the RAM that it had at the last `forgetWritten` of its core
   */
  leave(pages: PageMap): LeftMemory | undefined;
}

/** The memory that a machine has left, with its code; the content of RAM in it. */
export interface LeftMemory {
  readonly code: CoreCode;
  readonly content: LeftPages;
}

/**
 * The observations of a run at one place of it, apart from the machine's state: events, reasons,
 * how VMs ended.
 */
export interface RunMemory {
  readonly trace: TraceMemory;
  readonly events: EventMemory;
  readonly ends: EndsMemory;
  /** `RunPoint.steps`. */
  readonly steps: number;
  readonly uses: UsesMemory;
}

/** A machine that knows what led to where it is. */
export interface RememberingSystem {
  /** The observations up to now, for another machine of this process at this place of the run. */
  remember(): RunMemory;
  /** Takes up what was known at the place where the machine is. */
  recall(memory: RunMemory): void;
  /**
   * The machine has run again: of what was recorded when `first` ran the same way, it has the same.
   * @param began what was known where the way began; undefined: nothing
   */
  follow(first: RememberingSystem, began: RunMemory | undefined): void;
  /** The events that are kept. */
  readonly log: EventLog;
}

/** Knowledge of a session about its machine's run. */
export interface RunKnowledge {
  /** Places of the run, but for the present one. */
  readonly places?: () => readonly RunPlace[];
  /** Memory of the session's parts. */
  readonly memory?: () => readonly MemoryUse[];
  /** Rows of VMs that have ended, which the session keeps. */
  readonly endedRows?: () => EndedRows;
}

/** The parts of a system that clients inspect, and those that they set up for that. */
export interface VisibleSystem {
  /** Answers questions about it. */
  readonly inspector: Inspector;
  /** The events that `el2 trace` takes away. */
  readonly traceBuffer: TraceBuffer;
  /** The conditions at which the machine stops. */
  readonly stops: StopRules;
  /** Adds knowledge of the run for the answers below. */
  inform(knowledge: RunKnowledge): void;
  /** Places of the run, the present one last. */
  places(): readonly RunPlace[];
  /** Memory of the machine's own parts, and of the session's. */
  memory(): readonly MemoryUse[];
  /** Names of the guests' addresses. */
  readonly symbols: VmSymbols;
  /** Events inside the kernels of VMs. */
  readonly kernelEvents: Pick<KernelEvents, "wanted" | "follow" | "hearLoads">;
  /** Whether a vCPU of this VM can still run. */
  isAlive(vm: string): boolean;
  /** Rows of what the machine no longer has, as its VMs ended. */
  endedRows(): EndedRows;
}

/** A machine with everything on it, ready to run. */
export interface System extends RunningSystem, SavableSystem, RememberingSystem, VisibleSystem {
  /** The core that executes the guests' instructions. */
  readonly core: DebugCore;
  /** Disks that guests write through to files, of a machine of the present. */
  readonly disks: readonly WrittenDisk[];
  /** Events since `forgetChanges` by which objects of the hypervisor may have changed. */
  changes(): ObjectChanges;
  forgetChanges(): void;
  /** The door for what comes from sockets and timers. */
  readonly outside: Outside;
  readonly consoles: ConsoleAccess;
  readonly events: EventAccess;
  readonly debugger: DebuggerAccess;
  readonly ends: MortalVms;
  readonly samples: VmSampler;
  readonly hashes: StateHashes;
}

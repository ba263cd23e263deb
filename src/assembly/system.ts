// What the engine needs of an assembled system: the machine, its consoles, its picture and its
// hashes.

import type { DebugCore } from "../core/interface.ts";
import type { DebugControl } from "../hypervisor/debug/debug-control.ts";
import type { FieldListener } from "../machine/archive.ts";
import type { Machine } from "../machine/machine.ts";
import type { Inspector } from "../inspection/inspector.ts";
import type { RunPlace } from "../inspection/run-place.ts";
import type { TraceRecorder } from "../inspection/trace-recorder.ts";
import type { Outside } from "../outside/outside.ts";
import type { StopRules } from "../inspection/stop-rules.ts";
import type { VmSymbols } from "../symbols/vm-symbols.ts";
import type { SystemState } from "../state/system-state.ts";
import type { MachineEvent, SessionEnd, VmSample } from "../protocol/protocol.ts";

/** A machine with everything on it, ready to run. */
export interface System {
  /** What executes the guests' instructions. */
  readonly core: DebugCore;
  readonly machine: Machine;
  /** The door for what comes from sockets and timers. */
  readonly outside: Outside;
  /** The stops of the VM that a debugger has. */
  readonly debug: DebugControl | undefined;
  /** Gives a VM to a debugger while the machine runs. Says why not. */
  attachDebugger(vm: string): string | undefined;
  /** The debugger is gone: nothing of it stops the VM. */
  releaseDebugger(): void;
  /**
   * Gives a VM to a debugger, before the machine runs; with `fromStart` it stops before its first
   * instruction.
   */
  debugVm(vm: string, fromStart: boolean): DebugControl;
  /** The VM that a debugger has. */
  readonly debuggedVm: string | undefined;
  /** Answers questions about it. */
  readonly inspector: Inspector;
  /** What is recorded to be taken away. */
  readonly recorder: TraceRecorder;
  /** What the machine stops for, for people to look. */
  readonly stops: StopRules;
  /** Places of the run, which the session knows. */
  places: () => readonly RunPlace[];
  /** Names of the guests' addresses. */
  readonly symbols: VmSymbols;
  /** Instructions that guests have retired, all vCPUs together. */
  instructions(): number;
  /**
   * The machine is suspended, in the middle of a turn, when so many instructions are retired;
   * Infinity: it is not.
   */
  stopAt(instructions: number): void;
  /** Bytes typed into a console. False where there is no such console. */
  input(console: string, bytes: Uint8Array): boolean;
  /** Console output since the last call, in order. */
  takeOutput(): { console: string; bytes: Uint8Array }[];
  /** Events since the last call; the ring is bounded. */
  takeEvents(): { events: MachineEvent[]; dropped: number };
  /** The VMs now. `elapsed` is the virtual time (ns) since the last call, for loads. */
  sample(elapsed: number): VmSample[];
  /**
   * The whole state, for `load`; it shares pages of RAM with an earlier one. The machine may be in
   * the middle of a turn.
   * @throws UnsavableError that names what has no place in it.
   */
  save(before?: SystemState): SystemState;
  /**
   * Takes up a state. The system was assembled for that, and is of no use where it fails.
   * @param trusted it was saved by this process: it need not be looked through
   * @param loaded is told of each field of the state
   * @throws ArchiveError that names what is wrong with it.
   */
  load(state: SystemState, trusted: boolean, loaded?: FieldListener): void;
  /** Something about the session itself that people should know: an event of kind `log`. */
  sessionProblem(message: string): void;
  /** How the session has ended by its guests' doing, once it has. */
  ended(): SessionEnd | undefined;
  /** Digest of all vCPU registers, in order. */
  hashRegisters(): string;
  /** Digest of all RAM by content. */
  hashMemory(): string;
  /** What every vCPU waits for. */
  describeWaits(): string[];
}

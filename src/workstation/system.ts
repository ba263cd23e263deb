// What the engine needs of an assembled system: the machine, its consoles, its picture and its hashes.

import type { DebugControl } from "../hypervisor/debug-control.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachineEvent, SessionEnd, VmSample } from "./protocol.ts";

/** A machine with everything on it, ready to run. */
export interface System {
  readonly machine: Machine;
  /** The stops of the VM that the plan gives to a debugger. */
  readonly debug: DebugControl | undefined;
  /** Instructions that guests have retired, all vCPUs together. */
  instructions(): number;
  /** Bytes typed into a console. False where there is no such console. */
  input(console: string, bytes: Uint8Array): boolean;
  /** Console output since the last call, in order. */
  takeOutput(): { console: string; bytes: Uint8Array }[];
  /** Events since the last call; the ring is bounded. */
  takeEvents(): { events: MachineEvent[]; dropped: number };
  /** The VMs now. `elapsed` is the virtual time (ns) since the last call, for loads. */
  sample(elapsed: number): VmSample[];
  /** How the session has ended by its guests' doing, once it has. */
  ended(): SessionEnd | undefined;
  /** Digest of all vCPU registers, in order. */
  hashRegisters(): string;
  /** Digest of all RAM by content. */
  hashMemory(): string;
  /** What every vCPU waits for. */
  describeWaits(): string[];
}

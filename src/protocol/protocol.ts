// The control protocol between a session's machine (in a worker) and people: CLI, TUI, tests. Plain
// data both ways. Input enters the machine only as a `Request`; whatever leaves it is a
// `SessionEvent`.

import type { WatchHit } from "../core/debug/watchpoints.ts";
import type { DebugAccess, DebugAnswer } from "../hypervisor/debug/debug-access.ts";
import type { StepRange } from "../hypervisor/debug/debug-control.ts";
import type { TraceKind } from "../abi/trace.ts";
import type { Action } from "../queries/action.ts";
import type { Answer, Query, Repeat } from "../queries/query.ts";
import type { StopChange } from "../queries/stop-rule.ts";
import type { SessionPlan } from "../plans/plan.ts";

export type { DebugAccess, DebugAnswer };

/** What a client asks of the machine. */
export type Request =
  /**
   * Builds the machine of a plan and runs it. The first request. Large files of the plan go over to
   * the machine: the sender has them no more.
   */
  | { kind: "start"; plan: SessionPlan }
  /**
   * Before `start`: its machine will have so much memory. What follows from that alone is made
   * meanwhile.
   */
  | { kind: "prepare"; memory: number }
  /** Bytes typed into a guest's console. */
  | { kind: "input"; console: string; bytes: Uint8Array }
  /**
   * The client has dealt with this many bytes of console output: the machine waits when too many
   * are under way.
   */
  | { kind: "taken"; bytes: number }
  /** No input will come any more: when all guests wait for nothing else, the run is over. */
  | { kind: "input-ended" }
  | { kind: "pause" }
  | { kind: "resume" }
  /**
   * Shows another place of the run; the machine is paused. One `moved` with the same number
   * follows.
   */
  | { kind: "move"; id: number; to: Move }
  /**
   * Writes a snapshot of what is shown; `snapshotted` events with the same number follow, the last
   * of which is `whole` or has an error.
   */
  | {
    kind: "snapshot";
    id: number;
    path: string;
    title: string;
    /**
     * The file is for somebody who takes it away at once: it is no place of the run, and no `saved`
     * follows.
     */
    passing?: true;
  }
  /**
   * Writes a recording of the run until now, which goes on; one `acted` with the same number
   * follows.
   */
  | { kind: "save-recording"; id: number; path: string }
  /** Stops in order; `ended` follows. */
  | { kind: "stop" }
  /**
   * A question about the machine; one `answer` with the same number follows, and as many more as
   * `repeat` says. Changes nothing.
   */
  | { kind: "query"; id: number; query: Query; repeat?: Repeat }
  /** A question that repeats is answered no more. */
  | { kind: "forget"; id: number }
  /**
   * Events of these kinds are recorded from now on, beside those that always are; of busy ones at
   * most `budget` between two samples.
   */
  | { kind: "watch"; kinds: readonly TraceKind[]; budget?: number }
  /**
   * Records events of these kinds from now on, to be taken away (`trace.events`); of none: no more.
   * Changes nothing in the machine.
   */
  | { kind: "trace"; kinds: readonly TraceKind[] }
  /**
   * Takes the symbols of an ELF file for a VM; changes nothing in the machine. One `acted` with the
   * same number follows.
   */
  | { kind: "symbols"; id: number; vm: string; file: Uint8Array }
  /**
   * Takes a rule by which the machine stops, or lets one go; changes nothing in the machine. One
   * `acted` with the same number follows.
   */
  | { kind: "stop-rule"; id: number; change: StopChange }
  /** Does something to the machine; one `acted` with the same number follows. */
  | { kind: "act"; id: number; action: Action }
  /**
   * Gives a VM, or with `EVERY_VM` all, to the debugger that asks; one `debug-attached` follows.
   * Nothing stops yet.
   */
  | { kind: "debug-attach"; vm: string }
  /** A debugger's question about its VM, which is stopped; one `debug-answer` follows each. */
  | { kind: "debug"; access: SessionDebugAccess }
  /** The machine stops for the debugger; `debug-stopped` follows, unless it did already. */
  | { kind: "debug-stop" }
  /**
   * It goes on; where `step` names a vCPU, until that has executed one instruction, and its PC is
   * not in `range`.
   */
  | { kind: "debug-continue"; step: number | undefined; range?: StepRange }
  /**
   * Goes back to the stop before, or where `step` names a vCPU, to before its last instruction;
   * `debug-stopped` follows.
   */
  | { kind: "debug-back"; step: number | undefined }
  /** Breakpoints go, and it goes on. */
  | { kind: "debug-detach" }
  /** The same, and the debugger is gone: the VM is nobody's. */
  | { kind: "debug-release" };

/**
 * What a debugger asks of a session: of its VM, or to stop at events that a filter lets through; at
 * none without one.
 */
export type SessionDebugAccess = DebugAccess | { readonly kind: "stop-at-events"; readonly filter: string | undefined };

/** Where in its run a session goes. */
export type Move =
  /** So many instructions on, or back. */
  | { readonly kind: "step"; readonly by: number }
  /** Where so many instructions had been retired. */
  | { readonly kind: "instructions"; readonly count: number }
  /** Back to the last event that a filter lets through. */
  | { readonly kind: "event"; readonly filter: string }
  /**
   * On to the next event that a filter lets through: in the past at most to now; from there the
   * machine goes on until it happens.
   */
  | { readonly kind: "next-event"; readonly filter: string }
  /** Back to where an instruction was about to be executed: `VM:SYMBOL` or `VM:ADDRESS`. */
  | { readonly kind: "place"; readonly at: string }
  /** Nowhere else: the way that is under way ends. */
  | { readonly kind: "here" }
  /** To where the machine really is. */
  | { readonly kind: "now" };

/** The requests of a debugger. */
export type DebugRequest = Extract<Request, { kind: `debug${string}` }>;

/**
 * Why the machine stopped for a debugger: the causes of `hypervisor/debug/debug-control.ts`, or the
 * debugger asked, or it went back to before the first instruction, or from the past on to where the
 * machine really is.
 */
export interface DebugStopped {
  readonly cause: "start" | "breakpoint" | "watchpoint" | "step" | "event" | "asked" | "history-start" | "history-end";
  /** Something that the person should know. */
  readonly note?: string;
  /** Number of the vCPU that it is about: its index in the debugged VM. */
  readonly vcpu: number;
  /** Its PC. */
  readonly pc: bigint;
  /** What a watchpoint stopped. */
  readonly watch?: WatchHit;
}

/** What a vCPU does or waits for, in the words of the design. */
export type VcpuWord = "RUN" | "READY" | "WFI" | "SUSPEND" | "OFF" | "VMMIO" | "PROXY" | "FAULT" | "NEW" | "MIGRATE" | "KILLED" | "EXITED";

/** One vCPU in a sample. */
export interface VcpuSample {
  readonly index: number;
  readonly state: VcpuWord;
  /** Physical CPU, or undefined where it has none. */
  readonly pcpu: number | undefined;
  /** Retired instructions; for a native guest 0. */
  readonly instructions: number;
  /** Share of one physical CPU since the last sample, 0..1. */
  readonly load: number;
  /** What wakes it, in words; empty where it runs. */
  readonly waitsFor: string;
  /** Program counter, 0x and 16 digits; empty for native guests. */
  readonly pc: string;
}

/** A virtio device in a sample. */
export interface DeviceSample {
  /** `dev:VM/blk0`. */
  readonly id: string;
  /** `virtio-block`. */
  readonly kind: string;
  /** What it has done: counters by name. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** One VM in a sample. */
export interface VmSample {
  readonly name: string;
  readonly vmid: number;
  /** State as the resource manager calls it (RUNNING, EXITED, ..). */
  readonly state: string;
  readonly schedule: "native" | "own" | "proxy";
  /** Its console's name, or undefined. */
  readonly console: string | undefined;
  readonly vcpus: readonly VcpuSample[];
  /** Its virtio devices. */
  readonly devices: readonly DeviceSample[];
}

/** The periodic picture of the machine. */
export interface MachineSample {
  /** Virtual time in ns. */
  readonly time: number;
  /** Instructions retired by all guests. */
  readonly instructions: number;
  /**
   * Refusals of the hypervisor, the resource manager and the drivers so far: rows of `why` there
   * have been.
   */
  readonly reasons: number;
  /** Guest instructions a second of wall time since the last sample, in millions. */
  readonly mips: number;
  readonly physicalCpus: number;
  /**
   * What the translator has done: counts of regions, modules, instructions and bytes, and host
   * milliseconds; undefined in tier `interp`.
   */
  readonly translator?: Readonly<Record<string, number>>;
  readonly vms: readonly VmSample[];
}

/** In the place of a vCPU: the event is about the session itself. */
export const SESSION = "session";

/** Something that happened, for the event pane and `events`. */
export interface MachineEvent {
  /** Virtual time in ns. */
  readonly time: number;
  readonly pcpu: number | undefined;
  readonly kind: TraceKind;
  readonly vcpu: string;
  readonly text: string;
  /** A refusal or fault. */
  readonly refused: boolean;
}

/** A hash of the whole state at an instruction count (`--hash-at`). */
export interface StateHash {
  /** The count that was asked for. */
  readonly at: number;
  /**
   * Instructions retired when the hash was taken; `at` with one physical CPU, a few more with
   * several.
   */
  readonly instructions: number;
  /** Hexadecimal hashes. */
  readonly registers: string;
  readonly memory: string;
  readonly console: string;
}

/** Wall time (ms) that a machine has to end in order: less than `el2 down` waits for a session. */
export const ORDERLY_END = 4_000;

/** Why a session ended. */
export interface SessionEnd {
  /** Exit code of `boot` and `run`. */
  readonly code: number;
  /** One line. */
  readonly message: string;
  /** The primary VM has asked for a reset. */
  readonly reset?: true;
}

/** What the machine says. */
export type SessionEvent =
  | { kind: "ready" }
  | { kind: "console"; console: string; bytes: Uint8Array }
  | { kind: "sample"; sample: MachineSample }
  | { kind: "events"; events: readonly MachineEvent[]; dropped: number }
  | { kind: "hash"; hash: StateHash }
  /** `past`: what is shown is an earlier place of the run, which takes no input. */
  | { kind: "paused"; paused: boolean; past?: boolean }
  /** A stop rule has paused the machine: which, and what it stopped at. */
  | { kind: "stopped"; rule: string; text: string }
  /** Another place is shown; `text` says what was gone back to. */
  | { kind: "moved"; id: number; error: string | undefined; instructions: number; text?: string }
  | { kind: "answer"; id: number; answer: Answer }
  /** A snapshot on its way: pages of RAM that are written, of all. */
  | { kind: "snapshotted"; id: number; done: number; total: number; whole: boolean; error?: string }
  /** A snapshot of this session is whole, and its file stays. */
  | { kind: "saved"; path: string }
  /** `error` says why it was not done. */
  | { kind: "acted"; id: number; error: string | undefined }
  /** `error` says why not. */
  | { kind: "debug-attached"; error?: string }
  | { kind: "debug-answer"; answer: DebugAnswer }
  | { kind: "debug-stopped"; stop: DebugStopped }
  | { kind: "ended"; end: SessionEnd }
  /** A bug of ours: the machine is gone. */
  | { kind: "failed"; message: string };

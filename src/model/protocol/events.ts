// Events of a session's machine: one declaration per kind, from which its type and its validation
// follow.

import * as v from "valibot";
import { problem } from "../queries/facts/problem.ts";
import { BLOCK_CODES, TRACE_KINDS } from "../../machine/abi/trace.ts";
import type { DebugAnswer } from "../../machine/hypervisor/interface.ts";
import { amount, bytes, count, listOf } from "../queries/fields.ts";
import { answer } from "../queries/query.ts";
import { mark } from "../queries/move.ts";

const word = v.string();
const address = v.bigint();
const blocks = v.pipe(listOf(v.picklist(BLOCK_CODES)), v.readonly());
const counters = v.record(v.string(), amount);

/** Activity or wait of a vCPU, in the words of the design. */
export const VCPU_WORDS = [
  ...["RUN", "READY", "WFI", "SUSPEND", "OFF", "VMMIO", "PROXY", "FAULT", "NEW", "MIGRATE", "KILLED", "EXITED"] as const,
] as const;
export type VcpuWord = typeof VCPU_WORDS[number];

const vcpuSample = v.object({
  index: count(),
  state: v.picklist(VCPU_WORDS),
  /** Physical CPU, or undefined if it has none. */
  pcpu: v.optional(count()),
  /** Retired instructions; for a native guest 0. */
  instructions: amount,
  /** Share of one physical CPU since the last sample, 0..1. */
  load: amount,
  /** Its wait; empty if it can run. */
  waits: blocks,
  /** Program counter, 0x and 16 digits; empty for native guests. */
  pc: word,
});
export type VcpuSample = Readonly<v.InferOutput<typeof vcpuSample>>;

/** A virtio device in a sample. */
const deviceSample = v.object({
  /** `dev:VM/blk0`. */
  id: word,
  /** `virtio-block`. */
  kind: word,
  /** Its activity: counters by name. */
  metrics: v.pipe(counters, v.readonly()),
});
export type DeviceSample = Readonly<v.InferOutput<typeof deviceSample>>;

const vmSample = v.object({
  name: word,
  vmid: count(),
  /** State in the Resource Manager's words (RUNNING, EXITED, …). */
  state: word,
  schedule: v.picklist(["native", "own", "proxy"]),
  /** Its console's name, or undefined. */
  console: v.optional(word),
  /** Its image is a Linux kernel. */
  linux: v.optional(v.literal(true)),
  vcpus: listOf(vcpuSample),
  /** Its virtio devices. */
  devices: listOf(deviceSample),
});
export type VmSample = Readonly<v.InferOutput<typeof vmSample>>;

/** The periodic picture of the machine. */
const machineSample = v.object({
  /** Virtual time in ns. */
  time: amount,
  /** Instructions retired by all guests. */
  instructions: amount,
  /** Refusals and ends of VMs so far that are failures: rows of `why` with `failed`. */
  reasons: count(),
  /** Guest instructions per second of wall time since the last sample, in millions. */
  mips: amount,
  /** Wall time (ms) of the machine's own clock: a sample may be old when it is heard. */
  wall: v.optional(amount),
  physicalCpus: count(),
  /**
   * Work of the translator: counts of regions, modules, instructions and bytes, and host
   * milliseconds; undefined in tier `interp`.
   */
  translator: v.optional(v.pipe(counters, v.readonly())),
  /** Part of `instructions` that only waited for the counter and was not executed. */
  spared: v.optional(amount),
  /** Exits of vCPUs to EL2, by reason. */
  exits: v.optional(v.pipe(counters, v.readonly())),
  vms: listOf(vmSample),
});
export type MachineSample = Readonly<v.InferOutput<typeof machineSample>>;

/** Something that happened, for the event pane and `events`. */
const machineEvent = v.object({
  /** Virtual time in ns. */
  time: amount,
  pcpu: v.optional(count()),
  kind: v.picklist(TRACE_KINDS),
  vcpu: word,
  text: word,
  /** A refusal or fault. */
  refused: v.boolean(),
});
export type MachineEvent = Readonly<v.InferOutput<typeof machineEvent>>;

/** A hash of the whole state at an instruction count (`--hash-at`). */
const stateHash = v.object({
  /** The count that was asked for. */
  at: amount,
  /**
   * Instructions retired when the hash was taken; `at` with one physical CPU, a few more with
   * several.
   */
  instructions: amount,
  /** Hexadecimal hashes. */
  registers: word,
  memory: word,
  console: word,
});
export type StateHash = Readonly<v.InferOutput<typeof stateHash>>;

/** Why a session ended. */
const sessionEnd = v.object({
  /** Exit code of `boot` and `run`. */
  code: count(),
  /** One line. */
  message: word,
  /** The same as data, where the user can fix it. */
  problem: v.optional(problem),
  /** The primary VM has asked for a reset. */
  reset: v.optional(v.literal(true)),
  /** A replay is not the recorded run. */
  differs: v.optional(v.literal(true)),
});
export type SessionEnd = Readonly<v.InferOutput<typeof sessionEnd>>;

/**
 * Why the machine stopped for a debugger: the causes of
 * `machine/hypervisor/debug/debug-control.ts`, or the debugger asked, or it went back to before the
 * first instruction, or from the past on to where the machine really is.
 */
const debugStopped = v.object({
  cause: v.picklist(["start", "kernel", "breakpoint", "watchpoint", "step", "event", "asked", "history-start", "history-end"]),
  /** A note for the user. */
  note: v.optional(word),
  /** Number of the vCPU that it is about: its index in the debugged VM. */
  vcpu: count(),
  pc: address,
  /** The access that a watchpoint stopped. */
  watch: v.optional(v.object({ kind: v.picklist(["write", "read", "access"]), address })),
});
export type DebugStopped = Readonly<v.InferOutput<typeof debugStopped>>;

/** The answer to a debugger (`machine/hypervisor/debug/debug-access.ts`). */
const debugAnswer = v.variant("kind", [
  v.object({ kind: v.literal("done") }),
  v.object({ kind: v.literal("vcpus"), vcpus: listOf(v.object({ index: count(), name: word, waits: blocks })) }),
  v.object({ kind: v.literal("registers"), values: listOf(address) }),
  v.object({ kind: v.literal("memory"), bytes: bytes() }),
  /** Why not, for display. */
  v.object({ kind: v.literal("refused"), message: word }),
]) satisfies v.GenericSchema<unknown, DebugAnswer>;

const id = count();

/** An event of the machine. */
export const sessionEvent = v.variant("kind", [
  v.object({ kind: v.literal("ready") }),
  /** The machine gets the state of its snapshot: pages of RAM that are read, of all. */
  v.object({ kind: v.literal("loading"), done: count(), total: count() }),
  v.object({ kind: v.literal("console"), console: word, bytes: bytes() }),
  v.object({ kind: v.literal("sample"), sample: machineSample }),
  v.object({ kind: v.literal("events"), events: listOf(machineEvent), dropped: count() }),
  v.object({ kind: v.literal("hash"), hash: stateHash }),
  /**
   * `past`: the machine that is shown is at an earlier place of the run and takes no input.
   * `consoles`: what they showed there, from the end.
   */
  v.object({
    kind: v.literal("paused"),
    paused: v.boolean(),
    past: v.optional(v.boolean()),
    consoles: v.optional(listOf(v.object({ console: word, bytes: bytes() }))),
  }),
  /** A stop rule has paused the machine: which, and what it stopped at. */
  v.object({ kind: v.literal("stopped"), rule: word, text: word }),
  /** Another place is shown; `text` says what was gone back to. */
  v.object({
    kind: v.literal("moved"),
    id,
    error: v.optional(problem),
    instructions: amount,
    /** Virtual time in ns. */
    time: v.optional(amount),
    text: v.optional(word),
  }),
  /** In travel to another place: instructions retired so far, and at its end. */
  v.object({ kind: v.literal("moving"), id, instructions: amount, end: amount }),
  v.object({ kind: v.literal("answer"), id, answer }),
  /** In a search back in time: instructions of the run that are searched, and of all of it. */
  v.object({ kind: v.literal("searching"), id, done: amount, all: amount }),
  /** A snapshot in progress: pages of RAM that are written, of all. */
  v.object({ kind: v.literal("snapshotted"), id, done: count(), total: count(), whole: v.boolean(), error: v.optional(problem) }),
  /** A snapshot of this session is whole, and its file stays. */
  v.object({ kind: v.literal("saved"), path: word }),
  /** `error` says why it was not done. */
  v.object({ kind: v.literal("acted"), id, error: v.optional(problem), mark: v.optional(mark) }),
  /** A request without a number was not done. */
  v.object({ kind: v.literal("undone"), request: word, problem }),
  /** `error` says why not. */
  v.object({ kind: v.literal("debug-attached"), error: v.optional(problem) }),
  v.object({ kind: v.literal("debug-answer"), answer: debugAnswer }),
  v.object({ kind: v.literal("debug-stopped"), stop: debugStopped }),
  v.object({ kind: v.literal("ended"), end: sessionEnd }),
  /** A bug of ours: the machine is gone. */
  v.object({ kind: v.literal("failed"), message: word }),
]);
export type SessionEvent = v.InferOutput<typeof sessionEvent>;

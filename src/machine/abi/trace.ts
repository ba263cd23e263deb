// The trace: reports of the hypervisor, the Resource Manager and the host about their work, for
// display (docs/design/decisions.md §6; docs/design/workstation.md §2). Nothing here changes what a
// guest sees: a run with every kind of event wanted is the same run. The hub is
// `machine/hypervisor/trace/trace-hub.ts`; native guests reach it through `NativeVcpu.trace`.

import type { Hint } from "../../kit/support/text/hint.ts";
import type { WayOut } from "../../kit/support/text/way-out.ts";

export const TRACE_KINDS = [
  "hvc",
  "rpc",
  "ioctl",
  "trap",
  "virq",
  "msg",
  "sched",
  "mmio",
  "mem",
  "state",
  "psci",
  "dev",
  "rule",
  "log",
  "syscall",
  "task",
] as const;
export type TraceKind = typeof TRACE_KINDS[number];

/** Of kernels in VMs: watching for them costs time, so they are recorded only when named. */
export const KERNEL_KINDS: readonly TraceKind[] = ["syscall", "task"];
/** Of the machine itself. */
export const MACHINE_KINDS: readonly TraceKind[] = TRACE_KINDS.filter((kind) => !KERNEL_KINDS.includes(kind));

/** Kinds that sessions always record: they are few. */
export const QUIET_KINDS: readonly TraceKind[] = ["rpc", "ioctl", "state", "psci", "dev", "rule", "log"];
/** Kinds that they record only while somebody watches. */
export const BUSY_KINDS: readonly TraceKind[] = ["hvc", "trap", "virq", "msg", "sched", "mmio", "mem", ...KERNEL_KINDS];

/** Whether a kind of events has this name. */
export function isTraceKind(name: string): name is TraceKind {
  return TRACE_KINDS.some((kind) => kind === name);
}

/** The content of each kind, for display. */
export const TRACE_KIND_DOCS: Readonly<Record<TraceKind, string>> = {
  hvc: "a hypercall, from its decoding to its answer: name and arguments as the ABI declares them, results, the error",
  rpc: "a request to the Resource Manager, from its arrival to its reply; a notification; a message that it drops",
  ioctl: "an ioctl of a process on the host's kernel, from the call to its return",
  trap:
    "an exit to EL2 of no other kind: a system register, an abort, WFI, an unknown call; each exit of a guest to a VM's own EL2, and each entry of a guest from there; and each UNDEFINED instruction, once",
  virq: "an interrupt: its source raises it, the guest acknowledges and ends it",
  msg: "a message sent to or received from a queue, with its bytes",
  sched: "a switch of a physical CPU to another vCPU or to none; and a VMM's RUN",
  mmio: "an access to an emulated device, or to an unmapped address",
  mem: "a change of ownership or mapping: donations, maps, unmaps, calls to the platform's firmware",
  state: "a state change of an object or a VM",
  psci: "a PSCI call: CPUs on and off, suspend, the system's end",
  dev: "a message of a device or its backend: a driver that breaks a rule, a disk that is full",
  rule: "a call or access that el2 does not model, and injected faults",
  log: "a message of the host",
  syscall: "a system call of a program on Linux, from its entry to its return: name and arguments decoded, the result, the process",
  task: "of Linux in a VM: a switch to another task, a new task, an exec, an exit, a signal",
};

/** Why a vCPU does not run (docs/spec/hypervisor.md §5.2); `blocked` of a `sched` event. */
export const BLOCK_CODES = ["activation", "power-on", "suspended", "wfi", "vcpu_run", "mmio", "fault", "exited"] as const;
export type BlockCode = typeof BLOCK_CODES[number];

/** A vCPU that waits, by its name for display. */
export interface WaitingVcpu {
  readonly vcpu: string;
  readonly waits: readonly BlockCode[];
}

/**
 * Plain data: strings, numbers, bigints, booleans, and arrays and records of them. Object ids are
 * the strings of docs/design/workstation.md §2 (`vm:rt`).
 */
export type TraceFields = Readonly<Record<string, unknown>>;

/** An operation in progress, begun by `TracePort.begin`. */
export type TraceId = number;
/** Finds the operation in progress that was begun with a key. */
export type RecallOperation = (key: string | number) => TraceId | undefined;

/**
 * How an operation ended. `code` is what the caller got (a Gunyah error, an RM error, an errno),
 * `name` its specification's name.
 */
export interface TraceResult {
  readonly code: number;
  readonly name: string;
  /**
   * Whether that is an answer of the kind "refused": it gets a `Reason`. Polling an empty queue
   * does not.
   */
  readonly refused: boolean;
  /** Its caller had to expect this refusal and handles it: it is not a failure. */
  readonly expected?: boolean;
  readonly fields?: TraceFields;
}

/**
 * The identity of an event: the same in every run of the machine, independent of its observers
 * (`eventName`).
 */
export interface EventPlace {
  readonly kind: TraceKind;
  /** Virtual time in ns at its start. */
  readonly time: number;
  /** Physical CPU, where one has to do with it. */
  readonly pcpu: number | undefined;
  /** It has a beginning and an end. */
  readonly operation: boolean;
  /**
   * Of events that every run counts, the number from 1; of others, how many of the same kind were
   * at the same time and CPU before.
   */
  readonly number: number;
}

/** Kinds that every machine counts together, whether or not they are traced: `ev:N`. */
export const COUNTED_KINDS: ReadonlySet<TraceKind> = new Set(["rpc", "ioctl", "state", "psci", "rule"]);
/** Kinds that may depend on the computer: each has its own count, `ev:log.N`. */
const OWN_COUNTS: ReadonlySet<TraceKind> = new Set(["dev", "log"]);

/** Whether events of a kind are counted, and not numbered within their time. */
export function isCounted(kind: TraceKind, operation: boolean): boolean {
  return COUNTED_KINDS.has(kind) || OWN_COUNTS.has(kind) || operation && (kind === "hvc" || kind === "sched");
}

/**
 * The name of an event, after `ev:`: `37`, `hvc.1204` (the 1204th hypercall), `run.5` (a VMM's
 * RUN), or kind and virtual time: `virq@4.000333120`, with `/1` on another CPU than the first and
 * `+2` for the third of its kind there.
 */
export function eventName({ kind, time, pcpu = 0, operation, number }: EventPlace): string {
  if (COUNTED_KINDS.has(kind)) return String(number);
  if (isCounted(kind, operation)) return `${kind === "sched" ? "run" : kind}.${number}`;
  const nanoseconds = Math.floor(time);
  const seconds = `${Math.floor(nanoseconds / 1e9)}.${String(nanoseconds % 1e9).padStart(9, "0")}`;
  return `${kind}@${seconds}${pcpu === 0 ? "" : `/${pcpu}`}${number === 0 ? "" : `+${number}`}`;
}

/** How far a machine has come in its run: everything here only grows. */
export interface RunPoint {
  /** Virtual time (ns) of the last boundary between turns, and how far things have come there. */
  readonly boundary: number;
  readonly stage: "before" | "events" | "turn";
  /** Instructions that all vCPUs have retired. */
  readonly retired: number;
  /** Exits of all vCPUs, and changes of who runs. */
  readonly steps: number;
}

const STAGES = ["before", "events", "turn"] as const;

/** Whether a machine had come to `point` when it was at `place`. */
export function isReached(point: RunPoint, place: RunPoint): boolean {
  if (point.boundary !== place.boundary) return point.boundary < place.boundary;
  if (point.stage !== place.stage) return STAGES.indexOf(point.stage) < STAGES.indexOf(place.stage);
  return point.retired <= place.retired && point.steps <= place.steps;
}

/** A message of the Resource Manager's protocol, as `machine/abi/rpc/packet.ts` has it. */
export interface TraceMessage {
  /** Its `PacketType`. */
  readonly type: 0 | 1 | 2 | 3;
  readonly sequence: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Something that happened. An operation is one event, given out when it ends. */
export interface TraceEvent extends EventPlace {
  /** Its number in the order of this machine's trace, which depends on what is recorded. */
  readonly id: number;
  /** Virtual time in ns at its end; equal to `time` for what takes none. */
  readonly end: number;
  /** Where in the run its end was. */
  readonly at: RunPoint;
  /** Name of the acting vCPU (`rm/0`), or empty. */
  readonly vcpu: string;
  /** Name of the call, message, register, state, …, as the specifications write it. */
  readonly name: string;
  readonly fields: TraceFields;
  /** Undefined for events that are not operations. */
  readonly result: TraceResult | undefined;
  /**
   * The operation inside which it happened, also across VMs: a hypercall in an RPC, an RPC in an
   * ioctl.
   */
  readonly parent: EventPlace & { readonly id: number } | undefined;
  /** Number of its reason, `why:N`, where it was refused. */
  readonly why: number | undefined;
  /** The messages that it is about: a request and its reply, or a notification. */
  readonly messages?: readonly TraceMessage[];
  /** Hypercalls made for a request until its reply. */
  readonly calls?: number;
}

/** Codes of the rules that other parts of el2 recognize, so that none compares phrases. */
export const RULE_CODES = ["buffer-not-lent"] as const;
export type RuleCode = typeof RULE_CODES[number];

/** The rule that an operation broke. */
export interface BrokenRule {
  readonly code?: RuleCode;
  /** Section of the specification: `hypervisor 4.4`, `resource-manager 6.4`, `vm-manager 3.2`. */
  readonly section: string;
  /** The rule, as a phrase. */
  readonly rule: string;
  /** Id or name of the object that it concerns; empty if there is none. */
  readonly object: string;
  /** The values that broke it. */
  readonly values: TraceFields;
  /** The remedy, where one is known. */
  readonly wayOut?: WayOut;
}

/** One step of the chain that led to a refusal. */
export interface ReasonStep extends EventPlace {
  readonly name: string;
  readonly fields: TraceFields;
  readonly result: TraceResult;
}

/**
 * Why an operation was refused, or a VM ended: the rule, and the chain of operations from the
 * outermost (an ioctl) to the innermost (a hypercall).
 */
export interface Reason extends BrokenRule {
  /** `why:N`, from 1. */
  readonly id: number;
  /** Nothing has failed by it: its caller dealt with the refusal, or the VM ended in order. */
  readonly settled: boolean;
  /** Name of the VM that ended by it. */
  readonly ended: string | undefined;
  /** How it ended: the result of a refusal without a chain. */
  readonly result: string | undefined;
  /** The command that shows the place where it happened. */
  readonly command: Hint | undefined;
  /** Virtual time in ns. */
  readonly time: number;
  /** Name of the vCPU that asked first. */
  readonly askedBy: string;
  /** Virtual address of the guest's instruction that did; undefined for native guests. */
  readonly at: bigint | undefined;
  readonly chain: readonly ReasonStep[];
}

/** The way into the trace, for one vCPU. */
export interface TracePort {
  /** Whether events of this kind are traced. Check this before computing fields. */
  isWanted(kind: TraceKind): boolean;
  /** Something happened, inside the operation in progress. */
  event(kind: TraceKind, name: string, fields: TraceFields, message?: TraceMessage): void;
  /**
   * Begins an operation; operations that this vCPU begins before its end are inside it. `cause` is
   * a key that another vCPU has `publish`ed: the operation is then inside the publisher's (an RPC
   * inside the ioctl that sent it). With `key`, `recall` finds it again while it is in progress.
   */
  begin(kind: TraceKind, name: string, fields: TraceFields, cause?: string, key?: string | number): TraceId;
  /**
   * The operation in progress that was begun with this key: a program restored from a snapshot
   * knows only the request, while the trace may have been kept.
   */
  recall(key: string | number): TraceId | undefined;
  /**
   * Publishes the operation in progress under a key, for the code that continues it elsewhere
   * (`rpc:3:0x1f`: VMID and sequence number).
   */
  publish(key: string): void;
  /**
   * Notes the rule that the operation in progress breaks. The first note counts, and one noted by
   * an operation inside it.
   */
  refuse(rule: BrokenRule): void;
  /**
   * Refusals so far of operations inside the one in progress do not explain its own failure: it had
   * to expect them, and continued.
   */
  disregard(): void;
  /**
   * Ends it. Operations that take time (an ioctl that waits for RPCs) may end in any order, and
   * `resume` brings them back.
   */
  end(id: TraceId, result: TraceResult): void;
  /**
   * The operation continues: operations that begin now are inside it. For handlers that return
   * later with an answer.
   */
  resume(id: TraceId): void;
  /** The operation is about this message: a request, or the reply that is about to be sent. */
  carry(id: TraceId, message: TraceMessage): void;
  /** Leaves the operation in progress without ending it: the handler returns and waits. */
  suspend(id: TraceId): void;
}

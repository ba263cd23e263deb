// An event in one line: a sentence in the field's words for frequent events, name and fields for
// the rest.

import { blocksText } from "../../../model/queries/facts/wait.ts";
import { FAULT_KINDS, type FaultKind } from "../../../machine/abi/faults.ts";
import { irqId } from "../../../machine/abi/ids.ts";
import type { BlockCode, TraceEvent, TraceFields } from "../../../machine/abi/trace.ts";
import { VcpuRunState } from "../../../machine/abi/words.ts";
import { UNSEEN } from "./event-log.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import { durationText, hex } from "../../../kit/support/text/number-text.ts";
import { registerWords } from "./register-words.ts";

type Sentence = (event: TraceEvent) => string | undefined;

/** Kinds with sentences for some events. */
const SENTENCES: { readonly [kind: string]: Sentence | undefined } = {
  sched: ({ name, fields }) => switched(name, fields),
  virq: ({ name, fields }) => raised(name, fields),
  mmio: ({ name, fields }) => accessed(name, fields),
  trap: ({ name, fields }) =>
    fields.guest === undefined ? registerAccessed(name, fields) : name === "ERET" ? guestEntered(fields) : guestLeft(name, fields),
  psci: ({ name, fields, result }) => {
    const call = psciCall(name, fields);
    return call && `${call}${result ? ` -> ${result.name}` : ""}`;
  },
  syscall: ({ name, fields, result }) => {
    const call = `${task(fields)} ${name}(${Array.isArray(fields.args) ? fields.args.join(", ") : ""})`;
    return result ? `${call} = ${result.code < 0 && result.name.startsWith("E") ? `-1 ${result.name}` : result.name}` : call;
  },
  rule: ({ name, fields }) => name === "injected" ? injected(fields) : undefined,
  task: ({ name, fields }) => `${task(fields)} ${taskChange(name, fields)}`,
  hvc: ({ name, fields, result }) => {
    if (name !== "vcpu_run" || !result?.fields) return undefined;
    const left = runState(result.fields);
    const vcpu = Object.values(fields).find((value) => typeof value === "string");
    return left && `${name} ${vcpu ?? "?"} -> ${left}`;
  },
};

/** The sentence of an event; undefined if its name and fields say it. */
export function eventSentence(event: TraceEvent): string | undefined {
  return SENTENCES[event.kind]?.(event);
}

/** The place where a guest continues that has left to EL2. */
export const EXIT_ANSWERS = {
  again: "at the instruction that left",
  next: "after the instruction that left",
  exception: "at a vector of its EL1, with an exception",
  elsewhere: "at another instruction",
} as const;

export type ExitAnswer = keyof typeof EXIT_ANSWERS;

/** Whether a field of an event is one of them. */
export const isExitAnswer = (value: unknown): value is ExitAnswer => typeof value === "string" && Object.hasOwn(EXIT_ANSWERS, value);

const short = (id: unknown) => withoutKind("vcpu", String(id));

const task = ({ comm, pid }: TraceFields) => `${comm}[${pid}]`;

/** Words for a task that stops running, by its state as a letter of /proc. */
const LEAVES: Readonly<Record<string, string>> = { R: "yields", S: "sleeps", D: "sleeps uninterruptibly", Z: "has ended", X: "has ended" };

/** The change, after the task's name. */
function taskChange(name: string, fields: TraceFields): string {
  switch (name) {
    case "switch":
      return `${LEAVES[String(fields.state)] ?? `stops in state ${fields.state}`}; ${
        task({ comm: fields.next_comm, pid: fields.next })
      } runs`;
    case "fork":
      return `creates process ${fields.child}`;
    case "thread":
      return `creates thread ${fields.child}`;
    case "exec":
      return `executes ${fields.file}${fields.interpreter === undefined ? "" : ` by ${fields.interpreter}`}`;
    case "exit":
      return fields.signal === undefined ? `ends with ${fields.code}` : `ends by ${fields.signal}`;
    default:
      return `sends ${fields.signal} to ${task({ comm: fields.to_comm, pid: fields.to })}`;
  }
}

/** The operation that a rule has hit, by the rule's kind (docs/fault-injection.md). */
const OPERATIONS: { readonly [K in FaultKind]: (fields: TraceFields) => string } = {
  hvc: ({ name, vcpu }) => `${name} of ${vcpu}`,
  rpc: ({ msg, vm }) => `${msg} of ${vm}`,
  ioctl: ({ name }) => String(name),
  alloc: ({ what, amount }) => `an allocation of ${what} (${amount})`,
  virq: ({ vm, intid, why }) => `${irqId(String(vm), Number(intid))} (${why})`,
  dev: ({ dev, op }) => `${op} of ${dev}`,
  assign: ({ from, to }) => `the move from ${from} to ${to}`,
};

/** The fate of that operation, by the rule's effect; else an error is its answer. */
const EFFECTS: Readonly<Record<string, string>> = { lose: "is lost", double: "is doubled", die: "ends its device" };

function injected({ inject, rule, ...fields }: TraceFields): string | undefined {
  const [, start, effect] = /^(\w+).*->\s*(.+?)\s*$/.exec(String(rule)) ?? [];
  const kind = FAULT_KINDS.find((kind) => kind === start);
  if (!kind) return undefined;
  const became = EFFECTS[effect] ?? (effect.startsWith("delay ") ? `comes ${effect.slice("delay ".length)} later` : `gets ${effect}`);
  return `${inject}: ${OPERATIONS[kind](fields)} ${became}, by ${rule}`;
}

/** Another vCPU runs on a physical CPU. */
function switched(name: string, { from, to, blocked }: TraceFields): string | undefined {
  if (name === UNSEEN) return "scheduling is not recorded after this point";
  if (name !== "run" && name !== "idle") return undefined;
  const before = blocked ? `${short(from)} waits for ${blocksText(blocked as readonly BlockCode[])}` : undefined;
  if (name === "idle") return before ? `${before}; nobody else can run` : "nobody can run";
  if (typeof from !== "string") return `${short(to)} runs`;
  return before ? `${before}; ${short(to)} runs` : `${short(from)} yields to ${short(to)}`;
}

/** Why an interrupt's line goes up, by what its source says. */
const CAUSES: Readonly<Record<string, string>> = {
  "not full": "has room",
  "not empty": "is not empty",
  "flags": "has flags set",
  "halted": "has halted",
  "wants to run": "wants to run",
};

function raised(name: string, { irq, source, why, vcpu }: TraceFields): string | undefined {
  if (name !== "raise" && name !== "pulse" || typeof why !== "string") return undefined;
  const on = typeof vcpu === "number" ? ` of vCPU ${vcpu}` : "";
  return `${name} ${irq}${on}: ${source} ${CAUSES[why] ?? why}`;
}

function accessed(name: string, { address, size, value, target }: TraceFields): string | undefined {
  if (name !== "read" && name !== "write" || typeof size !== "number") return undefined;
  return `${accessText(name, address, value, size)}; ${target === "vmm" ? "its VMM" : target} answers`;
}

/** The address and the value first: they stay where a row is too short. */
function accessText(name: string, address: unknown, value: unknown, size: number): string {
  const what = value === undefined ? "" : ` = ${valueText(value)}`;
  return `${name} ${valueText(address)}${what} (${size === 1 ? "1 byte" : `${size} bytes`})`;
}

/** A system register that EL2 handles; the one who executed the instruction is the event's vCPU. */
function registerAccessed(name: string, { access, value, undefined: isUndefined }: TraceFields): string | undefined {
  if (access !== "read" && access !== "write") return undefined;
  const words = typeof value === "bigint" ? registerWords(name, value) : undefined;
  return `${access} ${name}${isUndefined ? ": the instruction is UNDEFINED" : ` = ${valueText(value)}`}${words ? ` (${words})` : ""}`;
}

/** A guest of a vCPU's EL2 leaves to that. */
function guestLeft(name: string, { guest, pc, call, immediate, access, ipa, by }: TraceFields): string {
  const more = call ?? (immediate === undefined ? undefined : `#${immediate}`), of = access ?? "";
  return `VMID ${guest} enters EL2 from ${valueText(pc)}: ${
    [of, name, more, ipa].filter((part) => part !== undefined && part !== "").join(" ")
  }${by === undefined ? "" : ` (${by})`}`;
}

/** EL2 lets a guest continue, `after` ns since that left. */
function guestEntered({ guest, pc, after, answer, value, exception, error }: TraceFields): string {
  const how = isExitAnswer(answer) ? `${EXIT_ANSWERS[answer]}${exception === undefined ? "" : `: ${exception}`}` : undefined;
  const parts = [how, value, error === undefined ? undefined : `with a virtual ${error}`].filter((part) => part !== undefined);
  const told = parts.length ? `: ${parts.join(", ")}` : "";
  return `EL2 enters VMID ${guest} at ${valueText(pc)}${typeof after === "number" ? ` ${durationText(after)} later` : ""}${told}`;
}

const valueText = (value: unknown) => typeof value === "bigint" ? hex(value) : String(value);

function psciCall(name: string, { args }: TraceFields): string | undefined {
  if (!Array.isArray(args)) return undefined;
  const [first, second, third] = args.map((arg) => typeof arg === "bigint" ? arg : 0n);
  switch (name) {
    case "CPU_ON":
      return `${name} CPU ${hex(first)}, entry ${hex(second)}, context ${hex(third)}`;
    case "AFFINITY_INFO":
      return `${name} CPU ${hex(first)}`;
    case "FEATURES":
      return `${name} of function ${hex(first)}`;
    case "VERSION":
    case "CPU_OFF":
    case "SYSTEM_OFF":
    case "SYSTEM_RESET":
      return name;
    default:
      return undefined;
  }
}

/** How vcpu_run came back. */
function runState({ vcpu_state: state, state_data_0: first, state_data_1: second, state_data_2: third }: TraceFields): string | undefined {
  switch (state) {
    case VcpuRunState.Ready:
      return "time is over";
    case VcpuRunState.ExpectsWakeup:
      return "waits for an interrupt";
    case VcpuRunState.PoweredOff:
      return "powered off";
    case VcpuRunState.Blocked:
      return "blocked";
    case VcpuRunState.AddrspaceVmmioRead:
      return `${accessText("read", first, undefined, Number(second))}, its VMM answers`;
    case VcpuRunState.AddrspaceVmmioWrite:
      return `${accessText("write", first, third, Number(second))}, its VMM answers`;
    case VcpuRunState.Fault:
      return first === 0n ? "took a fault that nobody handles" : "watchdog not served in time";
    case VcpuRunState.PageFault:
      return `${second ? "write to" : "access to"} ${valueText(first)}, which has no page`;
    case VcpuRunState.PsciSystemReset:
      return "asked for a reset (PSCI SYSTEM_RESET)";
    default:
      return undefined;
  }
}

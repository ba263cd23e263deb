// Verdicts on VMs: the activity or the defect of each, and the evidence, as facts. The word of a
// verdict follows from its code.

import { durationText, hex, sizeText } from "../../support/number-text.ts";
import { BOOT_FINDINGS, type BootFinding } from "./boot-finding.ts";
import { DEVICE_WORDS, type DeviceBecause, EXCEPTION_CAUSES, type ExceptionCause } from "./exception-cause.ts";
import { Facts, type OfCode } from "./fact.ts";
import { type Barrier, BARRIERS, IRQ_FINDINGS, type IrqFinding } from "./irq-finding.ts";
import { type EndedBy, endedByText, LINUX_FINDINGS, type LinuxFinding, type NamedTask } from "./linux-finding.ts";
import { isIdle, SOURCE_STATES, type SourceState } from "./source-state.ts";
import type { VerdictWord } from "./verdict-words.ts";
import { type Access, accessText, type Wait, WAITS } from "./wait.ts";

/** A range of code, one address if both are equal, with the symbol and source line of its PC. */
export type CodeRange = {
  readonly first: string;
  readonly last: string;
  readonly symbol: string | null;
  readonly source: string | null;
};

/** Another VM that has to act: to raise an interrupt, or to do something with a parcel. */
export type Awaited = {
  /** `irq:ping/961 (mq:290 rx)`; empty for a parcel. */
  readonly irq: string;
  readonly by: string;
  /** The queue, doorbell or parcel. */
  readonly through: string;
  readonly until: "accept" | "release" | null;
};

/** The activity, wait or defect of a VM. Times are virtual, in ns. */
export type VerdictFact =
  // Work.
  | { readonly code: "runs"; readonly vcpu: string }
  | { readonly code: "waits-for-vmm"; readonly vcpu: string; readonly access: Access; readonly since_ns: number }
  | { readonly code: "vmm-silent"; readonly vcpu: string; readonly access: Access; readonly since_ns: number }
  | { readonly code: "vmm-absent"; readonly vcpu: string; readonly since_ns: number }
  /**
   * Each turn leaves the state as it was; `writers` are the vCPUs that could change memory that it
   * reads.
   */
  | {
    readonly code: "waits-in-loop";
    readonly vcpu: string;
    readonly range: CodeRange;
    readonly interruptible: boolean;
    readonly writers: readonly string[];
  }
  /** The same, and nothing can end it; `reads` is how many places of memory it reads. */
  | { readonly code: "spins"; readonly vcpu: string; readonly range: CodeRange; readonly reads: number }
  | { readonly code: "exit-loop"; readonly vcpu: string; readonly range: CodeRange }
  | { readonly code: "wfi-returns"; readonly vcpu: string; readonly at: string }
  /** `at` is the place of the first exception. */
  | { readonly code: "crashed"; readonly vcpu: string; readonly exception: string; readonly at: CodeRange; readonly handler: CodeRange }
  | { readonly code: "fault-loop"; readonly vcpu: string; readonly exception: string; readonly at: CodeRange }
  | { readonly code: "starved"; readonly vcpu: string; readonly for_ns: number }
  // Sleep.
  | { readonly code: "waits"; readonly what: Wait; readonly others: number }
  | { readonly code: "awaits"; readonly what: readonly Awaited[]; readonly others: number }
  | { readonly code: "awaits-dead"; readonly what: Awaited; readonly failed: boolean }
  /** Nothing is under way in the source, and only the VM itself could start it. */
  | { readonly code: "source-idle"; readonly irq: string; readonly state: SourceState }
  | { readonly code: "no-wakeup" }
  | { readonly code: "deadlock"; readonly steps: readonly { readonly vm: string; readonly what: Awaited }[] }
  | { readonly code: "lost"; readonly irq: string; readonly finding: IrqFinding }
  | { readonly code: "unheard"; readonly irq: string; readonly source: string }
  /** A device's last message to the ITS has made no LPI pending. Numbers in hexadecimal. */
  | { readonly code: "message-dropped"; readonly device: string; readonly event: string; readonly rule: string }
  /** Characters in a serial port, of which no interrupt tells the guest: it has cleared it. */
  | { readonly code: "unread-input"; readonly console: string; readonly characters: number }
  | { readonly code: "undelivered"; readonly queue: string; readonly messages: number; readonly label: string; readonly peer: Absence }
  // Interrupts, panics, the configuration.
  | { readonly code: "irq-storm"; readonly irq: string; readonly finding: IrqFinding }
  /** `then`: how the guest ended after it; null while it is there. */
  | {
    readonly code: "panicked";
    readonly message: string | null;
    readonly cause: LinuxFinding | null;
    readonly then: "reset" | "power-off" | null;
  }
  /** Its kernel is damaged, or waits for something that cannot come. */
  | { readonly code: "kernel-broken" | "kernel-waits"; readonly finding: LinuxFinding }
  /** The kernel has stopped all CPUs, as a task asked for. */
  | { readonly code: "halted"; readonly by: NamedTask }
  /** Of the machine: an invariant of its memory or objects does not hold. */
  | { readonly code: "broken"; readonly rule: string }
  // Starts and ends.
  /** The primary VM has ended the machine; `by`: the task that asked its kernel for it. */
  | { readonly code: "switched-off" | "reset"; readonly by: EndedBy | null }
  | { readonly code: "gated" }
  | { readonly code: "no-vcpu" }
  | { readonly code: "powered-off" }
  | { readonly code: "not-started"; readonly call: string; readonly since_ns: number }
  | { readonly code: "buffer-refused"; readonly call: string; readonly rule: string }
  /** `lives`: ends in a row that nobody wanted, each soon after a start; `how`: the last one. */
  | { readonly code: "restarts"; readonly lives: number; readonly how: string }
  | {
    readonly code: "failed" | "off" | "stopped";
    readonly call: string | null;
    readonly result: string | null;
    readonly how: string | null;
  }
  | {
    readonly code: "leaked";
    readonly vmid: string | null;
    readonly parcels: readonly KeptParcel[];
    readonly virqs: number;
    readonly since_ns: number | null;
  };

/** A parcel that nothing will release, with its bytes. */
type KeptParcel = {
  readonly parcel: string;
  readonly size: number;
};

/** The defect of the VM at the other end of a vdevice. */
export type Absence = {
  readonly peer: string;
  readonly failed: boolean;
};

/** The word of each code. */
const WORDS: { readonly [C in VerdictFact["code"]]: VerdictWord } = {
  "runs": "runs",
  "waits-for-vmm": "waits",
  "vmm-silent": "stuck",
  "vmm-absent": "stuck",
  "waits-in-loop": "waits",
  "spins": "spins",
  "crashed": "failed",
  "fault-loop": "storm",
  "exit-loop": "storm",
  "wfi-returns": "storm",
  "starved": "starved",
  "waits": "waits",
  "awaits": "waits",
  "awaits-dead": "stuck",
  "source-idle": "stuck",
  "no-wakeup": "stuck",
  "deadlock": "deadlocked",
  "lost": "lost",
  "unheard": "lost",
  "message-dropped": "lost",
  "unread-input": "lost",
  "undelivered": "lost",
  "irq-storm": "storm",
  "panicked": "panicked",
  "kernel-broken": "failed",
  "kernel-waits": "stuck",
  "halted": "stopped",
  "broken": "broken",
  "switched-off": "off",
  "reset": "stopped",
  "gated": "starts",
  "no-vcpu": "starts",
  "powered-off": "starts",
  "not-started": "stuck",
  "buffer-refused": "failed",
  "restarts": "failed",
  "failed": "failed",
  "off": "off",
  "stopped": "stopped",
  "leaked": "leaked",
};

export function wordOf({ code }: VerdictFact): VerdictWord {
  return WORDS[code];
}

/** Bytes of code, `0x80001000..0x80001008 <take_lock+0x8> at lock.c:42`. */
function rangeText({ first, last, symbol, source }: CodeRange): string {
  const symbolText = symbol === null ? "" : ` <${symbol}>`, sourceText = source === null ? "" : ` at ${source}`;
  return `${first === last ? first : `${first}..${last}`}${symbolText}${sourceText}`;
}

/** `irq:x/962 (mq:290 rx) of vm:y`, `vm:y to accept parcel:0x3`. */
const awaitedText = ({ irq, by, through, until }: Awaited) => until === null ? `${irq} of ${by}` : `${by} to ${until} ${through}`;

const orMore = (others: number) => others > 0 ? ` or ${others} more` : "";
const absenceText = ({ peer, failed }: Absence) => failed ? `${peer}, which has failed` : `${peer}, which does not exist`;

/** How a VM ended: the operation that ended it, and the words of that. */
function endText({ call, result, how }: OfCode<VerdictFact, "failed" | "off" | "stopped">): string {
  return `${call === null ? "" : `${call} -> ${result}: `}${how ?? "it has ended, and its owner takes it down"}`;
}

function leakText({ vmid, parcels, virqs, since_ns }: OfCode<VerdictFact, "leaked">): string {
  const what = [
    ...vmid === null ? [] : [`VMID ${vmid}`],
    ...parcels.map(({ parcel, size }) => `${parcel} (${sizeText(size)})`),
    ...virqs > 0 ? [`${virqs} vIRQs`] : [],
  ];
  return `${what.join(", ")}: not given back ${since_ns === null ? "at the end" : `for ${durationText(since_ns)} since its end`}`;
}

const byText = (by: EndedBy | null) => by === null ? "" : `: ${endedByText(by)}`;

const portText = (console: string, characters: number) =>
  `${characters} ${characters === 1 ? "character waits" : "characters wait"} in the serial port of ${console}`;

/** By the rule that an ITS gives. */
const DROPPED_WAYS_OUT: Readonly<Record<string, string>> = {
  "the ITS is disabled": "set GITS_CTLR.Enabled",
  "the device is not mapped": "map it with MAPD",
  "the event is not mapped": "map it with MAPTI",
  "the collection is not mapped": "map it with MAPC",
  "the redistributor's LPIs are disabled": "set GICR_CTLR.EnableLPIs, and have the INTID within GICR_PROPBASER.IDbits",
};

export const VERDICT_FACTS = new Facts<VerdictFact>({
  "runs": ({ vcpu }) => `${vcpu} runs`,
  "waits-for-vmm": ({ vcpu, access, since_ns }) =>
    `${vcpu} waits for ${WAITS.text({ code: "vmm", access })}, for ${durationText(since_ns)}`,
  "vmm-silent": ({ vcpu, access, since_ns }) =>
    `the VMM has not answered the ${accessText(access)} of ${vcpu} for ${durationText(since_ns)}`,
  "vmm-absent": ({ vcpu, since_ns }) => `${vcpu} can run, but its VMM has not called vcpu_run for ${durationText(since_ns)}`,
  "waits-in-loop": ({ vcpu, range, interruptible, writers }) =>
    `${vcpu} waits in a loop at ${rangeText(range)} for ${
      [...writers.length > 0 ? [writers.join(", ")] : [], ...interruptible ? ["an interrupt"] : []].join(" or ") || "a device"
    }`,
  "spins": ({ vcpu, range, reads }) =>
    `${vcpu} loops at ${rangeText(range)}: ${reads > 0 ? "nothing can change what it reads" : "nothing can end it"}`,
  "exit-loop": ({ vcpu, range }) =>
    `${vcpu} loops at ${rangeText(range)}: its calls and accesses to devices have the same answers again and again`,
  "wfi-returns": ({ vcpu, at }) =>
    `${vcpu} is never blocked: its WFI at ${at} returns at once, as an interrupt is signaled that it does not take`,
  "crashed": ({ vcpu, exception, at, handler }) =>
    `${vcpu} took ${exception} at ${rangeText(at)}, and its handler does not return: it is at ${rangeText(handler)}`,
  "fault-loop": ({ vcpu, exception, at }) =>
    `${vcpu} took ${exception} at ${rangeText(at)}, and its handler takes the same exception again and again`,
  "starved": ({ vcpu, for_ns }) => `${vcpu} can run and has not for ${durationText(for_ns)}`,
  "waits": ({ what, others }) => `${WAITS.text(what)}${orMore(others)}`,
  "awaits": ({ what: [first, ...more], others }) =>
    `${awaitedText(more.length === 0 ? first : { ...first, by: [first, ...more].map(({ by }) => by).join(", ") })}${orMore(others)}`,
  "awaits-dead": ({ what, failed }) =>
    `waits for ${awaitedText(what)}${what.until === null ? ", which" : "; it"} ${failed ? "has failed" : "waits for ever itself"}`,
  "source-idle": ({ irq, state }) => `waits for ${irq}, which nothing will raise: ${SOURCE_STATES.text(state)}`,
  "no-wakeup": () => "every vCPU waits for an interrupt, and none can come",
  "deadlock": ({ steps: [first, ...others] }) =>
    `waits for ${awaitedText(first.what)}, and ${others.map(({ vm, what: { by } }) => `${vm} for ${by}`).join(", ")}`,
  "lost": ({ irq, finding }) => `${irq} is pending and ${IRQ_FINDINGS.text(finding)}`,
  "unheard": ({ irq, source }) => `${irq} (${source}) was raised and is not pending: the interrupt was lost`,
  "message-dropped": ({ device, event, rule }) => `the message of device ${device}, event ${event}, has made no LPI pending: ${rule}`,
  "unread-input": ({ console, characters }) =>
    `${portText(console, characters)}, and the guest cleared the interrupt before it had read all`,
  "undelivered": ({ queue, messages, label, peer }) =>
    `${messages === 1 ? "1 message" : `${messages} messages`} in ${queue} (${label}) ${messages === 1 ? "is" : "are"} for ${
      absenceText(peer)
    }`,
  "irq-storm": ({ irq, finding }) => `${irq} ${IRQ_FINDINGS.text(finding)}`,
  "panicked": ({ message, then }) =>
    `${
      message === null ? "a kernel panic; neither its console nor its log has the message yet" : `Kernel panic - not syncing: ${message}`
    }${then === null ? "" : `; then it asked for a ${then}`}`,
  "kernel-broken": ({ finding }) => LINUX_FINDINGS.text(finding),
  "kernel-waits": ({ finding }) => LINUX_FINDINGS.text(finding),
  "halted": ({ by: { name, pid } }) => `the kernel has halted: task ${name} (${pid}) asked for it by reboot(2)`,
  "broken": ({ rule }) => rule,
  "switched-off": ({ by }) => `it powered itself off (PSCI SYSTEM_OFF)${byText(by)}`,
  "reset": ({ by }) => `it asked for a reset (PSCI SYSTEM_RESET)${byText(by)}`,
  "gated": () => "it is made, and waits to be started",
  "no-vcpu": () => "it has no vCPU yet",
  "powered-off": () => "no vCPU is powered on",
  "not-started": ({ call, since_ns }) => `it is not started: ${call} of its VMM has not returned for ${durationText(since_ns)}`,
  "buffer-refused": ({ call, rule }) => `${call} refused: ${rule}`,
  "restarts": ({ lives, how }) => `it restarts again and again: ${lives} ends in a row, the last one: ${how}`,
  "failed": endText,
  "off": endText,
  "stopped": endText,
  "leaked": leakText,
}, {
  "wfi-returns": () => "clear PSTATE.I where it waits, or disable the interrupt",
  "lost": ({ finding }) => IRQ_FINDINGS.wayOut(finding),
  "source-idle": ({ state }) => SOURCE_STATES.wayOut(state),
  "message-dropped": ({ rule }) => DROPPED_WAYS_OUT[rule],
  "unread-input": () => "write UARTICR first, and then read until FR.RXFE is set",
  "irq-storm": ({ finding }) => IRQ_FINDINGS.wayOut(finding),
  "kernel-broken": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
  "kernel-waits": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
});

/** Facts that a verdict follows from. */
export type Evidence =
  | { readonly code: "masked"; readonly masked: boolean }
  | { readonly code: "reads"; readonly range: CodeRange; readonly pa: string; readonly value: string; readonly mapped: readonly string[] }
  /** A register that a loop reads: its name, or its address and the name of its device. */
  | { readonly code: "reads-register"; readonly register: string; readonly of: string | null; readonly value: string }
  | { readonly code: "esr"; readonly esr: string }
  | { readonly code: "far"; readonly range: CodeRange }
  | { readonly code: "last-exception"; readonly exception: string; readonly at: CodeRange }
  /** The verdict on another vCPU of the VM. */
  | { readonly code: "beside"; readonly fact: VerdictFact }
  | { readonly code: "priority"; readonly priority: number }
  | { readonly code: "rivals"; readonly pcpu: string; readonly rivals: readonly { readonly vcpu: string; readonly priority: number }[] }
  | { readonly code: "wakeup"; readonly wait: Wait; readonly state: SourceState | null }
  | { readonly code: "barred"; readonly irq: string; readonly in_ns: number | null; readonly barrier: Barrier }
  | { readonly code: "nobody"; readonly irq: string; readonly through: string }
  | { readonly code: "only-itself"; readonly irq: string; readonly vm: string }
  | { readonly code: "nothing-set"; readonly vcpu: string }
  | { readonly code: "answers"; readonly by: string; readonly through: string }
  | { readonly code: "raises"; readonly by: string; readonly through: string }
  | { readonly code: "step"; readonly vm: string; readonly what: Awaited }
  | { readonly code: "source"; readonly source: string }
  | { readonly code: "condition"; readonly condition: string }
  /** The vCPU has cleared the receive interrupts of a serial port, and characters were left. */
  | { readonly code: "input-cleared"; readonly vcpu: string; readonly at: CodeRange }
  /** Characters in a serial port whose receive interrupts the guest has masked. */
  | { readonly code: "masked-input"; readonly console: string; readonly characters: number }
  | { readonly code: "asleep"; readonly for_ns: number }
  /** A rule of faults that has lost interrupts like this one. */
  | { readonly code: "injected"; readonly inject: string; readonly rule: string; readonly hits: number }
  | { readonly code: "named-peer"; readonly node: string; readonly peer: string }
  | { readonly code: "absent-peer"; readonly node: string; readonly label: number; readonly peer: Absence }
  | { readonly code: "finding"; readonly irq: string; readonly finding: IrqFinding }
  | { readonly code: "console"; readonly console: string }
  | { readonly code: "in-progress"; readonly call: string; readonly of: string }
  | { readonly code: "state"; readonly state: string; readonly because: VerdictFact | null }
  | { readonly code: "state-since"; readonly vm: string; readonly state: string; readonly for_ns: number }
  | { readonly code: "unanswered"; readonly vcpu: string; readonly at: CodeRange; readonly ipa: string }
  /** `wrong_group`: it was sent as one of group 0, and its target has it in group 1. */
  | { readonly code: "lost-sgi"; readonly irq: string; readonly from: string; readonly affinity: string; readonly wrong_group: boolean }
  | { readonly code: "refused"; readonly why: string; readonly call: string; readonly rule: string }
  | { readonly code: "stale-image"; readonly used: string; readonly built: string }
  | { readonly code: "tree-overrun"; readonly room: number; readonly tree: number }
  | { readonly code: "broken"; readonly rule: string }
  /** Of the exception that a vCPU took. */
  | { readonly code: "cause"; readonly cause: ExceptionCause }
  | { readonly code: "boot"; readonly finding: BootFinding }
  /** A node of the devicetree with an address at which a vCPU got no answer. */
  | { readonly code: "misplaced"; readonly node: string; readonly start: string; readonly end: string; readonly ipa: string }
  /** Virtio devices of a VM that sleeps, which no driver has touched, or which a driver gave up. */
  | { readonly code: "no-driver"; readonly devices: readonly string[] }
  | { readonly code: "driver-failed"; readonly devices: readonly string[] }
  /** Of a guest's kernel. */
  | { readonly code: "kernel"; readonly finding: LinuxFinding }
  /** A driver of another version of the GIC: the register that it wrote, and those of this one. */
  | { readonly code: "gicv2-driver"; readonly register: string; readonly at: CodeRange; readonly use: string }
  /** The first exclusive or atomic access of a vCPU to Device memory. */
  | {
    readonly code: "device-atomic";
    readonly vcpu: string;
    readonly at: CodeRange;
    /** Null if it cannot be read any more. */
    readonly instruction: string | null;
    readonly address: string;
    readonly because: DeviceBecause;
  }
  /** The first use of a translation that its tables no longer held, and the TLBI that missed it. */
  | {
    readonly code: "stale-translation";
    readonly vcpu: string;
    readonly at: CodeRange;
    readonly address: string;
    /** `store`: no TLBI has followed the store that `tlbi` is then. */
    readonly missed: "cpu" | "asid" | "address" | "store";
    readonly tlbi: string;
    /** Null if that vCPU is no longer there. */
    readonly by: string | null;
    readonly by_at: CodeRange;
    readonly operand: string;
  }
  /** vCPUs of a VM that makes no progress, which are off; `started`: they were on before. */
  | { readonly code: "vcpus-off"; readonly vcpus: readonly string[]; readonly started: boolean }
  /** The last CPU_ON that was refused, and none of that CPU has succeeded since. */
  | { readonly code: "start-refused"; readonly vcpu: string; readonly at: CodeRange; readonly mpidr: string; readonly status: string }
  | { readonly code: "no-kvm" };

const DEVICE_WAYS_OUT: { readonly [B in DeviceBecause]: string } = {
  "stage-1-off": "turn the MMU on first, with the lock in Normal memory",
  "mair": "map it as Normal memory",
  "stage-2": "take memory that stage 2 maps as Normal",
};

/** Why PSCI refuses to start a vCPU, by its error. */
const START_REFUSED: Readonly<Record<string, string>> = {
  "INVALID_PARAMETERS": "no vCPU of a VIC can have this affinity",
  "INTERNAL_FAILURE": "the VM has no such vCPU",
  "ALREADY_ON": "it is on already",
};

const ASID_SHIFT = 48n, PAGE_SHIFT = 12n;
type Missed = OfCode<Evidence, "stale-translation">["missed"];
/** The mistake in a TLBI, or in a store. */
const MISSED: { readonly [M in Missed]: (by: string, operand: bigint) => string } = {
  "cpu": (by) => `reached ${by} alone`,
  "asid": (_, operand) => `was for ASID ${operand >> ASID_SHIFT}, which is another one`,
  "address": (_, operand) => `was for address ${hex(BigInt.asUintN(64, operand << PAGE_SHIFT))}`,
  "store": (by, operand) => `of ${by} gave the valid entry another address (${hex(operand)}), and no TLBI has followed`,
};
const MISSED_WAYS_OUT: { readonly [M in Missed]: string } = {
  "cpu": "its inner-shareable form (VAE1IS, VMALLE1IS) reaches all",
  "asid": "put the ASID of the table into bits 63:48, or use VAAE1IS",
  "address": "its operand has the address shifted right by 12",
  "store": "write 0 to the entry, then TLBI VAE1IS and DSB ISH, and then the new entry (break-before-make)",
};

export const EVIDENCE = new Facts<Evidence>({
  "masked": ({ masked }) => `interrupts ${masked ? "masked" : "not masked"} (PSTATE.I)`,
  "reads": ({ range, pa, value, mapped }) => `reads ${rangeText(range)}, ${pa}, which is ${value}; mapped: ${mapped.join(", ")}`,
  "reads-register": ({ register, of, value }) => `reads ${register}${of === null ? "" : ` (${of})`}, which is ${value}`,
  "esr": ({ esr }) => `ESR_EL1 ${esr}`,
  "far": ({ range }) => `FAR_EL1 ${rangeText(range)}`,
  "last-exception": ({ exception, at }) => `the last exception: ${exception} at ${rangeText(at)}`,
  "beside": ({ fact }) => VERDICT_FACTS.text(fact),
  "priority": ({ priority }) => `priority ${priority}`,
  "rivals": ({ pcpu, rivals }) => `${pcpu} runs ${rivals.map(({ vcpu, priority }) => `${vcpu} of priority ${priority}`).join(", ")}`,
  "wakeup": ({ wait, state }) => `${WAITS.text(wait)}${state === null ? "" : `: ${SOURCE_STATES.text(state)}`}`,
  "barred": ({ irq, in_ns, barrier }) =>
    in_ns === null ? `${irq}: ${BARRIERS.text(barrier)}` : `${irq} (timer) is due in ${durationText(in_ns)}, but ${BARRIERS.text(barrier)}`,
  "nobody": ({ irq, through }) => `${irq}: no VM is at the other end of ${through}`,
  "only-itself": ({ irq, vm }) => `${irq}: only ${vm} itself can raise it`,
  "nothing-set": ({ vcpu }) => `${vcpu}: no timer is set, no interrupt with a source is enabled`,
  "answers": ({ by, through }) => `${by} answers for ${through}`,
  "raises": ({ by, through }) => `${by} raises it by ${through}`,
  "step": ({ vm, what }) =>
    what.until === null
      ? `${vm} waits for ${what.irq}, which ${what.by} raises by ${what.through}`
      : `${vm} waits for ${awaitedText(what)}`,
  "source": ({ source }) => source,
  "input-cleared": ({ vcpu, at }) => `${vcpu} wrote UARTICR at ${rangeText(at)} while characters were left`,
  "masked-input": ({ console, characters }) => `${portText(console, characters)}, and its receive interrupts are masked (UARTIMSC)`,
  "condition": ({ condition }) => `condition: ${condition}`,
  "injected": ({ inject, rule, hits }) => `${inject} has lost ${hits === 1 ? "1 interrupt" : `${hits} interrupts`}: ${rule}`,
  "asleep": ({ for_ns }) => `the VM has slept for ${durationText(for_ns)}`,
  "named-peer": ({ node, peer }) => `devicetree node ${node} names its peer "${peer}"`,
  "absent-peer": ({ node, label, peer }) => `${node} (label ${label}): its peer is ${absenceText(peer)}`,
  "finding": ({ irq, finding }) => `${irq} ${IRQ_FINDINGS.text(finding)}`,
  "console": ({ console }) => `${console} shows it`,
  "in-progress": ({ call, of }) => `ioctl ${call} of ${of} is in progress`,
  "state": ({ state, because }) => `state ${state}${because === null ? "" : `: ${VERDICT_FACTS.text(because)}`}`,
  "state-since": ({ vm, state, for_ns }) => `${vm} is ${state} for ${durationText(for_ns)}`,
  "unanswered": ({ vcpu, at, ipa }) => `${vcpu} got no answer to its access to ${ipa} at ${rangeText(at)}: an external abort`,
  "lost-sgi": ({ irq, from, affinity, wrong_group }) =>
    `${irq} from ${from} reached nobody: ${
      wrong_group
        ? `ICC_SGI0R_EL1 sends group 0, and the vCPU of affinity ${affinity} has it in group 1`
        : `no vCPU has affinity ${affinity}`
    }`,
  "refused": ({ why, call, rule }) => `${why} ${call}: ${rule}`,
  "stale-image": ({ used, built }) =>
    `its image (SHA-256 ${used}) is not the one that was built (SHA-256 ${built}): that build has not run yet`,
  "tree-overrun": ({ room, tree }) => `its BIOS has ${room} bytes for a copy of the devicetree, which has ${tree}: the copy overruns`,
  "broken": ({ rule }) => rule,
  "cause": ({ cause }) => EXCEPTION_CAUSES.text(cause),
  "gicv2-driver": ({ register, at }) =>
    `the guest drives a GICv2: it wrote ${register} at ${rangeText(at)}, which a GICv3 with affinity routing reserves`,
  "device-atomic": ({ vcpu, at, instruction, address, because }) =>
    `${vcpu} makes an exclusive or atomic access to ${address} at ${rangeText(at)}${instruction === null ? "" : ` (${instruction})`}, and ${
      DEVICE_WORDS[because]
    }: a CPU may abort it, or let it never succeed`,
  "stale-translation": ({ vcpu, at, address, missed, tlbi, by, by_at, operand }) =>
    `${vcpu} uses a translation of ${address} at ${rangeText(at)} that its tables no longer hold: ${tlbi} at ${rangeText(by_at)} ${
      MISSED[missed](by ?? "its vCPU", BigInt(operand))
    }`,
  "vcpus-off": ({ vcpus, started }) =>
    `${vcpus.join(", ")} ${vcpus.length === 1 ? "is" : "are"} off: ${started ? "CPU_OFF came" : "no CPU_ON of PSCI has come"}`,
  "start-refused": ({ vcpu, at, mpidr, status }) =>
    `PSCI CPU_ON of MPIDR ${mpidr} by ${vcpu} at ${rangeText(at)} -> ${status}: ${START_REFUSED[status] ?? "it was refused"}`,
  "kernel": ({ finding }) => LINUX_FINDINGS.text(finding),
  "no-driver": ({ devices }) => `${devices.join(", ")}: no driver has used ${devices.length === 1 ? "it" : "them"} (Status 0x0)`,
  "driver-failed": ({ devices }) => `${devices.join(", ")}: the driver has given up (FAILED in Status)`,
  "misplaced": ({ node, start, end, ipa }) => `the devicetree has ${node} at ${start}..${end}, and nothing answers at ${ipa}`,
  "boot": ({ finding }) => BOOT_FINDINGS.text(finding),
  "no-kvm": () => "this kernel is Gunyah's primary VM, at EL1: it cannot have /dev/kvm, and makes VMs by /dev/gunyah",
}, {
  "beside": ({ fact }) => VERDICT_FACTS.wayOut(fact),
  "wakeup": ({ state }) => state && isIdle(state) ? SOURCE_STATES.wayOut(state) : undefined,
  "lost-sgi": ({ wrong_group }) => wrong_group ? "use ICC_SGI1R_EL1" : undefined,
  "cause": ({ cause }) => EXCEPTION_CAUSES.wayOut(cause),
  "gicv2-driver": ({ use }) => `use ${use}`,
  "device-atomic": ({ because }) => DEVICE_WAYS_OUT[because],
  "stale-translation": ({ missed }) => MISSED_WAYS_OUT[missed],
  "start-refused": ({ status }) => status === "INTERNAL_FAILURE" ? "set vcpus in its configuration" : undefined,
  "kernel": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
  "no-driver": () => "a kernel with virtio_mmio or virtio_pci, and with the modules of these devices",
  "misplaced": () => "mend its reg",
  "boot": ({ finding }) => BOOT_FINDINGS.wayOut(finding),
});

/** Evidence as a line, with the way out if there is one. */
export function evidenceLine(evidence: Evidence): string {
  const wayOut = EVIDENCE.wayOut(evidence);
  return `${EVIDENCE.text(evidence)}${wayOut === undefined ? "" : `; way out: ${wayOut}`}`;
}

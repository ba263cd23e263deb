// Verdicts on VMs: the activity or the defect of each, as facts. The word of a verdict follows from
// its code.

import { ITS_RULES, type ItsRule } from "../../../machine/abi/its-rules.ts";
import { durationText, sizeText } from "../../../kit/support/text/number-text.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { BOOT_FINDINGS, type BootFinding } from "./boot-finding.ts";
import { Facts, type OfCode } from "./fact.ts";
import { IRQ_FINDINGS, type IrqFinding, stoppedText, stoppedWayOut } from "./irq-finding.ts";
import { type EndedBy, endedByText, LINUX_FINDINGS, type LinuxFinding, WATCHDOG_WAY_OUT } from "./linux-finding.ts";
import type { NamedTask } from "./program-wait.ts";
import { SOURCE_STATES, type SourceState } from "./source-state.ts";
import type { VerdictWord } from "./verdict-words.ts";
import { accessText, type DeviceAccess, type Wait, WAITS } from "./wait.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** A range of code, one address if both are equal, with the symbol and source line of the first. */
export type CodeRange = {
  readonly first: string;
  readonly last: string;
  readonly symbol: string | null;
  readonly source: string | null;
};

/**
 * Another VM that has to act: to raise an interrupt, to do something with a parcel, to write to
 * memory, or to send a frame to a network card.
 */
export type Awaited = {
  /**
   * `irq:ping/961 (mq:290 rx)`; empty for a parcel, memory, or a card, queue or doorbell that is
   * polled.
   */
  readonly irq: string;
  readonly by: string;
  /** The queue, doorbell, parcel, address or card. */
  readonly through: string;
  readonly until: "accept" | "release" | "write" | "release the lock at" | "send a frame to" | PolledEnd | null;
};

/** The end of the polling of a queue or a doorbell. */
export type PolledEnd = "ring" | "send to" | "receive from";

/** An exception, and the place that raised it. */
type RaisedException = { readonly exception: string; readonly at: CodeRange };

/** The activity, wait or defect of a VM. Times are virtual, in ns. */
export type VerdictFact =
  // Work.
  | { readonly code: "runs"; readonly vcpu: string }
  | { readonly code: "waits-for-vmm"; readonly vcpu: string; readonly access: DeviceAccess; readonly since_ns: number }
  | { readonly code: "vmm-silent"; readonly vcpu: string; readonly access: DeviceAccess; readonly since_ns: number }
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
  /** The system counter ends it, after `for_ns` at most, and after half of that at the earliest. */
  | { readonly code: "waits-for-counter"; readonly vcpu: string; readonly range: CodeRange; readonly for_ns: number | null }
  /**
   * Each turn leaves the state as it was, and nothing can end it. `reads`: how many places of
   * memory it reads; `asked`: where it reads CurrentEL, if it goes from there straight to the loop.
   */
  | { readonly code: "spins"; readonly vcpu: string; readonly range: CodeRange; readonly reads: number; readonly asked: string | null }
  | { readonly code: "exit-loop"; readonly vcpu: string; readonly range: CodeRange }
  | { readonly code: "wfi-returns"; readonly vcpu: string; readonly at: string; readonly mask: "I" | "F" }
  /** `then`: the exception of the handler itself, if that is another one. */
  | (
    & { readonly code: "crashed"; readonly vcpu: string; readonly handler: CodeRange; readonly then: RaisedException | null }
    & RaisedException
  )
  | ({ readonly code: "fault-loop"; readonly vcpu: string; readonly then: RaisedException | null } & RaisedException)
  | { readonly code: "starved"; readonly vcpu: string; readonly for_ns: number }
  // Sleep.
  | { readonly code: "waits"; readonly what: Wait; readonly others: number }
  | { readonly code: "awaits"; readonly what: readonly Awaited[]; readonly others: number }
  | { readonly code: "awaits-dead"; readonly what: Awaited; readonly does: PeerDoes }
  /** Nothing is under way in the source, and only the VM itself could start it. */
  | { readonly code: "source-idle"; readonly irq: string; readonly state: SourceState }
  | { readonly code: "no-wakeup" }
  | { readonly code: "deadlock"; readonly steps: readonly { readonly vm: string; readonly what: Awaited; readonly at: CodeRange }[] }
  /** `then`: barriers after the first, on the path of the interrupt. */
  | { readonly code: "lost"; readonly irq: string; readonly finding: IrqFinding; readonly then: readonly IrqFinding[] }
  | { readonly code: "unheard"; readonly irq: string; readonly source: string }
  /** A device's last message to the ITS has made no LPI pending. Numbers in hexadecimal. */
  | { readonly code: "message-dropped"; readonly device: string; readonly event: string; readonly rule: ItsRule }
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
  /** The kernel of a dump, in which nothing is wrong that el2 knows. */
  | { readonly code: "saved" }
  /** Of the machine: an invariant of its memory or objects does not hold. */
  | { readonly code: "broken"; readonly rule: string }
  // Starts and ends.
  /** The primary VM has ended the machine; `by`: the task that asked its kernel for it. */
  | { readonly code: "switched-off"; readonly by: EndedBy | null }
  /** `places`: where it was asked for, and the callers, if no task is known. */
  | { readonly code: "reset"; readonly by: EndedBy | null; readonly places: readonly CodeRange[] }
  /** Its kernel's own watchdog has reset it, while this task ran. */
  | { readonly code: "watchdog-bite"; readonly by: EndedBy }
  /** It ended by its own wish, and no console has ever shown anything. */
  | { readonly code: "unseen"; readonly then: "reset" | "power-off"; readonly because: UnshownBecause }
  | { readonly code: "gated" }
  | { readonly code: "no-vcpu" }
  | { readonly code: "powered-off" }
  /** All vCPUs have called CPU_OFF; `vcpu`: the last one. */
  | { readonly code: "all-off"; readonly vcpu: string; readonly at: CodeRange }
  | { readonly code: "not-started"; readonly call: string; readonly since_ns: number }
  | { readonly code: "buffer-refused"; readonly call: string; readonly rule: string }
  /** `lives`: ends in a row, each soon after a start; `how`: the last one. */
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

/** An end before which nothing was printed. */
export function unseenEnd(end: Omit<OfCode<VerdictFact, "unseen">, "code">): Problem {
  return VERDICT_FACTS.problem({ code: "unseen", ...end });
}

/** Why no console shows a VM's output: the machine, or the kernel, lacks those that it names. */
export type UnshownBecause = OfCode<BootFinding, "console-absent"> | OfCode<LinuxFinding, "console-unregistered">;

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
  "waits-for-counter": "waits",
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
  "saved": "stopped",
  "broken": "broken",
  "switched-off": "off",
  "reset": "stopped",
  "watchdog-bite": "failed",
  "unseen": "failed",
  "gated": "starts",
  "no-vcpu": "starts",
  "powered-off": "starts",
  "all-off": "stuck",
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
export function rangeText({ first, last, symbol, source }: CodeRange): string {
  const symbolText = symbol === null ? "" : ` <${symbol}>`, sourceText = source === null ? "" : ` at ${source}`;
  return `${first === last ? first : `${first}..${last}`}${symbolText}${sourceText}`;
}

/** `, which would write ipa:y/0x40000000`; empty if that is known. */
export const wouldText = (what: Awaited | null) =>
  what === null ? "" : `, which would ${what.until === null ? `raise ${what.irq}` : `${what.until} ${what.through}`}`;

/** `irq:x/962 (mq:290 rx) of vm:y`, `vm:y to accept parcel:0x3`. */
export const awaitedText = ({ irq, by, through, until }: Awaited) => until === null ? `${irq} of ${by}` : `${by} to ${until} ${through}`;

const orMore = (others: number) => others > 0 ? ` or ${others} more` : "";
export const absenceText = ({ peer, failed }: Absence) => failed ? `${peer}, which has failed` : `${peer}, which does not exist`;

/** How a VM ended: the operation that ended it, and the words of that. */
function endText({ code, call, result, how }: OfCode<VerdictFact, "failed" | "off" | "stopped">): string {
  const unknown = code === "failed"
    ? "it has failed, and no refusal and no fault of it is recorded"
    : "it has ended, and its owner takes it down";
  return `${call === null ? "" : `${call} -> ${result}: `}${how ?? unknown}`;
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

export const placesText = (places: readonly CodeRange[]) =>
  places.map((place, index) => `${index === 0 ? " at" : ", called at"} ${rangeText(place)}`).join("");

/** The request for an end. */
const THEN = { "reset": "a reset (PSCI SYSTEM_RESET)", "power-off": "its power-off (PSCI SYSTEM_OFF)" } as const;

export const portText = (console: string, characters: number) =>
  `${characters} ${characters === 1 ? "character waits" : "characters wait"} in the serial port of ${console}`;

/** Of a message that an ITS drops; other rules are those of its tables. */
const DROPPED_WAYS_OUT: Readonly<Partial<Record<ItsRule, string>>> = {
  "its-disabled": "set GITS_CTLR.Enabled",
  "device-unmapped": "map it with MAPD",
  "event-unmapped": "map it with MAPTI",
  "collection-unmapped": "map it with MAPC",
  "lpis-disabled": "set GICR_CTLR.EnableLPIs, and have the INTID within GICR_PROPBASER.IDbits",
};

/** Words for the other end of a wait in vain. */
const PEER_DOES = {
  failed: "has failed",
  ended: "has ended",
  faults: "faults again and again",
  loops: "is in an endless loop",
  off: "has turned off all its vCPUs",
  waits: "waits for ever itself",
} as const;
export type PeerDoes = keyof typeof PEER_DOES;

/** The way out of a wait for a VM that does something else. */
export const fixFirst = (vm: string) => way`fix ${vm} first: \`${hint("diagnose", vm)}\``;

/** Interrupts by the bit of PSTATE that masks them. */
const MASKED_BY = { I: "an interrupt", F: "an interrupt of group 0 (an FIQ)" } as const;
/** An hour and a day, in ns. */
const LONG = 3.6e12, DAY = 8.64e13;
const longText = (ns: number) =>
  ns < LONG ? durationText(ns) : ns < DAY ? `${Math.round(ns / LONG)} hours` : `${Math.round(ns / DAY)} days`;

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
  "waits-for-counter": ({ vcpu, range, for_ns }) =>
    `${vcpu} waits in a loop at ${rangeText(range)} until the system counter has ${
      for_ns === null ? "one exact value" : `moved on, by up to ${longText(for_ns)}`
    }`,
  "spins": ({ vcpu, range, reads, asked }) =>
    asked === null
      ? `${vcpu} loops at ${rangeText(range)}: ${reads > 0 ? "nothing can change what it reads" : "nothing can end it"}`
      : `${vcpu} read its exception level (EL1) at ${asked}, and stopped: it loops at ${rangeText(range)}`,
  "exit-loop": ({ vcpu, range }) =>
    `${vcpu} loops at ${rangeText(range)}: its calls and accesses to devices have the same answers again and again`,
  "wfi-returns": ({ vcpu, at, mask }) =>
    `${vcpu} is never blocked: its WFI at ${at} returns at once, as ${MASKED_BY[mask]} is signaled that it does not take`,
  "crashed": ({ vcpu, exception, at, handler, then }) =>
    `${vcpu} took ${exception} at ${rangeText(at)}, and its handler${
      then === null ? "" : ` took ${then.exception} at ${rangeText(then.at)} and`
    } does not return: it is at ${rangeText(handler)}`,
  "fault-loop": ({ vcpu, exception, at, then }) =>
    `${vcpu} took ${exception} at ${rangeText(at)}, and its handler takes ${
      then === null ? "the same exception" : `${then.exception} at ${rangeText(then.at)}`
    } again and again`,
  "starved": ({ vcpu, for_ns }) => `${vcpu} can run and has not for ${durationText(for_ns)}`,
  "waits": ({ what, others }) => `${WAITS.text(what)}${orMore(others)}`,
  "awaits": ({ what: [first, ...more], others }) =>
    `${awaitedText(more.length === 0 ? first : { ...first, by: [first, ...more].map(({ by }) => by).join(", ") })}${orMore(others)}`,
  "awaits-dead": ({ what, does }) => `waits for ${awaitedText(what)}${what.until === null ? ", which" : "; it"} ${PEER_DOES[does]}`,
  "source-idle": ({ irq, state }) => `waits for ${irq}, which nothing will raise: ${SOURCE_STATES.text(state)}`,
  "no-wakeup": () => "every vCPU waits for an interrupt, and none can come",
  "deadlock": ({ steps: [first, ...others] }) =>
    `waits for ${awaitedText(first.what)}, and ${others.map(({ vm, what: { by } }) => `${vm} for ${by}`).join(", ")}`,
  "lost": ({ irq, finding, then }) => `${irq} is pending and ${stoppedText(finding, then)}`,
  "unheard": ({ irq, source }) => `${irq} (${source}) was raised and is not pending: the interrupt was lost`,
  "message-dropped": ({ device, event, rule }) =>
    `the message of device ${device}, event ${event}, has made no LPI pending: ${ITS_RULES[rule]}`,
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
  "saved": () => "a dump: its kernel has not panicked, and el2 finds no defect in it",
  "broken": ({ rule }) => rule,
  "switched-off": ({ by }) => `it powered itself off (PSCI SYSTEM_OFF)${byText(by)}`,
  "reset": ({ by, places }) => `it asked for a reset (PSCI SYSTEM_RESET)${byText(by)}${placesText(places)}`,
  "watchdog-bite": ({ by }) => `it asked for a reset (PSCI SYSTEM_RESET)${byText(by)}`,
  "unseen": ({ then, because }) =>
    `nothing was printed before the guest asked for ${THEN[then]}: ${
      because.code === "console-absent" ? BOOT_FINDINGS.text(because) : LINUX_FINDINGS.text(because)
    }`,
  "gated": () => "it is made, and waits to be started",
  "no-vcpu": () => "it has no vCPU yet",
  "powered-off": () => "no vCPU is powered on",
  "all-off": ({ vcpu, at }) => `all its vCPUs are off, so that none can turn one on: ${vcpu} called CPU_OFF last, at ${rangeText(at)}`,
  "not-started": ({ call, since_ns }) => `it is not started: ${call} of its VMM has not returned for ${durationText(since_ns)}`,
  "buffer-refused": ({ call, rule }) => `${call} refused: ${rule}`,
  "restarts": ({ lives, how }) => `it restarts again and again: ${lives} ends in a row, the last one: ${how}`,
  "failed": endText,
  "off": endText,
  "stopped": endText,
  "leaked": leakText,
}, {
  "vmm-silent": () => "have the VMM answer it, and call vcpu_run again",
  "vmm-absent": () => "have the VMM call vcpu_run again after each return",
  "waits-for-counter": ({ for_ns }) =>
    for_ns === null
      ? "compare for a time that has come (CMP, B.LO): the counter may pass a value between two reads"
      : for_ns < LONG
      ? undefined
      : "compute the deadline from CNTFRQ_EL0, the frequency in Hz, and in 64 bits without sign",
  "spins": ({ reads, asked }) =>
    asked !== null
      ? "it may need EL2, which a VM does not have: use a program that starts at EL1"
      : reads > 0
      ? "change what it reads in a handler or on another vCPU, or end the loop after some time"
      : "end the loop, or the VM by PSCI SYSTEM_OFF",
  "exit-loop": () => "give up after some tries, or wait for an interrupt",
  "wfi-returns": ({ mask }) =>
    `clear PSTATE.${mask} where it waits, or disable the interrupt${mask === "F" ? ", or put it into group 1" : ""}`,
  "starved": () => "give it the priority of its rivals or a higher one, or another physical CPU (affinity_map)",
  "watchdog-bite": () => WATCHDOG_WAY_OUT,
  "restarts": () => "find what it lacks where it asks for its end",
  "awaits-dead": ({ what: { by }, does }) => does === "ended" ? way`start ${by} again: \`${hint("vm start", by)}\`` : fixFirst(by),
  "all-off": () => "leave a vCPU on, or end the VM by PSCI SYSTEM_OFF",
  "no-wakeup": () => "set a timer, or enable an interrupt that can come, before the sleep",
  "deadlock": ({ steps }) =>
    steps.every(({ what: { until } }) => until === "release the lock at")
      ? "take locks in one order in all VMs, and release each"
      : "have one of them act before it waits, or set a timer",
  "unheard": () => "run the machine again without rules that lose interrupts",
  "undelivered": ({ peer: { peer, failed } }) => failed ? fixFirst(peer) : "name a VM that exists as the peer of its node",
  "leaked": ({ vmid, parcels }) =>
    `have its owner ${
      [...parcels.length > 0 ? ["reclaim the parcels (MEM_RECLAIM)"] : [], ...vmid === null ? [] : ["deallocate it (VM_DEALLOCATE)"]].join(
        " and ",
      )
    }`,
  "lost": ({ finding, then }) => stoppedWayOut(finding, then),
  "source-idle": ({ state }) => SOURCE_STATES.wayOut(state),
  "message-dropped": ({ rule }) => DROPPED_WAYS_OUT[rule] ?? "have GITS_BASER and MAPD name zeroed tables that are large enough",
  "unread-input": () => "write UARTICR first, and then read until FR.RXFE is set",
  "irq-storm": ({ finding }) => IRQ_FINDINGS.wayOut(finding),
  "unseen": ({ because }) => because.code === "console-absent" ? BOOT_FINDINGS.wayOut(because) : LINUX_FINDINGS.wayOut(because),
  "kernel-broken": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
  "kernel-waits": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
});

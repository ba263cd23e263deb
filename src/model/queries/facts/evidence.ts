// The evidence of verdicts on VMs, as facts.

import { ownerText } from "../../../machine/abi/smccc.ts";
import { durationText, timeText } from "../../../kit/support/text/number-text.ts";
import { BOARD_FINDINGS, type BoardFinding } from "./board-finding.ts";
import { BOOT_FINDINGS, type BootFinding } from "./boot-finding.ts";
import { DEVICE_WORDS, type DeviceBecause, EXCEPTION_CAUSES, type ExceptionCause } from "./exception-cause.ts";
import { isHealthy } from "./verdict-words.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { Facts, type OfCode } from "./fact.ts";
import { removalOf } from "./injected.ts";
import { barriersText, type IrqFinding, stoppedText, stoppedWayOut } from "./irq-finding.ts";
import { LINUX_FINDINGS, type LinuxFinding } from "./linux-finding.ts";
import { endText, type LoopEnd } from "./loop-end.ts";
import { isIdle, SOURCE_STATES, type SourceState } from "./source-state.ts";
import {
  type Absence,
  absenceText,
  type Awaited,
  awaitedText,
  type CodeRange,
  fixFirst,
  type PolledEnd,
  portText,
  rangeText,
  VERDICT_FACTS,
  type VerdictFact,
  wordOf,
  wouldText,
} from "./verdict.ts";
import { BETTER_SEND, limitText, POLLED, SWALLOWED } from "./send-words.ts";
import { ALREADY_ON, DEVICE_WAYS_OUT, MISSED, MISSED_WAYS_OUT, type MissedBy, startRefused } from "./trail-words.ts";
import { type Wait, WAITS } from "./wait.ts";

/** Facts that a verdict follows from. */
export type Evidence =
  | { readonly code: "masked"; readonly masked: boolean }
  /** A word that a loop reads; `until`: the value that ends the loop, if its branch tells. */
  | {
    readonly code: "reads";
    readonly range: CodeRange;
    readonly pa: string;
    readonly value: string;
    readonly until: LoopEnd | null;
    readonly mapped: readonly string[];
  }
  /** A word that ends a loop, and that nothing can write any more. */
  | { readonly code: "unwritten"; readonly range: CodeRange; readonly pa: string; readonly value: string; readonly until: LoopEnd }
  /** An SGI that is pending at a vCPU which does not take it. */
  | { readonly code: "barred-sgi"; readonly irq: string; readonly finding: IrqFinding; readonly then: readonly IrqFinding[] }
  /** A register that a loop reads: its name, or its address and the name of its device. */
  | {
    readonly code: "reads-register";
    readonly register: string;
    readonly of: string | null;
    readonly name: string | null;
    readonly value: string;
    readonly until: LoopEnd | null;
  }
  /** The branch that would leave a loop that reads nothing, and the registers that decide it. */
  | {
    readonly code: "unchanging";
    readonly at: CodeRange;
    readonly instruction: string;
    readonly registers: readonly { readonly name: string; readonly value: string }[];
  }
  /** A loop in the handler of an interrupt; `interrupted`: the code that does not continue. */
  | { readonly code: "in-handler"; readonly interrupted: CodeRange }
  /** An SMCCC call of a loop, to which the answer is -1 for ever. */
  | {
    readonly code: "unserved-call";
    readonly instruction: "hvc" | "smc";
    readonly function: string;
    readonly at: CodeRange;
  }
  /** An SMCCC call of a loop, answered the same each time: X1, X0 after it; a vCPU that is on. */
  | {
    readonly code: "same-answer";
    readonly instruction: "hvc" | "smc";
    readonly function: string;
    readonly argument: string;
    readonly at: CodeRange;
    readonly answer: string;
    readonly other: { readonly vcpu: string; readonly asleep: boolean } | null;
  }
  /** RET at the end of a loop goes to its begin, after a call. */
  | { readonly code: "returns-to-itself"; readonly vcpu: string; readonly at: CodeRange; readonly call: CodeRange }
  /** A store-exclusive of a loop is not to the address that the load-exclusive has reserved. */
  | {
    readonly code: "stray-exclusive";
    readonly at: CodeRange;
    readonly instruction: string;
    readonly address: string;
    readonly reserved: string;
  }
  /** vCPUs of a VM that all wait for locks that are taken. */
  | {
    readonly code: "taken-locks";
    /** `place`: of the lock, as questions about memory take it. */
    readonly waits: readonly { readonly vcpu: string; readonly lock: CodeRange; readonly place: string; readonly value: string }[];
  }
  /**
   * A loop takes a lock by load-exclusive, which is not free, on the only vCPU of its VM;
   * `interrupted`: the code that the handler of an interrupt has interrupted, which takes the lock.
   */
  | {
    readonly code: "own-lock";
    readonly at: CodeRange;
    readonly lock: CodeRange;
    readonly value: string;
    readonly vcpu: string;
    readonly interrupted: CodeRange | null;
  }
  /** An interrupt is signaled to a vCPU in a loop, which has this bit of PSTATE set. */
  | { readonly code: "masked-pending"; readonly irq: string; readonly vcpu: string; readonly mask: "I" | "F" }
  /** A lock in memory that a VM shared, which is taken, and the end of that VM (ns). */
  | {
    readonly code: "left-lock";
    readonly vm: string;
    readonly fact: VerdictFact;
    readonly ended_ns: string;
    readonly at: CodeRange;
    readonly lock: CodeRange;
    readonly pa: string;
    readonly size: number;
    readonly value: string;
  }
  /** The last error that a program has reported on a console; `times`: how often it is there. */
  | { readonly code: "said"; readonly console: string; readonly text: string; readonly times: number }
  /** A loop polls a queue or doorbell, in which it finds nothing; `by`: who would have to act. */
  | {
    readonly code: "polls";
    readonly call: string;
    readonly at: CodeRange;
    readonly through: string;
    readonly until: PolledEnd;
    readonly by: string | null;
    readonly ended: boolean;
  }
  /** A loop reads a ring of a device, which waits for its driver. */
  | { readonly code: "polled-device"; readonly vcpu: string; readonly range: CodeRange; readonly state: SourceState }
  | { readonly code: "esr"; readonly esr: string }
  | { readonly code: "far"; readonly range: CodeRange }
  /** The verdict on another vCPU of the VM. */
  | { readonly code: "beside"; readonly fact: VerdictFact }
  | { readonly code: "priority"; readonly priority: number }
  | { readonly code: "rivals"; readonly pcpu: string; readonly rivals: readonly { readonly vcpu: string; readonly priority: number }[] }
  | { readonly code: "wakeup"; readonly wait: Wait; readonly state: SourceState | null }
  | {
    readonly code: "barred";
    readonly irq: string;
    readonly in_ns: number | null;
    readonly barrier: IrqFinding;
    readonly then: readonly IrqFinding[];
  }
  | { readonly code: "nobody"; readonly irq: string; readonly through: string }
  | { readonly code: "only-itself"; readonly irq: string; readonly vm: string }
  | { readonly code: "nothing-set"; readonly vcpu: string }
  | { readonly code: "answers"; readonly by: string; readonly through: string }
  | { readonly code: "raises"; readonly by: string; readonly through: string }
  /**
   * The verdict on the VM at the other end of a wait, and the virtual time (ns) of its end; `what`:
   * what it would have to do, null if the verdict says it.
   */
  | {
    readonly code: "other-end";
    readonly vm: string;
    readonly what: Awaited | null;
    readonly fact: VerdictFact;
    readonly ended_ns: string | null;
  }
  /** The first send of a VM through its queues or doorbells was refused; `limit`: in bytes. */
  | {
    readonly code: "refused-send";
    readonly why: string;
    readonly vm: string;
    readonly call: string;
    readonly at: CodeRange;
    readonly rule: string;
    readonly limit: number | null;
  }
  /** Flags of a doorbell that raise no interrupt; `wakes`: those that do, null if none is bound. */
  | { readonly code: "unheard-ring"; readonly bell: string; readonly sends: number; readonly flags: string; readonly wakes: string | null }
  /** The last send to a queue or doorbell was OK, and has done nothing. */
  | { readonly code: "swallowed"; readonly through: string; readonly by: string; readonly why: keyof typeof SWALLOWED }
  /** The last ring of a doorbell came before the one before it was taken. */
  | { readonly code: "merged-ring"; readonly through: string; readonly by: string; readonly sends: number }
  /**
   * Messages that another VM has not taken, or a ring (null); `path`: the barriers of its
   * interrupt.
   */
  | {
    readonly code: "untaken";
    readonly by: string;
    readonly through: string;
    readonly messages: { readonly count: number; readonly refused: boolean } | null;
    readonly irq: string | null;
    readonly path: readonly IrqFinding[];
  }
  /** The Resource Manager has thrown away a packet of a VM, or a message to it. */
  | { readonly code: "dropped"; readonly vm: string; readonly way: "from" | "to"; readonly event: string; readonly rule: string }
  | { readonly code: "step"; readonly vm: string; readonly what: Awaited; readonly at: CodeRange }
  | { readonly code: "source"; readonly source: string }
  | { readonly code: "condition"; readonly condition: string }
  /** The vCPU has cleared the receive interrupts of a serial port, and characters were left. */
  | { readonly code: "input-cleared"; readonly vcpu: string; readonly at: CodeRange }
  /** Characters in a serial port whose receive interrupts the guest has masked. */
  | { readonly code: "masked-input"; readonly console: string; readonly characters: number }
  | { readonly code: "asleep"; readonly for_ns: number }
  | { readonly code: "named-peer"; readonly node: string; readonly peer: string }
  | { readonly code: "absent-peer"; readonly node: string; readonly label: number; readonly peer: Absence }
  | { readonly code: "finding"; readonly irq: string; readonly finding: IrqFinding; readonly then: readonly IrqFinding[] }
  | { readonly code: "console"; readonly console: string }
  /** A line of a kernel's log, at the guest's own time (ns), where no console has shown it. */
  | { readonly code: "logged"; readonly t: string; readonly text: string }
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
  | { readonly code: "board"; readonly finding: BoardFinding }
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
    readonly missed: MissedBy;
    readonly tlbi: string;
    /** Null if that vCPU is no longer there. */
    readonly by: string | null;
    readonly by_at: CodeRange;
    readonly operand: string;
  }
  /** vCPUs of a VM that makes no progress, which are off; `started`: they were on before. */
  | { readonly code: "vcpus-off"; readonly vcpus: readonly string[]; readonly started: boolean }
  /** The last CPU_ON that was refused, and none of that CPU has succeeded since. */
  | {
    readonly code: "start-refused";
    readonly vcpu: string;
    readonly at: CodeRange;
    readonly mpidr: string;
    readonly status: string;
    readonly mpidrs: readonly string[];
  }
  | { readonly code: "no-kvm" }
  /** A rule of injected faults has hit operations for which the VM may wait. */
  | { readonly code: "injected"; readonly inject: string; readonly rule: string; readonly hits: number };

/** Answers of PSCI and the TRNG that are errors (Arm DEN 0022, 5.2.2; DEN 0098, 2.2). */
const INVALID = "-2",
  ANSWERS: Readonly<Record<string, string>> = { "-1": "NOT_SUPPORTED", [INVALID]: "INVALID_PARAMETERS", "-3": "DENIED" };

export const EVIDENCE = new Facts<Evidence>({
  "masked": ({ masked }) => `interrupts ${masked ? "masked" : "not masked"} (PSTATE.I)`,
  "reads": ({ range, pa, value, until, mapped }) =>
    `reads ${rangeText(range)}, ${pa}, which is ${value}${until === null ? "" : `, ${endText(until)}`}; mapped: ${mapped.join(", ")}`,
  "unwritten": ({ range, pa, value, until }) => `${rangeText(range)} (${pa}) is ${value}, and the loop reads it ${endText(until)}`,
  "barred-sgi": ({ irq, finding, then }) => `${irq} was sent, and ${stoppedText(finding, then)}`,
  "reads-register": ({ register, of, name, value, until }) =>
    `reads ${[name, name && "at", register].filter(Boolean).join(" ")}${of === null ? "" : ` (${of})`}, which is ${value}${
      until === null ? "" : `, ${endText(until, name ?? register)}`
    }`,
  "unchanging": ({ at, instruction, registers }) =>
    `only "${instruction}" at ${rangeText(at)} would leave it, and each turn has ${
      registers.map(({ name, value }) => `${name} ${value}`).join(", ")
    }: it reads no memory`,
  "in-handler": ({ interrupted }) =>
    `the loop is in the handler of an interrupt: the code at ${rangeText(interrupted)} that it has interrupted waits for its end`,
  "unserved-call": ({ instruction, function: id, at }) =>
    `${instruction.toUpperCase()} at ${rangeText(at)} asks for SMCCC function ${id} of ${
      ownerText(Number(id))
    }, which is not here: X0 is -1 each time`,
  "same-answer": ({ instruction, function: name, argument, at, answer, other }) =>
    `${instruction.toUpperCase()} at ${rangeText(at)} calls ${name} (X1 ${argument}): X0 is ${answer}${
      ANSWERS[answer] === undefined ? "" : ` (${ANSWERS[answer]})`
    } each time${other === null ? "" : `: ${other.vcpu} is on${other.asleep ? ", and sleeps" : ""}`}`,
  "returns-to-itself": ({ vcpu, at, call }) =>
    `${vcpu} loops: RET at ${rangeText(at)} returns to the place after the call at ${rangeText(call)}, which has overwritten X30`,
  "stray-exclusive": ({ at, instruction, address, reserved }) =>
    `"${instruction}" at ${rangeText(at)} never succeeds: it stores to ${address}, and the load-exclusive has reserved ${reserved}`,
  "taken-locks": ({ waits }) =>
    `each vCPU of the VM that is on waits for a lock that is taken: ${
      waits.map(({ vcpu, lock, value }) => `${vcpu} for ${rangeText(lock)} (${value})`).join(", ")
    }`,
  "own-lock": ({ at, lock, value, vcpu, interrupted }) =>
    `the load-exclusive at ${rangeText(at)} finds ${value} in ${
      rangeText(lock)
    }, and its VM has no other vCPU than ${vcpu} that could release a lock${
      interrupted === null ? "" : `, which an interrupt has taken from ${rangeText(interrupted)}`
    }`,
  "masked-pending": ({ irq, vcpu, mask }) => `${irq} is pending, and ${vcpu} does not take it: PSTATE.${mask} is set`,
  "left-lock": ({ vm, fact, ended_ns, at, lock, value }) =>
    `the lock at ${rangeText(lock)} is taken (${value}), as ${rangeText(at)} finds, and ${vm}, which shares it, ended at ${
      timeText(Number(ended_ns))
    }: ${VERDICT_FACTS.text(fact)}`,
  "said": ({ console, text, times }) => `the last error on ${console}${times > 1 ? `, there ${times} times lately,` : ""} is: ${text}`,
  "polls": ({ call, at, through, until, by, ended }) =>
    `${call} at ${rangeText(at)} finds ${POLLED[until]} ${through} each time, and ${
      by === null
        ? `nobody is there to ${until} it`
        : ended
        ? `${by}, which would ${until} it, has ended`
        : `waits for ${by} to ${until} it`
    }`,
  "polled-device": ({ vcpu, range, state }) => `${vcpu} polls ${rangeText(range)} for a device: ${SOURCE_STATES.text(state)}`,
  "esr": ({ esr }) => `ESR_EL1 ${esr}`,
  "far": ({ range }) => `FAR_EL1 ${rangeText(range)}`,
  "beside": ({ fact }) => VERDICT_FACTS.text(fact),
  "priority": ({ priority }) => `priority ${priority}`,
  "rivals": ({ pcpu, rivals }) => `${pcpu} runs ${rivals.map(({ vcpu, priority }) => `${vcpu} of priority ${priority}`).join(", ")}`,
  "wakeup": ({ wait, state }) => `${WAITS.text(wait)}${state === null ? "" : `: ${SOURCE_STATES.text(state)}`}`,
  "barred": ({ irq, in_ns, barrier, then }) => {
    const barriers = barriersText([barrier, ...then]);
    return in_ns === null ? `${irq}: ${barriers}` : `${irq} (timer) is due in ${durationText(in_ns)}, but ${barriers}`;
  },
  "nobody": ({ irq, through }) => `${irq}: no VM is at the other end of ${through}`,
  "only-itself": ({ irq, vm }) => `${irq}: only ${vm} itself can raise it`,
  "nothing-set": ({ vcpu }) => `${vcpu}: no timer is set, no interrupt with a source is enabled`,
  "answers": ({ by, through }) => `${by} answers for ${through}`,
  "raises": ({ by, through }) => `${by} raises it by ${through}`,
  "other-end": ({ vm, what, fact, ended_ns }) => {
    const would = wouldText(what), end = ended_ns === null ? "" : `${would && ","} ended at ${timeText(Number(ended_ns))}`;
    return `${vm}${would}${end}: ${VERDICT_FACTS.text(fact)}`;
  },
  "refused-send": ({ why, vm, call, at, rule, limit }) =>
    `${call} of ${vm} at ${rangeText(at)} was refused, and nothing was sent: ${rule}${limitText(limit)} (${why})`,
  "unheard-ring": ({ bell, sends, flags, wakes }) =>
    `${bell} was rung (${sends} ${sends === 1 ? "send" : "sends"}), and its flags ${flags} raise nothing: ${
      wakes === null ? "no interrupt is bound to it" : `flags that raise its interrupt: ${wakes}`
    }`,
  "swallowed": ({ through, by, why }) => `the last send of ${by} to ${through} was OK and did nothing: ${SWALLOWED[why]}`,
  "merged-ring": ({ through, by, sends }) =>
    `the last of ${sends} rings of ${through} by ${by} came before the one before it was taken: both are one`,
  "untaken": ({ by, through, messages, irq, path: [first, ...then] }) => {
    const what = messages === null ? "the last ring" : `${messages.count} ${messages.count === 1 ? "message" : "messages"}`;
    const barrier = first === undefined ? "" : `: ${irq} ${stoppedText(first, then)}`;
    return `${by} has not taken ${what} of ${through}${messages?.refused ? ", which is full (a send was refused)" : ""}${barrier}`;
  },
  "dropped": ({ vm, way, event, rule }) =>
    `the Resource Manager has dropped a ${way === "from" ? "packet of" : "message to"} ${vm} (${event}), and answers nothing: ${rule}`,
  "step": ({ vm, what, at }) =>
    `${vm} waits at ${rangeText(at)} for ${
      what.until === null ? `${what.irq}, which ${what.by} raises by ${what.through}` : awaitedText(what)
    }`,
  "source": ({ source }) => source,
  "input-cleared": ({ vcpu, at }) => `${vcpu} wrote UARTICR at ${rangeText(at)} while characters were left`,
  "masked-input": ({ console, characters }) => `${portText(console, characters)}, and its receive interrupts are masked (UARTIMSC)`,
  "condition": ({ condition }) => `condition: ${condition}`,
  "asleep": ({ for_ns }) => `the VM has slept for ${durationText(for_ns)}`,
  "named-peer": ({ node, peer }) => `devicetree node ${node} names its peer "${peer}"`,
  "absent-peer": ({ node, label, peer }) => `${node} (label ${label}): its peer is ${absenceText(peer)}`,
  "finding": ({ irq, finding, then }) => `${irq} ${stoppedText(finding, then)}`,
  "console": ({ console }) => `${console} shows it`,
  "logged": ({ t, text }) => `its log at ${timeText(Number(t))}: ${text}`,
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
  "start-refused": ({ vcpu, at, mpidr, status, mpidrs }) =>
    `PSCI CPU_ON of MPIDR ${mpidr} by ${vcpu} at ${rangeText(at)} -> ${status}: ${startRefused(status, mpidrs)}`,
  "kernel": ({ finding }) => LINUX_FINDINGS.text(finding),
  "no-driver": ({ devices }) => `${devices.join(", ")}: no driver has used ${devices.length === 1 ? "it" : "them"} (Status 0x0)`,
  "driver-failed": ({ devices }) => `${devices.join(", ")}: the driver has given up (FAILED in Status)`,
  "misplaced": ({ node, start, end, ipa }) => `the devicetree has ${node} at ${start}..${end}, and nothing answers at ${ipa}`,
  "boot": ({ finding }) => BOOT_FINDINGS.text(finding),
  "board": ({ finding }) => BOARD_FINDINGS.text(finding),
  "injected": ({ inject, rule, hits }) => `${inject} has hit ${hits === 1 ? "1 operation" : `${hits} operations`}: ${rule}`,
  "no-kvm": () => "this kernel is Gunyah's primary VM, at EL1: it cannot have /dev/kvm, and makes VMs by /dev/gunyah",
}, {
  "beside": ({ fact }) => VERDICT_FACTS.wayOut(fact),
  "polled-device": ({ state }) => SOURCE_STATES.wayOut(state),
  "unheard-ring": ({ wakes }) =>
    wakes === null ? "bind an interrupt to it (doorbell_bind_virq)" : "enable these flags with gh_hypercall doorbell_mask before the sleep",
  "swallowed": ({ by, why }) => `have ${by} ${BETTER_SEND[why]}`,
  "dropped": ({ way }) =>
    way === "from"
      ? "send whole packets: a header of 8 bytes, and the parts of a message in order"
      : "have it take its messages, and give its queue messages of 240 bytes",
  "refused-send": ({ why, call }) =>
    way`look at X0 after ${call}, and send what is not refused: \`${hint("why", why)}\` has the rule and the values`,
  "merged-ring": () => "ring again only after an answer, or count with the messages of a queue",
  "same-answer": ({ answer, other }) =>
    other !== null
      ? way`have ${other.vcpu} call CPU_OFF: \`${hint("vcpu stack", other.vcpu)}\` shows where it is`
      : answer === INVALID
      ? "fix its arguments: X1 to X3"
      : undefined,
  "returns-to-itself": () => "save X30 before a call, and restore it before RET",
  "stray-exclusive": () => "use the same address in both",
  "taken-locks": ({ waits: [first] }) =>
    way`take locks in one order on all CPUs, and release each: \`${hint("who", first.place)}\` finds who took one`,
  "own-lock": ({ interrupted }) =>
    interrupted === null
      ? "release the lock before it is taken again, or store 0 there at the start"
      : "mask interrupts while the lock is taken that their handler takes, too",
  "unchanging": () => "read it in the loop (volatile, or READ_ONCE), or change the register in each turn",
  "in-handler": () => "do not wait in a handler: return, and look again at the next interrupt",
  "masked-pending": ({ mask }) => `clear PSTATE.${mask} where it waits (DAIFClr), or ${mask} of SPSR_EL1 before ERET`,
  "left-lock": ({ vm, pa, size }) =>
    way`have ${vm} release the lock before it ends, or store 0 there for it: \`${hint("who", pa, { size })}\` finds who took it`,
  "other-end": ({ vm, what, fact, ended_ns }) =>
    what === null || ended_ns === null && isHealthy(wordOf(fact))
      ? undefined
      : ended_ns === null
      ? fixFirst(vm)
      : way`start ${vm} again: \`${hint("vm start", vm)}\``,
  "unserved-call": () => "take -1 for an answer, and do without the function",
  "barred": ({ barrier, then }) => stoppedWayOut(barrier, then),
  "unwritten": ({ pa, value }) => way`find what should write it: \`${hint("who", pa, { size: value.length / 2 - 1 })}\` has the last store`,
  "barred-sgi": ({ finding, then }) => stoppedWayOut(finding, then),
  "injected": ({ inject }) => removalOf(inject),
  "stale-image": () => "copy what was built to the file that image names, or name that file there",
  "tree-overrun": () => "make the devicetree smaller, or use a BIOS with more room for it",
  "wakeup": ({ state }) => state && isIdle(state) ? SOURCE_STATES.wayOut(state) : undefined,
  "lost-sgi": ({ wrong_group }) => wrong_group ? "use ICC_SGI1R_EL1" : undefined,
  "cause": ({ cause }) => EXCEPTION_CAUSES.wayOut(cause),
  "gicv2-driver": ({ use }) => `use ${use}`,
  "device-atomic": ({ because }) => DEVICE_WAYS_OUT[because],
  "stale-translation": ({ missed }) => MISSED_WAYS_OUT[missed],
  "start-refused": ({ status }) =>
    status === ALREADY_ON ? undefined : "pass an MPIDR of its devicetree (reg in /cpus), or set vcpus in its configuration",
  "kernel": ({ finding }) => LINUX_FINDINGS.wayOut(finding),
  "no-driver": () => "a kernel with virtio_mmio or virtio_pci, and with the modules of these devices",
  "misplaced": () => "fix its reg",
  "boot": ({ finding }) => BOOT_FINDINGS.wayOut(finding),
  "board": ({ finding }) => BOARD_FINDINGS.wayOut(finding),
});

/** A rule of injected faults that has hit operations, as evidence. */
export function injectedBy(
  { id, rule, hits }: { readonly id: string; readonly rule: { readonly text: string }; readonly hits: number },
): OfCode<Evidence, "injected"> {
  return { code: "injected", inject: id, rule: rule.text, hits };
}

/** Evidence as a line, with the way out if there is one. */
export function evidenceLine(evidence: Evidence): string {
  const wayOut = EVIDENCE.wayOutText(evidence);
  return `${EVIDENCE.text(evidence)}${wayOut === undefined ? "" : `; way out: ${wayOut}`}`;
}

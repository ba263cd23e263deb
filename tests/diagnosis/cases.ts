// Broken guests and configurations, each with the verdict that it has to get. Those that are
// refused before the start have the error instead of it.

import type { ExceptionCause } from "../../src/model/queries/facts/exception-cause.ts";
import { FAULT } from "./broken-guest.ts";

/** A broken case. */
export interface BrokenCase {
  readonly name: string;
  readonly kind: "crash" | "hang" | "refusal" | "misconfiguration";
  /** A configuration; its files are `broken.bin` and those of the demo. */
  readonly text: string;
  /** Faults that are injected. */
  readonly inject?: readonly string[];
  /** Virtual time (ns) until which it runs; 240 ms by default. */
  readonly until?: number;
  /** The VM that is diagnosed. */
  readonly vm?: string;
  /** The verdict on it; undefined if the configuration is refused. */
  readonly verdict?: string;
  /** Text of the first line after `vm:x VERDICT: `, or of the first error. */
  readonly says: RegExp;
  /** The cause of the exception that ended it. */
  readonly cause?: ExceptionCause["code"];
  /** Text of the reason or the evidence: the way out, or the next command. */
  readonly wayOut?: RegExp;
}

const GUEST = 'image = "broken.bin"\nmemory = "4MiB"\n';

/** A VM whose guest breaks in one way. */
function vm(fault: keyof typeof FAULT, { name = "x", more = "", bells = "" } = {}): string {
  return `[vm.${name}]\n${GUEST}cmdline = "fault=${FAULT[fault]}${bells}"\n${more}`;
}

const file = (text: string) => `el2 = 1\n${text}`;
const NO_HANDLER = "its handler at 0x70000200 cannot be fetched$";

function crash(name: string, fault: keyof typeof FAULT, says: string, cause: ExceptionCause["code"], wayOut: RegExp): BrokenCase {
  const how = new RegExp(`^x/0 stopped: ${says}; .+; ${NO_HANDLER}`);
  return { name, kind: "crash", text: file(vm(fault)), verdict: "failed", says: how, cause, wayOut };
}

const CRASHES: readonly BrokenCase[] = [
  crash("an undefined instruction", "undefined", String.raw`undefined instruction at 0x8000\w+: udf #0`, "not-code", /find the branch/),
  crash(
    "a load from where nothing is",
    "loadNowhere",
    String.raw`data abort: external abort at 0x8000\w+: ldr w\d+, \[x\d+\]`,
    "not-given",
    /fix the pointer/,
  ),
  crash(
    "a store to where nothing is",
    "storeNowhere",
    String.raw`data abort(?:, write)?: external abort at 0x8000\w+: str w\d+, \[x\d+\]`,
    "not-given",
    /fix the pointer/,
  ),
  crash("a jump to address 0", "jumpNowhere", "instruction abort: external abort at 0x0: not mapped", "jump-to-devices", /null/),
  crash(
    "an unaligned load without an MMU",
    "unaligned",
    String.raw`data abort, read: alignment fault at 0x8000\w+: ldr w\d+, \[x\d+\]`,
    "device-alignment",
    /-mstrict-align/,
  ),
  crash("a breakpoint instruction", "break", String.raw`BRK at 0x8000\w+: brk #0x7`, "trap-instruction", /el2 back --to/),
  crash(
    "a return into a mode that does not exist",
    "illegalState",
    String.raw`illegal execution state at 0x8000\w+: [^;]+`,
    "illegal-state",
    /SPSR_EL1/,
  ),
  crash("a misaligned stack", "misalignedStack", String.raw`misaligned SP at 0x8000\w+: ldr x9, \[sp\]`, "sp-alignment", /multiples of 16/),
  {
    name: "a fault that the guest's handler ends by a reset",
    kind: "crash",
    text: file(vm("handled")),
    verdict: "failed",
    says: /^x\/0 took data abort.* at 0x8000\w+: ldr .*; in its handler the guest asked for a reset \(PSCI SYSTEM_RESET\)$/,
    cause: "not-given",
    wayOut: /el2 back --to \d+/,
  },
  {
    name: "a fault that the guest's handler ends by a reset, in each of its lives",
    kind: "crash",
    text: file(vm("handled", { more: 'on_exit = "restart"\n' })),
    // The longer, the more lives, and each is a VM that is made.
    until: 60e6,
    verdict: "failed",
    says:
      /^it restarts again and again: \d+ ends in a row, the last one: x\/0 took data abort.*; in its handler the guest asked for a reset/,
    cause: "not-given",
    wayOut: /el2 why why:\d+/,
  },
  {
    name: "a reset with a vendor's code",
    kind: "crash",
    text: file(vm("vendorReset")),
    verdict: "failed",
    says: /^the guest asked for a reset \(PSCI SYSTEM_RESET2\) at 0x[0-9a-f]+/,
    wayOut: /el2 back --to \d+/,
  },
];

const LINKS = `[link]
messages = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 2, size = 64 }
there = { kind = "doorbell", label = 2, from = "x", to = "y" }
back = { kind = "doorbell", label = 3, from = "y", to = "x" }
`;

const pair = (fault: keyof typeof FAULT) =>
  file(vm(fault, { bells: " in=3 out=2" }) + vm(fault, { name: "y", bells: " in=2 out=3" }) + LINKS);

/** One end of a link, whose VM sends and waits for no answer; and the other, with the link. */
const SHOUT = file(vm("shout"));
const LINKED = vm("none", { name: "y" }) + LINKS;

/** A configuration for `peerless.dtb`. */
export const PEERLESS = SHOUT + LINKED;

function hang(name: string, text: string, verdict: string, says: RegExp, more: Partial<BrokenCase> = {}): BrokenCase {
  return { name, kind: "hang", text, verdict, says, ...more };
}

const pinned = (priority: number) => `schedule = "own"\naffinity = "pinned"\naffinity_map = [0]\npriority = ${priority}\n`;

const HANGS: readonly BrokenCase[] = [
  hang("a loop", file(vm("loop")), "spins", /^vcpu:x\/0 loops at 0x8000\w+: nothing can end it$/, {
    wayOut: /el2 disasm x\/0:pc/,
  }),
  hang(
    "a flag that nobody sets",
    file(vm("poll")),
    "spins",
    /^vcpu:x\/0 loops at 0x8000\w+\.\.0x8000\w+: nothing can change what it reads$/,
    {
      wayOut: /reads 0x8000\w+, pa:0x\w+, which is 0x00000000, until it is not 0; mapped: ipa:x\/0x8000\w+ rwx/,
    },
  ),
  hang("a sleep without interrupts", file(vm("sleep")), "stuck", /^every vCPU waits for an interrupt, and none can come$/, {
    wayOut: /el2 irq ls x/,
  }),
  hang(
    "a timer whose priority is masked",
    file(vm("maskedPriority")),
    "lost",
    /^irq:x\/27 is pending and cannot fire: priority 0xa0 is masked by PMR 0x80$/,
    {
      wayOut: /el2 show irq:x\/27/,
    },
  ),
  hang(
    "a timer that is disabled in the GIC",
    file(vm("disabledTimer")),
    "lost",
    /^irq:x\/27 is pending and cannot fire: disabled \(GICR_ISENABLER0 bit 27\); after that: it is in group 0/,
    {
      wayOut: /el2 show irq:x\/27/,
    },
  ),
  hang(
    "a timer's interrupt that is lost on its way",
    file(vm("none")),
    "lost",
    /^irq:x\/27 \(vtimer\) was raised and is not pending/,
    {
      inject: ["virq vm=x -> lose"],
      wayOut: /el2 show irq:x\/27/,
    },
  ),
  hang(
    "two VMs that wait for each other's message",
    pair("listen"),
    "deadlocked",
    /^waits for irq:x\/962 \(mq:\d+ rx\) of vm:y, and vm:y for vm:x$/,
    {
      wayOut: /el2 queue ls --filter vm=x/,
    },
  ),
  hang(
    "two VMs that wait for each other's doorbell",
    pair("listenBell"),
    "deadlocked",
    /^waits for irq:x\/960 \(db:\d+\) of vm:y, and vm:y for vm:x$/,
    {
      wayOut: /el2 queue ls --filter vm=x/,
    },
  ),
  hang(
    "a doorbell of a VM that polls memory that nobody writes",
    file(vm("listenBell", { bells: " in=3 out=2" }) + vm("poll", { name: "y" }) + LINKS),
    "stuck",
    /^waits for irq:x\/960 \(db:\d+\) of vm:y, which is in an endless loop$/,
    { wayOut: /fix vm:y first: `el2 diagnose vm:y`/ },
  ),
  hang(
    "two VMs that wait for room in each other's queue",
    pair("fillQueue"),
    "deadlocked",
    /^waits for irq:x\/961 \(mq:\d+ tx\) of vm:y, and vm:y for vm:x$/,
    {
      wayOut: /el2 queue ls --filter vm=x/,
    },
  ),
  hang(
    "a timer whose handler leaves it armed",
    file(vm("timerStorm")),
    "storm",
    /^irq:x\/27 storm: its line is high at each end, and it comes again$/,
    {
      wayOut: /el2 show irq:x\/27/,
    },
  ),
  hang(
    "a loop of hypercalls",
    file(vm("exitStorm")),
    "storm",
    /^vcpu:x\/0 loops at 0x8000\w+\.\.0x8000\w+: its calls and accesses to devices have the same answers again and again$/,
    {
      wayOut: /el2 disasm x\/0:pc/,
    },
  ),
  hang(
    "a message to a VM that does not exist",
    `${SHOUT}dtb = "peerless.dtb"\n${LINKED}`,
    "lost",
    /^1 message in mq:\d+ \(message-queue-pair-1, label 1\) is for vm-name:nobody, which does not exist$/,
    {
      wayOut: /el2 queue ring mq:\d+/,
    },
  ),
  hang(
    "a message to a VM that has failed",
    `${SHOUT}${LINKED.replace(/fault=\d+/, `fault=${FAULT.undefined}`)}`,
    "lost",
    /^1 message in mq:\d+ \(message-queue-pair-1, label 1\) is for vm:y, which has failed$/,
    {
      wayOut: /el2 queue ring mq:\d+/,
    },
  ),
  hang(
    "a handler that faults",
    file(vm("faultInVectors")),
    "storm",
    /^vcpu:x\/0 took data abort.* at 0x8000\w+, and its handler takes data abort.* at 0x8000\w+ again and again$/,
    {
      cause: "stack-outside",
      wayOut: /el2 disasm x\/0:0x8000/,
    },
  ),
  hang(
    "a VM that gets no turn",
    file(`[machine]\ncpus = 1\n[host]\nvcpus = 1\n${vm("none", { more: pinned(-10) })}${vm("loop", { name: "y", more: pinned(-1) })}`),
    "starved",
    /^vcpu:x\/0 can run and has not for 1\.\ds$/,
    {
      until: 1.3e9,
      wayOut: /el2 show vcpu:x\/0/,
    },
  ),
];

const TICKS = '[vm.x]\nimage = "hello.bin"\nmemory = "4MiB"\ncmdline = "ticks=2 ms=10"\n';
const FIRMWARE = '[vm.x]\ntype = "protected"\nfirmware = "firmware.bin"\nmemory = "4MiB"\n';
const INJECTED = /rule_text=/;

function refusal(name: string, text: string, says: RegExp, more: Partial<BrokenCase> = {}): BrokenCase {
  return { name, kind: "refusal", text, verdict: "failed", says, ...more };
}

const REFUSALS: readonly BrokenCase[] = [
  refusal("memory that cannot be lent", file(vm("none")), /^GH_VM_START -> ENOMEM: a fault was injected$/, {
    inject: ["rpc msg=MEM_LEND -> NOMEM"],
    wayOut: /remove the rule that injects it: `el2 inject --remove inject:1`/,
  }),
  refusal("a VM that cannot be created", file(vm("none")), /^GH_CREATE_VM -> ENOMEM: a fault was injected$/, {
    inject: ["ioctl name=GH_CREATE_VM -> ENOMEM"],
    wayOut: INJECTED,
  }),
  refusal("a START that the host refuses", file(vm("none")), /^GH_VM_START -> EPERM: a fault was injected$/, {
    inject: ["ioctl name=GH_VM_START -> EPERM"],
    wayOut: INJECTED,
  }),
  refusal(
    "an authentication that the platform does not take",
    file(`[rm]\nauth = ["android"]\n${vm("none")}`),
    /^GH_VM_START -> EINVAL: the platform takes no VM of this type of authentication$/,
    {
      wayOut: /add "none" to \[rm\] auth/,
    },
  ),
  refusal(
    "a devicetree that does not describe a VM",
    file(vm("none", { more: 'dtb = "bare.dtb"\n' })),
    /^GH_VM_START -> EINVAL: the devicetree has no \/gunyah-vm-config$/,
    { wayOut: /`vm lint` lists its defects/ },
  ),
  refusal(
    "a shared buffer that is refused",
    file(
      `${vm("none")}${vm("none", { name: "y" })}[link]\nb = { kind = "shm", label = 1, size = "64KiB", access = { x = "r", y = "rw" } }\n`,
    ),
    /^MEM_SHARE refused: a fault was injected$/,
    { inject: ["rpc msg=MEM_SHARE -> DENIED"], wayOut: INJECTED },
  ),
  refusal("an INIT that is denied", file(vm("none")), /^GH_VM_START -> EPERM: a fault was injected$/, {
    inject: ["rpc msg=VM_INIT -> DENIED"],
    wayOut: INJECTED,
  }),
  refusal("a run that is refused", file(vm("none")), /^GH_VCPU_RUN -> EINVAL: a fault was injected$/, {
    inject: ["ioctl name=GH_VCPU_RUN nth=5.. -> EINVAL"],
    wayOut: INJECTED,
  }),
  refusal("a START that is never answered", file(vm("none")), /^it is not started: GH_VM_START of its VMM has not returned for 1\.\ds$/, {
    inject: ["rpc msg=VM_START -> lose"],
    until: 1.3e9,
    verdict: "stuck",
    wayOut: /el2 vm timeline x/,
  }),
  refusal("a vCPU that is never run again", file(vm("none")), /^vcpu:x\/0 can run, but its VMM has not called vcpu_run for 2\.\ds$/, {
    inject: ["hvc name=vcpu_run nth=20.. -> BUSY"],
    until: 2.4e9,
    verdict: "stuck",
    wayOut: /el2 show vcpu:x\/0/,
  }),
  refusal("memory that is not given back", file(TICKS), /^parcel:0x0 \(64K\): not given back at the end$/, {
    inject: ["rpc msg=MEM_RECLAIM -> NOMEM"],
    verdict: "leaked",
    wayOut: /el2 why why:\d+/,
  }),
  refusal("a VMID that is not given back", file(TICKS), /^VMID 0x80: not given back at the end$/, {
    inject: ["rpc msg=VM_DEALLOCATE -> NOMEM"],
    verdict: "leaked",
    wayOut: /el2 why why:\d+/,
  }),
  refusal(
    "an end of which the owner never hears",
    file(TICKS),
    /^VMID 0x80, parcel:0x0 \(64K\), 1 vIRQs: not given back for \d+\.\dms since its end$/,
    {
      inject: ["rpc type=notification vm=host -> lose"],
      verdict: "leaked",
      wayOut: /el2 vm timeline x/,
    },
  ),
  refusal(
    "a driver that serves no devices",
    file(`[host]\ndevice = "legacy"\n${vm("none")}`),
    /^its VMM gave up: the vendor driver serves no devices: its VMs have schedule = "own" and devices = \[\]$/,
    { wayOut: /schedule = "own" and devices = \[\]/ },
  ),
  refusal(
    "an image that the firmware refuses",
    file(`${FIRMWARE}image = "not-an-image.bin"\n`),
    /^the guest asked for a reset \(PSCI SYSTEM_RESET2\) at 0x[0-9a-f]+/,
    {
      wayOut: /el2 back --to \d+/,
    },
  ),
  refusal(
    "memory that the platform's firmware does not protect",
    file(`${FIRMWARE}image = "broken.bin"\n`),
    /^GH_VM_START -> EPERM: the platform's firmware refuses: a fault was injected$/,
    {
      inject: ["assign -> DENIED"],
      wayOut: INJECTED,
    },
  ),
];

function misconfiguration(name: string, text: string, says: RegExp): BrokenCase {
  return { name, kind: "misconfiguration", text: file(text), says };
}

const MISCONFIGURATIONS: readonly BrokenCase[] = [
  misconfiguration("a size without a unit", `[vm.x]\nimage = "broken.bin"\nmemory = "4"\n`, /"4"/),
  misconfiguration("a misspelled key", `[vm.x]\nimage = "broken.bin"\nmemroy = "4MiB"\n`, /unknown key "memroy".*did you mean "memory"/),
  misconfiguration("an image that is not there", `[vm.x]\nimage = "nowhere.bin"\nmemory = "4MiB"\n`, /nowhere\.bin/),
  misconfiguration(
    "a link to a VM that is not there",
    `${vm("none")}[link]\nm = { kind = "doorbell", label = 1, from = "x", to = "z" }\n`,
    /"z"/,
  ),
  misconfiguration("a link to itself", `${vm("none")}[link]\nm = { kind = "doorbell", label = 1, from = "x", to = "x" }\n`, /x/),
  misconfiguration("a devicetree that is none", vm("none", { more: 'dtb = "not-an-image.bin"\n' }), /not a devicetree/),
  misconfiguration(
    "a driver that cannot run vCPUs",
    `[host]\ndevice = "v9"\n${vm("none")}`,
    /device "v9" has no ioctl to run vCPUs; give vm "x" schedule = "own"/,
  ),
  misconfiguration(
    "a priority above its owner's",
    vm("none", { more: 'schedule = "own"\npriority = 10\n' }),
    /priority 10 gives 42, not below the owner/,
  ),
  misconfiguration(
    "more memory than the machine has",
    `[machine]\nmemory = "64MiB"\n[host]\nmemory = "40MiB"\n[vm.x]\nimage = "broken.bin"\nmemory = "32MiB"\n`,
    /memory "64MiB" is under the 72MiB that host and VMs need together/,
  ),
  misconfiguration(
    "two doorbells of one label",
    pair("none").replace("el2 = 1\n", "").replace("label = 3", "label = 2"),
    /label 2: doorbells "there" and "back" meet/,
  ),
];

/** All of them. */
export const BROKEN: readonly BrokenCase[] = [...CRASHES, ...HANGS, ...REFUSALS, ...MISCONFIGURATIONS];

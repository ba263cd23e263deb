// Guests of each class of verdicts: those that are broken in its way, and healthy look-alikes.

import type { Broken, Healthy } from "./class-cases.ts";
import { ClassGuests } from "./class-guests.ts";

export const guests = await ClassGuests.build("classes");

const BELL = '[link]\nbell = { kind = "doorbell", label = 2, from = "y", to = "x" }\n';
const QUEUE = '[link]\nmessages = { kind = "msgqueue-pair", label = 1, between = ["x", "y"], depth = 8, size = 64 }\n';

const DISASM = /^el2 disasm x\/0:/;

export const BROKEN_CLASSES: Readonly<Record<string, readonly Broken[]>> = {
  "a loop that nothing ends": [
    {
      name: "polls a flag through functions that use the stack",
      guest: "POLL_IN_FUNCTIONS",
      fact: { code: "spins", vcpu: "vcpu:x/0", range: { symbol: /^(poll_in_functions|is_set|read_flag|guest_main)/ } },
      because: [{ code: "reads", range: { symbol: /^flag$/ }, value: "0x00000000" }],
      next: DISASM,
    },
    {
      name: "takes a lock that it holds",
      guest: "LOCK_TAKEN_TWICE",
      fact: { code: "spins", vcpu: "vcpu:x/0", range: { symbol: /^lock\+/ } },
      because: [{ code: "reads", range: { symbol: /^first_lock$/ }, value: "0x00000001" }],
      next: DISASM,
    },
    {
      name: "waits by WFE for a store that nobody makes",
      guest: "WAIT_FOR_EVENT_OF_NOBODY",
      fact: { code: "spins", vcpu: "vcpu:x/0", range: { symbol: /^guest_main|^wait_for_event/ } },
      because: [{ code: "reads", range: { symbol: /^flag$/ } }],
      next: DISASM,
    },
    {
      name: "asks for ever whether it is off itself",
      guest: "ASK_FOR_EVER",
      fact: { code: "exit-loop", vcpu: "vcpu:x/0", range: { symbol: /./ } },
      next: DISASM,
    },
    {
      name: "sums the same memory, and writes the same sum",
      guest: "CHECKSUM_FOR_EVER",
      fact: { code: "spins", vcpu: "vcpu:x/0" },
      next: DISASM,
    },
  ],
  "CPUs that wait for one another in vain": [
    {
      name: "two locks, taken in opposite orders",
      guest: "OPPOSITE_LOCKS",
      vcpus: 2,
      fact: { code: "spins", vcpu: "vcpu:x/0", range: { symbol: /^lock\+/ } },
      because: [
        { code: "reads", range: { symbol: /^second_lock$/ } },
        { code: "beside", fact: { code: "spins", vcpu: "vcpu:x/1", range: { symbol: /^lock\+/ } } },
      ],
      next: DISASM,
    },
    {
      name: "a lock whose holder has crashed",
      guest: "HOLDER_CRASHED",
      vcpus: 2,
      fact: { code: "crashed", vcpu: "vcpu:x/1", at: { symbol: /^second_hangs_with_lock/ } },
      because: [{ code: "beside", fact: { code: "spins", vcpu: "vcpu:x/0", range: { symbol: /^lock\+/ } } }],
      next: /^el2 disasm x\/1:/,
    },
    {
      name: "a barrier for one more CPU than there is",
      guest: "BARRIER_WITHOUT_ONE",
      vcpus: 2,
      fact: { code: "spins", vcpu: "vcpu:x/0" },
      because: [{ code: "reads", range: { symbol: /^ready$/ }, value: "0x00000002" }, { code: "beside", fact: { vcpu: "vcpu:x/1" } }],
      next: DISASM,
    },
    {
      name: "a CPU that was never started",
      guest: "WAIT_FOR_CPU_THAT_IS_OFF",
      vcpus: 2,
      fact: { code: "spins", vcpu: "vcpu:x/0" },
      because: [{ code: "reads", range: { symbol: /^phase$/ } }],
      next: DISASM,
    },
  ],
  "an interrupt that never ends": [
    {
      name: "a virtual timer that is not set anew",
      guest: "TIMER_NOT_SET",
      fact: { code: "irq-storm", irq: "irq:x/27", finding: { code: "storm", source: "vtimer" } },
      next: /^el2 show irq:x\/27$/,
    },
    {
      name: "a physical timer that is not set anew",
      guest: "PHYSICAL_TIMER_NOT_SET",
      fact: { code: "irq-storm", irq: "irq:x/30", finding: { code: "storm", source: "ptimer" } },
      next: /^el2 show irq:x\/30$/,
    },
    {
      name: "a virtual timer that is set to now",
      guest: "TIMER_SET_TO_NOW",
      fact: { code: "irq-storm", irq: "irq:x/27", finding: { code: "storm", source: "vtimer" } },
      next: /^el2 show irq:x\/27$/,
    },
    {
      name: "a virtual timer that is set to a time that has passed",
      guest: "TIMER_SET_TO_THE_PAST",
      fact: { code: "irq-storm", irq: "irq:x/27", finding: { code: "storm", source: "vtimer" } },
      next: /^el2 show irq:x\/27$/,
    },
    {
      name: "a doorbell whose flags are not cleared",
      guest: "BELL_NOT_CLEARED",
      cmdline: "in=2",
      more: guests.vm("BELL_NOT_CLEARED", { cmdline: "out=2" }, "y") + BELL,
      fact: { code: "irq-storm", irq: /^irq:x\/9/, finding: { code: "storm", source: /^db:/ } },
      next: /^el2 show irq:x\//,
    },
    {
      name: "a queue whose messages are not read",
      guest: "QUEUE_NOT_READ",
      more: guests.vm("MANY_MESSAGES", {}, "y") + QUEUE,
      fact: { code: "irq-storm", irq: /^irq:x\/9/, finding: { code: "storm", source: /^mq:\d+ rx/ } },
      next: /^el2 show irq:x\//,
    },
  ],
  "a handler that faults, or never returns": [
    {
      name: "vectors that are undefined instructions themselves",
      guest: "NO_VECTORS_BUT_ITSELF",
      fact: {
        ...{ code: "fault-loop", vcpu: "vcpu:x/0", at: { symbol: /^guest_main/ }, exception: /^undefined instruction/ },
        then: { at: { symbol: /^undefined_vectors/ } },
      },
      because: [{ code: "cause", cause: { code: "empty-vector", vector: { offset: "0x200" } } }],
      next: DISASM,
    },
    {
      name: "a handler that returns to the fault",
      guest: "RETURN_TO_THE_FAULT",
      fact: { code: "fault-loop", vcpu: "vcpu:x/0", at: { symbol: /^touch_nowhere/ }, exception: /^data abort/ },
      next: DISASM,
    },
    {
      name: "a handler that stands still",
      guest: "HANDLER_STANDS_STILL",
      fact: { code: "crashed", vcpu: "vcpu:x/0", at: { symbol: /^touch_nowhere/ }, handler: { symbol: /^still_vectors/ } },
      because: [{ code: "far", range: { first: "0x70000000" } }],
      next: DISASM,
    },
    {
      name: "a stack that each exception moves further down",
      guest: "STACK_RUNS_DOWN",
      fact: { code: "fault-loop", vcpu: "vcpu:x/0", at: { symbol: /^guest_main/ }, then: { at: { symbol: /^deep_vectors/ } } },
      next: DISASM,
    },
    {
      name: "a second CPU that falls on its first step",
      guest: "SECOND_CPU_FALLS",
      vcpus: 2,
      fact: { code: "crashed", vcpu: "vcpu:x/1", at: { symbol: /^touch_nowhere/ } },
      because: [{ code: "beside", fact: { code: "spins", vcpu: "vcpu:x/0" } }],
      next: /^el2 disasm x\/1:/,
    },
    {
      name: "a handler that sleeps for ever",
      guest: "HANDLER_SLEEPS",
      fact: { code: "crashed", vcpu: "vcpu:x/0", at: { symbol: /^touch_nowhere/ }, handler: { symbol: /^asleep_vectors/ } },
      next: DISASM,
    },
  ],
};

export const TRAILS: readonly Broken[] = [
  {
    name: "an SGI that reached nobody",
    guest: "SGI_TO_NOBODY",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [{ code: "lost-sgi", from: "vcpu:x/0", affinity: "0x9" }],
    next: DISASM,
    first: "lost-sgi",
  },
  {
    name: "a console that is somewhere else",
    guest: "CONSOLE_ELSEWHERE",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [{ code: "unanswered", vcpu: "vcpu:x/0", at: { symbol: /^touch_nowhere/ }, ipa: "0x70000000" }],
    next: DISASM,
    first: "unanswered",
  },
  {
    name: "a call that was refused",
    guest: "SEND_WITH_WRONG_CAPABILITY",
    fact: { code: "spins", vcpu: "vcpu:x/0" },
    because: [{ code: "refused", call: "doorbell_send", why: /^why:/ }],
    next: DISASM,
    first: "refused",
  },
];

export const HEALTHY_CLASSES: Readonly<Record<string, readonly Healthy[]>> = {
  "a loop that nothing ends": [
    { name: "computes for seconds", guest: "COMPUTE" },
    { name: "fills memory for seconds", guest: "FILL_MEMORY" },
    { name: "polls a flag for a limited time", guest: "POLL_WITH_LIMIT" },
    { name: "waits by reading the counter", guest: "WAIT_BY_COUNTER" },
    { name: "does its work in handlers, and nothing besides", guest: "WORK_IN_HANDLERS" },
  ],
  "CPUs that wait for one another in vain": [
    { name: "a token by WFE and SEV", guest: "TOKEN", vcpus: 2 },
    { name: "all CPUs stopped and set going, 2", guest: "STOP_ALL_CPUS", vcpus: 2, cmdline: "cpus=2" },
    { name: "all CPUs stopped and set going, 3", guest: "STOP_ALL_CPUS", vcpus: 3, cmdline: "cpus=3" },
    {
      name: "all CPUs stopped and set going, 4 scheduled by the hypervisor",
      guest: "STOP_ALL_CPUS",
      vcpus: 4,
      cmdline: "cpus=4",
      keys: 'schedule = "own"\ndevices = []',
    },
    { name: "a ticket lock that three want", guest: "TICKET_LOCK", vcpus: 3, cmdline: "cpus=3" },
    { name: "a CPU that was told to wait", guest: "PARKED_CPU", vcpus: 2 },
  ],
  "an interrupt that never ends": [
    { name: "ticks of 40 us", guest: "FAST_TICKS" },
    { name: "half a second of ticks at once", guest: "CATCH_UP_TICKS" },
    { name: "ticks of 5 us, from each to the next", guest: "TICKS_WITHOUT_DELAY", until: 0.1e9 },
    {
      name: "messages one by one, as fast as they come",
      guest: "MANY_MESSAGES",
      more: guests.vm("MANY_MESSAGES", {}, "y") + QUEUE,
      until: 0.1e9,
    },
  ],
  "a handler that faults, or never returns": [
    { name: "probes memory, and steps over each fault", guest: "PROBE_MEMORY", until: 0.1e9 },
    { name: "takes the same breakpoint again and again", guest: "COUNT_BREAKPOINTS", until: 0.05e9 },
    { name: "calls itself by SVC", guest: "CALL_SUPERVISOR", until: 0.05e9 },
  ],
  "a mishap before": ["SGI_TO_NOBODY", "CONSOLE_ELSEWHERE", "SEND_WITH_WRONG_CAPABILITY"].map((guest) => ({
    ...{ name: `${guest}, which it can do without`, guest, cmdline: "well=1", until: 0.3e9 },
  })),
  "an end that something led to": [
    { name: "prints the words of a panic", guest: "QUOTE_PANIC" },
    { name: "handles a fault, and is started again by its wish", guest: "RESET_AFTER_HANDLED_FAULT", keys: 'on_exit = "restart"' },
    { name: "is started again often by its wish", guest: "REBOOT_OFTEN", keys: 'on_exit = "restart"' },
  ],
};
